// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "tests/model/model_random.h"

// Random groups and meters in text.

// Groups of the first places may run several buckets, those behind them run one.
#define FANS 3

// The smallest, the largest, and some that share a chain of a hash of few bits.
static const uint32_t group_ids[MODEL_GROUPS + 1] = {
	0, 1, 0x1000, 7, 8, 0x8000, 77, 0xffffff00, 9 /* never there */};
static const uint32_t meter_ids[MODEL_METERS + 1] = {1, 0x1000, 0xffff0000, 2 /* never there */};

uint32_t model_group_id(unsigned place)
{
	return group_ids[place];
}

uint32_t model_meter_id(unsigned place)
{
	return meter_ids[place];
}

// A group that one at `place` may refer to.
static unsigned other_place(struct model_random *random, unsigned place)
{
	if (place >= FANS && model_once_in(random, 4))
		return FANS + model_below(random, MODEL_GROUPS - FANS);
	return place + 1 + model_below(random, MODEL_GROUPS - place);
}

void model_group_action(struct model_random *random, const struct model_scope *scope, char *text)
{
	unsigned place = scope->bucket_of < 0 ? model_below(random, MODEL_GROUPS + 1)
					      : other_place(random, (unsigned)scope->bucket_of);

	model_append(text, "group:%u", group_ids[place]);
}

void model_meter_action(struct model_random *random, char *text)
{
	unsigned place = model_below(random, 2 * MODEL_METERS + 1);

	model_append(text, "meter:%u", meter_ids[place < MODEL_METERS ? place : place / 2]);
}

// --- Groups ---

static void watch(struct model_random *random, unsigned place, bool *watches_group, char *text)
{
	unsigned choice = model_below(random, 4);

	if (choice != 0)
		model_append(
			text, ",watch_port:%u", 1 + model_below(random, MODEL_PORTS + choice / 3));
	// One in a group at most: trees of them would be endless work.
	if (choice > 1 || *watches_group)
		return;
	*watches_group = true;
	model_append(text, ",watch_group:%u", group_ids[other_place(random, place)]);
}

// Of several that could be chosen only `chosen` has a weight and may live.
static void weigh(
	struct model_random *random, unsigned place, bool chosen, bool *watches_group, char *text)
{
	if (!chosen && model_once_in(random, 2)) {
		model_append(text, ",watch_port:%u", MODEL_PORTS + 1);
		return;
	}
	model_append(text, ",weight:%u", chosen ? 1 + model_below(random, 300) : 0);
	if (model_once_in(random, 2))
		watch(random, place, watches_group, text);
}

static void bucket_actions(struct model_random *random, const struct model_scope *scope, char *text)
{
	char actions[MODEL_TEXT];
	struct model_match match;

	// Of any class, whatever the packets are; buckets go to no table.
	model_match(random, &match);
	match.table = MODEL_TABLES - 1;
	model_actions(random, &match, scope, actions);
	strcat(text, ",actions=");
	strcat(text, actions);
}

void model_group(
	struct model_random *random, unsigned place, const struct model_scope *scope, char *text)
{
	static const char *const types[] = {"all", "all", "indirect", "ff", "ff", "select"};
	const char *type =
		types[place < FANS ? model_below(random, 6) : 2 + model_below(random, 4)];
	struct model_scope inner = {scope->groups, scope->meters, (int)place};
	unsigned count = type[0] == 'i' ? 1 : model_below(random, MODEL_BUCKETS + 1);
	unsigned chosen = model_below(random, MODEL_BUCKETS), id = model_below(random, 3);
	bool watches_group = false;

	sprintf(text, "group_id=%u,type=%s", group_ids[place], type);
	if (type[0] == 's' && model_once_in(random, 2))
		strcat(text, ",selection_method=hash,fields(ip_dst,eth_src)");
	for (unsigned i = 0; i < count; i++, id += 1 + model_below(random, 2)) {
		char keys[MODEL_TEXT] = "";

		model_append(keys, ",bucket=bucket_id:%u", id);
		if (type[0] == 's')
			weigh(random, place, i == chosen, &watches_group, keys);
		else if (type[0] == 'f')
			watch(random, place, &watches_group, keys);
		strcat(text, keys);
		bucket_actions(random, &inner, text);
	}
}

// --- Meters ---

void model_meter(struct model_random *random, unsigned place, char *text)
{
	unsigned count = 1 + model_below(random, 3);
	unsigned rate = 1 + model_below(random, 1000);

	text[0] = 0;
	model_append(text, "meter=%u,%s,burst,bands=", meter_ids[place],
		model_once_in(random, 2) ? "kbps" : "pktps");
	for (unsigned i = 0; i < count; i++) {
		bool drop = model_once_in(random, 2);

		model_append(text, "%stype=%s,rate=%u,burst_size=%u", i ? "," : "",
			drop ? "drop" : "dscp_remark",
			model_once_in(random, 4) ? rate : 1 + model_below(random, 1000),
			1 + model_below(random, 9));
		if (!drop)
			model_append(text, ",prec_level=%u", 1 + model_below(random, 2));
	}
}
