// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "datapath/log_limit.h"

static unsigned take(struct log_limit *limit, int64_t now_ms, unsigned wanted)
{
	uint64_t left_out;
	unsigned taken = 0;

	while (wanted-- > 0)
		taken += log_limit_take(limit, now_ms, &left_out);
	return taken;
}

static void test_burst_and_rate(void **state)
{
	struct log_limit limit = {0};
	unsigned sum = 0;

	assert_int_equal(take(&limit, 1000000, 5000), LOG_LIMIT_BURST);
	assert_int_equal(take(&limit, 1000000 + 1000, 5000), LOG_LIMIT_PER_SECOND);
	// However often it is asked.
	for (int64_t ms = 0; ms < 10000; ms++)
		sum += take(&limit, 1001000 + ms, 3);
	assert_in_range(sum, 10 * LOG_LIMIT_PER_SECOND - 1, 10 * LOG_LIMIT_PER_SECOND + 1);
	assert_int_equal(take(&limit, 2000000, 5000), LOG_LIMIT_BURST);
}

static void test_left_out(void **state)
{
	struct log_limit limit = {0};
	uint64_t left_out = 1;

	assert_true(log_limit_take(&limit, 1000, &left_out));
	assert_int_equal(left_out, 0);
	take(&limit, 1000, LOG_LIMIT_BURST + 41);
	assert_true(log_limit_take(&limit, 2000, &left_out));
	assert_int_equal(left_out, 42);
	assert_true(log_limit_take(&limit, 2000, &left_out));
	assert_int_equal(left_out, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst_and_rate),
		cmocka_unit_test(test_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
