# SPDX-License-Identifier: Apache-2.0
"""The rows: what is measured, and what a good result is.

To add one, add a row to SCENARIOS; --list, the tables, the JSON and the page follow. A Target has the
absolute figures of one quiet machine; what a run is held to are their ratios, Turnout to the limit
and Turnout to Open vSwitch.
"""
import dataclasses
import typing

import traffic

# More frames than this do not fit into the buffers that a subject has for net_pcap's infinite_rx.
MOST_FRAMES = 200000
MANY = 100000
FORWARD = ("in_port=1,actions=output:2",)
PREFIX = (f"in_port=1,{traffic.PREFIX_MATCH},actions=output:2",)
NORMAL = ("actions=NORMAL",)
MAC_TABLE = 262144
# Learning is allowed to take its time: a switch need not notice every frame of a burst, and the
# first ones come before it is ready. So many frames are there to learn from.
LEARN_FROM = 2000000


@dataclasses.dataclass(frozen=True)
class Target:
    """What Turnout must reach where the limit and Open vSwitch have these figures."""

    turnout: float
    limit: float = 0
    ovs: float = 0


@dataclasses.dataclass(frozen=True)
class Frames:
    """`make()` yields `count` frames; `name` tells them from all others. In the file they are
    repeated until there are `least`."""

    name: str
    count: int
    make: typing.Callable
    least: int = 0


@dataclasses.dataclass(frozen=True)
class Scenario:
    group: str
    name: str
    kind: str                  # a key of kinds.KINDS
    unit: str = "cycles"       # a key of report.UNITS
    frames: Frames = None
    flows: typing.Callable = tuple
    learn: Frames = None       # what port 2 receives first, so that the addresses are known
    macs: int = 0              # addresses that are then known
    mac_table: int = 0
    size: int = 64
    packed: bool = False
    rate: int = 0              # flow changes per second
    related: bool = False      # ... of flows that the traffic hits
    count: int = 0             # flows in a file
    replace: bool = False      # ... that replaces one
    access_list: bool = False  # ... of generated rules instead of exact matches
    target: Target = None
    quick: bool = False


def flow_frames(count, kind="udp", size=64):
    return Frames(f"{kind}-{count}-{size}", count,
                  lambda: traffic.flow_frames(count, 1, size - 4, kind))


def learn_frames(count):
    return dataclasses.replace(flow_frames(count, "learn"), least=LEARN_FROM)


def acl_flows(rules):
    return lambda: tuple(traffic.flow_lines(traffic.make_rules(rules)))


def acl_frames(rules):
    return Frames(f"acl-{rules}", MANY,
                  lambda: traffic.rule_frames(traffic.make_rules(rules), MANY))


def counted(count, noun):
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def one_rule():
    targets = {1: Target(60, 41, 87.5), 10000: Target(75, 43, 167), MANY: Target(90, 50, 217)}
    for count in (1, 1000, 10000, MANY):
        yield Scenario("One rule", f"1 rule, {counted(count, 'flow')}", "replay",
                       frames=flow_frames(count), flows=lambda: FORWARD,
                       target=targets.get(count), quick=count in (1, MANY))
    for count in (1, 1000, 10000, MANY):
        yield Scenario("One rule", f"1 rule of 5-tuple prefixes, {counted(count, 'flow')}",
                       "replay", frames=flow_frames(count, "prefix"), flows=lambda: PREFIX)


def access_lists():
    # The limit's figure is the one of 100,000 flows above: the frames differ in nothing else.
    targets = {100: Target(110, 50, 14600), 1000: Target(120, 50, 441000),
               10000: Target(200, 50, 1530000)}
    for rules in (10, 100, 1000, 10000):
        yield Scenario("Access lists", f"ACL of {rules:,} rules, 100,000 flows", "replay",
                       frames=acl_frames(rules), flows=acl_flows(rules),
                       target=targets.get(rules), quick=rules == 1000)


def chain(tables, action):
    def flows():
        steps = [f"table={table},priority=1,ip,actions={action.format(table + 1)}"
                 for table in range(tables - 1)]
        return (*steps, f"table={tables - 1},priority=1,ip,actions=output:2")
    return flows


def chains():
    yield Scenario("Chained tables", "1 table, 10,000 flows", "replay",
                   frames=flow_frames(10000), flows=chain(1, ""))
    for word, action in (("goto_table", "goto_table:{}"), ("resubmit", "resubmit(,{})")):
        for tables in (4, 16):
            yield Scenario("Chained tables", f"{tables} tables by {word}, 10,000 flows", "replay",
                           frames=flow_frames(10000), flows=chain(tables, action),
                           quick=tables == 16 and word == "goto_table")


def normal():
    rows = ((1, "1 pair of MACs", Target(80, 41, 309)),
            (1000, "1,000 MACs", Target(95, 0, 490)),
            (MANY, "100,000 MACs", Target(130, 0, 6850)))
    for count, name, target in rows:
        yield Scenario("NORMAL", f"NORMAL, {name}", "replay", frames=flow_frames(count, "mac"),
                       flows=lambda: NORMAL, learn=learn_frames(count), macs=count,
                       mac_table=MAC_TABLE, target=target, quick=count == 1000)


def sizes():
    for size in (64, 512, 1518):
        yield Scenario("Frame sizes", f"{size} bytes, 1 rule, 1,000 flows", "replay",
                       frames=flow_frames(1000, "udp", size), flows=lambda: FORWARD, size=size,
                       quick=size == 1518)


def guests():
    targets = {(False, 64): Target(26, 0, 16.6), (False, 1518): Target(11, 0, 8.6),
               (True, 64): Target(26, 0, 16.6)}
    for packed in (False, True):
        for size in (64, 1518):
            yield Scenario("Guest to guest", f"guest to guest, {'packed' if packed else 'split'} "
                           f"ring, {size} bytes", "guests", "mpps", size=size, packed=packed,
                           flows=lambda: (*FORWARD, "in_port=2,actions=output:1"),
                           target=targets.get((packed, size)), quick=size == 64 and not packed)


def with_unrelated():
    """As many flows as there are half way through a round of changes, of the same kind."""
    addresses = (traffic.dotted(0xc0a80001 + number) for number in range(500))
    return (*FORWARD, *(f"priority=40000,ip,in_port=1,nw_src={address},actions=output:2"
                        for address in addresses))


def changes():
    # What changes cost is what comes on top of this: the flows that are added match more of a frame
    # than its port, so each frame has to be read for them, however seldom they change.
    yield Scenario("Flow changes during traffic",
                   "no flow changes, 500 unrelated flows, 10,000 flows", "changes",
                   frames=flow_frames(10000), flows=with_unrelated)
    for related in (False, True):
        for rate in (0, 100, 1000, 10000):
            if rate == 0 and related:
                continue
            name = ("no flow changes, 10,000 flows" if rate == 0 else
                    f"{rate:,} {'related' if related else 'unrelated'} flow changes/s, 10,000 flows")
            yield Scenario("Flow changes during traffic", name, "changes",
                           frames=flow_frames(10000), flows=lambda: FORWARD, rate=rate,
                           related=related, quick=related and rate == 1000)


def files():
    targets = {("install", MANY): Target(1.0, 0, 6.0), ("replace", 10000): Target(0.2, 0, 2.2)}
    for verb, count in (("install", MANY), ("replace", MANY), ("replace", 10000)):
        yield Scenario("Flows from a file", f"{verb} {count:,} exact flows from a file", "files",
                       "seconds", count=count, replace=verb == "replace",
                       target=targets.get((verb, count)), quick=verb == "install")
    for verb in ("install", "replace"):
        yield Scenario("Flows from a file", f"{verb} an ACL of 10,000 rules from a file", "files",
                       "seconds", count=10000, replace=verb == "replace", access_list=True)


def newcomers():
    rules = traffic.make_rules(100)
    yield Scenario("New flows", "first frames of 500,000 flows, ACL of 100 rules", "newcomers",
                   "kflows", frames=Frames("newcomers", 500000,
                                           lambda: traffic.rule_frames(rules, 500000)),
                   flows=lambda: tuple(traffic.flow_lines(rules)))


# Each rule looks at a field of its own, so there are 32 x 16 x 16 ways to fall short of all.
SMALL_LIST = [traffic.Rule("tcp", (0, 0), (0, 0), None, 80),
              traffic.Rule("udp", (0, 0), (0, 0), 12345, None),
              traffic.Rule("ip", (0x0a00000a, 32), (0, 0), None, None)]


def attacks():
    for name, rules in (("3 rules", lambda: SMALL_LIST),
                        ("1,000 rules", lambda: traffic.make_rules(1000))):
        patterns = (
            ("1 flow", 1, lambda rules=rules: traffic.rule_frames(rules()[:1], 1)),
            ("100,000 that match", MANY, lambda rules=rules: traffic.rule_frames(rules(), MANY)),
            ("100,000 at random", MANY, lambda: traffic.random_frames(MANY)),
            ("100,000 near misses", MANY,
             lambda rules=rules: traffic.explosion_frames(rules(), MANY)))
        for pattern, count, make in patterns:
            yield Scenario(f"Attack on an ACL of {name}", f"attack on {name}: {pattern}", "replay",
                           frames=Frames(f"attack on {name}: {pattern}", count, make),
                           flows=lambda rules=rules: tuple(traffic.flow_lines(rules())),
                           quick=name == "3 rules" and pattern != "100,000 that match")
    known = {"flows": lambda: NORMAL, "learn": learn_frames(1), "macs": 1}
    yield Scenario("Attack on NORMAL", "attack on NORMAL: 1 pair of MACs", "replay",
                   frames=flow_frames(1, "mac"), **known)
    yield Scenario("Attack on NORMAL", "attack on NORMAL: flood of 100,000 source MACs", "replay",
                   frames=Frames("flood", MANY, lambda: traffic.flood_frames(MANY)), **known)


SCENARIOS = [*one_rule(), *access_lists(), *chains(), *normal(), *sizes(), *guests(), *changes(),
             *files(), *newcomers(), *attacks()]
assert all(row.kind != "replay" or row.frames.count <= MOST_FRAMES for row in SCENARIOS)
