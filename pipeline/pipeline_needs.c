// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "pipeline/pipeline_private.h"

// How far frames have to be parsed: what the installed flows and groups ask for, counted.

// What these bits of a key need: its lines, and how far a frame has to be parsed for them.
static unsigned key_needs(const struct packet_key *bits)
{
	static const struct packet_key of_no_header = {
		.in_port = UINT16_MAX,
		.metadata = UINT64_MAX,
		.reg_low = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
		.reg_high = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
	};
	static const struct packet_key of_ethernet = {
		.dl_dst = {255, 255, 255, 255, 255, 255},
		.dl_src = {255, 255, 255, 255, 255, 255},
		.dl_type = UINT16_MAX,
		.vlan_tci = UINT16_MAX,
		.inner_tci = UINT16_MAX,
	};
	const uint64_t *words = (const uint64_t *)bits;
	const uint64_t *no_header = (const uint64_t *)&of_no_header;
	const uint64_t *ethernet = (const uint64_t *)&of_ethernet;
	unsigned needs = 1;

	for (unsigned w = 0; w < KEY_WORDS; w++) {
		if (words[w])
			needs |= 1u << (w / (KEY_LINE_SIZE / 8));
		if (words[w] & ~no_header[w])
			needs |= KEY_NEEDS_ETHERNET;
		if (words[w] & ~no_header[w] & ~ethernet[w])
			needs |= KEY_NEEDS_HEADERS;
	}
	return needs;
}

unsigned field_needs(enum field_id id)
{
	const struct field *field = field_get(id);
	struct field_value ones;
	struct packet_key bits = {0};

	memset(&ones, 0xff, sizeof(ones));
	field_write(field, &bits, &ones);
	return key_needs(&bits);
}

static unsigned action_needs(const struct action *action)
{
	switch (action->id) {
	case ACTION_NORMAL:
	case ACTION_PUSH_VLAN:
	case ACTION_STRIP_VLAN:
		return KEY_NEEDS_ETHERNET;
	case ACTION_DEC_TTL:
	case ACTION_METER: // may write the DSCP
		return KEY_NEEDS_ETHERNET | KEY_NEEDS_HEADERS;
	default:
		break;
	}
	switch (action_type_get(action->id)->form) {
	case ARG_FIELD_VALUE:
	case ARG_SET_FIELD:
	case ARG_LOAD:
	case ARG_METADATA:
		return field_needs(action->set.target.field);
	case ARG_MOVE:
		return field_needs(action->move.source.field) |
		       field_needs(action->move.target.field);
	case ARG_FIELD_OUTPUT:
		return field_needs(action->output.field);
	default:
		return 0;
	}
}

unsigned actions_needs(const struct action_list *actions)
{
	unsigned needs = 0;

	for (size_t i = 0; i < actions->count; i++)
		needs |= action_needs(&actions->items[i]);
	return needs;
}

unsigned flow_needs(const struct flow *flow)
{
	unsigned match = key_needs(&flow->match.mask);

	if (flow->table == 0 && match & (KEY_NEEDS_ETHERNET | KEY_NEEDS_HEADERS))
		match |= KEY_FIRST_MATCHES_FRAME;
	return match | actions_needs(&flow->actions);
}

void needs_count(struct pipeline *pipeline, unsigned needs, int by)
{
	unsigned in_use = 1;

	for (unsigned bit = 0; bit < KEY_NEEDS; bit++) {
		if (needs & 1u << bit)
			pipeline->users[bit] += by;
		if (pipeline->users[bit])
			in_use |= 1u << bit;
	}
	__atomic_store_n(&pipeline->needs, in_use, __ATOMIC_RELEASE);
}
