# SPDX-License-Identifier: Apache-2.0
"""Random flows that Turnout and Open vSwitch should read alike, and random packets that hit them.

What the two are known to see differently is not made here; ovs_differential.py says why.
"""

from differential_fields import ALIASES, FIELDS, IPV4, IPV6, L4, NXM, PROTOCOLS, text, text_masked
from differential_groups import LAST_TABLE, Groups
from differential_packets import KINDS

PORTS = 6
TABLES = [0, 1, 2, 7, 60, 253]

class Rule:
    """A flow as it is to be added: where it stands and what it matches."""

    def __init__(self):
        self.table = 0
        self.priority = 0
        self.protocol = None
        self.match = []  # (field, value, mask)
        self.frag = None
        self.vlan = None  # None, "tagged" or "untagged": what the match says
        self.vlan_text = None
        self.vlan_bits = None  # (TCI, mask) of the match
        self.cookie = 0

    def match_text(self, random):
        words = [self.protocol] if self.protocol else []
        if self.vlan_text:
            words.append(self.vlan_text)
        if self.frag:
            words.append("nw_frag=" + self.frag)
        for field, value, mask in self.match:
            name = field
            if field in ALIASES and random.random() < 0.3:
                name = random.choice(ALIASES[field])
            words.append("%s=%s" % (name, text_masked(field, value, mask)))
        return ",".join(words)


class Maker:
    """Random values, rules, actions and packets of one program."""

    def __init__(self, random, with_normal, openflow10):
        self.random = random
        self.with_normal = with_normal
        self.openflow10 = openflow10
        self.cookie = 0
        # Two tags at most: either packets have two, or one may be pushed in table 0.
        self.pushes = random.random() < 0.5
        # Either some packets are malformed, or flows look further than Ethernet.
        self.malformed = random.random() < 0.1
        # Either packets may run out of time, in table 0, or TTLs go down everywhere.
        self.low_ttl = random.random() < 0.4
        # Either there are later fragments, or addresses and ICMP types are rewritten.
        self.later = random.random() < 0.4
        # Either options of neighbour discovery may be missing, or they are rewritten.
        self.nd_options = random.random() < 0.5
        # Either there are routing headers that are not done, or IPv6 sources are rewritten.
        self.routed = random.random() < 0.4
        # Either some outputs are cut, and packets run one by one, or tags come and go.
        self.cuts = random.random() < 0.25 and not with_normal
        if self.cuts:
            self.pushes = False
        bits = random.getrandbits
        reserved = random.choice([0x0180c2000000, 0x0180c2000002, 0x0180c200000e, 0x0180c2000021])
        unicast = [0x020000000000 | bits(40) for _ in range(5)]
        self.pools = {
            "mac": unicast + [0xffffffffffff, 0x01005e000001, 0x333300000001, reserved],
            "ipv4": [0x0a000000 | bits(8) for _ in range(4)] + [bits(32), bits(32), 0xe0000005],
            "ipv6": [0x20010db8 << 96 | bits(8) for _ in range(3)] +
                    [0xfe80 << 112 | bits(64), bits(128), 0xff02 << 112 | 1],
            "port": [1, 80, 443, 0xffff, 0x1000 | bits(8), bits(16) | 1],
            "vlan": random.sample([1, 10, 20, 100, 4094], 3) + [0],
        }
        with_groups = not openflow10 and random.random() < 0.6
        self.groups = Groups(self) if with_groups else None

    def chance(self, probability):
        return self.random.random() < probability

    def value(self, field):
        random, form = self.random, FIELDS[field][1]
        bits = FIELDS[field][0]
        if form in ("mac", "ipv4", "ipv6"):
            return random.choice(self.pools[form])
        if field == "in_port":
            return random.randint(1, PORTS)
        if field.startswith("reg") or field == "metadata":
            return random.choice([0, 1, 2, 3, 5, 6, 0x10, 0x8001, (1 << bits) - 1,
                                  random.getrandbits(bits)])
        if field == "nw_ttl":
            if self.low_ttl:
                return random.choice([0, 1, 1, 2, 64, random.randint(1, 255)])
            return random.choice([64, 128, 255, random.randint(64, 255)])
        if field == "nw_proto":
            return random.choice([6, 17, 47, 1, 58, 132, 50])
        if field == "arp_op":
            return random.choice([1, 2, 3, 4, 200])
        if field == "icmp_type":
            return random.choice([0, 3, 8, random.randint(0, 255)])
        if field == "icmpv6_type":
            return random.choice([1, 128, 129, 133, 137])
        if field.endswith("_code"):
            return random.choice([0, 1, 4])
        if field == "tcp_flags":
            return random.choice([0x002, 0x012, 0x010, 0x018, 0x011, 0x004, random.getrandbits(12)])
        if field[:4] in ("tcp_", "udp_", "sctp"):
            return random.choice(self.pools["port"])
        if field in ("vlan_vid", "vlan_tci"):
            value = 0x1000 | random.choice(self.pools["vlan"])
            return value if field == "vlan_vid" else value | random.getrandbits(3) << 13
        return random.getrandbits(bits)

    def mask(self, field):
        random, bits = self.random, FIELDS[field][0]
        full = (1 << bits) - 1
        if not FIELDS[field][2] or self.chance(0.6):
            return full
        if FIELDS[field][1] in ("ipv4", "ipv6") and self.chance(0.7):
            return full & ~((1 << random.randint(0, bits - 1)) - 1)
        if FIELDS[field][1] == "mac" and self.chance(0.5):
            return 0x010000000000
        return random.getrandbits(bits) | random.getrandbits(bits) or 1

    # --- Matches ---

    def vlan_match(self, rule):
        random = self.random
        vid = random.choice(self.pools["vlan"])
        pcp = random.getrandbits(3)
        rule.vlan = "tagged"
        choice = random.randrange(8)
        if choice == 0 and self.openflow10:
            rule.vlan, rule.vlan_bits = "untagged", (0, 0xffff)
            rule.vlan_text = random.choice(["dl_vlan=0xffff", "vlan_tci=0"])
        elif choice <= 1:
            rule.vlan, rule.vlan_bits = "untagged", (0, 0x1fff)
            rule.vlan_text = "vlan_tci=0x0000/0x1fff"
        elif choice == 2:
            rule.vlan_bits = (0x1000 | vid | pcp << 13, 0xffff)
            rule.vlan_text = random.choice(
                ["dl_vlan=%d,dl_vlan_pcp=%d" % (vid, pcp), "vlan_tci=0x%04x" % rule.vlan_bits[0]])
        elif choice == 3:
            rule.vlan_bits = (0x1000 | pcp << 13, 0xf000)
            rule.vlan_text = "dl_vlan_pcp=%d" % pcp
        elif choice == 4:
            rule.vlan_bits = (0x1000, 0x1000)
            rule.vlan_text = random.choice(["vlan_tci=0x1000/0x1000", "vlan_vid=0x1000/0x1000"])
        elif choice == 5 and self.openflow10:
            mask = random.getrandbits(16)
            value = (0x1000 | vid | pcp << 13) & mask
            rule.vlan_bits = (value, mask)
            rule.vlan_text = "vlan_tci=0x%04x/0x%04x" % (value, mask)
            if not mask & 0x1000:
                rule.vlan = None
        else:
            rule.vlan_bits = (0x1000 | vid, 0x1fff)
            rule.vlan_text = random.choice(["dl_vlan=%d" % vid, "vlan_vid=0x%x" % (0x1000 | vid)])

    def rule(self, table):
        random, rule = self.random, Rule()
        rule.table = table
        rule.priority = random.randint(1, 65000)
        self.cookie += 1
        rule.cookie = self.cookie
        if not self.malformed:
            rule.protocol = random.choice(list(PROTOCOLS) + [None] * 4)
        fields = PROTOCOLS[rule.protocol]
        some = ["dl_src", "dl_dst"] + fields + fields
        if table != 0:
            some += ["metadata", "reg0", "reg%d" % random.randrange(8)] * 2
        names = set(random.sample(some, min(len(some), random.choice([0, 1, 1, 2, 2, 3]))))
        if self.chance(0.35):
            names.add("in_port")
        if self.chance(0.35):
            self.vlan_match(rule)
        # In the order of FIELDS, so that a seed always makes the same.
        for field in FIELDS:
            if field in names:
                mask = self.mask(field)
                rule.match.append((field, self.value(field) & mask, mask))
        l4 = [term for term in rule.match if term[0].startswith(L4)]
        if not any(value for _, value, _ in l4):
            rule.match = [term for term in rule.match if term not in l4]
        is_ip = rule.protocol and KINDS[rule.protocol.split(",")[0]][0] in (0x0800, 0x86dd)
        if is_ip and self.chance(0.15):
            rule.frag = random.choice(["no", "yes", "first", "later", "not_later"])
        return rule

    def rule_for_the_rest(self, table):
        rule = Rule()
        rule.table = table
        self.cookie += 1
        rule.cookie = self.cookie
        return rule

    # --- Actions ---

    def writable(self, rule, tagged):
        fields = [field for field in PROTOCOLS[rule.protocol] if FIELDS[field][3]]
        if rule.protocol == "rarp":
            fields = []
        if rule.frag == "later":
            fields = [field for field in fields if field in IPV4 + IPV6]
        if self.later:
            fields = [field for field in fields if FIELDS[field][1] not in ("ipv4", "ipv6") and
                      not field.startswith("icmp")]
        if not self.nd_options:
            fields = [field for field in fields if field not in ("nd_sll", "nd_tll")]
        if self.routed:
            fields = [field for field in fields if field != "ipv6_src"]
        if not self.low_ttl:
            fields = [field for field in fields if field != "nw_ttl"]
        fields += ["dl_src", "dl_dst", "metadata", "reg%d" % self.random.randrange(8), "reg0"]
        if tagged == "tagged":
            fields += ["vlan_vid"] if self.openflow10 else ["vlan_vid", "vlan_pcp"]
        return fields

    def set_field(self, field):
        value, mask = self.value(field), self.mask(field)
        if field == "vlan_vid":
            return "set_field:%d->vlan_vid" % value
        if field.startswith("arp_op"):
            mask = 0xffff
        if self.openflow10 or not FIELDS[field][2] or self.chance(0.7):
            mask = (1 << FIELDS[field][0]) - 1
        return "set_field:%s->%s" % (text_masked(field, value, mask), field)

    @staticmethod
    def width(field):
        """Bits that can be moved: there, the VLAN ID has no CFI bit."""
        return 12 if field == "vlan_vid" else FIELDS[field][0]

    def run(self, field):
        """First and last of a run of bits of the field."""
        bits = self.width(field)
        if self.chance(0.3):
            return 0, bits - 1
        first = self.random.randrange(bits)
        return first, self.random.randrange(first, min(bits, first + 64))

    def load(self, field):
        first, last = self.run(field)
        last = min(last, first + 63)
        value = self.value(field) >> first & (1 << last - first + 1) - 1
        where = "[]" if (first, last) == (0, FIELDS[field][0] - 1) else "[%d..%d]" % (first, last)
        return "load:0x%x->%s%s" % (value, NXM[field], where)

    def move(self, rule, tagged, to):
        readable = self.writable(rule, tagged) + ["in_port"]
        source = self.random.choice(readable)
        first, last = self.run(to)
        width = min(last - first + 1, self.width(source))
        start = self.random.randrange(self.width(source) - width + 1)
        return "move:%s[%d..%d]->%s[%d..%d]" % (
            NXM[source], start, start + width - 1, NXM[to], first, first + width - 1)

    def shaping(self, rule, tagged):
        """One action that changes the packet: (text, what is known about its tag afterwards)."""
        random = self.random
        choice = random.randrange(12)
        is_ip = rule.protocol and KINDS[rule.protocol.split(",")[0]][0] in (0x0800, 0x86dd)
        knows = tagged == "tagged" if self.cuts else tagged is not None or self.openflow10
        if choice == 0 and not self.openflow10 and self.pushes and \
                rule.table == 0 and not rule.pushed:
            rule.pushed = True
            return "push_vlan:" + random.choice(["0x8100", "0x88a8"]), "tagged"
        if choice == 1 and (tagged == "tagged" or self.openflow10) and not self.cuts:
            return random.choice(["strip_vlan", "pop_vlan"]), None
        if choice == 2 and knows:
            return "mod_vlan_vid:%d" % random.choice(self.pools["vlan"]), "tagged"
        if choice == 3 and knows:
            return "mod_vlan_pcp:%d" % random.getrandbits(3), "tagged"
        if choice == 4 and is_ip and (rule.table == 0 or not self.low_ttl):
            return "dec_ttl", tagged
        if choice == 5:
            field = random.choice(["dl_src", "dl_dst"])
            return "mod_%s:%s" % (field, text(field, self.value(field))), tagged
        if choice == 6 and is_ip:
            if not self.later and KINDS[rule.protocol.split(",")[0]][0] == 0x0800:
                field = random.choice(["nw_src", "nw_dst"])
                return "mod_%s:%s" % (field, text(field, self.value(field))), tagged
            return "mod_nw_tos:%d" % (4 * random.getrandbits(6)), tagged
        if choice == 7 and rule.protocol and rule.protocol[:3] in ("tcp", "udp", "sct") and \
                rule.frag != "later":
            return "mod_tp_%s:%d" % (random.choice(["src", "dst"]), self.value("tcp_src")), tagged
        field = random.choice(self.writable(rule, tagged))
        if choice == 8 and field != "arp_op":
            return self.move(rule, tagged, field), tagged
        if choice in (9, 10) and not field.startswith("vlan") and field != "arp_op":
            return self.load(field), tagged
        return self.set_field(field), tagged

    def sending(self, table):
        random = self.random
        choice = random.randrange(20)
        if self.groups and self.groups.there and table != LAST_TABLE and self.chance(0.3):
            return "group:%d" % random.choice(list(self.groups.there))
        if self.cuts and self.chance(0.3):
            return "output(port=%d,max_len=%d)" % (
                random.randint(1, PORTS), random.choice([14, 60, random.randint(14, 1500)]))
        if self.chance(0.06):
            return random.choice(["controller", "controller:%d" % random.randint(14, 200),
                                  "controller(max_len=60,reason=no_match)"])
        later = [number for number in TABLES if number > table]
        if choice < 7:
            return "output:%d" % random.choice([1, 2, 3, 4, 5, 6, 6, 99])
        if choice < 12 and later:
            target = random.choice(later)
            port = str(random.randint(1, PORTS)) if self.chance(0.2) else ""
            return "resubmit(%s,%d)" % (port, target)
        if choice == 12:
            return "IN_PORT"
        if choice == 13:
            return random.choice(["ALL", "FLOOD"])
        if choice == 14:
            return "output:%s[]" % random.choice(["NXM_NX_REG0", "NXM_NX_REG1"])
        if choice >= 15 and self.with_normal:
            return "NORMAL"
        return "output:%d" % random.randint(1, PORTS)

    def actions(self, rule):
        random, words, tagged, resubmits = self.random, [], rule.vlan, 0
        rule.pushed = False
        if self.chance(0.04):
            return "drop"
        for _ in range(random.choice([1, 1, 2, 2, 3, 4, 6])):
            if self.chance(0.55):
                word, tagged = self.shaping(rule, tagged)
            else:
                word = self.sending(rule.table)
            if word.startswith("resubmit"):
                resubmits += 1
                tagged = None  # what the other table does to it is not known
                if resubmits > 2:
                    continue
            # Open vSwitch 3.1 ends with a failed assertion when a group is deleted that a flow
            # names twice.
            if word.startswith("group:") and word in words:
                continue
            words.append(word)
        last = self.sending(rule.table) if not resubmits or self.chance(0.5) else "output:1"
        words.append("output:2" if last in words else last)
        later = [number for number in TABLES if number > rule.table]
        if later and not self.openflow10 and self.chance(0.3):
            if self.chance(0.4):
                words.append("write_metadata:" + text_masked(
                    "metadata", self.value("metadata"), self.mask("metadata")))
            words.append("goto_table:%d" % random.choice(later))
        return ",".join(words)

    # --- Packets ---

    def packet(self, rules):
        random = self.random
        rule = random.choice(rules)
        if rule.protocol:
            kind = rule.protocol.split(",")[0]
        else:
            kind = random.choice(list(KINDS))
        packet = {field: self.value(field) for field in FIELDS}
        packet["kind"] = kind
        packet["in_port"] = random.randint(1, PORTS)
        packet["dl_src"] = random.choice(self.pools["mac"][:5 + self.chance(0.1)])
        packet["dl_type"] = random.choice([0x88cc, 0x9000, 0x0600])
        packet["nw_proto"] = random.choice([47, 50, 89])
        packet["nw_frag"] = random.choice(["no"] * 12 + ["first", "later"])
        packet["fragment_offset"] = random.choice([1, 185, 0x1fff])
        packet["dont_fragment"] = random.getrandbits(1)
        packet["snap"] = kind == "other" and self.chance(0.1)
        packet["ip_options"] = random.choice([0, 0, 0, 4, 12, 40])
        packet["tcp_options"] = random.choice([0, 0, 4, 12, 40])
        packet["extensions"] = []
        if self.chance(0.25):
            packet["extensions"] = random.choice(
                [[(0, 8)], [(60, 16)], [(0, 8), (60, 8)], [(43, 24)], [(0, 16), (43, 8)],
                 [(51, 16)]])
        packet["spoil"] = (random.randrange(80), random.randrange(256)) \
            if self.malformed and self.chance(0.3) else None
        packet["segments_left"] = random.randrange(2) if self.routed else 0
        packet["nd_options"] = random.choice(
            [[], [(1, self.value("nd_sll"))], [(2, self.value("nd_tll"))]])
        packet["padding"] = random.choice([0, 0, 1, 6, 18])
        size = random.randrange(40) if self.chance(0.95) else random.randrange(200, 1200)
        packet["payload"] = random.getrandbits(8 * size + 8).to_bytes(size + 1, "big")
        packet["zero_checksum"] = self.chance(0.08)
        packet["wrong_checksum"] = self.chance(0.04)
        tags = random.choice([0, 0, 0, 1, 1, 1 if self.with_normal or self.pushes or
                              (self.groups and self.groups.pushes) else 2])
        packet["tags"] = [[random.choice([0x8100, 0x8100, 0x8100, 0x88a8]),
                           random.choice(self.pools["vlan"]) | random.getrandbits(3) << 13]
                          for _ in range(tags)]
        self.follow(packet, rule)
        return packet

    def follow(self, packet, rule):
        """Give the packet what the rule asks for, mostly."""
        wrong = self.random.randrange(len(rule.match) + 1) if self.chance(0.15) else -1
        if rule.protocol and "=135" in rule.protocol:
            packet["icmpv6_type"], packet["icmpv6_code"] = 135, 0
        elif rule.protocol and "=136" in rule.protocol:
            packet["icmpv6_type"], packet["icmpv6_code"] = 136, 0
        for index, (field, value, mask) in enumerate(rule.match):
            if index != wrong:
                packet[field] = packet[field] & ~mask | value
        if self.nd_options:
            kind = 2 if packet["icmpv6_type"] == 136 else 1
            packet["nd_options"] = [(kind, self.value("nd_sll"))]
        for option, field in ((1, "nd_sll"), (2, "nd_tll")):
            if any(name == field for name, _, _ in rule.match):
                packet["nd_options"] = [(option, packet[field])]
        if packet["nw_frag"] == "later" and not self.later:
            packet["nw_frag"] = "no"
        if rule.frag and (self.later or rule.frag != "later"):
            packet["nw_frag"] = {"yes": "first", "not_later": "no"}.get(rule.frag, rule.frag)
        if packet["kind"].startswith("sctp") or \
                packet["kind"] in ("ip", "ipv6") and packet["nw_proto"] == 132:
            packet["zero_checksum"] = False
            if packet["nw_frag"] == "first":
                packet["nw_frag"] = "no"
        if rule.vlan == "untagged":
            packet["tags"] = []
        elif rule.vlan_bits:
            value, mask = rule.vlan_bits
            if not packet["tags"]:
                packet["tags"] = [[0x8100, self.random.choice(self.pools["vlan"])]]
            packet["tags"][0][1] = (packet["tags"][0][1] & ~mask | value) & 0xefff
