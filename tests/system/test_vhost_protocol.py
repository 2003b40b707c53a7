# SPDX-License-Identifier: Apache-2.0
"""Messages of the vhost-user protocol under way, and frontends that mean no good."""
import os
import select
import socket
import struct
import threading

import pytest
from turnout import frontend as vu
from turnout.frames import Ether, Raw
from turnout.frontend import Frontend
from turnout.survivor import Stream
from turnout.waiting import wait_until

A_MAC, B_MAC = "02:00:00:00:0a:01", "02:00:00:00:0b:01"


def frame(number=0, size=100, source=A_MAC, destination=B_MAC):
    head = bytes(Ether(src=source, dst=destination, type=0x88b5))
    return head + bytes(Raw(bytes((number + i) & 0xff for i in range(size - len(head)))))


def drops(switch, name):
    return switch.rpc("stats.ports", port=name)[0]["drops"]


def access(switch, name):
    return switch.port(name)["status"].get("ring_access")


class Pair:
    """Two frontends, and everything goes from one to the other."""

    def __init__(self, switch, bridge, start=True, **second):
        self.switch, self.ends = switch, []
        for index, name in ((1, "va"), (2, "vb")):
            switch.add_port(bridge, name, type="vhostuser", mode="server", ofport=index,
                            path=switch.path(f"{name}.sock"))
            options = second if name == "vb" else {}
            self.ends.append(Frontend(switch.path(f"{name}.sock"), **options))
        switch.set_flows(bridge, "in_port=1,actions=output:2", "in_port=2,actions=output:1")
        self.a.start()
        if start:
            self.b.start()
            self.wait_running()

    @property
    def a(self):
        return self.ends[0]

    @property
    def b(self):
        return self.ends[1]

    def wait_running(self):
        for name in ("va", "vb"):
            self.switch.wait_state(name, "running")
            wait_until(lambda name=name: access(self.switch, name) == "direct", f"{name} direct")

    def cross(self, number=0, size=100, pair=0):
        """One frame from a to b, into a buffer made for it."""
        ring = self.b.rings[2 * pair]
        sent, place, = frame(number, size), self.b.give_buffers(1, 12 + size, pair)[0]
        self.a.transmit(sent)
        (_, written), = wait_until(ring.take, "the frame to arrive")
        assert written == 12 + size
        assert self.b.memory[place + 12:place + 12 + size] == sent
        self.a.rings[1].take()

    def another_b(self):
        """The switch has hung up on b; another one is welcome."""
        self.switch.wait_state("vb", "listening")
        self.b.close()
        self.ends[1] = Frontend(self.switch.path("vb.sock"))
        self.b.start()
        self.wait_running()
        self.cross()

    def cross_to_nowhere(self):
        """One frame from a to b that is dropped for want of a buffer."""
        before = drops(self.switch, "vb").get("tx_full", 0)
        self.a.transmit(frame())
        wait_until(lambda: drops(self.switch, "vb").get("tx_full", 0) == before + 1,
                   "the frame to be dropped")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for end in self.ends:
            end.close()


@pytest.fixture
def alive(switch):
    """datapathd is the same afterwards."""
    before = switch.pid_of("datapathd")
    yield
    assert before and switch.pid_of("datapathd") == before


def test_frames_cross(switch, bridge, alive):
    with Pair(switch, bridge) as pair:
        pair.b.rings[0].interrupts(), pair.a.rings[1].interrupts()
        for number in range(200):
            pair.cross(number, 60 + 7 * number)
            pair.b.rings[0].wait_interrupt()
            pair.a.rings[1].wait_interrupt()


def test_used_ring_beyond_the_memory(switch, bridge, alive):
    """Its first bytes are the guest's, those behind them would be somebody else's."""
    with Pair(switch, bridge, start=False) as pair:
        b, used = pair.b, vu.MEMORY - 64
        assert b.hello() and b.set_memory()
        b.start_ring(b.rings[0], used=used)
        b.start_ring(b.rings[1])
        b.enable(b.rings[0]), b.enable(b.rings[1])
        pair.wait_running()
        b.give_buffers(8)
        for _ in range(8):
            pair.cross_to_nowhere()
        assert b.memory[used:] == bytes(64)
        # The other ring of the pair is as good as any.
        b.transmit(frame())
        wait_until(b.rings[1].take, "the frame out of the good ring")


def test_ring_that_grows_behind_its_addresses(switch, bridge, alive):
    """A larger size for a ring that is mapped: its end is another one then."""
    with Pair(switch, bridge, start=False) as pair:
        b = pair.b
        place = vu.MEMORY - 1024
        assert b.hello() and b.set_memory()
        b.start_ring(b.rings[0], used=place)  # 518 bytes of it
        b.start_ring(b.rings[1])
        b.enable(b.rings[0]), b.enable(b.rings[1])
        pair.wait_running()
        b.give_buffers(4)
        pair.a.transmit(frame())
        wait_until(lambda: b.rings[0].number(place + 2) == 1, "a frame")
        assert b.set_state(vu.SET_VRING_NUM, 0, 32768)
        pair.cross_to_nowhere()
        assert b.set_state(vu.SET_VRING_NUM, 0, b.size)
        pair.a.transmit(frame())
        wait_until(lambda: b.rings[0].number(place + 2) == 2, "a frame after that")


def test_memory_that_cannot_be_mapped(switch, bridge, alive):
    """The library has dropped the old memory by then, and rings are where there is nothing."""
    with Pair(switch, bridge) as pair:
        pair.cross()
        wrong, other = os.pipe()
        try:
            assert not pair.b.set_memory(((0, vu.MEMORY // 2),), file=wrong)
        finally:
            os.close(wrong), os.close(other)
        pair.b.give_buffers(1)
        assert pair.b.set_features(pair.b.features)
        pair.cross_to_nowhere()
        # Anything else that has rings started anew.
        assert pair.b.tell(vu.SET_PROTOCOL_FEATURES,
                           struct.pack("<Q", vu.LOG_SHMFD | vu.REPLY_ACK))
        pair.cross_to_nowhere()
        assert pair.b.set_memory()
        pair.a.transmit(frame())
        wait_until(pair.b.rings[0].take, "a frame into the memory that came instead")


def test_memory_of_several_regions(switch, bridge, alive):
    """Buffers begin in one and end in the next; each is mapped on its own."""
    with Pair(switch, bridge, start=False) as pair:
        quarter = vu.MEMORY // 4
        parts = [(n * quarter, quarter) for n in (3, 0, 2, 1)]
        pair.b.start(parts)
        pair.wait_running()
        for number, border in enumerate((1, 2, 3) * 20):
            at, sent = border * quarter - 64 - number, frame(number, 1400)
            pair.b.rings[0].add((vu.START + at, 1412))
            pair.a.transmit(sent)
            (_, written), = wait_until(pair.b.rings[0].take, "the frame to arrive")
            assert written == 1412
            assert pair.b.memory[at + 12:at + 1412] == sent
            # And back from there.
            place = pair.a.give_buffers(1)[0]
            pair.b.rings[1].add((vu.START + at, 1412))
            wait_until(pair.a.rings[0].take, "the frame to come back")
            assert pair.a.memory[place + 12:place + 1412] == sent
            pair.a.free = place
            pair.a.rings[1].take(), pair.b.rings[1].take()


def test_buffers_that_are_no_frames_are_told_of(switch, bridge, alive):
    """A guest that waits for its ring to have room has to hear of it whatever was in there."""
    with Pair(switch, bridge) as pair:
        ring = pair.a.rings[1]
        for _ in range(20):
            ring.interrupts()
            ring.add((vu.START + pair.a.free, 5))
            ring.wait_interrupt()
            assert len(ring.take()) == 1
        assert switch.stats("va")["rx_errors"] == 20


def test_interrupts_of_a_ring_that_is_off(switch, bridge, alive):
    """A guest chooses an interrupt for a queue before it switches the queue on."""
    with Pair(switch, bridge) as pair:
        ring, other = pair.b.rings[0], os.eventfd(0)
        assert pair.b.enable(ring, False)
        assert pair.b.set_call(ring, other)
        assert pair.b.enable(ring)
        os.eventfd_write(other, 1), os.eventfd_read(other)  # those of before
        ring.call, other = other, ring.call
        ring.interrupts()
        pair.cross()
        ring.wait_interrupt()
        os.close(other)


def test_new_interrupts_while_frames_come(switch, bridge, alive):
    """As a guest does that masks and unmasks: no frame is without its interrupt."""
    with Pair(switch, bridge) as pair:
        ring = pair.b.rings[0]
        for number in range(100):
            before = ring.call
            pair.b.give_buffers(1, 112)
            pair.a.transmit(frame(number))
            ring.call = os.eventfd(0)
            assert pair.b.set_call(ring)
            wait_until(ring.take, "the frame to arrive")
            ring.wait_interrupt()
            os.close(before)
        assert drops(switch, "vb") == {}


def test_queues_come_and_go_while_frames_come(switch, bridge, alive):
    """Threads are given another queue at any time: each frame is told of all the same."""
    features = vu.PROTOCOL | vu.VERSION_1 | vu.MERGEABLE | vu.MULTIPLE_QUEUES
    with Pair(switch, bridge, pairs=2, features=features) as pair:
        b = pair.b
        for ring in (b.rings[0], b.rings[2]):
            for _ in range(60):
                b.give_buffers(1, 112, ring.index // 2)
        for number in range(50):
            second = bool(number % 2)
            pair.a.transmit(frame(number))
            for index in (2, 3):
                assert b.enable(b.rings[index], second)
            receiving = [ring for ring in (b.rings[0], b.rings[2])
                         if wait_until(lambda: b.rings[0].used_index() + b.rings[2].used_index()
                                       + drops(switch, "vb").get("tx_full", 0) > number, "a frame")
                         and ring.take()]
            for ring in receiving:
                ring.wait_interrupt()


def test_ring_stops_and_goes_on(switch, bridge, alive):
    with Pair(switch, bridge) as pair:
        total = 0
        for again in range(5):
            for number in range(30):
                pair.cross(number)
            total += 30
            ring = pair.b.rings[0]
            assert pair.b.stop_ring(ring) == total
            ring.interrupts()
            pair.b.start_ring(ring, base=total)
            assert pair.b.enable(ring)
            pair.wait_running()
            # Whoever had it before may have used buffers and told nobody.
            ring.wait_interrupt()
            pair.a.free = pair.b.free = pair.b.rings[-1].end + 64


def test_guest_announces_itself_after_it_has_moved(switch, bridge, alive):
    with Pair(switch, bridge) as pair:
        for number in range(100):
            pair.cross(number)
        switch.set_flows(bridge, "actions=normal")
        place, = pair.a.give_buffers(1)
        mac = bytes.fromhex("02000000cc01")
        assert pair.b.tell(vu.SEND_RARP, mac + bytes(2))
        wait_until(lambda: {row["mac"]: row["ofport"] for row in switch.rpc(
            "fdb.show", bridge=bridge)}.get("02:00:00:00:cc:01") == 2, "the address to be learned")
        (_, written), = wait_until(pair.a.rings[0].take, "the announcement at the other port")
        # Behind Ethernet's and ARP's 42 bytes there is nothing, of those frames either.
        assert written == 12 + 64
        assert pair.a.memory[place + 12 + 42:place + written] == bytes(22)


class DirtyLog:
    """What was written since the migration began, a bit per page."""

    def __init__(self, end):
        self.end, self.size = end, (vu.START + vu.MEMORY) // 4096 // 8
        self.file = os.memfd_create("log")
        os.ftruncate(self.file, self.size)

    def start(self):
        self.end.ask(vu.SET_LOG_BASE, struct.pack("<QQ", self.size, 0), [self.file])
        assert self.end.set_features(self.end.features | vu.LOG_ALL)
        for ring in self.end.rings:
            assert self.end.set_address(ring, log=True)

    def stop(self):
        assert self.end.set_features(self.end.features)
        for ring in self.end.rings:
            assert self.end.set_address(ring)

    def has(self, place):
        page = (vu.START + place) // 4096
        return bool(os.pread(self.file, 1, page // 8)[0] >> page % 8 & 1)

    def close(self):
        os.close(self.file)


def test_writes_are_logged_from_the_message_on(switch, bridge, alive):
    with Pair(switch, bridge) as pair:
        b = pair.b
        for number in range(20):
            pair.cross(number)
        log = DirtyLog(b)
        log.start()
        assert access(switch, "vb") == "library" and access(switch, "va") == "direct"
        b.free = (b.free + 4095) & ~4095
        place = b.free
        assert not log.has(place)
        pair.cross(1, 1400)
        wait_until(lambda: log.has(place), "the page of the buffer in the log")
        wait_until(lambda: log.has(b.rings[0].used), "the page of the ring in the log")
        # The other way, with all of the frame in one place or in two.
        back = pair.a.give_buffers(1)[0]
        b.transmit(frame(2, 1400))
        wait_until(pair.a.rings[0].take, "the frame the other way")
        assert pair.a.memory[back + 12:back + 1412] == frame(2, 1400)
        # Called off: it goes on.
        log.stop()
        for number in range(20):
            pair.cross(number)
        assert b.stop_ring(b.rings[0]) == 41
        assert b.stop_ring(b.rings[1]) == 1
        log.close()


def test_announcement_while_writes_are_logged(switch, bridge, alive):
    with Pair(switch, bridge) as pair:
        for number in range(100):
            pair.cross(number)
        log = DirtyLog(pair.b)
        log.start()
        place, = pair.a.give_buffers(1)
        assert pair.b.tell(vu.SEND_RARP, bytes.fromhex("02000000cc020000"))
        (_, written), = wait_until(pair.a.rings[0].take, "the announcement at the other port")
        assert pair.a.memory[place + 12 + 42:place + written] == bytes(22)
        log.close()


def test_logged_rings_are_not_what_was_said(switch, bridge, alive):
    """The library makes room for what it notes of a ring when it hears of its size."""
    with Pair(switch, bridge) as pair:
        b, ring = pair.b, pair.b.rings[0]
        log = DirtyLog(b)
        log.start()
        assert not b.set_state(vu.SET_VRING_NUM, 0, 32768), "a ring that grows while it is used"
        base = b.stop_ring(ring)
        # Everything but its size.
        assert b.set_state(vu.SET_VRING_BASE, 0, base)
        assert b.set_address(ring, log=True) and b.set_call(ring) and b.set_kick(ring)
        b.give_buffers(1)
        pair.cross_to_nowhere()
        wait_until(lambda: "not as it has said" in switch.port("vb")["error"], "it to be said")
        b.stop_ring(ring), b.stop_ring(b.rings[1])
        for each in b.rings:
            b.start_ring(each, base=each.used_index())
            assert b.set_address(each, log=True)
        pair.a.transmit(frame())
        wait_until(ring.take, "a frame into the ring that was started anew")
        log.close()


def test_rings_that_the_library_has_dropped(switch, bridge, alive):
    """Of features without several queue pairs it drops all rings but the first two; a third one is
    then of no size, whatever was said of it before."""
    with Pair(switch, bridge, start=False, pairs=2) as pair:
        b, ring = pair.b, pair.b.rings[3]
        features = b.features | vu.LOG_ALL
        assert b.hello() and b.set_features(features) and b.set_memory()
        assert b.set_state(vu.SET_VRING_NUM, 3, 256)
        assert b.set_features(features)
        for each in b.rings[:2]:
            b.start_ring(each)
            assert b.enable(each)
        wait_until(lambda: access(switch, "vb") == "library", "the library's functions")
        ring.available = ring.used = vu.MEMORY - 4
        ring.descriptors = vu.MEMORY - 16
        assert b.set_state(vu.SET_VRING_BASE, 3, 65000) is False
        assert b.set_address(ring) is False
        b.set_call(ring), b.set_kick(ring), b.enable(ring)
        os.eventfd_write(ring.kick, 1)
        # In use they are not dropped: nobody would wait for who is using them.
        assert b.set_state(vu.SET_VRING_NUM, 3, 64)
        assert b.set_features(features & ~vu.LOG_ALL) is False
        b.give_buffers(1)
        pair.a.transmit(frame())
        wait_until(b.rings[0].take, "a frame in the ring that is as it should be")


def test_memory_that_there_is_no_room_for(switch, bridge, alive):
    """70 TiB, of which there is not a page, and which can be mapped once, but not twice."""
    with Pair(switch, bridge) as pair:
        log = DirtyLog(pair.b)
        log.start()
        huge = os.memfd_create("huge")
        os.ftruncate(huge, 70 << 40)
        for _ in range(3):
            assert not pair.b.set_memory(((0, 70 << 40),), file=huge)
        pair.cross()
        os.close(huge), log.close()


def lingering():
    """A socket whose last close() waits for what nobody will read."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = socket.create_connection(server.getsockname())
        reader = server.accept()[0]
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 1000))
    sender.setblocking(False)
    try:
        while True:
            sender.send(bytes(1 << 20))
    except BlockingIOError:
        return sender, reader


def test_descriptors_that_are_not_closed_in_time(switch, bridge, alive):
    """With a message that takes none, one that is refused, and behind one that is."""
    with Pair(switch, bridge, start=False) as pair:
        pair.b.close()
        pair.ends.remove(pair.b)
        rarp, refused = struct.pack("<IIIQ", vu.SEND_RARP, 1, 8, 0), struct.pack("<III", 28, 1, 0)
        for messages in ((rarp,), (refused,), (refused, rarp)):
            switch.wait_state("vb", "listening")
            with socket.socket(socket.AF_UNIX) as guest:
                wait_until(lambda: guest.connect_ex(switch.path("vb.sock")) == 0, "vb to listen")
                sender, reader = lingering()
                for number, message in enumerate(messages):
                    last = number == len(messages) - 1
                    try:
                        socket.send_fds(guest, [message], [sender.fileno()] if last else [])
                    except BrokenPipeError:
                        pass  # it has hung up already
                # If the switch did not get it, this is the last close(), which waits.
                threading.Thread(target=sender.close, daemon=True).start()
                assert pair.a.ask(vu.GET_FEATURES)
            reader.close()  # ends all waiting


def test_guests_that_keep_the_switch_waiting(switch, bridge, alive):
    """For the rest of a message, or for room for answers: others are served meanwhile."""
    with Pair(switch, bridge, start=False) as pair:
        pair.b.close()
        pair.ends.remove(pair.b)
        for message in (struct.pack("<III", vu.SET_FEATURES, 1, 8),
                        struct.pack("<III", vu.GET_FEATURES, 1, 0) * 20000):
            switch.wait_state("vb", "listening")
            with socket.socket(socket.AF_UNIX) as guest:
                wait_until(lambda: guest.connect_ex(switch.path("vb.sock")) == 0, "vb to listen")
                guest.settimeout(10)
                try:
                    guest.sendall(message)
                except BrokenPipeError:
                    pass  # it has hung up already
                assert pair.a.ask(vu.GET_FEATURES)
                switch.wait_state("vb", "listening")


def test_descriptors_are_closed_whatever_they_come_with(switch, bridge, alive):
    pid = switch.pid_of("datapathd")
    with Pair(switch, bridge) as pair:
        b, wrong = pair.b, os.pipe()

        def descriptors():
            assert b.ask(vu.GET_FEATURES)
            return len(os.listdir(f"/proc/{pid}/fd"))
        before = descriptors()
        for _ in range(50):
            assert not b.set_memory(((0, vu.MEMORY),), file=wrong[0])
            assert b.tell(vu.RESET_OWNER, b"", [b.file] * 8)
            assert b.tell(vu.SET_VRING_ENABLE, struct.pack("<II", 0, 1), [b.file] * 8)
            assert not b.tell(vu.SET_LOG_BASE, struct.pack("<QQ", 4096, 4096), [b.file])
            assert b.tell(vu.SET_VRING_CALL, struct.pack("<Q", 0), [wrong[1]])
        wait_until(lambda: descriptors() <= before + 4, "descriptors to be closed")
        # Many at once, behind a message that is refused.
        b.send(28)
        try:
            for _ in range(20):
                socket.send_fds(b.socket, [b"x"], [wrong[0]] * 250)
        except OSError:
            pass  # it has hung up already
        switch.wait_state("vb", "listening")
        wait_until(lambda: len(os.listdir(f"/proc/{pid}/fd")) <= before + 4,
                   "descriptors to be closed")
        os.close(wrong[0]), os.close(wrong[1])


def listen(path):
    listener = socket.socket(socket.AF_UNIX)
    if os.path.exists(path):
        os.unlink(path)
    listener.bind(path)
    listener.listen(8)
    listener.settimeout(20)
    return listener


def test_guests_that_listen_are_called_until_the_port_goes(switch, bridge, alive):
    path = switch.path("vc.sock")
    switch.add_port(bridge, "vc", type="vhostuser", mode="client", ofport=3, path=path)
    switch.wait_state("vc", "connecting")
    for _ in range(3):
        with listen(path) as listener, Frontend(path, listener=listener) as end:
            end.start()
            switch.wait_state("vc", "running")
        switch.wait_state("vc", "connecting")
    assert switch.port("vc")["status"]["connections"] in (3, "3")
    # Hanging up at once, and while the port is being deleted.
    for number in range(40):
        with listen(path) as listener:
            guest = listener.accept()[0]
            closing = threading.Timer(0.0002 * number, guest.close)
            closing.start()
            switch.rpc("port.del", name="vc")
            closing.join()
        switch.rpc("port.add", bridge=bridge, name="vc", type="vhostuser", ofport=3,
                   options={"mode": "client", "path": path})


def test_guest_that_goes_in_the_middle_of_anything(switch, bridge, alive):
    """Hanging up after each of the messages of a start, with frames on their way."""
    with Pair(switch, bridge) as pair:
        pair.b.close()
        pair.ends.remove(pair.b)
        for stop in range(1, 24):
            switch.wait_state("vb", "listening")
            end = Frontend(switch.path("vb.sock"))
            left = [stop]

            def leave(*arguments, send=end.send, left=left, **options):
                if left[0] == 0:
                    raise BrokenPipeError
                left[0] -= 1
                send(*arguments, **options)
            end.send = leave
            try:
                end.start()
                end.give_buffers(4)
            except BrokenPipeError:
                pass
            pair.a.transmit(frame())
            wait_until(pair.a.rings[1].take, "the frame to be taken")
            end.close()


def hung_up(end):
    """Has the switch closed the connection?"""
    return select.select([end.socket], [], [], 0)[0] and not end.socket.recv(1)


@pytest.mark.parametrize("left", [0, 4096], ids=["all", "buffers"])
def test_memory_that_is_withdrawn(switch, bridge, alive, left):
    """The guest makes the file shorter that its memory is: only it loses its port, for a moment."""
    with Pair(switch, bridge) as pair, Stream(switch, bridge) as stream:
        pair.cross()
        if left:  # rings stay, but what they point to is gone
            pair.b.rings[0].add((vu.START + vu.MEMORY - 4096, 2048))
        os.ftruncate(pair.b.file, left)
        if left:
            pair.a.transmit(frame())
        else:
            os.eventfd_write(pair.b.rings[1].kick, 1)
        wait_until(lambda: hung_up(pair.b), "the switch to hang up")
        wait_until(lambda: "took memory away" in switch.port("vb")["error"], "the reason")
        pair.another_b()
        assert stream.finish()[1] == 0


def test_memory_that_was_never_there(switch, bridge, alive):
    """Regions beyond the end of their file are refused. One that ends there afterwards: rings are
    looked at while a message is handled."""
    with Pair(switch, bridge, start=False) as pair:
        assert pair.b.hello()
        with os.fdopen(os.memfd_create("empty"), "wb") as empty:
            assert not pair.b.set_memory(file=empty.fileno())
            empty.truncate(vu.MEMORY)
            assert pair.b.set_memory(file=empty.fileno())
            empty.truncate(0)
            for ring in pair.b.rings:
                try:
                    pair.b.start_ring(ring)
                    pair.b.enable(ring)
                except (AssertionError, OSError):
                    break
            wait_until(lambda: hung_up(pair.b), "the switch to hang up")
        pair.another_b()
