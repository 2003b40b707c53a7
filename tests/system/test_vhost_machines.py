# SPDX-License-Identifier: Apache-2.0
"""Guests with a kernel's driver: queues that are switched while they are used, and layouts of
buffers that only they have; nothing may come to a stop."""
import random

import pytest
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
