# SPDX-License-Identifier: Apache-2.0
"""Packet threads that sleep when they have nothing to do, and are woken by everything that there is to
do: frames of guests and of kernel interfaces, frames to send, queues that come and go."""
import os
import struct

import pytest
from test_vhost_protocol import Pair, access, frame
from turnout import frontend as vu
from turnout.machine import PMD_MASK, PROCESSORS, need_namespaces
from turnout.namespace import Namespace
from turnout.pingpong import FRAMES, PingPong
from turnout.waiting import wait_until

ROOT = ("Open_vSwitch", ".")


def set_root(switch, **keys):
    for key, value in keys.items():
        switch.vsctl("set", *ROOT, f"other_config:{key.replace('_', '-')}={value}")


@pytest.fixture(autouse=True)
def usual_settings(switch):
    yield
    switch.vsctl("remove", *ROOT, "other_config", "rx-mode", "pmd-idle-time", "pmd-sleep-max")
    set_root(switch, pmd_cpu_mask=PMD_MASK)


def thread(switch):
    return switch.rpc("pmd.stats_show")[0]


def wait_asleep(switch, percent=95):
    """Until the thread has slept for nearly all of the time since the counters were cleared."""
    switch.vsctl("pmd-stats-clear")
    wait_until(lambda: thread(switch)["asleep_percent"] >= percent, "the packet thread to sleep")


def wait_wide_awake(switch):
    """It goes round and round and has not slept since the counters were cleared."""
    switch.vsctl("pmd-stats-clear")
    wait_until(lambda: thread(switch)["iterations"] > 10000, "the packet thread to go round")
    assert thread(switch)["sleeps"] == 0


def test_guests_wake_it(switch, bridge):
    with Pair(switch, bridge) as pair:
        for number in range(20):
            wait_asleep(switch)
            pair.cross(number)
        text = switch.vsctl("pmd-stats-show")
        assert "cycles asleep: " in text and " sleeps" in text
        assert "asleep TSC cycles: " in switch.vsctl("pmd-perf-show")


def test_idle_guests_cost_no_rounds(switch, bridge):
    """Nothing looks from time to time either: the thread sleeps until somebody has something."""
    with Pair(switch, bridge):
        wait_asleep(switch)
        switch.vsctl("pmd-stats-clear")
        wait_until(lambda: thread(switch)["cycles_asleep"] > thread(switch)["cycles_hz"],
                   "a second of sleep")
        assert thread(switch)["sleeps"] < 50


def test_changes_under_way(switch, bridge):
    """A ring that is stopped, started or switched off and on while nobody looks; another eventfd."""
    with Pair(switch, bridge) as pair:
        ring = pair.a.rings[1]
        pair.cross()
        wait_asleep(switch)
        base = pair.a.stop_ring(ring)
        pair.a.transmit(frame(1))
        pair.b.give_buffers(1)
        wait_asleep(switch)
        pair.a.start_ring(ring, base)
        pair.a.enable(ring)
        wait_until(pair.b.rings[0].take, "the frame that waited")
        wait_asleep(switch)
        assert pair.a.set_kick(ring)
        wait_until(lambda: access(switch, "va") == "direct", "the ring to be back")
        wait_asleep(switch)
        pair.cross(2)
        pair.a.enable(ring, False)
        wait_asleep(switch)
        pair.a.transmit(frame(3))
        pair.b.give_buffers(1)
        pair.a.enable(ring)
        wait_until(pair.b.rings[0].take, "the frame that waited for the ring")


def test_kicks_that_are_no_eventfd(switch, bridge):
    """A guest's descriptor may be any file. Nobody waits for that: it is refused, or, if the guest says
    that it has none, the ring is looked at instead."""
    with Pair(switch, bridge) as pair:
        pair.cross()
        for number, wrong in enumerate((*os.pipe(), os.open("/dev/null", os.O_RDWR))):
            assert not pair.a.tell(vu.SET_VRING_KICK, struct.pack("<Q", 1), [wrong])
            os.close(wrong)
            assert pair.a.set_kick(pair.a.rings[1])
            wait_until(lambda: access(switch, "va") == "direct", "the ring to be back")
            pair.cross(number)
        assert pair.a.tell(vu.SET_VRING_KICK, struct.pack("<Q", 1 | 0x100))
        wait_until(lambda: access(switch, "va") == "direct", "the ring to be back")
        wait_asleep(switch, 50)
        pair.cross(9)


def test_frames_circle_as_before(switch, bridge):
    """With pauses of all lengths between none and longer than the thread is patient."""
    with PingPong(switch, bridge) as pair:
        pair.start()
        for idle_us in (0, 1, 10, 1000):
            set_root(switch, pmd_idle_time=idle_us)
            pair.wait_moving(3000)
        assert pair.harvest() == FRAMES


def test_polling(switch, bridge):
    """The most wakeful queue decides."""
    with Pair(switch, bridge) as pair:
        wait_asleep(switch)
        set_root(switch, rx_mode="polling")
        wait_wide_awake(switch)
        pair.cross()
        for name, mode in (("va", "adaptive"), ("vb", "interrupt")):
            wait_wide_awake(switch)
            switch.vsctl("set", "Interface", name, f"other_config:rx-mode={mode}")
        wait_asleep(switch)
        modes = {row["port"]: row["mode"] for row in thread(switch)["queues"]}
        assert modes == {"va": "adaptive", "vb": "interrupt"}
        pair.cross(1)


def test_timer(switch, bridge):
    """A driver that wakes nobody: looked at from time to time, or, if that is not wanted, always."""
    switch.add_port(bridge, "n0", type="dpdk", devargs="net_null40,no-rx=1")
    assert switch.port("n0")["status"]["wakes_by"] == "timer"
    switch.vsctl("pmd-stats-clear")
    wait_until(lambda: thread(switch)["sleeps"] > 1000, "a thousand short sleeps")
    set_root(switch, pmd_sleep_max=0)
    wait_wide_awake(switch)
    set_root(switch, pmd_sleep_max=10000)
    wait_asleep(switch)


def test_packet_out(switch, bridge):
    with Pair(switch, bridge) as pair:
        wait_asleep(switch)
        pair.b.give_buffers(1)
        switch.ofctl("packet-out", bridge, f"in_port=controller,packet={frame().hex()},"
                     "actions=output:2")
        wait_until(pair.b.rings[0].take, "the frame")


def test_threads_come_and_go(switch, bridge):
    if len(PROCESSORS) < 2:
        pytest.skip("this machine has one processor")
    with Pair(switch, bridge) as pair:
        for number in range(5):
            set_root(switch, pmd_cpu_mask=f"{PROCESSORS[0]},{PROCESSORS[1]}")
            wait_until(lambda: len(switch.rpc("pmd.stats_show")) == 2, "two threads")
            pair.cross(number)
            set_root(switch, pmd_cpu_mask=PMD_MASK)
            wait_until(lambda: len(switch.rpc("pmd.stats_show")) == 1, "one thread")
            wait_asleep(switch)
            pair.cross(number + 1)


@pytest.mark.parametrize("driver", ["af_packet", "tap"])
def test_kernel_interfaces_wake_it(switch, bridge, driver):
    need_namespaces()
    space = Namespace()
    try:
        if driver == "af_packet":
            devargs = "net_af_packet9,iface=" + space.add_veth("10.9.0.1/24", "02:00:00:00:09:01")
            switch.add_port(bridge, "k0", type="dpdk", ofport=1, devargs=devargs)
        else:
            switch.add_port(bridge, "k0", type="dpdk", ofport=1, devargs="net_tap9,iface=ttsleep9")
            space.take("ttsleep9", "10.9.0.1/24", "02:00:00:00:09:01")
        assert switch.port("k0")["status"]["wakes_by"] == "descriptor"
        space.run("ip", "neigh", "add", "10.9.0.2", "lladdr", "02:00:00:00:09:02", "dev", "eth0")
        switch.set_flows(bridge, "icmp,actions=drop")
        for _ in range(3):
            wait_asleep(switch)
            before = switch.flow_packets(bridge, "icmp")
            sent, _ = space.ping("10.9.0.2", count=1, deadline=1)
            wait_until(lambda n=before + sent: switch.flow_packets(bridge, "icmp") == n,
                       "all frames")
    finally:
        switch.vsctl("--if-exists", "del-port", bridge, "k0")
        space.remove()


def test_bad_settings(switch, bridge):
    switch.add_port(bridge, "n0", type="dpdk", devargs="net_null41,no-rx=1")
    for where, key, value, word in ((ROOT, "rx-mode", "sometimes", "adaptive"),
                                    (("Interface", "n0"), "rx-mode", "x", "adaptive"),
                                    (ROOT, "pmd-idle-time", "-1", "pmd-idle-time"),
                                    (ROOT, "pmd-sleep-max", "10001", "10000")):
        result = switch.run("vswitch/vsctl", "set", *where, f"other_config:{key}={value}",
                            status=None)
        assert result.status != 0 and word in result.err, result.err
