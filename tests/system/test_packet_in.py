# SPDX-License-Identifier: Apache-2.0
"""Packets to the controller and from it: what flows send reaches those who subscribed, what is over
the limit is counted, and what is handed in goes where its actions say."""
import json
import signal
import subprocess

import pytest
from turnout.frames import ARP, Ether, IP, Raw, TCP, UDP, compare, wire
from turnout.machine import program
from turnout.process import Following
from turnout.rpc import RpcError
from turnout.waiting import wait_until
from turnout.wire import Wire

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
PAYLOAD = Raw(bytes(range(60)))


def udp(dport=2000, ttl=64):
    return Ether(src=A, dst=B) / IP(src="10.0.0.1", dst="10.0.0.2", ttl=ttl, id=7) / \
        UDP(sport=1000, dport=dport) / PAYLOAD


def tcp(ttl=64):
    return Ether(src=A, dst=B) / IP(src="10.0.0.1", dst="10.0.0.2", ttl=ttl, id=7) / \
        TCP(sport=1000, dport=80) / PAYLOAD


ARP_REQUEST = Ether(src=A, dst="ff:ff:ff:ff:ff:ff") / \
    ARP(op=1, hwsrc=A, psrc="10.0.0.1", pdst="10.0.0.2")


@pytest.fixture
def pipe(switch, bridge, tmp_path):
    with Wire(switch, bridge, tmp_path) as made:
        yield made


class Subscriber:
    """A client that gets the packets of these bridges, of all if none is named."""

    def __init__(self, switch, *bridges):
        self.client = switch.connect()
        for bridge in bridges or (None,):
            more = {"bridge": bridge} if bridge else {}
            self.client.call("rpc.subscribe", events=["packet.in"], **more)

    def take(self, count):
        """The next `count` packets; it is for the caller to know that so many come."""
        while len(self._seen()) < count:
            self.client.notifications.append(self.client.receive())
        taken = self._seen()[:count]
        self.client.notifications = self._seen()[count:]
        return [event["params"] for event in taken]

    def _seen(self):
        return [event for event in self.client.notifications if event["method"] == "packet.in"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()


def packet_in_counts(pipe):
    return pipe.switch.rpc("packet.stats", bridge=pipe.bridge)["packet_in"]


def out(pipe, packet):
    pipe.switch.rpc("packet.out", bridge=pipe.bridge, packet=packet)


def by_frame(event):
    return event["frame"]


# --- In ---

def test_what_an_event_says(pipe):
    pipe.add_output(2)
    pipe.switch.set_flows(
        pipe.bridge, "priority=9,udp,cookie=0x77,actions=set_field:7->metadata,goto_table:3",
        "table=3,cookie=0xfedcba9876543210,actions=controller(max_len=20,reason=no_match),2",
        "priority=9,tcp,cookie=5,actions=2,mod_tp_dst:81,controller,2")
    with Subscriber(pipe.switch, pipe.bridge) as client:
        pipe.add_input(1, [udp(), tcp(), ARP_REQUEST, tcp(ttl=3)])
        events = client.take(3)
    changed = [tcp(), tcp(ttl=3)]
    for frame in changed:
        frame[TCP].dport = 81
    common = {"bridge": pipe.bridge, "in_port": 1, "port": "p1", "lost": 0}
    # Packets of one burst that go different ways do not keep their order.
    assert sorted(events, key=by_frame) == sorted([
        {**common, "table": 3, "cookie": "0xfedcba9876543210", "reason": "no_match",
         "metadata": "0x7", "length": len(wire(udp())), "frame": wire(udp())[:20].hex()},
        *({**common, "table": 0, "cookie": "0x5", "reason": "action", "metadata": "0x0",
           "length": len(wire(frame)), "frame": wire(frame).hex()} for frame in changed)], key=by_frame)
    pipe.wait_received()
    compare(sorted(map(wire, [udp(), tcp(), changed[0], tcp(ttl=3), changed[1]])),
            sorted(pipe.output(2)), "port 2")
    assert pipe.drops(1) == {"table_miss": 1}
    assert packet_in_counts(pipe) == {"sent": 3, "lost_rate": 0, "lost_full": 0}


def test_each_bridge_to_its_subscribers(pipe, tmp_path):
    switch = pipe.switch
    switch.vsctl("add-br", "br7", "--", "set", "Bridge", "br7", "fail_mode=secure")
    try:
        switch.set_flows(pipe.bridge, "actions=controller")
        switch.set_flows("br7", "actions=controller")
        with Wire(switch, "br7", tmp_path) as other, Subscriber(switch) as both, \
                Subscriber(switch, "br7") as one, Subscriber(switch, "br7", pipe.bridge) as named:
            pipe.add_input(1, [udp(1), udp(2)])
            pipe.wait_received()
            other.add_input(2, [tcp()])
            other.names = {2: "p2"}
            events = both.take(3)
            assert sorted(event["bridge"] for event in events) == [pipe.bridge, pipe.bridge, "br7"]
            assert [event["bridge"] for event in one.take(1)] == ["br7"]
            assert len(named.take(3)) == 3
            named.client.call("rpc.unsubscribe", bridge="br7")
            out(pipe, f"packet={wire(udp(3)).hex()},actions=controller")
            switch.rpc("packet.out", bridge="br7",
                       packet=f"packet={wire(udp(4)).hex()},actions=controller")
            assert both.take(2)[1]["bridge"] == "br7"
            # Had there been one of br7 for it, it would have come before this answer.
            assert named.take(1)[0]["bridge"] == pipe.bridge
            named.client.call("system.info")
            assert named._seen() == []
    finally:
        switch.vsctl("del-br", "br7")


def test_limit(pipe):
    """A burst over the limit: what comes and what is lost is all that there was."""
    switch, count = pipe.switch, 200
    switch.set_flows(pipe.bridge, "actions=controller,2")
    pipe.add_output(2)
    switch.vsctl("set", "Bridge", pipe.bridge, "other_config:controller-rate-limit=1",
                 "other_config:controller-burst-limit=5")
    with Subscriber(switch, pipe.bridge) as client:
        pipe.add_input(1, [udp(port) for port in range(count)])
        pipe.wait_received()
        counts = packet_in_counts(pipe)
        assert sum(counts.values()) == count
        assert 5 <= counts["sent"] < 50 and counts["lost_rate"] > 0 and counts["lost_full"] == 0
        events = client.take(counts["sent"])
        assert [event["frame"] for event in events[:5]] == [wire(udp(p)).hex() for p in range(5)]
        assert pipe.stats(2)["tx_packets"] == count, "a lost event is not a lost packet"
        assert switch.flow_packets(pipe.bridge) == count
        # The limits change while the bridge runs, and nothing else does.
        switch.vsctl("remove", "Bridge", pipe.bridge, "other_config", "controller-rate-limit")
        switch.vsctl("set", "Bridge", pipe.bridge, "other_config:controller-burst-limit=100")
        assert switch.flow_packets(pipe.bridge) == count
        for port in range(50):
            out(pipe, f"packet={wire(udp(port)).hex()},actions=controller")
        events = client.take(50)
        assert [event["lost"] for event in events] == [counts["lost_rate"]] * 50
        assert packet_in_counts(pipe) == {**counts, "sent": counts["sent"] + 50}


def memory(switch):
    """Of datapathd, in MiB."""
    with open(f"/proc/{switch.pid_of('datapathd')}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) >> 10 for line in file if line.startswith("VmRSS"))


def test_flood(pipe):
    """As many packets as a thread can make, without a limit to speak of, for a client that reads and
    one that does not: changes are still carried out, the memory stays, every packet is counted."""
    switch = pipe.switch
    switch.set_flows(pipe.bridge, "actions=controller(max_len=100)")
    switch.vsctl("set", "Bridge", pipe.bridge, "other_config:controller-rate-limit=1000000",
                 "other_config:controller-burst-limit=1000000")
    with Subscriber(switch, pipe.bridge) as reader, Subscriber(switch, pipe.bridge):
        before = memory(switch)
        switch.add_port(pipe.bridge, "source", type="dpdk", devargs="net_null0,size=200", ofport=9)
        for priority in range(5):
            switch.ofctl("add-flow", pipe.bridge, f"table=5,priority={priority},actions=drop",
                         timeout=20)
            reader.take(2000)
        wait_until(lambda: sum(packet_in_counts(pipe).values()) > 300000, "a flood")
        # With sanitizers, memory that was freed is kept for a while: hence so much.
        assert memory(switch) - before < 600
        switch.vsctl("del-port", pipe.bridge, "source")
        counts = packet_in_counts(pipe)
        flows = switch.flows(pipe.bridge, "table=0")
        assert sum(counts.values()) == sum(flow["packets"] for flow in flows)
        assert counts["lost_full"] > 0
        assert len(switch.flows(pipe.bridge)) == 6


# --- Out ---

def test_out(pipe):
    switch = pipe.switch
    pipe.add_output(1, 2, 3)
    switch.set_flows(pipe.bridge, "priority=5,in_port=1,udp,actions=3", "priority=4,actions=2")
    before = switch.rpc("packet.stats", bridge=pipe.bridge)["packet_out"]
    hexes = {name: wire(frame).hex() for name, frame in
             (("udp", udp()), ("tcp", tcp()), ("arp", ARP_REQUEST))}
    switch.ofctl("packet-out", pipe.bridge, f"in_port=p1,packet={hexes['udp']},actions=output:p2")
    switch.ofctl("packet-out", pipe.bridge, f"in_port=1,packet={hexes['udp']},actions=TABLE")
    switch.ofctl("packet-out", pipe.bridge, f"packet={hexes['udp']},actions=TABLE")
    switch.ofctl("packet-out", pipe.bridge, "none", "mod_tp_dst:9,3", hexes["udp"], hexes["tcp"])
    switch.rpc("packet.out", bridge=pipe.bridge,
               packet={"in_port": 2, "packet": wire(ARP_REQUEST).hex(":"), "actions": ["flood"]})
    changed = [udp(9), tcp()]
    changed[1][TCP].dport = 9
    compare([ARP_REQUEST], pipe.output(1), "port 1")
    compare([udp(), udp()], pipe.output(2), "port 2")
    compare([udp(), *changed, ARP_REQUEST], pipe.output(3), "port 3")
    after = switch.rpc("packet.stats", bridge=pipe.bridge)["packet_out"]
    sizes = [len(wire(frame)) for frame in (udp(), udp(), udp(), udp(), tcp(), ARP_REQUEST)]
    assert after["packets"] - before["packets"] == len(sizes)
    assert after["bytes"] - before["bytes"] == sum(sizes)
    assert [(flow["priority"], flow["packets"]) for flow in switch.flows(pipe.bridge)] in \
        ([(5, 1), (4, 1)], [(4, 1), (5, 1)])


def test_out_comes_back(pipe):
    """A controller that learns: the event of a packet is enough to send it on."""
    pipe.add_output(2)
    pipe.switch.set_flows(pipe.bridge, "actions=controller")
    with Subscriber(pipe.switch, pipe.bridge) as client:
        pipe.add_input(1, [udp(port) for port in range(40)])
        for event in client.take(40):
            out(pipe, {"in_port": event["in_port"], "packet": event["frame"],
                       "actions": [{"output": 2}]})
    compare([udp(port) for port in range(40)], pipe.output(2), "port 2")


def test_out_longest(pipe):
    frame = b"\x02" * 9728
    pipe.switch.set_flows(pipe.bridge)
    pipe.add_output(2)
    with Subscriber(pipe.switch, pipe.bridge) as client:
        out(pipe, f"packet={frame.hex()},actions=controller")
        event = client.take(1)[0]
        assert (event["length"], event["frame"]) == (9728, frame.hex())
        assert event["in_port"] == 0 and "port" not in event and "table" not in event


def test_out_refused(pipe):
    pipe.add_output(2)
    frame = wire(udp()).hex()
    for packet, message in (
            (f"in_port=9,packet={frame},actions=2", "no port 9"),
            (f"packet={frame[:-1]},actions=2", "has one digit"),
            (f"packet={frame},actions=output:p9", "no port \"p9\""),
            (f"packet={frame}", "missing \"actions=\""),
            (f"packet={'00' * 13},actions=2", "13 bytes are less than the 14"),
            (f"packet={'00' * 9729},actions=2", "longer than 9728 bytes"),
            (f"packet={frame},actions=goto_table:1", "write resubmit(,1)")):
        with pytest.raises(RpcError) as caught:
            out(pipe, packet)
        assert message in caught.value.message
    said = pipe.switch.run("ofctl/ofctl", "packet-out", pipe.bridge, "packet=0x02zz,actions=2",
                           status=1).err.splitlines()
    assert said[1:] == ["packet=0x02zz,actions=2", "           ^~"]
    pipe.switch.run("ofctl/ofctl", "packet-out", pipe.bridge, "1", "2", status=2)
    assert pipe.stats(2)["tx_packets"] == 0


# --- The command line ---

class Monitor(Following):
    """ofctl monitor, from when it gets events on: those with which that was found out are left
    out of `lines`."""

    def __init__(self, pipe, *options):
        self.pipe = pipe
        super().__init__([program("ofctl/ofctl"), "--rundir", pipe.switch.rundir, *options, "monitor",
                          pipe.bridge], pipe.switch.path("monitor.out"))
        marker = f"packet={'ff' * 12}88b5,actions=controller"
        while not self.text():
            out(pipe, marker)
        # More of those may be on their way.
        out(pipe, f"packet={'fe' * 12}88b5,actions=controller")
        last = "fe:fe" if "json" not in options else "fefe"
        wait_until(lambda: last in self.text() and self.text().endswith("\n"), "the last marker")
        self._skip = len(self.text())

    def lines(self, count):
        return wait_until(lambda: self._complete(count), f"{count} lines")

    def _complete(self, count):
        text = self.text()[self._skip:]
        return text.splitlines() if text.count("\n") >= count else None


def test_monitor(pipe):
    pipe.switch.set_flows(pipe.bridge, "table=4,cookie=5,actions=controller(max_len=50)",
                          "actions=goto_table:4")
    with Monitor(pipe) as monitor:
        pipe.add_input(1, [udp()])
        assert monitor.lines(2) == [
            f"packet-in: table_id=4 cookie=0x5 total_len={len(wire(udp()))} in_port=1 "
            "(via action) data_len=50",
            f"  udp,in_port=1,dl_src={A},dl_dst={B},nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_tos=0,"
            "nw_ecn=0,nw_ttl=64,tp_src=1000,tp_dst=2000"]
        pipe.switch.ofctl("add-flow", pipe.bridge,
                          "table=9,priority=3,hard_timeout=1,send_flow_rem,tcp,actions=drop")
        line = monitor.lines(3)[2]
        assert line.startswith("flow-removed: ") and "table=9, priority=3,tcp actions=drop" in line
        monitor.process.send_signal(signal.SIGINT)
        assert monitor.end() == (0, "")


def test_monitor_tells_of_losses(pipe):
    pipe.switch.set_flows(pipe.bridge)
    with Monitor(pipe, "--names") as monitor:
        pipe.switch.vsctl("set", "Bridge", pipe.bridge, "other_config:controller-rate-limit=1000",
                          "other_config:controller-burst-limit=1")
        pipe.switch.set_flows(pipe.bridge, "actions=controller")
        pipe.add_input(1, [udp()] * 100)
        pipe.wait_received()
        counts = packet_in_counts(pipe)
        assert counts["lost_rate"] > 0
        wait_until(lambda: (out(pipe, f"in_port=1,packet={wire(tcp()).hex()},actions=controller"),
                            "  tcp,in_port=p1," in monitor.text())[1], "a packet after the loss")
        told = [line for line in monitor.lines(1) if line.startswith("lost: ")]
        after = packet_in_counts(pipe)
        assert counts["lost_rate"] <= sum(int(line.split()[1]) for line in told) <= \
            after["lost_rate"]
        monitor.process.send_signal(signal.SIGTERM)
        assert monitor.end() == (0, "")


def test_monitor_json(pipe):
    pipe.switch.set_flows(pipe.bridge, "cookie=5,actions=controller")
    with Monitor(pipe, "-f", "json") as monitor:
        pipe.add_input(1, [udp(1), tcp()])
        events = [json.loads(line) for line in monitor.lines(2)]
        assert [(event["event"], event["port"], event["cookie"], event["frame"])
                for event in events] == [("packet.in", "p1", "0x5", wire(frame).hex())
                                         for frame in (udp(1), tcp())]


def test_monitor_counts(pipe):
    pipe.switch.set_flows(pipe.bridge, "actions=controller")
    command = [program("ofctl/ofctl"), "--rundir", pipe.switch.rundir, "--count=3", "monitor",
               pipe.bridge]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        wait_until(lambda: (out(pipe, f"packet={wire(udp()).hex()},actions=controller"),
                            process.poll() is not None)[1], "the monitor to have enough")
        assert process.stdout.read().count("packet-in: ") == 3
        assert process.returncode == 0


def test_monitor_without_reader(pipe):
    """Also when nothing comes any more, and while it cannot write."""
    pipe.switch.set_flows(pipe.bridge)
    command = [program("ofctl/ofctl"), "--rundir", pipe.switch.rundir, "monitor", pipe.bridge]
    frame = wire(udp()).hex()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.wait(15) == 0 and process.stderr.read() == b""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        def blocked():
            for _ in range(50):
                out(pipe, f"packet={frame},actions=controller")
            with open(f"/proc/{process.pid}/wchan", encoding="ascii") as file:
                return "pipe" in file.read()
        wait_until(blocked, "the pipe to be full")
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0 and process.stderr.read() == b""


def test_monitor_refused(pipe):
    said = pipe.switch.run("ofctl/ofctl", "monitor", "br99", status=1).err
    assert "br99" in said
    pipe.switch.run("ofctl/ofctl", "--count=0", "monitor", pipe.bridge, status=2)


def test_monitor_that_is_left_alone(pipe):
    """vswitchd goes."""
    with Monitor(pipe) as monitor:
        pipe.switch.kill("vswitchd", signal.SIGTERM)
        assert monitor.end() == (1, "ofctl: the connection to vswitchd was lost\n")
    pipe.switch.start()


def test_after_a_restart(pipe):
    """A client subscribes anew and gets packets of the datapath that went on."""
    pipe.switch.set_flows(pipe.bridge, "actions=controller")
    pipe.switch.kill("vswitchd", signal.SIGTERM)
    pipe.switch.start()
    with Subscriber(pipe.switch, pipe.bridge) as client:
        pipe.add_input(1, [udp()])
        assert client.take(1)[0]["frame"] == wire(udp()).hex()
