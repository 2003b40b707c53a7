# SPDX-License-Identifier: Apache-2.0
"""Packets from values of match fields, for tests that hold the switch against another one.

A packet is a dict whose keys are names of match fields, and these: `kind` (what it is, see KINDS),
`tags` (list of [TPID, TCI], outermost first), `snap`, `ip_options`, `extensions`, `tcp_options`,
`nd_options`, `payload`, `padding`, `zero_checksum`, `wrong_checksum`. The last four bytes of every
frame identify it; nothing rewrites them.
"""

import struct

# kind: (Ethernet type, IP protocol)
KINDS = {
    "other": (0x88cc, None), "arp": (0x0806, None), "rarp": (0x8035, None),
    "ip": (0x0800, 47), "icmp": (0x0800, 1), "tcp": (0x0800, 6), "udp": (0x0800, 17),
    "sctp": (0x0800, 132),
    "ipv6": (0x86dd, 47), "icmp6": (0x86dd, 58), "tcp6": (0x86dd, 6), "udp6": (0x86dd, 17),
    "sctp6": (0x86dd, 132),
}

CRC32C = []
for _value in range(256):
    for _ in range(8):
        _value = _value >> 1 ^ (0x82f63b78 if _value & 1 else 0)
    CRC32C.append(_value)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ CRC32C[(crc ^ byte) & 0xff]
    return struct.pack("<I", crc ^ 0xffffffff)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def mac(number):
    return number.to_bytes(6, "big")


def icmp_body(packet, protocol):
    prefix = "icmpv6" if protocol == 58 else "icmp"
    kind, code = packet[prefix + "_type"], packet[prefix + "_code"]
    body = struct.pack("!BBHI", kind, code, 0, 0x12345678)
    if protocol == 58 and kind in (135, 136) and code == 0:
        body += packet["nd_target"].to_bytes(16, "big")
        for option, address in packet["nd_options"]:
            body += bytes([option, 1]) + mac(address)
        return body, False
    return body, True


def l4_body(packet, protocol, pseudo, ident):
    """The transport header and what is behind it, with its checksum."""
    payload, at = packet["payload"], None
    if protocol == 6:
        options = packet["tcp_options"]
        header = struct.pack(
            "!HHIIHHHH", packet["tcp_src"], packet["tcp_dst"], 0x1000, 0x2000,
            (5 + options // 4) << 12 | packet["tcp_flags"], 0x4000, 0, 0) + b"\1" * options
        at = 16
    elif protocol == 17:
        header = struct.pack("!HHHH", packet["udp_src"], packet["udp_dst"], 0, 0)
        at = 6
    elif protocol == 132:
        header = struct.pack("!HHII", packet["sctp_src"], packet["sctp_dst"], 0x1111, 0)
    elif protocol in (1, 58):
        header, room = icmp_body(packet, protocol)
        at = 2
        if not room:
            payload = None
    else:
        header = b""
    body = header
    if payload is not None:
        body += payload + (b"" if packet["padding"] else ident)
    if protocol == 17:
        body = body[:4] + struct.pack("!H", len(body)) + body[6:]
    if packet["zero_checksum"] and protocol in (17, 132):
        return body
    if protocol == 132:
        body = body[:8] + crc32c(body) + body[12:]
    elif at is not None:
        covered = b"" if protocol == 1 else pseudo + struct.pack("!II", len(body), protocol)
        value = checksum(covered + body)
        if protocol == 17 and value == 0:
            value = 0xffff
        if packet["wrong_checksum"] and value < 0xfffe:
            value += 1
        body = body[:at] + struct.pack("!H", value) + body[at + 2:]
    return body


def ipv4_packet(packet, protocol, ident):
    options = b"\1" * packet["ip_options"]
    source, target = packet["nw_src"].to_bytes(4, "big"), packet["nw_dst"].to_bytes(4, "big")
    body = l4_body(packet, protocol, source + target, ident)
    fragment = {"no": packet["dont_fragment"] << 14, "first": 0x2000,
                "later": packet["fragment_offset"]}[packet["nw_frag"]]
    header = struct.pack(
        "!BBHHHBBH", 0x40 | 5 + len(options) // 4, packet["ip_dscp"] << 2 | packet["nw_ecn"],
        20 + len(options) + len(body), 0x1234, fragment, packet["nw_ttl"], protocol, 0)
    value = checksum(header + source + target + options)
    return header[:10] + struct.pack("!H", value) + source + target + options + body


def ipv6_packet(packet, protocol, ident):
    source, target = (packet[name].to_bytes(16, "big") for name in ("ipv6_src", "ipv6_dst"))
    body = l4_body(packet, protocol, source + target, ident)
    headers = [(number, bytes([0, size // 4 - 2 if number == 51 else size // 8 - 1, 0,
                               packet["segments_left"]]) + bytes(size - 4))
               for number, size in packet["extensions"]]
    if packet["nw_frag"] != "no":
        offset = packet["fragment_offset"] << 3 if packet["nw_frag"] == "later" else 0
        headers.append((44, struct.pack("!BBHI", 0, 0, offset & 0xfff8 | 1, 0x1234)))
    following = protocol
    for number, header in reversed(headers):
        body = bytes([following]) + header[1:] + body
        following = number
    word = 6 << 28 | packet["ip_dscp"] << 22 | packet["nw_ecn"] << 20 | packet["ipv6_label"]
    return struct.pack("!IHBB", word, len(body), following, packet["nw_ttl"]) + \
        source + target + body


def arp_packet(packet):
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, packet["arp_op"]) + \
        mac(packet["arp_sha"]) + packet["arp_spa"].to_bytes(4, "big") + \
        mac(packet["arp_tha"]) + packet["arp_tpa"].to_bytes(4, "big")


def spoil(frame, start, place, byte):
    """A frame that is cut, or has a byte that makes no sense, behind its Ethernet type."""
    if byte < 64 or len(frame) <= start:
        return frame[:max(start, 22) + place]
    place = start + place % (len(frame) - start)
    return frame[:place] + bytes([byte]) + frame[place + 1:]


def build(packet, number):
    """The frame as bytes; `number` becomes its last four bytes."""
    ident = struct.pack("!I", number)
    dl_type, protocol = KINDS[packet["kind"]]
    protocol = packet["nw_proto"] if protocol == 47 else protocol
    frame = mac(packet["dl_dst"]) + mac(packet["dl_src"])
    for tpid, tci in packet["tags"]:
        frame += struct.pack("!HH", tpid, tci)
    if dl_type == 0x0800:
        body = ipv4_packet(packet, protocol, ident)
    elif dl_type == 0x86dd:
        body = ipv6_packet(packet, protocol, ident)
    elif dl_type in (0x0806, 0x8035):
        body = arp_packet(packet)
    else:
        dl_type, body = packet["dl_type"], packet["payload"]
    if packet["snap"]:
        frame += struct.pack("!H", len(body) + 8) + b"\xaa\xaa\3\0\0\0"
    frame += struct.pack("!H", dl_type) + body
    if frame[-4:] != ident:
        frame += bytes(packet["padding"]) + ident
    if packet.get("spoil"):
        frame = spoil(frame[:-4], 14 + 4 * len(packet["tags"]), *packet["spoil"]) + ident
    return frame
