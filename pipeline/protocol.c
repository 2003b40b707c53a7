// SPDX-License-Identifier: Apache-2.0

#include "pipeline/protocol.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/name_index.h"

#define TYPE_IPV4 0x0800
#define TYPE_ARP 0x0806
#define TYPE_RARP 0x8035
#define TYPE_IPV6 0x86dd

#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_ICMPV6 58
#define PROTO_SCTP 132

#define ICMPV6_SOLICIT 135
#define ICMPV6_ADVERT 136

#define COUNT(ARRAY) (sizeof(ARRAY) / sizeof((ARRAY)[0]))

// Those with a protocol first: shorthand_of() takes the first that fits.
static const struct shorthand shorthands[] = {
	{"icmp", "", TYPE_IPV4, PROTO_ICMP},
	{"tcp", "", TYPE_IPV4, PROTO_TCP},
	{"udp", "", TYPE_IPV4, PROTO_UDP},
	{"sctp", "", TYPE_IPV4, PROTO_SCTP},
	{"icmp6", "", TYPE_IPV6, PROTO_ICMPV6},
	{"tcp6", "", TYPE_IPV6, PROTO_TCP},
	{"udp6", "", TYPE_IPV6, PROTO_UDP},
	{"sctp6", "", TYPE_IPV6, PROTO_SCTP},
	{"ip", "ipv4", TYPE_IPV4, PROTOCOL_ANY},
	{"ipv6", "ip6", TYPE_IPV6, PROTOCOL_ANY},
	{"arp", "", TYPE_ARP, PROTOCOL_ANY},
	{"rarp", "", TYPE_RARP, PROTOCOL_ANY},
};

const struct shorthand *shorthand_get(size_t index)
{
	return index < COUNT(shorthands) ? &shorthands[index] : NULL;
}

static void shorthand_names_add(struct name_index *index)
{
	for (unsigned i = 0; i < COUNT(shorthands); i++) {
		name_index_add(index, shorthands[i].name, i);
		name_index_add(index, shorthands[i].aliases, i);
	}
}

static struct name_index shorthand_names = {.fill = shorthand_names_add};

const struct shorthand *shorthand_find(const char *name, size_t length)
{
	int row = name_index_find(&shorthand_names, name, length);

	return row < 0 ? NULL : &shorthands[row];
}

// --- What a match guarantees ---

static bool has_type(const struct match *match, uint16_t dl_type)
{
	return match->mask.dl_type == 0xffff && match->value.dl_type == htons(dl_type);
}

static bool has_ip(const struct match *match)
{
	return has_type(match, TYPE_IPV4) || has_type(match, TYPE_IPV6);
}

static bool has_proto(const struct match *match, uint8_t nw_proto)
{
	return match->mask.nw_proto == 0xff && match->value.nw_proto == nw_proto;
}

static bool has_transport(const struct match *match)
{
	return has_ip(match) && (has_proto(match, PROTO_TCP) || has_proto(match, PROTO_UDP) ||
					has_proto(match, PROTO_SCTP));
}

static bool has_icmpv6(const struct match *match)
{
	return has_type(match, TYPE_IPV6) && has_proto(match, PROTO_ICMPV6);
}

static bool has_nd(const struct match *match, uint16_t type)
{
	return has_icmpv6(match) && (match->mask.tp_src & htons(0xff)) == htons(0xff) &&
	       match->value.tp_src == htons(type);
}

// Any bit of a tag that has to be 1 excludes untagged packets, whose key is all zero.
static bool has_vlan(const struct match *match)
{
	return match->value.vlan_tci != 0;
}

bool prerequisite_met(const struct match *match, enum field_prerequisite needs)
{
	switch (needs) {
	case NEEDS_NOTHING:
		return true;
	case NEEDS_VLAN:
		return has_vlan(match);
	case NEEDS_IP:
		return has_ip(match);
	case NEEDS_IPV4:
		return has_type(match, TYPE_IPV4);
	case NEEDS_IPV6:
		return has_type(match, TYPE_IPV6);
	case NEEDS_ARP:
		return has_type(match, TYPE_ARP) || has_type(match, TYPE_RARP);
	case NEEDS_TCP:
		return has_ip(match) && has_proto(match, PROTO_TCP);
	case NEEDS_UDP:
		return has_ip(match) && has_proto(match, PROTO_UDP);
	case NEEDS_SCTP:
		return has_ip(match) && has_proto(match, PROTO_SCTP);
	case NEEDS_TRANSPORT:
		return has_transport(match);
	case NEEDS_ICMP:
		return has_type(match, TYPE_IPV4) && has_proto(match, PROTO_ICMP);
	case NEEDS_ICMPV6:
		return has_icmpv6(match);
	case NEEDS_ND:
		return has_nd(match, ICMPV6_SOLICIT) || has_nd(match, ICMPV6_ADVERT);
	case NEEDS_ND_SOLICIT:
		return has_nd(match, ICMPV6_SOLICIT);
	case NEEDS_ND_ADVERT:
		return has_nd(match, ICMPV6_ADVERT);
	}
	return false;
}

const struct shorthand *shorthand_of(const struct match *match)
{
	for (size_t i = 0; i < COUNT(shorthands); i++) {
		const struct shorthand *shorthand = &shorthands[i];

		if (has_type(match, shorthand->dl_type) &&
			(shorthand->nw_proto == PROTOCOL_ANY ||
				has_proto(match, shorthand->nw_proto)))
			return shorthand;
	}
	return NULL;
}

// --- What to say ---

static const struct {
	const char *name;
	const char *remedy;
	const char *other;
	unsigned depth;
} prerequisites[] = {
	[NEEDS_NOTHING] = {"nothing", "", NULL, 0},
	[NEEDS_VLAN] = {"a VLAN tag", "vlan_tci=0x1000/0x1000", NULL, 0},
	[NEEDS_IP] = {"ip or ipv6", "ip", "ipv6", 1},
	[NEEDS_IPV4] = {"ip", "ip", NULL, 1},
	[NEEDS_IPV6] = {"ipv6", "ipv6", NULL, 1},
	[NEEDS_ARP] = {"arp", "arp", NULL, 1},
	[NEEDS_TCP] = {"tcp", "tcp", NULL, 2},
	[NEEDS_UDP] = {"udp", "udp", NULL, 2},
	[NEEDS_SCTP] = {"sctp", "sctp", NULL, 2},
	[NEEDS_TRANSPORT] = {"tcp, udp or sctp", "tcp", "udp", 2},
	[NEEDS_ICMP] = {"icmp", "icmp", NULL, 2},
	[NEEDS_ICMPV6] = {"icmp6", "icmp6", NULL, 2},
	[NEEDS_ND] = {"icmp6,icmp_type=135 or 136", "icmp6,icmp_type=135", "icmp6,icmp_type=136",
		3},
	[NEEDS_ND_SOLICIT] = {"icmp6,icmp_type=135", "icmp6,icmp_type=135", NULL, 3},
	[NEEDS_ND_ADVERT] = {"icmp6,icmp_type=136", "icmp6,icmp_type=136", NULL, 3},
};

const char *prerequisite_name(enum field_prerequisite needs)
{
	return prerequisites[needs].name;
}

const char *prerequisite_remedy(enum field_prerequisite needs)
{
	return prerequisites[needs].remedy;
}

const char *prerequisite_other_remedy(enum field_prerequisite needs)
{
	return prerequisites[needs].other;
}

unsigned prerequisite_depth(enum field_prerequisite needs)
{
	return prerequisites[needs].depth;
}

// --- Names for several fields ---

static const struct field_family families[] = {
	{"nw_src ip_src", false, "a network protocol", 2, {FIELD_NW_SRC, FIELD_ARP_SPA}},
	{"nw_dst ip_dst", false, "a network protocol", 2, {FIELD_NW_DST, FIELD_ARP_TPA}},
	{"nw_proto ip_proto", false, "a network protocol", 2, {FIELD_NW_PROTO, FIELD_ARP_OP}},
	{"tp_src", true, "a transport protocol", 5,
		{FIELD_TCP_SRC, FIELD_UDP_SRC, FIELD_SCTP_SRC, FIELD_ICMP_TYPE, FIELD_ICMPV6_TYPE}},
	{"tp_dst", true, "a transport protocol", 5,
		{FIELD_TCP_DST, FIELD_UDP_DST, FIELD_SCTP_DST, FIELD_ICMP_CODE, FIELD_ICMPV6_CODE}},
	{"icmp_type", true, "icmp or icmp6", 2, {FIELD_ICMP_TYPE, FIELD_ICMPV6_TYPE}},
	{"icmp_code", true, "icmp or icmp6", 2, {FIELD_ICMP_CODE, FIELD_ICMPV6_CODE}},
};

const struct field_family *field_family_get(size_t index)
{
	return index < COUNT(families) ? &families[index] : NULL;
}

static void family_names_add(struct name_index *index)
{
	for (unsigned i = 0; i < COUNT(families); i++)
		name_index_add(index, families[i].names, i);
}

static struct name_index family_names = {.fill = family_names_add};

const struct field_family *field_family_find(const char *name, size_t length)
{
	int row = name_index_find(&family_names, name, length);

	return row < 0 ? NULL : &families[row];
}

const char *field_printed_name(const struct field *field)
{
	const char *name = field->name;

	// The last family that prints it: icmp_type is more than tp_src.
	for (size_t i = 0; i < COUNT(families); i++) {
		for (unsigned j = 0; families[i].printed && j < families[i].count; j++) {
			if (families[i].fields[j] == field->id)
				name = families[i].names;
		}
	}
	return name;
}
