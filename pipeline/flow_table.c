// SPDX-License-Identifier: Apache-2.0
// Flow tables: finding, inserting and removing; see flow_table.h and flow_table_private.h.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_table_private.h"

// --- Readers ---

// Which packets of `wanted` may still find something better in structures of at most `priority`?
// Those with a best rule of the same priority too, because the fixed order may prefer another.
static inline uint32_t still_wanted(
	uint32_t wanted, const struct rule *const best[], uint16_t priority)
{
	static const struct rule none = {.priority = 0};
	uint32_t done = 0;

	// Without branches: which packets have found something is not to be guessed.
	for (uint32_t left = wanted; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left);
		const struct rule *rule = best[i] ? best[i] : &none;

		done |= (uint32_t)(rule->priority > priority) << i;
	}
	return wanted & ~done;
}

// Sets passed[b] to the packets for which the block with bit b may hold a rule.
static void filter_packets(const struct filter *filter, const struct packet_key *const keys[],
	uint32_t wanted, uint32_t passed[FILTER_BLOCKS])
{
	memset(passed, 0, FILTER_BLOCKS * sizeof passed[0]);
	for (uint32_t left = wanted; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left);
		const uint8_t *bytes = (const uint8_t *)keys[i];
		uint64_t blocks = UINT64_MAX;

		LOOKUP_COUNT(filter->count);
		for (unsigned c = 0; c < filter->count; c++)
			blocks &= __atomic_load_n(
				&filter->rows[c][bytes[filter->bytes[c]]], __ATOMIC_RELAXED);
		for (; blocks; blocks &= blocks - 1)
			passed[__builtin_ctzll(blocks)] |= 1u << i;
	}
}

void flow_table_find(const struct flow_table *table, uint64_t version,
	const struct packet_key *const keys[], uint32_t wanted, unsigned count,
	const struct rule *best[])
{
	const struct view *view = __atomic_load_n(&table->view, __ATOMIC_ACQUIRE);
	const struct accelerator *accelerator = view->accelerator;
	uint32_t passed[FILTER_BLOCKS], slow;
	bool filtered;

	if (count < LOOKUP_BURST)
		wanted &= (1u << count) - 1;
	for (uint32_t left = wanted; left; left &= left - 1)
		best[__builtin_ctz(left)] = NULL;
	slow = wanted;
	if (accelerator && (unsigned)__builtin_popcount(wanted) >= accelerator->least)
		slow = accelerator_find(accelerator, version, keys, wanted, best);
	filtered = view->filter && (slow || view->open_blocks > 1);
	if (filtered)
		filter_packets(view->filter, keys, wanted, passed);
	for (unsigned e = 0; e < view->count && wanted; e++) {
		const struct placed *entry = &view->entries[e];
		uint32_t ask = entry->covered ? slow : wanted;

		if (filtered && entry->filter_bit != FILTER_NONE)
			ask &= passed[entry->filter_bit];
		if (ask && (e > 0 || accelerator))
			ask = still_wanted(
				ask, best, __atomic_load_n(&entry->max_priority, __ATOMIC_RELAXED));
		if (ask)
			entry->lookup->kind->find(entry->lookup, version, keys, ask, count, best);
	}
}

unsigned flow_table_lines(const struct flow_table *table)
{
	const struct view *view = __atomic_load_n(&table->view, __ATOMIC_ACQUIRE);
	unsigned lines = 0;

	for (unsigned e = 0; e < view->count; e++)
		lines |= __atomic_load_n(&view->entries[e].lookup->lines, __ATOMIC_RELAXED);
	return lines;
}

// --- Views (control thread) ---

static int entry_order(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	if (x->max_priority != y->max_priority)
		return x->max_priority > y->max_priority ? -1 : 1;
	// Hashes first: they are cheaper.
	return (x->lookup->kind == &lookup_bits) - (y->lookup->kind == &lookup_bits);
}

int flow_table_publish(struct flow_table *table)
{
	struct view *old = table->view;
	struct view *view = malloc(sizeof *view + table->n_structures * sizeof view->entries[0]);

	if (!view)
		return -ENOMEM;
	view->filter = table->filter;
	view->accelerator = accelerator_live(table);
	view->open_blocks = 0;
	view->count = table->n_structures;
	for (unsigned s = 0; s < view->count; s++) {
		struct placed *entry = &view->entries[s];

		table->structures[s].max_priority = table->structures[s].lookup->max_priority;
		*entry = table->structures[s];
		entry->covered = view->accelerator && (entry->covered >> table->live & 1);
		view->open_blocks += entry->lookup->kind == &lookup_bits && !entry->covered;
	}
	qsort(view->entries, view->count, sizeof view->entries[0], entry_order);
	__atomic_store_n(&table->view, view, __ATOMIC_RELEASE);
	if (old)
		table->retirement.retire(table->retirement.context, free, old);
	return 0;
}

static void lookup_free(void *memory)
{
	struct lookup *lookup = memory;

	lookup->kind->destroy(lookup);
}

void flow_table_retire(struct flow_table *table, struct lookup *lookup)
{
	table->retirement.retire(table->retirement.context, lookup_free, lookup);
}

// `lookup` is in the view and has got a rule of higher priority than before. Raising a priority in
// place only makes readers look longer, but it must not break the order.
static int raise_priority(struct flow_table *table, const struct lookup *lookup)
{
	struct view *view = table->view;

	for (unsigned e = 0; e < view->count; e++) {
		if (view->entries[e].lookup != lookup)
			continue;
		if (lookup->max_priority <= view->entries[e].max_priority)
			return 0;
		if (e > 0 && view->entries[e - 1].max_priority < lookup->max_priority)
			return flow_table_publish(table);
		__atomic_store_n(
			&view->entries[e].max_priority, lookup->max_priority, __ATOMIC_RELEASE);
		return 0;
	}
	return flow_table_publish(table);
}

static int structure_add(struct flow_table *table, struct lookup *lookup)
{
	struct placed *grown =
		realloc(table->structures, (table->n_structures + 1) * sizeof *grown);
	struct filter *filter = table->filter;
	uint8_t bit = FILTER_NONE;

	if (!grown)
		return -ENOMEM;
	table->structures = grown;
	if (lookup->kind == &lookup_bits && filter && filter->next_bit < FILTER_BLOCKS)
		bit = (uint8_t)filter->next_bit++;
	grown[table->n_structures++] = (struct placed){lookup, 0, bit, 0};
	return 0;
}

static struct placed *structure_find(struct flow_table *table, const struct lookup *lookup)
{
	struct placed *placed = table->structures;

	while (placed->lookup != lookup)
		placed++;
	return placed;
}

// Takes an empty structure out of the view. If there is no memory for that it stays, empty, until
// the next reshaping.
static void structure_drop(struct flow_table *table, struct lookup *lookup)
{
	struct placed *hole = structure_find(table, lookup), dropped = *hole;

	*hole = table->structures[--table->n_structures];
	if (flow_table_publish(table) != 0) {
		table->structures[table->n_structures++] = dropped;
		return;
	}
	// The filter may say too much of the next block that gets the bit, which is harmless.
	if (table->filter && dropped.filter_bit + 1u == table->filter->next_bit)
		table->filter->next_bit--;
	flow_table_retire(table, lookup);
}

// --- Groups (control thread) ---

static struct group *group_find(const struct flow_table *table, const struct packet_key *mask)
{
	return (struct group *)mask_map_find(&table->groups, mask, 0);
}

static struct group *group_get(struct flow_table *table, const struct packet_key *mask)
{
	struct group *group = group_find(table, mask);

	if (group)
		return group;
	group = aligned_alloc(_Alignof(struct group), sizeof *group);
	if (!group)
		return NULL;
	memset(group, 0, sizeof *group);
	group->node.mask = *mask;
	mask_map_insert(&table->groups, &group->node);
	return group;
}

static void group_drop_if_empty(struct flow_table *table, struct group *group)
{
	if (group->count > 0)
		return;
	mask_map_remove(&table->groups, &group->node);
	free(group);
}

static void group_link(struct group *group, struct rule *rule)
{
	rule->previous = NULL;
	rule->next = group->rules;
	if (rule->next)
		rule->next->previous = rule;
	group->rules = rule;
	group->count++;
}

static void group_unlink(struct group *group, struct rule *rule)
{
	if (rule->previous)
		rule->previous->next = rule->next;
	else
		group->rules = rule->next;
	if (rule->next)
		rule->next->previous = rule->previous;
	group->count--;
}

// --- Rules (control thread) ---

// The structure that takes rules of `group`; made if need be, and then not yet published.
static struct lookup *home_for(struct flow_table *table, struct group *group)
{
	bool only = table->groups.count == 1 && group->count == 0;
	struct lookup *lookup;

	if (group->hash)
		return group->hash;
	if (!only && table->open && table->open->count < LOOKUP_BITS_RULES)
		return table->open;
	lookup = (only ? &lookup_hash : &lookup_bits)->create(&group->node.mask, table->retirement);
	if (!lookup)
		return NULL;
	if (structure_add(table, lookup) != 0) {
		lookup->kind->destroy(lookup);
		return NULL;
	}
	if (lookup->kind == &lookup_hash)
		group->hash = lookup;
	else
		table->open = lookup;
	return lookup;
}

// Takes an empty structure out, and whatever points to it.
static void home_drop(struct flow_table *table, struct group *group, struct lookup *lookup)
{
	if (group->hash == lookup)
		group->hash = NULL;
	if (table->open == lookup)
		table->open = NULL;
	structure_drop(table, lookup);
}

// So seldom that the table is laid out a bounded number of times per rule: the cost of a change
// stays constant on average. With the first mask too many, hashes of few rules turn into a block.
static void reshape_if_due(struct flow_table *table, bool now)
{
	if (now || table->changes >= changes_before_reshape(table->in_blocks))
		(void)flow_table_reshape(table);
}

// A rule that goes, and before it the one that came and was not settled yet, leave the table as it was.
static void change_note(
	struct flow_table *table, const struct group *group, struct rule *rule, bool comes)
{
	bool in_block = rule->home->kind == &lookup_bits;

	if (comes) {
		rule->settled = !in_block;
		table->changes += in_block;
	} else if (in_block && !rule->settled) {
		table->changes--;
	} else if (in_block || group->count < hash_worth(table->groups.count)) {
		table->changes++;
	}
}

// Inserts into the structure that takes rules of `group`, *home, which is NULL if there is none.
static int home_insert(
	struct flow_table *table, struct group *group, struct rule *rule, struct lookup **home)
{
	int error;

	*home = home_for(table, group);
	error = *home ? (*home)->kind->insert(*home, rule) : -ENOMEM;
	if (error != -ENOSPC)
		return error;
	// A crowded block takes some rules and others not.
	table->open = NULL;
	*home = home_for(table, group);
	return *home ? (*home)->kind->insert(*home, rule) : -ENOMEM;
}

int flow_table_insert(struct flow_table *table, struct rule *rule)
{
	size_t masks_before = table->groups.count;
	struct group *group = group_get(table, &rule->mask);
	struct lookup *home;
	int error;

	if (!group)
		return -ENOMEM;
	error = home_insert(table, group, rule, &home);
	if (error == 0) {
		error = raise_priority(table, home);
		if (error != 0)
			home->kind->remove(home, rule);
	}
	if (error != 0) {
		if (home && home->count == 0)
			home_drop(table, group, home);
		group_drop_if_empty(table, group);
		return -ENOMEM;
	}
	if (home->kind == &lookup_bits && table->filter)
		filter_add(table->filter, structure_find(table, home)->filter_bit, rule);
	rule->home = home;
	group_link(group, rule);
	table->count++;
	table->in_blocks += home->kind == &lookup_bits;
	accelerator_note_insert(table, rule);
	change_note(table, group, rule, true);
	reshape_if_due(table, table->groups.count > masks_before &&
				      hash_worth(table->groups.count) > hash_worth(masks_before));
	return 0;
}

void flow_table_remove(struct flow_table *table, struct rule *rule)
{
	struct group *group = group_find(table, &rule->mask);
	struct lookup *home = rule->home;

	table->in_blocks -= home->kind == &lookup_bits;
	table->count--;
	home->kind->remove(home, rule);
	accelerator_note_remove(table, rule);
	change_note(table, group, rule, false);
	group_unlink(group, rule);
	rule->home = NULL;
	if (home->count == 0)
		home_drop(table, group, home);
	group_drop_if_empty(table, group);
	reshape_if_due(table, false);
}

struct flow_table *flow_table_create(struct retirement retirement)
{
	struct flow_table *table = calloc(1, sizeof *table);

	if (!table)
		return NULL;
	table->retirement = retirement;
	if (mask_map_init(&table->groups) != 0 || flow_table_publish(table) != 0) {
		flow_table_destroy(table);
		return NULL;
	}
	return table;
}

void flow_table_destroy(struct flow_table *table)
{
	if (!table)
		return;
	accelerator_end(table);
	for (unsigned s = 0; s < table->n_structures; s++)
		table->structures[s].lookup->kind->destroy(table->structures[s].lookup);
	mask_map_end(&table->groups);
	free(table->structures);
	free(table->filter);
	free(table->view);
	free(table);
}

