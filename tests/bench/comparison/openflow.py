# SPDX-License-Identifier: Apache-2.0
"""As much of OpenFlow 1.0 as it takes to change flows of Open vSwitch at a given rate.

Messages and numbers: OpenFlow Switch Specification 1.0.0, sections 5.1 to 5.4.
"""
import itertools
import socket
import struct

VERSION = 1
HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, FLOW_MOD, BARRIER_REQUEST, BARRIER_REPLY = \
    0, 1, 2, 3, 14, 18, 19
ADD, DELETE_STRICT = 0, 4
NO_BUFFER, NO_PORT = 0xffffffff, 0xffff
# All fields are wildcards but the ingress port (bit 0), the Ethernet type (bit 4) and, by six bits
# from 8 on that say how many bits are ignored, the source address.
WILDCARDS = 0x3fffff & ~(1 << 0 | 1 << 4 | 0x3f << 8)
IPV4 = 0x0800


def flow_mod(add, address, in_port=1, out_port=2, priority=40000):
    """The body of a flow_mod for ip,in_port=1,nw_src=address; adding one sends to port 2."""
    match = struct.pack("!IH6s6sHBxHBBxx4sIHH", WILDCARDS, in_port, b"", b"", 0, 0, IPV4, 0, 0,
                        socket.inet_aton(address), 0, 0, 0)
    body = match + struct.pack("!QHHHHIHH", 0, ADD if add else DELETE_STRICT, 0, 0, priority,
                               NO_BUFFER, NO_PORT, 0)
    return body + (struct.pack("!HHHH", 0, 8, out_port, 0) if add else b"")


class Connection:
    def __init__(self, path, timeout=60.0):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(path)
        self._numbers, self._buffer = itertools.count(1), b""
        self._socket.sendall(self._message(HELLO, b""))
        while self._receive()[0] != HELLO:
            pass

    def _message(self, kind, body, number=None):
        number = next(self._numbers) if number is None else number
        return struct.pack("!BBHI", VERSION, kind, 8 + len(body), number) + body

    def _receive(self):
        """(kind, number, body) of the next message."""
        while True:
            if len(self._buffer) >= 8:
                _, kind, length, number = struct.unpack_from("!BBHI", self._buffer)
                if len(self._buffer) >= length:
                    body, self._buffer = self._buffer[8:length], self._buffer[length:]
                    return kind, number, body
            piece = self._socket.recv(65536)
            if not piece:
                raise ConnectionError("Open vSwitch closed the OpenFlow connection")
            self._buffer += piece

    def apply(self, batch):
        """`batch`: [(add, address)]; returns when the barrier behind them has been answered."""
        barrier = next(self._numbers)
        self._socket.sendall(b"".join(self._message(FLOW_MOD, flow_mod(add, address))
                                      for add, address in batch)
                             + self._message(BARRIER_REQUEST, b"", barrier))
        while True:
            kind, number, body = self._receive()
            if kind == ECHO_REQUEST:
                self._socket.sendall(self._message(ECHO_REPLY, body, number))
            elif kind == ERROR:
                raise ConnectionError("Open vSwitch refused a flow: type %d, code %d"
                                      % struct.unpack_from("!HH", body))
            elif kind == BARRIER_REPLY and number == barrier:
                return

    def close(self):
        self._socket.close()
