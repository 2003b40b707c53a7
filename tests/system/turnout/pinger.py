# SPDX-License-Identifier: Apache-2.0
"""A neighbour of guests on the network who pings them, without a guest of its own: a frontend that
the test drives. It answers ARP, so that guests find it."""
import itertools

from .frames import ARP, ICMP, IP, Ether, Raw
from .frontend import HEADER, START, Frontend
from .waiting import wait_until

BUFFER = 2048
BUFFERS = 64
SENDERS = 32


class Pinger:
    def __init__(self, path, mac, address):
        self.mac, self.address = mac, address
        self.end = Frontend(path, size=256)
        self.end.start()
        self._places = self.end.give_buffers(BUFFERS, BUFFER)
        self._slots = itertools.cycle([self.end.allocate(BUFFER) for _ in range(SENDERS)])
        self._next = 0  # the buffer that is used next
        self._numbers = itertools.count(1)
        self.answered = set()  # numbers

    def send(self, packet):
        """Not more than SENDERS on their way at once."""
        sent, place = bytes(packet), next(self._slots)
        ring = self.end.rings[1]
        wait_until(lambda: ring.take() or
                   (ring.number(ring.available + 2) - ring.next_used) & 0xffff < SENDERS,
                   "the switch to take what was sent", pause=0.001)
        self.end.memory[place:place + HEADER + len(sent)] = bytes(HEADER) + sent
        ring.add((START + place, HEADER + len(sent)))

    def ping(self, mac, address, size=56):
        """Send one; returns its number, which will be in `answered`."""
        number = next(self._numbers)
        self.send(Ether(src=self.mac, dst=mac) / IP(src=self.address, dst=address) /
                  ICMP(id=7, seq=number & 0xffff) / Raw(bytes(size)))
        return number

    def listen(self):
        """Deal with what has come. Returns how many frames those were."""
        ring = self.end.rings[0]
        found = ring.take()
        for _, written in found:
            place = self._places[self._next % BUFFERS]
            self._next += 1
            self._hear(Ether(self.end.memory[place + HEADER:place + written]))
            ring.add((START + place, BUFFER))
        return len(found)

    def _hear(self, frame):
        if ARP in frame and frame[ARP].op == 1 and frame[ARP].pdst == self.address:
            self.send(Ether(src=self.mac, dst=frame.src) / ARP(
                op=2, hwsrc=self.mac, psrc=self.address, hwdst=frame.src, pdst=frame[ARP].psrc))
        elif ICMP in frame and frame[ICMP].type == 0 and frame.dst == self.mac:
            self.answered.add(frame[ICMP].seq)

    def wait_answer(self, mac, address, size=56, deadline=30.0):
        """Ping until an answer comes: the first ones may be lost on purpose."""
        numbers = set()

        def asked():
            numbers.add(self.ping(mac, address, size) & 0xffff)
            return self.hears(lambda: numbers & self.answered, 0.5)
        wait_until(asked, f"{address} to answer", deadline)

    def hears(self, predicate, deadline):
        """Listen until `predicate`; False if that does not come about in time."""
        def heard():
            self.listen()
            return predicate()
        try:
            return wait_until(heard, "", deadline, pause=0.001)
        except AssertionError:
            return False

    def close(self):
        self.end.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
