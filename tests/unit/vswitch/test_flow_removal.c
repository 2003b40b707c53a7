// SPDX-License-Identifier: Apache-2.0
//
// flow.removed: what is told of flows that went, and what is not.

#include "switch_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/rpc_client.h"

static void on_notification(void *context, const char *method, json_t *params)
{
	json_array_append_new(context, json_pack("[s, O]", method, params));
}

// Run calls with somebody listening; what was heard as "reason priority packets", sorted.
static void assert_heard(struct fixture *f, struct rpc_client *client, const char *expected)
{
	json_t *heard = json_array();
	char *lines[16];
	size_t count = 0;
	char text[512] = "";
	size_t i;
	json_t *item;

	rpc_client_on_notification(client, on_notification, heard);
	event_base_loop(f->vs.base, EVLOOP_NONBLOCK);
	assert_int_equal(rpc_client_poll(client), 0);
	json_array_foreach (heard, i, item) {
		json_t *params = json_array_get(item, 1);
		json_t *packets = json_object_get(params, "packets");
		const char *flow = json_string_value(json_object_get(params, "flow"));

		assert_string_equal(json_string_value(json_array_get(item, 0)), "flow.removed");
		assert_string_equal(json_string_value(json_object_get(params, "bridge")), "br0");
		assert_int_equal(asprintf(&lines[count++], "%s %d %d",
					 json_string_value(json_object_get(params, "reason")),
					 atoi(strstr(flow, "priority=") + 9),
					 packets ? (int)json_integer_value(packets) : -1) > 0,
			1);
	}
	for (size_t k = 0; k < count; k++) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", k ? "; " : "",
			lines[k]);
		free(lines[k]);
	}
	assert_string_equal(text, expected);
	json_decref(heard);
}

static void test_flow_removed(void **state)
{
	struct fixture *f = *state;
	struct rpc_client *client;
	char path[128];

	must(f, "[['bridge.add', {'name':'br0', 'fail_mode':'secure'}]]");
	must(f, "[['meter.add', {'bridge':'br0', 'meter':'meter=1 kbps bands=type=drop,rate=1'}],"
		"['group.add', {'bridge':'br0', "
		"'lines':'group_id=1,type=all\\ngroup_id=2,type=all'}],"
		"['flow.bundle', {'bridge':'br0', 'lines':"
		"'priority=1001,send_flow_rem,actions=group:1\\npriority=2,actions=group:1\\n"
		"priority=3,send_flow_rem,actions=meter:1,1\\n"
		"priority=1004,send_flow_rem,actions=drop\\n"
		"priority=5,hard_timeout=10,send_flow_rem,actions=drop\\n"
		"priority=6,idle_timeout=20,send_flow_rem,actions=drop\\n"
		"priority=7,send_flow_rem,actions=group:2'}]]");
	snprintf(path, sizeof(path), "%s/vswitchd.sock", f->dir);
	f->vs.server = rpc_server_create(f->vs.base, "test", "0", NULL, &f->vs);
	assert_non_null(f->vs.server);
	assert_true(rpc_server_listen(f->vs.server, path, NULL, &f->error));
	client = rpc_client_connect(path, 1000, &f->error);
	assert_non_null(client);
	event_base_loop(f->vs.base, EVLOOP_NONBLOCK);

	must(f, "[['group.delete', {'bridge':'br0', 'group':'group_id=1'}]]");
	assert_heard(f, client, "group_delete 1001 1");
	must(f, "[['meter.delete', {'bridge':'br0'}],"
		"['flow.delete', {'bridge':'br0', 'flow':'priority=1004', 'strict':true}]]");
	assert_heard(f, client, "meter_delete 3 0; delete 1004 1");
	now_ms += 10000;
	flows_expire(&f->vs);
	assert_heard(f, client, "hard_timeout 5 0");
	now_ms += 10000;
	flows_expire(&f->vs);
	assert_heard(f, client, "idle_timeout 6 0");
	// What is undone is not told.
	assert_false(
		call(f, "[['group.delete', {'bridge':'br0'}],"
			"['flow.add', {'bridge':'br0', 'flow':'priority=666,actions=drop'}]]"));
	assert_heard(f, client, "");
	// And a datapath that does not answer is not asked.
	stop_datapath(f);
	must(f, "[['group.delete', {'bridge':'br0', 'no_wait':true}]]");
	assert_heard(f, client, "group_delete 7 -1");
	rpc_client_destroy(client);
	rpc_server_destroy(f->vs.server);
	f->vs.server = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_flow_removed, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
