# SPDX-License-Identifier: Apache-2.0
"""Guests with a kernel's driver: queues that are switched while they are used, and layouts of
buffers that only they have; nothing may come to a stop."""
import random
import re

import pytest
from turnout.frames import IP, UDP, Ether
from turnout.machine import PMD_CORE, PMD_MASK, PROCESSORS
from turnout.pinger import Pinger
from turnout.vm import VirtualMachine, boot_files
from turnout.waiting import wait_until

MAC, ADDRESS = "02:00:00:00:0e:01", "10.9.0.1"


@pytest.fixture(scope="module")
def boot(tmp_path_factory):
    return boot_files(tmp_path_factory.mktemp("boot"), ["ethtool"])


@pytest.fixture
def machine(switch, bridge, boot):
    """Starts one: machine(queues, device) at port "vm"."""
    made = []

    def start(queues=1, device=""):
        path = switch.path("vm.sock")
        switch.add_port(bridge, "vm", type="vhostuser", mode="server", ofport=1, path=path)
        made.append(VirtualMachine("vm", *boot, path, MAC, "obey", ADDRESS + "/24", queues=queues,
                                   device=device))
        made[0].wait_says("listening")
        switch.wait_state("vm", "running")
        return made[0]
    yield start
    for vm in made:
        vm.kill()


def pinger(switch, bridge, number):
    name = f"other{number}"
    switch.add_port(bridge, name, type="vhostuser", mode="server", ofport=10 + number,
                    path=switch.path(name + ".sock"))
    return Pinger(switch.path(name + ".sock"), f"02:00:00:00:0e:1{number}", f"10.9.0.1{number}")


def enabled(switch):
    status = switch.port("vm")["status"]
    return int(status["rx_queues_enabled"]), int(status["tx_queues_enabled"])


@pytest.mark.parametrize("device", ["", ",packed=on"], ids=["split", "packed"])
def test_queues_are_switched_while_they_are_used(switch, bridge, machine, device):
    switch.set_flows(bridge, "actions=normal")
    other = next((core for core in PROCESSORS if core != PMD_CORE), PMD_CORE)
    # Two threads, so that both of the guest's queues are sent to.
    switch.vsctl("set", "Open_vSwitch", ".",
                 f"other_config:pmd-cpu-mask={hex(1 << PMD_CORE | 1 << other)}")
    try:
        vm = machine(2, device)
        with pinger(switch, bridge, 1) as first, pinger(switch, bridge, 2) as second:
            for queues in (2, 1) * 6 + (2,):
                if enabled(switch) != (queues, queues):
                    vm.write(f"ethtool -L eth0 combined {queues}\n")

                def switched(queues=queues):
                    for end in (first, second):
                        end.ping(MAC, ADDRESS)
                        end.listen()
                    return enabled(switch) == (queues, queues)
                wait_until(switched, f"{queues} queues to be on", 30)
                for size in (56, 1400) * 5:
                    first.wait_answer(MAC, ADDRESS, size)
                    second.wait_answer(MAC, ADDRESS, size)
            assert switch.port("vm")["status"]["ring_access"] == "direct"
            # Switching the whole device off and on has its rings set up anew.
            for _ in range(3):
                vm.run("ip link set eth0 down; ip link set eth0 up")
                first.wait_answer(MAC, ADDRESS)
                second.wait_answer(MAC, ADDRESS)
    finally:
        switch.vsctl("set", "Open_vSwitch", ".", f"other_config:pmd-cpu-mask={PMD_MASK}")


class Flows:
    """Datagrams of many flows, to a port of the machine where nobody listens: it counts each."""

    def __init__(self, switch, vm, end):
        self.switch, self.vm, self.end = switch, vm, end
        self.sent = 0
        self._before = self._arrived()

    def _arrived(self):
        start = len(self.vm.output)
        self.vm.run("cat /proc/net/snmp")
        rows = re.findall(r"^Udp: (.*)$", self.vm.output[start:], re.M)
        return int(dict(zip(rows[0].split(), rows[1].split()))["NoPorts"])

    def send(self, count=96):
        """Not more than any of the machine's queues has room for."""
        for _ in range(count):
            self.end.send(Ether(src=self.end.mac, dst=MAC) /
                          IP(src=self.end.address, dst=ADDRESS) /
                          UDP(sport=1024 + self.sent % 512, dport=9))
            self.sent += 1
        self.end.wait_answer(MAC, ADDRESS)

    def wait_arrived(self):
        wait_until(lambda: self._arrived() - self._before == self.sent,
                   f"{self.sent} datagrams to arrive", 30)


def drops(switch):
    return switch.rpc("stats.ports", port="vm")[0]["drops"]


def of_queues(switch, direction):
    """[packets] by queue of the port "vm"."""
    stats = switch.stats("vm")
    return [stats[f"{direction}_q{queue}_packets"] for queue in range(4)]


def polled(switch):
    """The machine's queues that a packet thread polls, by vsctl pmd-rxq-show."""
    lines = re.findall(r"port: vm +queue-id: +(\d+) \(enabled\)", switch.vsctl("pmd-rxq-show"))
    return sorted(map(int, lines))


@pytest.mark.parametrize("device", ["", ",packed=on"], ids=["split", "packed"])
def test_four_queues_by_flows(switch, bridge, machine, device):
    """The machine has more queues than the switch has threads, and uses them all."""
    switch.set_flows(bridge, "actions=normal")
    vm = machine(4, device)
    switch.vsctl("set", "Interface", "vm", "other_config:tx-steering=hash")
    with pinger(switch, bridge, 1) as end:
        end.wait_answer(MAC, ADDRESS)
        flows = Flows(switch, vm, end)
        lost = drops(switch)  # what the machine said before anybody was there
        for queues in (4, 1, 3, 2, 4):
            if enabled(switch) != (queues, queues):
                vm.write(f"ethtool -L eth0 combined {queues}\n")
            while enabled(switch) != (queues, queues):
                flows.send()
            before = of_queues(switch, "tx")
            for _ in range(3):
                flows.send()
            flows.wait_arrived()
            had = [now - then for now, then in zip(of_queues(switch, "tx"), before)]
            # 288 datagrams in 256 slots.
            assert min(had[:queues]) >= 288 / queues / 2 and not any(had[queues:]), had
            wait_until(lambda queues=queues: polled(switch) == list(range(queues)),
                       f"{queues} queues to be polled")
            before = of_queues(switch, "rx")
            vm.run("for cpu in 1 2 4 8; do taskset $cpu ping -q -c 1 -W 1 10.9.0.11 & done; wait")
            had = [now - then for now, then in zip(of_queues(switch, "rx"), before)]
            assert all(had[:queues]) and not any(had[queues:]), had
        assert drops(switch) == lost


@pytest.mark.parametrize("layout", ["", ",packed=on"], ids=["split", "packed"])
@pytest.mark.parametrize("indirect", ["on", "off"], ids=["indirect", "plain"])
def test_bursts_and_silences(switch, bridge, machine, layout, indirect):
    """Each burst is answered in full with nothing behind it that would hide a lost interrupt."""
    chosen = random.Random(layout + indirect)
    switch.set_flows(bridge, "actions=normal")
    machine(1, f",mrg_rxbuf=off,event_idx=on,indirect_desc={indirect}{layout}")
    features = switch.port("vm")["status"]["features"].split()
    assert "event_idx" in features and "mrg_rxbuf" not in features
    assert ("indirect_desc" in features) == (indirect == "on")
    with pinger(switch, bridge, 1) as other:
        other.wait_answer(MAC, ADDRESS)
        # What the machine has said before anybody was there has gone nowhere.
        before = switch.rpc("stats.ports", port="vm")[0]["drops"]
        count = 0
        for burst in range(250):
            size = chosen.choice((20, 56, 400, 1400))
            numbers = {other.ping(MAC, ADDRESS, size)
                       for _ in range(chosen.choice((1, 1, 2, 17, 48)))}
            assert other.hears(lambda wanted=numbers: wanted <= other.answered, 20), \
                f"burst {burst}: {len(numbers - other.answered)} of {len(numbers)} not answered"
            count += len(numbers)
        assert count > 2500
        assert switch.stats("vm")["rx_packets"] >= count
        assert switch.rpc("stats.ports", port="vm")[0]["drops"] == before
