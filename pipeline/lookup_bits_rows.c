// SPDX-License-Identifier: Apache-2.0
// Row tables of bit-vector blocks: making, changing and replacing them; see lookup_bits.c. Control
// thread.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/lookup_bits_private.h"

#define SAMPLES 32

void row_table_free(void *memory)
{
	struct row_table *table = memory;

	if (table)
		free(table->rows);
	free(table);
}

size_t row_table_size(unsigned columns, unsigned width)
{
	return (size_t)columns * 256 * width * sizeof(uint64_t);
}

struct row_table *row_table_create(unsigned columns, unsigned width)
{
	struct row_table *table = calloc(1, sizeof *table);

	if (!table)
		return NULL;
	table->count = columns;
	table->width = width;
	if (columns == 0)
		return table;
	table->rows = aligned_alloc(64, row_table_size(columns, width));
	if (!table->rows) {
		free(table);
		return NULL;
	}
	return table;
}

static uint64_t *row_of(const struct row_table *table, unsigned column, unsigned value)
{
	return &table->rows[(column * 256 + value) * table->width];
}

static inline void bit_write(uint64_t *word, uint64_t bit, bool set)
{
	uint64_t now = set ? *word | bit : *word & ~bit;

	if (now != *word)
		__atomic_store_n(word, now, __ATOMIC_RELAXED);
}

void row_table_write(struct row_table *table, const struct rule *rule, unsigned slot)
{
	uint64_t bit = UINT64_C(1) << slot % 64;

	for (unsigned c = 0; c < table->count; c++) {
		unsigned mask = key_byte(&rule->mask, table->bytes[c]);
		unsigned value = key_byte(&rule->value, table->bytes[c]);
		uint64_t *word = row_of(table, c, 0) + slot / 64;

		for (unsigned v = 0; v < 256; v++)
			bit_write(&word[v * table->width], bit, (v & mask) == value);
	}
}

// The bytes of the key that the table has columns for, then those that only `rule` constrains.
static unsigned columns_with(
	const struct row_table *table, const struct rule *rule, uint8_t bytes[KEY_BYTES])
{
	bool used[KEY_BYTES] = {false};
	unsigned count = 0;

	for (; count < table->count; count++) {
		bytes[count] = table->bytes[count];
		used[bytes[count]] = true;
	}
	for (unsigned b = 0; b < KEY_BYTES; b++) {
		if (!used[b] && key_byte(&rule->mask, b) != 0)
			bytes[count++] = (uint8_t)b;
	}
	return count;
}

// A packet that `rule` matches; what it leaves open is noise from a generator of its own, so that
// the layout is the same each time.
static void sample_key(struct packet_key *key, const struct rule *rule, uint64_t *seed)
{
	const uint64_t *value = (const uint64_t *)&rule->value;
	const uint64_t *mask = (const uint64_t *)&rule->mask;

	for (unsigned w = 0; w < KEY_WORDS; w++) {
		*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		((uint64_t *)key)[w] = value[w] | (~mask[w] & (*seed ^ *seed >> 29));
	}
}

static unsigned row_count_and(const uint64_t *a, const uint64_t *b, unsigned width)
{
	unsigned count = 0;

	for (unsigned w = 0; w < width; w++)
		count += (unsigned)__builtin_popcountll(a[w] & b[w]);
	return count;
}

// Decides in which order to try the columns of `table`: always the one next that leaves the
// fewest candidates, over packets made from a sample of the rules. Fills order[].
static void columns_order(
	const struct bits *bits, const struct row_table *table, uint8_t order[KEY_BYTES])
{
	struct packet_key keys[SAMPLES];
	uint64_t left[SAMPLES][ROW_WORDS_MAX];
	unsigned samples = 0, step = bits->lookup.count / SAMPLES + 1, seen = 0;
	bool done[KEY_BYTES] = {false};
	uint64_t seed = 1;

	for (unsigned slot = 0; slot < LOOKUP_BITS_RULES && samples < SAMPLES; slot++) {
		if (bits->rules[slot] && seen++ % step == 0) {
			memcpy(left[samples], bits->valid, sizeof bits->valid);
			sample_key(&keys[samples++], bits->rules[slot], &seed);
		}
	}
	for (unsigned n = 0; n < table->count; n++) {
		unsigned best = 0, best_count = UINT32_MAX;

		for (unsigned c = 0; c < table->count; c++) {
			unsigned count = 0;

			for (unsigned i = 0; i < samples && !done[c] && count < best_count; i++)
				count += row_count_and(left[i],
					table_row(table, c, &keys[i], table->width), table->width);
			if (!done[c] && count < best_count) {
				best = c;
				best_count = count;
			}
		}
		order[n] = (uint8_t)best;
		done[best] = true;
		for (unsigned i = 0; i < samples; i++) {
			const uint64_t *row = table_row(table, best, &keys[i], table->width);

			for (unsigned w = 0; w < table->width; w++)
				left[i][w] &= row[w];
		}
	}
}

static void table_publish(struct bits *bits, struct row_table *table)
{
	struct row_table *old = bits->table;
	uint8_t lines = 0;

	for (unsigned c = 0; c < table->count; c++)
		lines |= (uint8_t)(1u << (table->bytes[c] / KEY_LINE_SIZE));
	__atomic_store_n(&bits->lookup.lines, lines, __ATOMIC_RELAXED);
	__atomic_store_n(&bits->table, table, __ATOMIC_RELEASE);
	bits->retirement.retire(bits->retirement.context, row_table_free, old);
}

// Makes room for `rule`: columns for the bytes that it is the first to constrain (there, all rules
// so far allow everything), and rows twice as wide if all slots are taken.
int row_table_extend(struct bits *bits, const struct rule *rule)
{
	const struct row_table *old = bits->table;
	uint8_t bytes[KEY_BYTES];
	unsigned count = columns_with(old, rule, bytes);
	unsigned width = bits->lookup.count == old->width * 64 ? old->width * 2 : old->width;
	struct row_table *table;

	if (count == old->count && width == old->width)
		return 0;
	table = row_table_create(count, width);
	if (!table)
		return -ENOMEM;
	memcpy(table->bytes, bytes, count);
	if (count)
		memset(table->rows, 0xff, row_table_size(count, width));
	for (unsigned row = 0; row < old->count * 256; row++)
		memcpy(&table->rows[row * width], &old->rows[row * old->width],
			old->width * sizeof(uint64_t));
	table_publish(bits, table);
	return 0;
}

// Not having memory for a better order is no error.
void row_table_review(struct bits *bits)
{
	struct row_table *old = bits->table, *table;
	uint8_t order[KEY_BYTES];
	bool changed = false;

	columns_order(bits, old, order);
	for (unsigned c = 0; c < old->count; c++)
		changed |= order[c] != c;
	if (!changed)
		return;
	table = row_table_create(old->count, old->width);
	if (!table)
		return;
	for (unsigned c = 0; c < old->count; c++) {
		table->bytes[c] = old->bytes[order[c]];
		memcpy(row_of(table, c, 0), row_of(old, order[c], 0),
			row_table_size(1, old->width));
	}
	table_publish(bits, table);
}

// One column of a new block: first what rules without an opinion say, then the others.
static void column_fill(
	struct row_table *table, unsigned column, struct rule *const rules[], unsigned count)
{
	unsigned byte = table->bytes[column];
	uint64_t open[ROW_WORDS_MAX] = {0};

	for (unsigned slot = 0; slot < count; slot++) {
		if (key_byte(&rules[slot]->mask, byte) == 0)
			open[slot / 64] |= UINT64_C(1) << slot % 64;
	}
	for (unsigned v = 0; v < 256; v++)
		memcpy(row_of(table, column, v), open, table->width * sizeof open[0]);
	for (unsigned slot = 0; slot < count; slot++) {
		unsigned mask = key_byte(&rules[slot]->mask, byte);
		unsigned value = key_byte(&rules[slot]->value, byte);
		unsigned others = ~mask & 0xff, part = others;

		if (mask == 0)
			continue;
		// Every subset of the bits outside of the mask.
		for (;; part = (part - 1) & others) {
			row_of(table, column, value | part)[slot / 64] |= UINT64_C(1) << slot % 64;
			if (part == 0)
				break;
		}
	}
}

struct row_table *row_table_build(struct rule *const rules[], unsigned count)
{
	struct packet_key any = {0};
	uint8_t bytes[KEY_BYTES];
	unsigned columns = 0, width = 1;
	struct row_table *table;

	for (unsigned i = 0; i < count; i++) {
		for (unsigned w = 0; w < KEY_WORDS; w++)
			((uint64_t *)&any)[w] |= ((const uint64_t *)&rules[i]->mask)[w];
	}
	for (unsigned b = 0; b < KEY_BYTES; b++) {
		if (key_byte(&any, b) != 0)
			bytes[columns++] = (uint8_t)b;
	}
	while (width * 64 < count)
		width *= 2;
	table = row_table_create(columns, width);
	if (!table)
		return NULL;
	memcpy(table->bytes, bytes, columns);
	for (unsigned c = 0; c < columns; c++)
		column_fill(table, c, rules, count);
	return table;
}
