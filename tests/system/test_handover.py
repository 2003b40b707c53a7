# SPDX-License-Identifier: Apache-2.0
"""Another datapathd takes over while frames flow."""
import os
import signal

import pytest
from turnout.rpc import RpcClient, RpcError
from turnout.survivor import Stream
from turnout.waiting import wait_until

FLOWS = "\n".join(f"table=5,cookie=0x{n:x},ip,nw_dst=10.{n >> 8}.{n & 255}.1,actions=group:1"
                  for n in range(2000))


@pytest.fixture
def full(switch, bridge):
    """Something of everything."""
    switch.ofctl("add-group", bridge, "group_id=1,type=all,bucket=output:22")
    switch.ofctl("add-meter", bridge, "meter=1,pktps,bands=type=drop,rate=1000000")
    switch.rpc("flow.bundle", bridge=bridge, lines=FLOWS)
    switch.add_port(bridge, "n0", type="dpdk", devargs="net_null91,no-rx=1", tag=7)
    return bridge


def plan(switch):
    client = RpcClient(switch.path("datapathd.sock"))
    try:
        return client.call("datapath.state")["plan"]["threads"]
    finally:
        client.close()


def state(switch, bridge):
    return (sorted(row["text"] for row in switch.flows(bridge)),
            switch.ofctl("dump-groups", bridge), switch.ofctl("dump-meters", bridge),
            switch.rpc("port.names", bridge=bridge),
            [(thread["core"], thread["queues"]) for thread in plan(switch)])


def test_no_frame_is_lost(switch, full):
    with Stream(switch, full) as stream:
        for _ in range(3):
            before, old = state(switch, full), switch.pid_of("datapathd")
            report = switch.rpc("datapath.restart", wait_ms=30000)
            assert report["old_pid"] == old != report["pid"] == switch.pid_of("datapathd")
            assert report["late"] == [] and report["ports"] == 3
            assert 0 < report["gap_ms"] < 60000
            stream.wait_moving()
            assert state(switch, full) == before
        sent, lost = stream.finish()
        assert lost == 0, f"{lost} of {sent} frames"
        # It answers under the old one's name, and nothing else is left of that.
        assert not os.path.exists(switch.path("datapathd-next.sock"))
        assert not os.path.exists(switch.path("datapathd-next.pid"))


def test_what_is_said(switch, full):
    out = switch.vsctl("restart-datapath")
    assert "has taken over from" in out and "1 ports were down for" in out
    answer = switch.rpc("datapath.restart")
    assert answer["ports"] == 1


def test_in_a_batch_it_is_refused(switch, full):
    client = switch.connect()
    pid = switch.pid_of("datapathd")
    try:
        with pytest.raises(RpcError, match="call it alone"):
            answers = client.batch(("bridge.add", {"name": "br7"}), ("datapath.restart", {}))
            raise RpcError(answers[1]["error"])
    finally:
        client.close()
    assert switch.pid_of("datapathd") == pid
    assert switch.rpc("bridge.list") == [full]


def test_a_new_one_that_cannot_start_changes_nothing(switch, full):
    with Stream(switch, full) as stream:
        pid = switch.pid_of("datapathd")
        # A file in the way of its socket.
        with open(switch.path("datapathd-next.sock"), "w", encoding="ascii"):
            with pytest.raises(RpcError, match="the old one goes on.*datapathd-next.sock"):
                switch.rpc("datapath.restart")
        assert switch.pid_of("datapathd") == pid
        stream.wait_moving()
        assert stream.finish()[1] == 0


@pytest.mark.parametrize("victim", ["new", "old"])
def test_killed_on_the_way(switch, full, victim):
    """Whichever of the two is killed at any moment, one forwards in the end."""
    with Stream(switch, full) as stream:
        for _ in range(2):
            kill_during_restart(switch, victim)
            switch.wait_ready()
            stream.wait_moving()
            wait_until(lambda: not os.path.exists(switch.path("datapathd-next.pid")),
                       "the names of the new one to be gone")
        assert len(switch.flows(full, "table=5")) == 2000


def kill_during_restart(switch, victim):
    client = switch.connect()
    old = switch.pid_of("datapathd")
    try:
        client.begin("datapath.restart")
        new = wait_until(lambda: switch.pid_of("datapathd-next"), "the new datapathd", pause=0.002)
        os.kill(new if victim == "new" else old, signal.SIGKILL)
        client.receive_answer()
    finally:
        client.close()


def test_vswitchd_killed_on_the_way(switch, full):
    with Stream(switch, full) as stream:
        client = switch.connect()
        client.begin("datapath.restart")
        new = wait_until(lambda: switch.pid_of("datapathd-next"), "the new datapathd")
        switch.kill("vswitchd")
        client.close()
        switch.start()
        wait_until(lambda: switch.pid_of("datapathd-next") is None, "one datapathd")
        stream.wait_moving()
        assert len(switch.flows(full, "table=5")) == 2000
        assert new  # which of the two it is, depends on when it was
