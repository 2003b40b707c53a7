// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "datapath/load_history.h"

#define HZ 1000 // cycles per second

static struct load_history history;

static struct load_sample at(uint64_t second, uint64_t cycles, uint64_t packets)
{
	return (struct load_sample){second * HZ, cycles, packets};
}

static int setup(void **state)
{
	history = (struct load_history){0};
	return 0;
}

static void test_empty(void **state)
{
	struct load_sample none = load_history_since(&history, at(10, 5, 5), 5 * HZ);

	assert_int_equal(none.tsc, 0);
	assert_true(load_percent(none) == 0 && load_headroom(none, HZ) == 0);
	none = load_history_since(NULL, at(10, 5, 5), 5 * HZ);
	assert_int_equal(none.cycles, 0);
}

// Younger than what is asked for: what there is.
static void test_young(void **state)
{
	struct load_sample span;

	load_history_begin(&history, 98 * HZ);
	span = load_history_since(&history, at(100, 1000, 10), 60 * HZ);
	assert_int_equal(span.tsc, 2 * HZ);
	assert_int_equal(span.cycles, 1000);
	history = (struct load_history){0};
	load_history_add(&history, at(100, 1000, 10));
	span = load_history_since(&history, at(102, 2000, 30), 60 * HZ);
	assert_int_equal(span.tsc, 2 * HZ);
	assert_int_equal(span.cycles, 1000);
	assert_int_equal(span.packets, 20);
	assert_true(load_percent(span) == 50);
}

// Busy for a half of the first 300 seconds, then not, then altogether.
static void test_windows(void **state)
{
	uint64_t cycles = 0;
	unsigned second;

	for (second = 0; second <= 300; second += LOAD_SAMPLE_S, cycles += 2500)
		load_history_add(&history, at(second, cycles, second));
	cycles -= 2500;
	for (; second <= 360; second += LOAD_SAMPLE_S)
		load_history_add(&history, at(second, cycles, second));
	assert_true(load_percent(load_history_since(&history, at(360, cycles, 360), 5 * HZ)) == 0);
	assert_true(load_percent(load_history_since(&history, at(360, cycles, 360), 60 * HZ)) == 0);
	assert_true(
		load_percent(load_history_since(&history, at(360, cycles, 360), 300 * HZ)) == 40);
	cycles += 5000;
	assert_true(
		load_percent(load_history_since(&history, at(365, cycles, 365), 5 * HZ)) == 100);
	assert_int_equal(load_history_since(&history, at(365, cycles, 365), 60 * HZ).tsc, 60 * HZ);
	// Longer than it goes back.
	assert_int_equal(
		load_history_since(&history, at(365, cycles, 365), 900 * HZ).tsc, 305 * HZ);
}

// A timer that is a little late does not make a window a sample longer.
static void test_late(void **state)
{
	load_history_add(&history, (struct load_sample){10000, 0, 0});
	load_history_add(&history, (struct load_sample){15100, 0, 0});
	assert_int_equal(
		load_history_since(&history, (struct load_sample){20000, 0, 0}, 5 * HZ).tsc, 4900);
}

static void test_headroom(void **state)
{
	// 200 packets in 2 seconds took a quarter of the time.
	struct load_sample span = {2 * HZ, HZ / 2, 200};

	assert_true(load_headroom(span, HZ) == 300);
	span.cycles = span.tsc;
	assert_true(load_headroom(span, HZ) == 0);
	span.cycles = span.tsc + 5; // read one after the other
	assert_true(load_headroom(span, HZ) == 0);
	assert_true(load_percent(span) == 100);
	span.packets = 0;
	assert_true(load_headroom(span, HZ) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_empty, setup),
		cmocka_unit_test_setup(test_young, setup),
		cmocka_unit_test_setup(test_windows, setup),
		cmocka_unit_test_setup(test_late, setup),
		cmocka_unit_test_setup(test_headroom, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
