// SPDX-License-Identifier: Apache-2.0
#include "pipeline/lookup_budget.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "pipeline/classifier.h"
#include "pipeline/flow_table_policy.h"

#define TABLES (UINT8_MAX + 1)
#define CHAINS_MIN 16
#define KEY_BYTES (KEY_WORDS * 8)

// A hash in which chance puts rules badly costs so much; pipeline/lookup_hash.c bounds it.
#define HASH_STEPS 24
// A classifier divides the rules into so many tries, which take a step for each byte, in words of four.
#define TRIES 8

struct budget_mask {
	struct packet_key mask;
	bool ranged; // ports are ranges: its rules have many masks
	size_t users, rules;
	struct budget_mask *next; // in the chain
	TAILQ_ENTRY(budget_mask) large;
};

TAILQ_HEAD(mask_list, budget_mask);

struct budget_table {
	struct budget_mask **chains;
	size_t n_chains; // a power of two
	size_t n_masks;  // with users
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

static size_t mask_chain(const struct packet_key *mask, bool ranged, size_t n_chains)
{
	const uint64_t *words = (const uint64_t *)mask;
	uint64_t sum = ranged;

	for (unsigned w = 0; w < KEY_WORDS; w++)
		sum = (sum ^ words[w]) * UINT64_C(0x9e3779b97f4a7c15) + (sum >> 31);
	return (size_t)(sum >> 32) & (n_chains - 1);
}

static struct budget_mask **mask_slot(
	const struct budget_table *table, const struct packet_key *mask, bool ranged)
{
	struct budget_mask **slot = &table->chains[mask_chain(mask, ranged, table->n_chains)];

	while (*slot &&
		((*slot)->ranged != ranged || memcmp(&(*slot)->mask, mask, sizeof *mask) != 0))
		slot = &(*slot)->next;
	return slot;
}

// Not having memory for more chains only makes them longer.
static void chains_grow(struct budget_table *table)
{
	size_t n_chains = table->n_chains * 2;
	struct budget_mask **chains = calloc(n_chains, sizeof *chains);

	if (!chains)
		return;
	for (size_t c = 0; c < table->n_chains; c++) {
		while (table->chains[c]) {
			struct budget_mask *mask = table->chains[c];
			struct budget_mask **head =
				&chains[mask_chain(&mask->mask, mask->ranged, n_chains)];

			table->chains[c] = mask->next;
			mask->next = *head;
			*head = mask;
		}
	}
	free(table->chains);
	table->chains = chains;
	table->n_chains = n_chains;
}

static struct budget_table *table_get(struct lookup_budget *budget, uint8_t number)
{
	struct budget_table *table = budget->tables[number];

	if (table)
		return table;
	table = calloc(1, sizeof *table);
	if (!table)
		return NULL;
	table->n_chains = CHAINS_MIN;
	table->chains = calloc(CHAINS_MIN, sizeof *table->chains);
	if (!table->chains) {
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
	bool ranged = range_in_use(match->tp_src) || range_in_use(match->tp_dst);
	struct budget_mask *mask;

	if (!table)
		return NULL;
	mask = *mask_slot(table, &key, ranged);
	if (!mask) {
		mask = aligned_alloc(_Alignof(struct budget_mask), sizeof *mask);
		if (!mask)
			return NULL;
		memset(mask, 0, sizeof *mask);
		mask->mask = key;
		mask->ranged = ranged;
		if (table->n_masks >= table->n_chains)
			chains_grow(table);
		*mask_slot(table, &key, ranged) = mask;
		table->n_masks++;
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
	*mask_slot(table, &mask->mask, mask->ranged) = mask->next;
	table->n_masks--;
	free(mask);
}

static bool is_large(const struct budget_mask *mask)
{
	return !mask->ranged && mask->rules >= hash_worth(FLOW_TABLE_FEW_MASKS);
}

// A mask gets its first rule, or loses the last one.
static void mask_use(struct budget_table *table, const struct budget_mask *mask, int change)
{
	const uint8_t *bytes = (const uint8_t *)&mask->mask;

	table->in_use += (size_t)change;
	table->ranged_in_use += (size_t)(mask->ranged ? change : 0);
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

		for (size_t c = 0; table && c < table->n_chains; c++) {
			while (table->chains[c]) {
				struct budget_mask *mask = table->chains[c];

				table->chains[c] = mask->next;
				free(mask);
			}
		}
		if (table)
			free(table->chains);
		free(table);
	}
	free(budget);
}
