#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reads Meson's testlog.json files and says what passed, what failed and what was skipped, and why.

Usage: summary.py TESTLOG.json...   Exit status 1 if anything failed or nothing ran.

A Meson test is one program. Many programs hold several cases; they are counted from what the
program prints: CMocka's "[  PASSED  ] 7 test(s)." and the lines "CASE passed|failed|skipped ..."
that tests/system/conftest.py writes.
"""
import json
import os
import re
import sys

MOST = 15  # failed cases shown of one program
GOOD = {"OK", "EXPECTEDFAIL"}
CASE = re.compile(r"^CASE (passed|failed|skipped) (\S+)(?: (.*))?$", re.M)
CMOCKA_PASSED = re.compile(r"\[  PASSED  \] (\d+) test\(s\)")
CMOCKA_FAILED = re.compile(r"\[  FAILED  \] (?!\d)(\w+)")


def load(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def main(paths):
    programs, seconds = [], 0.0
    for path in paths:
        if not os.path.exists(path):
            print(f"FAILED   {path}: no test was run")
            return 1
        programs += load(path)
    cases = {"passed": 0, "failed": 0, "skipped": 0}
    failed, skipped, slowest = [], [], []
    for program in programs:
        name, result = program["name"], program["result"]
        output = (program.get("stdout") or "") + "\n" + (program.get("stderr") or "")
        seconds += program.get("duration") or 0
        slowest.append((program.get("duration") or 0, name))
        own_failures = []
        found = CASE.findall(output)
        for kind, case, reason in found:
            cases[kind] += 1
            if kind == "failed":
                own_failures.append(f"{case}: {reason}")
            elif kind == "skipped":
                skipped.append(f"{case}: {reason}")
        if not found:
            passed = sum(int(count) for count in CMOCKA_PASSED.findall(output))
            own_failures += sorted(set(CMOCKA_FAILED.findall(output)))
            if result == "SKIP":
                cases["skipped"] += 1
                reason = output.strip().splitlines()
                skipped.append(f"{name}: {reason[-1] if reason else 'gives no reason'}")
            elif result in GOOD:
                cases["passed"] += max(passed, 1)
            else:
                cases["passed"] += passed
                cases["failed"] += max(len(own_failures), 1)
        if result not in GOOD and result != "SKIP":
            failed.append((name, result, program.get("returncode"), own_failures))
        elif own_failures:
            failed.append((name, "said success", 0, own_failures))
    for name, result, status, own in failed:
        print(f"FAILED   {name} ({result.lower()}, exit status {status})")
        for line in own[:MOST]:
            print(f"           {line}")
        if len(own) > MOST:
            print(f"           and {len(own) - MOST} more")
    for line in skipped:
        print(f"SKIPPED  {line}")
    for program in programs:
        warnings = re.search(r"^\d+ errors, ([1-9]\d*) warnings", program.get("stdout") or "", re.M)
        if warnings:
            print(f"WARNINGS {program['name']}: {warnings.group(1)} (tests/lint/lint.py shows them)")
    slowest.sort(reverse=True)
    print("slowest: " + ", ".join(f"{name} {took:.0f} s" for took, name in slowest[:4]))
    print(f"{len(programs)} test programs in {seconds:.0f} s: {cases['passed']} cases passed, "
          f"{cases['failed']} failed, {cases['skipped']} skipped")
    if not programs:
        print("FAILED   no test was run")
    return 1 if failed or not programs else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
