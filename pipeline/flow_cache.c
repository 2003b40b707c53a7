// SPDX-License-Identifier: Apache-2.0
#include "pipeline/flow_cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <x86intrin.h>

#include "pipeline/flow_cache_private.h"
#include "pipeline/key_words.h"

// What a reader remembers, and when it does. How it gets there is in flow_cache_record.c, control's
// part in flow_cache_control.c.

#define CACHE_ENTRIES 16384u
// In bursts: how long to fill the cache before measuring, to measure, to go on with it, and to do
// without; so little of the time is spent on finding out.
#define FILL_BURSTS 2048
#define MEASURE_BURSTS 512
#define STAY_BURSTS 32768
#define PAUSE_BURSTS 131072
#define LONGEST_BURST 100000 // cycles: something else ran

enum { PHASE_PAUSE, PHASE_FILL, PHASE_MEASURE, PHASE_STAY };

static struct {
	enum cache_mode mode;
	uint32_t entries;
} forced;

void cache_force(enum cache_mode mode, uint32_t entries)
{
	forced.mode = mode;
	forced.entries = entries;
}

// With fewer, nothing is gained by leaving them out.
unsigned cache_tables_min(void)
{
	return forced.mode == CACHE_ALWAYS ? 1 : 3;
}

uint64_t cache_hits(const struct pipeline *pipeline, unsigned reader)
{
	const struct flow_cache *cache = pipeline->readers[reader]->cache;

	return cache ? __atomic_load_n(&cache->hits, __ATOMIC_RELAXED) : 0;
}

struct flow_cache *cache_create(void)
{
	uint32_t entries = forced.mode == CACHE_ALWAYS ? forced.entries : CACHE_ENTRIES;
	struct flow_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return NULL;
	cache->mask = entries - 1;
	// Zeros that nobody has touched cost nothing until they are used.
	cache->memory = calloc((size_t)entries * 3 + 1, KEY_LINE_SIZE);
	if (!cache->memory ||
		getrandom(cache->keys, sizeof(cache->keys), 0) != sizeof(cache->keys)) {
		cache_destroy(cache);
		return NULL;
	}
	cache->entries[0] = (uint8_t *)(((uintptr_t)cache->memory + KEY_LINE_SIZE - 1) &
					~(uintptr_t)(KEY_LINE_SIZE - 1));
	cache->entries[1] = cache->entries[0] + (size_t)entries * KEY_LINE_SIZE;
	return cache;
}

void cache_destroy(struct flow_cache *cache)
{
	if (!cache)
		return;
	free(cache->memory);
	free(cache);
}

// --- When ---

static void phase_begin(struct flow_cache *cache, unsigned phase)
{
	static const uint32_t lengths[] = {
		[PHASE_PAUSE] = PAUSE_BURSTS,
		[PHASE_FILL] = FILL_BURSTS,
		[PHASE_MEASURE] = MEASURE_BURSTS,
		[PHASE_STAY] = STAY_BURSTS,
	};

	cache->phase = phase;
	cache->left = lengths[phase];
	memset(cache->cycles, 0, sizeof(cache->cycles));
	memset(cache->packets, 0, sizeof(cache->packets));
}

// It has to save a sixteenth.
static bool has_paid(const struct flow_cache *cache)
{
	double without = (double)cache->cycles[0] * (double)cache->packets[1];
	double with = (double)cache->cycles[1] * (double)cache->packets[0];

	return with * 16 < without * 15;
}

static void phase_next(struct flow_cache *cache)
{
	switch (cache->phase) {
	case PHASE_PAUSE:
		phase_begin(cache, PHASE_FILL);
		break;
	case PHASE_MEASURE:
		phase_begin(cache, has_paid(cache) ? PHASE_STAY : PHASE_PAUSE);
		break;
	default:
		phase_begin(cache, PHASE_MEASURE);
	}
}

bool cache_begin(struct burst *burst)
{
	struct flow_cache *cache = __atomic_load_n(&burst->reader->cache, __ATOMIC_ACQUIRE);

	burst->layout = __atomic_load_n(&burst->pipeline->cache.layout, __ATOMIC_ACQUIRE);
	// Or it is that of a version that is not published yet.
	if (!cache || !burst->layout || burst->layout->since > burst->version)
		return false;
	burst->cache = cache;
	if (forced.mode != CACHE_IF_IT_PAYS)
		return forced.mode == CACHE_ALWAYS;
	if (cache->left == 0)
		phase_next(cache);
	cache->left--;
	cache->on = cache->phase == PHASE_MEASURE ? cache->left % 2 : cache->phase != PHASE_PAUSE;
	if (cache->phase == PHASE_MEASURE)
		cache->start = __rdtsc();
	return cache->on;
}

void cache_finish(struct burst *burst, unsigned packets)
{
	struct flow_cache *cache = burst->cache;
	uint64_t cycles;

	if (!cache || cache->phase != PHASE_MEASURE || forced.mode != CACHE_IF_IT_PAYS)
		return;
	cycles = __rdtsc() - cache->start;
	if (cycles > LONGEST_BURST)
		return;
	cache->cycles[cache->on] += cycles;
	cache->packets[cache->on] += packets;
}

// --- Finding ---

// Not so if a table of it has changed since; then its steps may be gone, and are not looked at.
bool cache_way_holds(const struct burst *burst, struct cache_way *way)
{
	const uint64_t *changed = burst->pipeline->cache.changed;

	if (way->layout != burst->layout->since)
		return false;
	for (unsigned s = 0; s <= way->count; s++)
		if (__atomic_load_n(&changed[way->tables[s]], __ATOMIC_ACQUIRE) > way->version)
			return false;
	way->version = burst->version;
	return true;
}

static inline __attribute__((always_inline)) uint32_t hash_key(
	const struct flow_cache *cache, const uint64_t *words, unsigned n)
{
	uint64_t sum = hash_words(cache->keys, words, n);

	return (uint32_t)(sum ^ sum >> 32);
}

static inline __attribute__((always_inline)) void probes_pack(
	const struct burst *burst, struct probes *probes, uint32_t packets, unsigned n)
{
	const struct cache_layout *layout = burst->layout;
	const uint64_t *before = NULL;

	probes->again = 0;
	for (; packets; packets &= packets - 1) {
		unsigned i = (unsigned)__builtin_ctz(packets);
		const uint64_t *key = (const uint64_t *)&burst->keys[i];
		uint64_t *words = &probes->words[i * n];

		for (unsigned w = 0; w < n; w++)
			words[w] = key[layout->words[w]] & layout->masks[w];
		if (before && words_equal(words, before, n)) {
			probes->again |= packets & -packets;
		} else {
			probes->hashes[i] = hash_key(burst->cache, words, n);
			__builtin_prefetch(cache_entry_at(burst->cache, layout, probes->hashes[i]));
		}
		before = words;
	}
}

// An entry is in one of two places, side by side.
static inline __attribute__((always_inline)) struct cache_way *probe(
	const struct burst *burst, struct probes *probes, unsigned i, unsigned n)
{
	for (unsigned place = 0; place < 2; place++) {
		const struct cache_entry *entry =
			cache_entry_at(burst->cache, burst->layout, probes->hashes[i] ^ place);
		struct cache_way *way;

		if (!words_equal(entry->words, &probes->words[i * n], n))
			continue;
		way = cache_entry_way(burst, entry);
		if (way) {
			probes->best[i] = entry->rule;
			return way;
		}
	}
	return NULL;
}

// Those of which something is known are returned.
static inline __attribute__((always_inline)) uint32_t probes_find(
	const struct burst *burst, struct probes *probes, uint32_t packets, unsigned n)
{
	uint32_t found = 0;
	unsigned before = 0;

	probes_pack(burst, probes, packets, n);
	for (; packets; packets &= packets - 1) {
		unsigned i = (unsigned)__builtin_ctz(packets);

		if (probes->again & 1u << i) {
			probes->ways[i] = probes->ways[before];
			probes->best[i] = probes->best[before];
		} else {
			probes->ways[i] = probe(burst, probes, i, n);
		}
		found |= probes->ways[i] ? 1u << i : 0;
		before = i;
	}
	return found;
}

// The number of words is constant in each of these, which unrolls their loops.
static uint32_t find_n(const struct burst *burst, struct probes *probes, uint32_t packets)
{
	switch (burst->layout->count) {
	case 1:
		return probes_find(burst, probes, packets, 1);
	case 2:
		return probes_find(burst, probes, packets, 2);
	case 3:
		return probes_find(burst, probes, packets, 3);
	case 4:
		return probes_find(burst, probes, packets, 4);
	case 5:
		return probes_find(burst, probes, packets, 5);
	default:
		return probes_find(burst, probes, packets, burst->layout->count);
	}
}

static void run_way(struct burst *burst, const struct cache_way *way, uint32_t packets,
	const struct rule *const best[])
{
	unsigned n = (unsigned)__builtin_popcount(packets);
	uint64_t bytes = burst_measure(burst, packets);
	unsigned s;

	for (s = 0; s < way->count; s++) {
		count_hits(burst->reader, way->steps[s], n, bytes, burst->now_ms);
		count_lookups(burst->reader, way->tables[s], n, n);
	}
	if (burst->most_lookups < way->count + 1u)
		burst->most_lookups = way->count + 1u;
	if (burst->most_depth < way->depth)
		burst->most_depth = way->depth;
	for (uint32_t left = packets; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left);
		uint64_t *words = (uint64_t *)&burst->keys[i];

		burst->lookups[i] = way->count + 1;
		burst->depth[i] = way->depth;
		for (unsigned w = 0; w < way->n_writes; w++)
			words[way->write_words[w]] = way->write_bits[w];
	}
	count_lookups(burst->reader, way->tables[s], n, burst_run_hits(burst, packets, best));
}

uint32_t cache_run(struct burst *burst, uint32_t packets)
{
	struct probes probes;
	uint32_t found = find_n(burst, &probes, packets);

	if (found != packets)
		cache_record_begin(burst, &probes, packets & ~found);
	for (uint32_t left = found; left;) {
		const struct cache_way *way = probes.ways[__builtin_ctz(left)];
		uint32_t same = 0;

		for (uint32_t rest = left; rest; rest &= rest - 1)
			if (probes.ways[__builtin_ctz(rest)] == way)
				same |= rest & -rest;
		left &= ~same;
		run_way(burst, way, same, probes.best);
	}
	__atomic_store_n(&burst->cache->hits,
		burst->cache->hits + (unsigned)__builtin_popcount(found), __ATOMIC_RELAXED);
	return packets & ~found;
}
