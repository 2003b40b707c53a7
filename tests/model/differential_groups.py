# SPDX-License-Identifier: Apache-2.0
"""Random groups that Turnout and Open vSwitch should read alike.

Open vSwitch takes the actions of a bucket as an action set, which has an order of its own, so these
are written in that order: tags, TTL, fields, one output. Groups refer only to groups of higher
numbers, and resubmit only to the last table, whose flows have no groups: there are no loops.
"""

from differential_fields import text

GROUPS = range(1, 8)
LAST_TABLE = 253
WATCHED = (7, 8)  # ports that are only watched: their links go up and down
MISSING = 99


class Group:
    def __init__(self, number):
        self.number, self.kind, self.buckets = number, None, []

    def text(self):
        return "group_id=%d,type=%s%s%s" % (
            self.number, self.kind,
            ",selection_method=hash,fields(ip_dst)" if self.kind == "select" else "",
            "".join(",bucket=" + bucket for bucket in self.buckets))


class Groups:
    """The groups of one program; `maker` has the values, and keeps its own promises in `pushes`,
    `later`, `malformed` and so on."""

    def __init__(self, maker):
        self.maker, self.random = maker, maker.random
        self.there = {}
        # Two tags at most: either flows push one, or buckets that come to no other.
        self.pushes = maker.pushes and self.random.random() < 0.5
        if self.pushes:
            maker.pushes = False

    # --- Buckets ---

    def setting(self):
        maker, random = self.maker, self.random
        words = ["mod_%s:%s" % (field, text(field, maker.value(field)))
                 for field in ("dl_src", "dl_dst")]
        words.append("set_field:0x%x->metadata" % maker.value("metadata"))
        words.append("load:0x%x->NXM_NX_REG%d[]" % (maker.value("reg0"), random.randrange(8)))
        if not maker.malformed:
            words.append("mod_nw_tos:%d" % (4 * random.getrandbits(6)))
            if not maker.later:
                words.append("mod_nw_dst:" + text("nw_dst", maker.value("nw_dst")))
        return random.choice(words)

    def sending(self, number, pushed):
        random, choice = self.random, self.random.randrange(12)
        higher = [other for other in self.there if other > number]
        if choice < 3 and higher and not pushed:
            return "group:%d" % random.choice(higher)
        if choice < 5 and not pushed:
            return "resubmit(,%d)" % LAST_TABLE
        if choice == 5:
            return random.choice(["IN_PORT", "ALL", "FLOOD", "drop"])
        if choice == 7 and random.random() < 0.5:  # which counts as the one output
            return "controller:%d" % random.randrange(14, 200)
        if choice == 6 and self.maker.with_normal and not pushed:
            return "NORMAL"
        return "output:%d" % random.choice([1, 2, 3, 4, 5, 6, MISSING])

    def actions(self, number):
        random, words = self.random, []
        pushed = self.pushes and random.random() < 0.4
        if random.random() < 0.2 and not self.maker.cuts:
            words.append("strip_vlan")
        if pushed:
            words.append("push_vlan:" + random.choice(["0x8100", "0x88a8"]))
        if random.random() < 0.2 and not self.maker.malformed:
            words.append("dec_ttl")
        words += [self.setting() for _ in range(random.choice([0, 0, 1, 1, 2]))]
        send = self.sending(number, pushed)
        return ",".join(words or ["drop"]) if send == "drop" else ",".join(words + [send])

    def watch(self, number):
        random = self.random
        higher = [other for other in self.there if other > number]
        if higher and random.random() < 0.3:
            return ["watch_group:%d" % random.choice(higher)]
        return ["watch_port:%d" % random.choice(WATCHED + WATCHED + (MISSING, 1))]

    # --- Groups ---

    def make(self, number):
        random, group = self.random, Group(number)
        group.kind = random.choice(["all", "all", "indirect", "ff", "ff", "select"])
        count = 1 if group.kind == "indirect" else random.randrange(0 if group.kind == "all" else 1,
                                                                    5)
        chosen = random.randrange(max(count, 1))
        for index in range(count):
            words = ["bucket_id:%d" % index]
            if group.kind == "select":
                words.append("weight:%d" % (random.randint(1, 200) if index == chosen else 0))
            if group.kind == "ff":
                words += self.watch(number)
            group.buckets.append(",".join(words + ["actions=" + self.actions(number)]))
        return group

    def changes(self, probability):
        """Lines of additions, modifications and deletions, each with what is to be done here: a
        list of (line for ovs-ofctl, command for run_flows)."""
        result = []
        for number in reversed(GROUPS):
            if self.random.random() > probability:
                continue
            if number in self.there and self.random.random() < 0.4:
                del self.there[number]
                result.append(("delete group_id=%d" % number, "group_del %d" % number))
                continue
            group = self.make(number)
            verb = "modify" if number in self.there else "add"
            self.there[number] = group
            result.append(("%s %s" % (verb, group.text()), "group " + group.text()))
        return result


def check_select(switch, turnout, random, rounds, packet):
    """A packet that a select group gets leaves by one of the buckets that live and have a weight,
    and the same one each time, here and there. None, or what is wrong."""
    for _ in range(rounds):
        live = {port: random.random() < 0.6 for port in WATCHED}
        for port, is_live in live.items():
            switch.set_live(port, is_live)
            turnout.command("live %d %d" % (port, is_live))
        wanted, buckets = set(), []
        for port in range(2, 7):
            weight, watched = random.choice([0, 1, 1, 5]), random.choice((None, MISSING) + WATCHED)
            buckets.append("weight:%d,%sactions=mod_dl_src:02:00:00:00:00:%02x,output:%d" % (
                weight, "watch_port:%d," % watched if watched else "", port, port))
            if weight and (watched is None or live.get(watched)):
                wanted.add(port)
        line = "group_id=1,type=select,selection_method=hash,bucket=" + ",bucket=".join(buckets)
        turnout.command("reset")
        switch.reset()
        for port in switch.ports:
            turnout.set_port(port, "trunk", 0, [], True)
        for port, is_live in live.items():
            turnout.command("live %d %d" % (port, is_live))
        switch.change_groups(["add " + line])
        turnout.change_groups(["group " + line])
        switch.change_flows(["actions=group:1"], "OpenFlow14")
        turnout.change_flows(["actions=group:1"])
        sent = [(1, packet(random)) for _ in range(10)]
        for name, run in (("here", lambda one: turnout.run([one])[0]), ("there", lambda one: switch.run([one]))):
            for one in sent:
                first, again = run(one), run(one)
                if first != again:
                    return "%s %s is not stable" % (name, line)
                if not {port for port, _ in first} <= wanted or len(first) != bool(wanted):
                    # There, one without a weight may be taken if no other lives.
                    if name == "here" or wanted:
                        return "%s %s goes to %s instead of one of %s" % (name, line, first, wanted)
                if any(frame[11] != port for port, frame in first):
                    return "%s %s is not rewritten by its bucket" % (name, line)
    return None
