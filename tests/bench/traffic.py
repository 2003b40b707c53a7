# SPDX-License-Identifier: Apache-2.0
"""Rules and frames for benchmarks and tests, the same ones for the same seed.

The rules resemble those of ClassBench's access lists (Taylor and Turner, ClassBench: A Packet
Classification Benchmark, INFOCOM 2005): addresses come from a limited set of networks, prefix
lengths have peaks at 0, 16, 24 and 32, most rules name a transport protocol and a well-known
destination port, few name a source port, and they overlap.
"""
import random
import struct

PREFIX_WEIGHTS = {0: 8, 8: 3, 12: 2, 16: 8, 19: 3, 20: 4, 21: 4, 22: 5, 23: 6, 24: 20, 25: 3, 26: 4,
                  27: 4, 28: 5, 29: 4, 30: 4, 31: 2, 32: 28}
SERVICES = [20, 21, 22, 25, 53, 80, 110, 123, 143, 161, 179, 389, 443, 445, 636, 993, 1433, 1521,
            3306, 3389, 5060, 5432, 6443, 8080, 8443]
PROTOCOLS = {"tcp": 6, "udp": 17, "ip": 0}
# What all frames of kind "prefix" have in common.
PREFIX_MATCH = ("udp,nw_src=10.0.0.0/15,nw_dst=10.128.0.0/15,tp_src=0x8000/0x8000,"
                "tp_dst=0x4000/0xc000")
PCAP_HEADER = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1)


class Rule:
    """One access rule. Addresses are (value, prefix length), ports are numbers or None."""

    def __init__(self, protocol, source, target, source_port, target_port):
        self.protocol, self.source, self.target = protocol, source, target
        self.source_port, self.target_port = source_port, target_port

    def key(self):
        return self.protocol, self.source, self.target, self.source_port, self.target_port

    def match(self):
        words = [self.protocol]
        for name, (value, length) in (("nw_src", self.source), ("nw_dst", self.target)):
            if length:
                words.append(f"{name}={dotted(value)}/{length}")
        for name, port in (("tp_src", self.source_port), ("tp_dst", self.target_port)):
            if port is not None:
                words.append(f"{name}={port}")
        return ",".join(words)


def dotted(value):
    return ".".join(str(byte) for byte in value.to_bytes(4, "big"))


def network(value, length):
    return value >> (32 - length) << (32 - length) if length else 0


def make_rules(count, seed=1):
    """`count` different rules."""
    source = random.Random(seed)
    networks = [source.getrandbits(32) for _ in range(max(8, count // 10))]
    lengths, weights = list(PREFIX_WEIGHTS), list(PREFIX_WEIGHTS.values())

    def address():
        length = source.choices(lengths, weights)[0]
        # A host or smaller network within one of the networks, so that rules nest.
        near = source.choice(networks) ^ (source.getrandbits(8) if length > 24 else 0)
        return network(near, length), length

    rules, known = [], set()
    while len(rules) < count:
        protocol = source.choices(["tcp", "udp", "ip"], [60, 28, 12])[0]
        source_port = target_port = None
        if protocol != "ip":
            if source.random() < 0.1:
                source_port = source.choice(SERVICES + [source.randrange(1024, 65536)])
            if source.random() < 0.8:
                target_port = source.choice(SERVICES + [source.randrange(1, 65536)])
        rule = Rule(protocol, address(), address(), source_port, target_port)
        if rule.key() not in known:
            known.add(rule.key())
            rules.append(rule)
    return rules


def flow_lines(rules, actions="output:2", drop_every=0, last="output:2"):
    """Flow lines, first rule first; every `drop_every`-th drops. A last one takes the rest."""
    step = max(1, len(rules) // 60000 + 1)
    for number, rule in enumerate(rules):
        action = "drop" if drop_every and number % drop_every == drop_every - 1 else actions
        yield f"priority={65000 - number // step},{rule.match()},actions={action}"
    yield f"priority=0,actions={last}"


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def frame(source, target, protocol=17, source_port=1, target_port=2, size=60,
          macs=(0x020000000001, 0x020000000002)):
    """An IPv4 frame of `size` bytes without the trailing checksum (64 on the wire are 60)."""
    if protocol == 6:
        head = struct.pack("!HHIIBBHHH", source_port, target_port, 1, 0, 0x50, 0x10, 8192, 0, 0)
        layer4 = head + bytes(max(0, size - 14 - 20 - len(head)))
    else:
        length = max(8, size - 14 - 20)
        layer4 = struct.pack("!HHHH", source_port, target_port, length, 0) + bytes(length - 8)
    ip = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(layer4), 0, 0, 64, protocol, 0, source, target)
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return macs[1].to_bytes(6, "big") + macs[0].to_bytes(6, "big") + b"\x08\x00" + ip + layer4


def rule_frames(rules, count, seed=1, size=60):
    """Frames of which nine in ten hit a rule chosen at random, the others random addresses."""
    source = random.Random(seed)
    for _ in range(count):
        if source.random() < 0.9:
            rule = source.choice(rules)
            addresses = [value | source.getrandbits(32 - length) if length < 32 else value
                         for value, length in (rule.source, rule.target)]
            protocol = PROTOCOLS[rule.protocol] or source.choice([6, 17])
            ports = rule.source_port, rule.target_port
        else:
            addresses = source.getrandbits(32), source.getrandbits(32)
            protocol, ports = source.choice([6, 17]), (None, None)
        ports = [source.randrange(1, 65536) if port is None else port for port in ports]
        yield frame(*addresses, protocol, *ports, size)


def flow_frames(count, seed=1, size=60, kind="udp"):
    """`count` different frames, shuffled. kind "udp": 5-tuples; "prefix": 5-tuples within
    PREFIX_MATCH; "mac": destination MACs, from up to 1,024 sources; "learn": the answers to "mac"."""
    order = list(range(count))
    random.Random(seed).shuffle(order)
    for number in order:
        source, target = 0x0a000001 + number % 65536, 0x0a800001 + number // 16 % 65536
        if kind in ("mac", "learn"):
            macs = 0x020002000000 + number % 1024, 0x020001000000 + number
            yield frame(0x0a000001, 0x0a800001, 17, 1000, 2000, size,
                        macs if kind == "mac" else macs[::-1])
        elif kind == "prefix":
            yield frame(source, target, 17, 32768 + number % 32749, 16384 + number * 7919 % 16381,
                        size)
        else:
            yield frame(source, target, 17, 1024 + number % 50021, 1 + number * 7919 % 60013, size)


def flood_frames(count, seed=1, size=60):
    """Frames to the first destination of kind "mac", each from another source MAC."""
    source = random.Random(seed)
    for number in range(count):
        macs = 0x020300000000 + (source.getrandbits(12) << 20) + number, 0x020001000000
        yield frame(0x0a000001, 0x0a800001, 17, 1000, 2000, size, macs)


def random_frames(count, seed=1, size=60):
    """UDP and TCP frames between addresses that no generated rule's networks are likely to hold."""
    source = random.Random(seed)
    for _ in range(count):
        yield frame(source.getrandbits(32), source.getrandbits(32), source.choice([6, 17]),
                    source.randrange(1, 65536), source.randrange(1, 65536), size)


def near_miss(value, length, width, source):
    """A value that agrees with a prefix of `length` bits in all but one bit, the rest at random."""
    if length == 0:
        return source.getrandbits(width)
    place = width - 1 - source.randrange(length)
    return (value ^ 1 << place) >> place << place | source.getrandbits(place)


def explosion_frames(rules, count, seed=1, size=60):
    """Frames that fall just short of rules, each at random bits of all fields that a rule looks at.

    A switch that caches what it has looked at, as one mask per combination of bits, gets as many
    masks as there are combinations (Csikor et al., Tuple Space Explosion: A Denial-of-Service
    Attack Against a Software Packet Classifier, CoNEXT 2019).
    """
    source = random.Random(seed)
    # Of each field all values that rules ask for: a frame is near to several rules at once.
    asked = {name: sorted({getattr(rule, name) for rule in rules} - {None, (0, 0)})
             for name in ("source", "target", "source_port", "target_port")}

    def pick(name, width):
        if not asked[name]:
            return source.randrange(1, 1 << width)
        value = source.choice(asked[name])
        value, length = value if isinstance(value, tuple) else (value, width)
        return near_miss(value, length, width, source)

    for _ in range(count):
        yield frame(pick("source", 32), pick("target", 32), source.choice([6, 17]),
                    pick("source_port", 16), pick("target_port", 16), size)


def write_pcap(path, frames, least=0):
    """Write the frames, all of them again and again until there are `least`. How many there are."""
    records = [struct.pack("<IIII", 0, 0, len(data), len(data)) + data for data in frames]
    rounds = max(1, -(-least // max(1, len(records))))
    with open(path, "wb") as file:
        file.write(PCAP_HEADER)
        block = b"".join(records)
        for _ in range(rounds):
            file.write(block)
    return len(records) * rounds
