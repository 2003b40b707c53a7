# SPDX-License-Identifier: Apache-2.0
"""A datapathd that has a supervisor, and a vswitchd that starts none."""
import datetime
import os
import pwd
import re
import signal

import pytest
from turnout.process import is_running
from turnout.rpc import RpcError
from turnout.supervised import Supervised
from turnout.survivor import Stream
from turnout.waiting import wait_until

FLOWS = "\n".join(f"table=5,ip,nw_dst=10.{n >> 8}.{n & 255}.1,actions=drop" for n in range(2000))


@pytest.fixture(scope="module", name="switch")
def _switch():
    with Supervised() as switch:
        yield switch


@pytest.fixture
def full(switch, bridge):
    switch.rpc("flow.bundle", bridge=bridge, lines=FLOWS)
    return bridge


def workers(supervisor):
    """Pids of its children."""
    with open(f"/proc/{supervisor}/task/{supervisor}/children", encoding="ascii") as file:
        return [int(pid) for pid in file.read().split()]


def status_of(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(line.split(":", 1)[1].strip() for line in file if line.startswith(key + ":"))


def flows_back(switch, bridge):
    switch.wait_ready()
    wait_until(lambda: len(switch.flows(bridge, "table=5")) == 2000, "all flows to be back")


def test_a_worker_that_is_killed(switch, full):
    supervisor = switch.pid_of("datapathd-supervisor")
    with Stream(switch, full) as stream:
        for sig in (signal.SIGKILL, signal.SIGUSR1, signal.SIGTERM):
            old = switch.kill("datapathd", sig)
            new = switch.wait_worker(old)
            assert workers(supervisor) == [new]
            flows_back(switch, full)
            stream.wait_moving()
    assert switch.pid_of("datapathd-supervisor") == supervisor


def test_restart_without_an_outage(switch, full):
    supervisor = switch.pid_of("datapathd-supervisor")
    with Stream(switch, full) as stream:
        for _ in range(3):
            old = switch.pid_of("datapathd")
            report = switch.rpc("datapath.restart", wait_ms=30000)
            assert report["old_pid"] == old != report["pid"] == switch.pid_of("datapathd")
            assert report["late"] == []
            stream.wait_moving()
        sent, lost = stream.finish()
        assert lost == 0, f"{lost} of {sent} frames"
    assert workers(supervisor) == [report["pid"]]
    assert len(switch.flows(full, "table=5")) == 2000
    assert not os.path.exists(switch.path("datapathd-next.sock"))
    # One that was a successor is replaced as any other.
    old = switch.kill("datapathd")
    assert [switch.wait_worker(old)] == workers(supervisor)
    switch.wait_ready()


def test_a_new_one_that_cannot_start_changes_nothing(switch, full):
    supervisor, pid = switch.pid_of("datapathd-supervisor"), switch.pid_of("datapathd")
    with Stream(switch, full) as stream:
        # A file in the way of its socket.
        with open(switch.path("datapathd-next.sock"), "w", encoding="ascii"):
            with pytest.raises(RpcError, match="the old one goes on.*ended before it answered"):
                switch.rpc("datapath.restart")
        assert workers(supervisor) == [pid] == [switch.pid_of("datapathd")]
        stream.wait_moving()
        assert stream.finish()[1] == 0
    assert "without having taken over" in switch.log()


@pytest.mark.parametrize("victim", ["new", "old", "vswitchd"])
def test_killed_on_the_way(switch, full, victim):
    """Whichever is killed, at any moment, one worker forwards in the end."""
    supervisor = switch.pid_of("datapathd-supervisor")
    with Stream(switch, full) as stream:
        client = switch.connect()
        old = switch.pid_of("datapathd")
        client.begin("datapath.restart")
        new = wait_until(lambda: switch.pid_of("datapathd-next"), "the new one", pause=0.002)
        if victim == "vswitchd":
            switch.kill("vswitchd")
            switch.start()
        else:
            os.kill(new if victim == "new" else old, signal.SIGKILL)
            client.receive_answer()
        client.close()
        flows_back(switch, full)
        stream.wait_moving()
        wait_until(lambda: workers(supervisor) == [switch.pid_of("datapathd")], "one worker")
        assert switch.pid_of("datapathd-next") is None
        # And the next time it works.
        assert switch.rpc("datapath.restart")["pid"] == switch.pid_of("datapathd")


def test_a_supervisor_that_is_killed(switch, full):
    worker = switch.pid_of("datapathd")
    with Stream(switch, full) as stream:
        switch.kill("datapathd-supervisor")
        switch.supervisor.wait(5)
        stream.wait_moving()
        with pytest.raises(RpcError, match="is gone.*datapathd --supervise.*systemctl restart"):
            switch.rpc("datapath.restart")
        switch.start_datapathd("--supervise")
        wait_until(lambda: f"(pid {worker}) runs already" in switch.log(), "it to take note")
        supervisor = switch.pid_of("datapathd-supervisor")
        assert workers(supervisor) == [] and switch.pid_of("datapathd") == worker
        stream.wait_moving()
        assert stream.finish()[1] == 0
    switch.kill("datapathd")
    assert [switch.wait_worker(worker)] == workers(supervisor)
    flows_back(switch, full)
    assert switch.rpc("datapath.restart")["pid"] == switch.pid_of("datapathd")


def test_two_supervisors_are_refused(switch):
    first = switch.supervisor
    second = switch.start_datapathd("--supervise")
    switch.supervisor = first
    assert second.wait(15) == 1
    assert f"held by the running process {first.pid}" in switch.log()
    assert switch.pid_of("datapathd-supervisor") == first.pid


def test_what_it_is(switch):
    """It listens nowhere, and keeps for its workers what it was started with."""
    pid = switch.pid_of("datapathd-supervisor")
    links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    assert sum(link.startswith("socket:") for link in links) == 1, links
    assert len(os.listdir(f"/proc/{pid}/task")) == 1
    assert status_of(pid, "NoNewPrivs") == "1" and status_of(pid, "Seccomp") == "2"
    assert status_of(pid, "CapEff") == status_of("self", "CapEff")
    with open(f"/proc/{switch.pid_of('datapathd')}/cmdline", encoding="utf-8") as file:
        assert "--supervise" not in file.read().split("\0")


@pytest.mark.parametrize("adopted", [False, True])
def test_it_ends_with_its_workers(adopted):
    with Supervised() as switch:
        worker = switch.pid_of("datapathd")
        if adopted:
            switch.kill("datapathd-supervisor")
            switch.supervisor.wait(5)
            switch.start_datapathd("--supervise")
            wait_until(lambda: "runs already" in switch.log(), "it to take note")
        switch.supervisor.send_signal(signal.SIGTERM)
        assert switch.supervisor.wait(15) == 0
        assert not is_running(worker) and switch.pid_of("datapathd") is None
        for name in ("datapathd.pid", "datapathd.sock", "datapathd-supervisor.pid"):
            assert not os.path.exists(switch.path(name))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_workers_of_another_user():
    uid = str(pwd.getpwnam("nobody").pw_uid)
    with Supervised(["--user", "nobody"]) as switch:
        old = switch.kill("datapathd")
        assert status_of(switch.wait_worker(old), "Uid").split() == [uid] * 4
        switch.wait_ready()
        pid = switch.rpc("datapath.restart")["pid"]
        assert status_of(pid, "Uid").split() == [uid] * 4
        assert int(status_of(pid, "CapEff"), 16) == 1 << 12 | 1 << 13 | 1 << 14


def test_without_a_supervisor():
    """What is to be done is said."""
    with Supervised(start=False) as switch:
        switch.start_datapathd()
        wait_until(lambda: os.path.exists(switch.path("datapathd.sock")), "datapathd", 30)
        switch.start_vswitchd()
        switch.wait_ready()
        with pytest.raises(RpcError, match="not started by datapathd --supervise.*Start it with"):
            switch.rpc("datapath.restart")


def test_a_worker_that_always_dies(tmp_path):
    """Each pause is at least what the one before was, and twice that."""
    with Supervised(["--eal", "--no-such-argument"], start=False) as switch:
        switch.start_datapathd("--supervise")
        started = re.compile(r"^(\S+)Z datapathd info: supervisor: started", re.M)
        found = wait_until(lambda: (at := started.findall(switch.log()))[5:] and at,
                           "six starts", 60)
        times = [datetime.datetime.fromisoformat(text) for text in found]
        gaps = [(b - a).total_seconds() for a, b in zip(times, times[1:])]
        for gap, least in zip(gaps, (0, 0.1, 0.2, 0.4, 0.8)):
            assert gap >= least - 0.01, gaps  # the log has another clock
        assert re.search(r"was started \d times and has not run for 10 s since", switch.log())
        switch.supervisor.send_signal(signal.SIGTERM)
        assert switch.supervisor.wait(15) == 0


def test_options(tmp_path):
    for options, text in ((["--supervise", "--standby"], "--supervise stands alone"),
                          (["--supervisor", "77"], "it is for datapathd --supervise alone"),
                          (["--supervise", "--huge", "perhaps"], "give auto, on or off")):
        switch = Supervised(start=False)
        try:
            assert switch.start_datapathd(*options).wait(15) == 2
            assert text in switch.log()
        finally:
            switch.stop()
