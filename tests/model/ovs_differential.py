#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the pipeline against Open vSwitch: where packets go, how they are rewritten, their counts.

A program is a random set of flows that both accept, with random VLAN settings of the ports; then
come random packets made to hit the flows, changes of the flows, and packets again. What leaves by
each port, byte for byte and in order, and the counters of each flow have to be the same. Some
programs have groups, which change too, with the links of ports that they watch; then the counters
of groups and buckets are compared as well. What goes to the controller is no output on either side.

usage: ovs_differential.py RUN_FLOWS [--packets N] [--seed S] [--trace]
Program i of a run has the seed S + i and depends on nothing else.
Exit status: 0 the same, 1 differences, 77 Open vSwitch is not installed.
"""

import argparse
import random
import re
import signal
import struct
import subprocess
import sys

sys.dont_write_bytecode = True

from differential_groups import WATCHED, check_select  # noqa: E402
from differential_packets import build  # noqa: E402
from differential_rules import PORTS, TABLES, Maker  # noqa: E402
import ovs_switch  # noqa: E402
from ovs_differences import DIFFERENCES, check_difference, explain, frame as build_frame  # noqa: E402

PACKETS_PER_PROGRAM = 90
BURST = 24


class Different(Exception):
    pass


class Turnout:
    """run_flows as a subprocess."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, preexec_fn=ovs_switch.die_with_parent)

    def stop(self):
        self.process.stdin.close()
        return self.process.wait(30)

    def command(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = []
        for reply in self.process.stdout:
            if reply == "done\n":
                return answer
            answer.append(reply.rstrip("\n"))
        raise Different("run_flows ended with status %s at: %s" % (self.process.wait(), line[:600]))

    def set_port(self, port, mode, tag, trunks, flood):
        self.command("port %d %s %d %s %d" % (
            port, mode, tag, ",".join(map(str, trunks)) or "all", flood))

    def accepts(self, flow):
        return not self.command("check " + flow)

    def change_flows(self, lines):
        self.command("begin")
        for line in lines:
            answer = self.command("flow " + line)
            if answer:
                raise Different("refused here: %s: %s" % (line, answer[0]))
        self.command("commit")

    def change_groups(self, commands):
        self.command("begin")
        for command in commands:
            answer = self.command(command)
            if answer:
                raise Different("refused here: %s: %s" % (command, answer[0]))
        self.command("commit")

    def groups(self):
        """As Switch.groups()."""
        groups = {}
        for line in self.command("groups"):
            row = [int(word) for word in line.split()[1:]]
            groups[row[0]] = [(row[1], row[2])] + list(zip(row[4::3], row[5::3]))
        return groups

    def flows(self):
        rows = (line.split() for line in self.command("flows"))
        return {int(row[1], 16): (int(row[2]), int(row[3])) for row in rows}

    def run(self, packets):
        """As Switch.run(), and the reasons of drops as a list of (index, reason)."""
        outputs, drops = [], []
        words = " ".join("%d %s" % (port, frame.hex()) for port, frame in packets)
        for line in self.command("run " + words):
            row = line.split()
            if row[0] == "output":
                outputs.append((int(row[2]), bytes.fromhex(row[3])))
            elif row[0] == "drop":
                drops.append((int(row[1]), row[2]))
        return outputs, drops


def gather(outputs):
    """port -> frames, without the ports that are only watched."""
    result = {}
    for port, frame in outputs:
        if port not in WATCHED:
            result.setdefault(port, []).append(frame.hex())
    return result


def by_packet(outputs, count, first):
    """A list of what became of each of `count` packets, numbered from `first`: port -> frames."""
    result = [{} for _ in range(count)]
    for port, frame in outputs:
        if port in WATCHED:
            continue
        index = struct.unpack("!I", frame[-4:])[0] - first
        if not 0 <= index < count:
            raise Different("a frame that was not sent came out of port %d: %s" % (
                port, frame.hex()))
        result[index].setdefault(port, []).append(frame.hex())
    return result


def comma(words):
    return "," + words if words else ""


def counters_equal(here, there, exact):
    """Bytes are those of the packet as it is found here, as it came there."""
    if here is None or there is None or here[0] != there[0]:
        return False
    return here[1] == there[1] if exact else abs(here[1] - there[1]) <= 16 * here[0]


class Program:
    def __init__(self, switch, turnout, seed, totals, trace):
        self.switch, self.turnout, self.totals, self.seed = switch, turnout, totals, seed
        self.trace = trace
        self.random = random.Random(seed)
        self.with_normal = self.random.random() < 0.45
        self.version = "OpenFlow10" if self.random.random() < 0.25 else "OpenFlow14"
        self.maker = Maker(self.random, self.with_normal, self.version == "OpenFlow10")
        self.groups = self.maker.groups
        self.rules, self.history, self.number = [], [], 1
        self.group_base = {}  # what groups had counted when they were last modified
        self.exact = set()  # cookies of flows that see packets as they came

    # --- Set-up ---

    def set_ports(self):
        rnd, vlans, settings = self.random, self.maker.pools["vlan"], {}
        modes = ["trunk", "access", "native-tagged", "native-untagged"]
        for port in range(1, PORTS + 1):
            mode = rnd.choice(modes + ["trunk"] * 3) if self.with_normal else "trunk"
            tag = rnd.choice([vlan for vlan in vlans if vlan or mode == "access"])
            trunks = rnd.choice([[], [], vlans[:2], vlans[1:]]) if self.with_normal else []
            settings[port] = (mode, tag, [] if mode == "access" else sorted(trunks))
        settings.update({port: ("trunk", 0, []) for port in WATCHED})
        self.access_ports = [port for port in settings if settings[port][0] == "access"]
        self.switch.set_ports(settings)
        closed = rnd.randint(1, PORTS) if rnd.random() < 0.2 else 0
        if closed:
            self.switch.set_flood(closed, False)
        for port, (mode, tag, trunks) in settings.items():
            self.turnout.set_port(port, mode, tag, trunks, port != closed)
        self.history.append("ports: %s, not flooded: %s" % (settings, closed or "none"))
        return closed

    def change_flows(self, lines):
        """Brings in those of the lines that both accept."""
        kept = []
        for line in lines:
            if self.turnout.accepts(line):
                kept.append(line)
            else:
                self.totals["refused here"] += 1
        while True:
            try:
                self.switch.change_flows(kept, self.version)
                break
            except ovs_switch.Refused as error:
                if not error.line or error.line > len(kept):
                    self.history += ["change: " + line for line in kept]
                    raise Different("Open vSwitch refuses it: %s" % error) from error
                self.totals["refused there"] += 1
                self.totals.setdefault("example", "%s: %s" % (kept[error.line - 1], error))
                del kept[error.line - 1]
        self.turnout.change_flows(kept)
        self.totals["flows"] += len(kept)
        self.history += ["flow: " + line for line in kept]
        return kept

    def add_text(self, rule):
        return "table=%d,priority=%d,cookie=0x%x%s,actions=%s" % (
            rule.table, rule.priority, rule.cookie, comma(rule.match_text(self.random)),
            self.maker.actions(rule))

    def install(self, count):
        rnd, rules, lines = self.random, [], []
        used = {(rule.table, rule.priority) for rule in self.rules}
        for _ in range(count):
            rule = self.maker.rule(rnd.choice(TABLES + [0, 0]))
            if (rule.table, rule.priority) not in used:
                used.add((rule.table, rule.priority))
                rules.append(rule)
        if not self.rules:
            rules += [self.maker.rule_for_the_rest(table) for table in TABLES
                      if rnd.random() < 0.75]
        for rule in rules:
            lines.append(self.add_text(rule))
        kept = set(self.change_flows(lines))
        self.exact |= {rule.cookie for rule in rules if rule.table == 0}
        self.rules += [rule for rule, line in zip(rules, lines) if line in kept]

    def change_groups(self, probability):
        """Groups, and the links of the ports that they watch."""
        if not self.groups:
            return
        changes = self.groups.changes(probability)
        self.history += ["group: " + line for line, _ in changes]
        self.totals["groups"] += len(changes)
        if changes:
            try:
                self.switch.change_groups([line for line, _ in changes])
            except ovs_switch.Refused as error:
                raise Different("Open vSwitch refuses it: %s" % error) from error
            self.turnout.change_groups([command for _, command in changes])
        counts = self.turnout.groups()
        for line, _ in changes:
            number = int(re.search(r"group_id=(\d+)", line).group(1))
            self.group_base[number] = counts.get(number)
            if number not in counts:
                del self.group_base[number]
        for port in WATCHED:
            live = self.random.random() < 0.6
            self.switch.set_live(port, live)
            self.turnout.command("live %d %d" % (port, live))
            self.history.append("port %d is %s" % (port, "up" if live else "down"))

    # --- Changes ---

    def change_text(self):
        """A line that replaces, modifies or deletes flows that are there, or adds one."""
        rnd, rule = self.random, self.random.choice(self.rules)
        openflow10 = self.version == "OpenFlow10"
        match, choice = rule.match_text(rnd), rnd.randrange(8 if openflow10 else 9)
        strict = "table=%d,priority=%d%s" % (rule.table, rule.priority, comma(match))
        if choice == 0:
            self.maker.cookie += 1
            rule.cookie = self.maker.cookie
            return ("" if openflow10 else "add reset_counts,") + self.add_text(rule)
        if choice in (1, 2) and not openflow10:
            reset = "reset_counts," if rnd.random() < 0.2 else ""
            return "modify_strict %s%s,actions=%s" % (reset, strict, self.maker.actions(rule))
        if choice in (3, 4) and not openflow10:
            rule = self.looser(rule)
            return "modify table=%d%s,actions=%s" % (
                rule.table, comma(rule.match_text(rnd)), self.maker.actions(rule))
        if choice == 5:
            return "delete_strict " + strict
        if choice == 6:
            rule = self.looser(rule)
            return "delete table=%d%s" % (rule.table, comma(rule.match_text(rnd)))
        if choice == 7:
            return "delete cookie=0x%x/0x%x" % (rule.cookie & 7, 7)
        if self.maker.cuts:
            return "delete table=%d" % rule.table
        return "delete table=%d,out_port=%d" % (rule.table, rnd.randint(1, PORTS))

    def looser(self, rule):
        loose = Maker.rule_for_the_rest(self.maker, rule.table)
        loose.protocol, loose.match = rule.protocol, list(rule.match)
        loose.frag = rule.frag
        if self.random.random() < 0.7:
            loose.vlan, loose.vlan_text = rule.vlan, rule.vlan_text
            loose.vlan_bits = rule.vlan_bits
        if loose.match and self.random.random() < 0.8:
            loose.match.pop(self.random.randrange(len(loose.match)))
        return loose

    def change(self):
        self.change_groups(0.4)
        if self.groups:
            # Flows that name what was deleted are gone.
            self.forget_flows()
            self.compare_counters()
            if not self.rules:
                return
        lines = [self.change_text() for _ in range(self.random.randint(1, 5))]
        self.change_flows(lines)
        self.forget_flows()
        self.install(self.random.randint(1, 6))

    def forget_flows(self):
        alive = self.turnout.flows()
        self.rules = [rule for rule in self.rules if rule.cookie in alive]

    # --- Packets ---

    def compare_groups(self):
        """There, a group does not count packets for which it has no bucket, and one that is
        modified starts anew: what is there since the last modification is compared."""
        here, there, lines = self.turnout.groups(), self.switch.groups(), []
        if set(here) != set(there):
            lines.append("groups here %s, there %s" % (sorted(here), sorted(there)))
        for number in set(here) & set(there):
            base = self.group_base.get(number, [(0, 0)] * len(here[number]))
            since = [(packets - before[0], size - before[1])
                     for (packets, size), before in zip(here[number], base)]
            if self.groups.there[number].kind in ("ff", "select"):
                since[0] = tuple(map(sum, zip(*since[1:])))
            if len(since) != len(there[number]) or not all(
                    counters_equal(one, other, False)
                    for one, other in zip(since, there[number])):
                lines.append("group %d: (packets, bytes) here %s, there %s" % (
                    number, since, there[number]))
        if lines:
            raise Different("counters of groups differ\n" + "\n".join(lines))

    def compare_counters(self):
        if self.groups:
            self.compare_groups()
        here, there = self.turnout.flows(), self.switch.flows(self.version)
        lines = []
        for cookie in sorted(set(here) | set(there)):
            if not counters_equal(here.get(cookie), there.get(cookie), cookie in self.exact):
                lines.append("cookie 0x%x: (packets, bytes) here %s, there %s" % (
                    cookie, here.get(cookie, "gone"), there.get(cookie, "gone")))
        if lines:
            raise Different("counters differ\n" + "\n".join(lines))

    def run_burst(self, count):
        first, packets, burst = self.number, [], []
        for index in range(count):
            packets.append(self.maker.packet(self.rules))
            burst.append((packets[-1]["in_port"], build(packets[-1], first + index)))
        # Learning makes the order of packets matter, and cut frames have lost their number.
        if self.with_normal or self.maker.cuts:
            there, here, drops = [], [], []
            for index, packet in enumerate(burst):
                there.append(gather(self.switch.run([packet])))
                outputs, reasons = self.turnout.run([packet])
                here.append(gather(outputs))
                drops += [(index, reason) for _, reason in reasons]
        else:
            there = by_packet(self.switch.run(burst), count, first)
            here, drops = self.turnout.run(burst)
            here = by_packet(here, count, first)
        self.number += count
        self.totals["packets"] += count
        for index in range(count):
            self.totals["outputs"] += sum(map(len, there[index].values()))
            self.totals["sent"] += bool(there[index])
            if here[index] != there[index]:
                name = explain(self, here[index], there[index])
                if name:
                    self.totals[name] = self.totals.get(name, 0) + 1
                    continue
                reasons = [reason for where, reason in drops if where == index]
                self.report(burst[index], packets[index], here[index], there[index], reasons)

    def report(self, sent, packet, here, there, reasons):
        lines = ["packet into port %d: %s" % (sent[0], sent[1].hex())]
        for name, outputs in (("here", here), ("there", there)):
            lines.append(name + ":" + ("" if outputs else " nothing"))
            lines += ["  port %d: %s" % (port, frame) for port in sorted(outputs)
                      for frame in outputs[port]]
        lines.append("drops here: " + (", ".join(reasons) or "none"))
        if self.trace:
            lines.append(self.switch.trace(*sent))
        raise Different("\n".join(lines))

    def run(self, count):
        self.turnout.command("reset")
        self.switch.reset()
        closed = self.set_ports()
        try:
            self.change_groups(0.7)
            self.install(self.random.randint(4, 24))
            changes = self.random.choice([0, 1, 2])
            done = 0
            for phase in range(changes + 1):
                end = count * (phase + 1) // (changes + 1)
                while done < end:
                    size = min(BURST, end - done)
                    self.run_burst(size)
                    done += size
                self.compare_counters()
                if phase < changes:
                    self.change()
                    self.compare_counters()
                    if not self.rules:
                        break
        finally:
            if closed:
                self.switch.set_flood(closed, True)


def run_all(switch, turnout, arguments):
    totals = {name: 0 for name in ("packets", "sent", "outputs", "flows", "groups", "refused here",
                                   "refused there")}
    wrong = [(difference.name, check_difference(switch, turnout, difference))
             for difference in DIFFERENCES]
    for name, error in wrong:
        if error:
            print("FAILED: the difference \"%s\" is not as listed: %s" % (name, error))
    error = check_select(switch, turnout, random.Random(arguments.seed), 4 + arguments.packets // 2000,
                         lambda rnd: build_frame("udp", nw_dst=rnd.getrandbits(32)))
    if error:
        print("FAILED: select: " + error)
    if error or any(error for _, error in wrong):
        return 1
    number, failed = 0, 0
    while totals["packets"] < arguments.packets:
        seed = arguments.seed + number
        program = Program(switch, turnout, seed, totals, arguments.trace)
        try:
            program.run(min(PACKETS_PER_PROGRAM, arguments.packets - totals["packets"]))
        except Different as error:
            print("\n".join(program.history))
            print(error)
            print("FAILED in a program for %s; again with: ovs_differential.py RUN_FLOWS --seed %d "
                  "--packets %d --trace" % (program.version, seed, PACKETS_PER_PROGRAM))
            failed += 1
            if not arguments.all:
                return 1
        number += 1
    print("%d programs, %s" % (number, ", ".join(
        "%s %s" % (value, name) for name, value in totals.items() if name != "example")))
    print("%d deliberate differences are as they are listed" % len(DIFFERENCES))
    # A test in which little happens shows little.
    refused = max(totals["refused here"], totals["refused there"])
    if totals["packets"] >= 1000 and (totals["sent"] < totals["packets"] // 4 or
                                      refused > totals["flows"] // 20 or
                                      totals["groups"] < totals["flows"] // 20):
        print("FAILED: too few packets are sent, too few groups or too many flows refused, for example " +
              totals.get("example", ""))
        return 1
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run_flows")
    parser.add_argument("--packets", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="go on after differences")
    parser.add_argument("--trace", action="store_true", help="show how Open vSwitch explains it")
    arguments = parser.parse_args()
    reason = ovs_switch.missing()
    if reason:
        print("skipped: " + reason)
        return 77
    print("seed %d, %d packets" % (arguments.seed, arguments.packets), flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    turnout = Turnout(arguments.run_flows)
    switch = ovs_switch.Switch(max(WATCHED))
    try:
        status = run_all(switch, turnout, arguments)
        return turnout.stop() or status
    finally:
        switch.stop()


if __name__ == "__main__":
    sys.exit(main())
