// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "datapath/counters.h"

// Two threads' counters of a port, every field different.
static void fill(struct port_counters *counters, uint64_t base)
{
	counters->rx_packets = base + 1;
	counters->rx_bytes = base + 2;
	counters->tx_packets = base + 3;
	counters->tx_bytes = base + 4;
	counters->copies = base + 5;
	counters->forwarded = base + 6;
	for (int reason = 0; reason < DROP_REASON_COUNT; reason++)
		counters->drops[reason] = base + 10 + reason;
}

static void sums_have_every_field(void **state)
{
	struct port_counters one, two, sum = {0};

	fill(&one, 1000);
	fill(&two, 5000000000);
	port_counters_add(&sum, &one);
	port_counters_add(&sum, &two);
	assert_int_equal(sum.rx_packets, 5000001002);
	assert_int_equal(sum.rx_bytes, 5000001004);
	assert_int_equal(sum.tx_packets, 5000001006);
	assert_int_equal(sum.tx_bytes, 5000001008);
	assert_int_equal(sum.copies, 5000001010);
	assert_int_equal(sum.forwarded, 5000001012);
	for (int reason = 0; reason < DROP_REASON_COUNT; reason++)
		assert_int_equal(sum.drops[reason], 5000001020 + 2 * reason);
}

// Each reason is lost on one side, but "consumed", which is no loss.
static void each_reason_is_on_one_side(void **state)
{
	for (int reason = 0; reason < DROP_REASON_COUNT; reason++) {
		struct port_counters counters = {0};
		bool transmit = strncmp(drop_reason_name(reason), "tx_", 3) == 0;
		bool lost = reason != DROP_CONSUMED;

		counters.drops[reason] = 7;
		assert_int_equal(drop_reason_is_transmit(reason), transmit);
		assert_int_equal(port_counters_tx_dropped(&counters), transmit ? 7 : 0);
		assert_int_equal(port_counters_rx_dropped(&counters), lost && !transmit ? 7 : 0);
	}
}

// Of 9 that came, with 2 copies: what a port could not send it was given.
static void what_is_left_is_unaccounted(void **state)
{
	struct port_counters counters = {.rx_packets = 9, .copies = 2, .forwarded = 6};

	counters.drops[DROP_TABLE_MISS] = 3;
	counters.drops[DROP_CONSUMED] = 2;
	counters.tx_packets = 100;
	counters.drops[DROP_TX_FULL] = 50;
	assert_int_equal(port_counters_unaccounted(&counters), 0);
	counters.forwarded--;
	assert_int_equal(port_counters_unaccounted(&counters), 1);
	counters.drops[DROP_CONSUMED] += 3;
	assert_int_equal(port_counters_unaccounted(&counters), -2);
}

static void drops_are_named(void **state)
{
	struct port_counters counters = {0};
	json_t *drops;

	drops = port_counters_drops(&counters);
	assert_int_equal(json_object_size(drops), 0);
	json_decref(drops);
	counters.drops[DROP_TX_FULL] = 3;
	counters.drops[DROP_TABLE_MISS] = 4;
	drops = port_counters_drops(&counters);
	assert_int_equal(json_object_size(drops), 2);
	assert_int_equal(json_integer_value(json_object_get(drops, "tx_full")), 3);
	assert_int_equal(json_integer_value(json_object_get(drops, "table_miss")), 4);
	json_decref(drops);
}

static void one_writer_adds(void **state)
{
	uint64_t counter = UINT32_MAX;

	counter_add(&counter, 2);
	assert_int_equal(counter, (uint64_t)UINT32_MAX + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_have_every_field),
		cmocka_unit_test(each_reason_is_on_one_side),
		cmocka_unit_test(what_is_left_is_unaccounted),
		cmocka_unit_test(drops_are_named),
		cmocka_unit_test(one_writer_adds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
