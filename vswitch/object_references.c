// SPDX-License-Identifier: Apache-2.0
#include "vswitch/object_references.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What an action names. False: nothing.
static bool action_reference(const struct action *action, enum flow_reference *kind, uint32_t *id)
{
	switch (action->id) {
	case ACTION_GROUP:
		*kind = FLOW_GROUP;
		*id = action->group;
		return true;
	case ACTION_METER:
		*kind = FLOW_METER;
		*id = action->meter;
		return true;
	default:
		return false;
	}
}

// Marks in objects are numbers of searches, so that nobody has to wipe them.
static unsigned new_search(void)
{
	static unsigned last;

	return ++last;
}

static unsigned mark_all(struct object *const *list, size_t length)
{
	unsigned search = new_search();

	for (size_t i = 0; i < length; i++)
		list[i]->search = search;
	return search;
}

// What an action names, if it is marked.
static struct object *marked_reference(
	const struct object_set *set, const struct action *action, unsigned search)
{
	enum flow_reference kind;
	struct object *object;
	uint32_t id;

	if (!action_reference(action, &kind, &id))
		return NULL;
	object = object_set_find(set, kind, id);
	return object && object->search == search ? object : NULL;
}

// --- What groups name ---

static bool bucket_names(const struct object_set *set, const struct bucket *bucket, unsigned search,
	struct object_naming *naming)
{
	const struct object *watched =
		bucket->watch_group == GROUP_NONE
			? NULL
			: object_set_find(set, FLOW_GROUP, bucket->watch_group);

	*naming = (struct object_naming){.bucket = bucket};
	if (watched && watched->search == search) {
		naming->named = watched;
		naming->watches = true;
		return true;
	}
	for (size_t i = 0; i < bucket->actions.count && !naming->named; i++)
		naming->named = marked_reference(set, &bucket->actions.items[i], search);
	return naming->named != NULL;
}

static bool group_names(const struct object_set *set, const struct object *group, unsigned search,
	struct object_naming *naming)
{
	const struct group *value = &group->value.group;

	for (size_t i = 0; i < value->count; i++) {
		if (bucket_names(set, &value->buckets[i], search, naming)) {
			naming->group = group;
			return true;
		}
	}
	return false;
}

bool objects_named(const struct object_set *set, struct object *const *list, size_t length,
	struct object_naming *naming)
{
	size_t count;
	struct object **groups = object_set_list(set, FLOW_GROUP, &count);
	unsigned search = mark_all(list, length);
	bool found = false;

	for (size_t i = 0; i < count && !found; i++)
		found = groups[i]->search != search && group_names(set, groups[i], search, naming);
	free(groups);
	return found;
}

// --- What is named and not there ---

struct missing_search {
	const struct object_set *set;
	struct object_missing *missing;
	bool found;
};

static bool is_missing(struct missing_search *search, enum flow_reference kind, uint32_t id)
{
	if (!search->found && !object_set_find(search->set, kind, id)) {
		search->found = true;
		search->missing->kind = kind;
		search->missing->id = id;
		return true;
	}
	return false;
}

static bool actions_missing(struct missing_search *search, const struct action_list *actions)
{
	enum flow_reference kind;
	uint32_t id;

	for (size_t i = 0; i < actions->count; i++) {
		if (action_reference(&actions->items[i], &kind, &id) &&
			is_missing(search, kind, id))
			return true;
	}
	return false;
}

static bool group_missing(struct missing_search *search, const struct group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct bucket *bucket = &group->buckets[i];

		if (actions_missing(search, &bucket->actions) ||
			(bucket->watch_group != GROUP_NONE &&
				is_missing(search, FLOW_GROUP, bucket->watch_group)))
			return true;
	}
	return false;
}

static void missing_entry(void *context, const struct flow_entry *entry)
{
	struct missing_search *search = context;

	if (!search->found && actions_missing(search, &entry->flow.actions))
		search->missing->flow = entry;
}

bool object_missing_find(
	const struct object_set *set, const struct flow_set *flows, struct object_missing *missing)
{
	struct missing_search search = {.set = set, .missing = missing};
	size_t count;
	struct object **groups = object_set_list(set, FLOW_GROUP, &count);

	*missing = (struct object_missing){0};
	for (size_t i = 0; i < count && !search.found; i++) {
		if (group_missing(&search, &groups[i]->value.group))
			missing->group = groups[i];
	}
	free(groups);
	flow_set_each(flows, missing_entry, &search);
	return search.found;
}

// --- Loops: breadth first, so that the way is a shortest one ---

struct search {
	const struct object_set *set;
	const struct object *start;
	unsigned number;       // of this search, in the objects that it has been to
	struct object **queue; // most groups lead nowhere, and need none
	size_t head;
	size_t tail;
	size_t room;
	bool failed;               // out of memory
	const struct object *last; // that leads back to the start
};

static bool queue_grow(struct search *search)
{
	size_t room = search->room ? search->room * 2 : 64;
	struct object **more = realloc(search->queue, room * sizeof(struct object *));

	search->failed = more == NULL;
	if (!more)
		return false;
	search->queue = more;
	search->room = room;
	return true;
}

static void search_visit(struct search *search, const struct object *from, uint32_t id)
{
	struct object *next;

	if (id == search->start->id) {
		search->last = search->last ? search->last : from;
		return;
	}
	next = object_set_find(search->set, FLOW_GROUP, id);
	if (!next || next->search == search->number)
		return;
	if (search->tail == search->room && !queue_grow(search))
		return;
	next->search = search->number;
	next->found_from = from;
	search->queue[search->tail++] = next;
}

static void search_from(struct search *search, const struct object *from)
{
	const struct group *group = &from->value.group;

	for (size_t i = 0; i < group->count; i++) {
		const struct bucket *bucket = &group->buckets[i];

		if (bucket->watch_group != GROUP_NONE)
			search_visit(search, from, bucket->watch_group);
		for (size_t k = 0; k < bucket->actions.count; k++) {
			if (bucket->actions.items[k].id == ACTION_GROUP)
				search_visit(search, from, bucket->actions.items[k].group);
		}
	}
}

#define STEPS_SHOWN 12

// The marks lead from the last group back to the start, the way is written in order. Of a long one
// the beginning is left out.
static void way_write(const struct search *search, uint32_t *first, char *way, size_t room)
{
	uint32_t steps[STEPS_SHOWN];
	size_t count = 0;
	bool cut = false;
	FILE *out = fmemopen(way, room, "w");

	*first = search->start->id;
	for (const struct object *at = search->last; at != search->start; at = at->found_from) {
		*first = at->id;
		cut = count == STEPS_SHOWN;
		if (!cut)
			steps[count++] = at->id;
	}
	way[0] = '\0';
	if (!out)
		return;
	fprintf(out, "%u%s", search->start->id, cut ? " -> ..." : "");
	while (count > 0)
		fprintf(out, " -> %u", steps[--count]);
	fprintf(out, " -> %u", search->start->id);
	fclose(out);
}

bool group_loop_find(const struct object_set *set, const struct object *group, uint32_t *first,
	char *way, size_t room)
{
	struct search search = {.set = set, .start = group, .number = new_search()};

	search_from(&search, group);
	while (!search.last && !search.failed && search.head < search.tail)
		search_from(&search, search.queue[search.head++]);
	*first = group->id;
	if (search.last)
		way_write(&search, first, way, room);
	else if (search.failed)
		snprintf(way, room, "out of memory");
	free(search.queue);
	return search.last || search.failed;
}

// --- What flows name ---

struct flow_search {
	const struct object_set *set;
	unsigned number; // of the objects that are looked for
	uint64_t *ids;
	size_t count;
	size_t room;
	bool failed;
};

static void count_entry(void *context, const struct flow_entry *entry)
{
	const struct flow_search *search = context;
	const struct action_list *actions = &entry->flow.actions;

	for (size_t i = 0; i < actions->count; i++) {
		enum flow_reference kind;
		struct object *object;
		uint32_t id;

		if (!action_reference(&actions->items[i], &kind, &id))
			continue;
		object = object_set_find(search->set, kind, id);
		// A flow that names it twice is one flow.
		if (!object || object->last_flow == entry)
			continue;
		object->last_flow = entry;
		object->flows++;
	}
}

void object_flows_count(const struct object_set *set, const struct flow_set *flows)
{
	struct flow_search search = {.set = set};

	for (int kind = 0; kind < OBJECT_KINDS; kind++) {
		size_t count;
		struct object **list = object_set_list(set, kind, &count);

		for (size_t i = 0; i < count; i++) {
			list[i]->flows = 0;
			list[i]->last_flow = NULL;
		}
		free(list);
	}
	flow_set_each(flows, count_entry, &search);
}

static void find_entry(void *context, const struct flow_entry *entry)
{
	struct flow_search *search = context;
	const struct action_list *actions = &entry->flow.actions;
	bool found = false;

	for (size_t i = 0; i < actions->count && !found; i++)
		found = marked_reference(search->set, &actions->items[i], search->number);
	if (!found || search->failed)
		return;
	if (search->count == search->room) {
		size_t room = search->room ? search->room * 2 : 64;
		uint64_t *more = realloc(search->ids, room * sizeof(*more));

		search->failed = more == NULL;
		if (!more)
			return;
		search->ids = more;
		search->room = room;
	}
	search->ids[search->count++] = entry->id;
}

uint64_t *object_flows_find(const struct object_set *set, const struct flow_set *flows,
	struct object *const *list, size_t length, size_t *count)
{
	struct flow_search search = {.set = set, .number = mark_all(list, length)};

	*count = 0;
	if (length > 0)
		flow_set_each(flows, find_entry, &search);
	if (search.failed) {
		free(search.ids);
		*count = SIZE_MAX;
		return NULL;
	}
	*count = search.count;
	return search.ids;
}
