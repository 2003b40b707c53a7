#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the flow parser against `ovs-ofctl parse-flow`.

Half of the strings are built so that both have to accept them; then both have to mean the same: our
dump form of the match is Open vSwitch's, and Open vSwitch reads our exact form as it reads the
original. The other half are mutations of such strings. There, every difference in acceptance has to
be one of the deliberate ones listed below; anything else fails the test.

usage: parse_differential.py PARSE_FLOW [COUNT [SEED]]
Exit status: 0 the same, 1 differences, 77 ovs-ofctl is not installed.
"""

import concurrent.futures
import random
import re
import shutil
import subprocess
import sys

# --- Deliberate differences ---

# We refuse, Open vSwitch accepts: kinds that stand for its silent misreadings. It drops matches
# whose prerequisites are missing, lets the later of two contradicting keys win, cuts numbers to
# size, and knows reserved ports.
STRICTER_KINDS = {"prerequisite", "conflict", "out_of_range", "bad_mask", "table_order",
                  "no_such_table", "lookup_budget", "no_such_port"}
# The same by message, for kinds that could as well be our fault.
STRICTER = [
    r"leading zeros",                      # 010 is octal there
    r"is not a multiple of 4",             # cut there
    r"CFI bit",                            # a match that cannot hit there
    r"is not a number",                    # negative numbers, and load:10.0.0.1 that loads 0xa
    r"is not an IPv4 address",             # octets are cut to eight bits there
    r"takes no value; write just",         # tcp=1
    r"takes no argument; write just",      # drop:1, dec_ttl(1)
    r"needs a value: write|has no value",  # empty values are 0 there
    r"cannot be written",                  # in_port can be set there
    r"does not have|this version|are eight registers|registers are matched|ends by itself|no LOCAL",
    r"can only be matched as a whole",
    r"write \"actions=\"|is given twice",
    r"needs \"=\" before its value",        # key:value and key(value) are key=value there
    r"unknown field \"[a-z0-9_]*[:(][^\"]*\"",
    r"is an action; write",
    r"goes on behind its closing bracket",
    r"without blanks",
    r"needs a table",
    r"is not an Ethernet address",         # blanks and rests behind it are ignored there
    r"is not a VLAN tag's type",
    r"unknown field \"(pkt_mark|mpls|xreg)",
    r"unknown field \"(reg|NXM_NX_REG)(8|9|1\d)\"",  # among the actions
    r"missing \"actions=\"",
    r"bracket is not closed",
    r"unknown action \"\d+\"",             # 5=6 is output to 5 there
    r"unknown field \"\d+\"; did you mean one of",  # 1.5sactions=2,3 has an "actions=" there
    r"already in the tables",              # output to TABLE
    r"is not a field with a run of bits",  # reg0[00..07]
    r"unknown field \"[a-z0-9_]*action",            # actions8= is actions= there
]
# We accept, Open vSwitch refuses.
LAXER = [
    r"#",                                  # comments
    r"_(src|dst)=\d+-\d+",                 # port ranges
    r"/-1\b",                              # all ones
    r"(NXM|OXM)_\w+=",                     # without brackets
    r"->(NXM|OXM)_",                       # the same in set_field
    r"set_field:.*\[\]",
    r"\[\]=",                              # the field's own form
    r"write_metadata:.*,",                 # any order
    r"^\s*(add|modify|delete)",         # commands
    r"send_flow_rem|check_overlap|reset_counts",
    r"actions? +=",
    r"dl_vlan=65535|dl_vlan=0x",
    r"0X",
    r"Invalid value for set field vlan_vid",  # it wants the CFI bit
    r"OFPBAC_BAD_TAG",                     # it knows at most two VLAN tags
    r"value too large for 1-byte field nw_proto",  # an ARP operation has 16 bits
    r"meter must appear before|duplicate meter",  # any number of them, anywhere
    r"[Cc][Oo][Nn][Tt][Rr][Oo][Ll][Ll][Ee][Rr][:=]0x",  # decimal only
]

# --- Strings ---


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def number(self, bits):
        value = self.random.choice([0, 1, (1 << bits) - 1, self.random.getrandbits(bits)])
        return self.random.choice(["%d", "0x%x"]) % value

    def masked(self, bits):
        if self.random.random() < 0.6:
            return self.number(bits)
        mask = self.random.getrandbits(bits)
        return "0x%x/0x%x" % (self.random.getrandbits(bits) & mask, mask)

    def mac(self, maskable=True):
        def one():
            return ":".join("%02x" % self.random.getrandbits(8) for _ in range(6))
        if maskable and self.random.random() < 0.2:
            return one() + "/" + one()
        return one()

    def ipv4(self, maskable=True):
        address = ".".join(str(self.random.getrandbits(8)) for _ in range(4))
        if maskable and self.random.random() < 0.4:
            return address + "/" + self.random.choice(
                [str(self.random.randint(0, 32)), "255.0.255.0", "255.255.0.0"])
        return address

    def ipv6(self, maskable=True):
        address = self.random.choice([
            "::", "::1", "fe80::1", "2001:db8::%x" % self.random.getrandbits(16),
            ":".join("%x" % self.random.getrandbits(16) for _ in range(8))])
        if maskable and self.random.random() < 0.4:
            return address + "/" + self.random.choice(
                [str(self.random.randint(0, 128)), "ffff::ffff"])
        return address

    def port(self):
        return str(self.random.choice([1, 2, 3, 100, 65279]))

    def some(self, choices, most):
        return self.random.sample(choices, self.random.randint(0, min(most, len(choices))))

    def l2_keys(self):
        vlan = self.random.choice([
            ["dl_vlan=%d" % self.random.randint(0, 4095)],
            ["dl_vlan=%d" % self.random.randint(0, 4095), "dl_vlan_pcp=%d" % self.random.getrandbits(3)],
            ["dl_vlan_pcp=%d" % self.random.getrandbits(3)],
            ["vlan_tci=0x%04x" % (self.random.getrandbits(16) | 0x1000)],
            ["vlan_tci=0x1000/0x1000"], ["vlan_tci=0x0000/0x1fff"], ["vlan_tci=0"],
            ["vlan_vid=0x%04x/0x1fff" % (0x1000 | self.random.getrandbits(12))],
            ["dl_vlan=0xffff"]])
        keys = ["in_port=" + self.port(),
                self.random.choice(["dl_src", "eth_src"]) + "=" + self.mac(),
                self.random.choice(["dl_dst", "eth_dst"]) + "=" + self.mac(),
                "metadata=" + self.masked(64)]
        keys += ["reg%d=%s" % (i, self.masked(32)) for i in range(8)]
        keys += ["reg7[0..7]=%d" % self.random.getrandbits(8)] if "reg7" not in str(keys) else []
        return self.some(keys, 4) + (vlan if self.random.random() < 0.3 else [])

    def ip_keys(self):
        # Not nw_tos together with ip_dscp: that is a contradiction.
        return self.some([
            self.random.choice(["nw_tos=%d" % (self.random.getrandbits(6) << 2),
                                "ip_dscp=%d" % self.random.getrandbits(6)]),
            self.random.choice(["nw_ecn", "ip_ecn"]) + "=%d" % self.random.getrandbits(2),
            "nw_ttl=%d" % self.random.getrandbits(8),
            "nw_frag=" + self.random.choice(["no", "yes", "first", "not_later"])], 2)

    def l4_keys(self, name):
        if name == "icmp":
            return self.some(["icmp_type=%d" % self.random.getrandbits(8),
                              "icmp_code=%d" % self.random.getrandbits(8)], 2)
        prefix = self.random.choice(["tp", name])
        keys = ["%s_src=%s" % (prefix, self.masked(16)), "%s_dst=%s" % (prefix, self.masked(16))]
        if name == "tcp":
            keys.append("tcp_flags=" + self.random.choice(
                ["+syn-ack", "syn|ack", "-rst", "0x%x" % self.random.getrandbits(12),
                 "+[200]-[800]", "0x2/0x12", "+fin+syn+rst+psh+ack+urg+ece+cwr+ns"]))
        return self.some(keys, 3)

    def nd_keys(self):
        kind, option = self.random.choice([(135, "nd_sll"), (136, "nd_tll")])
        return ["icmp6", self.random.choice(["icmp_type", "icmpv6_type"]) + "=%d" % kind] + \
            self.some(["nd_target=" + self.ipv6(), option + "=" + self.mac()], 2)

    def protocol_keys(self):
        """The keys, and what actions may count on."""
        kind = self.random.choice(["", "ip", "ipv6", "arp", "tcp", "udp", "sctp", "icmp", "tcp6",
                                   "udp6", "icmp6", "nd", "proto", "type"])
        if kind in ("", "type"):
            return (["dl_type=0x%04x" % self.random.choice([0x88cc, 0x88f7, 0x05ff])]
                    if kind else []), set()
        if kind == "arp":
            return ["arp"] + self.some(
                [self.random.choice(["arp_spa", "nw_src"]) + "=" + self.ipv4(),
                 self.random.choice(["arp_tpa", "nw_dst"]) + "=" + self.ipv4(),
                 self.random.choice(["arp_op", "nw_proto"]) + "=%d" % self.random.getrandbits(8),
                 "arp_sha=" + self.mac(), "arp_tha=" + self.mac()], 3), {"arp"}
        if kind == "nd":
            return self.nd_keys(), {"ipv6"}
        six = kind in ("ipv6", "tcp6", "udp6", "icmp6")
        keys = self.some(["ipv6_src=" + self.ipv6(), "ipv6_dst=" + self.ipv6(),
                          "ipv6_label=" + self.number(20)], 2) if six else \
            self.some([self.random.choice(["nw_src", "ip_src"]) + "=" + self.ipv4(),
                       self.random.choice(["nw_dst", "ip_dst"]) + "=" + self.ipv4()], 2)
        l4 = kind.rstrip("6") if kind not in ("ip", "ipv6", "proto", "icmp6") else ""
        if kind == "proto":
            return self.random.choice([["ip", "nw_proto=2"], ["dl_type=0x800", "nw_proto=6"],
                                       ["ip", "nw_proto=17"], ["ip", "nw_proto=58"]]) + \
                keys + self.ip_keys(), {"ip"}
        names = {"ip": ["ip", "dl_type=0x0800", "eth_type=2048"], "ipv6": ["ipv6", "ip6"]}
        keys = [self.random.choice(names.get(kind, [kind]))] + keys + self.ip_keys()
        return keys + (self.l4_keys(l4) if l4 else []), {"ipv6" if six else "ip", l4}

    def sending(self):
        """Actions that name somebody to send to, but for meters, which come first."""
        r = self.random
        size = r.choice([14, 64, 1500, 0xffffffff])
        reason = "reason=" + r.choice(["action", "no_match", "invalid_ttl"])
        length = "max_len=%d" % r.choice([0, 128, 65535])
        return ["output(port=%s,max_len=%d)" % (self.port(), size),
                "output(max_len=0x%x,port=in_port)" % size,
                "controller", "CONTROLLER:%d" % r.getrandbits(16), "controller()",
                "controller(%s)" % length, "controller(%s)" % reason,
                "controller(%s,%s)" % (length, reason), "output:controller",
                "group:%d" % r.choice([0, 5, 0xffffff00]), "group(7)"]

    def actions(self, have):
        r = self.random
        if r.random() < 0.1:
            return r.choice(["", "drop", "DROP"])
        choices = ["output:" + self.port(), self.port(), "output=" + self.port(), "NORMAL",
                   "normal", "flood", "ALL", "in_port", "output:in_port", "output(%s)" % self.port(),
                   "mod_vlan_vid:%d" % r.randint(0, 4095), "mod_vlan_pcp:%d" % r.getrandbits(3),
                   "mod_dl_src:" + self.mac(False), "mod_dl_dst:" + self.mac(False),
                   "set_field:%s->eth_dst" % self.mac(False), "set_field:%s->dl_src" % self.mac(False),
                   "set_field:%s->reg%d" % (self.number(32), r.getrandbits(3)),
                   "load:%s->NXM_NX_REG%d[]" % (self.number(32), r.getrandbits(3)),
                   "load:%d->NXM_NX_REG%d[0..7]" % (r.getrandbits(8), r.getrandbits(3)),
                   "set_field:%s/ff:ff:ff:00:00:00->eth_src" % "fa:16:3e:00:00:00",
                   "set_field:0x%x/0xff->reg1" % r.getrandbits(8), "load:1->reg2[31]", "load:0x5->OXM_OF_METADATA[0..7]",
                   "set_field:%s->metadata" % self.number(64),
                   "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]", "move:NXM_NX_REG0[0..7]->reg1[8..15]",
                   "move:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15]",
                   "output:NXM_NX_REG0[]", "output:reg1[0..15]",
                   "resubmit(,%d)" % r.randint(0, 254), "resubmit(%s,%d)" % (self.port(), r.randint(0, 254)),
                   "resubmit:" + self.port(), "resubmit(,7)"] + self.sending()
        if "vlan" in have:
            # Not both: after a load of vlan_tci, Open vSwitch takes the tag for gone.
            choices += r.choice([
                ["set_field:%d->vlan_vid" % (0x1000 | r.getrandbits(12)),
                 "set_field:%d->vlan_pcp" % r.getrandbits(3),
                 "load:%d->OXM_OF_VLAN_PCP[]" % r.getrandbits(3)],
                ["load:%d->NXM_OF_VLAN_TCI[0..11]" % r.getrandbits(12),
                 "move:NXM_NX_REG0[0..11]->NXM_OF_VLAN_TCI[0..11]",
                 "move:NXM_OF_VLAN_TCI[]->reg3[16..31]"]])
        if have & {"ip", "ipv6"}:
            choices += ["dec_ttl", "mod_nw_tos:%d" % (r.getrandbits(6) << 2),
                        "set_field:%d->nw_ecn" % r.getrandbits(2),
                        "set_field:%d->nw_ttl" % r.getrandbits(8),
                        "set_field:%d->ip_dscp" % r.getrandbits(6)]
        if "ip" in have:
            choices += ["mod_nw_src:" + self.ipv4(False), "mod_nw_dst:" + self.ipv4(False),
                        "set_field:%s->ip_src" % self.ipv4(False),
                        "load:%s->NXM_OF_IP_DST[]" % self.number(32)]
        if "ipv6" in have:
            choices += ["set_field:%s->ipv6_src" % self.ipv6(False),
                        "set_field:%s->ipv6_label" % self.number(20)]
        if "arp" in have:
            choices += ["set_field:%d->arp_op" % r.getrandbits(8),
                        "set_field:%s->arp_spa" % self.ipv4(False),
                        "set_field:%s->arp_tha" % self.mac(False),
                        "move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]"]
        if have & {"tcp", "udp", "sctp"}:
            l4 = next(iter(have & {"tcp", "udp", "sctp"}))
            choices += ["mod_tp_src:" + self.number(16), "mod_tp_dst:" + self.number(16),
                        "set_field:%s->%s_dst" % (self.number(16), l4),
                        "set_field:%s->%s_src" % (self.number(16), "tp" if l4 == "tcp" else l4)]
        chosen = [r.choice(choices) for _ in range(r.randint(1, 4))]
        # Not with a VLAN: from OpenFlow 1.3 on, which meters need, it can be loaded only once.
        if "vlan" not in have and r.random() < 0.1:
            chosen.insert(0, "meter:%d" % r.choice([1, 7, 0xffff0000]))
        if "vlan" in have and r.random() < 0.3:
            chosen.append("strip_vlan")
        elif r.random() < 0.1:
            chosen += ["push_vlan:0x8100", "set_field:%d->vlan_vid" % (0x1000 | r.getrandbits(12))]
        if r.random() < 0.1:
            chosen.append("goto_table:%d" % r.randint(200, 254))
        return r.choice([",", " ", ", "]).join(chosen)

    def valid(self):
        keys, have = self.protocol_keys()
        keys += self.l2_keys()
        if any(key.startswith(("dl_vlan", "vlan_")) and
               key not in ("vlan_tci=0", "vlan_tci=0x0000/0x1fff", "dl_vlan=0xffff") for key in keys):
            have.add("vlan")
        keys += self.some(["priority=%d" % self.random.getrandbits(16), "idle_timeout=30",
                           "hard_timeout=0x10", "cookie=" + self.number(64),
                           "table=%d" % self.random.randint(0, 199), "n_packets=5",
                           "duration=1.5s"], 3)
        self.random.shuffle(keys)
        return self.random.choice([",", " ", ", "]).join(keys + ["actions=" + self.actions(have)])

    def mutation(self):
        return self.mutated(self.valid())

    def mutated(self, text):
        text = list(text)
        for _ in range(self.random.randint(1, 3)):
            at = self.random.randrange(len(text))
            kind = self.random.randrange(4)
            if kind == 0:
                del text[at]
            elif kind == 1:
                text.insert(at, self.random.choice("0123456789abcdef:./,=-[]() xX"))
            elif kind == 2:
                text[at] = self.random.choice("0123456789abcdef:./,=-[]() xX")
            else:
                keys = "".join(text).split(",")
                i, j = self.random.randrange(len(keys)), self.random.randrange(len(keys))
                keys[i] = keys[j]
                text = list(",".join(keys))
            if not text:
                text = ["a"]
        return "".join(text)


# --- The two parsers ---

def answers_of(program, lines, *options):
    """What parse_flow says of each line, cut at its tabs."""
    # The program leaves nothing open when a string makes it crash: its status says so.
    done = subprocess.run([program, *options], input="\n".join(lines) + "\n", capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("parse_flow: exit status %d\n%s" % (done.returncode, done.stderr[-3000:]))
    answers = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(answers) == len(lines)
    return answers


def ours(program, lines):
    """[(True, exact, match) or (False, kind, message)]"""
    answers = []
    for part in answers_of(program, lines):
        if part[0] == "ok":
            match = re.search(r"priority=\d+,?(.*?) actions=", " " + part[2]).group(1)
            answers.append((True, part[1], match))
        else:
            answers.append((False, part[1], part[5]))
    return answers


def theirs(line):
    """(True, the flow as it prints it) or (False, message)"""
    done = subprocess.run(["ovs-ofctl", "-O", "OpenFlow10,OpenFlow13,OpenFlow15", "parse-flow", line],
                          capture_output=True, text=True)
    found = re.search(r"\(xid=0x1\): ADD (.*)", done.stdout)
    if done.returncode != 0 or not found or "decode error" in done.stdout:
        return (False, done.stderr.strip() or done.stdout[:200])
    # "resubmit:1" means the flow's own table; our form says so.
    table = re.match(r"table:(\d+)", found.group(1))
    return (True, re.sub(r"resubmit:(\w+)", r"resubmit(\1,%s)" % (table.group(1) if table else "0"),
                         found.group(1)))


def their_match(flow):
    text = re.sub(r"^(.*?) ?actions=.*$", r"\1", flow)
    text = re.sub(r"\b(table:\d+|send_flow_rem|check_overlap|reset_counts|importance:\d+) ?", "", text)
    text = re.sub(r"\b(cookie:0x[0-9a-f]+|idle:\d+|hard:\d+|out_port:\w+|pri:\d+) ?", "", text)
    # Which of the two it prints depends on the protocol version; both mean untagged.
    text = text.replace("vlan_tci=0x0000/0x1fff", "vlan_tci=0x0000")
    return re.sub(r"^priority=\d+,?", "", text.strip()).strip(" ,")


def matches_any(patterns, text):
    return any(re.search(pattern, text) for pattern in patterns)


def judge(line, own, other, echo, must_accept):
    """What is wrong, or None."""
    if "(" in re.split(r"actions?\b", line)[0]:
        return None  # there, a bracket in a match swallows what follows
    if own[0] and other[0]:
        if not echo[0]:
            return None if matches_any(LAXER, own[1]) else \
                "they refuse our form: %s: %s" % (own[1], echo[1])
        if echo[1] != other[1] and not re.search(r"set_field:[^,]*/", line):
            # OpenFlow 1.0 has no masks in mod_dl_src; Open vSwitch leaves them out.
            return "meaning differs: ours %s, read as %s, not as %s" % (own[1], echo[1], other[1])
        if own[2].replace("vlan_tci=0x0000/0x1fff", "vlan_tci=0x0000") != their_match(other[1]):
            return "dump differs: %s, not %s" % (own[2], their_match(other[1]))
        return None
    if own[0] == other[0] and not must_accept:
        return None
    if must_accept:
        return "ours %s, theirs %s" % (own, other)
    if own[0]:
        return None if matches_any(LAXER, line + other[1]) else "only we accept it: %s: %s" % (own[1], other[1])
    if own[1] in STRICTER_KINDS or matches_any(STRICTER, own[2]):
        return None
    return "only they accept it: %s, we say: %s: %s" % (other[1], own[1], own[2])


def main():
    if not shutil.which("ovs-ofctl"):
        print("ovs-ofctl is not installed")
        return 77
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    maker = Maker(seed)
    lines = [maker.valid() if i % 2 == 0 else maker.mutation() for i in range(count)]
    own = ours(sys.argv[1], lines)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        other = list(pool.map(theirs, lines))
        echo = list(pool.map(
            lambda pair: theirs(pair[0][1]) if pair[0][0] and pair[1][0] else (False, ""),
            zip(own, other)))
    failures = 0
    for i, line in enumerate(lines):
        wrong = judge(line, own[i], other[i], echo[i], i % 2 == 0)
        if wrong:
            failures += 1
            print("%s\n\t%s" % (line, wrong))
    both = sum(1 for a, b in zip(own, other) if a[0] and b[0])
    print("seed %d: %d strings, %d accepted by both, %d differences" % (seed, count, both, failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
