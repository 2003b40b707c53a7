# SPDX-License-Identifier: Apache-2.0
"""Ports that are pcap files: what goes in is known, what comes out is read back."""
import itertools
import os

from . import frames
from .waiting import wait_stable, wait_until

_numbers = itertools.count()


class Wire:
    """Ports of one bridge. Ports that send are added last, because a pcap file is read as soon as
    its port exists."""

    def __init__(self, switch, bridge, folder):
        self.switch, self.bridge, self.folder = switch, bridge, str(folder)
        self.names = {}   # ofport -> name
        self._inputs = {}  # ofport -> frames given
        self._files = {}  # ofport -> output file

    def _add(self, ofport, devargs, **columns):
        number = next(_numbers)
        self.names[ofport] = f"p{ofport}"
        options = {"devargs": f"net_pcap{number},{devargs}"}
        self.switch.rpc("port.add", bridge=self.bridge, name=self.names[ofport], type="dpdk",
                        ofport=ofport, options=options, **columns)

    def add_output(self, *ofports, **columns):
        for ofport in ofports:
            self._files[ofport] = os.path.join(self.folder, f"out{ofport}-{next(_numbers)}.pcap")
            self._add(ofport, f"tx_pcap={self._files[ofport]}", **columns)

    def add_input(self, ofport, data, **columns):
        """A port that receives these frames at once, and whose output is collected too."""
        path = os.path.join(self.folder, f"in{ofport}-{next(_numbers)}.pcap")
        frames.write_pcap(path, data)
        self._inputs[ofport] = len(data)
        self._files[ofport] = path + ".out"
        self._add(ofport, f"rx_pcap={path},tx_pcap={self._files[ofport]}", **columns)

    def stats(self, ofport):
        return self.switch.stats(self.names[ofport])

    def wait_received(self, deadline=20.0):
        """Wait until every input has been read and nothing moves any more."""
        for ofport, count in self._inputs.items():
            wait_until(lambda p=ofport, n=count: self.stats(p)["rx_packets"] >= n,
                       f"{self.names[ofport]} to receive {count} frames", deadline)
        wait_stable(lambda: [self.stats(port)["tx_packets"] for port in self.names],
                    "the transmit counters", quiet=0.05, pause=0.01)

    def output(self, ofport):
        """The frames that left by a port, as many as the port says it sent."""
        count = self.stats(ofport)["tx_packets"]
        return wait_until(lambda: [] if count == 0 and not self._read(ofport)
                          else self._complete(ofport, count),
                          f"{count} frames in {self._files[ofport]}") if count else self._read(ofport)

    def _read(self, ofport):
        return frames.read_pcap(self._files[ofport])

    def _complete(self, ofport, count):
        data = self._read(ofport)
        assert len(data) >= count, f"{len(data)} of {count}"
        return data

    def drops(self, ofport):
        """{reason: count} of one port, without zeros."""
        rows = self.switch.rpc("stats.ports", bridge=self.bridge, port=self.names[ofport])
        return {reason: count for reason, count in rows[0]["drops"].items() if count}

    def remove(self):
        for name in self.names.values():
            self.switch.rpc("port.del", name=name, if_exists=True)
        self.names, self._inputs, self._files = {}, {}, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()
