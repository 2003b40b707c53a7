// SPDX-License-Identifier: Apache-2.0
//
// Rounds of a thread, simulated: what queues get whose packets cost this or that.

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "datapath/fair_share.h"

#define QUEUES_MAX 70

struct simulated {
	struct fair_queue fair;
	unsigned cost;    // cycles per packet
	unsigned arrives; // packets per round at most; PIPELINE_BURST: always full
	uint64_t packets, cycles;
};

static struct fair_thread thread;
static struct simulated queues[QUEUES_MAX];
static unsigned count;

static void begin(unsigned n)
{
	thread = (struct fair_thread){0};
	count = n;
	for (unsigned i = 0; i < n; i++)
		queues[i] = (struct simulated){
			.fair.burst = PIPELINE_BURST, .cost = 100, .arrives = PIPELINE_BURST};
}

static void round_run(void)
{
	fair_round_begin(&thread);
	for (unsigned i = 0; i < count; i++) {
		struct simulated *queue = &queues[i];
		unsigned got;

		if (fair_pass_over(&thread, &queue->fair))
			continue;
		got = queue->arrives < queue->fair.burst ? queue->arrives : queue->fair.burst;
		if (got == 0)
			continue;
		queue->packets += got;
		queue->cycles += (uint64_t)got * queue->cost;
		fair_took(&thread, &queue->fair, (uint16_t)got, (uint64_t)got * queue->cost);
	}
	fair_round_end(&thread, &queues[0].fair, sizeof(queues[0]), count);
}

static void run(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++)
		round_run();
}

// One queue's part of all cycles, in percent.
static unsigned part(unsigned index)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < count; i++)
		total += queues[i].cycles;
	return (unsigned)(100 * queues[index].cycles / total);
}

static void test_costly_and_cheap(void **state)
{
	static const unsigned costs[] = {50, 100, 500, 1000, 5000};

	for (unsigned i = 0; i < sizeof(costs) / sizeof(costs[0]); i++) {
		begin(2);
		queues[0].cost = costs[i];
		queues[1].cost = 50;
		run(20000);
		assert_in_range(part(0), 45, 55);
	}
}

static void test_many(void **state)
{
	begin(64);
	queues[7].cost = 2000;
	queues[9].cost = 700;
	run(20000);
	// A sixty-fourth is 1.6 %.
	assert_in_range(part(7), 1, 2);
	assert_in_range(part(9), 1, 2);
}

static void test_equal_queues_are_not_passed_over(void **state)
{
	begin(8);
	run(1000);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(queues[i].packets, 1000 * PIPELINE_BURST);
}

// Whoever has less than it is asked for is served at once, and takes nothing from a costly one that
// is alone in being full.
static void test_queues_that_are_not_full(void **state)
{
	begin(3);
	queues[0].cost = 3000;
	queues[1].arrives = 5;
	queues[2].arrives = 0;
	run(1000);
	assert_int_equal(queues[0].packets, 1000 * PIPELINE_BURST);
	assert_int_equal(queues[1].packets, 5000);
}

// A debt is forgotten when nobody else is there any more.
static void test_others_go(void **state)
{
	uint64_t before;

	begin(2);
	queues[0].cost = 3000;
	run(1000);
	queues[1].arrives = 0;
	run(2);
	before = queues[0].packets;
	run(100);
	assert_int_equal(queues[0].packets - before, 100 * PIPELINE_BURST);
}

// All that are full are in debt to nobody: it must go on.
static void test_only_debtors_are_left(void **state)
{
	uint64_t before;

	begin(3);
	queues[0].cost = queues[1].cost = 5000;
	run(100);
	queues[2].arrives = 0;
	run(2);
	before = queues[0].packets + queues[1].packets;
	run(100);
	assert_true(queues[0].packets + queues[1].packets - before >= 100 * PIPELINE_BURST);
}

static void test_bursts_that_take_long(void **state)
{
	begin(1);
	queues[0].cost = 100000;
	run(20);
	assert_int_equal(queues[0].fair.burst, 2);
	queues[0].cost = 100;
	run(20);
	assert_int_equal(queues[0].fair.burst, PIPELINE_BURST);
	queues[0].cost = 10000000;
	run(20);
	assert_int_equal(queues[0].fair.burst, 1);
}

// The system has stopped the thread in the middle of a burst: that is no debt for a long time.
static void test_interrupted(void **state)
{
	begin(2);
	run(10);
	queues[0].cost = 1000000;
	run(1);
	queues[0].cost = 100;
	queues[0].packets = queues[1].packets = 0;
	run(1000);
	assert_true(queues[0].packets > queues[1].packets * 8 / 10);
}

// What it was in an earlier round does not count.
static void test_one_after_the_other(void **state)
{
	begin(3);
	queues[0].cost = 5000;
	for (unsigned i = 0; i < 1000; i++) {
		queues[0].arrives = i % 2 ? 0 : PIPELINE_BURST;
		queues[1].arrives = queues[2].arrives = i % 2 ? PIPELINE_BURST : 0;
		round_run();
		assert_true(queues[1].fair.debt + queues[2].fair.debt == 0);
	}
	assert_int_equal(queues[0].packets, 500 * PIPELINE_BURST);
	assert_int_equal(queues[1].packets, 500 * PIPELINE_BURST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_costly_and_cheap),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_equal_queues_are_not_passed_over),
		cmocka_unit_test(test_queues_that_are_not_full),
		cmocka_unit_test(test_others_go),
		cmocka_unit_test(test_only_debtors_are_left),
		cmocka_unit_test(test_one_after_the_other),
		cmocka_unit_test(test_bursts_that_take_long),
		cmocka_unit_test(test_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
