// SPDX-License-Identifier: Apache-2.0
#include "pipeline/pipeline.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/observer.h"
#include "pipeline/pipeline_private.h"

// Set-up and the burst. Ports are in pipeline_ports.c, transactions in pipeline_flows.c, statistics
// in counters.c.

struct pipeline *pipeline_create(const struct pipeline_config *config)
{
	uint32_t size = config->mac_table_size ? config->mac_table_size : MAC_TABLE_SIZE_DEFAULT;
	struct pipeline *pipeline = calloc(1, sizeof(*pipeline));

	if (!pipeline)
		return NULL;
	pipeline->retirement = config->retirement;
	pipeline->metering = config->metering;
	pipeline->classifier = config->classifier;
	pipeline->version = 1;
	pipeline->needs = 1;
	pipeline->macs =
		mac_table_create(size, config->mac_aging ? config->mac_aging : MAC_AGING_DEFAULT);
	pipeline->ports = calloc(1, sizeof(*pipeline->ports));
	pipeline->flows = flow_store_create();
	if (objects_init(pipeline) != 0 || !pipeline->macs || !pipeline->ports ||
		!pipeline->flows) {
		pipeline_destroy(pipeline);
		return NULL;
	}
	return pipeline;
}

void pipeline_destroy(struct pipeline *pipeline)
{
	if (!pipeline)
		return;
	objects_end(pipeline);
	flow_store_destroy(pipeline->flows);
	for (unsigned t = 0; t < PIPELINE_TABLES; t++)
		flow_table_destroy(pipeline->tables[t]);
	counters_destroy(pipeline);
	mac_table_destroy(pipeline->macs);
	free(pipeline->ports);
	free(pipeline);
}

struct mac_table *pipeline_mac_table(struct pipeline *pipeline)
{
	return pipeline->macs;
}

// Every table has its turn, so that none that changes all the time keeps the others waiting.
struct classifier_job *pipeline_classifier_job(struct pipeline *pipeline, uint64_t now_ms)
{
	struct classifier_job *job = NULL;

	for (unsigned t = 0; t < PIPELINE_TABLES && pipeline->classifier && !job; t++) {
		struct flow_table *table = pipeline->tables[pipeline->next_job];

		pipeline->next_job = (pipeline->next_job + 1) % PIPELINE_TABLES;
		if (table)
			job = flow_table_job(table, pipeline->classifier, now_ms);
	}
	return job;
}

// --- Packets ---

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
	uint32_t started; // packets that have come through a table: progress[] is theirs
	struct packet **packets;
	struct packet_key keys[PIPELINE_BURST];
	const struct packet_key *key_pointers[PIPELINE_BURST];
	struct execution execution;                         // of the packet that is being run
	struct execution_progress progress[PIPELINE_BURST]; // of those that have a table to visit
};

static inline void count_hit(struct pipeline_reader *reader, const struct installed_flow *flow,
	const struct packet *packet, uint64_t now_ms)
{
	struct flow_counters *counters = flow_counters_of(reader, flow->counter);

	// One writer: plain additions, but stores that a reader of statistics sees whole.
	__atomic_store_n(&counters->packets, counters->packets + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&counters->bytes, counters->bytes + packet->length, __ATOMIC_RELAXED);
	if (counters->used_ms != now_ms)
		__atomic_store_n(&counters->used_ms, now_ms, __ATOMIC_RELAXED);
}

static inline void count_lookups(
	struct pipeline_reader *reader, uint8_t table, unsigned lookups, unsigned matched)
{
	struct table_counters *counters = &reader->tables[table];

	__atomic_store_n(&counters->lookups, counters->lookups + lookups, __ATOMIC_RELAXED);
	__atomic_store_n(&counters->matched, counters->matched + matched, __ATOMIC_RELAXED);
}

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

// Make burst->execution that of packet i, which goes on from where it was or begins.
static inline void execution_resume(struct burst *burst, unsigned i)
{
	static const struct execution_progress beginning = {
		.lookups = 1,
		.pending = OFPORT_NONE,
		.reason = DROP_ACTION_DROP,
	};
	struct execution *execution = &burst->execution;

	execution->depth = 0;
	execution->packet = burst->packets[i];
	execution->key = &burst->keys[i];
	execution->progress = burst->started & 1u << i ? burst->progress[i] : beginning;
}

static inline void packet_waits(struct burst *burst, unsigned i, unsigned table)
{
	uint64_t *word = &burst->tables[table / 64];
	uint64_t bit = 1ULL << table % 64;

	burst->waiting[table] = (*word & bit ? burst->waiting[table] : 0) | 1u << i;
	*word |= bit;
}

SPECIALISED void run_flow(
	struct burst *burst, unsigned i, const struct installed_flow *flow, const bool traced)
{
	struct execution *execution = &burst->execution;

	if (flow->simple && !(burst->started & 1u << i)) {
		if (traced)
			observe_simple(burst, i, flow);
		run_simple(burst, i, flow);
		return;
	}
	execution_resume(burst, i);
	execution->flow = flow;
	if (!execution_run(execution, &flow->flow.actions))
		return;
	if (execution->next_table < 0) {
		execution_finish(execution);
		return;
	}
	execution->progress.lookups++;
	burst->progress[i] = execution->progress;
	burst->started |= 1u << i;
	packet_waits(burst, i, (unsigned)execution->next_table);
}

static void run_miss(struct burst *burst, unsigned i)
{
	if (!(burst->started & 1u << i)) {
		burst->sink->drop(burst->sink, burst->packets[i], DROP_TABLE_MISS);
		return;
	}
	execution_resume(burst, i);
	execution_note(&burst->execution, DROP_TABLE_MISS);
	execution_finish(&burst->execution);
}

// Look the packets of `wanted` up in one table and run what they hit.
SPECIALISED void table_body(
	struct burst *burst, uint8_t number, uint32_t wanted, unsigned count, const bool traced)
{
	struct flow_table *table =
		__atomic_load_n(&burst->pipeline->tables[number], __ATOMIC_ACQUIRE);
	const struct rule *best[PIPELINE_BURST];
	unsigned matched = 0;

	if (table)
		flow_table_find(table, burst->version, burst->key_pointers, wanted, count, best);
	for (uint32_t left = wanted; left; left &= left - 1) {
		unsigned i = __builtin_ctz(left);

		if (traced)
			observe_lookup(
				burst->observer, number, &burst->keys[i], table ? best[i] : NULL);
		if (!table || !best[i]) {
			run_miss(burst, i);
			continue;
		}
		matched++;
		if (!traced)
			count_hit(burst->reader, best[i]->flow, burst->packets[i], burst->now_ms);
		run_flow(burst, i, best[i]->flow, traced);
	}
	if (!traced)
		count_lookups(burst->reader, number, __builtin_popcount(wanted), matched);
}

static void run_table(struct burst *burst, uint8_t number, uint32_t wanted, unsigned count)
{
	table_body(burst, number, wanted, count, false);
}

static __attribute__((cold, noinline)) void trace_table(
	struct burst *burst, uint8_t number, uint32_t wanted, unsigned count)
{
	table_body(burst, number, wanted, count, true);
}

// Goto only goes forward, so walking the tables upwards visits each at most once.
SPECIALISED void run_waiting(struct burst *burst, unsigned count, const bool traced)
{
	for (unsigned word = 0; word < 4; word++) {
		while (burst->tables[word]) {
			unsigned table = word * 64 + (unsigned)__builtin_ctzll(burst->tables[word]);

			burst->tables[word] &= burst->tables[word] - 1;
			if (traced)
				trace_table(burst, (uint8_t)table, burst->waiting[table], count);
			else
				run_table(burst, (uint8_t)table, burst->waiting[table], count);
		}
	}
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

static void count_hits(struct pipeline_reader *reader, const struct installed_flow *flow,
	unsigned packets, uint64_t bytes, uint64_t now_ms)
{
	struct flow_counters *counters = flow_counters_of(reader, flow->counter);

	__atomic_store_n(&counters->packets, counters->packets + packets, __ATOMIC_RELAXED);
	__atomic_store_n(&counters->bytes, counters->bytes + bytes, __ATOMIC_RELAXED);
	if (counters->used_ms != now_ms)
		__atomic_store_n(&counters->used_ms, now_ms, __ATOMIC_RELAXED);
}

// What table 0 has for all packets that come from `in_port`, where no flow of it matches anything
// of a frame. NULL: a miss.
static const struct installed_flow *find_alike(
	struct pipeline *pipeline, uint64_t version, uint16_t in_port)
{
	struct flow_table *table = __atomic_load_n(&pipeline->tables[0], __ATOMIC_ACQUIRE);
	struct packet_key key;
	const struct packet_key *keys[1] = {&key};
	const struct rule *best[1] = {NULL};

	if (!table)
		return NULL;
	memset(&key, 0, sizeof(key));
	key.in_port = htobe16(in_port);
	flow_table_find(table, version, keys, 1, 1, best);
	return best[0] ? best[0]->flow : NULL;
}

static void run_whole(struct burst *burst, unsigned i, const struct installed_flow *flow)
{
	if (!parse(burst->packets[i], &burst->keys[i], burst->needs, false)) {
		burst->sink->drop(burst->sink, burst->packets[i], DROP_MALFORMED);
		return;
	}
	count_lookups(burst->reader, 0, 1, flow != NULL);
	if (!flow) {
		run_miss(burst, i);
		return;
	}
	count_hit(burst->reader, flow, burst->packets[i], burst->now_ms);
	run_flow(burst, i, flow, false);
}

struct normal_rest {
	struct burst *burst;
	const struct installed_flow *flow;
	unsigned packets;
	uint64_t bytes;
};

static void run_normal_rest(void *context, unsigned i)
{
	struct normal_rest *rest = context;

	// Counted with all others, but for one that turns out to be malformed.
	rest->packets++;
	rest->bytes += rest->burst->packets[i]->length;
	run_whole(rest->burst, i, rest->flow);
}

static void burst_normal(struct burst *burst, unsigned count, const struct installed_flow *flow)
{
	struct normal_rest rest = {.burst = burst, .flow = flow};
	uint64_t bytes = normal_run_burst(burst->pipeline, burst->ports, burst->packets, count,
		burst->now_ms, burst->sink, run_normal_rest, &rest);

	count -= rest.packets;
	count_hits(burst->reader, flow, count, bytes - rest.bytes, burst->now_ms);
	count_lookups(burst->reader, 0, count, count);
}

// No flow of table 0 matches anything of a frame, so one lookup is that of all packets, which come
// from one port.
static void burst_alike(struct burst *burst, unsigned count)
{
	const struct installed_flow *flow;

	if (count == 0)
		return;
	flow = find_alike(burst->pipeline, burst->version, burst->packets[0]->in_port);
	if (flow && flow->normal) {
		burst_normal(burst, count, flow);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		burst->key_pointers[i] = &burst->keys[i];
		run_whole(burst, i, flow);
	}
	run_waiting(burst, count, false);
}

// From the parser to the end of every packet. The caller has filled in pipeline, sink, now_ms,
// packets, and either reader and slot or the observer.
SPECIALISED void burst_body(struct burst *burst, unsigned count, const bool traced)
{
	struct pipeline *pipeline = burst->pipeline;
	struct pipeline_sink *sink = burst->sink;
	unsigned needs;
	uint32_t parsed = 0;

	memset(burst->tables, 0, sizeof(burst->tables));
	burst->started = 0;
	// The version comes first: lines and ports that it needs are there before it is published.
	burst->version = __atomic_load_n(&pipeline->version, __ATOMIC_ACQUIRE);
	needs = __atomic_load_n(&pipeline->needs, __ATOMIC_ACQUIRE);
	burst->needs = needs;
	burst->ports = __atomic_load_n(&pipeline->ports, __ATOMIC_ACQUIRE);
	execution_prepare(burst, traced);
	if (!traced && !(needs & KEY_FIRST_MATCHES_FRAME)) {
		burst_alike(burst, count);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		burst->key_pointers[i] = &burst->keys[i];
		if (parse(burst->packets[i], &burst->keys[i], needs, traced))
			parsed |= 1u << i;
		else
			sink->drop(sink, burst->packets[i], DROP_MALFORMED);
	}
	if (parsed && traced)
		trace_table(burst, 0, parsed, count);
	else if (parsed)
		run_table(burst, 0, parsed, count);
	run_waiting(burst, count, traced);
}

bool pipeline_run_alike(struct pipeline *pipeline, unsigned slot, uint16_t in_port, unsigned count,
	uint64_t bytes, uint64_t now_ms, uint16_t *port)
{
	uint64_t version = __atomic_load_n(&pipeline->version, __ATOMIC_ACQUIRE);
	unsigned needs = __atomic_load_n(&pipeline->needs, __ATOMIC_ACQUIRE);
	const struct port_set *ports = __atomic_load_n(&pipeline->ports, __ATOMIC_ACQUIRE);
	struct pipeline_reader *reader = pipeline->readers[slot];
	const struct installed_flow *flow;

	if (needs & KEY_FIRST_MATCHES_FRAME)
		return false;
	flow = find_alike(pipeline, version, in_port);
	if (!flow || !flow->simple || flow->simple_port == OFPORT_NONE ||
		flow->simple_port == in_port || !ports->by_number[flow->simple_port])
		return false;
	count_hits(reader, flow, count, bytes, now_ms);
	count_lookups(reader, 0, count, count);
	*port = flow->simple_port;
	return true;
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

void pipeline_packet_out(struct pipeline *pipeline, unsigned reader, struct packet *packet,
	const struct action_list *actions, uint64_t now_ms, struct pipeline_sink *sink)
{
	struct packet_key key;
	struct execution execution = {
		.pipeline = pipeline,
		.sink = sink,
		.packet = packet,
		.key = &key,
		.version = __atomic_load_n(&pipeline->version, __ATOMIC_ACQUIRE),
		.now_ms = now_ms,
		.reader = reader,
		.ports = __atomic_load_n(&pipeline->ports, __ATOMIC_ACQUIRE),
		.progress = {.pending = OFPORT_NONE, .reason = DROP_ACTION_DROP},
	};

	// Whole: the list may use what no flow does.
	if (packet_parse(packet, &key, KEY_ALL_LINES))
		execution_run_whole(&execution, actions);
	else
		sink->drop(sink, packet, DROP_MALFORMED);
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
