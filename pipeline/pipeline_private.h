// SPDX-License-Identifier: Apache-2.0
#pragma once

// What pipeline.c, execute.c and the actions share; nobody else includes this.
//
// Fields say who touches them: control (the one writer), readers (PMD threads), or set once.

#include "pipeline/execute.h"
#include "pipeline/flow_cache.h"
#include "pipeline/flow_step.h"
#include "pipeline/flow_table.h"
#include "pipeline/mac_table.h"
#include "pipeline/group_select.h"
#include "pipeline/pipeline.h"
#include "pipeline/versioned.h"

// What NORMAL needs of the ports; immutable, replaced as a whole.
struct port_set {
	unsigned count;
	const struct pipeline_port *by_number[OFPORT_MAX + 1]; // NULL: no such port
	struct pipeline_port items[];                          // in order of number
};

// Counters of one flow in one reader slot: written by that reader only, read by control.
struct flow_counters {
	uint64_t packets;
	uint64_t bytes;
	uint64_t used_ms;
};

#define COUNTER_CHUNK_SHIFT 12
#define COUNTER_CHUNK (1u << COUNTER_CHUNK_SHIFT)
#define COUNTER_CHUNKS 1024

struct table_counters {
	uint64_t lookups;
	uint64_t matched;
};

// One reader slot; cache-aligned, and nothing in it is written by two threads.
struct pipeline_reader {
	struct flow_counters *chunks[COUNTER_CHUNKS]; // control allocates before a flow is visible
	struct table_counters tables[PIPELINE_TABLES];
	struct flow_cache *cache; // control sets it once; NULL: none
};

struct installed_flow {
	// What a reader needs of most flows comes first, in one line.
	uint32_t counter;     // index into the readers' chunks
	bool simple;          // set once: a single output to simple_port, or a drop
	bool normal;          // set once: a single NORMAL
	bool owns_counter;    // control: gives the counter back at its end
	uint16_t simple_port; // OFPORT_NONE: drop
	struct flow_step step; // set once
	uint64_t id;
	struct flow flow; // set once
	size_t rule_count;
	struct rule *rules;    // owned
	uint64_t base_packets; // control: what the counters said when this flow got them
	uint64_t base_bytes;
	struct installed_flow *next; // control: hash chain, or list of the dead
	struct pipeline *pipeline;   // set once, for retirement
};

// Control: a counter that an object and the one that takes its place have in common.
struct counter_share {
	uint32_t counter;
	unsigned users;
};

struct installed_bucket {
	uint32_t counter;
	bool only_sends; // set once: its actions leave packet and key as they are
	struct counter_share *share;
};

// All set once; `group` and what it owns, too.
struct installed_group {
	struct versioned versioned; // first
	struct pipeline *pipeline;
	struct group group;
	uint32_t counter;
	struct counter_share *share;
	struct installed_bucket *buckets; // owned
	uint16_t *winners;                // of select: by slot; owned
	unsigned needs;                   // for all of its actions and its hash
};

struct installed_meter {
	struct versioned versioned; // first
	struct pipeline *pipeline;
	struct meter meter;
	void *state; // of metering
	uint32_t counter;
	uint32_t band_counters[METER_BANDS_MAX];
	struct counter_share *share;
	struct counter_share *band_shares[METER_BANDS_MAX];
};

// Which counter indices are free; control.
struct counter_pool {
	uint32_t *unused; // a stack
	size_t unused_count, unused_space;
	uint32_t next; // never used so far
};

struct pipeline {
	uint64_t version;                           // readers: ro; control: published by commit
	struct flow_table *tables[PIPELINE_TABLES]; // readers: ro; control: set once per table
	struct port_set *ports;                     // readers: ro; control: replaced
	struct mac_table *macs;                     // set once
	struct pipeline_reader *readers[PIPELINE_READERS];
	struct retirement retirement; // set once
	struct counter_pool counters;
	const struct metering *metering;     // set once
	const struct classifier *classifier; // set once
	unsigned next_job;                   // control: the table whose turn it is
	struct versioned_set groups, meters; // readers: ro
	struct flow_store *flows;            // control: installed flows by id, see pipeline.c
	struct cache_control cache;
	uint8_t needs;             // readers: ro; what has to be parsed for the installed flows
	unsigned users[KEY_NEEDS]; // control: how many flows and groups need it
};

// pipeline_flows.c
struct flow_store *flow_store_create(void);
void flow_store_destroy(struct flow_store *store);

// pipeline_needs.c: what has to be parsed, as key lines and the bits KEY_NEEDS_*.
void needs_count(struct pipeline *pipeline, unsigned needs, int by); // who needs that
unsigned field_needs(enum field_id field);
unsigned actions_needs(const struct action_list *actions);
unsigned flow_needs(const struct flow *flow);

// pipeline_objects.c
int objects_init(struct pipeline *pipeline); // 0 or -ENOMEM
void objects_end(struct pipeline *pipeline);

// counters.c
struct counter_share *counter_share_new(struct pipeline *pipeline); // one user; NULL: no memory
void counter_share_drop(struct pipeline *pipeline, struct counter_share *share); // may be NULL
int counter_take(struct pipeline *pipeline, uint32_t *counter); // all zero; 0, -ENOMEM, -ENOSPC
void counter_give(struct pipeline *pipeline, uint32_t counter); // no reader counts there any more
struct flow_counters counter_sum(const struct pipeline *pipeline, uint32_t counter);
void counters_destroy(struct pipeline *pipeline);

// One writer: plain additions, but stores that a reader of statistics sees whole.
static inline void counter_hit(struct flow_counters *counters, uint32_t bytes)
{
	__atomic_store_n(&counters->packets, counters->packets + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&counters->bytes, counters->bytes + bytes, __ATOMIC_RELAXED);
}

static inline struct flow_counters *flow_counters_of(
	const struct pipeline_reader *reader, uint32_t counter)
{
	return &reader->chunks[counter >> COUNTER_CHUNK_SHIFT][counter & (COUNTER_CHUNK - 1)];
}

// The lookup of one packet in one table, counted against the table and, on a hit, the flow. NULL:
// a miss. For resubmit; bursts go through flow_table_find() in pipeline_run().
const struct installed_flow *pipeline_lookup(struct execution *execution, uint8_t table);

// Run an action list from its start: execute.c. Afterwards either the packet is still there (with
// execution->pending and ->next_table set by what was run), or false is returned and it has ended.
// The caller takes it to next_table if that is set.
bool execution_run(struct execution *execution, const struct action_list *actions);

// The same for a list within another, as resubmit has it: false leaves the packet to the outermost
// execution_run(), which ends it. `follows`: the caller looks at next_table.
bool execution_run_nested(
	struct execution *execution, const struct action_list *actions, bool follows);

// The packet ends for the reason that was noted, although not everything was run.
void execution_end(struct execution *execution);

// Run a list that is all that happens to execution->packet: it ends, in the sink.
void execution_run_whole(struct execution *execution, const struct action_list *actions);

// What the parser found holds for a copy, whatever the sink has filled in.
static inline void packet_copy_offsets(struct packet *copy, const struct packet *packet)
{
	copy->l3_offset = packet->l3_offset;
	copy->l4_offset = packet->l4_offset;
	copy->vlan_count = packet->vlan_count;
}

// Settle and write a field, as packet_write_field() does; what it refuses ends the packet: false,
// with the reason noted. action_set.c.
bool execution_write(struct execution *execution, enum field_id field,
	const struct field_value *value, const struct field_value *mask);

// NORMAL for the packets of one port, in order: action_normal.c. `general` runs packets[i] in the
// general way, from the parser on, for what is not an untagged frame to an address that is known.
// The bytes of all packets.
uint64_t normal_run_burst(struct pipeline *pipeline, const struct port_set *ports,
	struct packet *packets[], unsigned count, uint64_t now_ms, struct pipeline_sink *sink,
	void (*general)(void *context, unsigned i), void *context);

// Everything was run: send the packet to the pending port, or drop it with the noted reason.
void execution_finish(struct execution *execution);
