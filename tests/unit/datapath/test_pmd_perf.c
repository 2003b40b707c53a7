// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "datapath/pmd_perf.h"

// Every value is in the bin whose least value is the greatest that is not above it.
static void test_bins(void **state)
{
	for (unsigned m = 0; m < PERF_METRICS; m++) {
		for (unsigned bin = 1; bin < PERF_BINS; bin++) {
			uint64_t least = perf_bin_least(m, bin);

			assert_true(least > perf_bin_least(m, bin - 1));
			assert_int_equal(perf_bin(m, least), bin);
			assert_int_equal(perf_bin(m, least - 1), bin - 1);
		}
		assert_int_equal(perf_bin(m, UINT64_MAX), PERF_BINS - 1);
		assert_int_equal(perf_bin(m, 0), 0);
	}
}

static void test_rounds(void **state)
{
	struct pmd_perf *perf = calloc(1, sizeof(*perf));

	perf->suspicious_cycles = 5000;
	// 3,000 rounds, three in each millisecond.
	for (unsigned i = 0; i < 3000; i++)
		perf_add(perf, (struct perf_round){i, 1000, 20, 2}, i / 3);
	perf_add(perf, (struct perf_round){3000, 5000, 1, 1}, 1000);
	assert_int_equal(perf->rounds, 3001);
	assert_int_equal(perf->bins[PERF_CYCLES][perf_bin(PERF_CYCLES, 1000)], 3000);
	assert_int_equal(perf->bins[PERF_PACKETS][perf_bin(PERF_PACKETS, 20)], 3000);
	assert_int_equal(
		perf->bins[PERF_CYCLES_PER_PACKET][perf_bin(PERF_CYCLES_PER_PACKET, 50)], 3000);
	assert_int_equal(perf->bins[PERF_BATCH][9], 3000);
	assert_int_equal(perf->bins[PERF_BATCH][0], 1);
	assert_int_equal(perf->suspicious, 1);
	assert_int_equal(perf->suspect.tsc, 3000);
	// The last of each are at their places.
	for (unsigned n = 3001 - PERF_HISTORY; n < 3001; n++)
		assert_int_equal(perf->history[n % PERF_HISTORY].tsc, n);
	assert_int_equal(perf->milliseconds, 1001);
	assert_int_equal(perf->ms[999].ms, 999);
	assert_int_equal(perf->ms[999].rounds, 3);
	assert_int_equal(perf->ms[999].packets, 60);
	assert_int_equal(perf->ms[999].cycles, 3000);
	assert_int_equal(perf->ms[1000].rounds, 1);
	free(perf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bins),
		cmocka_unit_test(test_rounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
