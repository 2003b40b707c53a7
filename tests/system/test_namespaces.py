# SPDX-License-Identifier: Apache-2.0
"""The kernel's network stack on both sides: ping and iperf3 through the switch."""
import json

import pytest
from turnout.machine import need_namespaces, need_program
from turnout.namespace import Namespace, short_name

MACS = ("02:00:00:00:08:01", "02:00:00:00:08:02")


@pytest.fixture(params=["af_packet", "tap"])
def pair(request, switch, bridge):
    """Two namespaces, 10.8.0.1 and 10.8.0.2, on ports n1 and n2 of the bridge."""
    need_namespaces()
    need_program("ethtool", "ping")
    spaces = []
    try:
        for index, mac in enumerate(MACS):
            space = Namespace()
            spaces.append(space)
            address, name = f"10.8.0.{index + 1}/24", f"n{index + 1}"
            if request.param == "af_packet":
                outside = space.add_veth(address, mac)
                switch.add_port(bridge, name, type="dpdk", ofport=index + 1,
                                devargs=f"net_af_packet{index},iface={outside}")
            else:
                tap = short_name("tt")
                switch.add_port(bridge, name, type="dpdk", ofport=index + 1,
                                devargs=f"net_tap{index},iface={tap}")
                space.take(tap, address, mac)
        yield spaces
    finally:
        for index in range(len(spaces)):
            switch.vsctl("--if-exists", "del-port", bridge, f"n{index + 1}")
        for space in spaces:
            space.remove()


def test_ping(switch, bridge, pair):
    switch.set_flows(bridge, "priority=0,actions=normal")
    assert pair[0].ping("10.8.0.2", count=20) == (20, 20)
    assert pair[1].ping("10.8.0.1", count=5, size=1472) == (5, 5)
    learned = {row["mac"]: row["ofport"] for row in switch.rpc("fdb.show", bridge=bridge)}
    assert [learned.get(mac) for mac in MACS] == [1, 2]


def test_flows_decide(switch, bridge, pair):
    """Without the flow for ICMP there is no answer; with it there is."""
    switch.set_flows(bridge, "arp,actions=normal")
    assert pair[0].ping("10.8.0.2", count=3, deadline=3)[1] == 0
    switch.ofctl("add-flow", bridge, "in_port=n1,icmp,actions=output:n2")
    switch.ofctl("add-flow", bridge, "in_port=n2,icmp,actions=output:n1")
    assert pair[0].ping("10.8.0.2", count=3) == (3, 3)
    assert switch.flow_packets(bridge, "in_port=1,icmp") == 3


def test_rewriting_on_the_way(switch, bridge, pair):
    """A virtual address: the kernel accepts the checksums that the switch has rewritten."""
    pair[0].run("ip", "neigh", "add", "10.8.0.99", "lladdr", MACS[1], "dev", "eth0")
    switch.set_flows(
        bridge, "priority=0,actions=normal",
        "in_port=1,icmp,nw_dst=10.8.0.99,actions=mod_nw_dst:10.8.0.2,dec_ttl,output:2",
        "in_port=2,icmp,nw_src=10.8.0.2,actions=mod_nw_src:10.8.0.99,output:1")
    assert pair[0].ping("10.8.0.99", count=5) == (5, 5)


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_iperf3(switch, bridge, pair, kind):
    need_program("iperf3")
    switch.set_flows(bridge, "priority=0,actions=normal")
    with pair[1].start("iperf3", "-s", "-1", "--forceflush") as server:
        server.wait_for("Server listening")
        amount = ["-n", "24M"] if kind == "tcp" else ["-u", "-b", "40M", "-n", "4M", "-l", "1400"]
        done = pair[0].run("iperf3", "-c", "10.8.0.2", "-J", *amount)
        server.wait()
    result = json.loads(done.stdout)["end"]
    if kind == "tcp":
        assert result["sum_received"]["bytes"] >= 20 << 20
    else:
        assert result["sum"]["lost_percent"] < 5, result["sum"]
    # No frame vanished without a name.
    rows = switch.rpc("stats.ports", bridge=bridge)
    for row in rows:
        assert row["statistics"]["rx_packets"] > 0, row
