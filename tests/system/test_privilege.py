# SPDX-License-Identifier: Apache-2.0
"""What the daemons may do: as root, as another user, and without capabilities."""
import os
import pwd

import pytest
from turnout.machine import free_hugepages
from turnout.pingpong import FRAMES, PingPong
from turnout.switch import Switch

NET_ADMIN, NET_RAW, IPC_LOCK = 1 << 12, 1 << 13, 1 << 14
CHOWN, DAC_OVERRIDE, FOWNER = 1 << 0, 1 << 1, 1 << 3
USER = "nobody"
MEMORY = "datapathd:\n    memory: 256\n    huge_pages: " + ("auto" if free_hugepages() > 800 else "no")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")


def status(switch, daemon):
    with open(f"/proc/{switch.pid_of(daemon)}/status", encoding="ascii") as file:
        return {line.split(":", 1)[0]: line.split(":", 1)[1].strip() for line in file}


def threads(switch, daemon, key):
    """The values of all threads of a daemon."""
    pid, found = switch.pid_of(daemon), set()
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as file:
            found |= {line.split(":", 1)[1].strip() for line in file if line.startswith(key + ":")}
    return found


def inet_listeners(pid):
    """Descriptors of the process that are TCP sockets which listen, or UDP sockets."""
    inodes = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        with open(f"/proc/{pid}/net/{table}", encoding="ascii") as file:
            for line in file.readlines()[1:]:
                fields = line.split()
                if table.startswith("udp") or fields[3] == "0A":
                    inodes.add(fields[9])
    links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    return [link for link in links if any(link == f"socket:[{inode}]" for inode in inodes)]


def capabilities(switch, daemon):
    values = threads(switch, daemon, "CapEff")
    assert len(values) == 1, "threads differ"
    assert int(values.pop(), 16) == (found := int(status(switch, daemon)["CapPrm"], 16))
    return found


def test_as_root(switch, bridge):
    with PingPong(switch, bridge, mode="client") as pair:
        pair.start()
        for daemon in ("vswitchd", "datapathd"):
            assert threads(switch, daemon, "Seccomp") == {"2"}
            assert threads(switch, daemon, "NoNewPrivs") == {"1"}
            # vswitchd's socket may be for another owner.
            more = CHOWN | FOWNER if daemon == "vswitchd" else 0
            assert capabilities(switch, daemon) == (
                NET_ADMIN | NET_RAW | IPC_LOCK | DAC_OVERRIDE | more)
            assert not inet_listeners(switch.pid_of(daemon))
        assert pair.harvest() == FRAMES


@pytest.fixture(scope="module")
def by_nobody():
    with Switch(configuration=f"user: {USER}\n{MEMORY}\n") as switch:
        # What the kernel sends by an interface of its own is not for the guests.
        switch.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "fail_mode=secure")
        yield switch


def test_as_another_user(by_nobody):
    """Guests and interfaces of the kernel, a restart, and a datapathd that dies."""
    uid = str(pwd.getpwnam(USER).pw_uid)
    for daemon in ("vswitchd", "datapathd"):
        assert threads(by_nobody, daemon, "Uid") == {"\t".join([uid] * 4)}
        assert capabilities(by_nobody, daemon) == NET_ADMIN | NET_RAW | IPC_LOCK
    with PingPong(by_nobody, "br0") as pair:
        pair.start()
        by_nobody.add_port("br0", "t0", type="dpdk", devargs="net_tap0,iface=turnout-t0")
        by_nobody.wait_state("t0", "up")
        by_nobody.rpc("port.del", name="t0")
        by_nobody.kill("vswitchd")
        by_nobody.start()
        assert pair.harvest() == FRAMES
    by_nobody.kill("datapathd")
    by_nobody.wait_ready()
    assert threads(by_nobody, "datapathd", "Uid") == {"\t".join([uid] * 4)}
    assert by_nobody.rpc("datapath.restart")["pid"] == by_nobody.pid_of("datapathd")


def test_without_capabilities():
    with Switch(configuration=f"user: {USER}\n{MEMORY}\n    capabilities: none\n") as switch:
        assert capabilities(switch, "datapathd") == 0
        switch.vsctl("add-br", "br0")
        refused = switch.run("vswitch/vsctl", "add-port", "br0", "t0", "type=dpdk",
                             "devargs=net_tap0,iface=turnout-t0", status=1).err
        assert "datapathd.capabilities" in refused, refused
        with PingPong(switch, "br0") as pair:
            pair.start()
            assert pair.harvest() == FRAMES


def test_errors_at_the_start(tmp_path):
    for text, error in ((f"user: no-such-user\n{MEMORY}\n", 'there is no user "no-such-user"'),
                        (f"{MEMORY}\n    capabilities: fly\n", '"fly" is no capability')):
        switch = Switch(configuration=text, start=False)
        try:
            switch.start_vswitchd()
            assert switch.vswitchd.wait(20) == 1
            assert error in switch.logs()
        finally:
            switch.stop()
