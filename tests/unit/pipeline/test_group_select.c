// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/group_select.h"
#include "tests/unit/pipeline/group_bench.h"

// Which bucket of a select group a packet gets.

// --- Select ---

#define FLOWS 8192

static unsigned port_of_flow(struct bench *bench, unsigned flow)
{
	send_frame(bench, (uint16_t)flow);
	assert_int_equal(bench->count, 1);
	return bench->outputs[0].port;
}

static void spread(struct bench *bench, uint8_t ports[FLOWS], unsigned counts[PORTS + 1])
{
	memset(counts, 0, (PORTS + 1) * sizeof(counts[0]));
	for (unsigned flow = 0; flow < FLOWS; flow++) {
		ports[flow] = (uint8_t)port_of_flow(bench, flow);
		counts[ports[flow]]++;
	}
}

static void test_select_spreads_by_weight(void **state)
{
	struct bench *bench = *state;
	static uint8_t ports[FLOWS], again[FLOWS];
	unsigned counts[PORTS + 1];

	group_install(bench, 1, GROUP_SELECT,
		(struct bucket_text[]){{"output:2", 1}, {"output:3", 2}, {"output:4", 5},
			{"output:5", 0}, {NULL}});
	install(bench, 1, "actions=group:1");
	spread(bench, ports, counts);
	// Of 1024 slots; a standard deviation is about 1.5 % of all.
	assert_in_range(counts[2], FLOWS / 8 * 3 / 5, FLOWS / 8 * 7 / 5);
	assert_in_range(counts[3], FLOWS / 4 * 3 / 4, FLOWS / 4 * 5 / 4);
	assert_in_range(counts[4], FLOWS * 5 / 8 * 4 / 5, FLOWS * 5 / 8 * 6 / 5);
	assert_int_equal(counts[5], 0);
	// The same packet goes the same way.
	spread(bench, again, counts);
	assert_memory_equal(ports, again, FLOWS);
}

static void test_select_moves_only_what_it_must(void **state)
{
	struct bench *bench = *state;
	static uint8_t before[FLOWS], after[FLOWS];
	unsigned counts[PORTS + 1];
	struct bucket_text buckets[] = {
		{"output:2", 100, 2}, {"output:3", 100, 3}, {"output:4", 100, 4}, {NULL}, {NULL}};

	group_install(bench, 1, GROUP_SELECT, buckets);
	install(bench, 1, "actions=group:1");
	spread(bench, before, counts);
	// A port that dies gives away its flows, to all others, and gets the same ones back.
	bench->dead[3] = true;
	spread(bench, after, counts);
	for (unsigned flow = 0; flow < FLOWS; flow++)
		assert_true(after[flow] == before[flow] || before[flow] == 3);
	assert_int_equal(counts[3], 0);
	assert_true(counts[2] > FLOWS * 2 / 5 && counts[4] > FLOWS * 2 / 5);
	bench->dead[3] = false;
	spread(bench, after, counts);
	assert_memory_equal(before, after, FLOWS);
	// A bucket more takes its share and moves nothing else.
	buckets[3] = (struct bucket_text){"output:5", 100, 5};
	group_install(bench, 1, GROUP_SELECT, buckets);
	spread(bench, after, counts);
	for (unsigned flow = 0; flow < FLOWS; flow++)
		assert_true(after[flow] == before[flow] || after[flow] == 5);
	assert_in_range(counts[5], FLOWS / 4 * 3 / 4, FLOWS / 4 * 5 / 4);
}

static void test_select_by_named_fields(void **state)
{
	struct bench *bench = *state;
	struct group group = group_of(1, GROUP_SELECT,
		(struct bucket_text[]){{"output:2", 1}, {"output:3", 1}, {"output:4", 1}, {NULL}});

	group.hash_fields = 1ULL << FIELD_NW_SRC | 1ULL << FIELD_NW_DST;
	pipeline_begin(bench->pipeline);
	assert_int_equal(pipeline_group_put(bench->pipeline, &group), 0);
	pipeline_commit(bench->pipeline);
	install(bench, 1, "actions=group:1");
	// Ports do not count.
	for (unsigned flow = 1; flow < 100; flow++)
		assert_int_equal(port_of_flow(bench, flow), port_of_flow(bench, 0));
}

static void test_fragments_go_with_their_packet(void **state)
{
	struct packet_key first = {.dl_type = 8,
		.layers = LAYER_L3 | LAYER_L4,
		.nw_src = 1,
		.nw_dst = 2,
		.nw_proto = 17,
		.nw_frag = NW_FRAG_ANY,
		.tp_src = 7,
		.tp_dst = 9};
	struct packet_key later = first;
	struct group group = {.type = GROUP_SELECT};

	later.layers = LAYER_L3;
	later.nw_frag |= NW_FRAG_LATER;
	later.tp_src = later.tp_dst = 0;
	assert_int_equal(group_hash(&group, &first), group_hash(&group, &later));
}

static void test_select_without_a_live_bucket(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 1, GROUP_SELECT,
		(struct bucket_text[]){{"output:2", 1, 2}, {"output:3", 0}, {NULL}});
	install(bench, 1, "actions=group:1");
	bench->dead[2] = true;
	send_frame(bench, 80);
	assert_int_equal(bench->drops[DROP_NO_BUCKET], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_select_spreads_by_weight),
		CASE(test_select_moves_only_what_it_must),
		CASE(test_select_by_named_fields),
		CASE(test_fragments_go_with_their_packet),
		CASE(test_select_without_a_live_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
