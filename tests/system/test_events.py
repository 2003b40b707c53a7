# SPDX-License-Identifier: Apache-2.0
"""vswitchd dies, and nobody who resumes notices: numbers of events grow, none is missing, none comes
twice, and what cannot be had any more is said to be missing.

The long form: TURNOUT_KILLS=200; TURNOUT_SEED=n repeats a run as far as the moments of the kills can
be repeated."""
import collections
import json
import os
import random
import re
import signal
import time

import pytest
from turnout.disk import fill
from turnout.frontend import Frontend
from turnout.machine import program
from turnout.process import Following
from turnout.resumer import Resumer
from turnout.rpc import RpcError
from turnout.switch import Switch
from turnout.waiting import wait_until

KILLS = int(os.environ.get("TURNOUT_KILLS", "10"))
SEED = int(os.environ.get("TURNOUT_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
KEPT = 10000


def flow(number, more=""):
    return f"priority={number},send_flow_rem{more},actions=drop"


def removed(events):
    """How often each flow was told to be gone."""
    return collections.Counter(
        int(re.search(r"priority=(\d+)", params["flow"])[1])
        for method, params in events if method == "flow.removed")


def add_guest_port(switch, bridge, name):
    path = switch.path(name + ".sock")
    switch.add_port(bridge, name, type="vhostuser", path=path, mode="server")
    return path


def is_port(name):
    return lambda method, params: method == "port.changed" and params["name"] == name


# --- Kills ---

class Torture:
    def __init__(self, switch, bridge, seed):
        self.switch, self.bridge, self.random = switch, bridge, random.Random(seed)
        self.path, self.guest = add_guest_port(switch, bridge, "vm"), None
        self.client, self.watcher = switch.connect(), Resumer(switch)
        self.known, self.number = set(), 1  # flows that are, or were, in force
        self.gone = set()                   # removals that were acknowledged
        self.start_s = 0.1

    def draw(self):
        """Some requests: [(method, params, flow)]."""
        requests = []
        for _ in range(self.random.randint(1, 8)):
            candidates = sorted(self.known - self.gone)
            if candidates and self.random.random() < 0.4:
                number = self.random.choice(candidates)
                requests.append(("flow.delete", {"bridge": self.bridge, "strict": True,
                                                 "flow": f"priority={number}"}, number))
            else:
                more = self.random.choice(["", "", ",hard_timeout=1", ",idle_timeout=1"])
                requests.append(("flow.add", {"bridge": self.bridge,
                                              "flow": flow(self.number, more)}, self.number))
                self.number += 1
        return requests

    def send(self, requests):
        self.client.send_bytes("".join(json.dumps(
            {"jsonrpc": "2.0", "id": index, "method": method, "params": params})
            for index, (method, params, _) in enumerate(requests)).encode())

    def receive(self, requests, killed):
        for method, _, number in requests:
            try:
                answer = self.client.receive_answer()
            except (OSError, ValueError):
                assert killed
                return
            assert "result" in answer, answer
            (self.known if method == "flow.add" else self.gone).add(number)

    def move_guest(self):
        if self.guest:
            self.guest.close()
            self.guest = None
        else:
            self.guest = Frontend(self.path).start()

    def kill(self):
        self.switch.vswitchd.kill()
        assert self.switch.vswitchd.wait(15) == -signal.SIGKILL, self.switch.logs()

    def restart(self):
        while self.random.random() < 0.3:
            self.switch.start_vswitchd()
            time.sleep(self.random.uniform(0, 1.3 * self.start_s))
            self.kill()
        begin = time.monotonic()
        self.switch.start_vswitchd()
        self.client.close()
        self.client = wait_until(self.switch.connect, "vswitchd to answer", 60)
        self.start_s = min(time.monotonic() - begin, 1.0)

    def round(self, kill):
        requests = self.draw()
        self.watcher.read()
        told = len(self.watcher.events)
        self.move_guest()
        self.send(requests)
        if kill:
            time.sleep(self.random.uniform(0, 0.03))
            self.kill()
        self.receive(requests, kill)
        if kill:
            self.restart()
            # What was not answered may be in force.
            self.known |= self.in_force()

        def port_told():
            self.watcher.read()
            return any(is_port("vm")(*event) for event in self.watcher.events[told:])
        wait_until(port_told, "port.changed")

    def in_force(self):
        return {row["priority"] for row in self.client.call(
            "flow.dump", bridge=self.bridge, stats=False)["flows"]}

    def check(self):
        """Once for each flow that is gone, never for one that is there."""
        def timeouts_are_over():
            return not any("timeout" in row["text"] for row in self.client.call(
                "flow.dump", bridge=self.bridge, stats=False)["flows"])
        wait_until(timeouts_are_over, "timeouts")
        self.watcher.settle()
        times, there = removed(self.watcher.events), self.in_force()
        assert not self.gone & there
        missing = {number for number in self.known - there if times[number] != 1}
        assert not missing, f"not told once: {[(n, times[n]) for n in sorted(missing)]}"
        assert not there & set(times), "told, but there"
        assert all(count == 1 for count in times.values())
        return len(times)

    def close(self):
        self.client.close()
        self.watcher.close()
        if self.guest:
            self.guest.close()


def test_kills(switch, bridge):
    torture = Torture(switch, bridge, SEED)
    try:
        for number in range(3 * KILLS):
            torture.round(number % 3 == 2)
        told = torture.check()
    except Exception as error:
        pytest.fail(f"TURNOUT_SEED={SEED} TURNOUT_KILLS={KILLS}: {type(error).__name__}: {error}")
    finally:
        torture.close()
    assert torture.watcher.resumed >= KILLS
    print(f"seed {SEED}: {len(torture.known)} flows, {told} told to be gone, "
          f"{len(torture.watcher.events)} events")


# --- What is told ---

def test_datapath_dies(switch, bridge):
    add_guest_port(switch, bridge, "vm")
    with Resumer(switch) as watcher:
        pid = switch.kill("datapathd")
        watcher.wait(lambda method, params: method == "datapath.changed" and
                     params["connected"] is False and params["problem"], "the loss")
        begin = watcher.wait(lambda method, params: method == "datapath.changed" and
                             params["connected"], "another one", 40)
        new = watcher.events[begin - 1][1]
        assert new["pid"] == switch.pid_of("datapathd") != pid and new["instance"]
        assert watcher.wait(is_port("vm"), "port.changed") > begin


def test_not_in_a_batch_with_changes(switch, bridge):
    client = switch.connect()
    answers = client.batch(("flow.add", {"bridge": bridge, "flow": "actions=drop"}),
                           ("events.since", {}))
    assert "alone" in answers[1]["error"]["message"]
    with pytest.raises(RpcError):
        client.call("events.since", since=-1)
    client.close()


def test_aborted(switch, bridge):
    """A transaction that fails tells nothing, now or later."""
    with Resumer(switch) as watcher:
        switch.rpc("flow.add", bridge=bridge, flow=flow(5))
        client = switch.connect()
        answers = client.batch(("flow.delete", {"bridge": bridge}),
                               ("port.del", {"name": "nowhere"}))
        assert all("error" in answer for answer in answers)
        client.close()
        switch.kill("vswitchd")
        switch.start()
        switch.rpc("flow.delete", bridge=bridge)
        watcher.wait(lambda method, _: method == "flow.removed", "the event")
        watcher.settle()
        assert removed(watcher.events) == {5: 1}


def test_pruned(switch, bridge):
    """10,000 are kept; who wants more is told that there was more."""
    since = switch.rpc("events.since")["seq"]
    switch.set_flows(bridge, *(flow(number % 60000 + 1) for number in range(KEPT + 100)))
    with Resumer(switch) as watcher:
        switch.rpc("flow.delete", bridge=bridge)
        watcher.wait(lambda *_: len(watcher.events) >= KEPT + 100, "all of them")
        numbers = [params["seq"] for method, params in watcher.events if method == "flow.removed"]
    for _ in range(2):
        answer = switch.rpc("events.since", since=since)
        assert answer["complete"] is False
        kept = [event["params"]["seq"] for event in answer["events"]]
        assert len(kept) == KEPT and kept == sorted(set(kept)) and kept[-1] == answer["seq"]
        assert [seq for seq in kept if seq <= numbers[-1]] == [
            seq for seq in numbers if seq >= kept[0]]
        answer = switch.rpc("events.since", since=numbers[-6])
        assert answer["complete"] is True
        assert [event["params"]["seq"] for event in answer["events"]][:5] == numbers[-5:]
        switch.kill("vswitchd")
        switch.start()


def test_full_disk(disk):
    with Switch(database=disk / "turnout.db") as switch:
        switch.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "fail_mode=secure")
        path = add_guest_port(switch, "br0", "vm")
        switch.rpc("flow.add", bridge="br0", flow=flow(7))
        with Resumer(switch) as watcher:
            before = watcher.last
            fill(disk / "filler", 0)
            with Frontend(path).start():
                watcher.wait(is_port("vm"), "port.changed")
            with pytest.raises(RpcError, match="the disk is full"):
                switch.rpc("flow.delete", bridge="br0")
            watcher.settle()
            assert watcher.events and not removed(watcher.events)
            assert switch.rpc("events.since", since=before)["complete"] is False
            assert switch.rpc("events.since", since=watcher.last)["complete"] is True
            unkept = watcher.last
            # It dies, and the next one begins, while there is no room.
            switch.kill("vswitchd")
            switch.start_vswitchd()
            switch.wait_ready()
            assert switch.rpc("events.since", since=unkept)["complete"] is False
            (disk / "filler").unlink()
            since = wait_until(lambda: switch.rpc("events.since")["seq"], "numbers")
            switch.rpc("flow.delete", bridge="br0")
            answer = switch.rpc("events.since", since=since)
            assert answer["complete"] is True
            told = [event["params"] for event in answer["events"]
                    if event["method"] == "flow.removed"]
            assert len(told) == 1 and told[0]["seq"] > unkept


# --- vsctl monitor ---

class Monitor(Following):
    def __init__(self, switch, *arguments):
        super().__init__([program("vswitch/vsctl"), "--rundir", switch.rundir, "monitor", *arguments],
                         switch.path("monitor.out"))

    def wait(self, part):
        wait_until(lambda: part in self.text(), f"{part} in what the monitor prints")


def test_monitor(switch, bridge):
    """It goes on over the death of vswitchd, and misses nothing of what happens meanwhile."""
    since = switch.rpc("events.since")["seq"]
    for number in (1, 2, 3):
        switch.rpc("flow.add", bridge=bridge, flow=flow(number))
    switch.rpc("flow.add", bridge=bridge, flow=flow(4, ",hard_timeout=1"))
    with Monitor(switch, str(since)) as monitor:
        switch.rpc("flow.delete", bridge=bridge, flow="priority=1", strict=True)
        monitor.wait("priority=1 ")
        os.kill(monitor.process.pid, signal.SIGSTOP)
        switch.rpc("flow.delete", bridge=bridge, flow="priority=2", strict=True)
        switch.kill("vswitchd")
        switch.start()
        os.kill(monitor.process.pid, signal.SIGCONT)
        switch.rpc("flow.delete", bridge=bridge, flow="priority=3", strict=True)
        for number in (2, 3, 4):
            monitor.wait(f"priority={number} " if number < 4 else "hard_timeout")
        monitor.process.send_signal(signal.SIGINT)
        status, err = monitor.end()
        assert status == 0 and err == "vsctl: the connection to vswitchd was lost; waiting for it\n"
        lines = [line for line in monitor.text().splitlines() if "flow.removed" in line]
        assert sorted(int(re.search(r"priority=(\d+)", line)[1]) for line in lines) == [1, 2, 3, 4]
        numbers = [int(line.split()[0]) for line in monitor.text().splitlines()]
        assert numbers == sorted(set(numbers)) and numbers[0] > since
        assert "missed" not in monitor.text()
        assert re.match(r'\d+ flow\.removed bridge=br0 flow="table=0, priority=1 actions=drop" '
                        r'duration_ms=\d+ reason=delete packets=0 bytes=0$', lines[0]), lines[0]


def test_monitor_waits_for_vswitchd(switch):
    with Monitor(switch, "-f", "json", "0") as monitor:
        monitor.wait('"event":"datapath.changed"')
        switch.kill("vswitchd")
        wait_until(lambda: monitor.process.stderr.readline().count("waiting for it"), "the loss")
        monitor.process.send_signal(signal.SIGTERM)
        assert monitor.end() == (0, "")
    switch.start()
    for line in monitor.text().splitlines():
        json.loads(line)


def test_monitor_count_and_missed(switch, bridge):
    far = 1 << 50
    switch.rpc("flow.add", bridge=bridge, flow=flow(1))
    with Monitor(switch, "--count=1", str(far)) as monitor:
        monitor.wait(f"missed: some events after {far}")
        switch.rpc("flow.delete", bridge=bridge)
        assert monitor.end() == (0, "")
        assert monitor.text().count("\n") == 2


def test_monitor_refused(switch):
    assert "no number" in switch.run("vswitch/vsctl", "monitor", "x", status=2).err
    assert "--count" in switch.run("vswitch/vsctl", "--count=0", "monitor", status=2).err
    assert "other commands" in switch.run("vswitch/vsctl", "monitor", "--", "show", status=2).err
