// SPDX-License-Identifier: Apache-2.0
#include <endian.h>
#include <string.h>

#include "pipeline/burst.h"

// Bursts of whose frames table 0 matches nothing: one lookup is that of all packets, since they
// come from one port.

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
	if (!burst_parse(burst, i)) {
		burst->sink->drop(burst->sink, burst->packets[i], DROP_MALFORMED);
		return;
	}
	count_lookups(burst->reader, 0, 1, flow != NULL);
	if (!flow) {
		burst_run_miss(burst, i);
		return;
	}
	count_hit(burst->reader, flow, burst->packets[i], burst->now_ms);
	burst_run_flow(burst, i, flow);
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

void burst_alike(struct burst *burst, unsigned count)
{
	const struct installed_flow *flow;
	uint32_t parsed;

	if (count == 0)
		return;
	flow = find_alike(burst->pipeline, burst->version, burst->packets[0]->in_port);
	if (flow && flow->normal) {
		burst_normal(burst, count, flow);
		return;
	}
	parsed = burst_parse_all(burst, count);
	count_lookups(burst->reader, 0, (unsigned)__builtin_popcount(parsed),
		flow ? (unsigned)__builtin_popcount(parsed) : 0);
	if (flow && parsed)
		burst_run_same(burst, parsed, flow);
	for (uint32_t left = flow ? 0 : parsed; left; left &= left - 1)
		burst_run_miss(burst, (unsigned)__builtin_ctz(left));
	burst_run_waiting(burst, count);
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
