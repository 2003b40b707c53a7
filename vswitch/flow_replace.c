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

// --- What is wanted, by place ---

// The numbers of wanted flows from 1 on, 0: free. Chains go on in the next slot.
struct places {
	uint32_t *slots;
	size_t mask;
};

static uint32_t *place_slot(const struct places *places, const struct flow_replacement *replacement,
	const struct flow *flow)
{
	for (size_t at = flow_place_hash(flow);; at++) {
		uint32_t *slot = &places->slots[at & places->mask];

		if (!*slot || flow_same_place(&replacement->wanted[*slot - 1].flow, flow))
			return slot;
	}
}

// Of two in the same place the later one is wanted, as if they were added in turn.
static bool places_make(struct places *places, const struct flow_replacement *replacement)
{
	size_t count = 16;

	while (count < 2 * replacement->count)
		count *= 2;
	places->slots =
		replacement->count < UINT32_MAX ? calloc(count, sizeof(*places->slots)) : NULL;
	places->mask = count - 1;
	for (size_t i = 0; places->slots && i < replacement->count; i++)
		*place_slot(places, replacement, &replacement->wanted[i].flow) = (uint32_t)i + 1;
	return places->slots;
}

// --- What is to be done ---

// For one place: what is wanted there and what is there; one of them may be NULL.
struct step {
	struct flow_request *wanted;
	const struct flow_entry *present;
};

struct plan {
	const struct flow_replacement *replacement;
	struct places places;
	struct step *steps;
	size_t count;
};

static const struct flow *step_flow(const struct step *step)
{
	return step->wanted ? &step->wanted->flow : &step->present->flow;
}

static int compare_steps(const void *a, const void *b)
{
	return compare_places(step_flow(a), step_flow(b));
}

static void plan_unwanted(void *context, const struct flow_entry *entry)
{
	struct plan *plan = context;

	if (!*place_slot(&plan->places, plan->replacement, &entry->flow))
		plan->steps[plan->count++] = (struct step){.present = entry};
}

// Does it matter what is added first?
static bool has_overlap_checks(const struct flow_replacement *replacement)
{
	for (size_t i = 0; i < replacement->count; i++) {
		if (replacement->wanted[i].flow.flags & FLOW_CHECK_OVERLAP)
			return true;
	}
	return false;
}

// False: out of memory.
static bool plan_make(struct plan *plan, const struct flow_set *set, bool sorted)
{
	const struct flow_replacement *replacement = plan->replacement;

	plan->steps = calloc(replacement->count + flow_set_count(set) + 1, sizeof(*plan->steps));
	if (!plan->steps || !places_make(&plan->places, replacement))
		return false;
	flow_set_each(set, plan_unwanted, plan);
	for (size_t i = 0; i < replacement->count; i++) {
		struct flow_request *wanted = &replacement->wanted[i];

		if (*place_slot(&plan->places, replacement, &wanted->flow) == i + 1)
			plan->steps[plan->count++] =
				(struct step){wanted, flow_set_find_place(set, &wanted->flow)};
	}
	if (sorted || has_overlap_checks(replacement))
		qsort(plan->steps, plan->count, sizeof(*plan->steps), compare_steps);
	return true;
}

static void plan_destroy(struct plan *plan)
{
	free(plan->places.slots);
	free(plan->steps);
}

// --- Doing it ---

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

// What the actions have nothing to do with. That counters are to be reset says nothing of a flow.
static bool is_same_entry(const struct flow *a, const struct flow *b)
{
	return a->idle_timeout == b->idle_timeout && a->hard_timeout == b->hard_timeout &&
	       a->cookie == b->cookie &&
	       ((a->flags ^ b->flags) & ~(unsigned)FLOW_RESET_COUNTS) == 0;
}

// A flow stands where one is wanted.
static void meet(struct walk *walk, struct flow_request *request, const struct flow_entry *entry)
{
	const struct flow *wanted = &request->flow;
	const struct flow *present = &entry->flow;
	bool same = is_same_entry(wanted, present);

	if (same && flow_equal(wanted, present)) {
		walk->kept++;
	} else if (same && !(wanted->flags & FLOW_RESET_COUNTS)) {
		walk->modified++;
		put(walk, request, FLOW_MODIFY_STRICT);
	} else {
		// A modify leaves timeouts as they are; adding replaces.
		walk->removed++;
		walk->added++;
		put(walk, request, FLOW_ADD);
	}
}

static void walk_steps(struct walk *walk, const struct plan *plan)
{
	for (size_t i = 0; i < plan->count && !walk->rc; i++) {
		const struct step *step = &plan->steps[i];

		if (!step->wanted) {
			take(walk, step->present);
		} else if (step->present) {
			meet(walk, step->wanted, step->present);
		} else {
			walk->added++;
			put(walk, step->wanted, FLOW_ADD);
		}
	}
}

json_t *flow_replacement_apply(struct flow_replacement *replacement, struct flow_owner *owner,
	const struct port_names *names, bool dry_run, struct rpc_error *error)
{
	struct walk walk = {.owner = owner, .names = names, .now_ms = clock_wall_ms()};
	struct plan plan = {.replacement = replacement};
	json_t *result;

	if (!plan_make(&plan, owner->set, dry_run)) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		plan_destroy(&plan);
		return NULL;
	}
	walk.changes = dry_run ? json_array() : NULL;
	walk_steps(&walk, &plan);
	plan_destroy(&plan);
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
