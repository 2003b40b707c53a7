// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/pipeline/group_bench.h"

// What meters do to packets.

static struct pipeline_count counted_total, counted_parts[METER_BANDS_MAX];
static unsigned counted;

static void keep_meter(void *context, const struct meter *meter, struct pipeline_count total,
	const struct pipeline_count parts[])
{
	counted++;
	counted_total = total;
	memcpy(counted_parts, parts, meter->count * sizeof(parts[0]));
}

// --- Meters ---

static void test_meter_drops_and_counts(void **state)
{
	struct bench *bench = *state;
	struct meter meter = {.id = 1, .count = 1, .bands = {{METER_DROP, 100, 2}}};

	meter_install(bench, &meter);
	install(bench, 1, "actions=output:2,meter:1,output:3");
	for (unsigned i = 0; i < 2; i++) {
		send_frame(bench, 80);
		assert_int_equal(ports_of(bench), 23);
	}
	// What was sent before stays sent.
	send_frame(bench, 80);
	assert_int_equal(ports_of(bench), 2);
	assert_int_equal(bench->drops[DROP_METER], 1);
	counted = 0;
	pipeline_meter_each(bench->pipeline, keep_meter, NULL);
	assert_int_equal(counted, 1);
	assert_int_equal(counted_total.packets, 3);
	assert_int_equal(counted_parts[0].packets, 1);
	assert_int_equal(counted_parts[0].bytes, FRAME);
}

static void test_highest_exceeded_band_acts(void **state)
{
	struct bench *bench = *state;
	struct meter meter = {.id = 1,
		.count = 2,
		.bands = {{METER_DROP, 200, 3}, {METER_DSCP_REMARK, 100, 1, 1}}};

	meter_install(bench, &meter);
	install(bench, 1, "ip,actions=meter:1,output:2");
	// AF21 (18) in, AF22 (20) out once the lower rate is exceeded; the ECN bits stay.
	send_tos(bench, 80, 18 << 2 | 1);
	assert_int_equal(bench->outputs[0].frame[15], 18 << 2 | 1);
	send_tos(bench, 80, 18 << 2 | 1);
	assert_int_equal(bench->outputs[0].frame[15], 20 << 2 | 1);
	// Best effort has no drop precedence.
	send_tos(bench, 80, 0);
	assert_int_equal(bench->outputs[0].frame[15], 0);
	send_tos(bench, 80, 18 << 2);
	assert_int_equal(bench->drops[DROP_METER], 1);
}

static void test_meter_modified_begins_anew_and_counts_on(void **state)
{
	struct bench *bench = *state;
	struct meter meter = {.id = 1, .count = 1, .bands = {{METER_DROP, 100, 1}}};

	meter_install(bench, &meter);
	install(bench, 1, "actions=meter:1,output:2");
	send_frame(bench, 80);
	send_frame(bench, 80);
	assert_int_equal(bench->count, 0);
	meter_install(bench, &meter);
	send_frame(bench, 80);
	assert_int_equal(ports_of(bench), 2);
	grace(bench);
	pipeline_meter_each(bench->pipeline, keep_meter, NULL);
	assert_int_equal(counted_total.packets, 3);
	assert_int_equal(counted_parts[0].packets, 1);
}

static void test_missing_meter(void **state)
{
	struct bench *bench = *state;

	install(bench, 1, "actions=meter:9,output:2");
	send_frame(bench, 80);
	assert_int_equal(bench->drops[DROP_NO_METER], 1);
}

static void test_meter_in_a_bucket_ends_the_bucket(void **state)
{
	struct bench *bench = *state;
	struct meter meter = {.id = 1, .count = 1, .bands = {{METER_DROP, 100, 0}}};

	meter_install(bench, &meter);
	group_install(bench, 1, GROUP_ALL,
		(struct bucket_text[]){{"meter:1,output:2"}, {"output:3"}, {NULL}});
	install(bench, 1, "actions=group:1,output:4");
	send_frame(bench, 80);
	assert_int_equal(ports_of(bench), 34);
	assert_int_equal(bench->drops[DROP_METER], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_meter_drops_and_counts),
		CASE(test_highest_exceeded_band_acts),
		CASE(test_meter_modified_begins_anew_and_counts_on),
		CASE(test_missing_meter),
		CASE(test_meter_in_a_bucket_ends_the_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
