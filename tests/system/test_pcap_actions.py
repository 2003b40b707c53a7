# SPDX-License-Identifier: Apache-2.0
"""Each action on real frames: pcap in, pcap out, compared byte for byte.

What is expected is built by Scapy from the changed values, with lengths and checksums computed
anew, so that the switch's incremental checksum updates are held against full ones.
"""
import pytest
from scapy.all import fragment, fragment6
from scapy.layers.inet6 import (ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6ExtHdrDestOpt,
                                IPv6ExtHdrFragment)
from turnout.frames import (ARP, Dot1AD, Dot1Q, Ether, ICMP, ICMPv6EchoRequest, ICMPv6ND_NS,
                            ICMPv6NDOptSrcLLAddr, IP, IPv6, Raw, SCTP, SCTPChunkData, TCP, UDP,
                            compare, wire)
from turnout.waiting import wait_until
from turnout.wire import Wire

A, B, C = "02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:0c"
PAYLOAD = Raw(bytes(range(37)))  # odd, so that checksums end on half a word


def eth(**changes):
    return Ether(**{"src": A, "dst": B, **changes})


def ip(**changes):
    return IP(**{"src": "10.0.0.1", "dst": "10.0.0.2", "ttl": 64, "id": 7, "tos": 1, **changes})


def ip6(**changes):
    return IPv6(**{"src": "2001:db8::1", "dst": "2001:db8::2", "hlim": 64, "tc": 1, "fl": 0x12345,
                   **changes})


def udp(l2=None, l3=None, **changes):
    return (l2 or eth()) / (l3 or ip()) / UDP(**{"sport": 1000, "dport": 2000, **changes}) / PAYLOAD


def tcp(l2=None, l3=None, **changes):
    return (l2 or eth()) / (l3 or ip()) / TCP(
        **{"sport": 1000, "dport": 80, "seq": 5, "flags": "SA", **changes}) / PAYLOAD


def sctp(l3=None, **changes):
    return eth() / (l3 or ip()) / SCTP(**{"sport": 1000, "dport": 2000, "tag": 9, **changes}) / \
        SCTPChunkData(data=b"turnout")


def arp(l2=None, **changes):
    return (l2 or eth()) / ARP(**{"op": 1, "hwsrc": A, "psrc": "10.0.0.1", "hwdst": B,
                                     "pdst": "10.0.0.2", **changes})


def solicit(target="2001:db8::9", sll=A, l3=None):
    return eth() / (l3 or ip6(hlim=255, tc=0, fl=0)) / ICMPv6ND_NS(tgt=target) / \
        ICMPv6NDOptSrcLLAddr(lladdr=sll)


def advertise(target="2001:db8::9", tll=A):
    return eth() / ip6(hlim=255, tc=0, fl=0) / ICMPv6ND_NA(tgt=target) / \
        ICMPv6NDOptDstLLAddr(lladdr=tll)


def tagged(vlan=100, prio=0, inner=None, kind=Dot1Q):
    return eth() / kind(vlan=vlan, prio=prio) / (inner or (ip() / UDP(sport=1000, dport=2000)
                                                            / PAYLOAD))


INNER = ip() / UDP(sport=1000, dport=2000) / PAYLOAD
UDP0 = udp(chksum=0)  # no checksum: stays so

# name: (flow without in_port, frames in, frames out of port 2)
ONE_PORT = {
    "output": ("actions=output:2", [udp(), tcp(), arp()], [udp(), tcp(), arp()]),
    "bare number": ("actions=2", [udp()], [udp()]),
    "port name": ("actions=output:p2", [udp()], [udp()]),
    "minimum frame with padding": ("ip,actions=mod_nw_src:10.9.9.9,2",
                                   [wire(eth() / ip() / UDP(sport=1, dport=2)) + b"\xaa" * 18],
                                   [wire(eth() / ip(src="10.9.9.9") / UDP(sport=1, dport=2))
                                    + b"\xaa" * 18]),
    "large frame": ("udp,actions=mod_tp_dst:53,2",
                    [eth() / ip() / UDP(sport=1, dport=2) / Raw(b"x" * 1472)],
                    [eth() / ip() / UDP(sport=1, dport=53) / Raw(b"x" * 1472)]),
    "push_vlan 0x8100": ("actions=push_vlan:0x8100,set_field:100->vlan_vid,output:2",
                         [udp()], [tagged(100)]),
    "push_vlan with present bit": ("actions=push_vlan:0x8100,set_field:4196->vlan_vid,output:2",
                                   [udp()], [tagged(100)]),
    "push_vlan 0x88a8": ("actions=push_vlan:0x88a8,mod_vlan_vid:200,mod_vlan_pcp:5,output:2",
                         [udp()], [tagged(200, 5, kind=Dot1AD)]),
    "push_vlan twice": ("actions=push_vlan:0x8100,mod_vlan_vid:7,push_vlan:0x88a8,mod_vlan_vid:8,2",
                        [udp()], [eth() / Dot1AD(vlan=8) / Dot1Q(vlan=7) / INNER]),
    "strip_vlan": ("dl_vlan=100,actions=strip_vlan,output:2", [tagged(100, 3)], [udp()]),
    "pop_vlan": ("dl_vlan=100,actions=pop_vlan,output:2", [tagged(100)], [udp()]),
    "strip_vlan of two tags": ("actions=strip_vlan,output:2",
                               [eth() / Dot1AD(vlan=8) / Dot1Q(vlan=7) / INNER], [tagged(7)]),
    "mod_vlan_vid retags": ("actions=mod_vlan_vid:300,output:2", [tagged(100, 6)],
                            [tagged(300, 6)]),
    "mod_vlan_vid tags": ("actions=mod_vlan_vid:300,output:2", [udp()], [tagged(300)]),
    "mod_vlan_pcp": ("actions=mod_vlan_pcp:7,output:2", [tagged(100, 1), udp()],
                     [tagged(100, 7), tagged(0, 7)]),
    "set_field vlan_vid": ("vlan_tci=0x1000/0x1000,actions=set_field:5->vlan_vid,output:2",
                           [tagged(100, 2)], [tagged(5, 2)]),
    "set_field vlan_pcp": ("vlan_tci=0x1000/0x1000,actions=set_field:4->vlan_pcp,output:2",
                           [tagged(100, 2)], [tagged(100, 4)]),
    "mod_dl": (f"actions=mod_dl_src:{C},mod_dl_dst:{A},output:2", [udp()],
               [udp(l2=eth(src=C, dst=A))]),
    "set_field eth_dst": (f"actions=set_field:{C}->eth_dst,output:2", [udp(), arp()],
                          [udp(l2=eth(dst=C)), arp(l2=eth(dst=C))]),
    "set_field eth_src with mask": (
        "actions=set_field:01:00:00:00:00:00/01:00:00:00:00:00->eth_dst,2",
        [udp()], [udp(l2=eth(dst="03:00:00:00:00:0b"))]),
    "mod_nw_src udp": ("ip,actions=mod_nw_src:192.0.2.200,2", [udp()],
                       [udp(l3=ip(src="192.0.2.200"))]),
    "mod_nw_src udp without checksum": ("ip,actions=mod_nw_src:192.0.2.200,2", [UDP0],
                                        [udp(l3=ip(src="192.0.2.200"), chksum=0)]),
    "mod_nw_dst tcp": ("ip,actions=mod_nw_dst:192.0.2.1,2", [tcp()], [tcp(l3=ip(dst="192.0.2.1"))]),
    "mod_nw_dst icmp": ("ip,actions=mod_nw_dst:192.0.2.1,2",
                        [eth() / ip() / ICMP(id=3, seq=4) / PAYLOAD],
                        [eth() / ip(dst="192.0.2.1") / ICMP(id=3, seq=4) / PAYLOAD]),
    "mod_nw_dst sctp": ("ip,actions=mod_nw_dst:192.0.2.1,2", [sctp()],
                        [sctp(l3=ip(dst="192.0.2.1"))]),
    "set_field nw_src with mask": ("ip,actions=set_field:10.7.0.0/255.255.0.0->nw_src,2", [tcp()],
                                   [tcp(l3=ip(src="10.7.0.1"))]),
    "mod_nw_src with options": ("ip,actions=mod_nw_src:192.0.2.1,2",
                                [tcp(l3=ip(options=[b"\x01\x01\x01\x00"]))],
                                [tcp(l3=ip(src="192.0.2.1", options=[b"\x01\x01\x01\x00"]))]),
    "mod_nw_src in a VLAN": ("ip,actions=mod_nw_src:192.0.2.1,2", [tagged(9)],
                             [tagged(9, inner=ip(src="192.0.2.1") / UDP(sport=1000, dport=2000)
                                     / PAYLOAD)]),
    "mod_tp udp": ("udp,actions=mod_tp_src:53,mod_tp_dst:5353,2", [udp(), UDP0],
                   [udp(sport=53, dport=5353), udp(sport=53, dport=5353, chksum=0)]),
    "mod_tp tcp": ("tcp,actions=mod_tp_src:443,mod_tp_dst:8080,2", [tcp()],
                   [tcp(sport=443, dport=8080)]),
    "mod_tp sctp": ("sctp,actions=mod_tp_src:7,mod_tp_dst:8,2", [sctp()],
                    [sctp(sport=7, dport=8)]),
    "set_field tcp_dst": ("tcp,actions=set_field:81->tcp_dst,2", [tcp()], [tcp(dport=81)]),
    "set_field udp_src of IPv6": ("udp6,actions=set_field:81->udp_src,2", [udp(l3=ip6())],
                                  [udp(l3=ip6(), sport=81)]),
    "mod_nw_tos keeps ECN": ("ip,actions=mod_nw_tos:184,2", [udp()], [udp(l3=ip(tos=185))]),
    "set_field ip_dscp": ("ip,actions=set_field:46->ip_dscp,2", [udp()], [udp(l3=ip(tos=185))]),
    "set_field nw_ecn": ("ip,actions=set_field:3->nw_ecn,2", [udp()], [udp(l3=ip(tos=3))]),
    "set_field ip_dscp of IPv6": ("ipv6,actions=set_field:46->ip_dscp,2", [udp(l3=ip6())],
                                  [udp(l3=ip6(tc=185))]),
    "mod_nw_ttl": ("ip,actions=mod_nw_ttl:9,2", [udp()], [udp(l3=ip(ttl=9))]),
    "dec_ttl": ("ip,actions=dec_ttl,2", [udp(), tcp(l3=ip(ttl=2))],
                [udp(l3=ip(ttl=63)), tcp(l3=ip(ttl=1))]),
    "dec_ttl twice": ("ip,actions=dec_ttl,dec_ttl,2", [udp()], [udp(l3=ip(ttl=62))]),
    "dec_ttl of IPv6": ("ipv6,actions=dec_ttl,2", [udp(l3=ip6())], [udp(l3=ip6(hlim=63))]),
    "set_field ipv6": ("ipv6,actions=set_field:2001:db8::77->ipv6_src,"
                       "set_field:2001:db8::78->ipv6_dst,2",
                       [tcp(l3=ip6()), udp(l3=ip6()), eth() / ip6() / ICMPv6EchoRequest(id=1)],
                       [tcp(l3=ip6(src="2001:db8::77", dst="2001:db8::78")),
                        udp(l3=ip6(src="2001:db8::77", dst="2001:db8::78")),
                        eth() / ip6(src="2001:db8::77", dst="2001:db8::78")
                        / ICMPv6EchoRequest(id=1)]),
    "set_field ipv6 behind an extension header": (
        "tcp6,actions=set_field:2001:db8::77->ipv6_src,2",
        [eth() / ip6() / IPv6ExtHdrDestOpt() / TCP(sport=1, dport=2) / PAYLOAD],
        [eth() / ip6(src="2001:db8::77") / IPv6ExtHdrDestOpt() / TCP(sport=1, dport=2) / PAYLOAD]),
    "set_field ipv6_label": ("ipv6,actions=set_field:0xabcde->ipv6_label,2", [udp(l3=ip6())],
                             [udp(l3=ip6(fl=0xabcde))]),
    "set_field arp": (f"arp,actions=set_field:2->arp_op,set_field:{C}->arp_sha,"
                      f"set_field:{A}->arp_tha,set_field:10.0.0.9->arp_spa,"
                      "set_field:10.0.0.8->arp_tpa,2", [arp()],
                      [arp(op=2, hwsrc=C, hwdst=A, psrc="10.0.0.9", pdst="10.0.0.8")]),
    "set_field icmp": ("icmp,actions=set_field:0->icmp_type,set_field:1->icmp_code,2",
                       [eth() / ip() / ICMP(type=8, code=0, id=3, seq=4) / PAYLOAD],
                       [eth() / ip() / ICMP(type=0, code=1, id=3, seq=4) / PAYLOAD]),
    "set_field icmpv6_code": ("icmp6,icmpv6_type=128,actions=set_field:5->icmpv6_code,2",
                              [eth() / ip6() / ICMPv6EchoRequest(id=1)],
                              [eth() / ip6() / ICMPv6EchoRequest(id=1, code=5)]),
    "set_field nd": (f"icmp6,icmpv6_type=135,actions=set_field:2001:db8::aa->nd_target,"
                     f"set_field:{C}->nd_sll,2", [solicit()], [solicit("2001:db8::aa", C)]),
    "set_field nd_tll": (f"icmp6,icmpv6_type=136,icmpv6_code=0,actions=set_field:{C}->nd_tll,2",
                         [advertise()], [advertise(tll=C)]),
    "load": ("ip,actions=load:0x0a090909->NXM_OF_IP_SRC[],load:0xff->NXM_OF_ETH_DST[0..7],2",
             [udp()], [udp(l2=eth(dst="02:00:00:00:00:ff"), l3=ip(src="10.9.9.9"))]),
    "move swaps addresses": (
        "tcp,actions=move:NXM_OF_IP_SRC[]->NXM_NX_REG0[],move:NXM_OF_IP_DST[]->NXM_OF_IP_SRC[],"
        "move:NXM_NX_REG0[]->NXM_OF_IP_DST[],2", [tcp()],
        [tcp(l3=ip(src="10.0.0.2", dst="10.0.0.1"))]),
    "move part of a MAC": ("actions=move:dl_src[0..15]->dl_dst[32..47],2", [udp()],
                           [udp(l2=eth(dst="00:0a:00:00:00:0b"))]),
    "output of a register": ("actions=load:2->NXM_NX_REG0[],output:NXM_NX_REG0[]", [udp()],
                             [udp()]),
    "output of some bits": ("actions=set_field:0x20->reg3,output:reg3[4..11]", [udp()], [udp()]),
}


@pytest.fixture(scope="module")
def br0(switch):
    switch.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "fail_mode=secure")
    return "br0"


@pytest.fixture
def pipe(switch, br0, tmp_path):
    with Wire(switch, br0, tmp_path) as made:
        yield made


def run(pipe, flows, given, outputs=(2,)):
    """Send `given` in by port 1; return {port: frames out} and the drops of port 1."""
    pipe.add_output(*outputs)
    # Deleted first: a flow that is replaced by one of the same match keeps its counters. Names of
    # ports that come later cannot be used in flows; port 1 is a number here.
    pipe.switch.set_flows(pipe.bridge)
    pipe.switch.set_flows(pipe.bridge, *flows)
    pipe.add_input(1, given)
    pipe.wait_received()
    return {port: pipe.output(port) for port in (1, *outputs)}, pipe.drops(1)


@pytest.mark.parametrize("case", ONE_PORT)
def test_one_port(pipe, case):
    flow, given, expected = ONE_PORT[case]
    out, drops = run(pipe, [f"in_port=1,{flow}"], given)
    compare(expected, out[2], case)
    assert out[1] == [] and drops == {}
    row = pipe.switch.flows(pipe.bridge)[0]
    assert row["packets"] == len(given)
    assert row["bytes"] == sum(len(wire(frame)) for frame in given)


# name: (flows, frames in, {port: frames out}, drops of port 1)
MANY_PORTS = {
    "drop": (["in_port=1,actions=drop"], [udp(), tcp()], {}, {"action_drop": 2}),
    "no actions": (["in_port=1,actions="], [udp()], {}, {"action_drop": 1}),
    "table miss": (["in_port=1,tcp,actions=2"], [udp(), tcp()], {2: [tcp()]}, {"table_miss": 1}),
    "in_port": (["in_port=1,actions=in_port"], [udp()], {1: [udp()]}, {}),
    "output to the ingress port": (["in_port=1,actions=output:1"], [udp()], {},
                                   {"ingress_port": 1}),
    "output to nowhere": (["in_port=1,actions=output:99"], [udp()], {}, {"no_port": 1}),
    "two outputs": (["in_port=1,actions=2,3"], [udp()], {2: [udp()], 3: [udp()]}, {}),
    "outputs see changes so far": (
        [f"in_port=1,udp,actions=2,mod_dl_dst:{C},mod_tp_dst:9,3,strip_vlan,mod_vlan_vid:5,4"],
        [udp()],
        {2: [udp()], 3: [udp(l2=eth(dst=C), dport=9)],
         4: [eth(dst=C) / Dot1Q(vlan=5) / ip() / UDP(sport=1000, dport=9) / PAYLOAD]}, {}),
    "all": (["in_port=1,actions=all"], [udp()], {2: [udp()], 3: [udp()], 4: [udp()]}, {}),
    "flood": (["in_port=1,actions=flood"], [udp()], {2: [udp()], 3: [udp()], 4: [udp()]}, {}),
    "normal floods the unknown": (["actions=normal"], [udp()],
                                  {2: [udp()], 3: [udp()], 4: [udp()]}, {}),
    "normal and reserved addresses": (["actions=normal"],
                                      [udp(l2=eth(dst="01:80:c2:00:00:02"))], {},
                                      {"reserved_mac": 1}),
    "dec_ttl of one": (["in_port=1,ip,actions=dec_ttl,2"], [udp(l3=ip(ttl=1)), udp(l3=ip(ttl=0))],
                       {}, {"ttl_expired": 2}),
    "dec_ttl of IPv6 one": (["in_port=1,ipv6,actions=2,dec_ttl,3"], [udp(l3=ip6(hlim=1))],
                            {2: [udp(l3=ip6(hlim=1))]}, {"ttl_expired": 1}),
    "goto_table": (["in_port=1,actions=set_field:7->metadata,goto_table:5",
                    "table=5,metadata=7,tcp,actions=output:3", "table=5,metadata=7,actions=4"],
                   [udp(), tcp()], {3: [tcp()], 4: [udp()]}, {}),
    "goto_table keeps changes": ([f"in_port=1,actions=mod_dl_src:{C},goto_table:1",
                                  f"table=1,dl_src={C},actions=2"],
                                 [udp()], {2: [udp(l2=eth(src=C))]}, {}),
    "miss in a later table": (["in_port=1,actions=goto_table:9"], [udp()], {}, {"table_miss": 1}),
    "resubmit": (["in_port=1,actions=load:0x5->NXM_NX_REG6[],set_field:0x7->metadata,resubmit(,60)",
                  "table=60,reg6=0x5,metadata=0x7,dl_dst=02:00:00:00:00:0b,actions=3"],
                 [udp()], {3: [udp()]}, {}),
    "resubmit comes back": (["in_port=1,actions=resubmit(,1),resubmit(,2),4",
                             "table=1,actions=2", f"table=2,actions=mod_dl_dst:{C},3"], [udp()],
                            {2: [udp()], 3: [udp(l2=eth(dst=C))], 4: [udp(l2=eth(dst=C))]}, {}),
    "resubmit as another port": (["in_port=1,actions=resubmit(3,1)", "table=1,in_port=3,actions=2",
                                  "table=1,in_port=1,actions=4"], [udp()], {2: [udp()]}, {}),
    "resubmit without end": (["in_port=1,actions=resubmit(,0)"], [udp()], {},
                             {"resubmit_limit": 1}),
    "write_metadata": (["in_port=1,actions=write_metadata:0xa5/0xff,goto_table:1",
                        "table=1,metadata=0xa5,actions=2"], [udp()], {2: [udp()]}, {}),
    "priorities": (["in_port=1,priority=10,actions=2", "in_port=1,priority=20,udp,actions=3",
                    "in_port=1,priority=30,udp,udp_dst=2000-2047,actions=4"],
                   [tcp(), udp(dport=5), udp()], {2: [tcp()], 3: [udp(dport=5)], 4: [udp()]}, {}),
}


@pytest.mark.parametrize("case", MANY_PORTS)
def test_many_ports(pipe, case):
    flows, given, expected, expected_drops = MANY_PORTS[case]
    out, drops = run(pipe, flows, given, outputs=(2, 3, 4))
    for port, frames in out.items():
        compare(expected.get(port, []), frames, f"{case}: port {port}")
    assert drops == expected_drops


def test_fragments(pipe):
    """Addresses of fragments change, and only the first carries the checksum that follows."""
    def whole(source):
        return ip(src=source, id=9) / UDP(sport=1000, dport=2000) / Raw(b"y" * 1200)
    given = [eth() / part for part in fragment(whole("10.0.0.1"), 512)]
    expected = [eth() / part for part in fragment(whole("10.9.9.9"), 512)]
    out, _ = run(pipe, ["in_port=1,ip,nw_frag=first,actions=mod_nw_src:10.9.9.9,2",
                        "in_port=1,ip,nw_frag=later,actions=mod_nw_src:10.9.9.9,3"],
                 given, outputs=(2, 3))
    compare(expected[:1], out[2], "first fragment")
    compare(expected[1:], out[3], "later fragments")


def test_fragments_ipv6(pipe):
    def whole(source):
        return ip6(src=source) / IPv6ExtHdrFragment(id=5) / UDP(sport=1000, dport=2000) / \
            Raw(b"y" * 1200)
    given = [eth() / part for part in fragment6(whole("2001:db8::1"), 600)]
    expected = [eth() / part for part in fragment6(whole("2001:db8::77"), 600)]
    out, _ = run(pipe, ["in_port=1,ipv6,actions=set_field:2001:db8::77->ipv6_src,2"], given)
    compare(expected, out[2], "fragments")


VLAN_CASES = {
    # (columns of the ingress port, columns of the egress port, frame in, frame out, drops)
    "access to access": ({"tag": 10}, {"tag": 10}, udp(), udp(), {}),
    "access to another": ({"tag": 10}, {"tag": 11}, udp(), None, {"no_destination": 1}),
    "access to trunk": ({"tag": 10}, {}, udp(), tagged(10), {}),
    "trunk to access": ({}, {"tag": 10}, tagged(10, 3), udp(), {}),
    "trunk that carries it": ({"trunks": [10, 20]}, {"trunks": [20]}, tagged(20, 2),
                              tagged(20, 2), {}),
    "trunk that does not": ({"trunks": [10]}, {}, tagged(20), None, {"vlan_filtered": 1}),
    "tagged into access": ({"tag": 10}, {}, tagged(10), None, {"vlan_filtered": 1}),
    "native untagged": ({"tag": 10, "vlan_mode": "native-untagged"}, {"tag": 10}, udp(), udp(), {}),
    "to native tagged": ({"tag": 10}, {"tag": 10, "vlan_mode": "native-tagged"}, udp(),
                         tagged(10), {}),
}


@pytest.mark.parametrize("case", VLAN_CASES)
def test_normal_vlans(pipe, case):
    ingress, egress, given, expected, expected_drops = VLAN_CASES[case]
    pipe.switch.set_flows(pipe.bridge, "actions=normal")
    pipe.add_output(2, **egress)
    pipe.add_input(1, [given], **ingress)
    pipe.wait_received()
    compare([expected] if expected else [], pipe.output(2), case)
    assert pipe.drops(1) == expected_drops


def test_normal_learns(pipe):
    """An address that was seen on a port is not flooded any more."""
    pipe.switch.set_flows(pipe.bridge, "actions=normal")
    pipe.add_output(2, 3)
    back = udp(l2=eth(src=B, dst=A))
    pipe.add_input(4, [back])
    pipe.wait_received()
    wait_until(lambda: any(row["mac"] == B and row["ofport"] == 4
                           for row in pipe.switch.rpc("fdb.show", bridge=pipe.bridge)),
               f"{B} to be learned on port 4")
    pipe.add_input(1, [udp()])
    pipe.wait_received()
    compare([udp()], pipe.output(4), "learned port")
    compare([back], pipe.output(2), "other port: only what was flooded first")
