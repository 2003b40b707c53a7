// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include "base/restart_pause.h"

static void test_growing(void **state)
{
	// A process that dies at once: milliseconds from each start to the next.
	static const int expected[] = {0, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
	struct restart_pause pause = {0};
	int64_t now = 5000;

	assert_true(restart_pause_end(&pause) <= now);
	restart_pause_started(&pause, now);
	for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_int_equal(restart_pause_end(&pause) - now, expected[i]);
		now = restart_pause_end(&pause);
		restart_pause_started(&pause, now);
	}
	for (unsigned i = 0; i < 100; i++)
		restart_pause_started(&pause, now);
	assert_int_equal(restart_pause_end(&pause) - now, 10000);
}

static void test_long_runs(void **state)
{
	struct restart_pause pause = {0};

	for (unsigned i = 0; i < 5; i++)
		restart_pause_started(&pause, 1000 * i);
	restart_pause_ran(&pause, RESTART_STABLE_MS - 1);
	assert_true(restart_pause_end(&pause) > 4000);
	restart_pause_ran(&pause, RESTART_STABLE_MS);
	assert_int_equal(restart_pause_end(&pause), 4000);
	restart_pause_started(&pause, 90000);
	// The first end after a good run is no reason to wait, either.
	assert_int_equal(restart_pause_end(&pause), 90000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_long_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
