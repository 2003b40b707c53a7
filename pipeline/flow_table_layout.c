// SPDX-License-Identifier: Apache-2.0
// Laying a flow table out: which masks get a hash, and which rules share a block. Control thread.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_table_private.h"

// A layout under construction.
struct layout {
	struct placed *structures; // new and kept
	unsigned n_structures;
	unsigned n_blocks;     // the last ones of structures
	struct filter *filter; // or NULL
	struct rule **rules;   // of the blocks, one after the other
	size_t n_rules;
	size_t *first; // rule of each block, and one more
};

static int group_order(const void *a, const void *b)
{
	const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return memcmp(&x->node.mask, &y->node.mask, sizeof x->node.mask);
}

int rule_order(const void *a, const void *b)
{
	const struct rule *x = *(struct rule *const *)a, *y = *(struct rule *const *)b;

	return rule_better(x, y) ? -1 : rule_better(y, x);
}

static struct group **groups_sorted(const struct flow_table *table)
{
	struct group **groups = malloc((table->groups.count + 1) * sizeof *groups);
	struct mask_node *node = NULL;
	size_t count = 0;

	if (!groups)
		return NULL;
	while ((node = mask_map_next(&table->groups, node))) {
		groups[count] = (struct group *)node;
		groups[count++]->new_hash = NULL;
	}
	qsort(groups, count, sizeof *groups, group_order);
	return groups;
}

static struct lookup *hash_build(const struct flow_table *table, const struct group *group)
{
	struct lookup *hash = lookup_hash.create(&group->node.mask, table->retirement);

	for (struct rule *rule = group->rules; hash && rule; rule = rule->next) {
		if (lookup_hash.insert(hash, rule) != 0) {
			lookup_hash.destroy(hash);
			hash = NULL;
		}
	}
	return hash;
}

// Decides which groups have a hash, and makes those that are missing.
static int layout_hashes(
	struct layout *layout, const struct flow_table *table, struct group *const groups[])
{
	for (unsigned g = 0; g < table->groups.count && g < HASHES_MAX; g++) {
		struct group *group = groups[g];

		if (group->count < hash_worth(table->groups.count))
			break; // the others are smaller
		group->new_hash = group->hash ? group->hash : hash_build(table, group);
		if (!group->new_hash)
			return -ENOMEM;
		layout->structures[layout->n_structures++] =
			(struct placed){.lookup = group->new_hash, .filter_bit = FILTER_NONE};
	}
	return 0;
}

// A block holds its rules in order, for its own sake.
static void blocks_sort(const struct layout *layout, unsigned block, unsigned end)
{
	for (; block < end; block++)
		qsort(&layout->rules[layout->first[block]],
			layout->first[block + 1] - layout->first[block], sizeof layout->rules[0],
			rule_order);
}

// Divides the rules `from` to `to` - 1, which are in order, into blocks from number `n_blocks` on.
// Few blocks are filled from the best rule down, so that a packet that finds a good one is done.
// Many are filled with similar rules, so that a packet has to look into few.
static unsigned tier_divide(struct layout *layout, unsigned n_blocks, size_t from, size_t to)
{
	unsigned added = 0;

	if (to - from > FILTER_MIN_BLOCKS * LOOKUP_BITS_RULES) {
		added = rules_cluster(layout->rules, from, to, &layout->first[n_blocks]);
		blocks_sort(layout, n_blocks, n_blocks + added);
		return n_blocks + added;
	}
	for (; from < to; from += LOOKUP_BITS_RULES)
		layout->first[n_blocks + added++] = from;
	layout->first[n_blocks + added] = to;
	return n_blocks + added;
}

static unsigned mask_bits(const struct rule *rule)
{
	const uint64_t *words = (const uint64_t *)&rule->mask;
	unsigned bits = 0;

	for (unsigned w = 0; w < KEY_WORDS; w++)
		bits += (unsigned)__builtin_popcountll(words[w]);
	return bits;
}

static bool rule_covers(const struct rule *rule, const struct rule *other)
{
	const uint64_t *value = (const uint64_t *)&rule->value;
	const uint64_t *mask = (const uint64_t *)&rule->mask;

	for (unsigned w = 0; w < KEY_WORDS; w++) {
		if ((mask[w] & ~((const uint64_t *)&other->mask)[w]) ||
			(((const uint64_t *)&other->value)[w] & mask[w]) != value[w])
			return false;
	}
	return true;
}

// Does rules[index] hide most of the rules from there to `to`? A sample tells.
static bool rule_hides(const struct layout *layout, size_t index, size_t to)
{
	size_t step = (to - index) / 64 + 1, covered = 0, asked = 0;

	for (size_t r = index + 1; r < to; r += step, asked++)
		covered += rule_covers(layout->rules[index], layout->rules[r]);
	return covered * 4 > asked * 3;
}

// Access lists often have a rule for everything half way down. Most packets that get so far end
// there; the rules behind it must not be mixed with those before it, or all would be asked. The
// rules are in order. Returns where those behind the first such one begin, or `to`.
static size_t tier_end(const struct layout *layout, size_t from, size_t to)
{
	unsigned fewest = UINT32_MAX, tries = 8;

	for (size_t r = from; r + LOOKUP_BITS_RULES < to && tries; r++) {
		unsigned bits = mask_bits(layout->rules[r]);

		if (bits >= fewest)
			continue;
		fewest = bits;
		if (bits > 64)
			continue;
		tries--;
		if (rule_hides(layout, r, to))
			return r + 1;
	}
	return to;
}

static int layout_order(const void *a, const void *b)
{
	int x = rule_covered(*(struct rule *const *)a), y = rule_covered(*(struct rule *const *)b);

	return x != y ? y - x : rule_order(a, b);
}

// Divides the rules `from` to `to` - 1, as tier_divide() does, in one tier or two.
static unsigned tiers_divide(struct layout *layout, unsigned n_blocks, size_t from, size_t to)
{
	size_t end = to;

	if (to - from > FILTER_MIN_BLOCKS * LOOKUP_BITS_RULES)
		end = tier_end(layout, from, to);
	n_blocks = tier_divide(layout, n_blocks, from, end);
	return end < to ? tier_divide(layout, n_blocks, end, to) : n_blocks;
}

// Rules that are in an accelerator do not share blocks with others: packets seldom look there.
static unsigned layout_divide(struct layout *layout)
{
	unsigned n_blocks = 0;
	size_t from = 0;

	qsort(layout->rules, layout->n_rules, sizeof layout->rules[0], layout_order);
	layout->first[0] = 0;
	for (size_t r = 1; r <= layout->n_rules; r++) {
		if (r < layout->n_rules &&
			rule_covered(layout->rules[r]) == rule_covered(layout->rules[from]))
			continue;
		n_blocks = tiers_divide(layout, n_blocks, from, r);
		from = r;
	}
	return n_blocks;
}

static int layout_blocks(
	struct layout *layout, const struct flow_table *table, struct group *const groups[])
{
	unsigned n_blocks;

	for (unsigned g = 0; g < table->groups.count; g++) {
		struct rule *rule = groups[g]->new_hash ? NULL : groups[g]->rules;

		for (; rule; rule = rule->next)
			layout->rules[layout->n_rules++] = rule;
	}
	n_blocks = layout_divide(layout);
	if (layout->n_rules > FILTER_MIN_BLOCKS * LOOKUP_BITS_RULES) {
		layout->filter = filter_build(layout->rules, layout->first, n_blocks);
		if (!layout->filter)
			return -ENOMEM;
	}
	for (unsigned b = 0; b < n_blocks; b++) {
		struct lookup *block = lookup_bits_build(&layout->rules[layout->first[b]],
			(unsigned)(layout->first[b + 1] - layout->first[b]), table->retirement);
		bool filtered = layout->filter && b < FILTER_BLOCKS;

		if (!block)
			return -ENOMEM;
		layout->structures[layout->n_structures++] = (struct placed){
			.lookup = block,
			.filter_bit = filtered ? (uint8_t)b : FILTER_NONE,
			.covered = rule_covered(layout->rules[layout->first[b]]),
		};
		layout->n_blocks++;
	}
	return 0;
}

static void layout_undo(
	struct layout *layout, const struct flow_table *table, struct group *const groups[])
{
	for (unsigned b = 0; b < layout->n_blocks; b++)
		lookup_bits.destroy(layout->structures[layout->n_structures - 1 - b].lookup);
	for (unsigned g = 0; g < table->groups.count; g++) {
		if (groups[g]->new_hash && groups[g]->new_hash != groups[g]->hash)
			lookup_hash.destroy(groups[g]->new_hash);
	}
	free(layout->structures);
	free(layout->filter);
}

static bool layout_has(const struct layout *layout, const struct lookup *lookup)
{
	for (unsigned s = 0; s < layout->n_structures; s++) {
		if (layout->structures[s].lookup == lookup)
			return true;
	}
	return false;
}

// The layout is published: rules and groups learn where they live now, and what is no longer in
// use goes.
static void layout_settle(struct layout *layout, struct flow_table *table,
	struct group *const groups[], const struct flow_table *old)
{
	const struct placed *blocks = &layout->structures[layout->n_structures - layout->n_blocks];

	table->open = NULL;
	for (unsigned b = 0; b < layout->n_blocks; b++) {
		for (size_t r = layout->first[b]; r < layout->first[b + 1]; r++) {
			layout->rules[r]->home = blocks[b].lookup;
			layout->rules[r]->settled = true;
		}
		if (blocks[b].lookup->count < LOOKUP_BITS_RULES && !layout->filter &&
			!blocks[b].covered)
			table->open = blocks[b].lookup;
	}
	for (unsigned g = 0; g < table->groups.count; g++) {
		struct group *group = groups[g];
		struct rule *rule = group->new_hash != group->hash ? group->rules : NULL;

		for (; rule && group->new_hash; rule = rule->next) {
			rule->home = group->new_hash;
			rule->settled = true;
		}
		group->hash = group->new_hash;
	}
	for (unsigned s = 0; s < old->n_structures; s++) {
		if (!layout_has(layout, old->structures[s].lookup))
			flow_table_retire(table, old->structures[s].lookup);
	}
	if (old->filter)
		table->retirement.retire(table->retirement.context, free, old->filter);
	table->in_blocks = layout->n_rules;
	table->changes = 0;
}

static int layout_make(struct layout *layout, struct flow_table *table, struct group *groups[])
{
	struct flow_table old = *table;
	int error = layout_hashes(layout, table, groups);

	if (error == 0)
		error = layout_blocks(layout, table, groups);
	if (error == 0) {
		table->structures = layout->structures;
		table->n_structures = layout->n_structures;
		table->filter = layout->filter;
		error = flow_table_publish(table);
	}
	if (error != 0) {
		*table = old;
		layout_undo(layout, table, groups);
		return error;
	}
	layout_settle(layout, table, groups, &old);
	free(old.structures);
	return 0;
}

static bool layout_is_needed(const struct flow_table *table, struct group *const groups[])
{
	if (table->in_blocks > 0)
		return true;
	for (unsigned g = 0; g < table->groups.count; g++) {
		if (g >= HASHES_MAX || groups[g]->count < hash_worth(table->groups.count))
			return true;
	}
	return false;
}

int flow_table_reshape(struct flow_table *table)
{
	struct layout layout = {0};
	struct group **groups = groups_sorted(table);
	size_t n_blocks = BLOCKS_MAX(table->count) + 8; // of four kinds in two tiers each
	int error = groups ? 0 : -ENOMEM;

	if (groups && !layout_is_needed(table, groups)) {
		table->changes = 0;
		free(groups);
		return 0;
	}
	layout.rules = malloc((table->count + 1) * sizeof *layout.rules);
	layout.first = malloc((n_blocks + 1) * sizeof *layout.first);
	layout.structures = malloc((table->groups.count + n_blocks) * sizeof *layout.structures);
	if (!groups || !layout.rules || !layout.first || !layout.structures) {
		free(layout.structures);
		error = -ENOMEM;
	} else {
		error = layout_make(&layout, table, groups);
	}
	free(layout.rules);
	free(layout.first);
	free(groups);
	return error;
}
