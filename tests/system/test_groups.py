# SPDX-License-Identifier: Apache-2.0
"""Groups and meters on real frames, what they count, and what becomes of them when flows, bridges
and daemons come and go."""
import json
import os
import re

import pytest
from turnout.frames import Ether, IP, Raw, UDP, compare, wire
from turnout.rpc import RpcClient, RpcError
from turnout.waiting import wait_until
from turnout.wire import Wire

A, B, C = "02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:0c"


def udp(number=1, source=A, target=B):
    """Frames of one number are one connection."""
    return (Ether(src=source, dst=target) / IP(src="10.0.0.1", dst="10.0.0.2", id=7)
            / UDP(sport=1000 + number, dport=2000) / Raw(b"turnout"))


def groups(switch, bridge):
    return {row["group_id"]: row for row in switch.rpc("group.dump", bridge=bridge)["groups"]}


def meters(switch, bridge):
    return {row["meter_id"]: row for row in switch.rpc("meter.dump", bridge=bridge)["meters"]}


def add_groups(switch, bridge, *lines):
    return switch.ofctl("add-groups", bridge, "-", stdin="\n".join(lines) + "\n")


def counts(frames):
    return {"packets": len(frames), "bytes": sum(len(wire(frame)) for frame in frames)}


# Forwarding

def test_all(switch, bridge, tmp_path):
    """Every bucket gets the packet as it came to the group, and so does what is behind it."""
    add_groups(switch, bridge, "group_id=1,type=all,bucket=actions=mod_dl_dst:" + C + ",output:2,"
               "bucket=output:3,bucket=actions=mod_nw_dst:10.9.9.9,output:3")
    switch.set_flows(bridge, "in_port=1,ip,actions=group:1,output:4")
    frames = [udp(number) for number in range(5)]
    with Wire(switch, bridge, tmp_path) as ports:
        ports.add_output(2, 3, 4)
        ports.add_input(1, frames)
        ports.wait_received()
        compare([udp(number, target=C) for number in range(5)], ports.output(2), "port 2")
        changed = []
        for frame in frames:
            other = frame.copy()
            other[IP].dst = "10.9.9.9"
            changed.append(other)
        assert sorted(ports.output(3)) == sorted(map(wire, frames + changed))
        compare(frames, ports.output(4), "behind the group")
        group = groups(switch, bridge)[1]
        assert {key: group[key] for key in ("packets", "bytes")} == counts(frames)
        for bucket in group["buckets"]:
            assert {key: bucket[key] for key in ("packets", "bytes")} == counts(frames), group
        assert group["ref_count"] == 1


def test_select(switch, bridge, tmp_path):
    """A connection stays with its bucket, weights are kept roughly, and 0 means never."""
    add_groups(switch, bridge, "group_id=7,type=select,bucket=weight:100,actions=output:2,"
               "bucket=weight:300,actions=output:3,bucket=weight:0,actions=output:4")
    switch.set_flows(bridge, "in_port=1,actions=group:7")
    frames = [udp(number) for number in range(400)] * 3
    with Wire(switch, bridge, tmp_path) as ports:
        ports.add_output(2, 3, 4)
        ports.add_input(1, frames)
        ports.wait_received()
        two, three = ports.output(2), ports.output(3)
        assert len(two) + len(three) == len(frames) and ports.output(4) == []
        assert not set(two) & set(three)
        assert 0.15 < len(two) / len(frames) < 0.35
        buckets = groups(switch, bridge)[7]["buckets"]
        assert [bucket["packets"] for bucket in buckets] == [len(two), len(three), 0]


def test_groups_within_groups(switch, bridge, tmp_path):
    add_groups(switch, bridge, "group_id=1,type=indirect,bucket=output:2",
               "group_id=2,type=all,bucket=group:1,bucket=actions=mod_dl_dst:" + C + ",group:1")
    switch.set_flows(bridge, "in_port=1,actions=group:2")
    with Wire(switch, bridge, tmp_path) as ports:
        ports.add_output(2)
        ports.add_input(1, [udp()])
        ports.wait_received()
        compare([udp(), udp(target=C)], ports.output(2), "through both")
        assert groups(switch, bridge)[1]["packets"] == 2


def test_fast_failover(switch, bridge, tmp_path):
    """The first bucket whose port is up: a vhost port without a guest is down."""
    socket = os.path.join(switch.rundir, "nobody.sock")
    switch.rpc("port.add", bridge=bridge, name="p5", type="vhostuser", ofport=5,
               options={"path": socket})
    with Wire(switch, bridge, tmp_path) as ports:
        ports.add_output(2, 3)
        add_groups(switch, bridge, "group_id=1,type=ff,bucket=watch_port:5,actions=output:5,"
                   "bucket=watch_port:2,actions=output:2,bucket=watch_port:3,actions=output:3")
        # A group lives while one of its buckets does.
        add_groups(switch, bridge, "group_id=2,type=ff,bucket=watch_port:5,actions=output:5",
                   "group_id=3,type=ff,bucket=watch_group:2,actions=output:2,"
                   "bucket=watch_group:1,actions=output:3")
        switch.set_flows(bridge, "in_port=1,actions=group:1,group:3")
        ports.add_input(1, [udp()])
        ports.wait_received()
        compare([udp()], ports.output(2), "the second bucket")
        compare([udp()], ports.output(3), "the bucket whose group lives")


def test_modify_keeps_flows(switch, bridge, tmp_path):
    switch.ofctl("add-group", bridge, "group_id=1,type=indirect,bucket=output:2")
    switch.set_flows(bridge, "in_port=1,actions=group:1", "in_port=4,actions=group:1")
    with Wire(switch, bridge, tmp_path) as ports:
        ports.add_output(2, 3)
        ports.add_input(1, [udp(1)])
        ports.wait_received()
        switch.ofctl("mod-group", bridge, "group_id=1,type=indirect,bucket=output:3")
        ports.add_input(4, [udp(2)])
        ports.wait_received()
        compare([udp(1)], ports.output(2), "before")
        compare([udp(2)], ports.output(3), "after")
        assert [row["packets"] for row in switch.flows(bridge)] == [1, 1]


def test_meter(switch, bridge, tmp_path):
    """Of a burst, what the bucket holds passes; the rest is over the rate and counted as such."""
    switch.ofctl("add-meter", bridge, "meter=1,pktps,burst,bands=type=drop,rate=1,burst_size=10")
    switch.set_flows(bridge, "in_port=1,actions=meter:1,output:2")
    frames = [udp(number) for number in range(500)]
    with Wire(switch, bridge, tmp_path) as ports:
        ports.add_output(2)
        ports.add_input(1, frames)
        ports.wait_received()
        passed = len(ports.output(2))
        # The input takes far less than ten seconds, in which ten more would pass.
        assert 10 <= passed <= 20
        meter = meters(switch, bridge)[1]
        assert {key: meter[key] for key in ("packets", "bytes")} == counts(frames)
        assert meter["bands"][0]["packets"] == len(frames) - passed
        assert meter["flow_count"] == 1
        assert ports.drops(1) == {"meter": len(frames) - passed}


# Commands

def test_commands(switch, bridge):
    """The lines that scripts read, as they are written by ovs-ofctl."""
    add_groups(switch, bridge, "# two of them", "group_id=1,type=all,bucket=output:1", "",
               "group_id=2,type=select,bucket=weight:100,actions=output:1,bucket=actions=group:1")
    switch.ofctl("add-meter", bridge, "meter=1,kbps,burst,bands=type=drop,rate=1000,burst_size=100")
    switch.set_flows(bridge, "actions=meter:1,group:2")
    dumped = switch.ofctl("dump-groups", bridge)
    assert dumped.splitlines() == [
        " group_id=1,type=all,bucket=bucket_id:0,actions=output:1",
        " group_id=2,type=select,bucket=bucket_id:0,weight:100,actions=output:1,"
        "bucket=bucket_id:1,actions=group:1"]
    assert switch.ofctl("dump-groups", bridge, "group_id=1").splitlines() == \
        dumped.splitlines()[:1]
    assert re.fullmatch(
        r" group_id=1,duration=\d+\.\ds,ref_count=0,packet_count=0,byte_count=0,"
        r"bucket0:packet_count=0,byte_count=0\n"
        r" group_id=2,duration=\d+\.\ds,ref_count=1,packet_count=0,byte_count=0,"
        r"bucket0:packet_count=0,byte_count=0,bucket1:packet_count=0,byte_count=0\n",
        switch.ofctl("dump-group-stats", bridge))
    assert switch.ofctl("dump-meters", bridge) == \
        "meter=1 kbps burst bands=\ntype=drop rate=1000 burst_size=100\n"
    assert re.fullmatch(
        r"meter:1 flow_count:1 packet_in_count:0 byte_in_count:0 duration:\d+\.\ds bands:\n"
        r"0: packet_count:0 byte_count:0\n", switch.ofctl("meter-stats", bridge, "meter=1"))
    # A dump is a file of groups.
    switch.ofctl("del-groups", bridge)
    assert switch.flows(bridge) == []
    switch.ofctl("add-groups", bridge, "-", stdin=dumped)
    assert switch.ofctl("dump-groups", bridge) == dumped
    rows = json.loads(switch.ofctl("-f", "json", "dump-group-stats", bridge))["groups"]
    switch.ofctl("del-groups", bridge)
    for row in rows:
        switch.rpc("group.add", bridge=bridge, group=row["group"])
    assert switch.ofctl("dump-groups", bridge) == dumped


def test_all_or_nothing(switch, bridge, tmp_path):
    """Every bad line is reported with its place, and none of the file is there."""
    file = tmp_path / "groups.of"
    file.write_text("group_id=1,type=all,bucket=output:1\n"
                    "group_id=2,type=al\n"
                    "group_id=3,type=all,bucket=group:2\n"
                    "group_id=4,type=all,bucket=output:nosuch\n")
    result = switch.run("ofctl/ofctl", "add-groups", bridge, str(file), status=1)
    assert re.search(r"groups\.of:2:\d+: error: ", result.err)
    assert re.search(r"groups\.of:4:\d+: error: output: no port \"nosuch\"", result.err)
    assert "groups.of:3" not in result.err  # it is only missing because of the other error
    lines = result.err.splitlines()
    at = lines.index("group_id=2,type=al")
    assert lines[at + 1].index("^") == lines[at].index("type=al")
    assert groups(switch, bridge) == {}


# command: sentence; a caret goes with those that have a place
REFUSED = {
    ("add-flow", "actions=group:9"): "group:9 is not there; add it first: ofctl add-group",
    ("add-flow", "actions=meter:9"): "meter:9 is not there; add it first: ofctl add-meter",
    ("add-group", "group_id=3,type=all,bucket=group:9"): "group:9 is not there",
    ("add-group", "group_id=1,type=all"): "group 1 of bridge br0 is there already",
    ("mod-group", "group_id=1,type=all,bucket=group:2"): "back to itself: 1 -> 2 -> 1",
    ("mod-group", "group_id=9,type=all"): "has no group 9 to modify",
    ("del-groups", "group_id=1"): "group 1 is named by bucket 0 of group 2",
    ("del-meters", "meter=1"): "meter 1 is named by bucket 0 of group 2",
    ("mod-meter", "meter=9,kbps,bands=type=drop,rate=1"): "has no meter 9 to modify",
    ("dump-groups", "group_id=9"): "has no group 9",
}


@pytest.mark.parametrize("command", REFUSED, ids=" ".join)
def test_refused(switch, bridge, command):
    switch.ofctl("add-meter", bridge, "meter=1,pktps,bands=type=drop,rate=1")
    add_groups(switch, bridge, "group_id=1,type=all",
               "group_id=2,type=all,bucket=actions=meter:1,group:1")
    before = switch.ofctl("dump-groups", bridge)
    name, argument = command
    result = switch.run("ofctl/ofctl", name, bridge, argument, status=1)
    assert REFUSED[command] in result.err
    assert ("^" in result.err) == (re.search(r"not there|back to itself", result.err) is not None)
    assert switch.ofctl("dump-groups", bridge) == before
    assert switch.flows(bridge) == []


def test_batch_is_one_transaction(switch, bridge):
    """What was added before in the same batch counts, and is undone with it."""
    client = switch.connect()
    group = ("group.add", {"bridge": bridge, "group": "group_id=1,type=all,bucket=output:1"})
    answers = client.batch(group, ("flow.add", {"bridge": bridge, "flow": "actions=group:2"}))
    assert [answer["error"]["code"] for answer in answers] == [-32011, -32010]
    assert groups(switch, bridge) == {}
    answers = client.batch(group, ("flow.add", {"bridge": bridge, "flow": "actions=group:1"}))
    assert answers[0]["result"]["added"] == 1
    assert groups(switch, bridge)[1]["ref_count"] == 1
    client.close()


def test_delete_takes_flows_along(switch, bridge, tmp_path):
    """With the reason, and what they had counted, for those that asked."""
    switch.ofctl("add-group", bridge, "group_id=1,type=all,bucket=output:2")
    switch.set_flows(bridge, "priority=5,send_flow_rem,in_port=1,actions=group:1",
                     "priority=4,in_port=2,actions=group:1", "priority=3,actions=drop")
    client = switch.connect()
    client.call("system.info")
    with Wire(switch, bridge, tmp_path) as ports:
        ports.add_output(2)
        ports.add_input(1, [udp(), udp()])
        ports.wait_received()
        assert switch.rpc("group.delete", bridge=bridge, group="group_id=1") == {
            "removed": 1, "flows_removed": 2}
        assert [row["priority"] for row in switch.flows(bridge)] == [3]
        client.call("system.info")
        told = [item["params"] for item in client.notifications
                if item["method"] == "flow.removed"]
        assert [(item["reason"], item["packets"], item["bytes"]) for item in told] == [
            ("group_delete", 2, 2 * len(wire(udp())))]
        with pytest.raises(RpcError) as refused:
            switch.rpc("group.delete", bridge=bridge, group="group_id=1")
        assert refused.value.code == -32001
        assert switch.rpc("group.delete", bridge=bridge, group="group_id=1", if_exists=True) == {
            "removed": 0, "flows_removed": 0}
    client.close()


def test_bridge_anew(switch, bridge):
    """A bridge that goes and comes in one transaction stays in the datapath, without what it had."""
    add_groups(switch, bridge, "group_id=1,type=all,bucket=output:1", "group_id=2,type=all",
               "group_id=3,type=all,bucket=group:1")
    switch.ofctl("add-meter", bridge, "meter=1,pktps,bands=type=drop,rate=1")
    switch.set_flows(bridge, "actions=meter:1,group:3")
    client = switch.connect()
    answers = client.batch(
        ("bridge.del", {"name": bridge}), ("bridge.add", {"name": bridge}),
        ("group.add", {"bridge": bridge, "group": "group_id=1,type=indirect,bucket=output:2"}),
        ("flow.add", {"bridge": bridge, "flow": "priority=9,actions=group:1"}))
    assert all("result" in answer for answer in answers), answers
    client.close()
    assert [(row["group_id"], row["type"]) for row in groups(switch, bridge).values()] == [
        (1, "indirect")]
    assert meters(switch, bridge) == {}
    datapath = RpcClient(switch.path("datapathd.sock"))
    assert datapath.call("group.list", bridge=bridge) == [
        [1, "group_id=1,type=indirect,bucket=bucket_id:0,actions=output:2"]]
    assert datapath.call("meter.list", bridge=bridge) == []
    datapath.close()


# Daemons that die

def test_restarts(switch, bridge, tmp_path):
    switch.ofctl("add-meter", bridge, "meter=1,pktps,bands=type=drop,rate=100000")
    switch.ofctl("add-group", bridge, "group_id=1,type=indirect,bucket=actions=meter:1,output:2")
    switch.set_flows(bridge, "actions=group:1")
    before = switch.ofctl("dump-groups", bridge), switch.ofctl("dump-meters", bridge)
    with Wire(switch, bridge, tmp_path) as ports:
        ports.add_output(2)
        ports.add_input(1, [udp(), udp()])
        ports.wait_received()
        assert groups(switch, bridge)[1]["packets"] == 2
        age = groups(switch, bridge)[1]["duration_ms"]
        # A new vswitchd finds them as they are, and they go on counting.
        switch.kill("vswitchd")
        switch.start_vswitchd()
        switch.wait_ready()
        assert (switch.ofctl("dump-groups", bridge), switch.ofctl("dump-meters", bridge)) == before
        assert groups(switch, bridge)[1]["packets"] == 2
        assert meters(switch, bridge)[1]["packets"] == 2
        assert groups(switch, bridge)[1]["duration_ms"] >= age
    # A new datapathd gets all of them.
    pid = switch.kill("datapathd")
    wait_until(lambda: switch.pid_of("datapathd") not in (None, pid), "another datapathd")
    switch.wait_ready()
    with Wire(switch, bridge, tmp_path) as ports:
        ports.add_output(2)
        ports.add_input(1, [udp(7)])
        ports.wait_received()
        compare([udp(7)], ports.output(2), "through the new one")
        assert groups(switch, bridge)[1]["packets"] == 1
        assert meters(switch, bridge)[1]["packets"] == 1
