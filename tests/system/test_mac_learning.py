# SPDX-License-Identifier: Apache-2.0
"""Floods of source addresses: they are learned as fast as the bridge's limit has it, push out nobody
else's addresses, and keep nobody from being learned."""
import dataclasses
import os
import time

import pytest
from turnout.frames import IP, UDP, Ether, write_pcap
from turnout.switch import Switch
from turnout.waiting import wait_until

BRIDGE = "brflood"
HOST, LATER = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
FLOOD = 2000


@dataclasses.dataclass
class Place:
    """Where a case takes place."""

    switch: Switch
    folder: str


def frame(source, target="ff:ff:ff:ff:ff:ff"):
    return Ether(src=source, dst=target) / IP(src="10.0.0.1", dst="10.0.0.2") / UDP() / bytes(20)


def flood_frames(count, first=0):
    return [frame(f"02:66:00:00:{number >> 8:02x}:{number & 255:02x}", HOST)
            for number in range(first, first + count)]


@pytest.fixture
def flooded(switch, tmp_path):
    """A function that makes a bridge with these limits, where HOST has been learned at port 4."""
    def make(**limits):
        switch.rpc("bridge.add", name=BRIDGE, **limits)
        place = Place(switch, str(tmp_path))
        add_source(place, 4, [frame(HOST)])
        wait_until(lambda: learned_at(place, HOST) == 4, "the host to be learned")
        return place
    yield make
    switch.rpc("bridge.del", name=BRIDGE, if_exists=True)


def add_source(place, ofport, data, more=""):
    """A port that receives these frames, and from which no file grows when a flood leaves by it."""
    path = write_pcap(os.path.join(place.folder, f"source{ofport}.pcap"), data)
    place.switch.add_port(BRIDGE, f"p{ofport}", type="dpdk", ofport=ofport,
                         devargs=f"net_pcap_source{ofport},rx_pcap={path}{more}")


def received(place, ofport, count):
    wait_until(lambda: place.switch.stats(f"p{ofport}")["rx_packets"] >= count, f"{count} frames")


def learned_at(place, mac):
    return next((row["ofport"] for row in place.switch.rpc("fdb.show", bridge=BRIDGE)
                 if row["mac"] == mac), None)


def stats(place):
    return place.switch.rpc("fdb.stats", bridge=BRIDGE)


def port_stats(place, ofport):
    return next(row for row in stats(place)["ports"] if row["ofport"] == ofport)


def start_flood(place):
    """From port 1, without end."""
    add_source(place, 1, flood_frames(FLOOD), ",infinite_rx=1")


def test_a_flood_pushes_out_only_itself(flooded):
    size = 100
    place = flooded(mac_table_size=size, mac_learning_rate=1000000, mac_learning_burst=1000000)
    start_flood(place)
    wait_until(lambda: stats(place)["evicted"] > 10 * size, "addresses to be evicted")
    assert learned_at(place, HOST) == 4
    # Without a limit the flood fills the ring to the control thread, where one frame's address can
    # be lost: hosts send more than one.
    add_source(place, 5, [frame(LATER, HOST)], ",infinite_rx=1")
    wait_until(lambda: learned_at(place, LATER) == 5, "the host that comes later to be learned")
    more = stats(place)["evicted"] + 10 * size
    wait_until(lambda: stats(place)["evicted"] > more, "more addresses to be evicted")
    assert (learned_at(place, HOST), learned_at(place, LATER)) == (4, 5)
    found = stats(place)
    assert (found["count"], found["size"]) == (size, size)
    assert {row["ofport"]: row["count"] for row in found["ports"]} == {1: size - 2, 4: 1, 5: 1}
    place.switch.rpc("port.del", name="p1")
    assert stats(place)["count"] == 2


def test_learning_is_limited_at_each_port(flooded):
    place = flooded(mac_learning_rate=1, mac_learning_burst=5)
    add_source(place, 1, flood_frames(300))
    received(place, 1, 300)
    found = port_stats(place, 1)
    assert 5 <= found["count"] < 100
    assert found["count"] + found["limited"] == 300 and found["lost"] == 0
    # Others have limits of their own.
    assert (port_stats(place, 4)["count"], port_stats(place, 4)["limited"]) == (1, 0)
    add_source(place, 5, [frame(LATER)])
    wait_until(lambda: learned_at(place, LATER) == 5, "another port to learn")
    # It changes while the bridge runs, and forgets nothing.
    place.switch.vsctl("set", "Bridge", BRIDGE, "other_config:mac-learning-rate-limit=1000000",
                      "other_config:mac-learning-burst-limit=1000")
    add_source(place, 6, flood_frames(300, 1000))
    received(place, 6, 300)
    assert port_stats(place, 6)["count"] == 300 and port_stats(place, 6)["limited"] == 0
    assert port_stats(place, 1)["count"] == found["count"]
    assert f"p1 {found['count']} {found['limited']} 0" in \
        " ".join(place.switch.vsctl("fdb/stats-show", BRIDGE).split())


def test_a_flood_lets_the_control_thread_sleep(flooded):
    """With a table that forgets at once what it learns, so that there is no end to it."""
    place = flooded(mac_table_size=50)
    start_flood(place)
    wait_until(lambda: port_stats(place, 1)["limited"] > 10000, "the limit to be reached")

    def moment():
        path = f"/proc/{place.switch.pid_of('datapathd')}/status"
        with open(path, encoding="ascii") as file:
            switches = next(int(line.split()[1]) for line in file
                            if line.startswith("voluntary_ctxt_switches"))
        return time.monotonic(), switches, stats(place)["evicted"]
    began, switches, evicted = moment()
    wait_until(lambda: stats(place)["evicted"] > evicted + 5000, "thousands to be learned", pause=0.2)
    ended, switches_then, evicted_then = moment()
    assert (switches_then - switches) / (ended - began) < 400
    # The default limit, and a full bucket at most.
    assert evicted_then - evicted < 10000 * (ended - began) * 1.1 + 2000
    assert learned_at(place, HOST) == 4


def test_limits_are_numbers_in_bounds(switch, bridge):
    for key in ("mac-learning-rate-limit", "mac-learning-burst-limit"):
        for value in ("0", "1000001", "x"):
            result = switch.run("vswitch/vsctl", "set", "Bridge", bridge,
                                f"other_config:{key}={value}", status=None)
            assert result.status != 0 and key in result.err
