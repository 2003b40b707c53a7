// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "datapath/learn_limit.h"

// How many of `wanted` tokens there are at `now_ms`.
static unsigned draw(struct learn_budget *budget, uint32_t rate, uint32_t burst, unsigned wanted,
	uint64_t now_ms)
{
	unsigned got = 0;

	for (unsigned i = 0; i < wanted; i++)
		got += learn_budget_take(budget, rate, burst, now_ms);
	return got;
}

static void test_begins_full(void **state)
{
	struct learn_budget budget = {0};

	assert_int_equal(draw(&budget, 10, 7, 100, 1), 7);
	assert_int_equal(draw(&budget, 10, 7, 100, 1), 0);
}

static void test_refills_by_time(void **state)
{
	struct learn_budget budget = {0};

	assert_int_equal(draw(&budget, 10000, 2000, 5000, 1000), 2000);
	assert_int_equal(draw(&budget, 10000, 2000, 5000, 1001), 10);
	assert_int_equal(draw(&budget, 10000, 2000, 5000, 1008), 70);
	// Never more than the burst.
	assert_int_equal(draw(&budget, 10000, 2000, 5000, 3600000), 2000);
	assert_int_equal(draw(&budget, 10000, 2000, 5000, UINT64_MAX), 2000);
}

static void test_slower_than_one_in_a_millisecond(void **state)
{
	struct learn_budget budget = {0};
	unsigned got = 0;

	assert_int_equal(draw(&budget, 3, 1, 5, 1000), 1);
	for (uint64_t now = 1001; now <= 11000; now++)
		got += draw(&budget, 3, 1, 5, now);
	// A third of a second is 334 ms for a clock of milliseconds.
	assert_in_range(got, 29, 30);
}

static void test_a_flood_gets_the_rate_and_no_more(void **state)
{
	struct learn_budget budget = {0};
	unsigned got = draw(&budget, 12345, 2000, 10000, 1000);

	for (uint64_t now = 1001; now <= 61000; now++)
		got += draw(&budget, 12345, 2000, 300, now);
	assert_int_equal(got, 2000 + 60 * 12345);
}

static void test_a_limit_that_changes(void **state)
{
	struct learn_budget budget = {0};

	assert_int_equal(draw(&budget, 1000, 100, 10, 1000), 10);
	// Lower: what is over it goes with the next millisecond.
	assert_int_equal(draw(&budget, 1, 5, 100, 1001), 5);
	// Higher: it fills from there.
	assert_int_equal(draw(&budget, LEARN_RATE_MAX, LEARN_RATE_MAX, 3000, 1002), 1000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begins_full),
		cmocka_unit_test(test_refills_by_time),
		cmocka_unit_test(test_slower_than_one_in_a_millisecond),
		cmocka_unit_test(test_a_flood_gets_the_rate_and_no_more),
		cmocka_unit_test(test_a_limit_that_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
