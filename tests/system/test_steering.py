# SPDX-License-Identifier: Apache-2.0
"""tx-steering: which of a guest's receive queues a frame goes to. The guest is a frontend that looks
at a queue only after an interrupt for it, so a frame that it is not told of is missed."""
import random
import select
import threading

import pytest
from turnout import frontend as vu
from turnout.frames import IP, UDP, Ether, Raw
from turnout.frontend import HEADER, START, Frontend
from turnout.machine import PMD_CORE, PMD_MASK, PROCESSORS
from turnout.wire import Wire
from turnout.waiting import wait_until

PAIRS = 4
SLOT = 192  # bytes of a buffer
BATCH = 48
BUFFERS = 240
FEATURES = vu.PROTOCOL | vu.VERSION_1 | vu.MERGEABLE | vu.MULTIPLE_QUEUES


class Sender:
    """A frontend that sends numbered frames of many flows."""

    def __init__(self, switch, bridge, number):
        self.number = number
        path = switch.path(f"from{number}.sock")
        switch.add_port(bridge, f"from{number}", type="vhostuser", mode="server", ofport=number,
                        path=path)
        self.end = Frontend(path).start()
        switch.wait_state(f"from{number}", "running")
        self._places = [self.end.allocate(SLOT) for _ in range(BATCH)]
        self._count = 0

    def send(self, flows):
        """One frame of each of up to BATCH flows. Returns the set of (sender, flow, number)."""
        ring, sent = self.end.rings[1], set()
        for place, flow in zip(self._places, flows):
            self._count += 1
            frame = bytes(
                Ether(src=f"02:00:00:00:0a:{self.number:02x}", dst="02:00:00:00:0b:01") /
                IP(src=f"10.1.0.{self.number}", dst="10.1.1.1") / UDP(sport=flow, dport=7) /
                Raw(self._count.to_bytes(4, "big") + bytes(40)))
            self.end.memory[place:place + HEADER + len(frame)] = bytes(HEADER) + frame
            ring.add((START + place, HEADER + len(frame)))
            sent.add((self.number, flow, self._count))
        return sent

    def wait_taken(self, count):
        taken = []

        def all_taken():
            taken.extend(self.end.rings[1].take())
            return len(taken) == count
        wait_until(all_taken, "the switch to take what was sent", pause=0.001)


class Receiver:
    """A frontend with PAIRS pairs of queues at port "guest"."""

    def __init__(self, switch, bridge):
        self.switch, path = switch, switch.path("guest.sock")
        switch.add_port(bridge, "guest", type="vhostuser", mode="server", ofport=9, path=path)
        self.end = Frontend(path, FEATURES, pairs=PAIRS, size=256).start()
        self.rings = self.end.rings[0::2]
        self._places = [self.end.give_buffers(BUFFERS, SLOT, pair) for pair in range(PAIRS)]
        self._next = [0] * PAIRS
        switch.wait_state("guest", "running")
        wait_until(lambda: switch.port("guest")["status"]["tx_queues_enabled"] == str(PAIRS),
                   "all queues to be on")
        for ring in self.rings:
            ring.interrupts()

    def turn(self, pair, on):
        assert self.end.enable(self.rings[pair], on)

    def turn_and_wait(self, pair, on):
        """Until frames go by it: the library answers before it says what has changed."""
        before = self.enabled()
        self.turn(pair, on)
        wait_until(lambda: self.enabled() == before + (1 if on else -1), "the queue to be switched")

    def enabled(self):
        return int(self.switch.port("guest")["status"]["tx_queues_enabled"])

    def _take(self, pair):
        for _, written in self.rings[pair].take():
            place = self._places[pair][self._next[pair] % BUFFERS]
            self._next[pair] += 1
            frame = Ether(self.end.memory[place + HEADER:place + written])
            number = int.from_bytes(bytes(frame[UDP].payload)[:4], "big")
            yield int(frame[IP].src.rsplit(".", 1)[1]), frame[UDP].sport, number
            self.rings[pair].add((START + place, SLOT))

    def hear(self, wanted, deadline=20.0):
        """Take what interrupts tell of until all of `wanted` has come: [(pair, frame), ...]."""
        heard, missing = [], set(wanted)
        calls = {ring.call: pair for pair, ring in enumerate(self.rings)}

        def more():
            for call in select.select(list(calls), [], [], 1)[0]:
                self.rings[calls[call]].interrupts()
                for frame in self._take(calls[call]):
                    heard.append((calls[call], frame))
                    missing.remove(frame)
            return not missing
        wait_until(more, f"{len(wanted)} frames", deadline, pause=0)
        return heard

    def close(self):
        self.end.close()


def steer(switch, how):
    words = ("set", "Interface", "guest", f"other_config:tx-steering={how}") if how else \
        ("remove", "Interface", "guest", "other_config", "tx-steering")
    switch.vsctl(*words)


def drops(switch, name):
    return switch.rpc("stats.ports", port=name)[0]["drops"]


@pytest.fixture
def ends(switch, bridge):
    """(sender, sender, receiver), with two packet threads if there are processors for them."""
    other = next((core for core in PROCESSORS if core != PMD_CORE), PMD_CORE)
    switch.set_flows(bridge, "actions=output:9")
    switch.vsctl("set", "Open_vSwitch", ".",
                 f"other_config:pmd-cpu-mask={hex(1 << PMD_CORE | 1 << other)}")
    made = [Sender(switch, bridge, 1), Sender(switch, bridge, 2), Receiver(switch, bridge)]
    yield made
    for sender in made[:2]:
        sender.end.close()
    made[2].close()
    switch.vsctl("set", "Open_vSwitch", ".", f"other_config:pmd-cpu-mask={PMD_MASK}")


def queue_packets(switch, name, direction):
    """Packets of each queue, by the statistics of the port."""
    stats, end = switch.stats(name), "_packets"
    start = direction + "_q"
    return {int(key[len(start):-len(end)]): count for key, count in stats.items()
            if key.startswith(start) and key.endswith(end)}


def places(senders, receiver, flows=range(1000, 1000 + BATCH), rounds=4):
    """Send `rounds` frames of each flow. Returns {(sender, flow): pair}, having made sure that it is
    one pair each, in which they came in order."""
    seen, last = {}, {}
    for _ in range(rounds):
        wanted = set()
        for sender in senders:
            wanted |= sender.send(flows)
        heard = receiver.hear(wanted)
        for sender in senders:
            sender.wait_taken(len(flows))
        for pair, (sender, flow, number) in heard:
            assert seen.setdefault((sender, flow), pair) == pair
            assert last.get((sender, flow), 0) < number
            last[sender, flow] = number
    return seen


def queues_by_thread(senders, receiver):
    """The pairs that frames come by. A sender may be given to another thread at any time."""
    heard = []
    for _ in range(4):
        heard += receiver.hear(set().union(*(sender.send(range(BATCH)) for sender in senders)))
        for sender in senders:
            sender.wait_taken(BATCH)
    return {pair for pair, _ in heard}


def test_flows_have_queues(switch, ends):
    *senders, receiver = ends
    # By thread, as a port begins: not more queues than threads.
    assert len(queues_by_thread(senders, receiver)) <= 2
    steer(switch, "hash")
    assert switch.port("guest")["status"]["tx_steering"] == "hash"
    seen = places(senders, receiver)
    assert set(seen.values()) == set(range(PAIRS))
    # A flow is where it is whoever sends it, and whenever.
    assert places(senders[:1], receiver).items() <= seen.items()
    # What is switched off gets nothing, and nothing is lost.
    for off in ((2,), (2, 0), (2, 0, 3)):
        receiver.turn_and_wait(off[-1], False)
        assert set(places(senders, receiver).values()) == set(range(PAIRS)) - set(off)
    for pair in (3, 0, 2):
        receiver.turn_and_wait(pair, True)
    assert places(senders, receiver) == seen
    for how in ("thread", "hash", None):
        steer(switch, how)
        if how == "hash":
            assert places(senders, receiver) == seen
        else:
            assert len(queues_by_thread(senders, receiver)) <= 2
    assert switch.port("guest")["status"]["connections"] == "1"
    for name in ("from1", "from2", "guest"):
        assert drops(switch, name) == {}


def while_changing(change, least, senders, receiver):
    """Frames of many flows, none of which may be missed, until a thread has called change(number)
    `least` times. Returns how many frames those were."""
    chosen, stop, done, failures, frames = random.Random(7), threading.Event(), [], [], 0

    def run():
        try:
            while not stop.is_set():
                change(len(done))
                done.append(True)
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)
    changer = threading.Thread(target=run)
    changer.start()
    try:
        while len(done) < least and not failures:
            counts = [chosen.randint(1, BATCH) for _ in senders]
            wanted = set()
            for sender, count in zip(senders, counts):
                wanted |= sender.send(chosen.sample(range(2000), count))
            assert len(receiver.hear(wanted)) == sum(counts)
            for sender, count in zip(senders, counts):
                sender.wait_taken(count)
            frames += sum(counts)
    finally:
        stop.set()
        changer.join()
    assert not failures
    return frames


def test_statistics_of_queues(switch, ends):
    *senders, receiver = ends
    steer(switch, "hash")
    expected = dict.fromkeys(range(PAIRS), 0)
    for off in (3, 1):
        receiver.turn_and_wait(off, False)
        for pair in places(senders, receiver, rounds=5).values():
            expected[pair] += 5
        assert queue_packets(switch, "guest", "tx") == expected
    assert expected[3] == 0 and expected[1] > 0
    assert sum(expected.values()) == switch.stats("guest")["tx_packets"] == 20 * BATCH
    assert queue_packets(switch, "guest", "rx") == dict.fromkeys(range(PAIRS), 0)
    assert queue_packets(switch, "from1", "rx") == {0: 10 * BATCH}
    # What the guest sends is counted at the queue that it sends by.
    for pair, count in ((0, 3), (2, 5)):
        for _ in range(count):
            receiver.end.transmit(bytes(60), pair)
    wait_until(lambda: queue_packets(switch, "guest", "rx") == {0: 3, 1: 0, 2: 5, 3: 0},
               "what the guest has sent")
    # The sums do not begin anew when the figures for vsctl pmd-stats-show do.
    switch.vsctl("pmd-stats-clear")
    assert queue_packets(switch, "guest", "tx") == expected
    assert queue_packets(switch, "from1", "rx") == {0: 10 * BATCH}


def test_steering_changes_under_traffic(switch, ends):
    """Nothing is lost, and nothing waits for an interrupt that does not come."""
    *senders, receiver = ends
    rpc = switch.connect()
    try:
        def change(number):
            steering = "thread" if number % 2 else "hash"
            rpc.call("db.set", table="Interface", record="guest",
                     values={"other_config": {"tx-steering": steering}})
        frames = while_changing(change, 60, senders, receiver)
    finally:
        rpc.close()
    assert switch.stats("guest")["tx_packets"] == frames
    assert drops(switch, "guest") == {}
    assert switch.port("guest")["status"]["connections"] == "1"


@pytest.mark.parametrize("how", ["thread", "hash"])
def test_queues_change_under_traffic(switch, ends, how):
    """A queue that is switched on takes frames from then on; one that is switched off has had its
    last."""
    *senders, receiver = ends
    on = set(range(PAIRS))
    steer(switch, how)
    chosen = random.Random(8)

    def change(_):
        pair = chosen.randrange(PAIRS)
        if on != {pair}:
            receiver.turn(pair, pair not in on)
            on.symmetric_difference_update({pair})
    frames = while_changing(change, 5000, senders, receiver)
    assert switch.stats("guest")["tx_packets"] == frames
    assert drops(switch, "guest") == {}


def test_refused(switch, bridge, tmp_path):
    with Wire(switch, bridge, tmp_path) as wire:
        wire.add_output(1)
        assert set(queue_packets(switch, "p1", "rx")) == {0}
        assert not queue_packets(switch, "p1", "tx")
        done = switch.run("vswitch/vsctl", "set", "Interface", "p1",
                          "other_config:tx-steering=hash", status=None)
        assert done.status != 0 and "vhostuser" in done.err
        assert switch.port("p1")["other_config"] == {}
        switch.vsctl("set", "Interface", "p1", "other_config:tx-steering=thread")
    switch.add_port(bridge, "vh", type="vhostuser", mode="server", path=switch.path("vh.sock"))
    done = switch.run("vswitch/vsctl", "set", "Interface", "vh", "other_config:tx-steering=some",
                      status=None)
    assert done.status != 0 and "thread" in done.err and "hash" in done.err
