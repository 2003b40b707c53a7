# SPDX-License-Identifier: Apache-2.0
"""Two virtual machines ping each other through the switch and copy a file, checksummed; and go on
with it when the switch is exchanged or dies."""
import signal

import pytest
from turnout.process import kill_and_wait
from turnout.waiting import wait_until
from turnout.vm import VirtualMachine, boot_files

MIB = 4


@pytest.fixture(scope="module")
def boot(tmp_path_factory):
    return boot_files(tmp_path_factory.mktemp("boot"))


@pytest.mark.parametrize("mode,device", [("server", ""), ("client", ",packed=on")],
                         ids=["switch-listens-split", "guest-listens-packed"])
def test_two_machines(switch, bridge, boot, mode, device):
    sockets = []
    for index in (1, 2):
        sockets.append(switch.path(f"vm{index}.sock"))
        switch.add_port(bridge, f"vm{index}", type="vhostuser", mode=mode, path=sockets[-1],
                        ofport=index)
    switch.set_flows(bridge, "in_port=1,arp,actions=output:2", "in_port=2,arp,actions=output:1",
                     "in_port=1,icmp,actions=output:2", "in_port=2,icmp,actions=output:1",
                     "in_port=2,tcp,tp_dst=7000,actions=output:1",
                     "in_port=1,tcp,tp_src=7000,actions=output:2")
    listens = mode == "client"
    with VirtualMachine("serve", *boot, sockets[0], "02:00:00:00:07:01", "serve", "10.7.0.1/24",
                        listens=listens, device=device) as server, \
            VirtualMachine("send", *boot, sockets[1], "02:00:00:00:07:02", "send", "10.7.0.2/24",
                           listens=listens, device=device, peer="10.7.0.1", mib=MIB) as client:
        server.wait_says("listening")
        client.wait_says("up")
        switch.wait_state("vm1", "running")
        switch.wait_state("vm2", "running")
        assert client.wait_says("ping") == "20 20"
        assert client.wait_says("ping-large") == "5 5"
        size, checksum = client.wait_says("sending").split()
        assert int(size) == MIB << 20
        assert server.wait_says("received") == f"{size} {checksum}"
        client.wait_says("done")
        # Every frame of the file went by the flow made for it.
        assert switch.flow_packets(bridge, "in_port=2,icmp") >= 25
        assert switch.flow_packets(bridge, "in_port=1,icmp") >= 25
        there = switch.flows(bridge, "in_port=2,tcp,tp_dst=7000")[0]
        assert there["bytes"] > MIB << 20
        assert switch.flow_packets(bridge, "in_port=1,tcp,tp_src=7000") > 0


# nc ends what it has to say when its input ends; then the other one ends, too.
TAKE = "mkfifo /nothing; (exec 3<>/nothing; nc -l -p 7000 <&3 | sha256sum >/sum) &"
# From the one machine to the other, without end, until there is a file /enough.
POUR = ("(count=0; until [ -e /enough ]; do cat /piece; count=$((count + 1)); echo $count >/count; "
        "done | nc 10.7.0.1 7000) &")
POURED = ("i=0; while [ $i -lt $(cat /count) ]; do cat /piece; i=$((i + 1)); done | sha256sum "
          ">/sum")


def told(machine, line):
    """What a line of shell in the machine prints, a word."""
    start = len(machine.output)
    machine.run(f"say told $({line})")
    return machine.wait_for(r"^GUEST told (\w+)", start).group(1)


@pytest.mark.parametrize("mode", ["server", "client"], ids=["switch-listens", "guest-listens"])
def test_machines_outlive_the_switch(switch, bridge, boot, mode):
    """A TCP connection between two machines, whose drivers and QEMU know nothing of it, goes on
    while datapathd is exchanged, while it is killed, and while vswitchd is killed."""
    sockets = [switch.path(f"vm{index}.sock") for index in (1, 2)]
    for index, path in enumerate(sockets, 1):
        switch.add_port(bridge, f"vm{index}", type="vhostuser", mode=mode, path=path, ofport=index)
    flow = "in_port=2,tcp,tp_dst=7000"
    switch.set_flows(bridge, "priority=1,in_port=1,actions=output:2",
                     "priority=1,in_port=2,actions=output:1", flow + ",actions=output:1")

    def goes_on(by=200):
        before = switch.flow_packets(bridge, flow)
        wait_until(lambda: switch.flow_packets(bridge, flow) >= before + by,
                   "the connection to go on", 60)

    listens = mode == "client"
    with VirtualMachine("to", *boot, sockets[0], "02:00:00:00:07:01", "obey", "10.7.0.1/24",
                        listens=listens) as to, \
            VirtualMachine("from", *boot, sockets[1], "02:00:00:00:07:02", "obey", "10.7.0.2/24",
                           listens=listens) as source:
        to.wait_says("listening")
        source.wait_says("listening")
        to.run(TAKE)
        to.run("until netstat -ltn | grep -q :7000; do usleep 20000; done")
        source.run("until ping -c 1 -W 1 10.7.0.1 >/dev/null; do :; done")
        source.run("dd if=/dev/urandom of=/piece bs=1M count=1 2>/dev/null")
        source.run(POUR)
        goes_on()
        report = switch.rpc("datapath.restart", wait_ms=60000)
        assert report["late"] == []
        print(f"handover with two machines: {report['gap_ms']} ms")
        goes_on()
        kill_and_wait(switch.pid_of("datapathd"))
        goes_on()
        switch.kill("vswitchd", signal.SIGKILL)
        switch.start_vswitchd()
        switch.wait_ready()
        goes_on()
        source.run("touch /enough")
        source.run("wait", 120)
        source.run(POURED, 120)
        to.run("wait", 120)
        assert told(to, "cut -c1-64 /sum") == told(source, "cut -c1-64 /sum")
        assert int(told(source, "cat /count")) > 0
