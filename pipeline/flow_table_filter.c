// SPDX-License-Identifier: Apache-2.0
// Which blocks can hold a rule for a packet: making blocks of similar rules, and a small table that
// tells them apart. Control thread, but for reading a filter. (The idea of summarising bit vectors
// is that of aggregated bit vectors: Baboescu and Varghese, SIGCOMM 2001.)

#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_table_private.h"

#define SAMPLES 64
#define KEY_BYTES (KEY_WORDS * 8)
#define LEAF_RULES 96 // rules that are not told apart any further

static unsigned key_byte(const struct packet_key *key, unsigned byte)
{
	return ((const uint8_t *)key)[byte];
}

// The bytes of the key that some rule constrains.
static unsigned bytes_used(struct rule *const rules[], size_t count, uint8_t bytes[KEY_BYTES])
{
	uint64_t any[KEY_WORDS] = {0};
	unsigned used = 0;

	for (size_t r = 0; r < count; r++) {
		for (unsigned w = 0; w < KEY_WORDS; w++)
			any[w] |= ((const uint64_t *)&rules[r]->mask)[w];
	}
	for (unsigned b = 0; b < KEY_BYTES; b++) {
		if (((const uint8_t *)any)[b])
			bytes[used++] = (uint8_t)b;
	}
	return used;
}

// --- Clustering ---

struct clustering {
	uint8_t bytes[KEY_BYTES]; // to tell rules apart by
	unsigned n_bytes;
	struct rule **spare; // as many as rules
	struct rule **rules;
	size_t *first; // rule of each block
	unsigned n_blocks;
};

// Packs rules[from] to rules[to - 1] behind what there is: into the last block if they fit.
static void leaf_pack(struct clustering *clustering, size_t from, size_t to)
{
	if (clustering->n_blocks == 0 ||
		to - clustering->first[clustering->n_blocks - 1] > LOOKUP_BITS_RULES) {
		for (; from < to; from += LOOKUP_BITS_RULES)
			clustering->first[clustering->n_blocks++] = from;
	}
}

// How well does `byte` tell these rules apart? The number of rules that say exactly what they want
// there, without those that one would expect to want the same.
static size_t byte_score(
	struct rule *const rules[], size_t count, unsigned byte, uint32_t histogram[256])
{
	uint64_t squares = 0;
	size_t exact = 0;

	memset(histogram, 0, 256 * sizeof histogram[0]);
	for (size_t r = 0; r < count; r++) {
		if (key_byte(&rules[r]->mask, byte) == 0xff) {
			histogram[key_byte(&rules[r]->value, byte)]++;
			exact++;
		}
	}
	for (unsigned v = 0; v < 256; v++)
		squares += (uint64_t)histogram[v] * histogram[v];
	return exact ? exact - squares / exact : 0;
}

// Sorts by `byte`: the exact ones by value, then the others. Returns how many are exact.
static size_t byte_partition(struct clustering *clustering, struct rule *rules[], size_t count,
	unsigned byte, const uint32_t histogram[256])
{
	size_t place[257], exact;

	place[0] = 0;
	for (unsigned v = 0; v < 256; v++)
		place[v + 1] = place[v] + histogram[v];
	exact = place[256];
	for (size_t r = 0; r < count; r++) {
		unsigned value = key_byte(&rules[r]->value, byte);

		if (key_byte(&rules[r]->mask, byte) == 0xff)
			clustering->spare[place[value]++] = rules[r];
		else
			clustering->spare[place[256]++] = rules[r];
	}
	memcpy(rules, clustering->spare, count * sizeof rules[0]);
	return exact;
}

// Recursion ends because both halves of the exact ones are not empty: their values differ.
static void cluster(struct clustering *clustering, size_t from, size_t to)
{
	struct rule **rules = &clustering->rules[from];
	uint32_t histogram[256], best_histogram[256];
	size_t best_score = 0, count = to - from, exact, half = 0;
	unsigned best = 0;

	for (unsigned b = 0; b < clustering->n_bytes && count > LEAF_RULES; b++) {
		size_t score = byte_score(rules, count, clustering->bytes[b], histogram);

		if (score > best_score) {
			best_score = score;
			best = clustering->bytes[b];
			memcpy(best_histogram, histogram, sizeof histogram);
		}
	}
	if (best_score <= count / 16) {
		leaf_pack(clustering, from, to);
		return;
	}
	exact = byte_partition(clustering, rules, count, best, best_histogram);
	for (unsigned v = 0; v < 256; v++) {
		if (half + best_histogram[v] > exact / 2 && half > 0)
			break;
		half += best_histogram[v];
	}
	if (half == exact)
		half -= best_histogram[key_byte(&rules[exact - 1]->value, best)];
	cluster(clustering, from, from + half);
	cluster(clustering, from + half, from + exact);
	if (exact < count)
		cluster(clustering, from + exact, to);
}

unsigned rules_cluster(struct rule *rules[], size_t from, size_t to, size_t first[])
{
	struct clustering clustering = {
		.rules = rules,
		.first = first,
		.spare = malloc((to - from + 1) * sizeof rules[0]),
	};

	if (clustering.spare) {
		clustering.n_bytes = bytes_used(&rules[from], to - from, clustering.bytes);
		cluster(&clustering, from, to);
	} else {
		leaf_pack(&clustering, from, to);
	}
	free(clustering.spare);
	first[clustering.n_blocks] = to;
	return clustering.n_blocks;
}

// --- Filters ---

static void row_add(uint64_t rows[256], uint64_t bit, unsigned mask, unsigned value)
{
	unsigned others = ~mask & 0xff, part = others;

	// Every subset of the bits outside of the mask.
	for (;; part = (part - 1) & others) {
		uint64_t *row = &rows[value | part];

		if (!(*row & bit))
			__atomic_store_n(row, *row | bit, __ATOMIC_RELAXED);
		if (part == 0)
			return;
	}
}

void filter_add(struct filter *filter, unsigned bit, const struct rule *rule)
{
	if (bit == FILTER_NONE)
		return;
	for (unsigned c = 0; c < filter->count; c++)
		row_add(filter->rows[c], UINT64_C(1) << bit,
			key_byte(&rule->mask, filter->bytes[c]),
			key_byte(&rule->value, filter->bytes[c]));
}

static void column_make(uint64_t rows[256], unsigned byte, struct rule *const rules[],
	const size_t first[], unsigned n_blocks)
{
	memset(rows, 0, 256 * sizeof rows[0]);
	for (unsigned b = 0; b < n_blocks && b < FILTER_BLOCKS; b++) {
		for (size_t r = first[b]; r < first[b + 1]; r++) {
			unsigned mask = key_byte(&rules[r]->mask, byte);

			row_add(rows, UINT64_C(1) << b, mask, key_byte(&rules[r]->value, byte));
			if (mask == 0)
				break;
		}
	}
}

// How many blocks are left for the samples if this column is used too.
static unsigned samples_left(const uint64_t left[], unsigned samples, const uint64_t rows[256],
	unsigned byte, struct rule *const sample[])
{
	unsigned count = 0;

	for (unsigned s = 0; s < samples; s++)
		count += (unsigned)__builtin_popcountll(
			left[s] & rows[key_byte(&sample[s]->value, byte)]);
	return count;
}

// Takes the columns that leave the fewest blocks for packets like a sample of the rules, where
// what a rule leaves open is 0.
static void columns_choose(struct filter *filter, uint64_t (*all)[256], const uint8_t bytes[],
	unsigned n_bytes, struct rule *const rules[], size_t n_rules)
{
	uint64_t left[SAMPLES];
	struct rule *sample[SAMPLES];
	unsigned samples = 0, now;
	size_t step = n_rules / SAMPLES + 1;

	for (size_t r = 0; r < n_rules; r += step) {
		left[samples] = UINT64_MAX;
		sample[samples++] = rules[r];
	}
	now = samples * 64;
	while (filter->count < FILTER_COLUMNS) {
		unsigned best = 0, best_left = UINT32_MAX;

		for (unsigned b = 0; b < n_bytes; b++) {
			unsigned count = samples_left(left, samples, all[b], bytes[b], sample);

			if (count < best_left) {
				best = b;
				best_left = count;
			}
		}
		if (best_left + now / 32 >= now)
			return; // not worth a look
		now = best_left;
		memcpy(filter->rows[filter->count], all[best], sizeof all[best]);
		filter->bytes[filter->count++] = bytes[best];
		for (unsigned s = 0; s < samples; s++)
			left[s] &= all[best][key_byte(&sample[s]->value, bytes[best])];
	}
}

struct filter *filter_build(struct rule *const rules[], const size_t first[], unsigned n_blocks)
{
	struct filter *filter = calloc(1, sizeof *filter);
	uint8_t bytes[KEY_BYTES];
	unsigned n_bytes = bytes_used(rules, first[n_blocks], bytes);
	uint64_t(*all)[256] = malloc((n_bytes + 1) * sizeof *all);

	if (!filter || !all) {
		free(filter);
		free(all);
		return NULL;
	}
	for (unsigned b = 0; b < n_bytes; b++)
		column_make(all[b], bytes[b], rules, first, n_blocks);
	filter->next_bit = n_blocks < FILTER_BLOCKS ? n_blocks : FILTER_BLOCKS;
	columns_choose(filter, all, bytes, n_bytes, rules, first[n_blocks]);
	free(all);
	return filter;
}
