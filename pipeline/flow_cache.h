// SPDX-License-Identifier: Apache-2.0
#pragma once

// A reader's memory of which way packets take through chains of tables.
//
// Flows of deep pipelines mostly write constants to registers and go on (pipeline/flow_step.h).
// Which of them a packet hits one after the other, and which rule it finds then that does something
// else, follows from those bytes of its key that installed flows match, because registers start as
// zero. So a reader remembers, for such bytes: the steps, and the rule at their end. A packet with
// the same bytes gets there at once; every flow and table on its way counts it, and what comes then
// is what would have come. Nothing of actions is remembered.
//
// The key is compared as a whole. What is remembered has a bounded size, and holds until a flow is
// added to or removed from one of the tables on the way, or the bytes that matter change.
//
// Readers measure whether it pays: from time to time they run bursts in turns with and without, and
// go on with what took less time. It is out of the question where there are few tables.
//
// Threads: everything named cache_note_*, cache_commit() and cache_end() is control's; the rest is
// each reader's own, but for the layout and the versions of the tables, which control publishes.

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/packet_key.h"

#define CACHE_TABLES 255
#define CACHE_WORDS 14  // of a key; if more matter, nothing is cached
#define CACHE_STEPS 40  // of one way; longer ways are not cached
#define CACHE_RECORDS 8 // new ways in a burst

struct burst;
struct flow_cache;
struct installed_flow;
struct pipeline;
struct pipeline_reader;
struct rule;

// The bytes that matter. Immutable, replaced as a whole.
struct cache_layout {
	uint64_t since; // version
	unsigned count;
	uint8_t words[CACHE_WORDS];
	uint64_t masks[CACHE_WORDS];
};

// Control's part, in the pipeline.
struct cache_control {
	const struct cache_layout *layout; // readers: acquire; NULL: nothing is to be cached
	uint64_t changed[CACHE_TABLES];    // readers: acquire; version of the last change
	uint32_t byte_users[KEY_LINES * KEY_LINE_SIZE]; // rules that match this byte of a key
	uint32_t step_users[CACHE_TABLES];              // flows of the table that are steps
	unsigned step_tables;                           // that have some
	bool dirty;                                     // the layout may not be what it should be
};

// The way of a packet of which nothing was known.
struct cache_record {
	uint32_t hash;
	unsigned count;
	uint64_t words[CACHE_WORDS];
	const struct installed_flow *steps[CACHE_STEPS];
};

// A flow is there (by = 1), before it can be seen, or is gone (-1), when no reader can see it.
void cache_note_flow(struct pipeline *pipeline, const struct installed_flow *flow, int by);
// A flow of this table comes or goes with the next version. Before that is published.
void cache_note_change(struct pipeline *pipeline, uint8_t table);
// Before the next version is published.
void cache_commit(struct pipeline *pipeline);
// A reader is there.
void cache_note_reader(struct pipeline *pipeline, struct pipeline_reader *reader);
void cache_end(struct pipeline *pipeline);

struct flow_cache *cache_create(void); // NULL: out of memory
void cache_destroy(struct flow_cache *cache);
unsigned cache_tables_min(void); // tables of steps, for which there is one

// Is this burst to be run with the cache? To be asked once for each that is not traced.
bool cache_begin(struct burst *burst);
// Takes all packets that it can to the ends of their ways; the others are returned.
uint32_t cache_run(struct burst *burst, uint32_t packets);
// These packets have been looked up. best may be NULL, if there is nothing in the table.
void cache_note_lookup(
	struct burst *burst, uint8_t table, uint32_t packets, const struct rule *const best[]);
// The burst is over.
void cache_finish(struct burst *burst, unsigned packets);

// Control: packets that this reader's cache took to the ends of their ways, so far.
uint64_t cache_hits(const struct pipeline *pipeline, unsigned reader);

// For tests, before pipelines are made: not at all, or always, whether or not it pays, with so many
// entries, a power of two.
enum cache_mode { CACHE_IF_IT_PAYS, CACHE_NEVER, CACHE_ALWAYS };
void cache_force(enum cache_mode mode, uint32_t entries);
