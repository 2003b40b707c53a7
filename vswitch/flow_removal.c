// SPDX-License-Identifier: Apache-2.0
#include "vswitch/flow_removal.h"

#include <stdlib.h>

#include "vswitch/event_log.h"
#include "vswitch/flows.h"

struct flow_removal {
	uint64_t id;
	enum flow_removal_reason reason;
	bool counted;
	json_int_t packets;
	json_int_t bytes;
};

static int compare_removals(const void *a, const void *b)
{
	const struct flow_removal *x = a;
	const struct flow_removal *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

// Out of memory, the notification says "delete" and no counters.
static void removal_add(
	struct flow_removals *removals, uint64_t id, enum flow_removal_reason reason)
{
	if (removals->count == removals->room) {
		size_t room = removals->room ? removals->room * 2 : 16;
		struct flow_removal *more = realloc(removals->items, room * sizeof(*more));

		if (!more)
			return;
		removals->items = more;
		removals->room = room;
	}
	removals->items[removals->count++] = (struct flow_removal){.id = id, .reason = reason};
}

static void removals_sort(struct flow_removals *removals)
{
	if (removals->count)
		qsort(removals->items, removals->count, sizeof(*removals->items), compare_removals);
}

static struct flow_removal *removal_find(const struct flow_removals *removals, uint64_t id)
{
	struct flow_removal key = {.id = id};

	if (!removals->count)
		return NULL;
	return bsearch(&key, removals->items, removals->count, sizeof(key), compare_removals);
}

void flow_removals_clear(struct flow_removals *removals)
{
	free(removals->items);
	*removals = (struct flow_removals){0};
}

void flow_remove(struct flow_owner *owner, uint64_t id, enum flow_removal_reason reason)
{
	const struct flow_entry *entry = flow_set_find(owner->set, id);

	if (entry && (entry->flow.flags & FLOW_SEND_REMOVED))
		removal_add(&owner->removals, id, reason);
	flow_set_remove(owner->set, id);
}

// --- Counters ---

// Those that clients removed; the others are there.
static void collect_deleted(struct flow_owner *owner)
{
	const struct flow_change *changes;
	size_t count = flow_set_changes(owner->set, &changes);
	size_t before = owner->removals.count;

	removals_sort(&owner->removals);
	for (size_t i = 0; i < count; i++) {
		struct flow_removals known = {.items = owner->removals.items, .count = before};
		const struct flow_entry *entry = changes[i].entry;

		if (changes[i].kind == FLOW_REMOVED && (entry->flow.flags & FLOW_SEND_REMOVED) &&
			!removal_find(&known, entry->id))
			removal_add(&owner->removals, entry->id, REMOVAL_DELETE);
	}
	removals_sort(&owner->removals);
}

static void ask(struct vswitch *vs, struct flow_owner *owner)
{
	struct flow_removals *removals = &owner->removals;
	struct rpc_error ignored = {0};
	json_t *ids = json_array();
	json_t *list;
	size_t i;
	json_t *item;

	for (i = 0; i < removals->count; i++)
		json_array_append_new(ids, json_integer((json_int_t)removals->items[i].id));
	list = datapath_link_call(vs->link, "flow.stats",
		json_pack("{s:s, s:o}", "bridge", owner->name, "ids", ids), &ignored);
	json_array_foreach (list, i, item) {
		struct flow_removal *removal = removal_find(
			removals, (uint64_t)json_integer_value(json_array_get(item, 0)));

		if (!removal)
			continue;
		removal->counted = true;
		removal->packets = json_integer_value(json_array_get(item, 1));
		removal->bytes = json_integer_value(json_array_get(item, 2));
	}
	json_decref(list);
	rpc_error_clear(&ignored);
}

void flow_removals_count(struct vswitch *vs)
{
	if (!datapath_link_connected(vs->link))
		return;
	for (struct flow_owner *owner = vs->owners; owner; owner = owner->next) {
		if (!owner->changing || owner->added || owner->removed)
			continue;
		collect_deleted(owner);
		if (owner->removals.count)
			ask(vs, owner);
	}
}

// --- The notification ---

static json_t *describe(const struct flow_owner *owner, const struct flow_entry *entry)
{
	static const char *const reasons[] = {
		[REMOVAL_DELETE] = "delete",
		[REMOVAL_IDLE_TIMEOUT] = "idle_timeout",
		[REMOVAL_HARD_TIMEOUT] = "hard_timeout",
		[REMOVAL_GROUP_DELETE] = "group_delete",
		[REMOVAL_METER_DELETE] = "meter_delete",
	};
	const struct flow_removal *removal = removal_find(&owner->removals, entry->id);
	char *text = flow_format(&entry->flow, NULL);
	json_t *params = json_pack("{s:s, s:s, s:I, s:s}", "bridge", owner->name, "flow",
		text ? text : "", "duration_ms", (json_int_t)(clock_wall_ms() - entry->created_ms),
		"reason", reasons[removal ? removal->reason : REMOVAL_DELETE]);
	free(text);
	if (removal && removal->counted) {
		json_object_set_new(params, "packets", json_integer(removal->packets));
		json_object_set_new(params, "bytes", json_integer(removal->bytes));
	}
	return params;
}

static bool stage_owner(struct vswitch *vs, struct flow_owner *owner, struct rpc_error *error)
{
	const struct flow_change *changes;
	size_t count = flow_set_changes(owner->set, &changes);
	bool good = true;

	removals_sort(&owner->removals);
	for (size_t i = 0; i < count && good; i++) {
		if (changes[i].kind == FLOW_REMOVED &&
			(changes[i].entry->flow.flags & FLOW_SEND_REMOVED))
			good = event_log_stage(vs->events, "flow.removed",
				describe(owner, changes[i].entry), error);
	}
	return good;
}

bool flow_removals_stage(struct vswitch *vs, struct rpc_error *error)
{
	for (struct flow_owner *owner = vs->owners; owner; owner = owner->next) {
		if (owner->changing && !owner->removed && !stage_owner(vs, owner, error))
			return false;
	}
	return event_log_seal(vs->events, error);
}
