// SPDX-License-Identifier: Apache-2.0
#include "tests/model/model_random.h"

#include "tests/model/model_values.h"
#include "tests/random.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// Random matches and actions in text.

void model_seed(struct model_random *random, uint64_t seed)
{
	random->state = seed * 0x9e3779b97f4a7c15ULL + 1;
	for (unsigned i = 0; i < 4; i++)
		model_bits(random);
}

uint64_t model_bits(struct model_random *random)
{
	return random_next(&random->state);
}

unsigned model_below(struct model_random *random, unsigned below)
{
	return (model_bits(random) >> 32) * below >> 32;
}

bool model_once_in(struct model_random *random, unsigned times)
{
	return model_below(random, times) == 0;
}

// --- Classes of flows ---

// Fields that go with what a flow matches, besides those that always do; -1 ends.
#define IP_FIELDS FIELD_IP_DSCP, FIELD_NW_TOS, FIELD_NW_ECN, FIELD_NW_TTL, FIELD_NW_FRAG
#define IPV4_FIELDS FIELD_NW_SRC, FIELD_NW_DST, IP_FIELDS
#define IPV6_FIELDS FIELD_IPV6_SRC, FIELD_IPV6_DST, FIELD_IPV6_LABEL, IP_FIELDS

static const struct class
{
	const char *text;
	bool ipv4, ip, transport;
	int fields[16];
} classes[] = {
	{"", false, false, false, {FIELD_DL_TYPE, -1}},
	{"ip", true, true, false, {IPV4_FIELDS, FIELD_NW_PROTO, -1}},
	{"ipv6", false, true, false, {IPV6_FIELDS, FIELD_NW_PROTO, -1}},
	{"tcp", true, true, true, {IPV4_FIELDS, FIELD_TCP_SRC, FIELD_TCP_DST, FIELD_TCP_FLAGS, -1}},
	{"tcp6", false, true, true,
		{IPV6_FIELDS, FIELD_TCP_SRC, FIELD_TCP_DST, FIELD_TCP_FLAGS, -1}},
	{"udp", true, true, true, {IPV4_FIELDS, FIELD_UDP_SRC, FIELD_UDP_DST, -1}},
	{"udp6", false, true, true, {IPV6_FIELDS, FIELD_UDP_SRC, FIELD_UDP_DST, -1}},
	{"sctp", true, true, true, {IPV4_FIELDS, FIELD_SCTP_SRC, FIELD_SCTP_DST, -1}},
	{"sctp6", false, true, true, {IPV6_FIELDS, FIELD_SCTP_SRC, FIELD_SCTP_DST, -1}},
	{"icmp", true, true, false, {IPV4_FIELDS, FIELD_ICMP_TYPE, FIELD_ICMP_CODE, -1}},
	{"icmp6", false, true, false, {IPV6_FIELDS, FIELD_ICMPV6_TYPE, FIELD_ICMPV6_CODE, -1}},
	{"icmp6,icmpv6_type=135", false, true, false,
		{FIELD_IPV6_SRC, FIELD_NW_TTL, FIELD_ICMPV6_TYPE, FIELD_ND_TARGET, FIELD_ND_SLL,
			FIELD_ND_SLL, -1}},
	{"icmp6,icmpv6_type=136", false, true, false,
		{FIELD_IPV6_SRC, FIELD_NW_TTL, FIELD_ICMPV6_CODE, FIELD_ND_TARGET, FIELD_ND_TLL,
			FIELD_ND_TLL, -1}},
	{"arp", false, false, false,
		{FIELD_ARP_OP, FIELD_ARP_SPA, FIELD_ARP_TPA, FIELD_ARP_SHA, FIELD_ARP_THA, -1}},
	{"rarp", false, false, false,
		{FIELD_ARP_OP, FIELD_ARP_SPA, FIELD_ARP_TPA, FIELD_ARP_SHA, FIELD_ARP_THA, -1}},
};

#define CLASSES (sizeof(classes) / sizeof(classes[0]))

// Of tags, one kind only, since two may contradict each other.
static const enum field_id always[] = {FIELD_METADATA, FIELD_REG0, FIELD_REG1, FIELD_REG5,
	FIELD_IN_PORT, FIELD_IN_PORT, FIELD_IN_PORT, FIELD_DL_SRC, FIELD_DL_DST};
static const enum field_id tag_fields[] = {
	FIELD_DL_VLAN, FIELD_DL_VLAN_PCP, FIELD_VLAN_VID, FIELD_VLAN_TCI};

static enum field_id field_of_class(struct model_random *random, unsigned class)
{
	unsigned count = 0;

	while (classes[class].fields[count] >= 0)
		count++;
	return classes[class].fields[model_below(random, count)];
}

static enum field_id any_field(struct model_random *random, unsigned class)
{
	switch (model_below(random, 8)) {
	case 0:
	case 1:
	case 4:
		return always[model_below(random, sizeof(always) / sizeof(always[0]))];
	case 2:
		return tag_fields[model_below(random, 4)];
	case 3:
		return FIELD_REG0 + model_below(random, 8);
	default:
		return field_of_class(random, class);
	}
}

// --- Matches ---

void model_append(char *text, const char *format, ...)
{
	size_t length = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + length, MODEL_TEXT - length, format, arguments);
	va_end(arguments);
}

static bool is_port(enum field_id id)
{
	return id == FIELD_TCP_SRC || id == FIELD_TCP_DST || id == FIELD_UDP_SRC ||
	       id == FIELD_UDP_DST || id == FIELD_SCTP_SRC || id == FIELD_SCTP_DST;
}

static void match_one(struct model_random *random, struct model_match *match, enum field_id id)
{
	const struct field *field = field_get(id);
	char value[128];

	if (is_port(id) && model_once_in(random, 4)) {
		unsigned first = (unsigned)model_value(random, id);

		model_append(match->text, ",%s=%u-%u", field->name, first,
			first + 1 + model_below(random, (65535 - first) / 3 + 1));
		match->ranges = true;
		return;
	}
	model_value_text(random, field, field->flags & FIELD_MASKABLE, value);
	model_append(match->text, ",%s=%s", field->name, value);
}

void model_match_all(unsigned table, struct model_match *match)
{
	memset(match, 0, sizeof(*match));
	match->table = table;
	model_append(match->text, "table=%u", table);
}

void model_match(struct model_random *random, struct model_match *match)
{
	static const unsigned counts[] = {0, 0, 0, 1, 1, 1, 2, 3};
	unsigned count = counts[model_below(random, 8)];
	bool used[FIELD_COUNT] = {0};
	bool tag_used = false;

	memset(match, 0, sizeof(*match));
	match->class = model_below(random, model_once_in(random, 3) ? 3 : CLASSES);
	match->table = model_once_in(random, 2) ? 0 : model_below(random, MODEL_TABLES);
	model_append(match->text, "table=%u", match->table);
	if (classes[match->class].text[0])
		model_append(match->text, ",%s", classes[match->class].text);
	while (count-- > 0) {
		enum field_id id = any_field(random, match->class);
		bool tag = id >= FIELD_DL_VLAN && id <= FIELD_VLAN_TCI;
		bool tos = id == FIELD_IP_DSCP || id == FIELD_NW_TOS;

		if (used[id] || (tag && tag_used))
			continue;
		match_one(random, match, id);
		used[id] = true;
		tag_used |= tag;
		// The same bits under two names.
		used[FIELD_IP_DSCP] |= tos;
		used[FIELD_NW_TOS] |= tos;
	}
}

// --- Actions ---

static void action_truncated(struct model_random *random, char *text)
{
	unsigned most = 14 + model_below(random, model_once_in(random, 2) ? 80 : 2000);

	if (model_once_in(random, 6))
		model_append(text, "output(port=in_port,max_len=%u)", most);
	else
		model_append(text, "output(port=%u,max_len=%u)",
			1 + model_below(random, MODEL_PORTS + 1), most);
}

static void action_controller(struct model_random *random, char *text)
{
	static const char *const reasons[] = {"action", "no_match", "invalid_ttl"};
	unsigned most = model_below(random, 200);

	switch (model_below(random, 3)) {
	case 0:
		model_append(text, "controller");
		break;
	case 1:
		model_append(text, "controller:%u", most);
		break;
	default:
		model_append(text, "controller(max_len=%u,reason=%s)", most,
			reasons[model_below(random, 3)]);
	}
}

static void action_output(struct model_random *random, char *text)
{
	static const char *const words[] = {
		"IN_PORT", "ALL", "FLOOD", "NORMAL", "NORMAL", "NORMAL"};

	switch (model_below(random, 9)) {
	case 0:
	case 1:
		model_append(text, "%s", words[model_below(random, 6)]);
		break;
	case 2:
		model_append(text, "output:reg%u[0..%u]", model_below(random, 8),
			model_below(random, 31) + 1);
		break;
	case 3:
		model_append(text, "output:%u", 1 + model_below(random, MODEL_PORTS + 2));
		break;
	case 4:
		action_truncated(random, text);
		break;
	default:
		model_append(text, "output:%u", 1 + model_below(random, MODEL_PORTS));
	}
}

static void action_set(struct model_random *random, const struct model_match *match, char *text)
{
	const struct field *field;
	char value[128];

	do
		field = field_get(any_field(random, match->class));
	while (!(field->flags & FIELD_WRITABLE));
	model_value_text(
		random, field, field->flags & FIELD_MASKABLE && model_once_in(random, 3), value);
	model_append(text, "set_field:%s->%s", value, field->name);
}

// A run of bits of the field, at most `limit` long; returns how long.
static unsigned random_bits(
	struct model_random *random, const struct field *field, unsigned limit, unsigned *first)
{
	unsigned count = field->n_bits < limit ? field->n_bits : limit;

	if (!model_once_in(random, 3))
		count = 1 + model_below(random, count);
	*first = model_below(random, field->n_bits - count + 1);
	return count;
}

static void action_load(struct model_random *random, const struct model_match *match, char *text)
{
	const struct field *field;
	unsigned first, count;
	uint64_t value;

	do
		field = field_get(any_field(random, match->class));
	while (!(field->flags & FIELD_WRITABLE));
	count = random_bits(random, field, 64, &first);
	value = model_once_in(random, 2) ? (uint64_t)model_value(random, field->id)
					 : model_bits(random);
	if (count < 64)
		value &= (1ull << count) - 1;
	model_append(text, "load:0x%llx->%s[%u..%u]", (unsigned long long)value, field->name, first,
		first + count - 1);
}

static void action_move(struct model_random *random, const struct model_match *match, char *text)
{
	const struct field *source = field_get(any_field(random, match->class));
	const struct field *target;
	unsigned from, to, count;

	do
		target = field_get(any_field(random, match->class));
	while (!(target->flags & FIELD_WRITABLE));
	count = random_bits(random, target, source->n_bits, &to);
	from = model_below(random, source->n_bits - count + 1);
	model_append(text, "move:%s[%u..%u]->%s[%u..%u]", source->name, from, from + count - 1,
		target->name, to, to + count - 1);
}

static void action_mod(struct model_random *random, const struct model_match *match, char *text)
{
	const struct class *class = &classes[match->class];
	static const struct {
		const char *name;
		enum field_id field;
		unsigned needs; // 1 IPv4, 2 IP, 3 transport
	} mods[] = {
		{"mod_dl_src", FIELD_DL_SRC, 0},
		{"mod_dl_dst", FIELD_DL_DST, 0},
		{"mod_nw_src", FIELD_NW_SRC, 1},
		{"mod_nw_dst", FIELD_NW_DST, 1},
		{"mod_tp_src", FIELD_TCP_SRC, 3},
		{"mod_tp_dst", FIELD_TCP_DST, 3},
		{"mod_nw_tos", FIELD_NW_TOS, 2},
		{"mod_nw_ttl", FIELD_NW_TTL, 2},
	};
	unsigned i;
	char value[128];

	do
		i = class->transport && model_once_in(random, 2) ? 4 + model_below(random, 2)
								 : model_below(random, 8);
	while ((mods[i].needs == 1 && !class->ipv4) || (mods[i].needs == 2 && !class->ip) ||
		(mods[i].needs == 3 && !class->transport));
	model_value_text(random, field_get(mods[i].field), false, value);
	model_append(text, "%s:%s", mods[i].name, value);
}

static void action_tag(struct model_random *random, char *text)
{
	switch (model_below(random, 5)) {
	case 0:
		model_append(text, "push_vlan:0x%s", model_once_in(random, 3) ? "88a8" : "8100");
		break;
	case 1:
		model_append(text, "mod_vlan_pcp:%u", model_below(random, 8));
		break;
	case 2:
	case 3:
		model_append(text, "strip_vlan");
		break;
	default:
		model_append(text, "mod_vlan_vid:%u", (unsigned)model_value(random, FIELD_DL_VLAN));
	}
}

static void action_resubmit(
	struct model_random *random, const struct model_match *match, char *text)
{
	unsigned table = match->table + 1 + model_below(random, MODEL_TABLES);

	// Backwards now and then, which may be a loop.
	if (table >= MODEL_TABLES && !model_once_in(random, 12))
		table = MODEL_TABLES - 1;
	table %= MODEL_TABLES;
	if (model_once_in(random, 2))
		model_append(
			text, "resubmit(%u,%u)", 1 + model_below(random, MODEL_PORTS + 1), table);
	else
		model_append(text, "resubmit(,%u)", table);
}

static void action(struct model_random *random, const struct model_match *match,
	const struct model_scope *scope, char *text)
{
	if (scope->groups && model_once_in(random, 6)) {
		model_group_action(random, scope, text);
		return;
	}
	if (scope->meters && model_once_in(random, 8)) {
		model_meter_action(random, text);
		return;
	}
	switch (model_below(random, 17)) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
		action_output(random, text);
		break;
	case 5:
	case 6:
		action_set(random, match, text);
		break;
	case 7:
		action_load(random, match, text);
		break;
	case 8:
		action_move(random, match, text);
		break;
	case 9:
	case 10:
		action_mod(random, match, text);
		break;
	case 11:
		action_tag(random, text);
		break;
	case 12:
		model_append(text, "write_metadata:0x%x/0x%x", model_below(random, 4), 3);
		break;
	case 13:
		model_append(text, classes[match->class].ip ? "dec_ttl" : "output:2");
		break;
	case 14:
		action_controller(random, text);
		break;
	default:
		// Groups that resubmit into groups that do are a lot of work.
		if (scope->bucket_of >= 0 && !model_once_in(random, 4))
			action_output(random, text);
		else
			action_resubmit(random, match, text);
	}
}

void model_actions(struct model_random *random, const struct model_match *match,
	const struct model_scope *scope, char *text)
{
	unsigned count = 1 + model_below(random, model_once_in(random, 2) ? 2 : 6);

	text[0] = 0;
	if (model_once_in(random, 16)) {
		model_append(text, model_once_in(random, 2) || scope->bucket_of >= 0 ? "drop" : "");
		return;
	}
	if (model_once_in(random, 24)) {
		action_controller(random, text);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		model_append(text, i ? "," : "");
		action(random, match, scope, text);
	}
	if (!model_once_in(random, 3)) {
		model_append(text, ",");
		if (scope->groups && model_once_in(random, 3))
			model_group_action(random, scope, text);
		else
			action_output(random, text);
	}
	if (match->table + 1 < MODEL_TABLES && model_once_in(random, 3))
		model_append(text, ",goto_table:%u",
			match->table + 1 + model_below(random, MODEL_TABLES - match->table - 1));
}
