# SPDX-License-Identifier: Apache-2.0
"""Ten thousand rules in one transaction, dumps, counters, errors, replacement, atomicity."""
import collections
import json
import re
import time

import pytest
import traffic
from turnout.wire import Wire

COUNT = 10000
DUMP_LINE = re.compile(
    r"^ cookie=0x[0-9a-f]+, duration=[0-9.]+s, table=\d+, n_packets=(\d+), n_bytes=(\d+), "
    r"(?:idle_age=\d+, )?(priority=\d+\S*|priority=\d+) actions=(\S+)$")


@pytest.fixture(scope="module")
def rules():
    return traffic.make_rules(COUNT, seed=5)


class Oracle:
    """The first rule that a frame hits, found by a dictionary of networks."""

    def __init__(self, rules):
        self.rules, self.by_target = rules, collections.defaultdict(list)
        for number, rule in enumerate(rules):
            self.by_target[rule.target].append(number)

    def first(self, frame):
        protocol = frame[23]
        source, target = (int.from_bytes(frame[at:at + 4], "big") for at in (26, 30))
        ports = [int.from_bytes(frame[at:at + 2], "big") for at in (34, 36)]
        best = len(self.rules)
        for length in range(33):
            for number in self.by_target.get((traffic.network(target, length), length), ()):
                if number >= best:
                    break
                rule = self.rules[number]
                if (traffic.PROTOCOLS[rule.protocol] in (0, protocol)
                        and traffic.network(source, rule.source[1]) == rule.source[0]
                        and rule.source_port in (None, ports[0])
                        and rule.target_port in (None, ports[1])):
                    best = number
        return best


def test_ten_thousand_rules(switch, bridge, rules, tmp_path):
    lines = list(traffic.flow_lines(rules, drop_every=4))
    file = tmp_path / "rules.txt"
    file.write_text("\n".join(lines) + "\n")
    frames = list(traffic.rule_frames(rules, 20000, seed=6))
    with Wire(switch, bridge, tmp_path) as wire:
        wire.add_output(2)
        began = time.monotonic()
        switch.ofctl("add-flows", bridge, str(file))
        print(f"{COUNT + 1} flows added in {time.monotonic() - began:.2f} s")
        wire.add_input(1, frames)
        wire.wait_received()

        # What the counters must say, computed one rule at a time.
        oracle, expected = Oracle(rules), collections.Counter()
        for frame in frames:
            expected[oracle.first(frame)] += 1
        dumped = [line for line in switch.ofctl("dump-flows", bridge).splitlines()
                  if "priority=" in line]
        assert len(dumped) == COUNT + 1
        actual, total_bytes, output_packets = {}, 0, 0
        step = max(1, COUNT // 60000 + 1)
        for line in dumped:
            found = DUMP_LINE.match(line)
            assert found, f"awk would stumble over {line!r}"
            priority = int(re.match(r"priority=(\d+)", found.group(3)).group(1))
            number = COUNT if priority == 0 else (65000 - priority) * step
            actual[number] = int(found.group(1))
            total_bytes += int(found.group(2))
            if found.group(4) == "output:2":
                output_packets += int(found.group(1))
            else:
                assert found.group(4) == "drop"
        wrong = [(number, lines[number], expected[number], actual[number])
                 for number in actual if expected[number] != actual[number]]
        assert not wrong, f"{len(wrong)} counters are wrong, such as {wrong[:3]}"

        # And they add up with the ports.
        counters, out = wire.stats(1), wire.stats(2)
        assert sum(actual.values()) == counters["rx_packets"] == len(frames)
        assert total_bytes == counters["rx_bytes"] == sum(map(len, frames))
        assert output_packets == out["tx_packets"]
        assert wire.drops(1) == {"action_drop": len(frames) - output_packets}
        aggregate = switch.rpc("flow.aggregate", bridge=bridge)
        assert (aggregate["packets"], aggregate["flows"]) == (len(frames), COUNT + 1)

        # Replaced in one go, under the same names; a second time there is nothing to do.
        half = tmp_path / "half.txt"
        half.write_text("\n".join(lines[::2]) + "\n")
        switch.ofctl("replace-flows", bridge, str(half))
        assert len(switch.flows(bridge)) == len(lines[::2])
        result = switch.rpc("flow.replace", bridge=bridge, lines=half.read_text())
        assert (result["added"], result["removed"], result["modified"]) == (0, 0, 0)
        # Counters of flows that stayed have stayed.
        assert switch.flow_packets(bridge) == sum(expected[n] for n in range(0, COUNT + 1, 2))


def test_dump_loads_again(switch, bridge, rules, tmp_path):
    file = tmp_path / "rules.txt"
    file.write_text("\n".join(list(traffic.flow_lines(rules[:500])) + [
        "table=3,cookie=0x1234,idle_timeout=30,hard_timeout=300,udp,udp_dst=53,"
        "actions=goto_table:5",
        "table=5,tcp6,ipv6_dst=2001:db8::/64,tcp_dst=443,"
        "actions=set_field:00:11:22:33:44:55->eth_dst,output:2",
        "table=5,tcp,nw_src=10.0.0.0/8,tp_dst=0x1000/0xf000,tcp_flags=+syn-ack,"
        "actions=mod_nw_dst:10.1.1.1,mod_tp_dst:8080,3"]) + "\n")
    switch.ofctl("add-flows", bridge, str(file))
    dump = switch.ofctl("dump-flows", bridge)
    before = [(row["table"], row["priority"], row["cookie"], row["text"])
              for row in switch.flows(bridge)]
    again = tmp_path / "dump.txt"
    again.write_text("\n".join(line for line in dump.splitlines() if "actions=" in line) + "\n")
    switch.ofctl("del-flows", bridge)
    assert switch.flows(bridge) == []
    switch.ofctl("add-flows", bridge, str(again))
    assert [(row["table"], row["priority"], row["cookie"], row["text"])
            for row in switch.flows(bridge)] == before


def test_all_or_nothing(switch, bridge, tmp_path):
    """Every bad line of a file is reported with its place, and none of the file is installed."""
    file = tmp_path / "flows.of"
    file.write_text("priority=1,actions=drop\n"
                    "# a comment\n"
                    "ip,nw_src=10.0.0.300,actions=drop\n"
                    "priority=2,tcp,actions=output:1\n"
                    "ip,foo=3,actions=drop\n")
    result = switch.run("ofctl/ofctl", "add-flows", bridge, str(file), status=1)
    lines = result.err.splitlines()
    assert any(re.match(r"ofctl: \S*flows\.of:3:\d+: error: nw_src: \"10\.0\.0\.300\" is not an "
                        r"IPv4 address \(octet 4 is 300, maximum 255\)", line) for line in lines)
    assert any(re.match(r"ofctl: \S*flows\.of:5:\d+: error: unknown field \"foo\"", line)
               for line in lines)
    at = next(index for index, line in enumerate(lines) if "ip,nw_src=10.0.0.300" in line)
    assert lines[at + 1].index("^") == lines[at].index("nw_src=")
    assert switch.flows(bridge) == []


# What must be refused, with the sentence (flow language, section "Strings that must be refused").
REFUSED = {
    "nw_dst=10.0.0.1,actions=drop": 'nw_dst needs a network protocol: write "ip,nw_dst=10.0.0.1"',
    "dl_vlan=5000,actions=drop": "dl_vlan: 5000 is out of range 0..4095",
    "tcp,udp,actions=drop": '"udp" conflicts with "tcp" given earlier',
    "tcp,actions=output:nosuch": 'output: no port "nosuch" on br0',
    "tcp,tp_dst=70000,actions=drop": "tcp_dst: 70000 is too large for a 16-bit field",
    "ip,actions=set_field:80->tcp_dst": "set_field tcp_dst needs tcp in the match",
    "table=5,ip,actions=goto_table:3": "goto_table:3 must go to a table above 5",
    "ip": 'missing "actions="',
    "ip,actions=drop,output:1": '"drop" cannot be combined with other actions',
    "vlan_vid=100,actions=drop": "vlan_vid counts the CFI bit",
}


@pytest.mark.parametrize("flow", REFUSED)
def test_refused(switch, bridge, flow):
    result = switch.run("ofctl/ofctl", "add-flow", bridge, flow, status=1)
    assert REFUSED[flow] in result.err
    assert "^" in result.err
    assert switch.flows(bridge) == []


def test_warning(switch, bridge):
    result = switch.run("ofctl/ofctl", "add-flow", bridge, "ip,nw_src=10.0.0.5/24,actions=drop")
    assert "warning: host bits ignored, using 10.0.0.0/24" in result.err
    assert len(switch.flows(bridge)) == 1


def test_modify_and_delete(switch, bridge):
    for number in range(4):
        switch.ofctl("add-flow", bridge, f"cookie={number},priority={number},ip,nw_proto={number},"
                                         "actions=output:1")
    switch.ofctl("mod-flows", bridge, "ip,nw_proto=2,actions=output:5")
    assert [row["text"] for row in switch.flows(bridge, "out_port=5")] == [
        "priority=2,ip,nw_proto=2 actions=output:5"]
    switch.ofctl("--strict", "del-flows", bridge, "priority=3,ip,nw_proto=2")
    assert len(switch.flows(bridge)) == 4
    switch.ofctl("--strict", "del-flows", bridge, "priority=2,ip,nw_proto=2")
    assert len(switch.flows(bridge)) == 3
    switch.ofctl("del-flows", bridge, "cookie=1/-1")
    assert {row["priority"] for row in switch.flows(bridge)} == {0, 3}
    switch.ofctl("del-flows", bridge, "ip")
    assert switch.flows(bridge) == []


def test_mixed_file_is_one_transaction(switch, bridge, tmp_path):
    switch.ofctl("add-flow", bridge, "priority=7,arp,actions=output:1")
    file = tmp_path / "changes.of"
    file.write_text("add priority=5,ip,actions=drop\nmodify arp,actions=output:2\n"
                    "add priority=6,ip,actions=drop\ndelete_strict priority=5,ip\n")
    switch.ofctl("add-flows", bridge, str(file))
    assert sorted(row["text"] for row in switch.flows(bridge)) == [
        "priority=6,ip actions=drop", "priority=7,arp actions=output:2"]


def test_from_standard_input(switch, bridge):
    switch.ofctl("add-flows", bridge, "-", stdin="priority=1,actions=drop\n\n# end\n")
    assert len(switch.flows(bridge)) == 1


def test_dry_run(switch, bridge, tmp_path):
    switch.ofctl("add-flow", bridge, "priority=7,arp,actions=output:1")
    file = tmp_path / "new.of"
    file.write_text("priority=8,arp,actions=output:1\n")
    before = switch.flows(bridge)
    switch.ofctl("--dry-run", "replace-flows", bridge, str(file))
    assert [row["text"] for row in switch.flows(bridge)] == [row["text"] for row in before]


def test_new_bridge_is_a_learning_switch(switch):
    switch.vsctl("add-br", "br5")
    try:
        assert [row["text"].lower() for row in switch.flows("br5")] == [
            "priority=0 actions=normal"]
    finally:
        switch.vsctl("del-br", "br5")


def test_json(switch, bridge):
    switch.rpc("flow.add", bridge=bridge, flow={
        "priority": 100, "match": {"in_port": 1, "dl_type": "0x0800", "nw_dst": "10.0.0.0/24"},
        "actions": [{"set_field": {"field": "dl_dst", "value": "00:00:00:00:00:02"}},
                    {"output": 2}]})
    rows = json.loads(switch.ofctl("-f", "json", "dump-flows", bridge))
    rows = rows["flows"] if isinstance(rows, dict) else rows
    assert len(rows) == 1 and rows[0]["priority"] == 100
    assert switch.flows(bridge)[0]["text"].startswith("priority=100,ip,in_port=1,nw_dst=10.0.0.0/24")
