// SPDX-License-Identifier: Apache-2.0
// Bit-vector blocks: up to 512 rules of any shape, at a cost that does not depend on the shape.
//
// For each byte of the key that some rule constrains there is a column of 256 rows, one for each
// value; a row says, with a bit for each rule, which rules allow that value. The AND of the rows
// that a packet selects is the set of the rules that match it. (StrideBV: Ganegedara and Prasanna,
// HPSR 2012.) Rows are as wide as they have to be: 64, 128, 256 or 512 bits, a cache line.
//
// Rules stand in slots, better ones in lower slots, so the first bit that is set and visible is that of
// the best rule, however many others match. A rule for which there is no free slot between its
// neighbours makes the block move all rules, in a new table, or, if it is crowded, is refused.
//
// All columns are read whatever is in a packet, and four packets side by side. A search that ends as soon
// as nothing is left reads less, but where it ends is for the sender of the packets to say, and a
// wrong guess of the processor costs more than the columns that were saved.
//
// Memory ordering. A reader loads the row table (acquire), then the valid bits (acquire), then
// rows and rules[]. Inserting writes rows and rules[] first and sets the valid bit with release.
// Removing clears the valid bit, then the rule; rows stay as they are. A slot may be used again at
// once: a reader that still has the old valid bit in its hands finds in rules[] the old rule, which
// is dead to it, NULL, or the new rule, which is not born for it. Row words are stored whole
// (relaxed), so bits of other slots never change. A table with more or wider rows, or other slots, is
// built aside and published with release; the old one goes through `retire`.

#include <errno.h>
#include <limits.h>
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
static inline __attribute__((always_inline)) void rows_and_1(const struct row_table *table,
	const uint64_t valid[ROW_WORDS_MAX], const struct packet_key *const keys[],
	uint64_t hits[][ROW_WORDS_MAX], unsigned lanes)
{
	const uint64_t *rows = table->rows;
	uint64_t sum[LANES];

#pragma GCC unroll 4
	for (unsigned lane = 0; lane < lanes; lane++)
		sum[lane] = valid[0];
	for (unsigned c = 0; c < table->count; c++, rows += 256) {
#pragma GCC unroll 4
		for (unsigned lane = 0; lane < lanes; lane++) {
			sum[lane] &= __atomic_load_n(
				&rows[key_byte(keys[lane], table->bytes[c])], __ATOMIC_RELAXED);
			LOOKUP_COUNT(1);
		}
	}
#pragma GCC unroll 4
	for (unsigned lane = 0; lane < lanes; lane++)
		hits[lane][0] = sum[lane];
}

// Rows of 2, 4 or 8 words.
static inline __attribute__((always_inline)) void rows_and_n(const struct row_table *table,
	const uint64_t valid[ROW_WORDS_MAX], const struct packet_key *const keys[],
	uint64_t hits[][ROW_WORDS_MAX], unsigned lanes, unsigned width)
{
	const uint64_t *rows = table->rows;
	__m128i sum[LANES][ROW_WORDS_MAX / 2];

#pragma GCC unroll 4
	for (unsigned lane = 0; lane < lanes; lane++) {
#pragma GCC unroll 4
		for (unsigned w = 0; w < width; w += 2)
			sum[lane][w / 2] = _mm_load_si128((const __m128i *)&valid[w]);
	}
	for (unsigned c = 0; c < table->count; c++, rows += 256 * width) {
#pragma GCC unroll 4
		for (unsigned lane = 0; lane < lanes; lane++) {
			const uint64_t *row = &rows[key_byte(keys[lane], table->bytes[c]) * width];

			LOOKUP_COUNT(1);
#pragma GCC unroll 4
			for (unsigned w = 0; w < width; w += 2)
				sum[lane][w / 2] =
					_mm_and_si128(sum[lane][w / 2], pair_load(&row[w]));
		}
	}
#pragma GCC unroll 4
	for (unsigned lane = 0; lane < lanes; lane++) {
#pragma GCC unroll 4
		for (unsigned w = 0; w < width; w += 2)
			_mm_store_si128((__m128i *)&hits[lane][w], sum[lane][w / 2]);
	}
}

static inline __attribute__((always_inline)) void rows_and_2(const struct row_table *table,
	const uint64_t valid[ROW_WORDS_MAX], const struct packet_key *const keys[],
	uint64_t hits[][ROW_WORDS_MAX], unsigned lanes)
{
	rows_and_n(table, valid, keys, hits, lanes, 2);
}

static inline __attribute__((always_inline)) void rows_and_4(const struct row_table *table,
	const uint64_t valid[ROW_WORDS_MAX], const struct packet_key *const keys[],
	uint64_t hits[][ROW_WORDS_MAX], unsigned lanes)
{
	rows_and_n(table, valid, keys, hits, lanes, 4);
}

static inline __attribute__((always_inline)) void rows_and_8(const struct row_table *table,
	const uint64_t valid[ROW_WORDS_MAX], const struct packet_key *const keys[],
	uint64_t hits[][ROW_WORDS_MAX], unsigned lanes)
{
#pragma GCC unroll 4
	for (unsigned lane = 0; lane < lanes; lane++)
		rows_and_n(table, valid, &keys[lane], &hits[lane], 1, 8);
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
		bits_find_with(table, version, keys, wanted, best, 1, rows_and_1);
		break;
	case 2:
		bits_find_with(table, version, keys, wanted, best, 2, rows_and_2);
		break;
	case 4:
		bits_find_with(table, version, keys, wanted, best, 4, rows_and_4);
		break;
	default:
		if (bits->avx512)
			lookup_bits_find_avx512(table, version, keys, wanted, best);
		else
			bits_find_with(table, version, keys, wanted, best, 8, rows_and_8);
	}
}

// --- Rules (control thread) ---

static struct bits *bits_make(struct row_table *table, struct retirement retirement)
{
	struct bits *bits = calloc(1, sizeof *bits);

	if (!bits || !table) {
		row_table_free(table);
		free(bits);
		errno = ENOMEM;
		return NULL;
	}
	bits->avx512 = !avx512_refused && lookup_bits_has_avx512();
	bits->lookup.kind = &lookup_bits;
	bits->retirement = retirement;
	bits->table = table;
	return bits;
}

static struct lookup *bits_create(const struct packet_key *mask, struct retirement retirement)
{
	struct bits *bits = bits_make(row_table_empty(), retirement);

	(void)mask;
	return bits ? &bits->lookup : NULL;
}

static void bits_destroy(struct lookup *lookup)
{
	if (!lookup)
		return;
	row_table_free(bits_of(lookup)->table);
	free(lookup);
}

static void lines_update(struct bits *bits)
{
	const struct row_table *table = bits->table;
	uint8_t lines = 0;

	for (unsigned c = 0; c < table->count; c++)
		lines |= (uint8_t)(1u << (table->bytes[c] / KEY_LINE_SIZE));
	__atomic_store_n(&bits->lookup.lines, lines, __ATOMIC_RELAXED);
}

// `table`: NULL if there was no memory for it.
static int table_replace(struct bits *bits, struct row_table *table)
{
	struct row_table *old = bits->table;

	if (!table)
		return -ENOMEM;
	__atomic_store_n(&bits->table, table, __ATOMIC_RELEASE);
	bits->retirement.retire(bits->retirement.context, row_table_free, old);
	lines_update(bits);
	return 0;
}

#define SLOT_NONE UINT_MAX
// Rules of 64 slots; with more, rules would have to move too often.
#define CROWDED (LOOKUP_BITS_CROWDED * 64 / LOOKUP_BITS_RULES)

// A free slot for `rule` that keeps the order: half way between its neighbours, or directly behind the
// last. SLOT_NONE: there is none.
static unsigned slot_choose(const struct row_table *table, const struct rule *rule)
{
	int slots = (int)table->width * 64, before = slots - 1, after = slots;

	for (; before >= 0; before--) {
		if (!table->rules[before])
			continue;
		if (rule_better(table->rules[before], rule))
			break;
		after = before;
	}
	if (after - before < 2)
		return SLOT_NONE;
	if (after == slots)
		return (unsigned)before + 1;
	return (unsigned)(before < 0 ? after - 1 : (before + after) / 2);
}

// A table with all rules and `rule`. One half of the free slots lies around it, since what comes next
// is often its neighbour, the other half everywhere.
static struct row_table *table_spread(const struct bits *bits, struct rule *rule)
{
	const struct row_table *old = bits->table;
	unsigned slots = old->width * 64, count = bits->lookup.count + 1;
	unsigned near = (slots - count) / 4, far = slots - count - 2 * near;
	struct rule *order[LOOKUP_BITS_RULES] = {NULL}, *spread[LOOKUP_BITS_RULES] = {NULL};
	unsigned n = 0, gap = 0;
	bool placed = false;

	for (unsigned slot = 0; slot <= slots; slot++) {
		struct rule *next = slot < slots ? old->rules[slot] : NULL;

		if (!placed && (slot == slots || (next && rule_better(rule, next)))) {
			order[n++] = rule;
			placed = true;
		}
		if (next)
			order[n++] = next;
	}
	for (unsigned i = 0; i < count; i++) {
		gap += order[i] == rule ? near : 0;
		spread[i + gap + i * far / count] = order[i];
		gap += order[i] == rule ? near : 0;
	}
	return row_table_build(spread, slots);
}

static void slot_set_valid(struct row_table *table, unsigned slot, bool valid)
{
	uint64_t *word = &table->valid[slot / 64], bit = UINT64_C(1) << slot % 64;

	__atomic_store_n(word, valid ? *word | bit : *word & ~bit, __ATOMIC_RELEASE);
}

static void count_rule(struct lookup *lookup, const struct rule *rule)
{
	lookup->count++;
	if (lookup->count == 1 || rule->priority > lookup->max_priority)
		lookup->max_priority = rule->priority;
}

// Makes room for `rule`. 0 or -ENOMEM.
static int bits_extend(struct bits *bits, const struct rule *rule)
{
	unsigned width = bits->table->width;

	if (bits->lookup.count == width * 64)
		width *= 2;
	if (width == bits->table->width && row_table_serves(bits->table, rule))
		return 0;
	return table_replace(bits, row_table_widen(bits->table, rule, width));
}

static int bits_insert(struct lookup *lookup, struct rule *rule)
{
	struct bits *bits = bits_of(lookup);
	struct row_table *table;
	unsigned slot;

	if (lookup->count == LOOKUP_BITS_RULES)
		return -ENOSPC;
	if (bits_extend(bits, rule) != 0)
		return -ENOMEM;
	table = bits->table;
	slot = slot_choose(table, rule);
	if (slot == SLOT_NONE && lookup->count >= table->width * CROWDED) {
		if (table->width == ROW_WORDS_MAX)
			return -ENOSPC;
		if (table_replace(bits, row_table_widen(table, rule, table->width * 2)) != 0)
			return -ENOMEM;
		table = bits->table;
	}
	if (slot == SLOT_NONE) {
		if (table_replace(bits, table_spread(bits, rule)) != 0)
			return -ENOMEM;
	} else {
		row_table_write(table, rule, slot);
		__atomic_store_n(&table->priorities[slot], rule->priority, __ATOMIC_RELAXED);
		__atomic_store_n(&table->rules[slot], rule, __ATOMIC_RELEASE);
		slot_set_valid(table, slot, true);
	}
	count_rule(lookup, rule);
	return 0;
}

static void bits_remove(struct lookup *lookup, struct rule *rule)
{
	struct row_table *table = bits_of(lookup)->table;

	for (unsigned slot = 0; slot < table->width * 64; slot++) {
		if (table->rules[slot] != rule)
			continue;
		slot_set_valid(table, slot, false);
		__atomic_store_n(&table->rules[slot], NULL, __ATOMIC_RELEASE);
		lookup->count--;
		return;
	}
}

struct lookup *lookup_bits_build(
	struct rule *const rules[], unsigned count, struct retirement retirement)
{
	struct bits *bits = bits_make(row_table_build(rules, count), retirement);

	if (!bits)
		return NULL;
	for (unsigned slot = 0; slot < count; slot++)
		count_rule(&bits->lookup, rules[slot]);
	lines_update(bits);
	return &bits->lookup;
}

static size_t bits_memory(const struct lookup *lookup)
{
	const struct bits *bits = (const struct bits *)lookup;

	return sizeof *bits + row_table_size(bits->table);
}

// Every row, and the best rule.
static struct lookup_cost bits_cost(const struct lookup *lookup)
{
	const struct bits *bits = (const struct bits *)lookup;

	return (struct lookup_cost){{[STEP_ROW] = bits->table->count, [STEP_ENTRY] = 1}};
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
