# SPDX-License-Identifier: Apache-2.0
"""Guests that outlive the switch: they listen, are called again, and go on with their rings where
the switch left them. One sends numbered frames, the other notes which came and when, so whatever
happens to the switch, it can be said how many frames were lost and how long none came.
"""
import os
import select
import socket
import struct
import threading
import time

from .frontend import HEADER, MEMORY, START, Frontend
from .waiting import wait_stable, wait_until

SLOT = 256
FRAME = 60
ADDRESSES = bytes.fromhex("020000000002 020000000001 88b5")  # an experimental Ethernet type


class Survivor(Frontend):
    """Buffer number n of a ring is its descriptor number n; a thread of its own serves it."""

    def __init__(self, path, size=256):
        if os.path.exists(path):
            os.unlink(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(4)
        self.listener.settimeout(60)
        super().__init__(path, size=size, listener=self.listener)
        self.places = [self.allocate(SLOT * size) for _ in self.rings]
        assert self.free <= MEMORY
        self.connections, self.broken, self.ending = 0, None, False
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def begin(self):
        self.hello()
        assert self.set_memory()
        for ring in self.rings:
            self.start_ring(ring, base=ring.used_index())
        for ring in self.rings:
            assert self.enable(ring)
        self.connections += 1

    def hung_up(self):
        if not select.select([self.socket], [], [], 0)[0]:
            return False
        try:
            return not self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _serve(self):
        try:
            self.begin()
            while not self.ending:
                if self.hung_up():
                    self.socket.close()
                    self.socket = self.listener.accept()[0]
                    self.socket.settimeout(20)
                    try:
                        self.begin()
                    except (OSError, AssertionError, struct.error):
                        continue  # called by one that was killed meanwhile
                if not self.step():
                    time.sleep(0.0002)
        except BaseException as error:  # pylint: disable=broad-except
            self.broken = error

    def address(self, ring, number):
        return self.places[ring.index] + number % ring.size * SLOT

    def step(self):
        """A bit of work; returns whether there was any."""
        raise NotImplementedError

    def close(self):
        self.ending = True
        self.listener.close()
        if self.thread.is_alive():
            self.thread.join(30)
        super().close()


class Sender(Survivor):
    """Sends frames with numbers from 0 on, for as long as `sending` is set, no more at once than
    the receiver has room for. When nothing has come for a while, what is missing is lost."""

    def __init__(self, path, receiver):
        super().__init__(path)
        self.receiver, self.sent, self.sending = receiver, 0, True
        self.rest = receiver.rest
        self.given_up, self.asked = 0, time.monotonic()

    def may_send(self):
        now = time.monotonic()
        room = self.rings[1].size // 2 - (self.sent - max(self.receiver.next, self.given_up))
        if room > 0:
            self.asked = now
        elif now - self.asked > 0.2 and self.waiting() == 0:
            self.given_up = self.sent
        return self.sending and room > 0 and self.waiting() < self.rings[1].size // 2

    def step(self):
        ring, worked = self.rings[1], False
        while self.may_send():
            at = self.address(ring, self.sent)
            frame = ADDRESSES + struct.pack(">Q", self.sent)
            self.memory[at:at + HEADER + FRAME] = bytes(HEADER) + frame + self.rest
            self.sent += 1
            ring.add((START + at, HEADER + FRAME))
            worked = True
        return worked

    def waiting(self):
        """Frames that the switch has not taken yet."""
        ring = self.rings[1]
        return (ring.number(ring.available + 2) - ring.used_index()) & 0xffff


class Receiver(Survivor):
    def __init__(self, path, filler=b"\0"):
        super().__init__(path)
        room = FRAME - len(ADDRESSES) - 8
        self.rest = (filler * room)[:room]  # of each frame
        self.seen, self.count = bytearray(), 0  # a bit for each number; how many are set
        self.next, self.last, self.silence = 0, None, 0.0
        self.deaf = False  # gives no buffer back
        for number in range(self.rings[0].size):
            self.rings[0].add((START + self.address(self.rings[0], number), SLOT))

    def note(self, number):
        """One that was sent again, because the switch died, comes twice."""
        place, bit = number >> 3, 1 << (number & 7)
        if place >= len(self.seen):
            self.seen.extend(bytes(place + 4096 - len(self.seen)))
        if not self.seen[place] & bit:
            self.seen[place] |= bit
            self.count += 1

    def step(self):
        ring = self.rings[0]
        taken = [] if self.deaf else ring.take()
        for head, written in taken:
            at = self.address(ring, head)
            assert written == HEADER + FRAME, written
            frame = self.memory[at + HEADER:at + written]
            assert frame[:14] == ADDRESSES and frame[22:] == self.rest, frame
            number, = struct.unpack(">Q", frame[14:22])
            self.note(number)
            self.next = max(self.next, number + 1)
            ring.add((START + at, SLOT))
        if taken:
            now = time.monotonic()
            self.silence = max(self.silence, now - (self.last or now))
            self.last = now
        return bool(taken)


class Stream:
    """Numbered frames from one guest to another, over two ports and a flow; what comes behind the
    number is `filler`, again and again."""

    def __init__(self, switch, bridge, names=("s1", "s2"), ofports=(21, 22), filler=b"\0"):
        self.switch, self.names, self.filler = switch, names, filler
        for name, ofport in zip(names, ofports):
            switch.add_port(bridge, name, type="vhostuser", path=switch.path(name + ".sock"),
                            ofport=ofport)
        switch.ofctl("add-flow", bridge,
                     f"priority=900,in_port={ofports[0]},actions=output:{ofports[1]}")
        self.receiver = self.sender = None

    def __enter__(self):
        self.receiver = Receiver(self.switch.path(self.names[1] + ".sock"), self.filler)
        self.sender = Sender(self.switch.path(self.names[0] + ".sock"), self.receiver)
        self.receiver.thread.start()
        self.switch.wait_state(self.names[1], "running")
        self.sender.thread.start()
        self.wait_moving()
        return self

    def received(self):
        for end in (self.sender, self.receiver):
            if end.broken:
                raise RuntimeError("a guest is broken") from end.broken
        return self.receiver.count

    def wait_moving(self, frames=1000):
        """Wait until so many more have come."""
        begin = self.received()
        wait_until(lambda: self.received() >= begin + frames, f"{frames} more frames to come", 30)

    def measure(self):
        """Forget how long it was silent until now."""
        self.receiver.silence = 0.0

    def silence_ms(self):
        """The longest time in which no frame came."""
        return self.receiver.silence * 1000

    def finish(self):
        """Stop sending; returns (sent, lost)."""
        self.sender.sending = False
        wait_until(lambda: self.sender.waiting() == 0, "the switch to take all frames", 30)
        received = wait_stable(self.received, "frames")
        return self.sender.sent, self.sender.sent - received

    def __exit__(self, *_):
        self.sender.close()
        self.receiver.close()
        for name in self.names:
            self.switch.rpc("port.del", name=name, if_exists=True)
