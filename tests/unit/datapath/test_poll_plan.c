// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "datapath/poll_plan.h"

static int port_a, port_b;

// `text`: the threads, or all parameters.
static struct poll_wanted *parse(const char *text, struct rpc_error *error)
{
	json_t *json = json_loads(text, 0, NULL);
	struct poll_wanted *wanted;

	assert_non_null(json);
	if (json_is_array(json))
		json = json_pack("{s:o}", "threads", json);
	memset(error, 0, sizeof(*error));
	wanted = poll_wanted_parse(json, error);
	json_decref(json);
	return wanted;
}

static void refuse(const char *text, const char *part)
{
	struct rpc_error error;

	assert_null(parse(text, &error));
	assert_int_not_equal(error.code, 0);
	if (!strstr(error.message, part))
		fail_msg("\"%s\" is not in \"%s\"", part, error.message);
	rpc_error_clear(&error);
}

static void wanted_is_parsed(void **state)
{
	struct rpc_error error;
	struct poll_wanted *wanted = parse("[{\"core\":1,\"queues\":[{\"port\":\"a\",\"queue\":0},"
					   "{\"port\":\"b\",\"queue\":3}]},{\"core\":4}]",
		&error);

	assert_non_null(wanted);
	assert_int_equal(wanted->count, 2);
	assert_int_equal(wanted->threads[0].count, 2);
	assert_string_equal(wanted->threads[0].queues[1].port, "b");
	assert_int_equal(wanted->threads[0].queues[1].queue, 3);
	assert_int_equal(wanted->threads[1].count, 0);
	assert_ptr_equal(poll_wanted_find(wanted, 4), &wanted->threads[1]);
	assert_null(poll_wanted_find(wanted, 2));
	assert_null(poll_wanted_find(NULL, 2));
	poll_wanted_destroy(wanted);
	poll_wanted_destroy(NULL);
}

static void nonsense_is_refused(void **state)
{
	refuse("[{\"core\":-1}]", "core");
	refuse("[{\"core\":\"1\"}]", "core");
	refuse("[{\"core\":4294967297}]", "no CPU 4294967297");
	refuse("[7]", "core");
	refuse("[{\"core\":1,\"queues\":{}}]", "queues");
	refuse("[{\"core\":1,\"queues\":[{\"port\":\"a\"}]}]", "queue");
	refuse("[{\"core\":1,\"queues\":[{\"queue\":1}]}]", "port");
	refuse("[{\"core\":1,\"queues\":[{\"port\":\"a\",\"queue\":64}]}]", "0 to 63");
	refuse("[{\"core\":1,\"queues\":[{\"port\":\"a\",\"queue\":-1}]}]", "0 to 63");
	refuse("[{\"core\":1},{\"core\":2},{\"core\":1}]", "core 1 is in the plan twice");
	refuse("[{\"core\":1,\"queues\":[{\"port\":\"a\",\"queue\":2},{\"port\":\"b\",\"queue\":2}]"
	       "},"
	       "{\"core\":2,\"queues\":[{\"port\":\"a\",\"queue\":2}]}]",
		"queue 2 of port a");
}

static void ways_to_sleep_are_parsed(void **state)
{
	struct rpc_error error;
	struct poll_wanted *wanted =
		parse("{\"threads\":[{\"core\":1,\"queues\":["
		      "{\"port\":\"a\",\"queue\":0,\"mode\":\"interrupt\"},"
		      "{\"port\":\"a\",\"queue\":1,\"mode\":\"polling\"},"
		      "{\"port\":\"a\",\"queue\":2}]}],\"idle_us\":7,\"sleep_max_us\":0}",
			&error);

	assert_non_null(wanted);
	assert_int_equal(wanted->sleep.idle_us, 7);
	assert_int_equal(wanted->sleep.max_us, 0);
	assert_int_equal(wanted->threads[0].queues[0].mode, RX_INTERRUPT);
	assert_int_equal(wanted->threads[0].queues[1].mode, RX_POLLING);
	assert_int_equal(wanted->threads[0].queues[2].mode, RX_ADAPTIVE);
	poll_wanted_destroy(wanted);
	wanted = parse("[]", &error);
	assert_int_equal(wanted->sleep.idle_us, POLL_SLEEP_IDLE_US);
	assert_int_equal(wanted->sleep.max_us, POLL_SLEEP_MAX_US);
	poll_wanted_destroy(wanted);
	refuse("{\"threads\":[],\"idle_us\":-1}", "idle_us is a number of microseconds");
	refuse("{\"threads\":[],\"idle_us\":true}", "idle_us");
	refuse("{\"threads\":[],\"sleep_max_us\":1000001}", "0 to 1000000");
	refuse("[{\"core\":1,\"queues\":[{\"port\":\"a\",\"queue\":0,\"mode\":\"fast\"}]}]",
		"\"interrupt\"");
}

// The most wakeful queue decides, and no queue wakes nobody.
static void thread_goes_by_the_most_wakeful(void **state)
{
	static const struct {
		enum rx_mode modes[2];
		size_t count;
		uint64_t idle_us;
	} cases[] = {
		{{0}, 0, 50},
		{{RX_INTERRUPT}, 1, 0},
		{{RX_ADAPTIVE, RX_INTERRUPT}, 2, 50},
		{{RX_INTERRUPT, RX_POLLING}, 2, UINT64_MAX},
		{{RX_ADAPTIVE, RX_POLLING}, 2, UINT64_MAX},
	};
	struct poll_sleep sleep = {50, 10};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct poll_plan *plan = calloc(1, sizeof(*plan) + 2 * sizeof(plan->items[0]));

		plan->count = cases[i].count;
		for (size_t q = 0; q < plan->count; q++)
			plan->items[q] =
				(struct poll_item){&port_a, (uint16_t)q, cases[i].modes[q]};
		assert_true(poll_plan_idle_us(plan, &sleep) == cases[i].idle_us);
		free(plan);
	}
}

static const struct poll_source sources[] = {
	{"a", &port_a, 0x5}, // queues 0 and 2
	{"b", &port_b, UINT64_C(1) << 63},
};

static struct poll_plan *build(const char *text)
{
	struct rpc_error error;
	struct poll_wanted *wanted = parse(text, &error);
	struct poll_plan *plan;

	assert_non_null(wanted);
	plan = poll_plan_build(&wanted->threads[0], sources, 2);
	poll_wanted_destroy(wanted);
	assert_non_null(plan);
	return plan;
}

static void plan_has_what_exists(void **state)
{
	struct poll_plan *plan =
		build("[{\"core\":1,\"queues\":[{\"port\":\"a\",\"queue\":2},"
		      "{\"port\":\"a\",\"queue\":1},{\"port\":\"c\",\"queue\":0},"
		      "{\"port\":\"b\",\"queue\":63},{\"port\":\"a\",\"queue\":0}]}]");

	assert_int_equal(plan->count, 3);
	assert_ptr_equal(plan->items[0].port, &port_a);
	assert_int_equal(plan->items[0].queue, 2);
	assert_ptr_equal(plan->items[1].port, &port_b);
	assert_int_equal(plan->items[1].queue, 63);
	assert_int_equal(plan->items[2].queue, 0);
	assert_true(poll_plan_has(plan, &port_a, 2));
	assert_false(poll_plan_has(plan, &port_a, 1));
	assert_false(poll_plan_has(NULL, &port_a, 2));
	free(plan);
	plan = poll_plan_build(NULL, sources, 2);
	assert_int_equal(plan->count, 0);
	free(plan);
}

#define A0 "{\"port\":\"a\",\"queue\":0}"
#define A2 "{\"port\":\"a\",\"queue\":2}"
#define B63 "{\"port\":\"b\",\"queue\":63}"
#define ON_CORE_1(QUEUES) "[{\"core\":1,\"queues\":[" QUEUES "]}]"

static void common_is_what_both_have(void **state)
{
	struct poll_plan *from = build(ON_CORE_1(A0 "," A2));
	struct poll_plan *to = build(ON_CORE_1(B63 "," A2));
	struct poll_plan *common = poll_plan_common(from, to);
	struct poll_plan *none = poll_plan_common(NULL, to);

	assert_int_equal(common->count, 1);
	assert_true(poll_plan_has(common, &port_a, 2));
	assert_int_equal(none->count, 0);
	assert_false(poll_plan_equal(from, to));
	assert_true(poll_plan_equal(from, from));
	assert_false(poll_plan_equal(from, common));
	common->items[0].mode = RX_POLLING; // the same queue, in another way
	free(none);
	none = poll_plan_common(common, to);
	assert_int_equal(none->count, 1);
	assert_int_equal(none->items[0].mode, RX_ADAPTIVE);
	assert_false(poll_plan_equal(none, common));
	free(from);
	free(to);
	free(common);
	free(none);
}

// Whatever the old and the new plans of two threads are: while they are exchanged by way of the
// common parts, no queue is ever in two plans that are in force at the same time.
static void queues_never_have_two_threads(void **state)
{
	static struct poll_source all = {"p", &port_a, 0xff};

	srand(1);
	for (int round = 0; round < 2000; round++) {
		struct poll_plan *old[2], *new[2], *common[2];
		unsigned old_split = rand() & 0xff, new_split = rand() & 0xff;

		for (int t = 0; t < 2; t++) {
			struct poll_wanted_queue before[8], after[8];
			struct poll_wanted_thread thread = {.queues = before};
			struct poll_wanted_thread later = {.queues = after};

			for (uint16_t q = 0; q < 8; q++) {
				if ((old_split >> q & 1) == (unsigned)t)
					before[thread.count++] = (struct poll_wanted_queue){"p", q};
				if ((new_split >> q & 1) == (unsigned)t)
					after[later.count++] = (struct poll_wanted_queue){"p", q};
			}
			old[t] = poll_plan_build(&thread, &all, 1);
			new[t] = poll_plan_build(&later, &all, 1);
			common[t] = poll_plan_common(old[t], new[t]);
		}
		for (uint16_t q = 0; q < 8; q++) {
			// One thread may already have the common plan while the other has the old
			// one; one may have the new plan while the other has the common one.
			assert_false(poll_plan_has(common[0], &port_a, q) &&
				     poll_plan_has(old[1], &port_a, q));
			assert_false(poll_plan_has(old[0], &port_a, q) &&
				     poll_plan_has(common[1], &port_a, q));
			assert_false(poll_plan_has(new[0], &port_a, q) &&
				     poll_plan_has(common[1], &port_a, q));
			assert_false(poll_plan_has(common[0], &port_a, q) &&
				     poll_plan_has(new[1], &port_a, q));
			assert_true(poll_plan_has(new[0], &port_a, q) !=
				    poll_plan_has(new[1], &port_a, q));
		}
		for (int t = 0; t < 2; t++) {
			free(old[t]);
			free(new[t]);
			free(common[t]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wanted_is_parsed),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(ways_to_sleep_are_parsed),
		cmocka_unit_test(thread_goes_by_the_most_wakeful),
		cmocka_unit_test(plan_has_what_exists),
		cmocka_unit_test(common_is_what_both_have),
		cmocka_unit_test(queues_never_have_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
