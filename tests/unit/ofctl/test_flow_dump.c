// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "ofctl/flow_dump.h"

static json_t *json_of(const char *text)
{
	char *copy = strdup(text);
	json_t *value;

	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	value = json_loads(copy, 0, NULL);
	assert_non_null(value);
	free(copy);
	return value;
}

static const char *const lines[][2] = {
	{"{'table':0,'priority':100,'cookie':'0x0','duration_ms':12345,'packets':10,'bytes':600,"
	 "'idle_ms':1999,'text':'priority=100,in_port=1 actions=output:2'}",
		" cookie=0x0, duration=12.3s, table=0, n_packets=10, n_bytes=600, idle_age=1, "
		"priority=100,in_port=1 actions=output:2\n"},
	{"{'table':7,'cookie':'0xffffffffffffffff','duration_ms':999,'packets':0,'bytes':0,"
	 "'idle_ms':-1,'idle_timeout':30,'hard_timeout':300,'text':'table=7, priority=0 "
	 "actions=normal'}",
		" cookie=0xffffffffffffffff, duration=0.9s, table=7, n_packets=0, n_bytes=0, "
		"idle_timeout=30, hard_timeout=300, idle_age=0, priority=0 actions=normal\n"},
	{"{'cookie':18,'duration_ms':5000}",
		" cookie=0x12, duration=5.0s, table=0, n_packets=0, n_bytes=0, idle_age=5, \n"},
};

static void test_lines(void **state)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		json_t *flow = json_of(lines[i][0]);
		size_t size;
		char *text;
		FILE *out = open_memstream(&text, &size);

		flow_dump_print(flow, out);
		fclose(out);
		assert_string_equal(text, lines[i][1]);
		free(text);
		json_decref(flow);
	}
}

#define FLOW(ID, PRIORITY, PACKETS, COOKIE, TEXT)                                        \
	"{'id':'" ID "','priority':" PRIORITY ",'packets':" PACKETS ",'cookie':'" COOKIE \
	"','text':'" TEXT "'}"

static const char flows[] = "[" FLOW("a", "5", "100", "0xa",
	"priority=5,tcp,nw_dst=10.0.0.10,tp_dst=80 actions=drop") "," FLOW("b", "7", "20", "0x9",
	"priority=7,ip,nw_dst=10.0.0.2 actions=output:1") "," FLOW("c", "5", "3", "0x100",
	"priority=5,in_port=9 actions=set_field:1.2.3.4->nw_dst") "," FLOW("d", "10", "4", "0x0",
	"priority=10,tcp,tp_dst=443 actions=drop") "]";

static const struct {
	const char *field;
	const char *upward;
	const char *downward;
} orders[] = {
	{"priority", "acbd", "dbac"},
	{"n_packets", "cdba", "abdc"},
	{"cookie", "dbac", "cabd"},
	{"nw_dst", "cdba", "abcd"},
	{"ip_dst", "cdba", "abcd"}, // an alias
	{"in_port", "abdc", "cabd"},
	{"tcp_dst", "bcad", "dabc"}, // shown as tp_dst
	{"tp_dst", "bcad", "dabc"},
};

static void check_order(const json_t *all, const char *field, bool reversed, const char *expected)
{
	json_t *sorted = flow_dump_sort(all, field, reversed);
	char order[16] = "";
	size_t index;
	json_t *flow;

	json_array_foreach (sorted, index, flow)
		strcat(order, json_string_value(json_object_get(flow, "id")));
	if (strcmp(order, expected) != 0)
		fail_msg(
			"by %s%s: %s, not %s", field, reversed ? " reversed" : "", order, expected);
	json_decref(sorted);
}

static void test_orders(void **state)
{
	json_t *all = json_of(flows);

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		assert_true(flow_dump_sortable(orders[i].field));
		check_order(all, orders[i].field, false, orders[i].upward);
		check_order(all, orders[i].field, true, orders[i].downward);
	}
	assert_false(flow_dump_sortable("nonsense"));
	json_decref(all);
}

static void test_nothing_to_sort(void **state)
{
	json_t *sorted = flow_dump_sort(NULL, "priority", false);

	assert_int_equal(json_array_size(sorted), 0);
	json_decref(sorted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_nothing_to_sort),
	};

	return cmocka_run_group_tests_name("flow_dump", tests, NULL, NULL);
}
