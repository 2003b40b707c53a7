# SPDX-License-Identifier: Apache-2.0
"""Two virtio-user guests: who listens, ring layouts, queues, buffers, and guests that vanish."""
import itertools

import pytest
from turnout.accounts import assert_balanced, of_ports
from turnout.frames import ARP, Ether, IP, Raw, UDP, compare, read_pcap, write_pcap
from turnout.guest import Guest
from turnout.pingpong import FRAMES, PingPong
from turnout.waiting import wait_stable, wait_until
from turnout.wire import Wire

LAYOUTS = list(itertools.product(("server", "client"), (False, True)))
LAYOUT_IDS = [f"switch-{mode}-{'packed' if packed else 'split'}" for mode, packed in LAYOUTS]


def check_accounts(switch, *names):
    """All that came in went out or was dropped by name."""
    def parts():
        rows = switch.rpc("stats.ports", bridge="br0")
        return of_ports(row for row in rows if row["name"] in names)
    assert assert_balanced(wait_stable(parts, "the port counters")) > 0


def drops(switch, name):
    return switch.rpc("stats.ports", port=name)[0]["drops"]


@pytest.mark.parametrize("mode,packed", LAYOUTS, ids=LAYOUT_IDS)
def test_two_guests(switch, bridge, mode, packed):
    with PingPong(switch, bridge, mode=mode, packed=packed) as pair:
        assert switch.state("vh1") == ("listening" if mode == "server" else "connecting")
        pair.start()
        features = switch.port("vh1")["status"]["features"]
        assert ("packed" in features.split()) == packed, features
        assert pair.harvest() == FRAMES
        first, second = pair.guests
        first.stop(), second.stop()
        check_accounts(switch, "vh1", "vh2")
        # What the guests say they sent and got is what the ports say.
        assert switch.stats("vh1")["rx_packets"] == first.stats()["tx"]
        assert switch.stats("vh2")["rx_packets"] == second.stats()["tx"]
        assert switch.stats("vh1")["tx_packets"] == first.stats()["rx"]
        assert switch.stats("vh2")["tx_packets"] == second.stats()["rx"]
        first.quit()
        switch.wait_state("vh1", "listening" if mode == "server" else "connecting")


@pytest.mark.parametrize("mode,packed", LAYOUTS, ids=LAYOUT_IDS)
def test_guest_killed_and_back(switch, bridge, mode, packed):
    """kill -9 of a guest in full traffic: a state, no crash, and the next guest gets on."""
    with PingPong(switch, bridge, mode=mode, packed=packed) as pair:
        pair.start()
        pair.guests[1].kill()
        switch.wait_state("vh2", "listening" if mode == "server" else "connecting")
        pair.guests[0].stop()
        before = drops(switch, "vh2").get("tx_down", 0)
        pair.guests[0].start(2)
        wait_until(lambda: drops(switch, "vh2").get("tx_down", 0) == before + 64,
                   "64 frames to the dead guest to be counted as dropped")
        again = pair.start_guest(1)
        again.ready()
        switch.wait_state("vh2", "running")
        again.start()
        pair.guests[0].stop()
        before = again.stats()["rx"]
        pair.guests[0].start(1)
        wait_until(lambda: again.stats()["rx"] > before + 1000, "the new guest to receive")
        pair.wait_moving()


@pytest.mark.parametrize("packed", (False, True), ids=("split", "packed"))
def test_guest_stops_and_starts_its_port(switch, bridge, packed):
    """Rings that are given up and set up anew while the other guest goes on sending."""
    with PingPong(switch, bridge, packed=packed, queues=2) as pair:
        pair.start()
        for _ in range(5):
            second = pair.guests[1]
            second.stop()
            second.ask("port stop 0")
            second.ask("port start 0")
            switch.wait_state("vh2", "running")
            second.start()
            pair.guests[0].stop()
            pair.guests[0].start(1)
            pair.wait_moving(500)
        assert switch.port("vh2")["status"]["ring_access"] == "direct"


def test_multiple_queues(switch, bridge):
    with PingPong(switch, bridge, queues=2) as pair:
        pair.start()
        assert switch.port("vh1")["status"]["n_rxq"] in (2, "2")

        def queues():
            return {(queue["port"], queue["queue"]): queue["packets"]
                    for thread in switch.rpc("pmd.stats_show") for queue in thread["queues"]}
        # tx_first sends on each queue; what comes back does so on one.
        wait_until(lambda: queues()["vh1", 0] > 2000, "packets on queue 0")
        assert queues()["vh1", 1] == FRAMES
        assert pair.harvest() == 2 * FRAMES
        switch.set_flows(bridge, "in_port=1,actions=output:2")
        first, second = pair.guests
        first.stop(), second.stop()
        second.ask("set fwd rxonly"), first.ask("set fwd txonly")
        second.start(), first.start()
        wait_until(lambda: min(queues()["vh1", 0], queues()["vh1", 1]) > 20000,
                   "packets on both queues")
        first.stop()
        check_accounts(switch, "vh1", "vh2")


CONTENT = [(packed, merge) for packed in (False, True) for merge in (False, True)]


@pytest.mark.parametrize("packed,merge", CONTENT)
def test_content(switch, bridge, tmp_path, packed, merge):
    """Frames of every size arrive unchanged, in order, in both directions."""
    def frame(number, size):
        head = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(
            src="10.0.0.1", dst="10.0.0.2", id=number) / UDP(sport=number, dport=9)
        return bytes(head / Raw(bytes((number + i) & 0xff for i in range(size - 42))))
    there = [frame(number, 60 + 8 * number) for number in range(182)]
    back = [bytes(Ether(src="02:00:00:00:00:02", dst="ff:ff:ff:ff:ff:ff") / ARP())] + there[::-1]
    path, result = switch.path("vh3.sock"), str(tmp_path / "guest-received.pcap")
    switch.add_port(bridge, "vh3", type="vhostuser", mode="server", path=path, ofport=3)
    switch.set_flows(bridge, "in_port=1,actions=output:3", "in_port=3,actions=output:2")
    source = write_pcap(tmp_path / "guest-sends.pcap", back)
    with Wire(switch, bridge, tmp_path) as wire:
        wire.add_output(2)
        # The guest connects its virtio port with a port of its own that is two pcap files.
        with Guest([path], packed=packed, mrg_rxbuf=merge,
                   devices=(f"net_pcap0,rx_pcap={source},tx_pcap={result}",)) as guest:
            guest.ready()
            switch.wait_state("vh3", "running")
            guest.start()
            wait_until(lambda: wire.stats(2)["tx_packets"] >= len(back), "the guest's frames")
            compare(back, wire.output(2), "from the guest")
            wire.add_input(1, there)
            wire.wait_received()
            wait_until(lambda: guest.stats(1)["tx"] >= len(there), "the guest to get its frames")
            guest.stop()
            guest.quit()
    compare(there, read_pcap(result), "to the guest")


@pytest.mark.parametrize("packed", (False, True), ids=("split", "packed"))
def test_large_frames_in_merged_buffers(switch, bridge, packed):
    """Frames of 6000 bytes span several guest buffers each way."""
    with PingPong(switch, bridge, packed=packed, mrg_rxbuf=True,
                  arguments=("--max-pkt-len=9100", "--enable-scatter")) as pair:
        for name in pair.names:
            switch.vsctl("set", "Interface", name, "mtu_request=9000")
        guests = [pair.start_guest(0), pair.start_guest(1)]
        for guest, name in zip(guests, pair.names):
            guest.ready()
            switch.wait_state(name, "running")
        guests[0].ask("set txpkts 2000,2000,2000")
        guests[1].start()
        guests[0].start(1)
        pair.wait_moving(500)
        assert pair.harvest() == 32
        counters = switch.stats("vh2")
        assert counters["tx_bytes"] == counters["tx_packets"] * 6000


@pytest.mark.parametrize("packed", (False, True), ids=("split", "packed"))
def test_frame_longer_than_the_guests_buffers(switch, bridge, tmp_path, packed):
    """A guest without merged buffers misses the frames that fit into none, and no other."""
    short = [bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / Raw(bytes(50)))] * 31
    frames = ([short[0] + bytes(3000)] + short) * 3
    path = switch.path("vh3.sock")
    switch.add_port(bridge, "vh3", type="vhostuser", mode="server", path=path, ofport=3)
    switch.vsctl("set", "Interface", "vh3", "mtu_request=9000")
    switch.set_flows(bridge, "in_port=1,actions=output:3")
    with Wire(switch, bridge, tmp_path) as wire, Guest([path], packed=packed, mrg_rxbuf=False,
                                                       mode="rxonly") as guest:
        guest.ready()
        switch.wait_state("vh3", "running")
        guest.start()
        wire.add_input(1, frames)
        wire.wait_received()
        wait_until(lambda: guest.stats()["rx"] >= 3 * len(short), "the short frames")
        assert switch.stats("vh3")["tx_packets"] == 3 * len(short)
        assert drops(switch, "vh3") == {"tx_full": 3}
        check_accounts(switch, "p1", "vh3")
        guest.stop()


def test_vanishing_in_the_middle(switch, bridge):
    """Guests that come and go ten times leave no trace but counters."""
    with PingPong(switch, bridge) as pair:
        pair.start()
        for _ in range(5):
            with Guest([pair.path("vh3")], core=None) as guest:
                switch.vsctl("--may-exist", "add-port", bridge, "vh3", "type=vhostuser",
                             "mode=server", f"path={pair.path('vh3')}", "ofport=3")
                guest.kill()
            switch.vsctl("del-port", bridge, "vh3")
        assert pair.harvest() == FRAMES
