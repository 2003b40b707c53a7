# SPDX-License-Identifier: Apache-2.0
"""The limit: dpdk-testpmd in io mode, the same ports and nothing between them."""
import os
import re

from turnout.machine import PMD_CORE, PROCESSORS
from turnout.process import Process

from .subject import Counts, Subject

PROMPT = re.escape("testpmd> ")


class Testpmd(Subject):
    key, name, thread = "limit", "dpdk-testpmd io", "(rte|dpdk|lcore)-worker"

    def __init__(self):
        super().__init__()
        self.process = None

    @staticmethod
    def memory(setup):
        return 128 + setup.frames * 5 // 2048

    @staticmethod
    def _devices(setup):
        if setup.sockets:
            return [f"net_vhost{index},iface={path},client=1"
                    for index, path in enumerate(setup.sockets)]
        sink = f"net_pcap1,rx_pcap={setup.learn}" if setup.learn else "net_null0,no-rx=1"
        return [f"net_pcap0,rx_pcap={setup.pcap},infinite_rx=1", sink]

    def start(self, setup):
        self.process = Process("testpmd", [
            "dpdk-testpmd", "--no-pci", "--in-memory", f"--file-prefix=compare-limit-{os.getpid()}",
            "--no-telemetry", f"--lcores=0@{PROCESSORS[0]},1@{PMD_CORE}",
            f"--socket-mem={self.memory(setup)}",
            *(f"--vdev={device}" for device in self._devices(setup)), "--",
            "-i", "--forward-mode=io", "--nb-cores=1", "--no-flush-rx", "--burst=32",
            f"--total-num-mbufs={setup.frames + 16384}"], terminal=True)
        self.process.wait_for(PROMPT, deadline=60)
        failed = re.search(r".*failed to initialize.*", self.process.output)
        if failed:
            raise RuntimeError(f"dpdk-testpmd: {failed.group(0)}")
        self._ask("start", "packet forwarding")

    def _ask(self, command, answer):
        start = len(self.process.output)
        self.process.write(command + "\n")
        found = self.process.wait_for(answer, start, 30)
        self.process.wait_for(PROMPT, found.end(), 30)
        return found

    def pids(self):
        return [self.process.pid]

    def counts(self):
        found = self._ask("show port stats all",
                          r"port 0(?:.|\n)*?RX-packets: *(\d+)(?:.|\n)*?TX-packets: *(\d+)"
                          r"(?:.|\n)*?port 1(?:.|\n)*?RX-packets: *(\d+)(?:.|\n)*?TX-packets: *(\d+)")
        numbers = [int(number) for number in found.groups()]
        return Counts(numbers[0] + numbers[2], numbers[1] + numbers[3], {})

    def close(self):
        if self.process:
            self.process.kill()
