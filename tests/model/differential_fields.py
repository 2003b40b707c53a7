# SPDX-License-Identifier: Apache-2.0
"""Match fields as the test against Open vSwitch knows them, and how they are written."""

import ipaddress

# name: (bits, form, maskable, writable)
FIELDS = {
    "in_port": (16, "number", False, False),
    "dl_src": (48, "mac", True, True), "dl_dst": (48, "mac", True, True),
    "nw_src": (32, "ipv4", True, True), "nw_dst": (32, "ipv4", True, True),
    "ipv6_src": (128, "ipv6", True, True), "ipv6_dst": (128, "ipv6", True, True),
    "ipv6_label": (20, "hex", True, True),
    "nw_proto": (8, "number", False, False),
    "ip_dscp": (6, "number", False, True), "nw_ecn": (2, "number", False, True),
    "nw_ttl": (8, "number", False, True),
    "tcp_src": (16, "number", True, True), "tcp_dst": (16, "number", True, True),
    "udp_src": (16, "number", True, True), "udp_dst": (16, "number", True, True),
    "sctp_src": (16, "number", True, True), "sctp_dst": (16, "number", True, True),
    "tcp_flags": (12, "hex", True, False),
    "icmp_type": (8, "number", False, True), "icmp_code": (8, "number", False, True),
    "icmpv6_type": (8, "number", False, True), "icmpv6_code": (8, "number", False, True),
    "nd_target": (128, "ipv6", True, True),
    "nd_sll": (48, "mac", True, True), "nd_tll": (48, "mac", True, True),
    "arp_op": (16, "number", False, True),
    "arp_spa": (32, "ipv4", True, True), "arp_tpa": (32, "ipv4", True, True),
    "arp_sha": (48, "mac", True, True), "arp_tha": (48, "mac", True, True),
    "metadata": (64, "hex", True, True),
    "vlan_vid": (13, "hex", True, True), "vlan_tci": (16, "hex", True, True),
    "vlan_pcp": (3, "number", False, True),
}
for _register in range(8):
    FIELDS["reg%d" % _register] = (32, "hex", True, True)

NXM = {
    "dl_src": "NXM_OF_ETH_SRC", "dl_dst": "NXM_OF_ETH_DST", "nw_src": "NXM_OF_IP_SRC",
    "nw_dst": "NXM_OF_IP_DST", "ipv6_src": "NXM_NX_IPV6_SRC", "ipv6_dst": "NXM_NX_IPV6_DST",
    "ipv6_label": "NXM_NX_IPV6_LABEL", "nw_ecn": "NXM_NX_IP_ECN", "nw_ttl": "NXM_NX_IP_TTL",
    "ip_dscp": "OXM_OF_IP_DSCP", "tcp_src": "NXM_OF_TCP_SRC", "tcp_dst": "NXM_OF_TCP_DST",
    "udp_src": "NXM_OF_UDP_SRC", "udp_dst": "NXM_OF_UDP_DST", "sctp_src": "OXM_OF_SCTP_SRC",
    "sctp_dst": "OXM_OF_SCTP_DST", "icmp_type": "NXM_OF_ICMP_TYPE",
    "icmp_code": "NXM_OF_ICMP_CODE", "icmpv6_type": "NXM_NX_ICMPV6_TYPE",
    "icmpv6_code": "NXM_NX_ICMPV6_CODE", "nd_target": "NXM_NX_ND_TARGET",
    "nd_sll": "NXM_NX_ND_SLL", "nd_tll": "NXM_NX_ND_TLL", "arp_op": "NXM_OF_ARP_OP",
    "arp_spa": "NXM_OF_ARP_SPA", "arp_tpa": "NXM_OF_ARP_TPA", "arp_sha": "NXM_NX_ARP_SHA",
    "arp_tha": "NXM_NX_ARP_THA", "metadata": "OXM_OF_METADATA", "vlan_vid": "OXM_OF_VLAN_VID",
    "vlan_tci": "NXM_OF_VLAN_TCI", "vlan_pcp": "OXM_OF_VLAN_PCP",
    "tcp_flags": "NXM_NX_TCP_FLAGS", "in_port": "NXM_OF_IN_PORT", "nw_proto": "NXM_OF_IP_PROTO",
}
for _register in range(8):
    NXM["reg%d" % _register] = "NXM_NX_REG%d" % _register

IPV4 = ["nw_src", "nw_dst", "ip_dscp", "nw_ecn", "nw_ttl"]
IPV6 = ["ipv6_src", "ipv6_dst", "ipv6_label", "ip_dscp", "nw_ecn", "nw_ttl"]
ARP = ["arp_op", "arp_spa", "arp_tpa", "arp_sha", "arp_tha"]
L4 = ("tcp", "udp", "sctp", "icmp", "nd_")
# Shorthand: fields that it opens.
PROTOCOLS = {
    None: [], "ip": IPV4 + ["nw_proto"], "ipv6": IPV6 + ["nw_proto"], "arp": ARP, "rarp": ARP,
    "icmp": IPV4 + ["icmp_type", "icmp_code"], "icmp6": IPV6 + ["icmpv6_type", "icmpv6_code"],
    "tcp": IPV4 + ["tcp_src", "tcp_dst", "tcp_flags"],
    "tcp6": IPV6 + ["tcp_src", "tcp_dst", "tcp_flags"],
    "udp": IPV4 + ["udp_src", "udp_dst"], "udp6": IPV6 + ["udp_src", "udp_dst"],
    "sctp": IPV4 + ["sctp_src", "sctp_dst"], "sctp6": IPV6 + ["sctp_src", "sctp_dst"],
    "icmp6,icmpv6_type=135,icmpv6_code=0": IPV6 + ["nd_target", "nd_sll"],
    "icmp6,icmpv6_type=136,icmpv6_code=0": IPV6 + ["nd_target", "nd_tll"],
}

ALIASES = {"dl_src": ["eth_src"], "dl_dst": ["eth_dst"], "nw_src": ["ip_src"],
           "nw_dst": ["ip_dst"], "tcp_dst": ["tp_dst"], "tcp_src": ["tp_src"],
           "udp_dst": ["tp_dst"], "sctp_src": ["tp_src"], "arp_spa": ["nw_src"],
           "arp_tpa": ["nw_dst"], "nw_ecn": ["ip_ecn"]}


def text(field, value):
    form = FIELDS[field][1]
    if form == "mac":
        return ":".join("%02x" % byte for byte in value.to_bytes(6, "big"))
    if form == "ipv4":
        return str(ipaddress.IPv4Address(value))
    if form == "ipv6":
        return str(ipaddress.IPv6Address(value))
    return ("%d" if form == "number" else "0x%x") % value


def text_masked(field, value, mask):
    bits = FIELDS[field][0]
    if mask == (1 << bits) - 1:
        return text(field, value)
    if FIELDS[field][1] == "number":
        return "0x%x/0x%x" % (value & mask, mask)
    return text(field, value & mask) + "/" + text(field, mask)
