# SPDX-License-Identifier: Apache-2.0
"""A virtual machine moves from one port of the switch to another one while it is being pinged."""
import pytest
from turnout.pinger import Pinger
from turnout.vm import Monitor, VirtualMachine, boot_files
from turnout.waiting import wait_until

MAC, ADDRESS = "02:00:00:00:0d:01", "10.8.0.1"
SLOW, FAST = 1 << 20, 1 << 32  # bytes a second


@pytest.fixture(scope="module")
def boot(tmp_path_factory):
    return boot_files(tmp_path_factory.mktemp("boot"))


class Move:
    """The machine that is, the one that it will be, and who pings them."""

    def __init__(self, switch, bridge, boot, device):
        self.switch, self.bridge, self.parts = switch, bridge, []
        for ofport, name in ((1, "source"), (2, "target"), (3, "other")):
            switch.add_port(bridge, name, type="vhostuser", mode="server", ofport=ofport,
                            path=switch.path(f"{name}.sock"))
        switch.set_flows(bridge, "actions=normal")
        self.pinger = self.keep(Pinger(switch.path("other.sock"), "02:00:00:00:0d:09", "10.8.0.9"))
        self.boot, self.device = boot, device
        self.source = self.machine("source")
        self.source.wait_says("listening")
        switch.wait_state("source", "running")
        self.monitor = self.keep(Monitor(switch.path("source.qmp")))

    def keep(self, part):
        self.parts.insert(0, part)
        return part

    def machine(self, name, incoming=False):
        return self.keep(VirtualMachine(
            name, *self.boot, self.switch.path(f"{name}.sock"), MAC, "serve", ADDRESS + "/24",
            device=self.device, monitor=self.switch.path(f"{name}.qmp"), incoming=incoming))

    def access(self, name):
        return self.switch.port(name)["status"].get("ring_access")

    def begin(self):
        """Slowly, until the switch has seen it."""
        uri = "unix:" + self.switch.path("moving.sock")
        target = self.machine("target", incoming=True)
        monitor = Monitor(self.switch.path("target.qmp"))
        monitor.ask("migrate-incoming", uri=uri)
        monitor.close()
        self.monitor.ask("migrate-set-parameters", **{"max-bandwidth": SLOW})
        self.monitor.ask("migrate", uri=uri)
        self.pinging_until(lambda: self.access("source") == "library")
        wait_until(lambda: self.monitor.ask("query-migrate")["status"] == "active",
                   "the migration to begin")
        return target

    def pinging_until(self, predicate, deadline=90.0):
        def round_trip():
            self.pinger.ping(MAC, ADDRESS)
            self.pinger.listen()
            return predicate()
        wait_until(round_trip, "what was to happen while pings go on", deadline, pause=0.01)

    def wait_status(self, status):
        self.pinging_until(lambda: self.monitor.ask("query-migrate")["status"] == status)

    def learned_at(self):
        rows = self.switch.rpc("fdb.show", bridge=self.bridge)
        return {row["mac"]: row["ofport"] for row in rows}.get(MAC)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for part in self.parts:
            part.kill() if isinstance(part, VirtualMachine) else part.close()


# With guest_announce the guest says where it is, without it QEMU has the switch do that.
@pytest.mark.parametrize("device", ["", ",packed=on,guest_announce=off"], ids=["split", "packed"])
def test_machine_moves(switch, bridge, boot, device):
    with Move(switch, bridge, boot, device) as move:
        move.pinger.wait_answer(MAC, ADDRESS)
        assert move.access("source") == "direct" and move.learned_at() == 1
        move.begin()
        move.pinger.wait_answer(MAC, ADDRESS, 1400)
        move.monitor.ask("migrate-set-parameters", **{"max-bandwidth": FAST})
        move.wait_status("completed")
        switch.wait_state("target", "running")
        switch.wait_state("source", "negotiated")
        # Before anybody speaks to it.
        wait_until(lambda: move.pinger.listen() + 1 and move.learned_at() == 2,
                   "the address to be learned at the other port")
        for size in (56, 1400) * 20:
            move.pinger.wait_answer(MAC, ADDRESS, size)
        assert move.access("target") == "direct"
        assert switch.stats("target")["rx_packets"] >= 40


@pytest.mark.parametrize("device", ["", ",packed=on"], ids=["split", "packed"])
def test_machine_stays_after_all(switch, bridge, boot, device):
    with Move(switch, bridge, boot, device) as move:
        move.pinger.wait_answer(MAC, ADDRESS)
        for _ in range(2):
            target = move.begin()
            move.monitor.ask("migrate_cancel")
            move.wait_status("cancelled")
            target.wait()
            for size in (56, 1400) * 10:
                move.pinger.wait_answer(MAC, ADDRESS, size)
            switch.wait_state("target", "listening")
        # And then in earnest.
        move.begin()
        move.monitor.ask("migrate-set-parameters", **{"max-bandwidth": FAST})
        move.wait_status("completed")
        switch.wait_state("target", "running")
        for size in (56, 1400) * 10:
            move.pinger.wait_answer(MAC, ADDRESS, size)
