# SPDX-License-Identifier: Apache-2.0
"""More than there is room for: named drops, and all is well again when there is room."""
import pytest
from turnout.guest import Guest
from turnout.machine import free_hugepages
from turnout.rpc import RpcError
from turnout.survivor import Stream
from turnout.switch import Switch
from turnout.waiting import wait_until

MBUFS = 4096
HOARDERS = 5  # devices with 1,024 transmit descriptors each
MEMORY = "datapathd:\n    memory: 256\n    huge_pages: " + (
    "auto" if free_hugepages() > 500 else "no")


@pytest.fixture(scope="module")
def small():
    """A switch with as few packet buffers as may be."""
    with Switch(configuration=f"{MEMORY}\n    arguments: ['--mbufs', '{MBUFS}']\n") as switch:
        switch.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "fail_mode=secure")
        yield switch


def sums(switch, *names):
    """All that is counted of the ports as lost."""
    rows = [switch.rpc("stats.ports", port=name)[0] for name in names]
    lost = {}
    for row in rows:
        for reason, count in [*row["drops"].items(), *row["statistics"].items()]:
            lost[reason] = lost.get(reason, 0) + count
    return lost


def test_packet_buffers_run_out(small):
    """Devices whose other side takes nothing keep all buffers of guests, until they are deleted."""
    devices = [f"net_vhost{n},iface={small.path(f'h{n}')}" for n in range(HOARDERS)]
    with Stream(small, "br0") as stream, Guest([], devices=devices, core=None) as hoarder:
        hoarder.ready()
        for number in range(HOARDERS):
            name = f"h{number}"
            small.add_port("br0", name, type="dpdk", ofport=50 + number, n_txq_desc=1024,
                           devargs=f"net_virtio_user{number},path={small.path(name)},"
                                   "queue_size=1024,mrg_rxbuf=0", n_rxq_desc=256)
        assert "they may run out" in small.logs()
        small.ofctl("add-flow", "br0", "priority=1000,in_port=21,actions=22," + ",".join(
            str(50 + n) for n in range(HOARDERS)))
        wait_until(lambda: sums(small, "s1").get("rx_no_buffer"), "the buffers to be used up", 60)
        small.ofctl("--strict", "del-flows", "br0", "priority=1000,in_port=21")
        for number in range(HOARDERS):
            small.vsctl("del-port", "br0", f"h{number}")
        stream.wait_moving(5000)
        lost = sums(small, "s1")["rx_no_buffer"]
        stream.wait_moving(5000)
        assert sums(small, "s1")["rx_no_buffer"] == lost, "there are buffers again"


def test_devices_that_want_more_buffers_than_there_are(small):
    with pytest.raises(RpcError, match="--mbufs"):
        for number in range(10):
            small.rpc("port.add", bridge="br0", name=f"n{number}", type="dpdk",
                      options={"devargs": f"net_tap{number},iface=turnout-n{number}",
                               "n_rxq_desc": 2048})
    # What was there goes on.
    small.clear()
    small.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "fail_mode=secure")
    with Stream(small, "br0") as stream:
        stream.wait_moving()


def test_a_guest_that_takes_nothing(small):
    """Its ring is full: others are served, and it is when it takes something again."""
    with Stream(small, "br0") as stream, Stream(small, "br0", ("t1", "t2"), (31, 32)) as other:
        deaf = stream.receiver
        deaf.deaf = True
        wait_until(lambda: sums(small, "s2").get("tx_full", 0) > 0, "its ring to be full", 30)
        other.wait_moving(5000)
        deaf.deaf = False
        stream.wait_moving(1000)
        assert other.finish()[1] == 0
