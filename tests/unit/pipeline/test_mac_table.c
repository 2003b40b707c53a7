// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/action.h"
#include "pipeline/mac_table.h"

static void mac_of(uint8_t mac[6], uint32_t number)
{
	mac[0] = 0x02;
	mac[1] = 0;
	memcpy(mac + 2, &number, 4);
}

static void test_learn_and_move(void **state)
{
	struct mac_table *table = mac_table_create(16, 300);
	uint8_t mac[6];

	mac_of(mac, 1);
	assert_int_equal(mac_table_lookup(table, mac, 0), OFPORT_NONE);
	assert_false(mac_table_seen(table, mac, 0, 5, 10));
	assert_true(mac_table_learn(table, mac, 0, 5, 10));
	assert_false(mac_table_learn(table, mac, 0, 5, 11));
	assert_true(mac_table_seen(table, mac, 0, 5, 12));
	assert_int_equal(mac_table_lookup(table, mac, 0), 5);
	// Another VLAN is another entry.
	assert_int_equal(mac_table_lookup(table, mac, 7), OFPORT_NONE);
	assert_true(mac_table_learn(table, mac, 7, 6, 12));
	assert_int_equal(mac_table_lookup(table, mac, 7), 6);
	assert_int_equal(mac_table_lookup(table, mac, 0), 5);
	// A move is seen as something to learn, and then holds.
	assert_false(mac_table_seen(table, mac, 0, 8, 13));
	assert_true(mac_table_learn(table, mac, 0, 8, 13));
	assert_int_equal(mac_table_lookup(table, mac, 0), 8);
	assert_int_equal(mac_table_count(table), 2);
	mac_table_destroy(table);
}

static void test_never_learned(void **state)
{
	static const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 1};
	static const uint8_t zero[6];
	struct mac_table *table = mac_table_create(16, 300);

	assert_true(mac_table_seen(table, group, 0, 1, 0));
	assert_false(mac_table_learn(table, group, 0, 1, 0));
	assert_true(mac_table_seen(table, zero, 0, 1, 0));
	assert_false(mac_table_learn(table, zero, 0, 1, 0));
	assert_int_equal(mac_table_count(table), 0);
	mac_table_destroy(table);
}

static void test_ageing(void **state)
{
	struct mac_table *table = mac_table_create(1024, 10);
	uint8_t mac[6];

	for (uint32_t i = 0; i < 100; i++) {
		mac_of(mac, i);
		mac_table_learn(table, mac, 0, 1, i < 50 ? 100 : 105);
	}
	mac_of(mac, 0);
	assert_true(mac_table_seen(table, mac, 0, 1, 109));
	assert_int_equal(mac_table_age(table, 110, SIZE_MAX), 0);
	// Seen at 100 and gone after 110, but for the one that was refreshed.
	assert_int_equal(mac_table_age(table, 111, SIZE_MAX), 49);
	assert_int_equal(mac_table_lookup(table, mac, 0), 1);
	// A reader whose clock runs ahead makes nothing old.
	assert_true(mac_table_seen(table, mac, 0, 1, 200));
	assert_int_equal(mac_table_age(table, 115, SIZE_MAX), 0);
	assert_int_equal(mac_table_age(table, 116, SIZE_MAX), 50);
	assert_int_equal(mac_table_count(table), 1);
	mac_table_destroy(table);
}

static void test_ageing_goes_round_in_steps(void **state)
{
	struct mac_table *table = mac_table_create(1000, 1);
	size_t forgotten = 0;
	uint8_t mac[6];

	for (uint32_t i = 0; i < 500; i++) {
		mac_of(mac, i);
		mac_table_learn(table, mac, 0, 1, 1);
	}
	for (unsigned step = 0; step < 2048 / 16 && forgotten < 500; step++)
		forgotten += mac_table_age(table, 100, 16);
	assert_int_equal(forgotten, 500);
	mac_table_destroy(table);
}

static void test_bound_and_eviction(void **state)
{
	enum { SIZE = 1000 };
	struct mac_table *table = mac_table_create(SIZE, 300);
	unsigned old_left = 0;
	unsigned new_there = 0;
	uint8_t mac[6];

	for (uint32_t i = 0; i < SIZE; i++) {
		mac_of(mac, i);
		mac_table_learn(table, mac, 0, 1, 10);
	}
	assert_true(mac_table_count(table) <= SIZE);
	assert_true(mac_table_count(table) > SIZE * 95 / 100);
	for (uint32_t i = 0; i < SIZE; i++) {
		mac_of(mac, SIZE + i);
		mac_table_learn(table, mac, 0, 1, 20);
		assert_true(mac_table_count(table) <= SIZE);
		assert_int_equal(mac_table_lookup(table, mac, 0), 1);
	}
	for (uint32_t i = 0; i < SIZE; i++) {
		mac_of(mac, i);
		old_left += mac_table_lookup(table, mac, 0) != OFPORT_NONE;
		mac_of(mac, SIZE + i);
		new_there += mac_table_lookup(table, mac, 0) != OFPORT_NONE;
	}
	// The oldest near by make room: nearly all that is left is new.
	assert_true(old_left < SIZE / 4);
	assert_true(new_there > SIZE * 3 / 4);
	assert_int_equal(old_left + new_there, mac_table_count(table));
	mac_table_destroy(table);
}

static void learn_range(
	struct mac_table *table, uint32_t from, uint32_t to, uint16_t port, uint32_t now)
{
	uint8_t mac[6];

	for (uint32_t i = from; i < to; i++) {
		mac_of(mac, i);
		mac_table_learn(table, mac, 0, port, now);
	}
}

static unsigned known_at(const struct mac_table *table, uint32_t from, uint32_t to, uint16_t port)
{
	unsigned known = 0;
	uint8_t mac[6];

	for (uint32_t i = from; i < to; i++) {
		mac_of(mac, i);
		known += mac_table_lookup(table, mac, 0) == port;
	}
	return known;
}

static void test_a_flood_pushes_out_only_itself(void **state)
{
	struct mac_table *table = mac_table_create(1000, 300);

	// Old addresses, which a table that went by age alone would give up first.
	learn_range(table, 0, 400, 1, 10);
	learn_range(table, 400, 500, 2, 10);
	learn_range(table, 10000, 60000, 3, 200);
	assert_int_equal(known_at(table, 0, 400, 1), 400);
	assert_int_equal(known_at(table, 400, 500, 2), 100);
	assert_int_equal(mac_table_port_count(table, 3), 500);
	assert_int_equal(mac_table_stats(table).evicted, 50000 - 500);
	// Others go on learning.
	learn_range(table, 500, 600, 2, 201);
	assert_int_equal(known_at(table, 400, 600, 2), 200);
	assert_int_equal(mac_table_port_count(table, 3), 400);
	mac_table_destroy(table);
}

static void test_ports_that_want_all_share(void **state)
{
	struct mac_table *table = mac_table_create(1000, 300);
	unsigned known;

	learn_range(table, 0, 1000, 1, 10);
	assert_int_equal(mac_table_port_count(table, 1), 1000);
	learn_range(table, 1000, 3000, 65000, 11);
	assert_in_range(mac_table_port_count(table, 1), 499, 501);
	learn_range(table, 3000, 6000, 3, 12);
	assert_in_range(mac_table_port_count(table, 1), 332, 335);
	assert_in_range(mac_table_port_count(table, 65000), 332, 335);
	assert_in_range(mac_table_port_count(table, 3), 332, 335);
	// What moves counts where it is now.
	mac_table_flush(table, 65000, -1);
	assert_int_equal(mac_table_port_count(table, 65000), 0);
	known = known_at(table, 5990, 6000, 3); // one of the last may have pushed out another
	assert_in_range(known, 1, 10);
	learn_range(table, 5990, 6000, 1, 13);
	assert_int_equal(mac_table_stats(table).moved, known);
	assert_int_equal(mac_table_port_count(table, 1) + mac_table_port_count(table, 3),
		mac_table_count(table));
	mac_table_destroy(table);
}

static void test_filled_to_the_last_entry(void **state)
{
	// The third is as full as a table can be.
	static const uint32_t sizes[] = {MAC_TABLE_SIZE_DEFAULT, 100000, 12288};

	for (unsigned i = 0; i < 3; i++) {
		struct mac_table *table = mac_table_create(sizes[i], 300);
		struct mac_table_stats stats;

		learn_range(table, 0, sizes[i], 1, 10);
		stats = mac_table_stats(table);
		assert_int_equal(stats.learned, sizes[i]);
		assert_true(stats.evicted <= sizes[i] / 1000);
		assert_int_equal(known_at(table, 0, sizes[i], 1), sizes[i] - stats.evicted);
		mac_table_destroy(table);
	}
}

// Small and full, so that most buckets are: addresses lie in second buckets, and move there.
static void test_against_a_list(void **state)
{
	enum { SIZE = 48, ADDRESSES = 46 };
	struct mac_table *table = mac_table_create(SIZE, 100);
	uint16_t ports[ADDRESSES] = {0};
	uint64_t missing = 0;
	uint32_t random = 1;
	uint8_t mac[6];

	for (unsigned step = 0; step < 20000; step++) {
		uint32_t i;

		random = random * 1664525 + 1013904223;
		i = (random >> 16) % ADDRESSES;
		mac_of(mac, i);
		ports[i] = 1 + (random >> 8) % 3;
		mac_table_learn(table, mac, 0, ports[i], 10);
		if (step % 97 == 0) {
			mac_table_flush(table, 3, -1);
			for (uint32_t j = 0; j < ADDRESSES; j++)
				ports[j] = ports[j] == 3 ? 0 : ports[j];
		}
		for (uint32_t j = 0; j < ADDRESSES; j++) {
			uint16_t port;

			mac_of(mac, j);
			port = mac_table_lookup(table, mac, 0);
			if (port == OFPORT_NONE && ports[j] != 0) {
				missing++;
				ports[j] = 0;
			}
			assert_int_equal(port, ports[j] ? ports[j] : OFPORT_NONE);
			assert_true(mac_table_seen(table, mac, 0, port, 10) == (ports[j] != 0));
		}
		// Nothing gets lost that was not evicted.
		assert_int_equal(missing, mac_table_stats(table).evicted);
	}
	assert_true(missing < 20000 / 20);
	mac_table_destroy(table);
}

static void test_flush_and_list(void **state)
{
	struct mac_table *table = mac_table_create(1000, 300);
	struct mac_entry entries[7];
	size_t cursor = 0;
	size_t listed = 0;
	size_t count;
	uint8_t mac[6];

	for (uint32_t i = 0; i < 300; i++) {
		mac_of(mac, i);
		mac_table_learn(table, mac, i % 3, 1 + i % 2, 10);
	}
	while ((count = mac_table_list(table, 15, &cursor, entries, 7)) > 0) {
		for (size_t i = 0; i < count; i++) {
			uint32_t number;

			memcpy(&number, entries[i].mac + 2, 4);
			assert_true(number < 300);
			assert_int_equal(entries[i].vlan, number % 3);
			assert_int_equal(entries[i].port, 1 + number % 2);
			assert_int_equal(entries[i].age, 5);
		}
		listed += count;
	}
	assert_int_equal(listed, 300);
	assert_int_equal(mac_table_flush(table, 1, 0), 50);
	assert_int_equal(mac_table_flush(table, OFPORT_NONE, 2), 100);
	assert_int_equal(mac_table_flush(table, 2, -1), 100);
	assert_int_equal(mac_table_flush(table, OFPORT_NONE, -1), 50);
	assert_int_equal(mac_table_count(table), 0);
	mac_table_destroy(table);
}

static void test_sizes(void **state)
{
	assert_null(mac_table_create(0, 300));
	assert_null(mac_table_create(1048577, 300));
	for (uint32_t size = 1; size <= 64; size++) {
		struct mac_table *table = mac_table_create(size, 300);
		uint8_t mac[6];

		for (uint32_t i = 0; i < 3 * size; i++) {
			mac_of(mac, i);
			mac_table_learn(table, mac, 0, 1, i);
			assert_int_equal(mac_table_lookup(table, mac, 0), 1);
			assert_in_range(mac_table_count(table), 1, size);
		}
		mac_table_destroy(table);
	}
	mac_table_destroy(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learn_and_move),
		cmocka_unit_test(test_never_learned),
		cmocka_unit_test(test_ageing),
		cmocka_unit_test(test_ageing_goes_round_in_steps),
		cmocka_unit_test(test_bound_and_eviction),
		cmocka_unit_test(test_a_flood_pushes_out_only_itself),
		cmocka_unit_test(test_ports_that_want_all_share),
		cmocka_unit_test(test_filled_to_the_last_entry),
		cmocka_unit_test(test_against_a_list),
		cmocka_unit_test(test_flush_and_list),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
