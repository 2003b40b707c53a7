# SPDX-License-Identifier: Apache-2.0
"""Turnout as a subject."""
import os
import signal

from turnout.machine import free_hugepages
from turnout.switch import Switch
from turnout.waiting import wait_until

from .subject import MAC_AGING, Counts, Subject

BRIDGE = "br0"


class Turnout(Subject):
    key, name, thread = "turnout", "Turnout", "pmd"

    def __init__(self):
        super().__init__()
        self.switch, self.datapathd, self.hz = None, None, 0

    @staticmethod
    def memory(setup):
        return 256 + setup.frames * 6 // 2048

    def start(self, setup):
        if free_hugepages() == 0:
            raise RuntimeError("no huge pages are free")
        self.switch = Switch(f"datapathd:\n    memory: {self.memory(setup)}\n    huge_pages: yes\n"
                             f"    arguments: ['--mbufs', '{setup.frames + 32768}']\n", start=False)
        self.switch.start()
        self.datapathd = self.switch.pid_of("datapathd")
        options = {"mac_aging": MAC_AGING}
        if setup.mac_table:
            options["mac_table_size"] = setup.mac_table
            # All addresses are there within a second, so that what is measured can begin.
            options.update(mac_learning_rate=1000000, mac_learning_burst=1000000)
        self.switch.rpc("bridge.add", name=BRIDGE, fail_mode="secure", **options)
        if setup.flows:
            self.write_flows("setup.flows", setup.flows)
            self.run("add-flows", self.switch.path("setup.flows"))
        self._add_ports(setup)
        self.hz = self.switch.rpc("pmd.stats_show")[0]["cycles_hz"]

    def _add_ports(self, setup):
        for number, path in enumerate(setup.sockets, 1):
            self.switch.add_port(BRIDGE, f"p{number}", type="vhostuser", path=path, ofport=number)
        for number in range(1, len(setup.sockets) + 1):
            self.switch.wait_state(f"p{number}", "running")
        if not setup.pcap and not setup.sink:
            return
        sink = f"net_pcap1,rx_pcap={setup.learn}" if setup.learn else "net_null0,no-rx=1"
        self.switch.add_port(BRIDGE, "p2", type="dpdk", ofport=2, devargs=sink)
        if setup.learn:
            wait_until(lambda: self.macs() >= setup.macs, "Turnout to learn", 60, 0.3)
        if setup.pcap:
            self.switch.add_port(BRIDGE, "p1", type="dpdk", ofport=1,
                                 devargs=f"net_pcap0,rx_pcap={setup.pcap},infinite_rx=1")

    def feed(self, number, pcap):
        self.switch.add_port(BRIDGE, "p3", type="dpdk", ofport=3,
                             devargs=f"net_pcap{10 + number},rx_pcap={pcap}")

    def unfeed(self):
        self.switch.rpc("port.del", name="p3")

    def macs(self):
        return len(self.switch.rpc("fdb.show", bridge=BRIDGE))

    def pids(self):
        return [self.datapathd]

    def counts(self):
        received, sent, lost = 0, 0, {}
        for row in self.switch.rpc("stats.ports", bridge=BRIDGE):
            received += row["statistics"]["rx_packets"]
            sent += row["statistics"]["tx_packets"]
            for reason, count in row["drops"].items():
                lost[reason] = lost.get(reason, 0) + count
        return Counts(received, sent, lost)

    def idle(self):
        row = self.switch.rpc("pmd.stats_show")[0]
        return row["cycles_idle"], row["cycles_idle"] + row["cycles_busy"]

    # Flows

    def write_flows(self, name, lines):
        path = self.switch.path(name)
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        return path

    def run(self, command, path, atomic=False):
        """A command of ofctl with a file. Every file is one transaction, so `atomic` is as well."""
        self.switch.ofctl(command, BRIDGE, path, timeout=600)

    def delete_flows(self):
        self.switch.ofctl("del-flows", BRIDGE, timeout=600)

    def flow_count(self, match=""):
        return self.switch.rpc("flow.aggregate", bridge=BRIDGE, flow=match)["flows"]

    def changes(self):
        return FlowChanges(self.switch.connect())

    def close(self):
        if not self.switch:
            return
        try:
            if self.datapathd:
                os.kill(self.datapathd, signal.SIGCONT)
        except ProcessLookupError:
            pass
        self.switch.stop()


class FlowChanges:
    """Changes of flows over a connection of their own, each batch one transaction."""

    def __init__(self, client):
        self.client = client

    def apply(self, batch):
        """`batch`: [(add, address)]; returns when all are in force."""
        lines = [f"{'add ' if add else 'delete_strict '}priority=40000,ip,in_port=1,nw_src={address}"
                 + (",actions=output:2" if add else "") for add, address in batch]
        self.client.call("flow.bundle", bridge=BRIDGE, lines="\n".join(lines))

    def close(self):
        self.client.close()
