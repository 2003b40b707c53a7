# SPDX-License-Identifier: Apache-2.0
"""Configuration files, command lines, frames and guests that are wrong."""
import os
import re
import socket
import subprocess
import time

import pytest
from scapy.all import fragment
from turnout.accounts import assert_balanced, of_ports
from turnout.frames import (ARP, Dot1AD, Dot1Q, Ether, ICMP, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IP,
                            IPv6, SCTP, TCP, UDP, wire as to_bytes)
from turnout.machine import program
from turnout.wire import Wire

YAML = {
    "unknown key": ("log_level: info\nnosuch: 1\n", 2, ["nosuch"]),
    "unknown key in a section": ("datapathd:\n    nosuch: 1\n", 2, ["nosuch"]),
    "wrong type": ("datapathd:\n    start_timeout: soon\n", 2, ["start_timeout", "soon"]),
    "out of range": ("datapathd:\n    start_timeout: 100000\n", 2, ["start_timeout"]),
    "not a choice": ("log_level: loud\n", 1, ["loud", "debug"]),
    "twice": ("log_level: info\nlog_level: debug\n", 2, ["log_level"]),
    "syntax": ("datapathd: [1, 2\n", 2, []),
    "tab": ("datapathd:\n\tstart: yes\n", 2, []),
}


@pytest.mark.parametrize("case", YAML)
def test_configuration_file(tmp_path, case):
    text, line, words = YAML[case]
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    done = subprocess.run([program("vswitch/vswitchd"), "--rundir", str(tmp_path / "run"), "--conf",
                           str(file)], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1, done
    assert re.search(rf"bad\.yaml:{line}:\d+: ", done.stderr), done.stderr
    for word in words:
        assert word in done.stderr
    assert not os.path.exists(tmp_path / "run" / "vswitchd.sock")


@pytest.mark.parametrize("mask", ["zz", "5-2", "0x0", "1,"])
def test_configured_cores(tmp_path, mask):
    file = tmp_path / "bad.yaml"
    file.write_text(f"pmd_cpu_mask: '{mask}'\n")
    done = subprocess.run([program("vswitch/vswitchd"), "--rundir", str(tmp_path / "run"), "--conf",
                           str(file)], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1 and str(file) in done.stderr and f'"{mask}"' in done.stderr


def test_configuration_file_missing(tmp_path):
    done = subprocess.run([program("vswitch/vswitchd"), "--rundir", str(tmp_path / "run"), "--conf",
                           "/nonexistent.yaml"], capture_output=True, text=True, timeout=20,
                          check=False)
    assert done.returncode == 1 and "/nonexistent.yaml" in done.stderr


# vswitchd quotes the last line of datapathd's log when it does not start.
@pytest.mark.parametrize("arguments,status,word", [
    (["--nosuch"], 2, '"--nosuch"'), (["--memory"], 2, '"--memory"'),
    (["--memory", "x"], 2, '--memory "x": give a number'),
    (["--huge", "perhaps"], 2, "give auto, on or off"),
    (["--no-huge", "--eal", "--nosuch"], 1, "look at --eal"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_last_line_of_datapathd(tmp_path, arguments, status, word):
    done = subprocess.run([program("datapath/datapathd"), "--rundir", str(tmp_path / "run"),
                           *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=20, check=False)
    assert done.returncode == status, done
    assert word in done.stdout.splitlines()[-1], done


USAGE = [
    ("vswitch/vsctl", [], 2), ("vswitch/vsctl", ["nosuch"], 2), ("vswitch/vsctl", ["add-br"], 2),
    ("vswitch/vsctl", ["--nosuch", "show"], 2), ("vswitch/vsctl", ["add-br", "a", "b"], 2),
    ("vswitch/vsctl", ["-f", "nosuch", "show"], 2), ("vswitch/vsctl", ["-t", "x", "show"], 2),
    ("vswitch/vsctl", ["del-br", "nosuch"], 1), ("vswitch/vsctl", ["list", "Nosuch"], 1),
    ("vswitch/vsctl", ["get", "Interface", "nosuch", "statistics"], 1),
    ("vswitch/vsctl", ["set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=zz"], 1),
    ("vswitch/vsctl", ["set", "Open_vSwitch", ".", "other_config:emc-insert-inv-prob=1"], 1),
    ("vswitch/vsctl", ["set", "Open_vSwitch", ".", "nosuch=1"], 1),
    ("vswitch/vsctl", ["--help"], 0), ("vswitch/vsctl", ["--version"], 0),
    ("ofctl/ofctl", [], 2), ("ofctl/ofctl", ["nosuch"], 2), ("ofctl/ofctl", ["add-flow"], 2),
    ("ofctl/ofctl", ["add-flow", "br0"], 2), ("ofctl/ofctl", ["dump-flows", "nosuch"], 1),
    ("ofctl/ofctl", ["add-flows", "br0", "/nonexistent"], 1),
    ("ofctl/ofctl", ["--help"], 0), ("ofctl/ofctl", ["--version"], 0),
    ("vswitch/vswitchd", ["--nosuch"], 2), ("vswitch/vswitchd", ["surplus"], 2),
    ("vswitch/vswitchd", ["--help"], 0), ("vswitch/vswitchd", ["--version"], 0),
    ("datapath/datapathd", ["--nosuch"], 2), ("datapath/datapathd", ["--help"], 0),
    ("datapath/datapathd", ["--version"], 0),
]


@pytest.mark.parametrize("name,arguments,status", USAGE,
                         ids=[" ".join([name.split("/")[1], *args]) for name, args, _ in USAGE])
def test_exit_status(switch, bridge, name, arguments, status):
    result = switch.run(name, *arguments, status=status)
    if status:
        assert f"{name.split('/')[1]}: " in result.err.splitlines()[0], result
        assert result.out == ""
    else:
        assert result.out and not result.err


def test_nobody_there(tmp_path):
    """Without a daemon: exit status 1 after -t seconds, and the socket's path."""
    for name, arguments in (("vswitch/vsctl", ["show"]), ("ofctl/ofctl", ["dump-flows", "br0"])):
        began = time.monotonic()
        done = subprocess.run([program(name), "--rundir", str(tmp_path), "-t", "1", *arguments],
                              capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 1
        assert f"{tmp_path}/vswitchd.sock" in done.stderr
        assert 0.9 <= time.monotonic() - began < 5


def test_second_daemon(switch):
    """A run directory that is in use is refused, and the first daemon goes on."""
    done = subprocess.run([program("vswitch/vswitchd"), "--rundir", switch.rundir],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1 and str(switch.pid_of("vswitchd")) in done.stderr
    assert switch.rpc("bridge.list") == []


def whole_frames():
    yield Ether() / Dot1AD(vlan=5) / Dot1Q(vlan=6) / IP() / TCP(options=[("MSS", 1400)])
    yield Ether() / Dot1Q(vlan=6) / Dot1Q(vlan=7) / Dot1Q(vlan=8) / IP() / UDP()
    yield Ether() / IP(options=[b"\x01" * 12]) / UDP() / b"12345678"
    yield Ether() / IP() / ICMP() / b"1234"
    yield Ether() / IP() / SCTP() / b"1234567890123456"
    yield Ether() / ARP()
    yield Ether() / IPv6() / TCP() / b"1234"
    yield Ether() / IPv6(nh=0) / (b"\x3c\x00" + bytes(6) + b"\x2c\x00" + bytes(6) + b"\x11\x00"
                                  + b"\x00\x01\x00\x00\x00\x07" + b"\x00\x01\x00\x02\x00\x08\x00\x00")
    yield Ether() / IPv6() / ICMPv6ND_NS() / ICMPv6NDOptSrcLLAddr()
    yield from (Ether() / part for part in fragment(IP() / UDP() / bytes(100), 48))


def broken_frames():
    """Each frame cut at every byte, and with every byte of its headers set to 0 and to 255."""
    for whole in whole_frames():
        data = to_bytes(whole)
        for length in range(1, len(data) + 1):
            yield data[:length]
        for at in range(12, min(len(data), 90)):
            for value in (0, 255):
                yield data[:at] + bytes([value]) + data[at + 1:]


def test_broken_frames(switch, bridge, tmp_path):
    """Deep matches and rewrites on frames that end anywhere: all are accounted for."""
    given = list(broken_frames())
    with Wire(switch, bridge, tmp_path) as wire:
        wire.add_output(2)
        switch.set_flows(
            bridge,
            "priority=90,dl_vlan=6,actions=strip_vlan,push_vlan:0x88a8,mod_vlan_vid:9,goto_table:1",
            "priority=0,actions=goto_table:1",
            "table=1,priority=90,tcp,tcp_flags=+syn,actions=mod_tp_dst:9,dec_ttl,2",
            "table=1,priority=89,tcp,actions=mod_nw_src:1.2.3.4,mod_tp_src:9,2",
            "table=1,priority=88,udp,udp_dst=0x0/0x1,actions=mod_tp_src:4,mod_nw_dst:1.2.3.4,2",
            "table=1,priority=87,sctp,actions=mod_tp_src:4,2",
            "table=1,priority=86,icmp,icmp_type=8,actions=set_field:0->icmp_type,2",
            "table=1,priority=85,ip,nw_frag=later,actions=mod_nw_src:1.2.3.4,mod_nw_ttl:3,2",
            "table=1,priority=84,ip,actions=mod_nw_src:1.2.3.4,mod_nw_tos:8,2",
            "table=1,priority=90,tcp6,actions=set_field:2001::1->ipv6_src,mod_tp_dst:7,2",
            "table=1,priority=90,udp6,actions=set_field:2001::1->ipv6_dst,mod_tp_dst:7,dec_ttl,2",
            "table=1,priority=90,icmp6,icmpv6_type=135,nd_target=::,"
            "actions=set_field:2001::9->nd_target,set_field:02:00:00:00:00:01->nd_sll,2",
            "table=1,priority=80,ipv6,actions=set_field:2001::1->ipv6_src,2",
            "table=1,priority=90,arp,arp_op=1,actions=set_field:9.9.9.9->arp_spa,2",
            "table=1,priority=0,actions=normal")
        wire.add_input(1, given)
        wire.wait_received()
        assert wire.stats(1)["rx_packets"] == len(given)
        assert_balanced(of_ports(switch.rpc("stats.ports", bridge=bridge)))
        assert wire.drops(1).get("malformed", 0) > 0
        # Nothing gets shorter or longer but by the tags that flows take off and put on.
        assert len(wire.output(2)) == wire.stats(2)["tx_packets"] > 1000
    assert switch.pid_of("datapathd"), "datapathd died"


def test_guest_that_talks_nonsense(switch, bridge):
    """Bytes that are no vhost-user messages: an error state at most; the next guest is welcome."""
    path = switch.path("g1.sock")
    switch.add_port(bridge, "g1", type="vhostuser", mode="server", path=path)
    datapathd = switch.pid_of("datapathd")
    messages = [b"", b"\xff" * 200, bytes(12), b"GET / HTTP/1.1\r\n\r\n",
                # request 5 (memory table) that announces 8 regions and holds none
                b"\x05\0\0\0\x01\0\0\0\x08\0\0\0\x08\0\0\0\0\0\0\0",
                # request 8 (queue size) of queue 4000000
                b"\x08\0\0\0\x01\0\0\0\x08\0\0\0\x00\x09\x3d\x00\x00\x01\0\0",
                # a size of 4 GiB
                b"\x01\0\0\0\x01\0\0\0\xff\xff\xff\xff"]
    for message in messages:
        with socket.socket(socket.AF_UNIX) as guest:
            guest.settimeout(5)
            guest.connect(path)
            if message:
                guest.sendall(message)
            guest.shutdown(socket.SHUT_WR)
            try:
                while guest.recv(4096):
                    pass
            except OSError:
                pass
    switch.wait_state("g1", "listening")
    assert switch.pid_of("datapathd") == datapathd
