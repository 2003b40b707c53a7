# SPDX-License-Identifier: Apache-2.0
"""ofctl trace says what really happens: each frame is traced, then sent through pcap ports."""
import json

import pytest
from turnout.frames import (ARP, Dot1Q, Ether, IP, IPv6, Raw, TCP, UDP, compare, wire, write_pcap)
from turnout.waiting import wait_until
from turnout.wire import Wire

A, B, C = "02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:0c"
PAYLOAD = Raw(bytes(range(37)))


def eth(**changes):
    return Ether(**{"src": A, "dst": B, **changes})


def udp(l2=None, ttl=64, **changes):
    return (l2 or eth()) / IP(src="10.0.0.1", dst="10.0.0.2", ttl=ttl, id=7) / \
        UDP(**{"sport": 1000, "dport": 2000, **changes}) / PAYLOAD


def tcp(dport=80):
    return eth() / IP(src="10.0.0.1", dst="10.0.0.2", id=7) / TCP(sport=1000, dport=dport) / PAYLOAD


def udp6(hlim=64):
    return eth() / IPv6(src="2001:db8::1", dst="2001:db8::2", hlim=hlim) / UDP(sport=1, dport=2) \
        / PAYLOAD


def tagged(vlan):
    return eth() / Dot1Q(vlan=vlan) / IP(src="10.0.0.1", dst="10.0.0.2") / UDP() / PAYLOAD


ARP_REQUEST = eth(dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=A, psrc="10.0.0.1", pdst="10.0.0.2")

# name: (flows, frames)
PROGRAMS = {
    "output": (["in_port=1,actions=2"], [udp(), tcp(), ARP_REQUEST]),
    "priorities": (["priority=300,tcp,tp_dst=443,actions=drop", "priority=200,tcp,actions=2",
                    "priority=200,udp,tp_dst=1000-1999,actions=drop", "priority=1,actions=3"],
                   [tcp(), tcp(443), udp(), udp(dport=1500), ARP_REQUEST]),
    "drop": (["actions=drop"], [udp()]),
    "table miss": (["tcp,actions=2"], [udp(), tcp()]),
    "rewrites": ([f"udp,actions=mod_dl_dst:{C},mod_nw_src:192.0.2.9,mod_tp_dst:53,dec_ttl,2"],
                 [udp(), udp(chksum=0)]),
    "rewrite between outputs": ([f"actions=2,mod_dl_dst:{C},3,mod_vlan_vid:5,4"], [udp(), tcp()]),
    "TTL": (["ip,actions=2,dec_ttl,3", "ipv6,actions=dec_ttl,2"], [udp(ttl=1), udp(), udp6(1),
                                                                   udp6()]),
    "goto_table": (["actions=load:7->reg4,set_field:5->metadata,goto_table:3",
                    "table=3,priority=9,reg4=8,actions=drop", "table=3,metadata=5,udp,actions=2",
                    "table=3,arp,actions=goto_table:200"], [udp(), tcp(), ARP_REQUEST]),
    "resubmit": (["actions=resubmit(,1),resubmit(3,2),4", "table=1,udp,actions=2",
                  f"table=2,in_port=3,actions=mod_dl_src:{C},3"], [udp(), tcp()]),
    "resubmit without end": (["actions=2,resubmit(,0)"], [udp()]),
    "VLAN tags": (["dl_vlan=5,actions=strip_vlan,2", "dl_vlan=6,actions=push_vlan:0x88a8,"
                   "set_field:9->vlan_vid,3", "vlan_tci=0,actions=mod_vlan_pcp:3,4"],
                  [tagged(5), tagged(6), tagged(7), udp()]),
    "ports": (["tcp,actions=output:1", "udp,actions=in_port", "arp,actions=output:99,2"],
              [tcp(), udp(), ARP_REQUEST]),
    "flood": (["udp,actions=flood", "actions=all"], [udp(), tcp()]),
    "normal": (["actions=normal"], [udp(), ARP_REQUEST, udp(l2=eth(dst="01:80:c2:00:00:02"))]),
    "copies and a drop": (["actions=2,load:0->reg0"], [udp()]),
    "output of a register": (["actions=load:3->reg5,output:reg5[]"], [udp()]),
    "move": (["tcp,actions=move:nw_src[]->reg0[],move:nw_dst[]->nw_src[],move:reg0[]->nw_dst[],2"],
             [tcp()]),
    "malformed": (["actions=2"], [b"\x02" * 12, b"\x02" * 14, udp()]),
}


@pytest.fixture(scope="module")
def br0(switch):
    switch.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "fail_mode=secure")
    return "br0"


@pytest.fixture
def pipe(switch, br0, tmp_path):
    with Wire(switch, br0, tmp_path) as made:
        yield made


def trace(pipe, flow, *more):
    return json.loads(pipe.switch.ofctl("-f", "json", "trace", pipe.bridge, flow, *more))


def state(pipe):
    """All that a packet would change."""
    switch, bridge = pipe.switch, pipe.bridge
    ports = switch.rpc("stats.ports", bridge=bridge)
    return ([(flow["text"], flow["packets"], flow["bytes"]) for flow in switch.flows(bridge)],
            [(table["table"], table["lookups"], table["matched"])
             for table in switch.rpc("flow.tables", bridge=bridge)],
            [(port["name"], port["statistics"], port["drops"]) for port in ports],
            [(row["mac"], row["ofport"], row["vlan"])
             for row in switch.rpc("fdb.show", bridge=bridge)])


def verdicts(pipe, frames):
    """What trace says of these frames: {port: frames out}, {reason: count} for port 1."""
    out, drops = {port: [] for port in pipe.names}, {}
    for frame in frames:
        said = trace(pipe, "in_port=1", wire(frame).hex())
        for output in said["outputs"]:
            assert "drop" not in output, output
            assert output["port"] == pipe.names[output["ofport"]]
            out[output["ofport"]].append(bytes.fromhex(output["frame"]))
        reason = said.get("drop")
        if reason:
            drops[reason] = drops.get(reason, 0) + 1
    return out, drops


@pytest.mark.parametrize("case", PROGRAMS)
def test_verdict(pipe, case):
    flows, frames = PROGRAMS[case]
    pipe.add_output(2, 3, 4)
    pipe.add_input(1, [])  # exists, so that frames can be traced from it
    pipe.switch.set_flows(pipe.bridge)
    pipe.switch.set_flows(pipe.bridge, *flows)
    before = state(pipe)
    out, drops = verdicts(pipe, frames)
    assert state(pipe) == before, "trace has changed something"
    pipe.switch.rpc("port.del", name=pipe.names[1])
    pipe.add_input(1, frames)
    pipe.wait_received()
    for port in pipe.names:
        compare(out[port], pipe.output(port), f"{case}: port {port}")
    really = pipe.drops(1)
    really.pop("consumed", None)
    assert drops == really


NORMAL_VLANS = {
    # columns of ports 1 and 2, frame
    "access": ({"tag": 10}, {"tag": 10}, udp()),
    "access to trunk": ({"tag": 10}, {}, udp()),
    "trunk to access": ({}, {"tag": 10}, tagged(10)),
    "filtered": ({"trunks": [10]}, {}, tagged(20)),
    "no destination": ({"tag": 10}, {"tag": 11}, udp()),
    "native untagged": ({"tag": 10, "vlan_mode": "native-untagged"}, {}, udp()),
}


@pytest.mark.parametrize("case", NORMAL_VLANS)
def test_normal_vlans(pipe, case):
    ingress, egress, frame = NORMAL_VLANS[case]
    pipe.switch.set_flows(pipe.bridge, "actions=normal")
    pipe.add_output(2, **egress)
    pipe.add_input(1, [], **ingress)
    out, drops = verdicts(pipe, [frame])
    pipe.switch.rpc("port.del", name=pipe.names[1])
    pipe.add_input(1, [frame], **ingress)
    pipe.wait_received()
    compare(out[2], pipe.output(2), case)
    assert drops == pipe.drops(1)


def test_normal_explained(pipe):
    pipe.switch.set_flows(pipe.bridge, "actions=normal")
    pipe.add_output(2)
    pipe.add_input(3, [udp(l2=eth(src=B, dst=A))])
    pipe.add_input(1, [])
    pipe.wait_received()
    wait_until(lambda: any(row["mac"] == B for row in
                           pipe.switch.rpc("fdb.show", bridge=pipe.bridge)), f"{B} to be learned")
    said = trace(pipe, "in_port=p1", wire(udp()).hex())
    normal = [step for step in said["steps"] if step["step"] == "normal"]
    assert [(step["port"], step["learns"], step["source_port"]) for step in normal] == \
        [(3, True, None)]
    assert [output["ofport"] for output in said["outputs"]] == [3]
    said = trace(pipe, "in_port=p1", wire(udp(l2=eth(src=B, dst=C))).hex())
    normal = [step for step in said["steps"] if step["step"] == "normal"]
    assert [(step["port"], step["learns"], step["source_port"]) for step in normal] == \
        [(None, True, 3)]
    assert sorted(output["ofport"] for output in said["outputs"]) == [2, 3]
    assert [row["ofport"] for row in pipe.switch.rpc("fdb.show", bridge=pipe.bridge)
            if row["mac"] == B] == [3], "trace must not move an address"


def test_reasons_and_text(pipe):
    pipe.add_output(2)
    pipe.add_input(1, [])
    pipe.switch.set_flows(pipe.bridge)
    pipe.switch.set_flows(
        pipe.bridge, "priority=500,udp,actions=drop", "priority=400,tcp,tp_dst=443,actions=drop",
        "priority=300,tcp,nw_dst=10.0.0.0/30,tp_dst=1000-2000,actions=drop",
        "priority=200,dl_vlan=7,actions=drop", "priority=100,tcp,nw_dst=10.0.0.0/8,actions="
        f"mod_dl_dst:{C},goto_table:7", "priority=50,actions=drop", "table=7,in_port=2,actions=1")
    said = trace(pipe, "in_port=p1,tcp,nw_dst=10.0.0.1,tp_dst=80")
    table, later = [step for step in said["steps"] if step["step"] == "table"]
    assert [(flow["priority"], flow["field"], flow["has"], flow["wants"])
            for flow in table["lost"]] == [
        (500, "nw_proto", "6", "17"), (400, "tp_dst", "80", "443"),
        (300, "tp_dst", "80", "1000-2000"), (200, "dl_vlan", None, "7")]
    assert table["flow"]["priority"] == 100 and table["flow"]["packets"] == 0
    assert later["flow"] is None and later["lost"][0]["field"] == "in_port"
    assert said["drop"] == "table_miss" and said["outputs"] == []
    text = pipe.switch.ofctl("trace", "--names", pipe.bridge,
                             "in_port=p1,tcp,nw_dst=10.0.0.1,tp_dst=80")
    for line in ("table 0", "         nw_proto is 6, not 17",
                 "         dl_vlan=7: the packet has no dl_vlan", f"    dl_dst: 00:00:00:00:00:00 -> {C}",
                 "         in_port is p1, not p2", "  no flow matches",
                 "result: dropped: table_miss: no flow of the table matched"):
        assert line in text.splitlines(), text


def test_frames_of_files(pipe, tmp_path):
    pipe.add_output(2)
    pipe.add_input(1, [])
    pipe.switch.set_flows(pipe.bridge, "actions=2")
    path = write_pcap(tmp_path / "frames.pcap", [udp(), tcp()])
    for place, frame in ((path, udp()), (f"{path}:1", udp()), (f"{path}:2", tcp())):
        said = trace(pipe, "in_port=1", "--pcap", place)
        compare([frame], [bytes.fromhex(said["outputs"][0]["frame"])], place)
    colons = wire(udp()).hex(":")
    assert trace(pipe, "in_port=1", colons)["packet"]["frame"] == wire(udp()).hex()


def refused(pipe, *arguments):
    return pipe.switch.run("ofctl/ofctl", "trace", *arguments, status=1).err


def test_refused(pipe, tmp_path):
    pipe.add_input(1, [])
    path = write_pcap(tmp_path / "frames.pcap", [udp()])
    for arguments, message in (
            (("br0", "tcp"), "which port does the packet come from"),
            (("br0", "in_port=77"), "has no port 77"),
            (("br0", "in_port=1,tcp,tp_dst=70000"), "too large"),
            (("br0", "in_port=1,reg0=5"), "no packet comes in with reg0=0x5"),
            (("br0", "in_port=1,table=3"), "begins in table 0"),
            (("br0", "in_port=1", "0z"), "\"0z\" at digit 1"),
            (("br0", "in_port=1", "012"), "3 hexadecimal digits"),
            (("br0", "in_port=1,tcp", "0102"), "give in_port= only"),
            (("br0", "in_port=1", "--pcap", f"{path}:2"), "has no frame 2; it has 1"),
            (("br0", "in_port=1", "--pcap", "/dev/null"), "is no pcap file"),
            (("br0", "in_port=1", "--pcap", str(tmp_path / "none")), "cannot read"),
            (("br9", "in_port=1"), "br9")):
        assert message in refused(pipe, *arguments), arguments


def test_too_long_and_down(pipe):
    """What a port would not take is no output."""
    pipe.add_output(2)
    pipe.add_input(1, [])
    pipe.switch.add_port(pipe.bridge, "vh5", type="vhostuser", ofport=5, mode="server",
                         path=pipe.switch.path("vh5.sock"))
    pipe.names[5] = "vh5"
    pipe.switch.set_flows(pipe.bridge, "udp,actions=2", "tcp,actions=5")
    long = eth() / IP() / UDP() / Raw(b"x" * 2000)
    assert [(output["ofport"], output["drop"]) for output in
            trace(pipe, "in_port=1", wire(long).hex())["outputs"]] == [(2, "tx_too_long")]
    assert [(output["ofport"], output["drop"]) for output in
            trace(pipe, "in_port=1", wire(tcp()).hex())["outputs"]] == [(5, "tx_down")]
