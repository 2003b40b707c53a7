// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "datapath/supervise_plan.h"

static int plan(struct supervise_view view)
{
	return supervise_plan(&view);
}

static void test_a_worker_is_left_alone(void **state)
{
	assert_int_equal(plan((struct supervise_view){.worker = true}), SUPERVISE_SLEEP);
	assert_int_equal(
		plan((struct supervise_view){.worker = true, .holder = true, .successor = true}),
		SUPERVISE_SLEEP);
}

static void test_somebody_elses_is_waited_for(void **state)
{
	assert_int_equal(plan((struct supervise_view){.holder = true}), SUPERVISE_LOOK_MS);
	assert_int_equal(plan((struct supervise_view){.holder = true, .successor = true}),
		SUPERVISE_LOOK_MS);
}

static void test_nobody(void **state)
{
	assert_int_equal(plan((struct supervise_view){0}), SUPERVISE_START);
	assert_int_equal(plan((struct supervise_view){.pause_ms = -5}), SUPERVISE_START);
	assert_int_equal(plan((struct supervise_view){.pause_ms = 400}), 400);
}

// The old one has ended, and the new one has not its names yet.
static void test_a_succession(void **state)
{
	struct supervise_view view = {.successor = true};

	for (; view.vacant_ms < SUPERVISE_SUCCESSION_MS; view.vacant_ms += 100) {
		assert_true(plan(view) > 0);
		assert_true(plan(view) <= SUPERVISE_LOOK_MS);
	}
	// Whoever was to give them to it does not.
	assert_int_equal(plan(view), SUPERVISE_START);
	view.pause_ms = 1600;
	assert_int_equal(plan(view), 1600);
	// It has ended without them.
	assert_int_equal(plan((struct supervise_view){.vacant_ms = 1}), SUPERVISE_START);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_worker_is_left_alone),
		cmocka_unit_test(test_somebody_elses_is_waited_for),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_a_succession),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
