// SPDX-License-Identifier: Apache-2.0
// Bit-vector blocks: up to 512 rules of any shape, at a cost that does not depend on the shape.
//
// For each byte of the key that some rule constrains there is a column of 256 rows, one for each
// value; a row says, with a bit for each rule, which rules allow that value. The AND of the rows
// that a packet selects is the set of the rules that match it. (StrideBV: Ganegedara and Prasanna,
// HPSR 2012.) Rows are as wide as they have to be: 64, 128, 256 or 512 bits, a cache line.
//
// Rules stand in slots. If a block is `ordered`, better rules stand in lower slots and the first
// bit that is set and visible wins; otherwise all hits are compared. So the placement decides
// about speed, never about the result. Columns are tried in the order in which, for packets that
// look like the rules, the AND becomes zero soonest.
//
// Memory ordering. A reader loads the row table (acquire), then the valid bits (acquire), then
// rows and rules[]. Inserting writes rows and rules[] first and sets the valid bit with release.
// Removing clears the valid bit, then the rule; rows stay as they are. A slot may be used again at
// once: a reader that still has the old valid bit in its hands finds in rules[] the old rule, which
// is dead to it, NULL, or the new rule, which is not born for it. Row words are stored whole
// (relaxed), so bits of other slots never change. A table with more or wider rows, or with another
// order of columns, is built aside and published with release; the old one goes through `retire`.

#include <errno.h>
#include <smmintrin.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/lookup_bits_private.h"

static bool avx512_refused; // by a test

static struct bits *bits_of(struct lookup *lookup)
{
	return (struct bits *)lookup;
}

void lookup_bits_refuse_avx512(bool refuse)
{
	avx512_refused = refuse;
}

// --- Readers ---

// Each word is whole, but a vector may tear between words.
static inline __attribute__((always_inline)) __m128i pair_load(const uint64_t *from)
{
#ifdef __SANITIZE_THREAD__ // which does not know about that
	return _mm_set_epi64x((long long)__atomic_load_n(&from[1], __ATOMIC_ACQUIRE),
		(long long)__atomic_load_n(&from[0], __ATOMIC_ACQUIRE));
#else
	return _mm_load_si128((const __m128i *)from);
#endif
}

// Rows of one word.
static inline __attribute__((always_inline)) bool rows_and_1(const struct bits *bits,
	const struct row_table *table, const struct packet_key *key, uint64_t hits[ROW_WORDS_MAX])
{
	uint64_t sum = __atomic_load_n(&bits->valid[0], __ATOMIC_ACQUIRE);

	for (unsigned c = 0; c < table->count; c++)
		sum &= __atomic_load_n(table_row(table, c, key, 1), __ATOMIC_RELAXED);
	hits[0] = sum;
	return sum != 0;
}

// Rows of 2, 4 or 8 words.
static inline __attribute__((always_inline)) bool rows_and_n(const struct bits *bits,
	const struct row_table *table, const struct packet_key *key, uint64_t hits[ROW_WORDS_MAX],
	unsigned width)
{
	__m128i sum[ROW_WORDS_MAX / 2], any;
	unsigned c = 0;

	for (unsigned w = 0; w < width; w += 2)
		sum[w / 2] = pair_load(&bits->valid[w]);
#ifndef __SANITIZE_THREAD__ // there, each load acquires
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
	while (c < table->count) {
		// A look at the sum after every four columns: less costs more than it saves.
		for (unsigned end = c + 4; c < end && c < table->count; c++) {
			const uint64_t *row = table_row(table, c, key, width);

			for (unsigned w = 0; w < width; w += 2)
				sum[w / 2] = _mm_and_si128(sum[w / 2], pair_load(&row[w]));
		}
		any = sum[0];
		for (unsigned w = 2; w < width; w += 2)
			any = _mm_or_si128(any, sum[w / 2]);
		if (_mm_testz_si128(any, any))
			return false;
	}
	for (unsigned w = 0; w < width; w += 2)
		_mm_store_si128((__m128i *)&hits[w], sum[w / 2]);
	return true;
}

static inline __attribute__((always_inline)) bool rows_and_2(const struct bits *bits,
	const struct row_table *table, const struct packet_key *key, uint64_t hits[ROW_WORDS_MAX])
{
	return rows_and_n(bits, table, key, hits, 2);
}

static inline __attribute__((always_inline)) bool rows_and_4(const struct bits *bits,
	const struct row_table *table, const struct packet_key *key, uint64_t hits[ROW_WORDS_MAX])
{
	return rows_and_n(bits, table, key, hits, 4);
}

static inline __attribute__((always_inline)) bool rows_and_8(const struct bits *bits,
	const struct row_table *table, const struct packet_key *key, uint64_t hits[ROW_WORDS_MAX])
{
	return rows_and_n(bits, table, key, hits, 8);
}

static void bits_find(const struct lookup *lookup, uint64_t version,
	const struct packet_key *const keys[], uint32_t wanted, unsigned count,
	const struct rule *best[])
{
	const struct bits *bits = (const struct bits *)lookup;
	const struct row_table *table = __atomic_load_n(&bits->table, __ATOMIC_ACQUIRE);

	if (count < LOOKUP_BURST)
		wanted &= (1u << count) - 1;
	switch (table->width) {
	case 1:
		bits_find_with(bits, table, version, keys, wanted, best, 1, rows_and_1);
		break;
	case 2:
		bits_find_with(bits, table, version, keys, wanted, best, 2, rows_and_2);
		break;
	case 4:
		bits_find_with(bits, table, version, keys, wanted, best, 4, rows_and_4);
		break;
	default:
		if (bits->avx512)
			lookup_bits_find_avx512(bits, table, version, keys, wanted, best);
		else
			bits_find_with(bits, table, version, keys, wanted, best, 8, rows_and_8);
	}
}

// --- Rules (control thread) ---

static struct lookup *bits_create(const struct packet_key *mask, struct retirement retirement)
{
	struct bits *bits = aligned_alloc(_Alignof(struct bits), sizeof *bits);

	(void)mask;
	if (!bits)
		return NULL;
	memset(bits, 0, sizeof *bits);
	bits->avx512 = !avx512_refused && lookup_bits_has_avx512();
	bits->lookup.kind = &lookup_bits;
	bits->retirement = retirement;
	bits->ordered = true;
	bits->review_at = 8;
	bits->table = row_table_create(0, 1);
	if (!bits->table) {
		free(bits);
		errno = ENOMEM;
		return NULL;
	}
	return &bits->lookup;
}

static void bits_destroy(struct lookup *lookup)
{
	if (!lookup)
		return;
	row_table_free(bits_of(lookup)->table);
	free(lookup);
}

// A free slot for `rule` that keeps the order if there is one: half way between its neighbours, or
// directly behind the last. Otherwise any, and the block is no longer ordered. There is a free one.
static unsigned slot_choose(struct bits *bits, const struct rule *rule)
{
	int slots = (int)bits->table->width * 64;
	int before = -1, after = slots, free_slot = -1;

	for (int slot = slots - 1; slot >= 0; slot--) {
		if (!bits->rules[slot]) {
			free_slot = slot;
			continue;
		}
		if (!bits->ordered)
			continue;
		if (rule_better(bits->rules[slot], rule)) {
			before = slot;
			break;
		}
		after = slot;
	}
	if (bits->ordered && after - before > 1) {
		if (after == slots)
			return (unsigned)before + 1;
		return (unsigned)(before < 0 ? after - 1 : (before + after) / 2);
	}
	for (int slot = 0; free_slot < 0; slot++) {
		if (!bits->rules[slot])
			free_slot = slot;
	}
	__atomic_store_n(&bits->ordered, false, __ATOMIC_RELAXED);
	return (unsigned)free_slot;
}

static void slot_set_valid(struct bits *bits, unsigned slot, bool valid)
{
	uint64_t *word = &bits->valid[slot / 64], bit = UINT64_C(1) << slot % 64;

	__atomic_store_n(word, valid ? *word | bit : *word & ~bit, __ATOMIC_RELEASE);
}

static void count_rule(struct lookup *lookup, const struct rule *rule)
{
	lookup->count++;
	if (lookup->count == 1 || rule->priority > lookup->max_priority)
		lookup->max_priority = rule->priority;
}

static int bits_insert(struct lookup *lookup, struct rule *rule)
{
	struct bits *bits = bits_of(lookup);
	unsigned slot;

	if (lookup->count == LOOKUP_BITS_RULES)
		return -ENOSPC;
	if (row_table_extend(bits, rule) != 0)
		return -ENOMEM;
	slot = slot_choose(bits, rule);
	row_table_write(bits->table, rule, slot);
	__atomic_store_n(&bits->priorities[slot], rule->priority, __ATOMIC_RELAXED);
	__atomic_store_n(&bits->rules[slot], rule, __ATOMIC_RELEASE);
	slot_set_valid(bits, slot, true);
	count_rule(lookup, rule);
	if (lookup->count >= bits->review_at) {
		row_table_review(bits);
		bits->review_at *= 2;
	}
	return 0;
}

static void bits_remove(struct lookup *lookup, struct rule *rule)
{
	struct bits *bits = bits_of(lookup);

	for (unsigned slot = 0; slot < LOOKUP_BITS_RULES; slot++) {
		if (bits->rules[slot] != rule)
			continue;
		slot_set_valid(bits, slot, false);
		__atomic_store_n(&bits->rules[slot], NULL, __ATOMIC_RELEASE);
		lookup->count--;
		if (lookup->count == 0) {
			__atomic_store_n(&bits->ordered, true, __ATOMIC_RELAXED);
			bits->review_at = 8;
		}
		return;
	}
}

struct lookup *lookup_bits_build(
	struct rule *const rules[], unsigned count, struct retirement retirement)
{
	struct lookup *lookup = bits_create(NULL, retirement);
	struct row_table *table;

	if (!lookup)
		return NULL;
	table = row_table_build(rules, count);
	if (!table) {
		bits_destroy(lookup);
		return NULL;
	}

	struct bits *bits = bits_of(lookup);
	row_table_free(bits->table);
	bits->table = table;
	for (unsigned slot = 0; slot < count; slot++) {
		bits->rules[slot] = rules[slot];
		bits->priorities[slot] = rules[slot]->priority;
		slot_set_valid(bits, slot, true);
		count_rule(lookup, rules[slot]);
	}
	while (bits->review_at <= count)
		bits->review_at *= 2;
	row_table_review(bits);
	return lookup;
}

static size_t bits_memory(const struct lookup *lookup)
{
	const struct bits *bits = (const struct bits *)lookup;

	return sizeof *bits + sizeof *bits->table +
	       row_table_size(bits->table->count, bits->table->width);
}

static unsigned bits_cost(const struct lookup *lookup)
{
	const struct bits *bits = (const struct bits *)lookup;

	return 16 + 4 * bits->table->count;
}

const struct lookup_kind lookup_bits = {
	.name = "bits",
	.create = bits_create,
	.destroy = bits_destroy,
	.insert = bits_insert,
	.remove = bits_remove,
	.find = bits_find,
	.cost = bits_cost,
	.memory = bits_memory,
};
