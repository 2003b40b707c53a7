# SPDX-License-Identifier: Apache-2.0
"""The guest's side of the vhost-user protocol, by hand, with split rings.

For what no guest does, or not at a moment of the test's choosing: messages in any order, rings
anywhere, memory in several pieces. Everything is done by the test itself, so there is no guest to
wait for. Numbers of messages: the vhost-user protocol specification.
"""
import mmap
import os
import select
import socket
import struct

from .waiting import wait_until

GET_FEATURES, SET_FEATURES, SET_OWNER, RESET_OWNER = 1, 2, 3, 4
SET_MEM_TABLE, SET_LOG_BASE = 5, 6
SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE = 8, 9, 10, 11
SET_VRING_KICK, SET_VRING_CALL = 12, 13
GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES = 15, 16
SET_VRING_ENABLE, SEND_RARP = 18, 19

MERGEABLE, LOG_ALL, PROTOCOL, VERSION_1 = (1 << bit for bit in (15, 26, 30, 32))
MULTIPLE_QUEUES = 1 << 22

NEED_REPLY, REPLY = 1 << 3, 1 << 2
LOG_SHMFD, REPLY_ACK = 1 << 1, 1 << 3

START = 0x40000000  # guest-physical address of the memory
USER = 0x7f0000000000  # and where it is for the guest's process
MEMORY = 1 << 20
HEADER = 12
NEXT, WRITE = 1, 2


class Ring:
    """A split ring (VIRTIO 1.2, section 2.7). Offsets are into the frontend's memory."""

    def __init__(self, frontend, index, size, base):
        self.frontend, self.index, self.size = frontend, index, size
        self.descriptors = base
        self.available = base + 16 * size
        self.used = (self.available + 6 + 2 * size + 15) & ~15
        self.end = self.used + 6 + 8 * size
        self.call, self.kick = os.eventfd(0), os.eventfd(0)
        self.next_descriptor, self.next_used = 0, 0

    def number(self, offset):
        return self.frontend.words[offset // 2]

    def set_number(self, offset, value):
        """At once; struct would write zeros first, and the switch looks at any time."""
        self.frontend.words[offset // 2] = value & 0xffff

    def add(self, *pieces, flags=None):
        """Make a buffer of (guest-physical address, length) available, and say so."""
        memory, head = self.frontend.memory, self.next_descriptor % self.size
        for position, (address, length) in enumerate(pieces):
            last = position == len(pieces) - 1
            place = self.next_descriptor % self.size
            bits = (WRITE if self.index % 2 == 0 else 0) if flags is None else flags
            struct.pack_into("<QIHH", memory, self.descriptors + 16 * place, address, length,
                             bits | (0 if last else NEXT), (place + 1) % self.size)
            self.next_descriptor += 1
        index = self.number(self.available + 2)
        self.set_number(self.available + 4 + 2 * (index % self.size), head)
        self.set_number(self.available + 2, index + 1)
        os.eventfd_write(self.kick, 1)  # whether the switch asks for it or not

    def used_index(self):
        return self.number(self.used + 2)

    def take(self):
        """[(head, written)] of what was used since the last call."""
        found = []
        while self.next_used != self.used_index():
            found.append(struct.unpack_from(
                "<II", self.frontend.memory, self.used + 4 + 8 * (self.next_used % self.size)))
            self.next_used = (self.next_used + 1) & 0xffff
        return found

    def interrupts(self):
        """Interrupts since the last call."""
        if not select.select([self.call], [], [], 0)[0]:
            return 0
        return os.eventfd_read(self.call)

    def wait_interrupt(self, deadline=10.0):
        assert select.select([self.call], [], [], deadline)[0], \
            f"no interrupt of ring {self.index} in {deadline:g} s"
        return os.eventfd_read(self.call)

    def close(self):
        os.close(self.call)
        os.close(self.kick)


class Frontend:
    def __init__(self, path, features=PROTOCOL | VERSION_1 | MERGEABLE, pairs=1, size=64,
                 listener=None, wait=15.0):
        """`listener`: a socket that listens at the path, for the switch to call; otherwise it may
        take so many seconds until the switch listens."""
        self.features, self.size = features, size
        self.file = os.memfd_create("guest")
        os.ftruncate(self.file, MEMORY)
        self.memory = mmap.mmap(self.file, MEMORY)
        self.words = memoryview(self.memory).cast("H")
        if listener:
            self.socket = listener.accept()[0]
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            wait_until(lambda: self.socket.connect_ex(path) == 0, f"{path} to listen", wait)
        self.socket.settimeout(20)
        self.rings, place = [], 0
        for index in range(2 * pairs):
            self.rings.append(Ring(self, index, size, place))
            place = (self.rings[-1].end + 63) & ~63
        self.free = place

    # Messages

    def send(self, request, payload=b"", fds=(), flags=0):
        message = struct.pack("<III", request, 1 | flags, len(payload)) + payload
        socket.send_fds(self.socket, [message], list(fds))

    def receive(self):
        head = self.socket.recv(12, socket.MSG_WAITALL)
        assert len(head) == 12, "the switch has hung up"
        size = struct.unpack("<III", head)[2]
        return self.socket.recv(size, socket.MSG_WAITALL) if size else b""

    def ask(self, request, payload=b"", fds=()):
        self.send(request, payload, fds)
        return self.receive()

    def tell(self, request, payload=b"", fds=()):
        """Send, and wait until it has been done. Returns whether the switch says it could."""
        return struct.unpack("<Q", self.ask_acknowledged(request, payload, fds))[0] == 0

    def ask_acknowledged(self, request, payload, fds):
        self.send(request, payload, fds, NEED_REPLY)
        return self.receive()

    def hello(self):
        assert struct.unpack("<Q", self.ask(GET_FEATURES))[0] & self.features == self.features
        self.ask(GET_PROTOCOL_FEATURES)
        self.send(SET_PROTOCOL_FEATURES, struct.pack("<Q", LOG_SHMFD | REPLY_ACK))
        assert self.tell(SET_OWNER)
        return self.set_features(self.features)

    def set_features(self, features):
        return self.tell(SET_FEATURES, struct.pack("<Q", features))

    def set_memory(self, parts=((0, MEMORY),), file=None):
        """`parts`: (offset, length) in the file; addresses follow the offsets."""
        table = struct.pack("<II", len(parts), 0)
        for offset, length in parts:
            table += struct.pack("<QQQQ", START + offset, length, USER + offset, offset)
        return self.tell(SET_MEM_TABLE, table, [self.file if file is None else file] * len(parts))

    def set_state(self, request, ring, number):
        return self.tell(request, struct.pack("<II", ring, number))

    def set_address(self, ring, log=False, used=None):
        return self.tell(SET_VRING_ADDR, struct.pack(
            "<IIQQQQ", ring.index, int(log), USER + ring.descriptors,
            USER + (ring.used if used is None else used), USER + ring.available,
            START + ring.used if log else 0))

    def set_call(self, ring, fd=None):
        return self.tell(SET_VRING_CALL, struct.pack("<Q", ring.index),
                         [ring.call if fd is None else fd])

    def set_kick(self, ring):
        return self.tell(SET_VRING_KICK, struct.pack("<Q", ring.index), [ring.kick])

    def enable(self, ring, on=True):
        return self.set_state(SET_VRING_ENABLE, ring.index, int(on))

    def start_ring(self, ring, base=0, used=None):
        assert self.set_state(SET_VRING_NUM, ring.index, ring.size)
        assert self.set_state(SET_VRING_BASE, ring.index, base)
        assert self.set_address(ring, used=used)
        assert self.set_call(ring)
        assert self.set_kick(ring)

    def stop_ring(self, ring):
        """Returns how far it was."""
        return struct.unpack("<II", self.ask(GET_VRING_BASE, struct.pack("<II", ring.index, 0)))[1]

    def start(self, parts=((0, MEMORY),)):
        assert self.hello()
        assert self.set_memory(parts)
        for ring in self.rings:
            self.start_ring(ring)
        for ring in self.rings:
            assert self.enable(ring)
        return self

    # Frames

    def allocate(self, length):
        at = self.free
        self.free += (length + 63) & ~63
        assert self.free <= MEMORY
        return at

    def give_buffers(self, count, length=2048, pair=0):
        """For frames to receive. Returns where they are."""
        places = [self.allocate(length) for _ in range(count)]
        for place in places:
            self.rings[2 * pair].add((START + place, length))
        return places

    def transmit(self, frame, pair=0):
        place = self.allocate(HEADER + len(frame))
        self.memory[place:place + HEADER] = bytes(HEADER)
        self.memory[place + HEADER:place + HEADER + len(frame)] = frame
        self.rings[2 * pair + 1].add((START + place, HEADER + len(frame)))

    def close(self):
        self.socket.close()
        for ring in self.rings:
            ring.close()
        self.words.release()
        self.memory.close()
        os.close(self.file)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
