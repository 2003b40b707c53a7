// SPDX-License-Identifier: Apache-2.0
#pragma once

// What lookup_bits.c and its versions of the search for particular processors share; nobody else
// includes this. The layout of a block is described in lookup_bits.c.

#include "pipeline/lookup_bits.h"

#define KEY_BYTES (KEY_WORDS * 8)
#define ROW_WORDS_MAX (LOOKUP_BITS_RULES / 64)

// Row `value` of column `c` starts at rows[(c * 256 + value) * width].
struct row_table {
	unsigned count;           // of columns
	unsigned width;           // words in a row: 1, 2, 4 or 8
	uint8_t bytes[KEY_BYTES]; // which byte of the key each column is for, in order of trial
	uint64_t *rows;
};

struct bits {
	struct lookup lookup;
	// Readers: acquire; control. The valid bits come first: they are cache-aligned.
	uint64_t valid[ROW_WORDS_MAX] __attribute__((aligned(64)));
	struct row_table *table; // readers: acquire; control: replaced as a whole
	bool avx512;             // set once
	bool ordered;            // readers: relaxed; control
	unsigned review_at; // control: number of rules at which the order of columns is reviewed
	struct retirement retirement;
	struct rule *rules[LOOKUP_BITS_RULES]; // readers: acquire; control
	uint16_t priorities[LOOKUP_BITS_RULES];
};

// The AND of the valid bits and of the rows that `key` selects, into hits[]; false if it is zero.
// `width` is that of the table.
typedef bool rows_and(const struct bits *bits, const struct row_table *table,
	const struct packet_key *key, uint64_t hits[ROW_WORDS_MAX]);

static inline const uint64_t *table_row(const struct row_table *table, unsigned column,
	const struct packet_key *key, unsigned width)
{
	unsigned value = ((const uint8_t *)key)[table->bytes[column]];

	return &table->rows[(column * 256 + value) * width];
}

static inline unsigned key_byte(const struct packet_key *key, unsigned byte)
{
	return ((const uint8_t *)key)[byte];
}

// Offers the rules whose bits are set.
static inline void hits_offer(const struct bits *bits, const uint64_t *hits, unsigned width,
	bool ordered, uint64_t version, const struct rule **best)
{
	for (unsigned w = 0; w < width; w++) {
		for (uint64_t left = hits[w]; left; left &= left - 1) {
			unsigned slot = w * 64 + (unsigned)__builtin_ctzll(left);
			const struct rule *rule;

			// Not the end even if ordered: the slot may just have got a new rule that
			// stands out of order.
			if (*best && __atomic_load_n(&bits->priorities[slot], __ATOMIC_RELAXED) <
					     (*best)->priority)
				continue;
			rule = __atomic_load_n(&bits->rules[slot], __ATOMIC_ACQUIRE);
			if (!rule || !rule_visible(rule, version))
				continue;
			if (rule_better(rule, *best))
				*best = rule;
			if (ordered)
				return;
		}
	}
}

static inline __attribute__((always_inline)) void bits_find_with(const struct bits *bits,
	const struct row_table *table, uint64_t version, const struct packet_key *const keys[],
	uint32_t wanted, const struct rule *best[], unsigned width, rows_and *and)
{
	bool ordered = __atomic_load_n(&bits->ordered, __ATOMIC_RELAXED);

	for (; wanted; wanted &= wanted - 1) {
		unsigned i = (unsigned)__builtin_ctz(wanted);
		uint64_t hits[ROW_WORDS_MAX] __attribute__((aligned(64)));

		if (and(bits, table, keys[i], hits))
			hits_offer(bits, hits, width, ordered, version, &best[i]);
	}
}

// --- lookup_bits_rows.c ---

// NULL: out of memory. The rows are not set.
struct row_table *row_table_create(unsigned columns, unsigned width);
void row_table_free(void *memory);
size_t row_table_size(unsigned columns, unsigned width); // bytes of rows

// A table for rules in slots 0 to count - 1. NULL: out of memory.
struct row_table *row_table_build(struct rule *const rules[], unsigned count);

// Sets the bits of `slot` for `rule`, whose bytes all have columns.
void row_table_write(struct row_table *table, const struct rule *rule, unsigned slot);

// Replaces the block's table if `rule` does not fit in. 0 or -ENOMEM.
int row_table_extend(struct bits *bits, const struct rule *rule);

// Replaces the block's table if its columns are better tried in another order.
void row_table_review(struct bits *bits);

// --- lookup_bits_avx512.c ---

// For tables of width 8, on processors with AVX-512.
bool lookup_bits_has_avx512(void);
void lookup_bits_find_avx512(const struct bits *bits, const struct row_table *table,
	uint64_t version, const struct packet_key *const keys[], uint32_t wanted,
	const struct rule *best[]);
