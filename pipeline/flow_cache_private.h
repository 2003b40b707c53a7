// SPDX-License-Identifier: Apache-2.0
#pragma once

// What flow_cache.c (finding, and when to) and flow_cache_record.c (remembering) share; nobody else
// includes this.

#include "pipeline/burst.h"

#define CACHE_WAYS 256u

// Steps from table 0 to a table where something else comes.
struct cache_way {
	uint64_t tag;     // that its entries have: its number and a serial number; 0: free
	uint64_t version; // of the tables, when it was last known to be right
	uint64_t layout;  // since when
	uint8_t count;    // of steps
	uint8_t depth;    // of them, resubmits
	uint8_t n_writes; // registers and metadata lie in five words
	uint8_t write_words[5];
	uint64_t write_bits[5];
	uint8_t tables[CACHE_STEPS + 1]; // of the steps, and the last one
	const struct installed_flow *steps[CACHE_STEPS];
};

// One line, or two if more than six words matter: there is an array for either.
struct cache_entry {
	uint64_t tag;            // of its way; 0: free
	const struct rule *rule; // what is hit in the last table; NULL: a miss
	uint64_t words[];
};

struct flow_cache {
	void *memory;
	uint8_t *entries[2];
	uint32_t mask;   // number of entries - 1
	uint64_t serial; // last one given
	unsigned phase;
	uint32_t left; // bursts of this phase
	bool on;       // for this burst
	uint64_t hits;
	uint64_t start;
	uint64_t cycles[2], packets[2]; // without and with
	uint64_t keys[CACHE_WORDS + 1];
	struct cache_way ways[CACHE_WAYS];
};

// What is known of the packets of a burst.
struct probes {
	uint32_t again; // packets with the same words as the one before
	uint32_t hashes[PIPELINE_BURST];
	struct cache_way *ways[PIPELINE_BURST]; // NULL: nothing
	const struct rule *best[PIPELINE_BURST];
	uint64_t words[PIPELINE_BURST * CACHE_WORDS]; // layout->count for each
};

static inline struct cache_entry *cache_entry_at(
	const struct flow_cache *cache, const struct cache_layout *layout, uint32_t index)
{
	bool large = layout->count > 6;

	return (struct cache_entry *)(cache->entries[large] +
				      ((size_t)(index & cache->mask) << (6 + large)));
}

// False if a table of the way has changed since; then its steps may be gone, and are not looked at.
bool cache_way_holds(const struct burst *burst, struct cache_way *way);

// The way of the entry; NULL: it is not known any more.
static inline struct cache_way *cache_entry_way(
	const struct burst *burst, const struct cache_entry *entry)
{
	struct cache_way *way = &burst->cache->ways[entry->tag % CACHE_WAYS];

	if (entry->tag != way->tag || !entry->tag)
		return NULL;
	if (way->version == burst->version || cache_way_holds(burst, way))
		return way;
	way->tag = 0;
	return NULL;
}

// Packets of which nothing is known: some of them will be.
void cache_record_begin(struct burst *burst, const struct probes *probes, uint32_t packets);
