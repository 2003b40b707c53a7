# SPDX-License-Identifier: Apache-2.0
"""Where Turnout deliberately does something else with a packet than Open vSwitch 3.1.

Each difference has an example, which is tried in every run: if both come to do the same, the entry
has to go. The random programs keep away from them (differential_rules.py); those that they cannot
keep away from are recognised in explain().

More are settings of Open vSwitch, which the test makes, or belong to its protocols:

* It looks at the outermost tag only, unless vlan-limit=0.
* It takes ports of first fragments as 0, unless `ovs-ofctl set-frags br0 nx-match`.
* From OpenFlow 1.3 on, adding a flow that is there keeps its counters unless reset_counts is given;
  here, as in OpenFlow 1.0, they start anew. In 1.0, modify adds a flow if it finds none to modify,
  and set_field loses its mask.
* Over OpenFlow 1.2 and later, `vlan_tci=0` and `vlan_tci=0/0x1fff` are the same flow.
* Bytes are counted here as the packet is when the flow finds it, there as it came in.
* Modifying a group keeps its counters, and those of buckets whose numbers stay; there they start
  anew. A group counts every packet that comes to it; there not those for which it has no bucket.
* out_port= also finds flows that send a part of the packet there; there it does not.
* Which bucket of a select group a packet gets: each has a hash of its own.
* Which one of overlapping flows of equal priority wins is not defined there.
"""

from differential_packets import build

TRUNK = ("trunk", 0, [])


def frame(kind, **values):
    packet = {
        "kind": kind, "tags": [], "snap": False, "dl_dst": 0x020000000002, "dl_src": 0x020000000001,
        "nw_src": 0x0a000001, "nw_dst": 0x0a000002, "ipv6_src": 1, "ipv6_dst": 2, "ipv6_label": 0,
        "ip_dscp": 0, "nw_ecn": 0, "nw_ttl": 64, "nw_frag": "no", "fragment_offset": 1,
        "dont_fragment": 0, "ip_options": 0, "tcp_options": 0, "extensions": [], "segments_left": 0,
        "nd_options": [],
        "payload": b"payload of the packet", "padding": 0, "zero_checksum": False,
        "wrong_checksum": False, "tcp_flags": 2, "icmpv6_type": 136, "icmpv6_code": 0,
        "icmp_type": 8, "icmp_code": 0, "nd_target": 3, "arp_op": 1, "arp_spa": 1, "arp_tpa": 2,
        "arp_sha": 1, "arp_tha": 2, "nw_proto": 47, "dl_type": 0x88cc}
    for protocol in ("tcp", "udp", "sctp"):
        packet[protocol + "_src"], packet[protocol + "_dst"] = 1000, 2000
    packet.update(values)
    return build(packet, 1)


class Difference:
    """`here` and `there`: ports that the packet leaves by. If they are equal, its bytes differ."""

    def __init__(self, name, reason, flows, packet, here, there, ports=None, groups=()):
        self.name, self.reason, self.flows, self.packet = name, reason, flows, packet
        self.here, self.there, self.ports, self.groups = here, there, ports or {}, list(groups)


DIFFERENCES = [
    Difference(
        "priority tags",
        "NORMAL sends tags of VLAN 0 there if their priority is not 0, against its manual",
        ["actions=NORMAL"], frame("udp", tags=[[0x8100, 0xa000]]), [2, 3], [2, 3],
        {port: TRUNK for port in (1, 2, 3)}),
    Difference(
        "second tag on access ports",
        "an access port carries its VLAN whatever is inside the tag; there it does only with "
        "vlan-limit=1",
        ["actions=NORMAL"], frame("udp", tags=[[0x8100, 10], [0x8100, 20]]), [2], [],
        {2: ("access", 10, [])}),
    Difference(
        "third tag",
        "there the innermost tag is lost when a third one is pushed",
        ["actions=push_vlan:0x8100,output:2"],
        frame("udp", tags=[[0x8100, 10], [0x8100, 20]]), [2], [2]),
    Difference(
        "drop eligible indicator",
        "writing the VLAN ID or the priority leaves the DEI bit of the tag alone; there it is "
        "cleared",
        ["dl_vlan=10,actions=mod_vlan_vid:20,output:2"], frame("udp", tags=[[0x8100, 0x100a]]),
        [2], [2]),
    Difference(
        "addresses of other switches' protocols",
        "NORMAL keeps back the addresses that IEEE 802.1 reserves; there also some of Cisco and "
        "Extreme Networks",
        ["actions=NORMAL"], frame("other", dl_dst=0x01000ccccccc), [2], [], {2: TRUNK}),
    Difference(
        "native VLAN 0",
        "a native port always carries its native VLAN; there not if that is 0 and trunks are given",
        ["actions=NORMAL"], frame("udp"), [2], [], {2: ("native-untagged", 0, [10])}),
    Difference(
        "TTL in a resubmitted table",
        "a packet whose TTL has expired goes nowhere any more; there only the list of dec_ttl ends",
        ["table=0,actions=resubmit(,1),output:2", "table=1,ip,actions=dec_ttl"],
        frame("udp", nw_ttl=1), [], [2]),
    Difference(
        "resubmit without end",
        "what was sent before the limit of nested lookups stays sent; there the packet is dropped",
        ["table=0,actions=output:2,resubmit(,0)"], frame("udp"), [2] * 17, []),
    Difference(
        "ports of later fragments",
        "a later fragment has no ports; there they are 0 and can be matched",
        ["icmp,icmp_type=0,actions=output:2"], frame("icmp", nw_frag="later"), [], [2]),
    Difference(
        "payload of later fragments",
        "there rewriting an address or ICMP type changes the payload of later fragments",
        ["ip,actions=mod_nw_dst:10.9.9.9,output:2"], frame("udp", nw_frag="later"), [2], [2]),
    Difference(
        "source in front of a routing header",
        "there the checksum becomes wrong when the source is rewritten and segments are left",
        ["ipv6,actions=set_field:::9->ipv6_src,output:2"],
        frame("udp6", extensions=[(43, 24)], segments_left=1), [2], [2]),
    Difference(
        "headers that are cut short",
        "their fields do not match; there they match as 0",
        ["ip,nw_ttl=0,actions=output:2"], frame("udp")[:40], [], [2]),
    Difference(
        "TTL that is not there",
        "dec_ttl does nothing if the header is cut short; there the TTL is 0",
        ["ip,actions=dec_ttl,output:2"], frame("udp")[:40], [2], []),
    Difference(
        "version of IPv4",
        "a header of another version than 4 has no fields; there the version is not looked at",
        ["ip,nw_dst=10.0.0.2,actions=output:2"],
        frame("udp")[:14] + b"\x65" + frame("udp")[15:], [], [2]),
    Difference(
        "ports of SCTP fragments",
        "the checksum covers the other fragments, so a port cannot be rewritten; there it becomes "
        "wrong",
        ["sctp,actions=mod_tp_dst:7,output:2"], frame("sctp", nw_frag="first"), [], [2]),
    Difference(
        "SCTP without a checksum",
        "a checksum of 0 stays 0 (RFC 9653)",
        ["sctp,actions=mod_tp_dst:7,output:2"], frame("sctp", zero_checksum=True), [2], [2]),
    Difference(
        "RARP is rewritten as ARP is",
        "there the actions are accepted and do nothing",
        ["rarp,actions=set_field:2->arp_op,output:2"], frame("rarp"), [2], [2]),
    Difference(
        "second option of neighbour discovery",
        "there only the first link-layer address can be rewritten",
        ["icmp6,icmpv6_type=136,actions=set_field:00:00:00:00:00:09->nd_tll,output:2"],
        frame("icmp6", nd_options=[(1, 5), (2, 6)]), [2], [2]),
    Difference(
        "option of neighbour discovery that is not there",
        "it stays so; there what was written into it can be read again, though it is not sent",
        ["icmp6,icmpv6_type=135,actions=set_field:00:00:00:00:00:09->nd_sll,"
         "move:NXM_NX_ND_SLL[0..7]->NXM_OF_ETH_DST[0..7],output:2"],
        frame("icmp6", icmpv6_type=135), [2], [2]),
    Difference(
        "tag that is cut short",
        "the packet is malformed; there it is one of Ethernet type 0x8100",
        ["actions=output:2"], frame("udp", tags=[[0x8100, 10], [0x8100, 20]])[:18], [], [2]),
    Difference(
        "arp_op above 255",
        "there it is read as 0",
        ["arp,arp_op=0,actions=output:2"], frame("arp", arp_op=256), [], [2]),
    Difference(
        "tags of type 0x9100",
        "they are VLAN tags, as older switches write them; there they are an unknown protocol",
        ["dl_vlan=10,actions=output:2"], frame("udp", tags=[[0x9100, 10]]), [2], []),
    Difference(
        "order of a bucket's actions",
        "they run as they are written; there they are an action set, of which only one sends",
        ["actions=group:1"], frame("udp"), [2, 3], [3],
        groups=["group_id=1,type=indirect,bucket=actions=output:2,mod_dl_src:02:00:00:00:00:09,"
                "output:3"]),
    Difference(
        "cut output in a bucket",
        "there it does nothing, as it is in no action set",
        ["actions=group:1"], frame("udp"), [2], [],
        groups=["group_id=1,type=indirect,bucket=actions=output(port=2,max_len=20)"]),
    Difference(
        "cut output to the port that it came from",
        "there in_port is accepted and does nothing",
        ["actions=output(port=in_port,max_len=20)"], frame("udp"), [1], []),
    Difference(
        "cut output of a packet whose tags have changed",
        "the length is that of what leaves; there it is counted before tags come or go",
        ["actions=push_vlan:0x8100,output(port=2,max_len=20)"], frame("udp"), [2], [2]),
    Difference(
        "ports of packets that have none, in a bucket",
        "there a bucket's mod_tp_src and mod_tp_dst rewrite type and code of ICMP",
        ["icmp,actions=group:1"], frame("icmp"), [2], [2],
        groups=["group_id=1,type=indirect,bucket=actions=mod_tp_dst:5,output:2"]),
    Difference(
        "groups without end",
        "what was sent before the limit of nested groups stays sent; there the packet is dropped",
        ["actions=output:2,group:1"], frame("udp"), [2], [],
        groups=["group_id=1,type=indirect,bucket=actions=group:2",
                "group_id=2,type=indirect,bucket=actions=group:1"]),
]


def check_difference(switch, turnout, difference):
    """None, or how it is not as it is listed."""
    turnout.command("reset")
    switch.reset()
    ports = {port: difference.ports.get(port, TRUNK if port == 1 else ("access", 999, []))
             for port in switch.ports}
    switch.set_ports(ports)
    for port, (mode, tag, trunks) in ports.items():
        turnout.set_port(port, mode, tag, trunks, True)
    if difference.groups:
        switch.change_groups(["add " + group for group in difference.groups])
        turnout.change_groups(["group " + group for group in difference.groups])
    switch.change_flows(difference.flows, "OpenFlow14")
    turnout.change_flows(difference.flows)
    there = switch.run([(1, difference.packet)])
    here, _ = turnout.run([(1, difference.packet)])
    if sorted(here) == sorted(there):
        return "both do the same: remove it"
    for name, outputs, expected in (("here", here, difference.here),
                                    ("there", there, difference.there)):
        if sorted(port for port, _ in outputs) != expected:
            return "it leaves by ports %s %s" % (sorted(port for port, _ in outputs), name)
    return None


def untagged(sent):
    """The frame, as hexadecimal, without its tags."""
    while sent[24:28] in ("8100", "88a8"):
        sent = sent[:24] + sent[32:]
    return sent


def same_frame(here, there, pushes):
    """Equal but for a priority tag that is only there, or inner tags that are lost there."""
    if here == there:
        return True
    priority = there[24:28] in ("8100", "88a8") and int(there[28:32], 16) & 0xfff == 0
    if priority and here == there[:24] + there[32:]:
        return True
    return pushes and untagged(here) == untagged(there) and (priority or len(here) > len(there))


def same_frames(here, there, pushes, is_access):
    """The same, one by one; only here, an access port also sends what has a second tag."""
    wanted = list(there)
    for sent in here:
        if wanted and same_frame(sent, wanted[0], pushes):
            wanted.pop(0)
        elif not is_access or untagged(sent) == sent:
            return False
    return not wanted


def explain(program, here, there):
    """The name of the difference that makes this one, or None."""
    if not program.with_normal:
        return None
    pushes = program.maker.pushes or (program.groups and program.groups.pushes)
    for port in set(here) | set(there):
        if not same_frames(here.get(port, []), there.get(port, []), pushes,
                           port in program.access_ports):
            return None
    return "priority and second tags"
