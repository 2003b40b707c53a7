# SPDX-License-Identifier: Apache-2.0
"""The systemd units: what they forbid does not break the daemons."""
import os
import pwd
import re
import shutil

import pytest
from turnout import sandbox
from turnout.machine import BUILD, SOURCE
from turnout.supervised import Supervised
from turnout.survivor import Stream

UNITS = os.path.join(BUILD, "conf")
# Of those which our own filter lets through, for whom they are.
NOT_FOR_UNITS = {
    "setgid", "setgroups", "setresgid", "setresuid", "setuid",  # --user, of root
}
NOT_FOR_VSWITCHD = {
    "mbind", "mincore", "move_pages", "sched_setaffinity", "sched_setscheduler",
    "set_mempolicy", "setpriority", "setrlimit",  # packet threads; glibc calls prlimit64
}

pytestmark = pytest.mark.skipif(bool(sandbox.missing()), reason=sandbox.missing())


def unit_path(daemon):
    return os.path.join(UNITS, f"turnout-{daemon}.service")


@pytest.mark.parametrize("daemon, less", [("datapathd", NOT_FOR_UNITS),
                                          ("vswitchd", NOT_FOR_UNITS | NOT_FOR_VSWITCHD)])
def test_calls(daemon, less):
    """The unit forbids nothing that the daemon's own filter is for."""
    with open(os.path.join(SOURCE, "base", "syscalls.def"), encoding="ascii") as file:
        ours = set(re.findall(r"SYSCALL\((\w+)\)", re.sub("//.*", "", file.read())))
    unit = sandbox.read_unit(unit_path(daemon))
    assert ours - sandbox.unit_calls(unit) == less


class Units(Supervised):
    def __init__(self):
        super().__init__(start=False)
        shutil.chown(self.rundir, sandbox.USER)
        self.wrapper = sandbox.wrapper(unit_path("vswitchd"), [self.rundir])
        self.datapathd_wrapper = sandbox.wrapper(unit_path("datapathd"), [self.rundir])


@pytest.fixture(scope="module", name="switch")
def _switch():
    with Units() as switch:
        yield switch.start()


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def test_who_they_are(switch):
    uid = str(pwd.getpwnam(sandbox.USER).pw_uid)
    for daemon, capabilities in (("vswitchd", 0), ("datapathd", 1 << 12 | 1 << 13 | 1 << 14),
                                 ("datapathd-supervisor", 1 << 12 | 1 << 13 | 1 << 14)):
        status = status_of(switch.pid_of(daemon))
        assert status["Uid"].split() == [uid] * 4
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == capabilities
        assert status["NoNewPrivs"] == "1"
        assert int(status["Seccomp_filters"]) >= 2
    for space in ("user", "net", "mnt"):
        ours, theirs = (os.readlink(f"/proc/{pid}/ns/{space}")
                        for pid in ("self", switch.pid_of("vswitchd")))
        assert ours != theirs, space


class ReachableStream(Stream):
    """The guests are root's here, and let anybody call them."""

    def __enter__(self):
        mask = os.umask(0)
        try:
            return super().__enter__()
        finally:
            os.umask(mask)


def test_guests_and_interfaces(switch, bridge):
    """Frames of guests, an interface of the kernel, another datapathd, one that is killed."""
    with ReachableStream(switch, bridge) as stream:
        switch.add_port(bridge, "t0", type="dpdk", devargs="net_tap0,iface=turnout-t0")
        switch.wait_state("t0", "up")
        switch.add_port(bridge, "v0", type="vhostuser", mode="server")
        assert os.stat(switch.path("v0.sock")).st_mode & 0o777 == 0o770
        stream.wait_moving()
        switch.rpc("port.del", name="t0")
        old = switch.pid_of("datapathd")
        assert switch.rpc("datapath.restart", wait_ms=30000)["old_pid"] == old
        stream.wait_moving()
        assert stream.finish()[1] == 0
        old = switch.kill("datapathd")
        switch.wait_worker(old)
        switch.wait_ready()
    switch.vsctl("backup", switch.path("copy.db"))


def test_outside_nothing_can_be_written(switch, bridge):
    """The sandbox of these tests is one."""
    refused = switch.run("vswitch/vsctl", "backup", "/tmp/turnout-copy.db", status=1).err
    assert "Read-only" in refused or "unable to open" in refused or "cannot" in refused, refused
    assert not os.path.exists("/tmp/turnout-copy.db")
