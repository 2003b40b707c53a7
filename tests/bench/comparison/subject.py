# SPDX-License-Identifier: Apache-2.0
"""What is measured: the settings that all subjects get, and what each of them has to be able to."""
import dataclasses
import os
import re
import signal
import time

MAC_AGING = 3600  # seconds; a subject that stands still for minutes must not forget


@dataclasses.dataclass(frozen=True)
class Setup:
    """What a subject is to be set up with. Port 1 receives, port 2 sends; guests: both do both."""

    flows: tuple = ()
    pcap: str = ""         # frames that port 1 receives without end
    frames: int = 0        # how many these are
    learn: str = ""        # frames that port 2 receives once, before port 1 is there
    macs: int = 0          # addresses that have to be known before anything is measured
    mac_table: int = 0     # 0: the subject's default
    sink: bool = False     # there is a port 2 even though port 1 receives nothing
    sockets: tuple = ()    # of guests that listen; then there is no pcap


@dataclasses.dataclass(frozen=True)
class Counts:
    """Sums over all ports since the start. `lost`: {reason: frames}, whatever the reason."""

    received: int
    sent: int
    lost: dict


@dataclasses.dataclass(frozen=True)
class Reading:
    """Counts, with the processor time that the polling thread has had until then, in seconds.

    `took`: how long it took to read the counts, in which frames moved on. `idle`: (cycles without
    work, all cycles) as the subject counts them, or None.
    """

    counts: Counts
    wall: float
    processor: float
    took: float
    idle: tuple = None


class Subject:
    """Life: start(setup), then resume() and pause() as often as wanted, then close().

    close() is harmless whatever start() came to. A subject is running after start().
    """

    key = ""        # in results
    name = ""       # for people
    thread = ""     # a regular expression that its polling thread's name begins with

    def __init__(self):
        self._polling = None
        self.partners = []  # pids of others that stand still when this does

    def start(self, setup):
        raise NotImplementedError

    def close(self):
        raise NotImplementedError

    def pids(self):
        """The processes to stop while another subject has the core; the first one polls."""
        raise NotImplementedError

    def counts(self):
        raise NotImplementedError

    def feed(self, number, pcap):
        """Add a third port that receives the frames of a file once; `number` is the round's."""
        raise NotImplementedError

    def unfeed(self):
        """Take it away again."""
        raise NotImplementedError

    def forget(self):
        """Empty whatever was cached of flows that packets were seen of."""

    def resume(self):
        for pid in [*self.pids(), *self.partners]:
            os.kill(pid, signal.SIGCONT)

    def pause(self):
        for pid in [*self.pids(), *self.partners]:
            os.kill(pid, signal.SIGSTOP)

    def _polling_thread(self):
        """/proc folder of the thread that polls; looked for once."""
        if self._polling is None:
            folder = f"/proc/{self.pids()[0]}/task"
            found = []
            for task in os.listdir(folder):
                with open(f"{folder}/{task}/comm", encoding="utf-8") as file:
                    if re.match(self.thread, file.read()):
                        found.append(f"{folder}/{task}")
            if len(found) != 1:
                raise RuntimeError(f"{self.name} has {len(found)} threads named {self.thread}...")
            self._polling = found[0]
        return self._polling

    def idle(self):
        """(cycles without work, all cycles) of the polling thread, or None if nobody counts them."""
        return None

    def read(self):
        idle, began = self.idle(), time.monotonic()
        counts, wall = self.counts(), time.monotonic()
        with open(self._polling_thread() + "/schedstat", encoding="ascii") as file:
            nanoseconds = int(file.read().split()[0])
        return Reading(counts, wall, nanoseconds / 1e9, wall - began, idle)


class Refused(Exception):
    """A figure that must not be published, and why."""


def check_loss(before, after, again):
    """Raise Refused if frames were lost between two readings; `again` reads once more.

    Received and sent are not read at the same moment, so a difference has to persist, and to be
    more than can have moved meanwhile.
    """
    lost = {reason: count - before.counts.lost.get(reason, 0)
            for reason, count in after.counts.lost.items()
            if count != before.counts.lost.get(reason, 0)}
    if lost:
        raise Refused("frames were dropped: "
                      + ", ".join(f"{reason} {count}" for reason, count in sorted(lost.items())))
    for _ in range(5):
        received = after.counts.received - before.counts.received
        missing = received - (after.counts.sent - before.counts.sent)
        rate = received / (after.wall - before.wall)
        if abs(missing) <= max(2048, received // 1000, rate * (before.took + after.took)):
            return
        after = again()
    raise Refused(f"{missing} of {received} frames that came in did not go out")
