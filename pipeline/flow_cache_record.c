// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "pipeline/flow_cache_private.h"

// Which way packets took is remembered for those that come after them.

void cache_record_begin(struct burst *burst, const struct probes *probes, uint32_t packets)
{
	unsigned n = burst->layout->count, count = 0;

	packets &= ~probes->again;
	for (; packets && count < CACHE_RECORDS; packets &= packets - 1) {
		unsigned i = (unsigned)__builtin_ctz(packets);
		struct cache_record *record = &burst->records[count];

		record->count = 0;
		record->hash = probes->hashes[i];
		memcpy(record->words, &probes->words[i * n], n * sizeof(record->words[0]));
		burst->record_of[i] = (uint8_t)count++;
		burst->recording |= 1u << i;
	}
}

static bool way_is(const struct cache_way *way, const struct cache_record *record, uint8_t table)
{
	return way->count == record->count && way->tables[way->count] == table &&
	       memcmp(way->steps, record->steps, way->count * sizeof(way->steps[0])) == 0;
}

static void way_make(const struct burst *burst, struct cache_way *way,
	const struct cache_record *record, uint8_t table)
{
	struct flow_cache *cache = burst->cache;
	struct packet_key key = {0};
	const uint64_t *words = (const uint64_t *)&key;

	*way = (struct cache_way){
		.tag = ++cache->serial * CACHE_WAYS + (uint64_t)(way - cache->ways),
		.version = burst->version,
		.layout = burst->layout->since,
		.count = (uint8_t)record->count,
	};
	for (unsigned s = 0; s < record->count; s++) {
		way->steps[s] = record->steps[s];
		way->tables[s] = record->steps[s]->flow.table;
		way->depth += record->steps[s]->step.kind == STEP_RESUBMIT;
		flow_step_write(&record->steps[s]->step, &key);
	}
	way->tables[record->count] = table;
	for (unsigned word = 0; word < KEY_WORDS; word++) {
		if (words[word]) {
			way->write_words[way->n_writes] = (uint8_t)word;
			way->write_bits[way->n_writes++] = words[word];
		}
	}
}

// Packets that take different ways at the end have the steps before in common.
static struct cache_way *way_for(
	const struct burst *burst, const struct cache_record *record, uint8_t table)
{
	uint64_t sum = table;
	struct cache_way *way;

	for (unsigned s = 0; s < record->count; s++)
		sum = (sum ^ (uintptr_t)record->steps[s] >> 4) * UINT64_C(0x9e3779b97f4a7c15);
	way = &burst->cache->ways[(sum ^ sum >> 32) % CACHE_WAYS];
	// The same pointers mean the same steps only as long as these have been there.
	if (!way->tag || !way_is(way, record, table) ||
		(way->version != burst->version && !cache_way_holds(burst, way)))
		way_make(burst, way, record, table);
	return way;
}

static void record_end(struct burst *burst, const struct cache_record *record, uint8_t table,
	const struct rule *best)
{
	const struct cache_way *way = way_for(burst, record, table);
	struct cache_entry *entry = cache_entry_at(burst->cache, burst->layout, record->hash);
	unsigned n = burst->layout->count;

	if (cache_entry_way(burst, entry)) {
		struct cache_entry *other =
			cache_entry_at(burst->cache, burst->layout, record->hash ^ 1);

		if (!cache_entry_way(burst, other) || record->hash >> 31)
			entry = other;
	}
	entry->tag = way->tag;
	entry->rule = best;
	memcpy(entry->words, record->words, n * sizeof(entry->words[0]));
}

void cache_note_lookup(
	struct burst *burst, uint8_t table, uint32_t packets, const struct rule *const best[])
{
	for (packets &= burst->recording; packets; packets &= packets - 1) {
		unsigned i = (unsigned)__builtin_ctz(packets);
		struct cache_record *record = &burst->records[burst->record_of[i]];
		const struct rule *rule = best ? best[i] : NULL;

		if (rule && rule->flow->step.kind != STEP_NONE) {
			if (record->count < CACHE_STEPS)
				record->steps[record->count++] = rule->flow;
			else
				burst->recording &= ~(1u << i);
			continue;
		}
		record_end(burst, record, table, rule);
		burst->recording &= ~(1u << i);
	}
}
