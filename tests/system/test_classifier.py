# SPDX-License-Identifier: Apache-2.0
"""A table of many rules gets a classifier, and stays exact while that is out of date."""
import collections
import re

import traffic
from test_flows import DUMP_LINE, Oracle
from turnout.waiting import wait_until
from turnout.wire import Wire

COUNT = 2000


def classifier(switch, bridge):
    """How many rules are in the classifier of table 0."""
    table, = [t for t in switch.rpc("flow.tables", bridge=bridge) if t["table"] == 0]
    return table.get("classifier", {"rules": 0})["rules"]


def expect(rules, frames, kept):
    """Hits by rule number, of those in `kept`, in order; the last rule is for everything."""
    left = [rules[number] for number in kept]
    oracle = Oracle(left)
    numbers = list(kept) + [COUNT]
    return collections.Counter(numbers[oracle.first(frame)] for frame in frames)


def hits(switch, bridge):
    """Packets by rule number, as rules were numbered by their priorities."""
    found = collections.Counter()
    for line in switch.ofctl("dump-flows", bridge).splitlines():
        match = DUMP_LINE.match(line)
        if match:
            priority = int(re.match(r"priority=(\d+)", match.group(3)).group(1))
            found[COUNT if priority == 0 else 65000 - priority] += int(match.group(1))
    return +found


def test_classifier(switch, bridge, tmp_path):
    rules = traffic.make_rules(COUNT, seed=7)
    lines = list(traffic.flow_lines(rules))
    first, second = (list(traffic.rule_frames(rules, 4000, seed=seed)) for seed in (8, 9))
    file = tmp_path / "rules.txt"
    file.write_text("\n".join(lines) + "\n")
    with Wire(switch, bridge, tmp_path) as wire:
        wire.add_output(2)
        switch.ofctl("add-flows", bridge, str(file))
        wait_until(lambda: classifier(switch, bridge) == COUNT + 1, "a classifier of all rules")
        assert f"classifier: count=1, rules={COUNT + 1}, memory=" in switch.ofctl("dump-tables", bridge)
        wire.add_input(1, first)
        wire.wait_received()
        expected = expect(rules, first, range(COUNT))
        assert hits(switch, bridge) == expected

        # Rules that are in the classifier go, and at once nothing hits them any more.
        kept = [number for number in range(COUNT) if number % 5]
        file.write_text("\n".join([lines[number] for number in kept] + lines[COUNT:]) + "\n")
        switch.ofctl("replace-flows", bridge, str(file))
        wire.add_input(3, second)
        wire.wait_received()
        for number in range(0, COUNT, 5):
            expected.pop(number, None)
        assert hits(switch, bridge) == expected + expect(rules, second, kept)

        # Rules come that it does not know: the next classifier has them.
        file.write_text("\n".join(lines) + "\n")
        switch.ofctl("replace-flows", bridge, str(file))
        wait_until(lambda: classifier(switch, bridge) == COUNT + 1,
                   "a classifier of the rules that are back", 60)
        switch.ofctl("del-flows", bridge)
        wait_until(lambda: classifier(switch, bridge) == 0, "an empty table to have none")
