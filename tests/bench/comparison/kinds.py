# SPDX-License-Identifier: Apache-2.0
"""How a scenario becomes figures. A kind takes (scenario, bench) and gives a Result."""
import contextlib
import dataclasses
import itertools
import os
import re
import statistics
import subprocess
import time

import traffic
from turnout.guest import Guest
from turnout.machine import PROCESSORS
from turnout.rpc import RpcError
from turnout.waiting import wait_stable, wait_until

from .changes import Changer
from .ovs import OpenVSwitch
from .subject import Refused, Setup, check_loss
from .testpmd import Testpmd
from .turnout_switch import Turnout

STEADY = 0.03       # a subject has warmed up when its rate changes by less than this
LEAST_SHARE = 0.9   # of its core; with less, other programs have spoiled the caches too
GUEST_MEMORY = 128  # MB, as turnout.guest says
# Fewer frames than a guest's ring has room for, so that none of a circle's can be lost.
CIRCLING_BURSTS, GUEST_RING = 8, 1024


@dataclasses.dataclass
class Bench:
    """How long and with whom."""

    folder: str
    rounds: int
    seconds: float
    warmup: float
    ovs: bool
    written: dict = dataclasses.field(default_factory=dict)  # name of frames -> path

    def pcap(self, frames):
        """The file with these frames, written when first asked for."""
        path = self.written.get(frames.name)
        if not path:
            path = os.path.join(self.folder, f"{len(self.written)}.pcap")  # no commas: see devargs
            traffic.write_pcap(path, frames.make(), frames.least)
            self.written[frames.name] = path
        return path

    def subjects(self, limit=True):
        return [kind() for kind in (Testpmd, Turnout, OpenVSwitch)
                if (kind is not Testpmd or limit) and (kind is not OpenVSwitch or self.ovs)]


@dataclasses.dataclass
class Result:
    figures: dict = dataclasses.field(default_factory=dict)  # subject's key -> [of each round]
    refused: dict = dataclasses.field(default_factory=dict)  # subject's key -> why
    notes: dict = dataclasses.field(default_factory=dict)    # subject's key -> [text]
    share: dict = dataclasses.field(default_factory=dict)    # subject's key -> [of the core, 0 to 1]
    idle: dict = dataclasses.field(default_factory=dict)     # subject's key -> [of its cycles, 0 to 1]

    def note(self, subject, text):
        if text not in self.notes.setdefault(subject.key, []):
            self.notes[subject.key].append(text)

    def refuse(self, subject, error):
        # The first line says it; a program's whole output may follow.
        self.refused[subject.key] = (f"{error}".strip() or type(error).__name__).splitlines()[0]
        self.figures.pop(subject.key, None)


# What starting or asking a subject may raise. A broken one must not take the others' figures away.
TROUBLE = (Refused, RuntimeError, OSError, AssertionError, LookupError, RpcError,
           subprocess.SubprocessError)


def memory(scenario, ovs):
    """Huge pages of 2 MB that all subjects of a scenario need together."""
    # A port that reads its file as it goes needs no room for all of it.
    held = scenario.frames and scenario.kind != "newcomers"
    setup = Setup(frames=scenario.frames.count if held else 0)
    kinds = [Testpmd, Turnout] + ([OpenVSwitch] if ovs else [])
    megabytes = sum(kind.memory(setup) for kind in kinds)
    if scenario.kind == "guests":
        megabytes += GUEST_MEMORY * len(kinds)
    return megabytes // 2 + 16


def setup_of(scenario, bench):
    return Setup(flows=scenario.flows(), pcap=bench.pcap(scenario.frames),
                 frames=scenario.frames.count, mac_table=scenario.mac_table, macs=scenario.macs,
                 learn=bench.pcap(scenario.learn) if scenario.learn else "")


def warm_up(subject, bench, result):
    """Until the rate is steady, or as long as the bound on it allows."""
    step = min(0.5, bench.seconds)
    end = time.monotonic() + bench.warmup
    last, steady = None, 0
    before = subject.read()
    wait_until(lambda: subject.counts().received > before.counts.received, "frames to arrive", 30)
    while time.monotonic() < end:
        time.sleep(step)
        after = subject.read()
        rate = ((after.counts.received - before.counts.received)
                / max(after.processor - before.processor, 1e-3))
        steady = steady + 1 if last and abs(rate - last) <= STEADY * last else 0
        if steady == 2:
            return
        before, last = after, rate
    result.note(subject, f"not steady after {bench.warmup:g} s of warm-up")


def measure(subject, bench, result, figure):
    """One round of one subject, which is paused before and after."""
    subject.resume()
    try:
        time.sleep(min(0.2, bench.seconds))  # caches and branch predictors
        before = subject.read()
        time.sleep(bench.seconds)
        after = subject.read()
        check_loss(before, after, subject.read)
        if after.counts.received == before.counts.received:
            raise Refused("no frame moved")
    finally:
        subject.pause()
    if after.idle:
        idle, cycles = (late - early for early, late in zip(before.idle, after.idle))
        # Open vSwitch's count of idle cycles wraps when a round of its loop was interrupted.
        if 0 <= idle <= cycles:
            result.idle.setdefault(subject.key, []).append(idle / max(1, cycles))
    share = (after.processor - before.processor) / (after.wall - before.wall)
    result.share.setdefault(subject.key, []).append(share)
    result.figures.setdefault(subject.key, []).append(figure(before, after))


def attempt(subject, result, work):
    """Do it unless the subject has been refused; refuse it if that fails."""
    if subject.key not in result.refused:
        try:
            work()
        except TROUBLE as error:
            result.refuse(subject, error)


def take_turns(subjects, bench, result, one_round):
    """`one_round(subject)` for all in turn, round by round."""
    for _ in range(bench.rounds):
        for subject in subjects:
            attempt(subject, result, lambda subject=subject: one_round(subject))
    for key, shares in result.share.items():
        if statistics.median(shares) < LEAST_SHARE:
            result.notes.setdefault(key, []).append(
                f"had less than {LEAST_SHARE:.0%} of its core: other programs ran there")
    for key, parts in result.idle.items():
        if statistics.median(parts) > 0.05:
            result.notes.setdefault(key, []).append(
                f"found nothing to do for {statistics.median(parts):.0%} of its cycles")
    return result


def begin(subject, result, start):
    """Start and warm up one subject, and pause it."""
    try:
        start()
        subject.pause()
    except TROUBLE as error:
        result.refuse(subject, error)
        subject.close()


def cycles_of(subjects):
    """Figure: time stamp counter cycles of the polling thread for each frame."""
    hertz = next(subject.hz for subject in subjects if subject.key == "turnout")

    def figure(before, after):
        if not hertz:
            raise Refused("the frequency of the time stamp counter is not known without Turnout")
        frames = after.counts.received - before.counts.received
        return hertz * (after.processor - before.processor) / frames
    return figure


def replay(scenario, bench, around=None):
    """A pcap file without end from port 1, through the switch, to port 2.

    `around(subject)` is a context for each measurement.
    """
    result, setup = Result(), setup_of(scenario, bench)
    with contextlib.ExitStack() as stack:
        subjects = bench.subjects()
        for subject in subjects:
            stack.callback(subject.close)

            def start(subject=subject):
                subject.start(setup)
                warm_up(subject, bench, result)
            begin(subject, result, start)
        figure = cycles_of(subjects)

        def one_round(subject):
            with around(subject, result) if around else contextlib.nullcontext():
                measure(subject, bench, result, figure)
        return take_turns(subjects, bench, result, one_round)


def changes(scenario, bench):
    """Replay while flows are added and deleted at a rate. The limit has no flows to change."""
    changers = {}

    @contextlib.contextmanager
    def around(subject, result):
        if subject.key == "limit" or scenario.rate == 0:
            yield
            return
        subject.resume()  # so that it answers before and after the measurement, too
        try:
            if subject.key not in changers:
                changers[subject.key] = Changer(subject.changes, scenario.rate, scenario.related)
            changer = changers[subject.key]
            changer.begin()
            try:
                yield
            finally:
                subject.resume()
                reached = changer.end()
        finally:
            subject.pause()
        if reached < 0.9 * scenario.rate:
            result.note(subject, f"reached {reached:,.0f} changes/s")
    try:
        return replay(scenario, bench, around)
    finally:
        for changer in changers.values():
            changer.close()


class Guests:
    """A guest with two ports that sends back by one what it receives by the other, and the subject
    between them. Both stand still at once: a full ring would cost frames."""

    def __init__(self, subject, folder, packed, size):
        self.subject, self.guest = subject, None
        self.sockets = tuple(os.path.join(folder, f"{subject.key}{number}") for number in (1, 2))
        self.packed, self.size = packed, size

    def start(self, flows):
        # It listens, and gives a prompt once the subject has connected to all of its ports.
        self.guest = Guest(self.sockets, server=True, packed=self.packed, hugepages=True,
                           queue_size=GUEST_RING, core=PROCESSORS[0],
                           arguments=(f"--txpkts={self.size - 4}",))
        wait_until(lambda: os.path.exists(self.sockets[0]), "the guest to listen", 30)
        self.subject.start(Setup(flows=flows, sockets=self.sockets))
        self.guest.ready(60)
        self.guest.start(CIRCLING_BURSTS)
        wait_until(lambda: self.subject.counts().sent > 10000, "frames to circle", 30)
        self.subject.partners.append(self.guest.process.pid)

    def check_circle(self):
        """Raise Refused if the circle has fewer frames than it began with."""
        self.subject.resume()
        answer = self.guest.stop()
        dropped = sum(int(count) for count in re.findall(r"TX-dropped: *(\d+)", answer))
        counts = wait_stable(self.subject.counts, "frames to stand still")
        self.subject.pause()
        if dropped or counts.received != counts.sent:
            raise Refused(f"the guest lost {dropped} frames, the switch "
                          f"{counts.received - counts.sent}: fewer circled than for others")

    def close(self):
        if self.guest:
            self.guest.kill()


def guests(scenario, bench):
    """Frames that circle between two ports of a guest: both directions added, in Mpps."""
    result, pairs = Result(), []
    with contextlib.ExitStack() as stack:
        for subject in bench.subjects():
            pair = Guests(subject, bench.folder, scenario.packed, scenario.size)
            pairs.append(pair)
            stack.callback(subject.close)
            stack.callback(pair.close)
            begin(subject, result, lambda pair=pair: pair.start(scenario.flows()))

        def figure(before, after):
            return (after.counts.sent - before.counts.sent) / (after.wall - before.wall) / 1e6
        take_turns([pair.subject for pair in pairs], bench, result,
                   lambda subject: measure(subject, bench, result, figure))
        for pair in pairs:
            attempt(pair.subject, result, pair.check_circle)
    return result


def flow_file(scenario, cookie, port):
    """Lines with exact matches of one shape, as a controller would write them for its endpoints; or
    an access list, whose masks are of hundreds of shapes."""
    if scenario.access_list:
        lines = traffic.flow_lines(traffic.make_rules(scenario.count - 1), f"output:{port}",
                                   last=f"output:{port}")
        yield from (f"cookie={cookie},{line}" for line in lines)
        return
    for number in range(scenario.count):
        address = traffic.dotted(0x0a000001 + number)
        yield (f"cookie={cookie},priority=100,udp,nw_src={address},nw_dst=10.128.0.1,"
               f"tp_dst={1 + number % 60000},actions=output:{port}")


def files(scenario, bench):
    """Wall seconds of one command that installs a file of flows, or replaces all flows by a file."""
    result = Result()
    with contextlib.ExitStack() as stack:
        subjects = bench.subjects(limit=False)
        paths = {}
        for subject in subjects:
            stack.callback(subject.close)
            begin(subject, result, lambda subject=subject: subject.start(Setup()))
            if subject.key not in result.refused:
                paths[subject.key] = [
                    subject.write_flows(name, flow_file(scenario, cookie, port))
                    for name, cookie, port in (("old.flows", "0xa", 2), ("new.flows", "0xb", 3))]

        def one_round(subject):
            old, new = paths[subject.key]
            subject.resume()
            try:
                subject.delete_flows()
                if scenario.replace:
                    subject.run("add-flows", old)
                began = time.monotonic()
                if scenario.replace:
                    subject.run("replace-flows", new, atomic=True)
                else:
                    subject.run("add-flows", new)
                took = time.monotonic() - began
                found = subject.flow_count("cookie=0xb/-1")
                if found != scenario.count or subject.flow_count() != scenario.count:
                    raise Refused(f"{found:,} flows are there instead of {scenario.count:,}")
            finally:
                subject.pause()
            result.figures.setdefault(subject.key, []).append(took)
        return take_turns(subjects, bench, result, one_round)


def newcomers(scenario, bench):
    """Thousand frames per second, each the first of its flow: a file that is read once. The limit
    is the reading of the file, about two million a second, and shared."""
    result, setup = Result(), Setup(flows=scenario.flows(), sink=True)
    path, numbers = bench.pcap(scenario.frames), itertools.count()
    with contextlib.ExitStack() as stack:
        subjects = bench.subjects(limit=False)
        for subject in subjects:
            stack.callback(subject.close)
            begin(subject, result, lambda subject=subject: subject.start(setup))

        def one_round(subject):
            subject.resume()
            try:
                subject.forget()
                before = subject.counts().sent
                subject.feed(next(numbers), path)
                try:
                    figure = rate_of_arrival(subject, before, scenario.frames.count, bench.seconds)
                finally:
                    subject.unfeed()
            finally:
                subject.pause()
            result.figures.setdefault(subject.key, []).append(figure)
        return take_turns(subjects, bench, result, one_round)


def rate_of_arrival(subject, before, count, seconds):
    """Thousand frames sent per second from the first on, until all are or the time is over."""
    first = wait_until(lambda: subject.counts().sent - before, "the first frames", 30, 0.001)
    began = time.monotonic()
    while True:
        sent, took = subject.counts().sent - before, time.monotonic() - began
        if sent >= count or took > 2 * seconds:
            break
        time.sleep(0.001)
    if sent <= first:
        raise Refused("the file was too short to see it being read")
    return (sent - first) / took / 1e3


KINDS = {"newcomers": newcomers, "replay": replay, "changes": changes, "guests": guests, "files": files}
