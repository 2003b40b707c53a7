# SPDX-License-Identifier: Apache-2.0
"""Who may connect to the daemons' sockets: owner, group and mode by the configuration."""
import grp
import os
import stat
import subprocess
import sys

import pytest
from turnout.switch import Switch
from turnout.waiting import wait_until

OWNER, GROUP, STRANGER = 12345, 54321, 23456
BASE = "datapathd:\n    huge_pages: no\n    memory: 512\n"
TRY = ("import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
       "s.sendall(b'{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"bridge.list\"}'); "
       "sys.exit(0 if b'result' in s.recv(999) else 1)")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def reaches(path, user, group):
    """Is a process of this user and group served at the socket?"""
    done = subprocess.run([sys.executable, "-c", TRY, path], user=user, group=group,
                          extra_groups=[], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
    return done.returncode == 0


def owner_of(path):
    status = os.stat(path)
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


def test_without_configuration():
    with Switch(configuration=BASE) as switch:
        assert owner_of(switch.path("vswitchd.sock")) == (os.geteuid(), os.getegid(), 0o660)
        assert owner_of(switch.path("datapathd.sock")) == (os.geteuid(), os.getegid(), 0o600)


@as_root
def test_group():
    with Switch(configuration=BASE + f"rpc:\n    socket_group: {GROUP}\n") as switch:
        os.chmod(switch.rundir, 0o755)
        path = switch.path("vswitchd.sock")
        assert owner_of(path) == (0, GROUP, 0o660)
        assert reaches(path, STRANGER, GROUP)
        assert not reaches(path, STRANGER, STRANGER)
        assert not reaches(switch.path("datapathd.sock"), STRANGER, GROUP)


@as_root
def test_owner_and_mode():
    with Switch(configuration=BASE + f"rpc:\n    socket_owner: {OWNER}\n    socket_group: {GROUP}\n"
                                     "    socket_mode: 0600\n") as switch:
        os.chmod(switch.rundir, 0o755)
        path = switch.path("vswitchd.sock")
        assert owner_of(path) == (OWNER, GROUP, 0o600)
        assert reaches(path, OWNER, STRANGER)
        assert not reaches(path, STRANGER, GROUP)
        assert switch.rpc("bridge.list") == []  # root


@as_root
def test_everybody_and_names():
    name = grp.getgrgid(1).gr_name
    with Switch(configuration=BASE + f"rpc:\n    socket_group: {name}\n    socket_mode: 0666\n") as switch:
        os.chmod(switch.rundir, 0o755)
        path = switch.path("vswitchd.sock")
        assert owner_of(path) == (0, 1, 0o666)
        assert reaches(path, STRANGER, STRANGER)


@pytest.mark.parametrize("line, text", [
    ("socket_owner: nosuchuser", "rpc.socket_owner: there is no user \"nosuchuser\": make it (useradd"),
    ("socket_group: nosuchgroup", "rpc.socket_group: there is no group \"nosuchgroup\": make it"),
    ("socket_mode: 0668", "rpc.socket_mode: \"0668\" is no mode of a socket: give octal digits such as"),
    ("socket_mode: 0444", "rpc.socket_mode: \"0444\" is no mode"),
], ids=["owner", "group", "digits", "unusable"])
def test_mistakes(line, text):
    switch = Switch(configuration=BASE + f"rpc:\n    {line}\n", start=False)
    try:
        switch.start_vswitchd()
        assert switch.vswitchd.wait(20) == 1
        assert text in switch.logs()
        assert not os.path.exists(switch.path("vswitchd.sock"))
        assert switch.pid_of("datapathd") is None
    finally:
        switch.stop()


@as_root
def test_never_open_to_more():
    """From the moment that the file appears, it never has more permissions than in the end."""
    switch = Switch(configuration=BASE + "rpc:\n    socket_mode: 0600\n", start=False)
    try:
        switch.start_vswitchd()
        path, seen = switch.path("vswitchd.sock"), set()

        def look():
            seen.add(owner_of(path)[2])
            return 0o600 in seen
        wait_until(look, "the socket", 30, pause=0)
        assert seen <= {0, 0o600}
        switch.wait_ready()
    finally:
        switch.stop()
