# SPDX-License-Identifier: Apache-2.0
"""Guests that mean no good: a thousand kinds of wrong messages and rings, at two ports at once, while
two ordinary guests beside them lose nothing.

The long form: TURNOUT_OPERATIONS=1000000 TURNOUT_SEED=7 and `-k hostile`, best with a build that has
sanitizers.
"""
import collections
import itertools
import os
import threading
import time

import pytest
from turnout.frames import read_pcap, write_pcap
from turnout.frontend import Frontend
from turnout.machine import program
from turnout.process import Process
from turnout.survivor import Stream
from turnout.switch import SANITIZER
from turnout.waiting import wait_until

OPERATIONS = int(os.environ.get("TURNOUT_OPERATIONS", "20000"))
SEED = int(os.environ.get("TURNOUT_SEED", "1"))
WITHDRAW = bool(os.environ.get("TURNOUT_WITHDRAW"))
# Freed memory that the sanitizer keeps would look like memory that is never freed.
os.environ.setdefault("ASAN_OPTIONS", "quarantine_size_mb=16")

SERVER, CLIENT, SINK, FLOOD = ("h1", 31), ("h2", 32), ("sink", 33), ("source", 34)
FLOODED = [bytes(0xb0 | n & 15 for n in range(size)) for size in (60, 300, 1514) * 20]
ANSWER_SECONDS = 10


class Watch:
    """What datapathd is like while something happens to it: does it answer, what does it hold?"""

    Sample = collections.namedtuple("Sample", "seconds answer_seconds memory_mb descriptors")

    def __init__(self, switch):
        self.switch, self.pid = switch, switch.pid_of("datapathd")
        self.samples, self.broken, self.ending = [], None, threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _sample(self, rpc):
        begin = time.monotonic()
        rpc.call("stats.ports", port=SERVER[0])
        answered = time.monotonic()
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
        self.samples.append(self.Sample(begin, answered - begin, pages // 256,
                                        len(os.listdir(f"/proc/{self.pid}/fd"))))

    def _run(self):
        try:
            rpc = self.switch.connect()
            while not self.ending.wait(0.1):
                self._sample(rpc)
            rpc.close()
        except BaseException as error:  # pylint: disable=broad-except
            self.broken = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join(ANSWER_SECONDS)

    def check(self):
        assert self.broken is None, f"datapathd does not answer: {self.broken!r}"
        assert self.switch.pid_of("datapathd") == self.pid
        slowest = max(sample.answer_seconds for sample in self.samples)
        assert slowest < ANSWER_SECONDS, f"an answer took {slowest:.1f} s"
        half = self.samples[len(self.samples) // 2:]
        middle, last = half[:max(1, len(half) // 8)], half[-max(1, len(half) // 8):]
        for what, slack in (("descriptors", 32), ("memory_mb", 64)):
            before = max(getattr(sample, what) for sample in middle)
            after = min(getattr(sample, what) for sample in last)
            assert after <= before + slack, f"{what} grow: {before} at half-time, {after} in the end"


class Stage:
    """Two hostile guests, a flood of frames for both, and a file of what they send."""

    def __init__(self, switch, bridge, folder):
        self.switch, self.sink = switch, str(folder / "sink.pcap")
        self.guests = []
        for (name, ofport), mode in ((SERVER, "server"), (CLIENT, "client")):
            switch.add_port(bridge, name, type="vhostuser", mode=mode, ofport=ofport,
                            path=switch.path(name + ".sock"))
        flood = write_pcap(folder / "flood.pcap", FLOODED)
        switch.add_port(bridge, SINK[0], type="dpdk", ofport=SINK[1],
                        devargs=f"net_pcap80,tx_pcap={self.sink}")
        # Not more than a disk takes.
        switch.ofctl("add-meter", bridge,
                     "meter=1,pktps,burst,bands=type=drop,rate=1000,burst_size=100")
        for here, there in ((SERVER, CLIENT), (CLIENT, SERVER)):
            switch.ofctl("add-flow", bridge, f"in_port={here[1]},actions=output:{there[1]},"
                         f"meter:1,output:{SINK[1]}")
        switch.ofctl("add-flow", bridge,
                     f"in_port={FLOOD[1]},actions=output:{SERVER[1]},output:{CLIENT[1]}")
        switch.add_port(bridge, FLOOD[0], type="dpdk", ofport=FLOOD[1],
                        devargs=f"net_pcap81,rx_pcap={flood},infinite_rx=1")

    def start(self, operations, seed):
        # Who listens is called at most twice a second, and so gets less done.
        for name, arguments, share in ((SERVER[0], [], 23), (CLIENT[0], ["--listen"], 1)):
            command = [program("tests/hostile/hostile_guest"), self.switch.path(name + ".sock"),
                       "--seed", str(seed), "--operations", str(operations * share // 24)]
            self.guests.append(Process(name, command + arguments
                                       + (["--withdraw"] if WITHDRAW else [])))

    def wait(self, deadline):
        for guest in self.guests:
            assert guest.wait(deadline) == 0, guest.output[-3000:]
            print(guest.output)

    def frames(self):
        """What the guests have sent."""
        return read_pcap(self.sink)

    def close(self):
        for guest in self.guests:
            guest.kill()
        for name, _ in (FLOOD, SINK, SERVER, CLIENT):
            self.switch.rpc("port.del", name=name, if_exists=True)


@pytest.fixture
def stage(switch, bridge, tmp_path):
    made = Stage(switch, bridge, tmp_path)
    yield made
    made.close()


def check_log(switch):
    """All of it: there is more than Switch.stop() reads."""
    with open(switch.path("datapathd.log"), encoding="utf-8", errors="replace") as file:
        for line in file:
            assert not SANITIZER.search(line), line + "".join(itertools.islice(file, 40))


def test_guests_that_mean_no_good(switch, bridge, stage):
    canary = os.urandom(8)
    with Stream(switch, bridge, filler=canary) as stream:
        with Watch(switch) as watch:
            stage.start(OPERATIONS, SEED)
            stage.wait(60 + OPERATIONS // 100)
        check_log(switch)
        stream.wait_moving()
        watch.check()
        sent, lost = stream.finish()
        assert sent > 1000 and lost == 0, f"{lost} of {sent} frames of others are lost"
    check_log(switch)
    frames = stage.frames()
    theirs = bytes(range(0xa0, 0xc0))
    assert sum(not sent.strip(theirs) for sent in frames) > 100, "hardly any frame of theirs"
    leaks = [sent for sent in frames if canary in sent]
    assert not leaks, (f"{len(leaks)} of {len(frames)} frames of theirs have parts of others, one of "
                       f"{len(leaks[0])} bytes at {leaks[0].index(canary)}: {leaks[0].hex()}")
    # The port is as good as it was.
    with Frontend(switch.path(SERVER[0] + ".sock")) as end:
        end.start()
        switch.wait_state(SERVER[0], "running")
        end.give_buffers(32)
        wait_until(end.rings[0].take, "frames of the flood")
        end.transmit(FLOODED[0])
        wait_until(end.rings[1].take, "a frame to be taken")
