// SPDX-License-Identifier: Apache-2.0
#include "pipeline/lookup_budget.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "pipeline/classifier.h"
#include "pipeline/flow_table_policy.h"
#include "pipeline/mask_map.h"

#define TABLES (UINT8_MAX + 1)
#define KEY_BYTES (KEY_WORDS * 8)

// A hash in which chance puts rules badly costs so much; pipeline/lookup_hash.c bounds it.
#define HASH_STEPS 24
// A classifier divides the rules into so many tries, which take a step for each byte, in words of four.
#define TRIES 8

enum mask_kind {
	MASK_PLAIN,
	MASK_RANGED, // ports are ranges: its rules have many masks
};

struct budget_mask {
	struct mask_node node;
	size_t users, rules;
	TAILQ_ENTRY(budget_mask) large;
};

TAILQ_HEAD(mask_list, budget_mask);

struct budget_table {
	struct mask_map masks;        // with users
	size_t in_use, ranged_in_use; // masks with rules
	size_t rules;
	uint32_t byte_users[KEY_BYTES]; // masks with rules that look at it
	struct mask_list large;         // that could have a hash
};

struct lookup_budget {
	struct budget_table *tables[TABLES]; // NULL: never used
};

// --- Masks ---

static bool range_in_use(struct port_range range)
{
	return range.last != 0;
}

// That of all rules into which a flow with port ranges falls.
static struct packet_key mask_of(const struct match *match)
{
	struct packet_key mask = match->mask;

	if (range_in_use(match->tp_src))
		mask.tp_src = UINT16_MAX;
	if (range_in_use(match->tp_dst))
		mask.tp_dst = UINT16_MAX;
	return mask;
}

static enum mask_kind kind_of(const struct match *match)
{
	return range_in_use(match->tp_src) || range_in_use(match->tp_dst) ? MASK_RANGED
									  : MASK_PLAIN;
}

static struct budget_table *table_get(struct lookup_budget *budget, uint8_t number)
{
	struct budget_table *table = budget->tables[number];

	if (table)
		return table;
	table = calloc(1, sizeof *table);
	if (!table)
		return NULL;
	if (mask_map_init(&table->masks) != 0) {
		free(table);
		return NULL;
	}
	TAILQ_INIT(&table->large);
	budget->tables[number] = table;
	return table;
}

struct budget_mask *lookup_budget_enter(
	struct lookup_budget *budget, uint8_t table_number, const struct match *match)
{
	struct budget_table *table = table_get(budget, table_number);
	struct packet_key key = mask_of(match);
	enum mask_kind kind = kind_of(match);
	struct budget_mask *mask;

	if (!table)
		return NULL;
	mask = (struct budget_mask *)mask_map_find(&table->masks, &key, kind);
	if (!mask) {
		mask = aligned_alloc(_Alignof(struct budget_mask), sizeof *mask);
		if (!mask)
			return NULL;
		memset(mask, 0, sizeof *mask);
		mask->node.mask = key;
		mask->node.kind = kind;
		mask_map_insert(&table->masks, &mask->node);
	}
	mask->users++;
	return mask;
}

void lookup_budget_leave(
	struct lookup_budget *budget, uint8_t table_number, struct budget_mask *mask)
{
	struct budget_table *table = budget->tables[table_number];

	if (--mask->users > 0)
		return;
	mask_map_remove(&table->masks, &mask->node);
	free(mask);
}

static bool is_large(const struct budget_mask *mask)
{
	return mask->node.kind == MASK_PLAIN && mask->rules >= hash_worth(FLOW_TABLE_FEW_MASKS);
}

// A mask gets its first rule, or loses the last one.
static void mask_use(struct budget_table *table, const struct budget_mask *mask, int change)
{
	const uint8_t *bytes = (const uint8_t *)&mask->node.mask;

	table->in_use += (size_t)change;
	table->ranged_in_use += (size_t)(mask->node.kind == MASK_RANGED ? change : 0);
	for (unsigned b = 0; b < KEY_BYTES; b++) {
		if (bytes[b])
			table->byte_users[b] += (uint32_t)change;
	}
}

void lookup_budget_count(
	struct lookup_budget *budget, uint8_t table_number, struct budget_mask *mask, long rules)
{
	struct budget_table *table = budget->tables[table_number];
	bool was_large = is_large(mask), was_used = mask->rules > 0;

	mask->rules += (size_t)rules;
	table->rules += (size_t)rules;
	if ((mask->rules > 0) != was_used)
		mask_use(table, mask, was_used ? -1 : 1);
	if (is_large(mask) && !was_large)
		TAILQ_INSERT_TAIL(&table->large, mask, large);
	if (!is_large(mask) && was_large)
		TAILQ_REMOVE(&table->large, mask, large);
}

// --- Estimates ---

// Takes the rules that will be in hashes off `left`. Returns how many hashes.
static size_t hashes_estimate(const struct budget_table *table, size_t *left)
{
	// Ranges fall apart into masks that nobody has counted.
	size_t masks = table->ranged_in_use ? FLOW_TABLE_FEW_MASKS + 1 : table->in_use;
	size_t worth = hash_worth(masks > table->in_use ? masks : table->in_use);
	size_t most[HASHES_MAX] = {0}, count = 0; // in falling order
	const struct budget_mask *mask;

	if (worth == 1) {
		*left = 0;
		return 1;
	}
	TAILQ_FOREACH (mask, &table->large, large) {
		size_t rules = mask->rules;

		if (rules < worth)
			continue;
		count += count < HASHES_MAX;
		for (size_t i = 0; i < count; i++) {
			size_t next = most[i];

			if (rules <= next)
				continue;
			most[i] = rules;
			rules = next;
		}
	}
	for (size_t i = 0; i < count; i++)
		*left -= most[i];
	return table->ranged_in_use ? HASHES_MAX : count;
}

// Blocks as the layout makes them of so many rules, and those that take what comes until the next one.
static size_t blocks_estimate(size_t rules)
{
	size_t more = changes_before_reshape(rules);

	if (rules == 0)
		return 0;
	if (rules + more <= LOOKUP_BITS_CROWDED)
		return 1;
	return BLOCKS_MAX(rules) + BLOCKS_MAX(more);
}

void lookup_budget_estimate(
	const struct lookup_budget *budget, uint8_t number, struct lookup_estimate *estimate)
{
	const struct budget_table *table = budget->tables[number];
	size_t left;

	*estimate = (struct lookup_estimate){0};
	if (!table || table->rules == 0)
		return;
	left = table->rules;
	estimate->rules = table->rules;
	estimate->masks = table->in_use;
	for (unsigned b = 0; b < KEY_BYTES; b++)
		estimate->bytes += table->byte_users[b] > 0;
	estimate->hashes = hashes_estimate(table, &left);
	estimate->blocks = blocks_estimate(left);
	estimate->steps = estimate->hashes * HASH_STEPS + estimate->blocks * (estimate->bytes + 1);
	if (left > FILTER_MIN_BLOCKS * LOOKUP_BITS_RULES)
		estimate->steps += FILTER_COLUMNS;
	if (left > LOOKUP_BITS_RULES && left <= CLASSIFIER_RULES_MAX)
		estimate->steps += TRIES * (1 + (estimate->bytes + 3) / 4 * 4) + 1;
}

// --- All tables ---

struct lookup_budget *lookup_budget_create(void)
{
	return calloc(1, sizeof(struct lookup_budget));
}

void lookup_budget_destroy(struct lookup_budget *budget)
{
	for (unsigned t = 0; budget && t < TABLES; t++) {
		struct budget_table *table = budget->tables[t];

		if (table)
			mask_map_end(&table->masks);
		free(table);
	}
	free(budget);
}
