// SPDX-License-Identifier: Apache-2.0
#pragma once

// What lookup_bits.c and its versions of the search for particular processors share; nobody else
// includes this. The layout of a block is described in lookup_bits.c.

#include "pipeline/lookup_bits.h"

#define KEY_BYTES (KEY_WORDS * 8)
#define ROW_WORDS_MAX (LOOKUP_BITS_RULES / 64)

// Rules in slots, better ones in lower slots, and rows of bits, one bit for each slot. Row `value` of
// column `c` starts at rows[(c * 256 + value) * width].
struct row_table {
	// Readers: acquire; control.
	uint64_t valid[ROW_WORDS_MAX] __attribute__((aligned(64)));
	unsigned count;           // of columns
	unsigned width;           // words in a row: 1, 2, 4 or 8; 64 slots for each
	uint8_t bytes[KEY_BYTES]; // which byte of the key each column is for
	uint64_t *rows;           // readers: relaxed; control
	struct rule **rules;      // readers: acquire; control
	uint16_t *priorities;     // readers: relaxed; control
};

struct bits {
	struct lookup lookup;
	struct row_table *table; // readers: acquire; control: replaced as a whole
	bool avx512;             // set once
	struct retirement retirement;
};

static inline unsigned key_byte(const struct packet_key *key, unsigned byte)
{
	return ((const uint8_t *)key)[byte];
}

// Packets whose rows are fetched side by side: they share the work for a column, and no branch
// depends on what is in them.
#define LANES 4

// hits[lane]: the AND of `valid` and of the rows that keys[lane] selects, for lane < lanes. `lanes`
// is a constant.
typedef void rows_and(const struct row_table *table, const uint64_t valid[ROW_WORDS_MAX],
	const struct packet_key *const keys[], uint64_t hits[][ROW_WORDS_MAX], unsigned lanes);

// The best of the rules whose bits are set is the first that is visible. Others before it are those of
// changes that are not yet in force, or whose grace period has not passed.
static inline void hits_offer(const struct row_table *table, const uint64_t *hits, unsigned width,
	uint64_t version, const struct rule **best)
{
	for (unsigned w = 0; w < width; w++) {
		for (uint64_t left = hits[w]; left; left &= left - 1) {
			unsigned slot = w * 64 + (unsigned)__builtin_ctzll(left);
			const struct rule *rule;

			// All that follow have no more either, whatever has come into the slot since.
			if (*best && __atomic_load_n(&table->priorities[slot], __ATOMIC_RELAXED) <
					     (*best)->priority)
				return;
			LOOKUP_COUNT(1);
			rule = __atomic_load_n(&table->rules[slot], __ATOMIC_ACQUIRE);
			if (!rule || !rule_visible(rule, version))
				continue;
			if (rule_better(rule, *best))
				*best = rule;
			return;
		}
	}
}

static inline __attribute__((always_inline)) void bits_find_with(
	const struct row_table *table, uint64_t version, const struct packet_key *const keys[],
	uint32_t wanted, const struct rule *best[], unsigned width, rows_and *and)
{
	uint64_t valid[ROW_WORDS_MAX] __attribute__((aligned(64)));
	uint64_t hits[LANES][ROW_WORDS_MAX] __attribute__((aligned(64)));
	const struct packet_key *lane_keys[LANES];

	for (unsigned w = 0; w < width; w++)
		valid[w] = __atomic_load_n(&table->valid[w], __ATOMIC_ACQUIRE);
	while (wanted) {
		unsigned place[LANES], lanes = 0;

		for (; wanted && lanes < LANES; wanted &= wanted - 1) {
			place[lanes] = (unsigned)__builtin_ctz(wanted);
			lane_keys[lanes] = keys[place[lanes]];
			lanes++;
		}
		if (lanes == LANES) {
			and(table, valid, lane_keys, hits, LANES);
		} else {
			for (unsigned lane = 0; lane < lanes; lane++)
				and(table, valid, &lane_keys[lane], &hits[lane], 1);
		}
		for (unsigned lane = 0; lane < lanes; lane++)
			hits_offer(table, hits[lane], width, version, &best[place[lane]]);
	}
}

// --- lookup_bits_rows.c ---

// A table without rules and columns. NULL: out of memory.
struct row_table *row_table_empty(void);
void row_table_free(void *memory);
size_t row_table_size(const struct row_table *table); // bytes

// A table for the rules in rules[0] to rules[slots - 1], which stay in their slots and are in order;
// free ones are NULL. NULL: out of memory.
struct row_table *row_table_build(struct rule *const rules[], unsigned slots);

// Sets the bits of `slot` for `rule`, whose bytes all have columns.
void row_table_write(struct row_table *table, const struct rule *rule, unsigned slot);

// Does the table have a column for each byte that `rule` constrains?
bool row_table_serves(const struct row_table *table, const struct rule *rule);

// A copy with columns for all bytes that `rule` constrains, and `width`. NULL: out of memory.
struct row_table *row_table_widen(
	const struct row_table *old, const struct rule *rule, unsigned width);

// --- lookup_bits_avx512.c ---

// For tables of width 8, on processors with AVX-512.
bool lookup_bits_has_avx512(void);
void lookup_bits_find_avx512(const struct row_table *table, uint64_t version,
	const struct packet_key *const keys[], uint32_t wanted, const struct rule *best[]);
