// SPDX-License-Identifier: Apache-2.0
#include "pipeline/burst.h"

#include <string.h>

#include "pipeline/observer.h"

// Bursts of packets through the tables. What needs no table is in burst_alike.c.

static __attribute__((cold, noinline)) void observe_lookup(struct pipeline_observer *observer,
	uint8_t table, const struct packet_key *key, const struct rule *best)
{
	observer->lookup(observer, table, key, best ? &best->flow->id : NULL);
}

const struct installed_flow *pipeline_lookup(struct execution *execution, uint8_t number)
{
	struct pipeline *pipeline = execution->pipeline;
	struct pipeline_reader *reader = pipeline->readers[execution->reader]; // unused if traced
	struct flow_table *table = __atomic_load_n(&pipeline->tables[number], __ATOMIC_ACQUIRE);
	const struct packet_key *keys[1] = {execution->key};
	const struct rule *best[1] = {NULL};

	execution->progress.lookups++;
	if (table)
		flow_table_find(table, execution->version, keys, 1, 1, best);
	if (__builtin_expect(execution->observer != NULL, 0)) {
		observe_lookup(execution->observer, number, execution->key, best[0]);
		return best[0] ? best[0]->flow : NULL;
	}
	count_lookups(reader, number, 1, best[0] != NULL);
	if (!best[0])
		return NULL;
	count_hit(reader, best[0]->flow, execution->packet, execution->now_ms);
	return best[0]->flow;
}

// The flow is a single output or a drop: nothing to keep a state for.
static void run_simple(struct burst *burst, unsigned i, const struct installed_flow *flow)
{
	struct packet *packet = burst->packets[i];
	uint16_t port = flow->simple_port;

	if (port == OFPORT_NONE)
		burst->sink->drop(burst->sink, packet, DROP_ACTION_DROP);
	else if (port == packet->in_port)
		burst->sink->drop(burst->sink, packet, DROP_INGRESS_PORT);
	else if (!burst->ports->by_number[port])
		burst->sink->drop(burst->sink, packet, DROP_NO_PORT);
	else
		burst->sink->output(burst->sink, packet, port);
}

// A list of at most one action, whose run function run_simple() stands for.
static void observe_simple(struct burst *burst, unsigned i, const struct installed_flow *flow)
{
	struct pipeline_observer *observer = burst->observer;
	const struct action *action = flow->flow.actions.items;

	if (flow->flow.actions.count == 0)
		return;
	observer->begin(observer, action, &burst->keys[i]);
	observer->end(observer, action, &burst->keys[i], DROP_REASON_COUNT);
}

// Make burst->execution that of packet i, which goes on from where it was or begins.
static inline void execution_resume(struct burst *burst, unsigned i)
{
	static const struct execution_progress beginning = {
		.pending = OFPORT_NONE,
		.reason = DROP_ACTION_DROP,
	};
	struct execution *execution = &burst->execution;

	execution->depth = burst->depth[i];
	execution->packet = burst->packets[i];
	execution->key = &burst->keys[i];
	execution->progress = burst->started & 1u << i ? burst->progress[i] : beginning;
	execution->progress.lookups = burst->lookups[i];
}

static inline void packets_wait(struct burst *burst, uint32_t packets, unsigned table)
{
	uint64_t *word = &burst->tables[table / 64];
	uint64_t bit = 1ULL << table % 64;

	burst->waiting[table] = (*word & bit ? burst->waiting[table] : 0) | packets;
	*word |= bit;
}

// May the packet, `deeper` by a resubmit, be looked up once more? If so, that is counted. What
// bounds resubmits bounds them with all that comes after them; goto_table alone needs no bound.
static inline bool hop(struct burst *burst, unsigned i, bool deeper)
{
	unsigned depth = burst->depth[i] + deeper;

	if (depth > 0 &&
		(depth > PIPELINE_RESUBMIT_DEPTH || burst->lookups[i] >= PIPELINE_LOOKUP_LIMIT))
		return false;
	burst->depth[i] = (uint8_t)depth;
	burst->lookups[i]++;
	return true;
}

static __attribute__((cold, noinline)) void end_at_limit(struct burst *burst, unsigned i)
{
	execution_resume(burst, i);
	execution_note(&burst->execution, DROP_RESUBMIT_LIMIT);
	execution_end(&burst->execution);
}

// The same for each of the packets, none of which is near the bounds.
static inline void hop_together(struct burst *burst, uint32_t packets, bool deeper)
{
	burst->most_lookups++;
	burst->most_depth += deeper;
	if (packets == UINT32_MAX) {
		for (unsigned i = 0; i < PIPELINE_BURST; i++)
			burst->lookups[i]++;
		for (unsigned i = 0; i < PIPELINE_BURST; i++)
			burst->depth[i] = (uint8_t)(burst->depth[i] + deeper);
		return;
	}
	for (; packets; packets &= packets - 1) {
		burst->lookups[__builtin_ctz(packets)]++;
		burst->depth[__builtin_ctz(packets)] += deeper;
	}
}

// The same where some may be. Those for which it is too much end; the others are returned.
static uint32_t hop_each(struct burst *burst, uint32_t packets, bool deeper)
{
	uint32_t go_on = packets;

	for (; packets; packets &= packets - 1) {
		if (!hop(burst, (unsigned)__builtin_ctz(packets), deeper)) {
			end_at_limit(burst, (unsigned)__builtin_ctz(packets));
			go_on &= ~(packets & -packets);
		}
	}
	return go_on;
}

// Take the packets, which have all hit a flow with this step, to the next table.
static void step_packets(struct burst *burst, uint32_t packets, const struct flow_step *step)
{
	bool deeper = step->kind == STEP_RESUBMIT;

	if (burst->most_depth + deeper <= PIPELINE_RESUBMIT_DEPTH &&
		burst->most_lookups < PIPELINE_LOOKUP_LIMIT)
		hop_together(burst, packets, deeper);
	else
		packets = hop_each(burst, packets, deeper);
	for (uint32_t left = step->count ? packets : 0; left; left &= left - 1)
		flow_step_write(step, &burst->keys[__builtin_ctz(left)]);
	if (packets)
		packets_wait(burst, packets, step->table);
}

// What a flow says in full.
static void run_list(struct burst *burst, unsigned i, const struct installed_flow *flow)
{
	struct execution *execution = &burst->execution;

	execution_resume(burst, i);
	execution->flow = flow;
	if (!execution_run(execution, &flow->flow.actions))
		return;
	if (execution->next_table < 0) {
		execution_finish(execution);
		return;
	}
	// It may have another length now.
	burst->measured = 0;
	burst->lookups[i] = (uint16_t)execution->progress.lookups;
	burst->depth[i] = (uint8_t)execution->depth;
	if (burst->most_lookups <= burst->lookups[i])
		burst->most_lookups = burst->lookups[i] + 1u;
	if (burst->most_depth < execution->depth)
		burst->most_depth = execution->depth;
	burst->progress[i] = execution->progress;
	burst->started |= 1u << i;
	if (hop(burst, i, false))
		packets_wait(burst, 1u << i, (unsigned)execution->next_table);
	else
		end_at_limit(burst, i);
}

SPECIALISED void run_flow(
	struct burst *burst, unsigned i, const struct installed_flow *flow, const bool traced)
{
	if (flow->simple && !(burst->started & 1u << i)) {
		if (traced)
			observe_simple(burst, i, flow);
		run_simple(burst, i, flow);
	} else {
		run_list(burst, i, flow);
	}
}

void burst_run_flow(struct burst *burst, unsigned i, const struct installed_flow *flow)
{
	run_flow(burst, i, flow, false);
}

void burst_run_miss(struct burst *burst, unsigned i)
{
	if (!(burst->started & 1u << i) && burst->depth[i] == 0) {
		burst->sink->drop(burst->sink, burst->packets[i], DROP_TABLE_MISS);
		return;
	}
	execution_resume(burst, i);
	// To a resubmit, a miss is simply the end of it.
	if (burst->depth[i] == 0)
		execution_note(&burst->execution, DROP_TABLE_MISS);
	execution_finish(&burst->execution);
}

uint64_t burst_measure(struct burst *burst, uint32_t packets)
{
	uint64_t bytes = 0;

	if (burst->measured == packets)
		return burst->measured_bytes;
	for (uint32_t left = packets; left; left &= left - 1)
		bytes += burst->packets[__builtin_ctz(left)]->length;
	burst->measured = packets;
	burst->measured_bytes = bytes;
	return bytes;
}

// All these packets have hit the same flow.
void burst_run_same(struct burst *burst, uint32_t packets, const struct installed_flow *flow)
{
	count_hits(burst->reader, flow, (unsigned)__builtin_popcount(packets),
		burst_measure(burst, packets), burst->now_ms);
	if (flow->step.kind != STEP_NONE) {
		step_packets(burst, packets, &flow->step);
		return;
	}
	for (; packets; packets &= packets - 1)
		run_flow(burst, (unsigned)__builtin_ctz(packets), flow, false);
}

// Those of `packets` that have the same best rule as the first of them. Only as long as they
// follow each other, if that is asked for.
static inline uint32_t alike(
	uint32_t packets, const struct rule *const best[PIPELINE_BURST], bool run)
{
	const struct rule *first = best[__builtin_ctz(packets)];
	uint32_t same = 0;

	for (uint32_t left = packets; left; left &= left - 1) {
		if (best[__builtin_ctz(left)] == first)
			same |= left & -left;
		else if (run)
			break;
	}
	return same;
}

// Do all of a whole burst have the same best rule?
static inline bool all_alike(const struct rule *const best[PIPELINE_BURST])
{
	uintptr_t difference = 0;

	for (unsigned i = 0; i < PIPELINE_BURST; i++)
		difference |= (uintptr_t)best[i] ^ (uintptr_t)best[0];
	return difference == 0;
}

#define GATHER_MIN 4 // packets, for which it was worth looking through the burst

// Packets with the same flow are run together. Those that only go on to another table are gathered
// from the whole burst, as long as many have something in common; others keep their order.
unsigned burst_run_hits(
	struct burst *burst, uint32_t packets, const struct rule *const best[PIPELINE_BURST])
{
	bool gather = true;
	unsigned matched = 0;

	if (packets == UINT32_MAX && best[0] && all_alike(best)) {
		burst_run_same(burst, packets, best[0]->flow);
		return PIPELINE_BURST;
	}
	while (packets) {
		unsigned i = (unsigned)__builtin_ctz(packets);
		const struct installed_flow *flow;
		uint32_t same;

		if (!best[i]) {
			burst_run_miss(burst, i);
			packets &= packets - 1;
			continue;
		}
		flow = best[i]->flow;
		same = alike(packets, best, !gather || flow->step.kind == STEP_NONE);
		gather = gather &&
			 (flow->step.kind == STEP_NONE || __builtin_popcount(same) >= GATHER_MIN);
		packets &= ~same;
		matched += (unsigned)__builtin_popcount(same);
		burst_run_same(burst, same, flow);
	}
	return matched;
}

// Look the packets of `wanted` up in one table and run what they hit.
static void run_table(struct burst *burst, uint8_t number, uint32_t wanted, unsigned count)
{
	struct flow_table *table =
		__atomic_load_n(&burst->pipeline->tables[number], __ATOMIC_ACQUIRE);
	const struct rule *best[PIPELINE_BURST];
	unsigned lookups = (unsigned)__builtin_popcount(wanted);

	if (!table) {
		if (burst->recording)
			cache_note_lookup(burst, number, wanted, NULL);
		count_lookups(burst->reader, number, lookups, 0);
		for (; wanted; wanted &= wanted - 1)
			burst_run_miss(burst, (unsigned)__builtin_ctz(wanted));
		return;
	}
	flow_table_find(table, burst->version, burst->key_pointers, wanted, count, best);
	if (__builtin_expect(burst->recording != 0, 0))
		cache_note_lookup(burst, number, wanted, best);
	count_lookups(burst->reader, number, lookups, burst_run_hits(burst, wanted, best));
}

static __attribute__((cold, noinline)) void trace_table(
	struct burst *burst, uint8_t number, uint32_t wanted, unsigned count)
{
	struct flow_table *table =
		__atomic_load_n(&burst->pipeline->tables[number], __ATOMIC_ACQUIRE);
	const struct rule *best[PIPELINE_BURST] = {NULL};

	if (table)
		flow_table_find(table, burst->version, burst->key_pointers, wanted, count, best);
	for (; wanted; wanted &= wanted - 1) {
		unsigned i = (unsigned)__builtin_ctz(wanted);

		observe_lookup(burst->observer, number, &burst->keys[i], best[i]);
		if (best[i])
			run_flow(burst, i, best[i]->flow, true);
		else
			burst_run_miss(burst, i);
	}
}

// The lowest table that packets wait for, no longer from now on; -1: none.
static inline int next_waiting(struct burst *burst)
{
	for (unsigned word = 0; word < 4; word++) {
		if (burst->tables[word]) {
			int table = (int)(word * 64) + __builtin_ctzll(burst->tables[word]);

			burst->tables[word] &= burst->tables[word] - 1;
			return table;
		}
	}
	return -1;
}

// Goto only goes forward, so walking the tables upwards visits each at most once, but for packets
// that a resubmit takes back. Packets that take the same way meet in every table of it, in the
// order in which they came.
SPECIALISED void run_waiting(struct burst *burst, unsigned count, const bool traced)
{
	for (int table = next_waiting(burst); table >= 0; table = next_waiting(burst)) {
		if (traced)
			trace_table(burst, (uint8_t)table, burst->waiting[table], count);
		else
			run_table(burst, (uint8_t)table, burst->waiting[table], count);
	}
}

void burst_run_waiting(struct burst *burst, unsigned count)
{
	run_waiting(burst, count, false);
}

// As far as the installed flows look; all of it if traced.
SPECIALISED bool parse(
	struct packet *packet, struct packet_key *key, unsigned needs, const bool traced)
{
	if (traced)
		return packet_parse(packet, key, KEY_ALL_LINES);
	if (__builtin_expect(needs & KEY_NEEDS_HEADERS, 1))
		return packet_parse(packet, key, needs);
	if (needs & KEY_NEEDS_ETHERNET)
		return packet_parse_ethernet(packet, key, needs);
	return packet_parse_nothing(packet, key, needs);
}

// Those that are malformed end here; the others are returned.
SPECIALISED uint32_t parse_all(struct burst *burst, unsigned count, const bool traced)
{
	struct pipeline_sink *sink = burst->sink;
	uint32_t parsed = 0;

	for (unsigned i = 0; i < count; i++) {
		burst->key_pointers[i] = &burst->keys[i];
		if (parse(burst->packets[i], &burst->keys[i], burst->needs, traced))
			parsed |= 1u << i;
		else
			sink->drop(sink, burst->packets[i], DROP_MALFORMED);
	}
	return parsed;
}

bool burst_parse(struct burst *burst, unsigned i)
{
	return parse(burst->packets[i], &burst->keys[i], burst->needs, false);
}

uint32_t burst_parse_all(struct burst *burst, unsigned count)
{
	return parse_all(burst, count, false);
}

// What is the same for all packets of a burst.
SPECIALISED void execution_prepare(struct burst *burst, const bool traced)
{
	struct execution *execution = &burst->execution;

	execution->pipeline = burst->pipeline;
	execution->sink = burst->sink;
	execution->ports = burst->ports;
	execution->version = burst->version;
	execution->now_ms = burst->now_ms;
	execution->reader = burst->slot;
	execution->observer = traced ? burst->observer : NULL;
}

// From the parser to the end of every packet. The caller has filled in pipeline, sink, now_ms,
// packets, and either reader and slot or the observer.
SPECIALISED void burst_body(struct burst *burst, unsigned count, const bool traced)
{
	struct pipeline *pipeline = burst->pipeline;
	unsigned needs;
	uint32_t parsed;
	bool cached;

	memset(burst->tables, 0, sizeof(burst->tables));
	memset(burst->depth, 0, sizeof(burst->depth));
	for (unsigned i = 0; i < PIPELINE_BURST; i++)
		burst->lookups[i] = 1;
	burst->started = 0;
	burst->measured = 0;
	burst->cache = NULL;
	burst->recording = 0;
	burst->most_lookups = 1;
	burst->most_depth = 0;
	// The version comes first: lines and ports that it needs are there before it is published.
	burst->version = __atomic_load_n(&pipeline->version, __ATOMIC_ACQUIRE);
	needs = __atomic_load_n(&pipeline->needs, __ATOMIC_ACQUIRE);
	burst->needs = needs;
	burst->ports = __atomic_load_n(&pipeline->ports, __ATOMIC_ACQUIRE);
	execution_prepare(burst, traced);
	cached = !traced && cache_begin(burst);
	if (!traced && !cached && !(needs & KEY_FIRST_MATCHES_FRAME)) {
		burst_alike(burst, count);
		cache_finish(burst, count);
		return;
	}
	parsed = parse_all(burst, count, traced);
	if (cached)
		parsed = cache_run(burst, parsed);
	if (parsed && traced)
		trace_table(burst, 0, parsed, count);
	else if (parsed)
		run_table(burst, 0, parsed, count);
	run_waiting(burst, count, traced);
	if (!traced)
		cache_finish(burst, count);
}

void pipeline_run(struct pipeline *pipeline, unsigned reader, struct packet *packets[],
	unsigned count, uint64_t now_ms, struct pipeline_sink *sink)
{
	struct burst burst;

	burst.pipeline = pipeline;
	burst.reader = pipeline->readers[reader];
	burst.sink = sink;
	burst.slot = reader;
	burst.now_ms = now_ms;
	burst.packets = packets;
	burst_body(&burst, count, false);
}

void pipeline_trace(struct pipeline *pipeline, struct packet *packet, uint64_t now_ms,
	struct pipeline_sink *sink, struct pipeline_observer *observer)
{
	struct burst burst;

	burst.pipeline = pipeline;
	burst.reader = NULL;
	burst.sink = sink;
	burst.observer = observer;
	burst.slot = 0;
	burst.now_ms = now_ms;
	burst.packets = &packet;
	burst_body(&burst, 1, true);
}
