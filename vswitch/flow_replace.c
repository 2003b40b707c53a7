// SPDX-License-Identifier: Apache-2.0
#include "vswitch/flow_replace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool flow_replacement_collect(void *context, struct flow_request *request, struct flow_error *error)
{
	struct flow_replacement *replacement = context;

	if (request->command != FLOW_ADD) {
		flow_error_set(error, FLOW_ERROR_SYNTAX, NULL,
			"a list of all flows has no modify and delete; leave the word out");
		flow_request_destroy(request);
		return false;
	}
	if (replacement->count == replacement->room) {
		size_t room = replacement->room ? replacement->room * 2 : 256;
		struct flow_request *more = realloc(replacement->wanted, room * sizeof(*more));

		if (!more) {
			flow_request_destroy(request);
			return false;
		}
		replacement->wanted = more;
		replacement->room = room;
	}
	replacement->wanted[replacement->count++] = *request;
	return true;
}

void flow_replacement_destroy(struct flow_replacement *replacement)
{
	for (size_t i = 0; i < replacement->count; i++)
		flow_request_destroy(&replacement->wanted[i]);
	free(replacement->wanted);
	*replacement = (struct flow_replacement){0};
}

static int compare_ranges(const struct port_range *a, const struct port_range *b)
{
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return a->last < b->last ? -1 : a->last > b->last;
}

static int compare_places(const struct flow *a, const struct flow *b)
{
	int order;

	if (a->table != b->table)
		return a->table < b->table ? -1 : 1;
	if (a->priority != b->priority)
		return a->priority > b->priority ? -1 : 1;
	order = match_compare(&a->match, &b->match);
	if (!order)
		order = compare_ranges(&a->match.tp_src, &b->match.tp_src);
	return order ? order : compare_ranges(&a->match.tp_dst, &b->match.tp_dst);
}

static int compare_wanted(const void *a, const void *b)
{
	const struct flow_request *x = *(struct flow_request *const *)a;
	const struct flow_request *y = *(struct flow_request *const *)b;
	int order = compare_places(&x->flow, &y->flow);

	// Of two in the same place the later one is wanted, as if they were added in turn.
	return order ? order : (x < y) - (x > y);
}

static int compare_present(const void *a, const void *b)
{
	return compare_places(&(*(const struct flow_entry *const *)a)->flow,
		&(*(const struct flow_entry *const *)b)->flow);
}

// One walk over both sides.
struct walk {
	struct flow_owner *owner;
	const struct port_names *names;
	json_t *changes; // NULL: do it
	int64_t now_ms;
	size_t added, removed, modified, kept;
	int rc;
	struct flow_error reason;
};

static void tell(struct walk *walk, const char *change, const struct flow *flow)
{
	char *text = flow_format(flow, walk->names);

	json_array_append_new(
		walk->changes, json_pack("{s:s, s:s}", "change", change, "flow", text ? text : ""));
	free(text);
}

static void put(struct walk *walk, struct flow_request *request, enum flow_command command)
{
	request->command = command;
	request->filter = (struct flow_filter){.out_port = OFPORT_NONE};
	if (walk->changes)
		tell(walk, command == FLOW_ADD ? "add" : "modify", &request->flow);
	else
		walk->rc = flow_set_apply(
			walk->owner->set, request, walk->now_ms, NULL, &walk->reason);
}

static void take(struct walk *walk, const struct flow_entry *entry)
{
	walk->removed++;
	if (walk->changes)
		tell(walk, "remove", &entry->flow);
	else
		flow_set_remove(walk->owner->set, entry->id);
}

// A flow stands where one is wanted.
static void meet(struct walk *walk, struct flow_request *request, const struct flow_entry *entry)
{
	const struct flow *wanted = &request->flow;
	const struct flow *present = &entry->flow;

	if (flow_equal(wanted, present)) {
		walk->kept++;
	} else if (wanted->idle_timeout == present->idle_timeout &&
		   wanted->hard_timeout == present->hard_timeout &&
		   wanted->flags == present->flags && wanted->cookie == present->cookie) {
		walk->modified++;
		put(walk, request, FLOW_MODIFY_STRICT);
	} else {
		// A modify leaves timeouts as they are; adding replaces.
		walk->removed++;
		walk->added++;
		put(walk, request, FLOW_ADD);
	}
}

static void walk_both(struct walk *walk, struct flow_request **wanted, size_t n_wanted,
	const struct flow_entry **present, size_t n_present)
{
	size_t w = 0;
	size_t p = 0;

	while (!walk->rc && (w < n_wanted || p < n_present)) {
		int order = w == n_wanted    ? 1
			    : p == n_present ? -1
					     : compare_places(&wanted[w]->flow, &present[p]->flow);

		if (order > 0) {
			take(walk, present[p++]);
			continue;
		}
		if (order < 0) {
			walk->added++;
			put(walk, wanted[w], FLOW_ADD);
		} else {
			meet(walk, wanted[w], present[p++]);
		}
		w++;
	}
}

// Sort what is wanted and leave one for each place. NULL: out of memory.
static struct flow_request **sort_wanted(struct flow_replacement *replacement, size_t *count)
{
	struct flow_request **wanted = calloc(replacement->count + 1, sizeof(*wanted));

	*count = 0;
	for (size_t i = 0; wanted && i < replacement->count; i++)
		wanted[i] = &replacement->wanted[i];
	if (wanted)
		qsort(wanted, replacement->count, sizeof(*wanted), compare_wanted);
	for (size_t i = 0; wanted && i < replacement->count; i++) {
		if (*count == 0 || compare_places(&wanted[*count - 1]->flow, &wanted[i]->flow) != 0)
			wanted[(*count)++] = wanted[i];
	}
	return wanted;
}

json_t *flow_replacement_apply(struct flow_replacement *replacement, struct flow_owner *owner,
	const struct port_names *names, bool dry_run, struct rpc_error *error)
{
	struct flow_request all = {
		.command = FLOW_DELETE, .filter = {.out_port = OFPORT_NONE, .any_table = true}};
	struct walk walk = {.owner = owner, .names = names, .now_ms = clock_wall_ms()};
	const struct flow_entry **present;
	struct flow_request **wanted;
	size_t n_present;
	size_t n_wanted;
	json_t *result;

	flow_init(&all.flow);
	present = flow_set_select(owner->set, &all, false, &n_present);
	wanted = sort_wanted(replacement, &n_wanted);
	if (n_present == SIZE_MAX || !wanted) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		free(present);
		free(wanted);
		return NULL;
	}
	if (n_present)
		qsort(present, n_present, sizeof(*present), compare_present);
	walk.changes = dry_run ? json_array() : NULL;
	walk_both(&walk, wanted, n_wanted, present, n_present);
	free(present);
	free(wanted);
	result = json_pack("{s:I, s:I, s:I, s:I}", "added", (json_int_t)walk.added, "removed",
		(json_int_t)walk.removed, "modified", (json_int_t)walk.modified, "kept",
		(json_int_t)walk.kept);
	if (walk.changes)
		json_object_set_new(result, "changes", walk.changes);
	if (walk.rc) {
		rpc_error_set(error, RPC_FLOW_ERROR, "%s",
			walk.rc == -ENOMEM ? "out of memory" : walk.reason.message);
		json_decref(result);
		result = NULL;
	}
	return result;
}
