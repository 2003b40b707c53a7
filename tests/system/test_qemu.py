# SPDX-License-Identifier: Apache-2.0
"""Two virtual machines ping each other through the switch and copy a file, checksummed."""
import pytest
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
