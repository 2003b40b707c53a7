// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/flow_cache.h"
#include "pipeline/flow_text.h"
#include "pipeline/pipeline.h"

// Random chains of tables and few different packets, with the cache and without, while transactions
// change the flows: what becomes of each packet, and all counters, must be the same.

#define TABLES 6
#define FLOWS 40
#define HEADROOM 128
#define FRAME 64
#define OUTCOME_MAX 64

// What became of one packet: where it and its copies went, as what, and why not.
struct outcome {
	uint32_t words[OUTCOME_MAX];
	unsigned count;
};

struct bench {
	struct pipeline_sink sink;
	struct pipeline *pipeline;
	struct outcome outcomes[PIPELINE_BURST];
};

struct test_packet {
	struct packet packet; // first
	unsigned index;
	uint8_t buffer[HEADROOM + FRAME];
};

static uint32_t state;

static unsigned below(unsigned limit)
{
	state = state * 1664525 + 1013904223;
	return (unsigned)((uint64_t)(state >> 8) * limit >> 24);
}

static void note(struct pipeline_sink *sink, struct packet *packet, uint32_t word)
{
	struct outcome *outcome =
		&((struct bench *)sink)->outcomes[((struct test_packet *)packet)->index];

	assert_true(outcome->count < OUTCOME_MAX);
	outcome->words[outcome->count++] = word;
}

static void sink_output(struct pipeline_sink *sink, struct packet *packet, uint16_t port)
{
	note(sink, packet, 1000u + port);
	note(sink, packet, packet->data[22]); // TTL
	free(packet);
}

static void sink_drop(struct pipeline_sink *sink, struct packet *packet, enum drop_reason reason)
{
	note(sink, packet, 2000u + reason);
	free(packet);
}

static struct packet *sink_copy(struct pipeline_sink *sink, const struct packet *packet)
{
	struct test_packet *copy = malloc(sizeof(*copy));

	memcpy(copy, packet, sizeof(*copy));
	copy->packet.data = copy->buffer + HEADROOM;
	return &copy->packet;
}

static void sink_learn(
	struct pipeline_sink *sink, const uint8_t mac[6], uint16_t vlan, uint16_t port)
{
}

// At once, so that what is used too long is found out.
static void retire(void *context, void (*free_fn)(void *), void *memory)
{
	free_fn(memory);
}

// --- Flows ---

// No two have the same priority, which would be two flows in one place.
static void flow_text(char *text, size_t size, unsigned priority)
{
	static const char *const matches[] = {"", ",reg0=%u", ",reg1=%u", ",metadata=%u",
		",reg5=%u", ",ip,nw_src=10.0.0.%u", ",ip,nw_ttl=%u", ",udp,tp_dst=%u",
		",dl_src=02:00:00:00:00:0%u", ",in_port=%u"};
	static const char *const writes[] = {"load:%u->reg0", "load:%u->reg1[8..15]",
		"load:%u->reg1[0..7]", "write_metadata:%u", "set_field:%u->reg5"};
	unsigned table = below(TABLES);
	int at = snprintf(text, size, "table=%u,priority=%u", table, priority);
	char actions[100] = "";
	int used = 0;

	for (unsigned parts = below(3); parts > 0; parts--)
		at += snprintf(text + at, size - (size_t)at, matches[below(10)], below(4));
	for (unsigned parts = below(4); parts > 0; parts--) {
		used += snprintf(
			actions + used, sizeof(actions) - (size_t)used, writes[below(5)], below(4));
		actions[used++] = ',';
		actions[used] = '\0';
	}
	at += snprintf(text + at, size - (size_t)at, ",ip,actions=%s", actions);
	switch (below(12)) {
	case 0:
		snprintf(text + at, size - (size_t)at, "output:%u", 1 + below(3));
		break;
	case 1:
		snprintf(text + at, size - (size_t)at, "dec_ttl,resubmit(,%u)", below(TABLES));
		break;
	case 2:
		snprintf(text + at, size - (size_t)at, "output:2,resubmit(,%u)", below(TABLES + 1));
		break;
	case 3:
	case 4:
	case 5:
		snprintf(text + at, size - (size_t)at, "resubmit(,%u)", below(TABLES));
		break;
	default:
		snprintf(text + at, size - (size_t)at, "goto_table:%u",
			table + 1 + below(TABLES - table));
	}
}

static uint64_t flow_ids[FLOWS];
static uint64_t next_id;

// Remove, change or add the flow at a random place. In both pipelines.
static void change(struct bench benches[2])
{
	unsigned place = below(FLOWS);
	bool there = flow_ids[place] != 0, removes = there && below(2) == 0;
	uint64_t id = there ? flow_ids[place] : ++next_id;
	char text[400];

	flow_text(text, sizeof(text), 1 + (place * 17) % FLOWS);
	for (unsigned b = 0; b < 2; b++) {
		struct pipeline *pipeline = benches[b].pipeline;
		struct flow_request request;
		struct flow_error error;

		if (removes) {
			assert_int_equal(pipeline_flow_remove(pipeline, id), 0);
			continue;
		}
		if (flow_request_parse(&request, text, FLOW_ADD, NULL, NULL, &error))
			return; // matches that exclude each other
		if (there)
			assert_int_equal(pipeline_flow_modify(pipeline, id, &request.flow), 0);
		else
			assert_int_equal(pipeline_flow_add(pipeline, id, &request.flow), 0);
	}
	flow_ids[place] = removes ? 0 : id;
}

static void benches_run(struct bench benches[2]);

static void transaction(struct bench benches[2])
{
	uint64_t before[FLOWS];
	bool commits = below(4) > 0;

	memcpy(before, flow_ids, sizeof(before));
	for (unsigned b = 0; b < 2; b++)
		pipeline_begin(benches[b].pipeline);
	for (unsigned changes = 1 + below(3); changes > 0; changes--) {
		change(benches);
		benches_run(benches);
	}
	for (unsigned b = 0; b < 2; b++) {
		if (commits)
			pipeline_commit(benches[b].pipeline);
		else
			pipeline_abort(benches[b].pipeline);
	}
	if (!commits)
		memcpy(flow_ids, before, sizeof(before));
}

// --- Packets ---

static void packet_make(uint8_t frame[FRAME])
{
	static const uint8_t start[38] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 46,
		0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 4, 0, 0, 80};

	memset(frame, 0, FRAME);
	memcpy(frame, start, sizeof(start));
	frame[39] = 26;
	frame[11] = (uint8_t)below(2);
	frame[22] = (uint8_t)below(4);
	frame[29] = (uint8_t)below(4);
	frame[37] = (uint8_t)below(3);
}

static void run(struct bench *bench, enum cache_mode mode, uint8_t frames[][FRAME],
	uint16_t in_port, unsigned count)
{
	struct packet *packets[PIPELINE_BURST];

	for (unsigned i = 0; i < count; i++) {
		struct test_packet *made = calloc(1, sizeof(*made));

		made->packet = (struct packet){.data = made->buffer + HEADROOM,
			.headroom = HEADROOM,
			.linear = FRAME,
			.length = FRAME,
			.in_port = in_port};
		made->index = i;
		memcpy(made->packet.data, frames[i], FRAME);
		packets[i] = &made->packet;
	}
	memset(bench->outcomes, 0, sizeof(bench->outcomes));
	cache_force(mode, 8);
	pipeline_run(bench->pipeline, 0, packets, count, 1000, &bench->sink);
}

static void benches_run(struct bench benches[2])
{
	static uint8_t frames[PIPELINE_BURST][FRAME];
	unsigned count = below(3) == 0 ? PIPELINE_BURST : 1 + below(PIPELINE_BURST);
	uint16_t in_port = (uint16_t)(1 + below(2));

	for (unsigned i = 0; i < count; i++) {
		packet_make(frames[i]);
		if (i > 0 && below(2) == 0)
			memcpy(frames[i], frames[i - 1], FRAME);
	}
	run(&benches[0], CACHE_ALWAYS, frames, in_port, count);
	run(&benches[1], CACHE_NEVER, frames, in_port, count);
	assert_memory_equal(benches[0].outcomes, benches[1].outcomes, sizeof(benches[0].outcomes));
}

static void same_counters(struct bench benches[2], unsigned tables)
{
	for (unsigned f = 0; f < FLOWS; f++) {
		struct pipeline_flow_stats stats[2];

		for (unsigned b = 0; b < 2 && flow_ids[f]; b++)
			assert_int_equal(
				pipeline_flow_stats(benches[b].pipeline, flow_ids[f], &stats[b]),
				0);
		if (!flow_ids[f])
			continue;
		assert_int_equal(stats[0].packets, stats[1].packets);
		assert_int_equal(stats[0].bytes, stats[1].bytes);
		assert_int_equal(stats[0].used_ms, stats[1].used_ms);
	}
	for (unsigned table = 0; table < tables; table++) {
		struct pipeline_table_stats stats[2];

		for (unsigned b = 0; b < 2; b++)
			pipeline_table_stats(benches[b].pipeline, (uint8_t)table, &stats[b]);
		assert_int_equal(stats[0].lookups, stats[1].lookups);
		assert_int_equal(stats[0].matched, stats[1].matched);
	}
}

static void bench_open(struct bench *bench)
{
	struct pipeline_config config = {.retirement = {retire, NULL}};

	memset(bench, 0, sizeof(*bench));
	bench->sink = (struct pipeline_sink){sink_output, sink_drop, sink_copy, sink_learn};
	bench->pipeline = pipeline_create(&config);
	for (uint16_t number = 1; number <= 3; number++)
		assert_int_equal(pipeline_port_set(bench->pipeline,
					 &(struct pipeline_port){.number = number}),
			0);
	assert_int_equal(pipeline_reader_add(bench->pipeline, 0), 0);
}

static void test_as_without(void **context)
{
	static struct bench benches[2];
	uint64_t hits = 0;

	for (uint32_t seed = 1; seed <= 60; seed++) {
		state = seed;
		next_id = 0;
		memset(flow_ids, 0, sizeof(flow_ids));
		cache_force(CACHE_ALWAYS, 8);
		bench_open(&benches[0]);
		bench_open(&benches[1]);
		for (unsigned i = 0; i < 30; i++)
			transaction(benches);
		for (unsigned i = 0; i < 60; i++) {
			transaction(benches);
			for (unsigned bursts = 0; bursts < 6; bursts++)
				benches_run(benches);
			same_counters(benches, TABLES + 1);
		}
		hits += cache_hits(benches[0].pipeline, 0);
		pipeline_destroy(benches[0].pipeline);
		pipeline_destroy(benches[1].pipeline);
	}
	printf("%llu packets by way of the cache\n", (unsigned long long)hits);
	assert_true(hits > 20000);
	cache_force(CACHE_IF_IT_PAYS, 0);
}

// In circles through all tables: the bound on lookups is met in the same table. The way that is
// cached ends early, since a copy is sent there.
static void test_lookup_limit(void **context)
{
	static struct bench benches[2];

	cache_force(CACHE_ALWAYS, 8);
	for (unsigned b = 0; b < 2; b++) {
		bench_open(&benches[b]);
		pipeline_begin(benches[b].pipeline);
		for (unsigned table = 0; table < PIPELINE_TABLES; table++) {
			struct flow_request request;
			struct flow_error error;
			char text[100];

			snprintf(text, sizeof(text), "table=%u,ip,actions=%sgoto_table:%u", table,
				table == 7 ? "dec_ttl," : "", table + 1);
			if (table == FLOW_MAX_TABLE)
				snprintf(text, sizeof(text), "table=%u,ip,actions=resubmit(,0)",
					table);
			assert_int_equal(
				flow_request_parse(&request, text, FLOW_ADD, NULL, NULL, &error),
				0);
			assert_int_equal(
				pipeline_flow_add(benches[b].pipeline, table + 1, &request.flow),
				0);
		}
		pipeline_commit(benches[b].pipeline);
	}
	memset(flow_ids, 0, sizeof(flow_ids));
	for (unsigned bursts = 0; bursts < 4; bursts++) {
		static uint8_t frames[PIPELINE_BURST][FRAME];

		for (unsigned i = 0; i < PIPELINE_BURST; i++) {
			packet_make(frames[i]);
			frames[i][22] = 64;
		}
		run(&benches[0], CACHE_ALWAYS, frames, 1, PIPELINE_BURST);
		run(&benches[1], CACHE_NEVER, frames, 1, PIPELINE_BURST);
		assert_memory_equal(
			benches[0].outcomes, benches[1].outcomes, sizeof(benches[0].outcomes));
		assert_int_equal(benches[0].outcomes[0].words[0], 2000 + DROP_RESUBMIT_LIMIT);
	}
	same_counters(benches, PIPELINE_TABLES);
	assert_true(cache_hits(benches[0].pipeline, 0) > 0);
	for (unsigned b = 0; b < 2; b++)
		pipeline_destroy(benches[b].pipeline);
	cache_force(CACHE_IF_IT_PAYS, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_without),
		cmocka_unit_test(test_lookup_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
