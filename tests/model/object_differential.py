#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the parsers of groups and meters against those of ovs-ofctl.

As parse_differential.py does it for flows: half of the strings are ones that both have to accept, and
Open vSwitch has to read our exact form as it reads the original. Among the rest, which are mutations of
such strings, every difference in acceptance has to be one of the deliberate ones. Groups are read by
`ovs-ofctl parse-group`; for meters there is no such command, so they are sent to a switch with dummy
ports, and what ovs-ofctl sends is looked at.

usage: object_differential.py PARSE_FLOW [GROUPS [METERS [SEED]]]
Exit status: 0 the same, 1 differences, 77 Open vSwitch is not installed.
"""

import concurrent.futures
import re
import subprocess
import sys

sys.dont_write_bytecode = True

import ovs_switch  # noqa: E402
import parse_differential as flows  # noqa: E402

VERSION = "OpenFlow15"

# --- Deliberate differences, besides those of actions in parse_differential.py ---

# We refuse, Open vSwitch's parser accepts; much of it is refused by its switch later.
STRICTER_KINDS = flows.STRICTER_KINDS
STRICTER = flows.STRICTER + [
    r"\(decimal, or hexadecimal after 0x\)",
    r"selection_method: \".*\" is not known",
    r"needs a value",
    r"has exactly one bucket, and this one has none",
    r"all of a field is hashed, there are no masks",
    r"fields: unknown field",              # more fields than we have
    r"fields needs selection_method=hash",
    r"is the group's, not a bucket's",
    r"a group has no \"(buckets?|bucket.*)\"",
    r"a bucket cannot go to a table",
    r"there is no slow path|what goes to the controller",
    r"type: \".*bucket=.*\" is no type",  # type=allbucket=2
    r"takes no value",
    r"a (meter|band) has no \"\"",         # bands==type=drop
    r"a meter has no \"[^\"]*band[^\"]*\"",  # band7=, kbpsbands=
    r"unknown action \"[^\"]*bucket\"",   # 4bucket=
    r"single buckets cannot be put in",
]
# We accept, Open vSwitch refuses.
LAXER = flows.LAXER + [
    r"1-bits in value for bits wildcarded",  # a warning here
    r"resubmit\([^)]* [^)]*\)",            # blanks in brackets
    r"Duplicate bucket id",                # of one with a number and one without
]

# --- Strings ---


class Maker(flows.Maker):
    def bucket_actions(self):
        # A bucket has no table of its own, and no match that has a transport protocol.
        while True:
            actions = self.actions({"ip"})
            if actions and "goto_table" not in actions and "resubmit:" not in actions:
                return actions

    def bucket(self, kind, index, numbered):
        r = self.random
        sign = r.choice(":=")
        attributes = []
        if numbered:
            attributes.append("bucket_id%s%d" % (sign, index * 10 + r.randrange(10)))
        if kind == "select" and r.random() < 0.5:
            attributes.append("weight%s%d" % (sign, r.choice([0, 1, 100, 65535])))
        watch = ["watch_port%s%s" % (sign, self.port()),
                 "watch_group%s%d" % (sign, r.choice([2, 77, 0xffffff00]))]
        if kind in ("ff", "fast_failover"):
            attributes += r.sample(watch, r.choice([1, 2]))
        elif kind == "select" and r.random() < 0.3:
            attributes.append(r.choice(watch))
        r.shuffle(attributes)
        parts = attributes + [r.choice(["", "actions="]) + self.bucket_actions()]
        if r.random() < 0.1:
            parts.reverse()
        return "bucket=" + r.choice([",", " "]).join(parts)

    def group(self):
        r = self.random
        kind = r.choice(["all", "select", "indirect", "ff", "fast_failover"])
        keys = ["group_id=" + r.choice(["1", "3", "4294967039", "0x1f"]), "type=" + kind]
        if kind == "select" and r.random() < 0.6:
            keys.append("selection_method=" + r.choice(["dp_hash", "hash"]))
            if keys[-1].endswith("=hash") and r.random() < 0.7:
                names = r.sample(["ip_src", "nw_dst", "ipv6_src", "tcp_src", "udp_dst", "eth_src",
                                  "dl_dst", "vlan_vid", "vlan_tci", "in_port", "metadata",
                                  "reg3", "nw_proto", "eth_type", "ipv6_label"], r.randint(1, 4))
                if "ip_src" in names and r.random() < 0.3:
                    keys.append("fields=ip_src")
                else:
                    keys.append("fields(%s)" % ",".join(names))
        r.shuffle(keys)
        count = 1 if kind == "indirect" else r.randint(0, 4)
        # All of them or none: Open vSwitch gives one bucket the identifier of another.
        numbered = r.random() < 0.4
        return r.choice([",", " ", ", "]).join(
            keys + [self.bucket(kind, i, numbered) for i in range(count)])

    def meter(self):
        r = self.random
        burst = r.random() < 0.5
        keys = ["meter=%d" % r.choice([1, 7, 4294901760]), r.choice(["kbps", "pktps"])]
        keys += ["burst"] if burst else []
        keys += ["stats"] if r.random() < 0.5 else []
        r.shuffle(keys)
        bands = []
        for _ in range(r.randint(1, 4)):
            kind = r.choice(["drop", "dscp_remark"])
            band = ["rate=%d" % r.choice([1, 1000, 1000000000])]
            band += ["burst_size=%d" % r.choice([1, 500, 4294967295])] if burst else []
            band += ["prec_level=%d" % r.choice([1, 2])] if kind == "dscp_remark" else []
            r.shuffle(band)
            bands += ["type=" + kind] + band
        separator = r.choice([",", " ", ", "])
        return separator.join(keys) + separator + r.choice(["bands=", "band="]) + \
            separator.join(bands)


# --- The parsers ---

def ours(program, lines, option):
    """[(True, exact) or (False, kind, message)]"""
    return [(True, part[1]) if part[0] == "ok" else (False, part[1], part[5])
            for part in flows.answers_of(program, lines, option)]


def their_group(line):
    """(True, the group as it prints it) or (False, message)"""
    done = subprocess.run(["ovs-ofctl", "-O", VERSION, "parse-group", line],
                          capture_output=True, text=True, check=False)
    found = re.search(r"^ ADD (.*)", done.stdout, re.MULTILINE)
    if done.returncode != 0 or not found:
        return (False, done.stderr.strip() or done.stdout[:200])
    # Ways to choose that are one here.
    return (True, re.sub(r",selection_method=(dp_)?hash(?!,fields)", "", found.group(1)))


class Meters:
    def __init__(self):
        self.switch = ovs_switch.Switch(1)
        self.switch.vsctl("set", "Bridge", "br0", "protocols=" + VERSION)

    def read(self, line):
        """(True, the meter as it sends it) or (False, message)"""
        done = subprocess.run(["ovs-ofctl", "-vvconn:console:dbg", "-O", VERSION, "mod-meter", "br0", line],
                              capture_output=True, text=True, check=False,
                              env=self.switch.environment)
        found = re.search(r"sent \(Success\): OFPT_METER_MOD.*?MOD (meter=(?:.*\n)(?:type=.*\n)*)",
                          done.stderr)
        if not found:
            return (False, [text for text in done.stderr.splitlines()
                            if text.startswith("ovs-ofctl:")][-1:] or done.stderr[-200:])
        return (True, found.group(1).replace(" stats", ""))


# --- Judging ---

def judge(line, own, other, echo, must_accept):
    """What is wrong, or None."""
    if own[0] and other[0]:
        if not echo[0]:
            return None if flows.matches_any(LAXER, own[1] + str(echo[1])) else \
                "they refuse our form: %s: %s" % (own[1], echo[1])
        if echo[1] != other[1]:
            return "meaning differs: ours %s, read as %s, not as %s" % (own[1], echo[1], other[1])
        return None
    if own[0] == other[0] and not must_accept:
        return None
    if must_accept:
        return "ours %s, theirs %s" % (own, other)
    if own[0]:
        return None if flows.matches_any(LAXER, line + str(other[1])) else \
            "only we accept it: %s: %s" % (own[1], other[1])
    if own[1] in STRICTER_KINDS or flows.matches_any(STRICTER, own[2]):
        return None
    return "only they accept it: %s, we say: %s: %s" % (other[1], own[1], own[2])


def compare(what, lines, own, theirs):
    """The number of differences."""
    def read(i):
        other = theirs(lines[i])
        echo = theirs(own[i][1]) if own[i][0] and other[0] else (False, "")
        return other, echo

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(read, range(len(lines))))
    failures = 0
    for i, line in enumerate(lines):
        wrong = judge(line, own[i], *answers[i], i % 2 == 0)
        if wrong:
            failures += 1
            print("%s\n\t%s" % (line, wrong))
    both = sum(1 for mine, (other, _) in zip(own, answers) if mine[0] and other[0])
    print("%d %s, %d accepted by both, %d differences" % (len(lines), what, both, failures))
    return failures


def main():
    missing = ovs_switch.missing()
    if missing:
        print(missing)
        return 77
    program = sys.argv[1]
    numbers = [int(word) for word in sys.argv[2:]] + [3000, 800, 1][len(sys.argv) - 2:]
    maker = Maker(numbers[2])
    groups = [maker.group() if i % 2 == 0 else maker.mutated(maker.group())
              for i in range(numbers[0])]
    meters = [maker.meter() if i % 2 == 0 else maker.mutated(maker.meter())
              for i in range(numbers[1])]
    failures = compare("groups", groups, ours(program, groups, "--groups"), their_group)
    switch = Meters()
    try:
        failures += compare("meters", meters, ours(program, meters, "--meters"), switch.read)
    finally:
        switch.switch.stop()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
