# SPDX-License-Identifier: Apache-2.0
"""Frames and pcap files. Scapy builds what is expected, independently of the code under test."""
import logging
import struct

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import (ARP, Dot1AD, Dot1Q, Ether, ICMP, IP, IPv6, Raw, TCP,  # noqa: E402,F401
                       UDP)
from scapy.layers.inet6 import (ICMPv6EchoRequest, ICMPv6ND_NS,  # noqa: E402,F401
                                ICMPv6NDOptSrcLLAddr)
from scapy.layers.sctp import SCTP, SCTPChunkData  # noqa: E402,F401

HEADER = struct.Struct("<IHHiIII")
RECORD = struct.Struct("<IIII")


def wire(frame):
    """The bytes of a Scapy frame (checksums and lengths filled in) or of bytes."""
    return bytes(frame)


def write_pcap(path, frames):
    with open(path, "wb") as file:
        file.write(HEADER.pack(0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        for frame in frames:
            data = wire(frame)
            file.write(RECORD.pack(0, 0, len(data), len(data)) + data)
    return str(path)


def read_pcap(path):
    """All frames of a little-endian pcap file, in microseconds or nanoseconds."""
    with open(path, "rb") as file:
        data = file.read()
    if len(data) < HEADER.size:
        return []
    magic = struct.unpack_from("<I", data)[0]
    assert magic in (0xa1b2c3d4, 0xa1b23c4d), hex(magic)
    frames, offset = [], HEADER.size
    while offset + RECORD.size <= len(data):
        captured = RECORD.unpack_from(data, offset)[2]
        offset += RECORD.size
        frames.append(data[offset:offset + captured])
        offset += captured
    return frames


def describe(data):
    """Bytes and Scapy's reading of them, for a failing comparison."""
    return f"{data.hex()}  {Ether(data).summary()}"


def compare(expected, actual, what):
    """Byte for byte, with a readable difference."""
    expected = [wire(frame) for frame in expected]
    lines = []
    for index in range(max(len(expected), len(actual))):
        want = expected[index] if index < len(expected) else None
        got = actual[index] if index < len(actual) else None
        if want != got:
            lines.append(f"  frame {index}\n    expected {describe(want) if want else 'nothing'}"
                         f"\n    got      {describe(got) if got else 'nothing'}")
    assert not lines, f"{what}: {len(lines)} frames differ\n" + "\n".join(lines[:5])
