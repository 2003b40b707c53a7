// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/flow_text.h"
#include "pipeline/pipeline.h"

// Transactions, versions and counters of a pipeline, with grace periods that the test decides on.

struct retired {
	void (*free_fn)(void *);
	void *memory;
};

struct bench {
	struct pipeline *pipeline;
	struct retired retired[256];
	unsigned retired_count;
	// What came of the last burst.
	struct pipeline_sink sink;
	unsigned outputs, drops[DROP_REASON_COUNT];
	uint16_t last_port;
	unsigned learned;
};

static void retire(void *context, void (*free_fn)(void *), void *memory)
{
	struct bench *bench = context;

	assert_true(bench->retired_count < 256);
	bench->retired[bench->retired_count++] = (struct retired){free_fn, memory};
}

// Let all grace periods end, those that begin meanwhile too.
static void grace(struct bench *bench)
{
	for (unsigned i = 0; i < bench->retired_count; i++)
		bench->retired[i].free_fn(bench->retired[i].memory);
	bench->retired_count = 0;
}

static void sink_output(struct pipeline_sink *sink, struct packet *packet, uint16_t port)
{
	struct bench *bench = (struct bench *)((char *)sink - offsetof(struct bench, sink));

	bench->outputs++;
	bench->last_port = port;
}

static void sink_drop(struct pipeline_sink *sink, struct packet *packet, enum drop_reason reason)
{
	struct bench *bench = (struct bench *)((char *)sink - offsetof(struct bench, sink));

	bench->drops[reason]++;
}

static struct packet *sink_copy(struct pipeline_sink *sink, const struct packet *packet)
{
	return NULL;
}

static void sink_learn(
	struct pipeline_sink *sink, const uint8_t mac[6], uint16_t vlan, uint16_t port)
{
	struct bench *bench = (struct bench *)((char *)sink - offsetof(struct bench, sink));

	bench->learned++;
}

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct pipeline_config config = {.retirement = {retire, bench}};

	bench->pipeline = pipeline_create(&config);
	assert_non_null(bench->pipeline);
	bench->sink = (struct pipeline_sink){sink_output, sink_drop, sink_copy, sink_learn};
	assert_int_equal(pipeline_reader_add(bench->pipeline, 0), 0);
	for (uint16_t number = 1; number <= 4; number++) {
		struct pipeline_port port = {.number = number};

		assert_int_equal(pipeline_port_set(bench->pipeline, &port), 0);
	}
	grace(bench);
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	grace(bench);
	pipeline_destroy(bench->pipeline);
	free(bench);
	return 0;
}

static struct flow flow_of(const char *text)
{
	struct flow_request request;
	struct flow_error error;

	if (flow_request_parse(&request, text, FLOW_ADD, NULL, NULL, &error))
		fail_msg("%s: %s", text, error.message);
	return request.flow;
}

static int add(struct bench *bench, uint64_t id, const char *text)
{
	struct flow flow = flow_of(text);

	return pipeline_flow_add(bench->pipeline, id, &flow);
}

static void install(struct bench *bench, uint64_t id, const char *text)
{
	pipeline_begin(bench->pipeline);
	assert_int_equal(add(bench, id, text), 0);
	pipeline_commit(bench->pipeline);
}

static void remove_flow(struct bench *bench, uint64_t id)
{
	pipeline_begin(bench->pipeline);
	assert_int_equal(pipeline_flow_remove(bench->pipeline, id), 0);
	pipeline_commit(bench->pipeline);
}

// Send one UDP packet to port `destination` from port 1; returns where it went, 0 if dropped.
static uint16_t send(struct bench *bench, uint16_t destination)
{
	static const uint8_t frame[60] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 46,
		0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 4, 0, 0, 0, 0, 26};
	uint8_t buffer[128 + 60];
	struct packet packet = {
		.data = buffer + 128, .headroom = 128, .linear = 60, .length = 60, .in_port = 1};
	struct packet *packets[1] = {&packet};

	memcpy(packet.data, frame, sizeof(frame));
	packet.data[36] = destination >> 8;
	packet.data[37] = destination & 0xff;
	bench->outputs = 0;
	memset(bench->drops, 0, sizeof(bench->drops));
	pipeline_run(bench->pipeline, 0, packets, 1, 1000, &bench->sink);
	return bench->outputs ? bench->last_port : 0;
}

static struct pipeline_flow_stats stats_of(struct bench *bench, uint64_t id)
{
	struct pipeline_flow_stats stats = {0};

	assert_int_equal(pipeline_flow_stats(bench->pipeline, id, &stats), 0);
	return stats;
}

static void test_add_and_remove(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(send(bench, 80), 0);
	assert_int_equal(bench->drops[DROP_TABLE_MISS], 1);
	install(bench, 1, "udp,udp_dst=80,actions=output:2");
	install(bench, 2, "priority=1,actions=output:3");
	assert_int_equal(send(bench, 80), 2);
	assert_int_equal(send(bench, 81), 3);
	assert_int_equal(stats_of(bench, 1).packets, 1);
	assert_int_equal(stats_of(bench, 1).bytes, 60);
	assert_int_equal(stats_of(bench, 1).used_ms, 1000);
	remove_flow(bench, 1);
	// In force at once, whether or not the grace period is over.
	assert_int_equal(send(bench, 80), 3);
	grace(bench);
	assert_int_equal(send(bench, 80), 3);
	assert_int_equal(pipeline_flow_count(bench->pipeline), 1);
}

static void test_nothing_before_commit(void **state)
{
	struct bench *bench = *state;

	install(bench, 1, "priority=1,actions=output:2");
	pipeline_begin(bench->pipeline);
	assert_int_equal(add(bench, 2, "priority=9,actions=output:3"), 0);
	assert_int_equal(pipeline_flow_remove(bench->pipeline, 1), 0);
	assert_int_equal(send(bench, 80), 2);
	pipeline_commit(bench->pipeline);
	assert_int_equal(send(bench, 80), 3);
}

static void test_abort(void **state)
{
	struct bench *bench = *state;
	struct flow flow = flow_of("priority=1,actions=output:4");

	install(bench, 1, "priority=1,actions=output:2");
	assert_int_equal(send(bench, 80), 2);
	pipeline_begin(bench->pipeline);
	assert_int_equal(add(bench, 2, "priority=9,actions=output:3"), 0);
	assert_int_equal(pipeline_flow_modify(bench->pipeline, 1, &flow), 0);
	assert_int_equal(pipeline_flow_remove(bench->pipeline, 1), 0);
	assert_int_equal(add(bench, 1, "priority=2,actions=output:3"), 0);
	pipeline_abort(bench->pipeline);
	assert_int_equal(send(bench, 80), 2);
	assert_int_equal(pipeline_flow_count(bench->pipeline), 1);
	assert_int_equal(stats_of(bench, 1).packets, 2);
	// The version that was not published is used by the next transaction.
	install(bench, 3, "udp,udp_dst=81,actions=output:4");
	assert_int_equal(send(bench, 80), 2);
	grace(bench);
	assert_int_equal(send(bench, 81), 4);
}

static void test_refusals(void **state)
{
	struct bench *bench = *state;
	struct flow flow = flow_of("actions=output:4");

	install(bench, 1, "priority=1,actions=output:2");
	pipeline_begin(bench->pipeline);
	assert_int_equal(add(bench, 1, "priority=2,actions=drop"), -EEXIST);
	assert_int_equal(pipeline_flow_remove(bench->pipeline, 7), -ENOENT);
	assert_int_equal(pipeline_flow_modify(bench->pipeline, 7, &flow), -ENOENT);
	pipeline_abort(bench->pipeline);
	assert_int_equal(send(bench, 1), 2);
}

static void test_modify_keeps_counters(void **state)
{
	struct bench *bench = *state;
	struct flow flow = flow_of("priority=1,actions=output:3");

	install(bench, 1, "priority=1,actions=output:2");
	send(bench, 80);
	pipeline_begin(bench->pipeline);
	assert_int_equal(pipeline_flow_modify(bench->pipeline, 1, &flow), 0);
	pipeline_commit(bench->pipeline);
	assert_int_equal(send(bench, 80), 3);
	assert_int_equal(stats_of(bench, 1).packets, 2);
	grace(bench);
	assert_int_equal(stats_of(bench, 1).packets, 2);
	flow = flow_of("reset_counts,priority=1,actions=output:4");
	pipeline_begin(bench->pipeline);
	assert_int_equal(pipeline_flow_modify(bench->pipeline, 1, &flow), 0);
	pipeline_commit(bench->pipeline);
	assert_int_equal(stats_of(bench, 1).packets, 0);
	assert_int_equal(send(bench, 80), 4);
	assert_int_equal(stats_of(bench, 1).packets, 1);
}

// A counter that a dead flow leaves behind starts from zero with the next one.
static void test_counters_are_reused_clean(void **state)
{
	struct bench *bench = *state;

	for (uint64_t id = 1; id < 10; id++) {
		install(bench, id, "actions=output:2");
		assert_int_equal(stats_of(bench, id).packets, 0);
		send(bench, 80);
		assert_int_equal(stats_of(bench, id).packets, 1);
		remove_flow(bench, id);
		grace(bench);
	}
}

// More counters than a chunk holds, and a reader that joins when they are there.
static void test_many_flows_and_a_late_reader(void **state)
{
	enum { FLOWS = 10000 };
	struct bench *bench = *state;
	uint64_t total = 0;

	pipeline_begin(bench->pipeline);
	for (unsigned i = 0; i < FLOWS; i++) {
		char text[80];

		snprintf(text, sizeof(text), "udp,udp_dst=%u,actions=output:%u", i, 2 + i % 3);
		assert_int_equal(add(bench, i + 1, text), 0);
		if (bench->retired_count > 200)
			grace(bench);
	}
	pipeline_commit(bench->pipeline);
	assert_int_equal(pipeline_reader_add(bench->pipeline, 5), 0);
	for (unsigned i = 0; i < FLOWS; i += 7)
		assert_int_equal(send(bench, i), 2 + i % 3);
	for (unsigned i = 0; i < FLOWS; i++)
		total += stats_of(bench, i + 1).packets;
	assert_int_equal(total, (FLOWS + 6) / 7);
}

static void test_tables_and_their_counters(void **state)
{
	struct bench *bench = *state;
	struct pipeline_table_stats stats;

	install(bench, 1, "udp,actions=load:5->NXM_NX_REG5[],goto_table:3");
	install(bench, 2, "table=3,reg5=5,udp,udp_dst=80,actions=output:4");
	assert_int_equal(send(bench, 80), 4);
	assert_int_equal(send(bench, 81), 0);
	assert_int_equal(bench->drops[DROP_TABLE_MISS], 1);
	pipeline_table_stats(bench->pipeline, 0, &stats);
	assert_int_equal(stats.lookups, 2);
	assert_int_equal(stats.matched, 2);
	assert_int_equal(stats.flows, 1);
	pipeline_table_stats(bench->pipeline, 3, &stats);
	assert_int_equal(stats.lookups, 2);
	assert_int_equal(stats.matched, 1);
}

static void test_port_ranges_count_as_one_flow(void **state)
{
	struct bench *bench = *state;

	install(bench, 1, "udp,udp_dst=1000-2000,actions=output:2");
	assert_int_equal(send(bench, 999), 0);
	assert_int_equal(send(bench, 1000), 2);
	assert_int_equal(send(bench, 1500), 2);
	assert_int_equal(send(bench, 2000), 2);
	assert_int_equal(send(bench, 2001), 0);
	assert_int_equal(stats_of(bench, 1).packets, 3);
	assert_int_equal(pipeline_flow_count(bench->pipeline), 1);
	remove_flow(bench, 1);
	grace(bench);
	assert_int_equal(send(bench, 1500), 0);
}

static void test_ports_come_and_go(void **state)
{
	struct bench *bench = *state;

	install(bench, 1, "actions=output:4");
	assert_int_equal(send(bench, 80), 4);
	assert_int_equal(pipeline_port_remove(bench->pipeline, 4), 0);
	assert_int_equal(send(bench, 80), 0);
	assert_int_equal(bench->drops[DROP_NO_PORT], 1);
	grace(bench);
	install(bench, 2, "priority=40000,actions=output:1");
	assert_int_equal(send(bench, 80), 0);
	assert_int_equal(bench->drops[DROP_INGRESS_PORT], 1);
}

static void test_short_frames(void **state)
{
	struct bench *bench = *state;
	uint8_t bytes[8] = {0};
	struct packet packet = {.data = bytes, .linear = 8, .length = 8, .in_port = 1};
	struct packet *packets[1] = {&packet};

	install(bench, 1, "actions=output:2");
	pipeline_run(bench->pipeline, 0, packets, 1, 1, &bench->sink);
	assert_int_equal(bench->drops[DROP_MALFORMED], 1);
	assert_int_equal(stats_of(bench, 1).packets, 0);
}

int main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(test_add_and_remove),
		TEST(test_nothing_before_commit),
		TEST(test_abort),
		TEST(test_refusals),
		TEST(test_modify_keeps_counters),
		TEST(test_counters_are_reused_clean),
		TEST(test_many_flows_and_a_late_reader),
		TEST(test_tables_and_their_counters),
		TEST(test_port_ranges_count_as_one_flow),
		TEST(test_ports_come_and_go),
		TEST(test_short_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
