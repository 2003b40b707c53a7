// SPDX-License-Identifier: Apache-2.0
// Flow sets: entries and transactions; see flow_set.h and flow_set_private.h.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_set_private.h"

#define BUCKETS_MIN 64

// --- Finding ---

static uint64_t mix(uint64_t sum, uint64_t word)
{
	unsigned __int128 product = (unsigned __int128)(sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t flow_place_hash(const struct flow *flow)
{
	const struct match *match = &flow->match;
	const uint64_t *values = (const uint64_t *)&match->value;
	const uint64_t *masks = (const uint64_t *)&match->mask;
	uint64_t sum =
		mix((uint64_t)flow->table << 16 | flow->priority, UINT64_C(0xd1b54a32d192ed03));

	sum = mix(sum, (uint64_t)match->tp_src.first << 48 | (uint64_t)match->tp_src.last << 32 |
			       (uint64_t)match->tp_dst.first << 16 | match->tp_dst.last);
	for (unsigned w = 0; w < KEY_WORDS; w++) {
		// Most words are not matched on.
		if (masks[w])
			sum = mix(mix(sum + w, masks[w]), values[w] + UINT64_C(0x8cb92ba72f3d8dd7));
	}
	return sum;
}

static struct set_entry **id_slot(const struct flow_set *set, uint64_t id)
{
	struct set_entry **slot =
		&set->by_id[mix(id, UINT64_C(0xa0761d6478bd642f)) & (set->n_buckets - 1)];

	while (*slot && (*slot)->public.id != id)
		slot = &(*slot)->next_by_id;
	return slot;
}

struct set_entry *flow_set_place_find(const struct flow_set *set, const struct flow *flow)
{
	uint64_t hash = flow_place_hash(flow);
	struct set_entry *entry = set->by_place[hash & (set->n_buckets - 1)];

	while (entry && (entry->place_hash != hash || !flow_same_place(&entry->public.flow, flow)))
		entry = entry->next_by_place;
	return entry;
}

static void entry_link(struct flow_set *set, struct set_entry *entry)
{
	struct set_entry **by_id = &set->by_id[mix(entry->public.id, UINT64_C(0xa0761d6478bd642f)) &
					       (set->n_buckets - 1)];
	struct set_entry **by_place = &set->by_place[entry->place_hash & (set->n_buckets - 1)];

	entry->next_by_id = *by_id;
	*by_id = entry;
	entry->next_by_place = *by_place;
	*by_place = entry;
}

static void entry_unlink(struct flow_set *set, struct set_entry *entry)
{
	struct set_entry **slot = id_slot(set, entry->public.id);

	*slot = entry->next_by_id;
	slot = &set->by_place[entry->place_hash & (set->n_buckets - 1)];
	while (*slot != entry)
		slot = &(*slot)->next_by_place;
	*slot = entry->next_by_place;
}

// Not having memory for more buckets only makes chains longer.
static void buckets_grow(struct flow_set *set)
{
	size_t n_buckets = set->n_buckets * 2;
	struct set_entry **by_id = calloc(n_buckets, sizeof *by_id);
	struct set_entry **by_place = calloc(n_buckets, sizeof *by_place);
	struct set_entry *entry;

	if (!by_id || !by_place) {
		free(by_id);
		free(by_place);
		return;
	}
	free(set->by_id);
	free(set->by_place);
	set->by_id = by_id;
	set->by_place = by_place;
	set->n_buckets = n_buckets;
	TAILQ_FOREACH (entry, &set->all, all) {
		if (!entry->is_removed)
			entry_link(set, entry);
	}
}

// --- Entries ---

static void contents_free(struct contents *contents)
{
	if (contents)
		action_list_destroy(&contents->actions);
	free(contents);
}

static void entry_free(struct flow_set *set, struct set_entry *entry)
{
	if (entry->mask)
		lookup_budget_leave(set->budget, entry->public.flow.table, entry->mask);
	contents_free(entry->before);
	flow_destroy(&entry->public.flow);
	free(entry);
}

static void entry_count(struct flow_set *set, const struct set_entry *entry, int change)
{
	set->count += (size_t)change;
	set->table_counts[entry->public.flow.table] += (size_t)change;
	lookup_budget_count(set->budget, entry->public.flow.table, entry->mask,
		change * (long)entry->rules);
}

// Takes over the contents of `flow`, unless there is no memory.
static struct set_entry *entry_insert(
	struct flow_set *set, uint64_t id, struct flow *flow, int64_t now_ms)
{
	struct set_entry *entry = aligned_alloc(_Alignof(struct set_entry), sizeof *entry);

	if (!entry)
		return NULL;
	memset(entry, 0, sizeof *entry);
	entry->mask = lookup_budget_enter(set->budget, flow->table, &flow->match);
	if (!entry->mask) {
		free(entry);
		return NULL;
	}
	entry->rules = (uint32_t)match_expand(&flow->match, NULL, 0);
	entry->public.id = id;
	entry->public.flow = *flow;
	entry->public.flow.flags &= ~(unsigned)FLOW_RESET_COUNTS; // a new flow has none
	entry->public.created_ms = entry->public.modified_ms = now_ms;
	entry->place_hash = flow_place_hash(flow);
	flow_init(flow);
	if (set->count >= set->n_buckets)
		buckets_grow(set);
	TAILQ_INSERT_TAIL(&set->all, entry, all);
	entry_link(set, entry);
	entry_count(set, entry, 1);
	if (id >= set->next_id)
		set->next_id = id + 1;
	return entry;
}

static int touch_reserve(struct flow_set *set)
{
	size_t space = set->changes_space ? set->changes_space * 2 : 16;
	struct flow_change *changes;

	set->changes_are_listed = false;
	if (set->n_touched < set->changes_space)
		return 0;
	changes = realloc(set->changes, space * sizeof *changes);
	if (!changes)
		return -ENOMEM;
	set->changes = changes;
	set->changes_space = space;
	return 0;
}

// After touch_reserve(), which comes before every change.
static void touch(struct flow_set *set, struct set_entry *entry)
{
	if (entry->is_touched)
		return;
	entry->is_touched = true;
	TAILQ_INSERT_TAIL(&set->touched, entry, touched);
	set->n_touched++;
}

static void contents_restore(struct set_entry *entry)
{
	struct flow *flow = &entry->public.flow;

	if (!entry->before)
		return;
	action_list_destroy(&flow->actions);
	flow->actions = entry->before->actions;
	flow->cookie = entry->before->cookie;
	flow->flags = entry->before->flags;
	entry->public.modified_ms = entry->before->modified_ms;
	free(entry->before);
	entry->before = NULL;
}

int flow_set_entry_remove(struct flow_set *set, struct set_entry *entry)
{
	if (touch_reserve(set) != 0)
		return -ENOMEM;
	touch(set, entry);
	entry_unlink(set, entry);
	entry_count(set, entry, -1);
	entry->is_removed = true;
	contents_restore(entry); // what is removed is what was there before
	return 0;
}

int flow_set_entry_add(struct flow_set *set, struct flow *flow, int64_t now_ms)
{
	struct set_entry *entry;

	if (touch_reserve(set) != 0)
		return -ENOMEM;
	entry = entry_insert(set, set->next_id, flow, now_ms);
	if (!entry)
		return -ENOMEM;
	entry->is_added = true;
	touch(set, entry);
	return 0;
}

static int contents_save(struct set_entry *entry)
{
	struct flow *flow = &entry->public.flow;

	if (entry->is_added || entry->before)
		return 0;
	entry->before = malloc(sizeof *entry->before);
	if (!entry->before)
		return -ENOMEM;
	entry->before->cookie = flow->cookie;
	entry->before->flags = flow->flags;
	entry->before->modified_ms = entry->public.modified_ms;
	if (action_list_copy(&entry->before->actions, &flow->actions) != 0) {
		free(entry->before);
		entry->before = NULL;
		return -ENOMEM;
	}
	return 0;
}

int flow_set_entry_modify(struct flow_set *set, struct set_entry *entry,
	const struct flow_request *request, int64_t now_ms)
{
	const struct flow *from = &request->flow;
	struct flow *flow = &entry->public.flow;
	struct action_list actions;

	if (touch_reserve(set) != 0 || action_list_copy(&actions, &from->actions) != 0)
		return -ENOMEM;
	if (contents_save(entry) != 0) {
		action_list_destroy(&actions);
		return -ENOMEM;
	}
	touch(set, entry);
	action_list_destroy(&flow->actions);
	flow->actions = actions;
	if (request->sets_cookie)
		flow->cookie = from->cookie;
	flow->flags |= from->flags & FLOW_RESET_COUNTS;
	entry->public.modified_ms = now_ms;
	return 0;
}

// --- Transactions ---

int flow_set_remove(struct flow_set *set, uint64_t id)
{
	struct set_entry *entry = *id_slot(set, id);

	return entry ? flow_set_entry_remove(set, entry) : -ENOENT;
}

static bool entry_is_changed(const struct set_entry *entry)
{
	const struct flow *flow = &entry->public.flow;

	if (entry->is_added || entry->is_removed)
		return !(entry->is_added && entry->is_removed);
	return entry->before &&
	       (flow->cookie != entry->before->cookie || flow->flags != entry->before->flags ||
		       (flow->flags & FLOW_RESET_COUNTS) ||
		       !action_list_equal(&flow->actions, &entry->before->actions));
}

static size_t changes_list(struct flow_set *set)
{
	struct set_entry *entry;
	size_t count = 0;

	TAILQ_FOREACH (entry, &set->touched, touched) {
		if (entry_is_changed(entry) && entry->is_removed)
			set->changes[count++] = (struct flow_change){FLOW_REMOVED, &entry->public};
	}
	TAILQ_FOREACH (entry, &set->touched, touched) {
		if (entry_is_changed(entry) && !entry->is_removed)
			set->changes[count++] = (struct flow_change){
				entry->is_added ? FLOW_ADDED : FLOW_MODIFIED, &entry->public};
	}
	return count;
}

size_t flow_set_changes(struct flow_set *set, const struct flow_change **changes)
{
	if (!set->changes_are_listed)
		set->n_changes = changes_list(set);
	set->changes_are_listed = true;
	*changes = set->changes;
	return set->n_changes;
}

void flow_set_begin(struct flow_set *set)
{
	struct lookup_estimate estimate;

	flow_set_abort(set);
	for (unsigned table = 0; table <= UINT8_MAX; table++) {
		lookup_budget_estimate(set->budget, (uint8_t)table, &estimate);
		set->steps_before[table] = estimate.steps;
	}
}

static void untouch(struct flow_set *set, struct set_entry *entry)
{
	TAILQ_REMOVE(&set->touched, entry, touched);
	set->n_touched--;
	set->changes_are_listed = false;
	entry->is_touched = entry->is_added = entry->is_removed = false;
}

static void entry_end(struct flow_set *set, struct set_entry *entry)
{
	TAILQ_REMOVE(&set->all, entry, all);
	entry_free(set, entry);
}

void flow_set_commit(struct flow_set *set)
{
	struct set_entry *entry;

	while ((entry = TAILQ_FIRST(&set->touched))) {
		bool gone = entry->is_removed;

		untouch(set, entry);
		contents_free(entry->before);
		entry->before = NULL;
		entry->public.flow.flags &= ~(unsigned)FLOW_RESET_COUNTS;
		if (gone)
			entry_end(set, entry);
	}
}

// What was added goes first, to make the places free for what was removed.
void flow_set_abort(struct flow_set *set)
{
	struct set_entry *entry, *after;

	for (entry = TAILQ_FIRST(&set->touched); entry; entry = after) {
		after = TAILQ_NEXT(entry, touched);
		if (!entry->is_added)
			continue;
		if (!entry->is_removed) {
			entry_unlink(set, entry);
			entry_count(set, entry, -1);
		}
		untouch(set, entry);
		entry_end(set, entry);
	}
	while ((entry = TAILQ_FIRST(&set->touched))) {
		if (entry->is_removed) {
			entry_link(set, entry);
			entry_count(set, entry, 1);
		}
		contents_restore(entry);
		untouch(set, entry);
	}
}

// --- The set ---

struct flow_set *flow_set_create(void)
{
	struct flow_set *set = calloc(1, sizeof *set);

	if (!set)
		return NULL;
	TAILQ_INIT(&set->all);
	TAILQ_INIT(&set->touched);
	set->next_id = 1;
	set->n_buckets = BUCKETS_MIN;
	set->by_id = calloc(BUCKETS_MIN, sizeof *set->by_id);
	set->by_place = calloc(BUCKETS_MIN, sizeof *set->by_place);
	set->budget = lookup_budget_create();
	if (!set->by_id || !set->by_place || !set->budget) {
		flow_set_destroy(set);
		errno = ENOMEM;
		return NULL;
	}
	return set;
}

void flow_set_destroy(struct flow_set *set)
{
	struct set_entry *entry;

	if (!set)
		return;
	while ((entry = TAILQ_FIRST(&set->all)))
		entry_end(set, entry);
	lookup_budget_destroy(set->budget);
	free(set->by_id);
	free(set->by_place);
	free(set->changes);
	free(set);
}

void flow_set_next_id(struct flow_set *set, uint64_t next)
{
	if (next > set->next_id)
		set->next_id = next;
}

int flow_set_load(struct flow_set *set, uint64_t id, struct flow *flow, int64_t created_ms)
{
	int error = 0;

	if (*id_slot(set, id) || flow_set_place_find(set, flow))
		error = -EEXIST;
	else if (!entry_insert(set, id, flow, created_ms))
		error = -ENOMEM;
	flow_destroy(flow);
	flow_init(flow);
	return error;
}

size_t flow_set_count(const struct flow_set *set)
{
	return set->count;
}

size_t flow_set_table_count(const struct flow_set *set, uint8_t table)
{
	return set->table_counts[table];
}

const struct flow_entry *flow_set_find_place(const struct flow_set *set, const struct flow *flow)
{
	const struct set_entry *entry = flow_set_place_find(set, flow);

	return entry ? &entry->public : NULL;
}

size_t flow_set_lookup_estimate(
	const struct flow_set *set, uint8_t table, struct lookup_estimate *estimate)
{
	lookup_budget_estimate(set->budget, table, estimate);
	return set->steps_before[table];
}

const struct flow_entry *flow_set_find(const struct flow_set *set, uint64_t id)
{
	const struct set_entry *entry = *id_slot(set, id);

	return entry ? &entry->public : NULL;
}
