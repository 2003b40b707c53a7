# SPDX-License-Identifier: Apache-2.0
"""Daemons that die during traffic: the other carries on, and nothing acknowledged is lost."""
import json
import re
import threading

import pytest
from turnout.frames import Ether, IP, UDP, write_pcap
from turnout.pingpong import FRAMES, PingPong
from turnout.machine import program
from turnout.rpc import RpcClient
from turnout.survivor import Stream
from turnout.switch import Switch
from turnout.waiting import wait_until


def state(switch):
    """All that has to be the same afterwards: not what guests do meanwhile."""
    shown = json.loads(switch.vsctl("-f", "json", "show"))
    for bridge in shown["bridges"]:
        for port in bridge["ports"]:
            for interface in port["interfaces"]:
                for live in ("state", "status", "error"):
                    interface.pop(live, None)
    flows = {bridge["name"]: [(row["table"], row["priority"], row["cookie"], row["text"])
                              for row in switch.flows(bridge["name"])]
             for bridge in shown["bridges"]}
    ports = {bridge["name"]: switch.rpc("port.names", bridge=bridge["name"])
             for bridge in shown["bridges"]}
    return shown, flows, ports


@pytest.fixture
def busy(switch, bridge, tmp_path):
    """A pcap file replayed without end into a null port, and some more state."""
    source = write_pcap(tmp_path / "in.pcap", [
        Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(dst=f"10.0.0.{n}")
        / UDP(sport=n, dport=9) for n in range(64)])
    switch.add_port(bridge, "p0", type="dpdk", ofport=11,
                    devargs=f"net_pcap90,rx_pcap={source},infinite_rx=1")
    switch.add_port(bridge, "p1", type="dpdk", ofport=12, devargs="net_null90,no-rx=1", tag=7)
    switch.vsctl("set", "Interface", "p1", "external_ids:owner=a=b c")
    switch.ofctl("add-flow", bridge, "cookie=0x77,in_port=11,ip,nw_dst=10.0.0.0/27,actions=drop")
    switch.ofctl("add-flow", bridge, "cookie=0x78,priority=5,in_port=p0,actions=output:p1")
    switch.ofctl("add-flow", bridge, "table=9,priority=5,arp,actions=resubmit(,10)")
    return bridge


def datapath_counter(switch, port):
    """From datapathd itself, which is there when vswitchd is not."""
    client = RpcClient(switch.path("datapathd.sock"))
    try:
        return client.call("port.status", name=port)[0]["statistics"]["tx_packets"]
    finally:
        client.close()


def test_vswitchd_killed(switch, busy):
    with PingPong(switch, busy, mode="client") as pair:
        pair.start()
        before, datapathd = state(switch), switch.pid_of("datapathd")
        switch.kill("vswitchd")
        count = datapath_counter(switch, "p1")
        wait_until(lambda: datapath_counter(switch, "p1") > count + 10000,
                   "frames to go on without vswitchd")
        switch.start()
        assert switch.pid_of("datapathd") == datapathd, "the running datapath was not adopted"
        assert state(switch) == before
        assert switch.flow_packets(busy, "cookie=0x78/-1") > count, "counters were reset"
        pair.wait_moving()
        assert pair.harvest() == FRAMES, "frames were lost"


def test_datapathd_killed(switch, busy):
    with PingPong(switch, busy, mode="client") as pair:
        pair.start()
        before, vswitchd = state(switch), switch.pid_of("vswitchd")
        dead = switch.kill("datapathd")
        wait_until(lambda: switch.pid_of("datapathd") not in (None, dead), "a new datapathd", 30)
        switch.wait_ready()
        assert switch.pid_of("vswitchd") == vswitchd
        assert state(switch) == before
        wait_until(lambda: switch.flow_packets(busy, "cookie=0x78/-1") > 10000, "frames to flow")
        # The guests are the listening side here: the new datapath connects to them again.
        for name in pair.names:
            switch.wait_state(name, "running")
        for guest in pair.guests:
            guest.stop()
        pair.guests[1].start()
        pair.guests[0].start(FRAMES // 32)
        pair.wait_moving()


def test_no_frame_is_lost_without_vswitchd(switch, busy):
    """Killed and restarted again and again: the stream does not notice, counters go on."""
    with Stream(switch, busy) as stream:
        datapathd, before = switch.pid_of("datapathd"), 0
        for _ in range(5):
            switch.kill("vswitchd")
            stream.wait_moving()
            switch.start()
            now = switch.flow_packets(busy, "in_port=21")
            assert now > before
            before = now
        assert switch.pid_of("datapathd") == datapathd
        sent, lost = stream.finish()
        assert lost == 0, f"{lost} of {sent} frames"
        assert switch.flow_packets(busy, "in_port=21") == sent


def test_all_is_back_after_datapathd(switch, busy):
    """With many flows and a group: guests are called again, and frames flow."""
    lines = "\n".join(f"table=5,ip,nw_dst=10.{n >> 8}.{n & 255}.1,actions=group:1"
                      for n in range(10000))
    switch.ofctl("add-group", busy, "group_id=1,type=select,bucket=output:12")
    switch.rpc("flow.bundle", bridge=busy, lines=lines)
    with Stream(switch, busy) as stream:
        before = state(switch)
        for _ in range(3):
            switch.kill("datapathd")
            stream.wait_moving()
            switch.wait_ready()
            assert state(switch) == before
        for name in stream.names:
            assert int(switch.port(name)["status"]["connections"]) == 1


def test_one_that_crashes_again_and_again_is_held_back(tmp_path):
    """By a program that ends at once as long as there is a certain file."""
    wrapper, broken = tmp_path / "datapathd", tmp_path / "broken"
    wrapper.write_text(f"#!/bin/sh\n[ -e {broken} ] && echo it is broken && exit 3\n"
                       f"exec {program('datapath/datapathd')} \"$@\"\n", encoding="ascii")
    wrapper.chmod(0o755)
    with Switch(configuration=f"datapathd:\n    program: {wrapper}\n    huge_pages: no\n"
                              "    memory: 256\n") as switch:
        switch.vsctl("add-br", "br0")
        broken.touch()
        switch.kill("datapathd")

        def problem():
            return switch.rpc("system.info")["datapath"].get("problem", "")
        wait_until(lambda: re.search("([6-9]|[1-9][0-9]) times in a row, and will be again in",
                                     problem()), "it to be held back", 60)
        assert "ended with status 3" in problem() and "it is broken" in problem()
        assert "in a row" in switch.vsctl("show")
        assert "in a row" in switch.run("vswitch/vsctl", "add-br", "br1", status=1).err
        broken.unlink()
        switch.wait_ready()
        switch.vsctl("add-br", "br1")


def test_both_killed_while_changing(switch, busy):
    """Flows are added as fast as they are acknowledged; both daemons die in the middle."""
    acknowledged, asked = [], []

    def add_flows():
        client = switch.connect()
        try:
            for number in range(100000):
                asked.append(number)
                client.call("flow.add", bridge=busy,
                            flow=f"cookie={0x100000 + number},table=3,ip,nw_dst=10.{number >> 8}."
                                 f"{number & 255}.1,actions=output:12")
                acknowledged.append(number)
        except (OSError, ValueError):
            pass
        finally:
            client.close()

    adding = threading.Thread(target=add_flows)
    adding.start()
    wait_until(lambda: len(acknowledged) >= 200, "200 acknowledged flows")
    switch.kill("vswitchd")
    switch.kill("datapathd")
    adding.join(20)
    assert not adding.is_alive()
    switch.start()
    found = {int(str(row["cookie"]), 0) - 0x100000 for row in switch.flows(busy, "table=3")}
    missing = set(acknowledged) - found
    assert not missing, f"{len(missing)} acknowledged flows are lost, such as {min(missing)}"
    assert found <= set(asked), "flows that nobody asked for"
    # The datapath has them too, not only the store.
    client = RpcClient(switch.path("datapathd.sock"))
    in_force = sum("table=3" in text for _, text in client.call("flow.list", bridge=busy))
    client.close()
    assert in_force == len(found)


def test_changes_before_the_end_of_both(switch, bridge):
    """Bridges, ports and settings that were acknowledged are there after kill -9 of both."""
    switch.add_port(bridge, "v1", type="vhostuser", mode="server", tag=5)
    switch.vsctl("add-br", "br1", "--", "set", "Bridge", "br1", "other_config:mac-aging-time=60")
    switch.add_port("br1", "v2", type="vhostuser", mode="client", trunks="[3,4]")
    before = state(switch)
    switch.kill("datapathd")
    switch.kill("vswitchd")
    switch.start()
    assert state(switch) == before
    switch.vsctl("del-br", "br1")


def test_polite_end_and_start(switch, busy):
    before = state(switch)
    switch.rpc("system.exit", datapath=True)
    switch.vswitchd.wait(10)
    wait_until(lambda: switch.pid_of("datapathd") is None, "datapathd to end")
    switch.start()
    assert state(switch) == before
    assert switch.rpc("db.get", table="Interface", record="p1", column="external_ids",
                      key="owner") == "a=b c"
