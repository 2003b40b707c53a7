// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswitch/affinity.h"

// The cores of a set as "1,2,3", or the beginning of the message.
static const char *parsed(const char *text)
{
	static char result[4096];
	struct rpc_error error = {0};
	struct core_set set;
	size_t used = 0;

	if (core_set_parse(&set, text, &error) < 0) {
		snprintf(result, sizeof(result), "%s", error.message);
		return result;
	}
	result[0] = '\0';
	for (uint32_t core = 0; core < AFFINITY_CORES_MAX; core++) {
		if (core_set_has(&set, core))
			used += (size_t)snprintf(result + used, sizeof(result) - used, "%s%u",
				used ? "," : "", core);
	}
	return result;
}

static void test_masks(void **state)
{
	assert_string_equal(parsed("0x3c"), "2,3,4,5");
	assert_string_equal(parsed("3c"), "2,3,4,5");
	assert_string_equal(parsed("1"), "0");
	assert_string_equal(parsed("0x100000000000000000"), "68");
	assert_string_equal(parsed("2-5,8"), "2,3,4,5,8");
	assert_string_equal(parsed("7,1"), "1,7");
	assert_string_equal(parsed("1023-1023"), "1023");
}

static void test_bad_masks(void **state)
{
	assert_non_null(strstr(parsed(""), "names no core"));
	assert_non_null(strstr(parsed("0"), "names no core"));
	assert_non_null(strstr(parsed("0x"), "names no core"));
	assert_non_null(strstr(parsed("xyz"), "neither a hexadecimal mask"));
	assert_non_null(strstr(parsed("5-2"), "is wrong at"));
	assert_non_null(strstr(parsed("1,"), "is wrong at"));
	assert_non_null(strstr(parsed("1-"), "is wrong at"));
	assert_non_null(strstr(parsed("1,,2"), "is wrong at"));
	assert_non_null(strstr(parsed("1 2,3"), "is wrong at"));
	assert_non_null(strstr(parsed("5,1024"), "is wrong at"));
	assert_non_null(strstr(parsed("5,99999999999999999999"), "is wrong at"));
	char big[400] = "0x1";

	memset(big + 3, '0', 300);
	assert_non_null(strstr(parsed(big), "not supported"));
}

static void test_default_mask(void **state)
{
	static const struct affinity_core two[] = {{0, 0}, {1, 0}};
	static const struct affinity_core one[] = {{0, 0}};
	static const struct affinity_core nodes[] = {{0, 0}, {1, 1}, {2, 0}, {3, 1}, {4, 0}};
	static const struct affinity_core unordered[] = {{5, 1}, {2, 0}, {0, 0}, {4, 1}};
	struct core_set set;

	core_set_default(&set, two, 2);
	assert_true(core_set_has(&set, 1));
	assert_int_equal(core_set_count(&set), 1);
	core_set_default(&set, one, 1);
	assert_true(core_set_has(&set, 0));
	core_set_default(&set, nodes, 5);
	assert_int_equal(core_set_count(&set), 2);
	assert_true(core_set_has(&set, 2) && core_set_has(&set, 1));
	core_set_default(&set, unordered, 4);
	assert_int_equal(core_set_count(&set), 2);
	assert_true(core_set_has(&set, 2) && core_set_has(&set, 4));
}

static void test_check(void **state)
{
	static const struct affinity_core cores[] = {{0, 0}, {1, 0}};
	struct rpc_error error = {0};
	struct core_set set;

	core_set_parse(&set, "0x3", &error);
	assert_true(core_set_check(&set, cores, 2, &error));
	core_set_parse(&set, "1-2", &error);
	assert_false(core_set_check(&set, cores, 2, &error));
	assert_non_null(strstr(error.message, "cannot use core 2 (it has: 0, 1)"));
	rpc_error_clear(&error);
}

static void test_pins(void **state)
{
	static const char *const bad[] = {
		"", "0", "0:", ":1", "0:1,", "0:1;1:2", "a:b", "0:1,0:2", "0:-1", "0 :1"};
	struct rpc_error error = {0};
	struct affinity_pin pins[3];

	assert_int_equal(affinity_pins_parse("0:3,1:7", pins, 3, &error), 2);
	assert_int_equal(pins[1].queue, 1);
	assert_int_equal(pins[1].core, 7);
	assert_true(affinity_pins_parse("0:1,1:1,2:1,3:1", pins, 3, &error) < 0);
	rpc_error_clear(&error);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_true(affinity_pins_parse(bad[i], pins, 3, &error) < 0);
		assert_non_null(strstr(error.message, "pmd-rxq-affinity"));
		rpc_error_clear(&error);
	}
}

#define FRESH(POLICY, ISOLATE) ((struct affinity_rules){AFFINITY_##POLICY, AFFINITY_FRESH, ISOLATE})

static struct affinity_queue queue(
	const char *port, uint32_t number, int numa, uint64_t load, int64_t pinned)
{
	return (struct affinity_queue){.port = port,
		.queue = number,
		.numa = numa,
		.load = load,
		.pinned = pinned,
		.present = -1};
}

static void test_roundrobin(void **state)
{
	struct affinity_thread threads[] = {{1, 0}, {2, 0}, {3, 1}};
	struct affinity_queue queues[] = {queue("a", 0, 0, 0, -1), queue("a", 1, 0, 0, -1),
		queue("a", 2, 0, 0, -1), queue("b", 0, 1, 0, -1), queue("c", 0, -1, 0, -1)};

	affinity_plan(threads, 3, queues, 5, FRESH(ROUNDROBIN, true));
	assert_int_equal(queues[0].core, 1);
	assert_int_equal(queues[1].core, 2);
	assert_int_equal(queues[2].core, 1);
	assert_int_equal(queues[3].core, 3);
	assert_true(queues[4].core != AFFINITY_UNPOLLED);
	for (size_t i = 0; i < 5; i++)
		assert_false(queues[i].crosses);
}

static void test_crossing(void **state)
{
	struct affinity_thread threads[] = {{1, 0}};
	struct affinity_queue queues[] = {queue("a", 0, 1, 0, -1)};

	affinity_plan(threads, 1, queues, 1, FRESH(ROUNDROBIN, true));
	assert_int_equal(queues[0].core, 1);
	assert_true(queues[0].crosses);
}

static void test_isolation(void **state)
{
	struct affinity_thread threads[] = {{1, 0}, {2, 0}};
	struct affinity_queue queues[] = {queue("a", 0, 0, 0, 1), queue("a", 1, 0, 0, -1),
		queue("b", 0, 0, 0, -1), queue("c", 0, 0, 0, 9)};

	affinity_plan(threads, 2, queues, 4, FRESH(ROUNDROBIN, true));
	assert_int_equal(queues[0].core, 1);
	assert_true(threads[0].isolated);
	assert_int_equal(queues[1].core, 2);
	assert_int_equal(queues[2].core, 2);
	assert_int_equal(queues[3].core, AFFINITY_UNPOLLED); // no thread on core 9

	affinity_plan(threads, 2, queues, 4, FRESH(ROUNDROBIN, false));
	assert_int_equal(queues[1].core, 1);
	assert_int_equal(queues[2].core, 2);

	queues[1].pinned = 2; // now all threads are isolated
	affinity_plan(threads, 2, queues, 4, FRESH(ROUNDROBIN, true));
	assert_int_equal(queues[2].core, AFFINITY_UNPOLLED);
}

static void test_cycles(void **state)
{
	struct affinity_thread threads[] = {{1, 0}, {2, 0}};
	struct affinity_queue queues[] = {queue("a", 0, 0, 10, -1), queue("b", 0, 0, 40, -1),
		queue("c", 0, 0, 30, -1), queue("d", 0, 0, 20, -1)};

	// By load 40 30 20 10, to and fro: 1 2 2 1.
	affinity_plan(threads, 2, queues, 4, FRESH(CYCLES, true));
	assert_int_equal(queues[1].core, 1);
	assert_int_equal(queues[2].core, 2);
	assert_int_equal(queues[3].core, 2);
	assert_int_equal(queues[0].core, 1);
}

static void test_group(void **state)
{
	struct affinity_thread threads[] = {{1, 0}, {2, 0}};
	struct affinity_queue queues[] = {queue("a", 0, 0, 90, -1), queue("b", 0, 0, 30, -1),
		queue("c", 0, 0, 30, -1), queue("d", 0, 0, 20, -1)};

	affinity_plan(threads, 2, queues, 4, FRESH(GROUP, true));
	assert_int_equal(queues[0].core, 1);
	assert_int_equal(queues[1].core, 2);
	assert_int_equal(queues[2].core, 2);
	assert_int_equal(queues[3].core, 2);
}

static void test_nothing(void **state)
{
	struct affinity_queue queues[] = {queue("a", 0, 0, 0, -1)};

	affinity_plan(NULL, 0, queues, 1, FRESH(ROUNDROBIN, true));
	assert_int_equal(queues[0].core, AFFINITY_UNPOLLED);
	affinity_plan(NULL, 0, NULL, 0, FRESH(GROUP, true));
}

static bool thread_exists(const struct affinity_thread *threads, size_t n, uint32_t core, int numa)
{
	for (size_t i = 0; i < n; i++) {
		if (core == threads[i].core || (core == AFFINITY_UNPOLLED && !threads[i].isolated &&
						       threads[i].numa == numa))
			return true;
	}
	return false;
}

// On random machines: a queue goes unpolled only for a reason, pins hold, isolated threads have
// pinned queues only, nobody crosses who could stay, and the sums are right.
static void test_properties(void **state)
{
	unsigned seed = 7;

	for (int round = 0; round < 5000; round++) {
		struct affinity_thread threads[8];
		struct affinity_queue queues[24];
		size_t n_threads = (size_t)rand_r(&seed) % 9;
		size_t n_queues = (size_t)rand_r(&seed) % 25;
		bool isolate = rand_r(&seed) % 2;
		enum affinity_policy policy = (enum affinity_policy)(rand_r(&seed) % 3);
		uint64_t load = 0;
		size_t polled = 0;

		for (size_t i = 0; i < n_threads; i++)
			threads[i] = (struct affinity_thread){
				.core = (uint32_t)i * 2, .numa = rand_r(&seed) % 2};
		for (size_t i = 0; i < n_queues; i++)
			queues[i] = queue("p", (uint32_t)i, rand_r(&seed) % 3 - 1,
				(uint64_t)rand_r(&seed) % 100,
				rand_r(&seed) % 5 ? -1 : rand_r(&seed) % 18);
		affinity_plan(threads, n_threads, queues, n_queues,
			(struct affinity_rules){policy, AFFINITY_FRESH, isolate});

		for (size_t i = 0; i < n_queues; i++) {
			const struct affinity_queue *q = &queues[i];

			if (q->core == AFFINITY_UNPOLLED) {
				for (size_t j = 0; j < n_threads; j++)
					assert_true(q->pinned >= 0 ? q->pinned != threads[j].core
								   : threads[j].isolated);
				continue;
			}
			polled++;
			load += q->load;
			assert_true(thread_exists(threads, n_threads, q->core, 0));
			if (q->pinned >= 0) {
				assert_int_equal(q->core, q->pinned);
				continue;
			}
			for (size_t j = 0; j < n_threads; j++) {
				if (threads[j].core == q->core)
					assert_false(threads[j].isolated);
				if (q->crosses && threads[j].numa == q->numa)
					assert_true(threads[j].isolated);
			}
		}
		for (size_t i = 0; i < n_threads; i++) {
			polled -= threads[i].n_queues;
			load -= threads[i].load;
		}
		assert_int_equal(polled, 0);
		assert_int_equal(load, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_bad_masks),
		cmocka_unit_test(test_default_mask),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_roundrobin),
		cmocka_unit_test(test_crossing),
		cmocka_unit_test(test_isolation),
		cmocka_unit_test(test_cycles),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_properties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
