// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/pipeline/group_bench.h"

// What groups do to packets, in versions and with counters.

// --- Groups ---

static void test_all_gives_every_bucket_its_own(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 1, GROUP_ALL,
		(struct bucket_text[]){{"mod_dl_dst:02:00:00:00:00:aa,output:2"}, {"output:3"},
			{"mod_dl_dst:02:00:00:00:00:bb,load:7->reg0[],output:4"}, {NULL}});
	// Behind the group the packet, and what is known of it, is as before.
	install(bench, 1, "reg0=0,actions=group:1,resubmit(,1)");
	install(bench, 2, "table=1,reg0=0,actions=output:5");
	install(bench, 3, "table=1,reg0=7,actions=drop");
	send_frame(bench, 80);
	assert_int_equal(bench->count, 4);
	for (unsigned i = 0; i < 4; i++) {
		static const uint8_t expected[] = {[2] = 0xaa, [3] = 2, [4] = 0xbb, [5] = 2};

		assert_int_equal(
			last_byte_of_destination(bench, i), expected[bench->outputs[i].port]);
	}
}

static void test_last_bucket_of_last_action_costs_no_copy(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 1, GROUP_INDIRECT,
		(struct bucket_text[]){{"mod_dl_dst:02:00:00:00:00:aa,output:2"}, {NULL}});
	install(bench, 1, "udp,udp_dst=80,actions=group:1");
	install(bench, 2, "udp,udp_dst=81,actions=group:1,output:3");
	send_frame(bench, 80);
	assert_int_equal(ports_of(bench), 2);
	assert_int_equal(bench->copies, 0);
	send_frame(bench, 81);
	assert_int_equal(ports_of(bench), 23);
	assert_int_equal(last_byte_of_destination(bench, 0), 0xaa);
	assert_int_equal(last_byte_of_destination(bench, 1), 2);
	assert_int_equal(bench->copies, 1);
}

static void test_end_of_a_bucket_is_not_the_end_of_the_packet(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 1, GROUP_ALL,
		(struct bucket_text[]){
			{"mod_nw_ttl:1,dec_ttl,output:2"}, {"drop"}, {"output:3"}, {NULL}});
	install(bench, 1, "ip,actions=group:1,output:4");
	send_frame(bench, 80);
	assert_int_equal(ports_of(bench), 34);
	assert_int_equal(bench->drops[DROP_TTL_EXPIRED], 1);
}

static void test_failover_follows_ports(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 1, GROUP_FAST_FAILOVER,
		(struct bucket_text[]){
			{"output:2", 0, 2}, {"output:3", 0, 3}, {"output:4", 0, 9}, {NULL}});
	install(bench, 1, "actions=group:1");
	send_frame(bench, 80);
	assert_int_equal(ports_of(bench), 2);
	bench->dead[2] = true;
	send_frame(bench, 80);
	assert_int_equal(ports_of(bench), 3);
	bench->dead[3] = true; // and there is no port 9
	send_frame(bench, 80);
	assert_int_equal(bench->count, 0);
	assert_int_equal(bench->drops[DROP_NO_BUCKET], 1);
	bench->dead[2] = false;
	send_frame(bench, 80);
	assert_int_equal(ports_of(bench), 2);
}

static void test_failover_follows_groups(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 2, GROUP_FAST_FAILOVER,
		(struct bucket_text[]){{"output:2", 0, 2}, {"output:3", 0, 3}, {NULL}});
	group_install(bench, 1, GROUP_FAST_FAILOVER,
		(struct bucket_text[]){{"group:2", 0, 0, 2}, {"output:4", 0, 4}, {NULL}});
	install(bench, 1, "actions=group:1");
	bench->dead[2] = true;
	send_frame(bench, 80);
	assert_int_equal(ports_of(bench), 3);
	bench->dead[3] = true;
	send_frame(bench, 80);
	assert_int_equal(ports_of(bench), 4);
}

static void test_groups_that_watch_each_other_are_dead(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 1, GROUP_FAST_FAILOVER,
		(struct bucket_text[]){{"output:2", 0, 0, 2}, {NULL}});
	group_install(bench, 2, GROUP_FAST_FAILOVER,
		(struct bucket_text[]){{"output:2", 0, 0, 1}, {NULL}});
	install(bench, 1, "actions=group:1");
	send_frame(bench, 80);
	assert_int_equal(bench->drops[DROP_NO_BUCKET], 1);
}

static void test_a_loop_of_groups_ends(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 1, GROUP_INDIRECT, (struct bucket_text[]){{"group:2"}, {NULL}});
	group_install(bench, 2, GROUP_INDIRECT, (struct bucket_text[]){{"group:1"}, {NULL}});
	install(bench, 1, "actions=output:2,group:1");
	send_frame(bench, 80);
	assert_int_equal(ports_of(bench), 2);
	assert_int_equal(bench->drops[DROP_RESUBMIT_LIMIT], 1);
}

// Sixteen groups of sixteen buckets each would be 16^16 buckets.
static void test_groups_do_not_multiply_without_bound(void **state)
{
	struct bench *bench = *state;
	struct bucket_text buckets[17] = {{NULL}}, watches[17] = {{NULL}};
	char names[16][24];

	for (uint32_t group = 1; group < 16; group++) {
		snprintf(names[group], sizeof(names[group]), "group:%u", group + 1);
		for (unsigned i = 0; i < 16; i++) {
			buckets[i] = (struct bucket_text){names[group], 0, 0, 0};
			watches[i] = (struct bucket_text){"output:2", 0, 0, 100 + group + 1};
		}
		group_install(bench, group, GROUP_ALL, buckets);
		group_install(bench, 100 + group, GROUP_FAST_FAILOVER, watches);
	}
	install(bench, 1, "udp,udp_dst=80,actions=group:1");
	install(bench, 2, "udp,udp_dst=81,actions=group:101");
	send_frame(bench, 80);
	assert_int_equal(bench->drops[DROP_RESUBMIT_LIMIT], 1);
	send_frame(bench, 81);
	assert_int_equal(bench->drops[DROP_NO_BUCKET], 1);
}

static void test_missing_group(void **state)
{
	struct bench *bench = *state;

	install(bench, 1, "udp,udp_dst=80,actions=group:1");
	install(bench, 2, "udp,udp_dst=81,actions=group:1,output:2");
	send_frame(bench, 80);
	assert_int_equal(bench->drops[DROP_NO_GROUP], 1);
	send_frame(bench, 81);
	assert_int_equal(ports_of(bench), 2);
}

// --- Versions and counters ---

static struct pipeline_count counted_total, counted_parts[GROUP_BUCKETS_MAX];
static unsigned counted;

static void keep_group(void *context, const struct group *group, struct pipeline_count total,
	const struct pipeline_count parts[])
{
	counted++;
	counted_total = total;
	memcpy(counted_parts, parts, group->count * sizeof(parts[0]));
}

static void count_groups(struct bench *bench)
{
	counted = 0;
	pipeline_group_each(bench->pipeline, keep_group, NULL);
}

static void test_change_is_in_force_at_commit_and_keeps_counters(void **state)
{
	struct bench *bench = *state;

	group_install(
		bench, 1, GROUP_ALL, (struct bucket_text[]){{"output:2"}, {"output:3"}, {NULL}});
	install(bench, 1, "actions=group:1");
	send_frame(bench, 80);
	pipeline_begin(bench->pipeline);
	group_put(bench, 1, GROUP_ALL,
		(struct bucket_text[]){{"output:4"}, {"output:5"}, {"output:2"}, {NULL}});
	send_frame(bench, 80);
	assert_int_equal(ports_of(bench), 23);
	pipeline_commit(bench->pipeline);
	send_frame(bench, 80);
	assert_int_equal(ports_of(bench), 452);
	grace(bench);
	count_groups(bench);
	assert_int_equal(counted, 1);
	assert_int_equal(counted_total.packets, 3);
	assert_int_equal(counted_total.bytes, 3 * FRAME);
	assert_int_equal(counted_parts[0].packets, 3);
	assert_int_equal(counted_parts[2].packets, 1);
}

static void test_abort_leaves_no_trace(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 1, GROUP_INDIRECT, (struct bucket_text[]){{"output:2"}, {NULL}});
	install(bench, 1, "actions=group:1");
	send_frame(bench, 80);
	pipeline_begin(bench->pipeline);
	group_put(bench, 1, GROUP_INDIRECT, (struct bucket_text[]){{"output:3"}, {NULL}});
	assert_int_equal(pipeline_group_remove(bench->pipeline, 1), 0);
	group_put(bench, 1, GROUP_INDIRECT, (struct bucket_text[]){{"output:4"}, {NULL}});
	group_put(bench, 2, GROUP_INDIRECT, (struct bucket_text[]){{"output:4"}, {NULL}});
	assert_int_equal(pipeline_group_remove(bench->pipeline, 3), -ENOENT);
	pipeline_abort(bench->pipeline);
	// The number of the version that never was is used by the next.
	install(bench, 2, "priority=1,actions=drop");
	send_frame(bench, 80);
	assert_int_equal(ports_of(bench), 2);
	grace(bench);
	send_frame(bench, 80);
	assert_int_equal(ports_of(bench), 2);
	count_groups(bench);
	assert_int_equal(counted, 1);
	assert_int_equal(counted_parts[0].packets, 3);
}

static void test_removed_group_is_gone_with_its_counters(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 1, GROUP_INDIRECT, (struct bucket_text[]){{"output:2"}, {NULL}});
	install(bench, 1, "actions=group:1");
	send_frame(bench, 80);
	pipeline_begin(bench->pipeline);
	assert_int_equal(pipeline_group_remove(bench->pipeline, 1), 0);
	pipeline_commit(bench->pipeline);
	send_frame(bench, 80);
	assert_int_equal(bench->drops[DROP_NO_GROUP], 1);
	grace(bench);
	group_install(bench, 1, GROUP_INDIRECT, (struct bucket_text[]){{"output:3"}, {NULL}});
	count_groups(bench);
	assert_int_equal(counted_total.packets, 0);
	assert_int_equal(counted_parts[0].packets, 0);
}

// What a bucket writes is in a line of the key that no flow uses.
static void test_groups_have_the_key_parsed_as_far_as_they_need(void **state)
{
	struct bench *bench = *state;

	install(bench, 1, "actions=group:1");
	group_install(bench, 1, GROUP_INDIRECT,
		(struct bucket_text[]){{"load:3->reg7[],output:reg7[]"}, {NULL}});
	send_frame(bench, 80);
	assert_int_equal(ports_of(bench), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_all_gives_every_bucket_its_own),
		CASE(test_last_bucket_of_last_action_costs_no_copy),
		CASE(test_end_of_a_bucket_is_not_the_end_of_the_packet),
		CASE(test_failover_follows_ports),
		CASE(test_failover_follows_groups),
		CASE(test_groups_that_watch_each_other_are_dead),
		CASE(test_a_loop_of_groups_ends),
		CASE(test_groups_do_not_multiply_without_bound),
		CASE(test_missing_group),
		CASE(test_change_is_in_force_at_commit_and_keeps_counters),
		CASE(test_abort_leaves_no_trace),
		CASE(test_removed_group_is_gone_with_its_counters),
		CASE(test_groups_have_the_key_parsed_as_far_as_they_need),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
