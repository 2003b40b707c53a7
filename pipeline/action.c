// SPDX-License-Identifier: Apache-2.0

#include "pipeline/action.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/name_index.h"
#include "pipeline/name_search.h"

#define ACTION(ID, NAME, ALIASES, FORM, WRITTEN, NEEDS, RUN, HELP) \
	bool RUN(struct execution *execution, const struct action *action);
#include "pipeline/actions.def"
#undef ACTION

const struct action_type action_types[ACTION_COUNT] = {
#define ACTION(ID, NAME, ALIASES, FORM, WRITTEN, NEEDS, RUN, HELP) \
	[ACTION_##ID] = {ACTION_##ID, NAME, ALIASES, FORM, WRITTEN, NEEDS, RUN, HELP},
#include "pipeline/actions.def"
#undef ACTION
};

static void names_add(struct name_index *index)
{
	for (unsigned i = 0; i < ACTION_COUNT; i++) {
		name_index_add(index, action_types[i].name, i);
		name_index_add(index, action_types[i].aliases, i);
	}
}

static struct name_index row_names = {.fill = names_add, .any_case = true};

const struct action_type *action_type_find(const char *name, size_t length)
{
	int row = name_index_find(&row_names, name, length);

	return row < 0 ? NULL : &action_types[row];
}

const char *action_type_written_name(const struct action_type *type)
{
	bool output = type->form == ARG_FIELD_OUTPUT || type->form == ARG_PORT_TRUNCATED;

	return output ? action_types[ACTION_OUTPUT].name : type->name;
}

const char *packet_in_reason_name(enum packet_in_reason reason)
{
	static const char *const names[] = {
		[PACKET_IN_ACTION] = "action",
		[PACKET_IN_NO_MATCH] = "no_match",
		[PACKET_IN_INVALID_TTL] = "invalid_ttl",
	};

	return names[reason];
}

const char *action_suggest(const char *name, size_t length)
{
	struct name_guess guess = name_guess_start(name, length);

	for (size_t i = 0; i < ACTION_COUNT; i++)
		name_guess_try(&guess, action_types[i].name, action_types[i].aliases);
	return guess.best;
}

int action_list_copy(struct action_list *copy, const struct action_list *list)
{
	*copy = (struct action_list){0};
	if (list->count == 0)
		return 0;
	copy->items = calloc(list->count, sizeof(*copy->items));
	if (!copy->items)
		return -ENOMEM;
	memcpy(copy->items, list->items, list->count * sizeof(*copy->items));
	copy->count = list->count;
	return 0;
}

static bool subfield_equal(const struct subfield *a, const struct subfield *b)
{
	return a->field == b->field && a->first_bit == b->first_bit && a->n_bits == b->n_bits;
}

// By form, because the rest of the union is nobody's.
static bool action_equal(const struct action *a, const struct action *b)
{
	if (a->id != b->id)
		return false;
	switch (action_types[a->id].form) {
	case ARG_NONE:
		return true;
	case ARG_PORT:
		return a->port == b->port;
	case ARG_TABLE:
		return a->table == b->table;
	case ARG_ETHERTYPE:
		return a->ethertype == b->ethertype;
	case ARG_RESUBMIT:
		return a->resubmit.port == b->resubmit.port &&
		       a->resubmit.table == b->resubmit.table;
	case ARG_FIELD_VALUE:
	case ARG_SET_FIELD:
	case ARG_LOAD:
	case ARG_METADATA:
		return subfield_equal(&a->set.target, &b->set.target) &&
		       memcmp(&a->set.value, &b->set.value, sizeof(a->set.value)) == 0 &&
		       memcmp(&a->set.mask, &b->set.mask, sizeof(a->set.mask)) == 0;
	case ARG_MOVE:
		return subfield_equal(&a->move.source, &b->move.source) &&
		       subfield_equal(&a->move.target, &b->move.target);
	case ARG_FIELD_OUTPUT:
		return subfield_equal(&a->output, &b->output);
	case ARG_PORT_TRUNCATED:
		return a->truncated.port == b->truncated.port &&
		       a->truncated.max_len == b->truncated.max_len;
	case ARG_CONTROLLER:
		return a->controller.max_len == b->controller.max_len &&
		       a->controller.reason == b->controller.reason;
	case ARG_GROUP:
		return a->group == b->group;
	case ARG_METER:
		return a->meter == b->meter;
	}
	return false;
}

bool action_list_equal(const struct action_list *a, const struct action_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (!action_equal(&a->items[i], &b->items[i]))
			return false;
	}
	return true;
}

void action_list_destroy(struct action_list *list)
{
	if (!list)
		return;
	free(list->items);
	*list = (struct action_list){0};
}
