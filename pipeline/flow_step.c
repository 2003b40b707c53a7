// SPDX-License-Identifier: Apache-2.0
#include "pipeline/flow_step.h"

#include <string.h>

#include "pipeline/packet_write.h"

// Adds what the action writes, which changes keys only. False: it writes one word too many.
static bool add_write(struct flow_step *step, const struct action *action)
{
	enum field_id field = action->set.target.field;
	struct packet_key value = {0}, mask = {0};
	const uint64_t *values = (const uint64_t *)&value, *masks = (const uint64_t *)&mask;

	field_write(field_get(field), &value, &action->set.value);
	field_write(field_get(field), &mask, &action->set.mask);
	for (unsigned word = 0; word < KEY_WORDS; word++) {
		unsigned w = 0;

		if (masks[word] == 0)
			continue;
		while (w < step->count && step->words[w] != word)
			w++;
		if (w == FLOW_STEP_WRITES)
			return false;
		if (w == step->count) {
			step->count++;
			step->words[w] = (uint8_t)word;
			step->keep[w] = UINT64_MAX;
			step->bits[w] = 0;
		}
		step->keep[w] &= ~masks[word];
		step->bits[w] = (step->bits[w] & ~masks[word]) | values[word];
	}
	return true;
}

static bool writes_constant(const struct action *action)
{
	switch (action_type_get(action->id)->form) {
	case ARG_FIELD_VALUE:
	case ARG_SET_FIELD:
	case ARG_LOAD:
	case ARG_METADATA:
		return field_is_key_only(action->set.target.field);
	default:
		return false;
	}
}

struct flow_step flow_step_of(const struct action_list *actions)
{
	static const struct flow_step none = {.kind = STEP_NONE};
	struct flow_step step = none;
	const struct action *last;

	if (actions->count == 0)
		return none;
	last = &actions->items[actions->count - 1];
	if (last->id == ACTION_GOTO_TABLE) {
		step.kind = STEP_GOTO;
		step.table = last->table;
	} else if (last->id == ACTION_RESUBMIT && last->resubmit.port == OFPORT_IN_PORT) {
		step.kind = STEP_RESUBMIT;
		step.table = last->resubmit.table;
	} else {
		return none;
	}
	for (size_t i = 0; i + 1 < actions->count; i++) {
		const struct action *action = &actions->items[i];

		if (!writes_constant(action) || !add_write(&step, action))
			return none;
	}
	return step;
}
