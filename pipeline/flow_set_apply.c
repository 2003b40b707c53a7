// SPDX-License-Identifier: Apache-2.0
// Flow sets: which flows a request is about, and applying it; see flow_set.h.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_set_private.h"

// --- Selecting ---

static bool filter_passes(const struct flow_filter *filter, const struct flow *flow)
{
	if (((flow->cookie ^ filter->cookie) & filter->cookie_mask) != 0)
		return false;
	return filter->out_port == OFPORT_NONE || flow_outputs_to(flow, filter->out_port);
}

static bool request_covers(const struct flow_request *request, const struct set_entry *entry)
{
	const struct flow *flow = &entry->public.flow;

	return !entry->is_removed &&
	       (request->filter.any_table || request->flow.table == flow->table) &&
	       filter_passes(&request->filter, flow) &&
	       match_covers(&request->flow.match, &flow->match);
}

// Calls `fn` for each entry that the request is about. Stops at the first error and returns it.
static int request_each(struct flow_set *set, const struct flow_request *request, bool strict,
	int (*fn)(struct flow_set *set, struct set_entry *entry, void *context), void *context)
{
	struct set_entry *entry, *after;
	int error = 0;

	if (strict) {
		struct flow place = request->flow; // owns nothing
		unsigned first = request->filter.any_table ? 0 : place.table;
		unsigned last = request->filter.any_table ? FLOW_MAX_TABLE : place.table;

		for (unsigned table = first; table <= last && error == 0; table++) {
			place.table = (uint8_t)table;
			entry = flow_set_place_find(set, &place);
			if (entry && filter_passes(&request->filter, &entry->public.flow))
				error = fn(set, entry, context);
		}
		return error;
	}
	for (entry = TAILQ_FIRST(&set->all); entry && error == 0; entry = after) {
		after = TAILQ_NEXT(entry, all);
		if (request_covers(request, entry))
			error = fn(set, entry, context);
	}
	return error;
}

void flow_set_each(const struct flow_set *set,
	void (*use)(void *context, const struct flow_entry *entry), void *context)
{
	const struct set_entry *entry;

	TAILQ_FOREACH (entry, &set->all, all) {
		if (!entry->is_removed)
			use(context, &entry->public);
	}
}

struct selection {
	const struct flow_entry **entries;
	size_t count;
	size_t space;
};

static int select_one(struct flow_set *set, struct set_entry *entry, void *context)
{
	struct selection *selection = context;

	(void)set;
	if (selection->count == selection->space) {
		size_t space = selection->space ? selection->space * 2 : 16;
		const struct flow_entry **entries =
			realloc(selection->entries, space * sizeof *entries);

		if (!entries)
			return -ENOMEM;
		selection->entries = entries;
		selection->space = space;
	}
	selection->entries[selection->count++] = &entry->public;
	return 0;
}

static int dump_order(const void *a, const void *b)
{
	const struct flow *x = &(*(const struct flow_entry *const *)a)->flow;
	const struct flow *y = &(*(const struct flow_entry *const *)b)->flow;

	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	return match_compare(&x->match, &y->match);
}

const struct flow_entry **flow_set_select(
	const struct flow_set *set, const struct flow_request *request, bool strict, size_t *count)
{
	struct selection selection = {0};

	// select_one() changes nothing.
	if (request_each((struct flow_set *)set, request, strict, select_one, &selection) != 0) {
		free(selection.entries);
		*count = SIZE_MAX;
		return NULL;
	}
	*count = selection.count;
	if (selection.count > 0)
		qsort(selection.entries, selection.count, sizeof *selection.entries, dump_order);
	return selection.entries;
}

// --- Requests ---

static const struct set_entry *overlap_find(const struct flow_set *set, const struct flow *flow)
{
	const struct set_entry *entry;

	TAILQ_FOREACH (entry, &set->all, all) {
		const struct flow *other = &entry->public.flow;

		if (!entry->is_removed && other->table == flow->table &&
			other->priority == flow->priority &&
			match_overlaps(&other->match, &flow->match))
			return entry;
	}
	return NULL;
}

static int overlap_refuse(
	const struct set_entry *other, const struct flow *flow, struct flow_error *error)
{
	char *text = match_format(&other->public.flow.match, flow->priority, NULL);

	if (!text)
		return -ENOMEM;
	flow_error_set(error, FLOW_ERROR_OVERLAP, "check_overlap",
		"overlaps in table %u with the flow \"%s\" of the same priority; give it "
		"another priority, or leave out check_overlap",
		flow->table, text);
	free(text);
	return -EINVAL;
}

// As in Open vSwitch, a flow may replace one of the same place in spite of check_overlap.
static int request_add(
	struct flow_set *set, struct flow *flow, int64_t now_ms, struct flow_error *error)
{
	struct set_entry *old = flow_set_place_find(set, flow);

	if (!old && (flow->flags & FLOW_CHECK_OVERLAP)) {
		const struct set_entry *other = overlap_find(set, flow);

		if (other)
			return overlap_refuse(other, flow, error);
	}
	if (old && flow_set_entry_remove(set, old) != 0)
		return -ENOMEM;
	return flow_set_entry_add(set, flow, now_ms);
}

struct apply {
	const struct flow_request *request;
	int64_t now_ms;
	size_t affected;
};

static int modify_one(struct flow_set *set, struct set_entry *entry, void *context)
{
	struct apply *apply = context;

	apply->affected++;
	return flow_set_entry_modify(set, entry, apply->request, apply->now_ms);
}

static int delete_one(struct flow_set *set, struct set_entry *entry, void *context)
{
	struct apply *apply = context;

	apply->affected++;
	return flow_set_entry_remove(set, entry);
}

int flow_set_apply(struct flow_set *set, struct flow_request *request, int64_t now_ms,
	size_t *affected, struct flow_error *error)
{
	struct apply apply = {request, now_ms, 0};
	int result = 0;

	switch (request->command) {
	case FLOW_ADD:
		result = request_add(set, &request->flow, now_ms, error);
		apply.affected = result == 0;
		break;
	case FLOW_MODIFY:
	case FLOW_MODIFY_STRICT:
		result = request_each(
			set, request, request->command == FLOW_MODIFY_STRICT, modify_one, &apply);
		break;
	case FLOW_DELETE:
	case FLOW_DELETE_STRICT:
		result = request_each(
			set, request, request->command == FLOW_DELETE_STRICT, delete_one, &apply);
		break;
	}
	flow_destroy(&request->flow);
	flow_init(&request->flow);
	if (affected)
		*affected = apply.affected;
	return result;
}
