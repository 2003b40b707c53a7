#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the source text: who includes whom, licence lines, words, and (as warnings) lengths.

Usage: lint.py [--root DIR] [--strict]

Errors end with exit status 1. Warnings (long files and functions, formatting, many file-scope
variables) are printed and are an error only with --strict.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys

# folder -> folders whose headers it may include. Keep the picture in docs/architecture.md in step.
ALLOWED = {
    "base": {"base"},
    "pipeline": {"pipeline", "base"},
    "rpc": {"rpc", "base"},
    "conf": {"conf", "base"},
    "datapath": {"datapath", "pipeline", "rpc", "base"},
    "vswitch": {"vswitch", "pipeline", "rpc", "conf", "base"},
    "ofctl": {"ofctl", "pipeline", "rpc", "base"},
}
# folder -> system headers that have no place there, and why.
FORBIDDEN_SYSTEM = {
    "pipeline": (r"rte_|event2/|pthread\.h|sys/socket\.h|sqlite3\.h|yaml\.h",
                 "the pipeline has no DPDK, threads, sockets or files"),
    "base": (r"rte_|event2/|jansson|sqlite3\.h|yaml\.h", "base knows only the C library"),
    "rpc": (r"rte_|sqlite3\.h|yaml\.h", "rpc knows only libevent, Jansson and OpenSSL"),
    "conf": (r"rte_|event2/|sqlite3\.h", "conf knows only libyaml"),
    "datapath": (r"sqlite3\.h|yaml\.h|openssl/",
                 "the datapath keeps no state, reads no configuration and talks to vswitchd only"),
    "vswitch": (r"rte_", "vswitchd is a daemon without DPDK"),
    "ofctl": (r"rte_|sqlite3\.h|yaml\.h", "ofctl is a thin client"),
}
TEXT = (".c", ".h", ".def", ".py", ".sh", ".build", ".md", ".yaml", ".yml", ".service", ".txt", ".in")
NEEDS_SPDX = (".c", ".h", ".def", ".py", ".sh")
SKIP_FOLDERS = {".git", "__pycache__", ".pytest_cache"}
FILE_LINES, FUNCTION_LINES, FILE_VARIABLES = 500, 60, 4
# Words that say nothing to a reader, or belong to another project's private dialect. Written
# so that this file does not find itself.
WORDS = [
    (r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b", "say what is missing in docs/, or do it"),
    (r"/wo" r"rk/", "a path of somebody's machine"),
    (r"\bissue #?\d", "text must stand without a tracker"),
]
CODE_WORDS = [
    (r"\b(?:dp" r"if|dp" r"cls|ofp" r"act|xl" r"ate)\w*", "another project's private word"),
]
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


class Report:
    def __init__(self):
        self.errors, self.warnings = [], []

    def error(self, path, line, text):
        self.errors.append(f"{path}:{line}: error: {text}")

    def warn(self, path, line, text):
        self.warnings.append(f"{path}:{line}: warning: {text}")


def source_files(root):
    """Paths relative to root; build directories are left out."""
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(
            name for name in subfolders
            if name not in SKIP_FOLDERS
            and not os.path.exists(os.path.join(folder, name, "build.ninja"))
            and not os.path.exists(os.path.join(folder, name, "meson-private")))
        for name in sorted(names):
            yield os.path.relpath(os.path.join(folder, name), root)


def check_includes(path, lines, report):
    folder = path.split(os.sep)[0]
    allowed = ALLOWED.get(folder)
    for number, line in enumerate(lines, 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        quoted, name = found.group(1) == '"', found.group(2)
        target = name.split("/")[0]
        if quoted and "/" not in name and folder != "tests":
            report.error(path, number, f'include "{name}" with its folder: "{folder}/{name}"')
        elif quoted and allowed is not None and target not in allowed:
            report.error(path, number, f"{folder}/ must not include {target}/ "
                         f"(it may include {', '.join(sorted(allowed))})")
        elif not quoted and folder in FORBIDDEN_SYSTEM:
            pattern, why = FORBIDDEN_SYSTEM[folder]
            if re.match(pattern, name):
                report.error(path, number, f"<{name}> does not belong in {folder}/: {why}")


def check_functions(path, lines, report):
    """A function's body starts with { and ends with } in the first column."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            if number - start - 1 > FUNCTION_LINES and line.rstrip() == "}":
                report.warn(path, start, f"function of {number - start - 1} lines "
                            f"(long: more than {FUNCTION_LINES})")
            start = None


def check_file_scope(path, lines, report):
    variables = [number for number, line in enumerate(lines, 1)
                 if re.match(r"(?:static\s+)?(?:_Thread_local\s+|volatile\s+)?"
                             r"(?:struct\s+|unsigned\s+)?\w+\s+\**\w+(?:\[\w*\])*\s*(?:=.*)?;$", line)
                 and not re.match(r"(?:static\s+)?const\b|typedef\b|return\b|extern\b|struct \w+;", line)]
    if len(variables) > FILE_VARIABLES:
        report.warn(path, variables[0], f"{len(variables)} file-scope variables: "
                    "a struct that wants to exist")


def check_text(path, text, report):
    lines = text.splitlines()
    suffix = os.path.splitext(path)[1]
    script = text.startswith("#!")
    if (suffix in NEEDS_SPDX or script) and not any(
            "SPDX-License-Identifier: Apache-2.0" in line for line in lines[:2]):
        report.error(path, 1, "no \"SPDX-License-Identifier: Apache-2.0\" in the first two lines")
    words = WORDS + (CODE_WORDS if suffix in (".c", ".h", ".def") else [])
    for number, line in enumerate(lines, 1):
        for pattern, why in words:
            found = re.search(pattern, line)
            if found:
                report.error(path, number, f'"{found.group(0)}": {why}')
    if suffix in (".c", ".h"):
        check_includes(path, lines, report)
        check_functions(path, lines, report)
        check_file_scope(path, lines, report)
        for number, line in enumerate(lines, 1):
            if re.match(r"\s*typedef\s+struct\b", line):
                report.error(path, number, "no typedef of structs")
        if len(lines) > FILE_LINES:
            report.warn(path, 1, f"{len(lines)} lines (long: more than {FILE_LINES})")
        if suffix == ".h" and "#pragma once" not in text:
            report.error(path, 1, "a header needs #pragma once")


def check_format(root, paths, report):
    tool = shutil.which("clang-format")
    if not tool:
        print("note: clang-format is not installed; formatting was not looked at")
        return
    run = subprocess.run([tool, "--dry-run", *paths], cwd=root, capture_output=True, text=True,
                         check=False)
    counts = {}
    for line in run.stderr.splitlines():
        found = re.match(r"([^:\s]+):(\d+):\d+: warning: code should be clang-formatted", line)
        if found:
            counts.setdefault(found.group(1), []).append(int(found.group(2)))
    for path, numbers in sorted(counts.items()):
        report.warn(path, numbers[0], f"{len(numbers)} places differ from clang-format")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), "..", ".."))
    parser.add_argument("--strict", action="store_true", help="warnings are errors")
    arguments = parser.parse_args()
    report, c_files = Report(), []
    for path in source_files(arguments.root):
        full = os.path.join(arguments.root, path)
        if os.path.islink(full):
            continue
        if not path.endswith(TEXT):
            with open(full, "rb") as file:
                if file.read(2) != b"#!":
                    continue
        with open(full, encoding="utf-8") as file:
            try:
                text = file.read()
            except UnicodeDecodeError:
                report.error(path, 1, "not UTF-8")
                continue
        check_text(path, text, report)
        if path.endswith((".c", ".h")):
            c_files.append(path)
    if c_files:
        check_format(arguments.root, c_files, report)
    for line in report.warnings + report.errors:
        print(line)
    print(f"{len(report.errors)} errors, {len(report.warnings)} warnings in {len(c_files)} C files")
    return 1 if report.errors or (arguments.strict and report.warnings) else 0


if __name__ == "__main__":
    sys.exit(main())
