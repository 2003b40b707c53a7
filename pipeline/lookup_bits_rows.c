// SPDX-License-Identifier: Apache-2.0
// Row tables of bit-vector blocks: making, changing and copying them; see lookup_bits.c. Control
// thread.

#include <stdlib.h>
#include <string.h>

#include "pipeline/lookup_bits_private.h"

// --- Tables as such ---

static size_t rows_size(unsigned columns, unsigned width)
{
	return (size_t)columns * 256 * width * sizeof(uint64_t);
}

static size_t slots_size(unsigned width)
{
	return width * 64 * (sizeof(struct rule *) + sizeof(uint16_t));
}

// One allocation: the table, its rows, its slots, which are free. The rows are not set.
static struct row_table *table_alloc(unsigned columns, unsigned width)
{
	struct row_table *table = aligned_alloc(
		64, (sizeof *table + rows_size(columns, width) + slots_size(width) + 63) / 64 * 64);
	uint8_t *slots;

	if (!table)
		return NULL;
	memset(table, 0, sizeof *table);
	table->count = columns;
	table->width = width;
	table->rows = (uint64_t *)(table + 1);
	slots = (uint8_t *)table->rows + rows_size(columns, width);
	memset(slots, 0, slots_size(width));
	table->rules = (struct rule **)slots;
	table->priorities = (uint16_t *)(table->rules + width * 64);
	return table;
}

struct row_table *row_table_empty(void)
{
	return table_alloc(0, 1);
}

void row_table_free(void *memory)
{
	free(memory);
}

size_t row_table_size(const struct row_table *table)
{
	return sizeof *table + rows_size(table->count, table->width) + slots_size(table->width);
}

static uint64_t *row_of(const struct row_table *table, unsigned column, unsigned value)
{
	return &table->rows[(column * 256 + value) * table->width];
}

// --- A rule comes ---

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

bool row_table_serves(const struct row_table *table, const struct rule *rule)
{
	uint8_t bytes[KEY_BYTES];

	return columns_with(table, rule, bytes) == table->count;
}

// In new columns, all rules so far allow everything.
struct row_table *row_table_widen(
	const struct row_table *old, const struct rule *rule, unsigned width)
{
	uint8_t bytes[KEY_BYTES];
	unsigned count = columns_with(old, rule, bytes);
	struct row_table *table = table_alloc(count, width);

	if (!table)
		return NULL;
	memcpy(table->bytes, bytes, count);
	memset(table->rows, 0xff, rows_size(count, width));
	for (unsigned row = 0; row < old->count * 256; row++)
		memcpy(&table->rows[row * width], &old->rows[row * old->width],
			old->width * sizeof(uint64_t));
	memcpy(table->valid, old->valid, sizeof table->valid);
	memcpy(table->rules, old->rules, old->width * 64 * sizeof *old->rules);
	memcpy(table->priorities, old->priorities, old->width * 64 * sizeof *old->priorities);
	return table;
}

// --- Many rules at once ---

// One column: first what rules without an opinion say, then the others.
static void column_fill(
	struct row_table *table, unsigned column, struct rule *const rules[], unsigned slots)
{
	unsigned byte = table->bytes[column];
	uint64_t open[ROW_WORDS_MAX] = {0};

	for (unsigned slot = 0; slot < slots; slot++) {
		if (rules[slot] && key_byte(&rules[slot]->mask, byte) == 0)
			open[slot / 64] |= UINT64_C(1) << slot % 64;
	}
	for (unsigned v = 0; v < 256; v++)
		memcpy(row_of(table, column, v), open, table->width * sizeof open[0]);
	for (unsigned slot = 0; slot < slots; slot++) {
		unsigned mask = rules[slot] ? key_byte(&rules[slot]->mask, byte) : 0;
		unsigned others = ~mask & 0xff, part = others;

		if (mask == 0)
			continue;
		// Every subset of the bits outside of the mask.
		for (;; part = (part - 1) & others) {
			row_of(table, column, key_byte(&rules[slot]->value, byte) | part)[slot / 64] |=
				UINT64_C(1) << slot % 64;
			if (part == 0)
				break;
		}
	}
}

static unsigned bytes_used(struct rule *const rules[], unsigned slots, uint8_t bytes[KEY_BYTES])
{
	struct packet_key any = {0};
	unsigned count = 0;

	for (unsigned slot = 0; slot < slots; slot++) {
		for (unsigned w = 0; rules[slot] && w < KEY_WORDS; w++)
			((uint64_t *)&any)[w] |= ((const uint64_t *)&rules[slot]->mask)[w];
	}
	for (unsigned b = 0; b < KEY_BYTES; b++) {
		if (key_byte(&any, b) != 0)
			bytes[count++] = (uint8_t)b;
	}
	return count;
}

struct row_table *row_table_build(struct rule *const rules[], unsigned slots)
{
	uint8_t bytes[KEY_BYTES];
	unsigned columns = bytes_used(rules, slots, bytes), width = 1;
	struct row_table *table;

	while (width * 64 < slots)
		width *= 2;
	table = table_alloc(columns, width);
	if (!table)
		return NULL;
	memcpy(table->bytes, bytes, columns);
	for (unsigned c = 0; c < columns; c++)
		column_fill(table, c, rules, slots);
	for (unsigned slot = 0; slot < slots; slot++) {
		if (!rules[slot])
			continue;
		table->valid[slot / 64] |= UINT64_C(1) << slot % 64;
		table->rules[slot] = rules[slot];
		table->priorities[slot] = rules[slot]->priority;
	}
	return table;
}
