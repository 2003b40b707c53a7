// SPDX-License-Identifier: Apache-2.0
#pragma once

// What burst.c (packets through the tables) and burst_alike.c (what the rules make superfluous)
// share; nobody else includes this.
//
// A burst is on the stack of the reader that runs it. Packets wait for tables as bits of a set; the
// lowest table that is waited for is looked up for all that wait, and what they hit sends them on.

#include "pipeline/pipeline_private.h"

// Functions with a parameter `traced`, always a constant, are made twice: for the packet path, and
// for pipeline_trace(), where nothing is counted and an observer looks on.
#define SPECIALISED static inline __attribute__((always_inline))

// What one burst needs, on the reader's stack.
struct burst {
	struct pipeline *pipeline;
	struct pipeline_reader *reader;
	struct pipeline_sink *sink;
	struct pipeline_observer *observer; // only if traced
	const struct port_set *ports;
	uint64_t version;
	uint64_t now_ms;
	unsigned slot;
	unsigned needs;     // of the installed flows
	uint64_t tables[4]; // bit by table: packets wait for it, waiting[] of the table is theirs
	uint32_t waiting[PIPELINE_TABLES + 1];
	uint32_t started;  // packets that have something to take along: progress[] is theirs
	uint32_t measured; // packets whose length in all is measured_bytes; 0: not known
	uint64_t measured_bytes;
	uint16_t lookups[PIPELINE_BURST];  // of each packet so far, that of table 0 included
	uint8_t depth[PIPELINE_BURST];     // of its resubmits
	unsigned most_lookups, most_depth; // no packet has more
	struct flow_cache *cache;          // NULL: none; and if so, the next is not set
	const struct cache_layout *layout;
	uint32_t recording; // packets whose way is recorded in records[record_of[]]
	uint8_t record_of[PIPELINE_BURST];
	struct cache_record records[CACHE_RECORDS];
	struct packet **packets;
	struct packet_key keys[PIPELINE_BURST];
	const struct packet_key *key_pointers[PIPELINE_BURST];
	struct execution execution; // of the packet that is being run
	struct execution_progress progress[PIPELINE_BURST];
};

static inline void count_hits(struct pipeline_reader *reader, const struct installed_flow *flow,
	unsigned packets, uint64_t bytes, uint64_t now_ms)
{
	struct flow_counters *counters = flow_counters_of(reader, flow->counter);

	// One writer: plain additions, but stores that a reader of statistics sees whole.
	__atomic_store_n(&counters->packets, counters->packets + packets, __ATOMIC_RELAXED);
	__atomic_store_n(&counters->bytes, counters->bytes + bytes, __ATOMIC_RELAXED);
	if (counters->used_ms != now_ms)
		__atomic_store_n(&counters->used_ms, now_ms, __ATOMIC_RELAXED);
}

static inline void count_hit(struct pipeline_reader *reader, const struct installed_flow *flow,
	const struct packet *packet, uint64_t now_ms)
{
	count_hits(reader, flow, 1, packet->length, now_ms);
}

static inline void count_lookups(
	struct pipeline_reader *reader, uint8_t table, unsigned lookups, unsigned matched)
{
	struct table_counters *counters = &reader->tables[table];

	__atomic_store_n(&counters->lookups, counters->lookups + lookups, __ATOMIC_RELAXED);
	__atomic_store_n(&counters->matched, counters->matched + matched, __ATOMIC_RELAXED);
}

// burst.c, for packets that are parsed and where nobody looks on.

// As far as the installed flows look. False: malformed, and the packet is still there.
bool burst_parse(struct burst *burst, unsigned i);
// The same for `count` packets. Those that are malformed end; the others are returned.
uint32_t burst_parse_all(struct burst *burst, unsigned count);
// Packet i has hit the flow, which has been counted.
void burst_run_flow(struct burst *burst, unsigned i, const struct installed_flow *flow);
// All these packets have hit the flow, which has not been counted.
void burst_run_same(struct burst *burst, uint32_t packets, const struct installed_flow *flow);
// The packets have been looked up, with these results. Returns how many have hit something.
unsigned burst_run_hits(
	struct burst *burst, uint32_t packets, const struct rule *const best[PIPELINE_BURST]);
// How many bytes the packets have in all.
uint64_t burst_measure(struct burst *burst, uint32_t packets);
void burst_run_miss(struct burst *burst, unsigned i);
// Every packet that waits for a table, to its end.
void burst_run_waiting(struct burst *burst, unsigned count);

// burst_alike.c: a burst of whose packets table 0 matches nothing, from the parser to their ends.
void burst_alike(struct burst *burst, unsigned count);
