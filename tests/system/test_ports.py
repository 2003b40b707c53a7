# SPDX-License-Identifier: Apache-2.0
"""Ports come and go under traffic; what cannot be is refused with a reason; every frame counts."""
import json
import os
import socket

import pytest
from turnout.accounts import assert_balanced, of_ports
from turnout.frames import ARP, Dot1Q, Ether, IP, TCP, UDP
from turnout.pingpong import FRAMES, PingPong
from turnout.waiting import wait_until
from turnout.wire import Wire


def test_others_lose_nothing(switch, bridge, tmp_path):
    with PingPong(switch, bridge) as pair:
        pair.start()
        for number in range(6):
            name, path = f"x{number}", switch.path(f"x{number}.sock")
            switch.add_port(bridge, name, type="vhostuser", mode="server", path=path)
            switch.add_port(bridge, "n0", type="dpdk", devargs=f"net_null{number},no-rx=1")
            switch.add_port(bridge, "g0", type="dpdk", devargs=f"net_ring{number}")
            pair.wait_moving(200)
            switch.vsctl("del-port", bridge, name, "--", "del-port", bridge, "n0",
                         "--", "del-port", bridge, "g0")
            assert not os.path.exists(path), "the socket was left behind"
        assert switch.vsctl("list-ports", bridge).split() == ["vh1", "vh2"]
        assert pair.harvest() == FRAMES


def test_both_spellings(switch, bridge):
    """The short form and Open vSwitch's give the same port."""
    path = switch.path("o1.sock")
    switch.vsctl("add-port", bridge, "t1", "type=vhostuser", "tag=100")
    switch.vsctl("add-port", bridge, "o1", "--", "set", "Interface", "o1",
                 "type=dpdkvhostuserclient", f"options:vhost-server-path={path}")
    switch.vsctl("add-port", bridge, "o2", "--", "set", "Interface", "o2", "type=dpdkvhostuser",
                 "ofport_request=7")
    switch.vsctl("add-port", bridge, "o3", "--", "set", "Interface", "o3", "type=dpdk",
                 "options:dpdk-devargs=net_null77,no-rx=1", "options:n_rxq=1")
    assert sorted(switch.vsctl("list-ports", bridge).split()) == ["o1", "o2", "o3", "t1"]
    assert switch.state("t1") == "connecting" and switch.state("o1") == "connecting"
    assert switch.state("o2") == "listening" and os.path.exists(switch.path("o2.sock"))
    assert switch.vsctl("get", "Interface", "o2", "ofport").strip() == "7"
    assert switch.vsctl("get", "Port", "t1", "tag").strip() == "100"
    assert switch.vsctl("port-to-br", "o3").strip() == bridge
    # An alias of a name that is there already is refused; --may-exist accepts it.
    assert switch.run("vswitch/vsctl", "add-port", bridge, "o1", status=1).err
    switch.vsctl("--may-exist", "add-port", bridge, "o1")


def test_numbers_and_json(switch, bridge):
    """What scripts read: one number; one JSON object."""
    switch.add_port(bridge, "p1", type="dpdk", devargs="net_null1,no-rx=1", ofport=2)
    assert int(switch.vsctl("get", "Interface", "p1", "statistics:tx_packets")) == 0
    counters = json.loads(switch.vsctl("-f", "json", "get", "Interface", "p1", "statistics"))
    assert counters["tx_packets"] == 0 and counters["rx_packets"] == 0
    assert isinstance(json.loads(switch.vsctl("-f", "json", "show")), dict)
    json.loads(switch.vsctl("-f", "json", "pmd-stats-show"))
    json.loads(switch.vsctl("-f", "json", "pmd-rxq-show"))
    assert "core_id" in switch.vsctl("pmd-rxq-show")
    assert "core_id" in switch.vsctl("pmd-stats-show")


# name: (arguments after add-port br0, words that the message must hold)
REFUSED = {
    "no such driver": (["x", "type=dpdk", "devargs=net_nosuch0"], ["net_nosuch0"]),
    "no such file": (["x", "type=dpdk", "devargs=net_pcap5,rx_pcap=/nonexistent.pcap"],
                     ["net_pcap5"]),
    "no such PCI device": (["x", "type=dpdk", "devargs=0000:ff:1f.7"], ["0000:ff:1f.7"]),
    "no such interface": (["x", "type=dpdk", "devargs=net_af_packet5,iface=nosuchif"],
                          ["net_af_packet5"]),
    "no devargs": (["x", "type=dpdk"], ["devargs"]),
    "unknown type": (["x", "type=nosuch"], ["nosuch", "dpdk", "vhostuser"]),
    "unknown option": (["x", "type=vhostuser", "foo=1"], ["foo"]),
    "option of another type": (["x", "type=vhostuser", "devargs=net_null0"], ["devargs"]),
    "bad number": (["x", "type=dpdk", "devargs=net_null5", "n_rxq=many"], ["n_rxq", "many"]),
    "bad mode": (["x", "type=vhostuser", "mode=both"], ["mode", "client", "server"]),
    "long path": (["x", "type=vhostuser", "mode=server", "path=/tmp/" + 120 * "x"], ["107"]),
    "no such folder": (["x", "type=vhostuser", "mode=server", "path=/nonexistent/x.sock"],
                       ["/nonexistent"]),
    "bad tag": (["x", "type=vhostuser", "tag=5000"], ["tag", "4095"]),
    "number in use": (["x", "type=vhostuser", "ofport=9"], ["9", "used"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(switch, bridge, case):
    arguments, words = REFUSED[case]
    switch.add_port(bridge, "used", type="dpdk", devargs="net_null99,no-rx=1", ofport=9)
    result = switch.run("vswitch/vsctl", "add-port", bridge, *arguments, status=1)
    assert result.err.startswith("vsctl: "), result.err
    for word in words:
        assert word in result.err, f"{word!r} is not in {result.err!r}"
    assert switch.vsctl("list-ports", bridge).split() == ["used"], "something was left behind"
    # The device or path can be used at once by somebody who asks properly.
    switch.add_port(bridge, "x", type="dpdk", devargs="net_null5,no-rx=1")


def test_iface_that_is_a_socket(switch, bridge):
    """Not every driver means a network interface by iface=: to net_vhost it is a socket."""
    path = switch.path("pmd.sock")
    switch.add_port(bridge, "x", type="dpdk", devargs=f"net_vhost5,iface={path}")
    assert os.path.exists(path) and switch.state("x") == "down"


def test_busy_socket(switch, bridge):
    """A socket on which another program listens is not taken away; a stale one is."""
    path = switch.path("busy.sock")
    other = socket.socket(socket.AF_UNIX)
    other.bind(path)
    other.listen(1)
    result = switch.run("vswitch/vsctl", "add-port", bridge, "x", "type=vhostuser", "mode=server",
                        f"path={path}", status=1)
    assert path in result.err
    assert os.path.exists(path)
    assert switch.vsctl("list-ports", bridge) == ""
    other.close()  # the file stays, and nobody listens
    switch.add_port(bridge, "x", type="vhostuser", mode="server", path=path)
    assert switch.state("x") == "listening"


def test_unknown_bridge_and_port(switch, bridge):
    assert "nosuch" in switch.run("vswitch/vsctl", "add-port", "nosuch", "x", "type=vhostuser",
                                  status=1).err
    assert "nosuch" in switch.run("vswitch/vsctl", "del-port", bridge, "nosuch", status=1).err
    switch.vsctl("--if-exists", "del-port", bridge, "nosuch")
    assert "br0" in switch.run("vswitch/vsctl", "add-br", bridge, status=1).err
    switch.vsctl("--may-exist", "add-br", bridge)


def test_one_transaction(switch, bridge):
    """Commands joined by -- all happen or none does."""
    result = switch.run("vswitch/vsctl", "add-port", bridge, "x", "type=vhostuser",
                        "--", "add-br", "br7", "--", "add-port", "br7", "y", "type=dpdk",
                        "devargs=net_nosuch0", status=1)
    assert "net_nosuch0" in result.err
    assert switch.vsctl("list-br").split() == [bridge]
    assert switch.vsctl("list-ports", bridge) == ""


def test_every_frame_counts(switch, bridge, tmp_path):
    """What came and its copies were sent or dropped, with every kind of ending, exactly."""
    def frame(number, l4=None, **l2):
        return Ether(**{"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02", **l2}) / IP(
            src="10.0.0.1", dst=f"10.0.{number >> 8}.{number & 255}",
            ttl=number % 5) / (l4 or UDP(sport=1, dport=number % 16))
    given = [frame(number) for number in range(800)]
    given += [frame(number, TCP(dport=number)) for number in range(300)]
    given += [Ether(dst="ff:ff:ff:ff:ff:ff") / ARP() for _ in range(50)]
    given += [Ether() / Dot1Q(vlan=number) / IP() / UDP() for number in range(60)]
    given += [bytes(number) for number in range(1, 14)]
    with Wire(switch, bridge, tmp_path) as wire:
        wire.add_output(2, 3, 4)
        switch.set_flows(
            bridge, "priority=100,udp,tp_dst=0,actions=drop", "priority=100,udp,tp_dst=1,actions=2",
            "priority=100,udp,tp_dst=2,actions=2,3,4", "priority=100,udp,tp_dst=3,actions=all",
            "priority=100,udp,tp_dst=4,actions=dec_ttl,2", "priority=100,udp,tp_dst=5,actions=99",
            "priority=100,udp,tp_dst=6,actions=1", "priority=100,udp,tp_dst=7,actions=in_port,2",
            "priority=100,udp,tp_dst=8,actions=resubmit(,0)",
            "priority=100,udp,tp_dst=9,actions=2,dec_ttl,3,dec_ttl,dec_ttl,4",
            "priority=100,udp,tp_dst=10,actions=goto_table:1", "table=1,ip,nw_ttl=3,actions=2,1,99",
            "priority=90,arp,actions=normal", "priority=90,dl_vlan=5,actions=normal",
            "priority=80,tcp,tp_dst=0x0/0x1,actions=2,2,2")
        wire.add_input(1, given)
        wire.wait_received()
        assert wire.stats(1)["rx_packets"] == len(given)
        assert_balanced(of_ports(switch.rpc("stats.ports", bridge=bridge)))
        for port in (1, 2, 3, 4):
            assert len(wire.output(port)) == wire.stats(port)["tx_packets"]
        names = set(wire.drops(1))
        assert {"table_miss", "action_drop", "malformed", "no_port", "ingress_port", "ttl_expired",
                "resubmit_limit"} <= names, names
        totals = switch.rpc("stats.drops")
        assert totals


def test_status_and_link(switch, bridge):
    switch.add_port(bridge, "p1", type="dpdk", devargs="net_null1,no-rx=1")
    row = switch.port("p1")
    assert row["link_state"] == "up" and row["admin_state"] == "up"
    wait_until(lambda: switch.state("p1") in ("up", "running"), "p1 to be up")


def test_mtu(switch, bridge, tmp_path):
    """A frame longer than the egress port allows is dropped by name."""
    with Wire(switch, bridge, tmp_path) as wire:
        wire.add_output(2, mtu=1000)
        switch.set_flows(bridge, "in_port=1,actions=2")
        frames = [Ether() / IP() / UDP() / bytes(972), Ether() / IP() / UDP() / bytes(1100)]
        wire.add_input(1, frames)
        wire.wait_received()
        assert len(wire.output(2)) == 1
        assert wire.drops(2) == {"tx_too_long": 1}
