// SPDX-License-Identifier: Apache-2.0
//
// Rebalancing, asked for and by itself. The queues of port q60 take 60 % of a core.

#include "switch_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswitch/auto_lb.h"
#include "vswitch/sync.h"

#define SET(TABLE, RECORD, CONFIG)                            \
	"[['db.set', {'table':'" TABLE "', 'record':'" RECORD \
	"', 'values':{'other_config':" CONFIG "}}]]"
#define UNPIN(RECORD) \
	"[['db.clear', {'table':'Interface', 'record':'" RECORD "', 'columns':['other_config']}]]"
#define ROOT(MORE) \
	SET("Open_vSwitch", ".", "{'pmd-cpu-mask':'3', 'pmd-rxq-isolate':'false'" MORE "}")

// The number of queues of each thread, as "1 3".
static const char *placed(struct fixture *f)
{
	static char text[64];
	json_t *plan = json_object_get(f->vs.actual, "plan");
	size_t i;
	json_t *thread;

	text[0] = '\0';
	json_array_foreach (json_object_get(plan, "threads"), i, thread)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%zu", i ? " " : "",
			json_array_size(json_object_get(thread, "queues")));
	return text;
}

// All three queues are on core 1, where they were pinned, and core 0 is idle.
static void crowd(struct fixture *f)
{
	must(f, "[['bridge.add', {'name':'br0', 'fail_mode':'secure'}]]");
	must(f, ROOT(""));
	must(f, "[['port.add', {'bridge':'br0', 'name':'q60', 'type':'dpdk'}],"
		"['port.add', {'bridge':'br0', 'name':'q39', 'type':'dpdk'}],"
		"['port.add', {'bridge':'br0', 'name':'q0', 'type':'dpdk'}]]");
	must(f, SET("Interface", "q60", "{'pmd-rxq-affinity':'0:1'}"));
	must(f, SET("Interface", "q39", "{'pmd-rxq-affinity':'0:1'}"));
	must(f, SET("Interface", "q0", "{'pmd-rxq-affinity':'0:1'}"));
	assert_string_equal(placed(f), "0 3");
	must(f, UNPIN("q60"));
	must(f, UNPIN("q39"));
	must(f, UNPIN("q0"));
	assert_string_equal(placed(f), "0 3");
}

static void wait_seconds(struct fixture *f, unsigned seconds)
{
	while (seconds-- > 0)
		auto_lb_step(&f->vs);
}

static void test_asked(void **state)
{
	struct fixture *f = *state;
	json_t *report;

	crowd(f);
	report = sync_rebalance(&f->vs, -1e9, true, &f->error);
	// The busiest queue stays, and the others leave it.
	assert_int_equal(json_array_size(json_object_get(report, "moves")), 2);
	assert_true(json_is_false(json_object_get(report, "applied")));
	json_decref(report);
	assert_string_equal(placed(f), "0 3");
	report = sync_rebalance(&f->vs, -1e9, false, &f->error);
	assert_true(json_is_true(json_object_get(report, "applied")));
	assert_true(json_real_value(json_object_get(report, "improvement_percent")) > 90);
	json_decref(report);
	assert_string_equal(placed(f), "2 1");
	report = sync_rebalance(&f->vs, -1e9, false, &f->error);
	assert_int_equal(json_array_size(json_object_get(report, "moves")), 0);
	assert_true(json_is_false(json_object_get(report, "applied")));
	json_decref(report);
}

static void test_off(void **state)
{
	struct fixture *f = *state;

	crowd(f);
	wait_seconds(f, 600);
	assert_string_equal(placed(f), "0 3");
}

// 99 % is over 95; after a minute, and not before.
static void test_overloaded(void **state)
{
	struct fixture *f = *state;

	crowd(f);
	must(f, ROOT(", 'pmd-auto-lb':'true'"));
	wait_seconds(f, 59);
	assert_string_equal(placed(f), "0 3");
	wait_seconds(f, 1);
	assert_string_equal(placed(f), "2 1");
	wait_seconds(f, 600);
	assert_string_equal(placed(f), "2 1");
}

static void test_interval(void **state)
{
	struct fixture *f = *state;

	crowd(f);
	must(f, ROOT(", 'pmd-auto-lb':'true', 'pmd-auto-lb-rebal-interval':'5'"));
	wait_seconds(f, 299);
	assert_string_equal(placed(f), "0 3");
	wait_seconds(f, 1);
	assert_string_equal(placed(f), "2 1");
}

static void test_not_overloaded(void **state)
{
	struct fixture *f = *state;

	crowd(f);
	must(f, ROOT(", 'pmd-auto-lb':'true', 'pmd-auto-lb-load-threshold':'100'"));
	wait_seconds(f, 600);
	assert_string_equal(placed(f), "0 3");
}

// The variance falls from 2450 to 110, by 95.5 %.
static void test_not_worth_it(void **state)
{
	struct fixture *f = *state;

	crowd(f);
	must(f, ROOT(", 'pmd-auto-lb':'true', 'pmd-auto-lb-improvement-threshold':'96'"));
	wait_seconds(f, 600);
	assert_string_equal(placed(f), "0 3");
	must(f, ROOT(", 'pmd-auto-lb':'true', 'pmd-auto-lb-improvement-threshold':'95'"));
	wait_seconds(f, 60);
	assert_string_equal(placed(f), "2 1");
}

int main(void)
{
#define TEST(FN) cmocka_unit_test_setup_teardown(FN, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_asked),
		TEST(test_off),
		TEST(test_overloaded),
		TEST(test_interval),
		TEST(test_not_overloaded),
		TEST(test_not_worth_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
