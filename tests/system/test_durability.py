# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments of random changes: what was acknowledged is there, and what was not is
there whole or not at all, in the store and in the datapath alike; counters go on.

The long form: TURNOUT_KILLS=500 TURNOUT_CHANGES=10000; TURNOUT_SEED=n repeats a run as far as the
moments of the kills can be repeated."""
import json
import os
import random
import signal
import time

import pytest
from turnout import changes
from turnout.changes import Changes, difference, make_first
from turnout.waiting import wait_until

KILLS = int(os.environ.get("TURNOUT_KILLS", "20"))
CHANGES = int(os.environ.get("TURNOUT_CHANGES", "400"))
SEED = int(os.environ.get("TURNOUT_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
UNAVAILABLE = -32020


class Torture:
    """The switch, its model, and what was seen of it last."""

    def __init__(self, switch, state, directory, seed):
        self.switch, self.state = switch, state
        self.random, self.changes = random.Random(seed), Changes(seed, directory)
        self.client = switch.connect()
        self.usual = {}  # seconds that a kind of request took last
        self.start_s = 0.1
        self.packets, self.instance, self.dead = {}, None, None
        self.done = {"kills of vswitchd": 0, "kills of datapathd": 0, "kills at start": 0,
                     "answers lost": 0, "of them, in force": 0, "refused": 0}

    # Sending

    def send(self, transactions):
        """Pipelined, as one write; a transaction of several calls is a batch."""
        text, number = "", 0
        for calls, _ in transactions:
            requests = []
            for method, params in calls:
                number += 1
                requests.append({"jsonrpc": "2.0", "id": number, "method": method,
                                 "params": params})
            text += json.dumps(requests if len(requests) > 1 else requests[0])
        self.client.send_bytes(text.encode())

    def judge_answer(self, answer, transaction):
        """Was the transaction carried out? What is to be refused must be, and nothing else."""
        calls, after = transaction
        answers = answer if isinstance(answer, list) else [answer]
        errors = [one["error"] for one in answers if "error" in one]
        if any(error["code"] == UNAVAILABLE for error in errors):
            assert len(errors) == len(answers), answers
            return None
        assert len(answers) == len(calls) and bool(errors) == (after is None), (calls, answers)
        assert not errors or len(errors) == len(answers), answers
        self.done["refused"] += bool(errors)
        return not errors

    def receive(self, transactions, victims=()):
        """The states in which the switch may be by the answers that came. The first is that after
        all that was answered; others are there if the connection ended before the last answer."""
        states, unavailable = [self.state], False
        for _, after in transactions:
            states.append(after or states[-1])
        for index, transaction in enumerate(transactions):
            try:
                done = self.judge_answer(self.client.receive_answer(), transaction)
            except TimeoutError:
                raise
            except (OSError, ValueError):
                assert "vswitchd" in victims, "the connection was lost, and vswitchd not killed"
                return states[index:]
            if done is None:
                assert "datapathd" in victims, "datapathd is gone, and was not killed"
                unavailable = True
        return [states[0] if unavailable else states[-1]]

    def draw(self, count):
        state, transactions = self.state, []
        for _ in range(count):
            calls, after = self.changes.draw(state)
            if self.random.random() < 0.05:
                calls = [(method, {**params, "no_wait": True}) for method, params in calls]
            transactions.append((calls, after))
            state = after or state
        return transactions

    # One round

    def change(self, count):
        """Changes, all answered."""
        transactions = self.draw(count)
        begin = time.monotonic()
        self.send(transactions)
        self.state, = self.receive(transactions)
        self.usual[self.kind(transactions)] = time.monotonic() - begin

    @staticmethod
    def kind(transactions):
        calls = [method for calls, _ in transactions for method, _ in calls]
        return calls[0] if len(calls) == 1 else len(calls) // 4

    def change_and_kill(self, count):
        """The same, but daemons die at some moment of it."""
        victims = self.random.choices(
            [("vswitchd",), ("datapathd",), ("vswitchd", "datapathd"), ("datapathd", "vswitchd")],
            (70, 15, 8, 7))[0]
        transactions = self.draw(count if victims == ("vswitchd",) else 1)
        usual = self.usual.get(self.kind(transactions), 0.005)
        before = changes.out_packets(self.switch)
        self.send(transactions)
        time.sleep(self.random.uniform(0, 1.3 * usual))
        for victim in victims:
            self.kill(victim)
            time.sleep(self.random.uniform(0, 0.5 * usual))
        states = self.receive(transactions, victims)
        self.done["answers lost"] += len(states) > 1
        if "vswitchd" in victims:
            self.restart()
        self.check(states)
        if "datapathd" not in victims:
            wait_until(lambda: changes.out_packets(self.switch) > before, "frames to go on")

    def kill(self, daemon):
        if daemon == "vswitchd":
            self.switch.vswitchd.send_signal(signal.SIGKILL)
            self.switch.vswitchd.wait(15)
        else:
            self.switch.kill(daemon)
            self.packets, self.dead = {}, self.instance
        self.done[f"kills of {daemon}"] += 1

    def restart(self):
        """Start vswitchd; now and then it dies while it reads the store and adopts datapathd."""
        while self.random.random() < 0.3:
            self.switch.start_vswitchd()
            time.sleep(self.random.uniform(0, 1.3 * self.start_s))
            self.switch.vswitchd.kill()
            assert self.switch.vswitchd.wait(15) == -signal.SIGKILL, self.switch.logs()
            self.done["kills at start"] += 1
        begin = time.monotonic()
        self.switch.start_vswitchd()
        self.reconnect()
        self.start_s = min(time.monotonic() - begin, 1.0)

    def reconnect(self):
        self.client.close()

        def connect():
            if self.switch.vswitchd.poll() is not None:
                raise RuntimeError("vswitchd does not start:\n" + self.switch.logs())
            # A datapathd that was about to be started when vswitchd died has its listening socket
            # for a moment: who is connected by that is not answered.
            self.client = self.switch.connect()
            return self.client.call("system.info")
        wait_until(connect, "vswitchd to answer", 60)

    # Looking

    def has_datapath(self):
        """vswitchd is connected, and not still to the one that is dead."""
        datapath = self.client.call("system.info")["datapath"]
        return datapath["connected"] and datapath["instance"] != self.dead

    def check(self, states):
        """Both daemons are in one of these states, the same one, and no counter went back."""
        wait_until(self.has_datapath, "a datapath", 60)
        stored = changes.of_vswitchd(self.client.call)
        found = [state for state in states if state.stored() == stored]
        assert found, "the store is in none of the states that are possible:\n" + "\n".join(
            "\n".join(difference(state.stored(), stored)) for state in states)
        if len(states) > 1 and found[0] is not states[0]:
            self.done["of them, in force"] += 1
        # With no_wait the datapath follows as soon as it can.
        in_force = wait_until(lambda: self.agreement(found[0]), "the datapath to be as the store")
        assert in_force is True, "the datapath is not as the store:\n" + "\n".join(in_force)
        for state in states:
            self.forget_touched(state)
        self.state = found[0]
        self.check_counters()

    def agreement(self, state):
        lines = difference(state.in_force(), changes.ask_datapathd(self.switch, changes.of_datapathd))
        assert not lines, "\n".join(lines)
        return True

    def forget_touched(self, state):
        for flow in list(self.packets):
            if flow in state.touched or (flow[0], None) in state.touched:
                del self.packets[flow]
        state.touched = frozenset()

    def check_counters(self):
        instance = changes.ask_datapathd(
            self.switch, lambda rpc: rpc("datapath.info"))["instance"]
        now = changes.ask_datapathd(self.switch, changes.counters)
        if instance == self.instance:
            back = {flow: (packets, now.get(flow)) for flow, packets in self.packets.items()
                    if now.get(flow, -1) < packets}
            assert not back, f"counters of flows that nobody touched went back: {back}"
        self.packets, self.instance = now, instance

    def run(self, n_changes, n_kills):
        kills = set(self.random.sample(range(20, n_changes), n_kills))
        done = 0
        self.check([self.state])
        while done < n_changes:
            count = self.random.choice((1, 1, 1, 1, 2, 5))
            if kills.isdisjoint(range(done, done + count)):
                self.change(count)
            else:
                self.change_and_kill(count)
            if done // 50 != (done + count) // 50:
                self.check([self.state])
            done += count
        self.check([self.state])


def test_kills_during_changes(switch, tmp_path):
    torture = Torture(switch, make_first(switch, tmp_path), switch.rundir, SEED)
    try:
        torture.run(CHANGES, KILLS)
    except Exception as error:
        pytest.fail(f"TURNOUT_SEED={SEED} TURNOUT_CHANGES={CHANGES} TURNOUT_KILLS={KILLS}, "
                    f"after {torture.done}: {type(error).__name__}: {error}")
    finally:
        torture.client.close()
    print(f"seed {SEED}: {CHANGES} changes, {torture.done}")
