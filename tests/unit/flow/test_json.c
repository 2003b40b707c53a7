// SPDX-License-Identifier: Apache-2.0

// The JSON form: what it looks like, that it is judged as the text is, and what it refuses.

#include "flow_test.h"

static int from_json(struct flow_request *request, const char *text, struct flow_warnings *warnings,
	struct flow_error *error)
{
	json_error_t json_error;
	json_t *json = json_loads(text, 0, &json_error);
	int status;

	if (!json)
		fail_msg("%s: %s", text, json_error.text);
	status = flow_request_from_json(request, json, FLOW_ADD, &test_ports, warnings, error);
	json_decref(json);
	return status;
}

static void must_equal_text(const char *json, const char *text)
{
	struct flow_request request, expected;
	struct flow_error error;

	if (from_json(&request, json, NULL, &error) != 0)
		fail_msg("%s: %s", json, error.message);
	must_parse(&expected, text, FLOW_ADD, NULL);
	assert_flows_equal(&request.flow, &expected.flow);
	flow_request_destroy(&request);
	flow_request_destroy(&expected);
}

static void test_reading(void **state)
{
	must_equal_text("{\"actions\": []}", "actions=drop");
	must_equal_text(
		"{\"table\": 3, \"priority\": 100, \"cookie\": \"0x1\", \"idle_timeout\": 0, "
		"\"match\": {\"in_port\": 1, \"dl_type\": \"0x0800\", \"nw_dst\": "
		"\"10.0.0.0/24\"}, \"actions\": [{\"set_field\": {\"field\": \"dl_dst\", "
		"\"value\": \"00:00:00:00:00:02\"}}, {\"output\": 2}, \"strip_vlan\"]}",
		"table=3,priority=100,cookie=1,in_port=1,ip,nw_dst=10.0.0.0/24,"
		"actions=set_field:00:00:00:00:00:02->eth_dst,output:2,strip_vlan");
	must_equal_text("{\"match\": {\"tcp\": true, \"tp_dst\": \"1000-2000\", \"in_port\": "
			"\"vhu0\"}, \"send_flow_rem\": true, \"actions\": [\"output:vhu1\", "
			"{\"output\": \"dpdk0\"}, {\"mod_tp_dst\": 80}, {\"dec_ttl\": true}, "
			"{\"goto_table\": 5}]}",
		"tcp,tp_dst=1000-2000,in_port=2,send_flow_rem,"
		"actions=output:3,output:1,mod_tp_dst:80,dec_ttl,goto_table:5");
	must_equal_text("{\"actions\": [{\"resubmit\": 4}, {\"resubmit\": {\"port\": \"vhu0\", "
			"\"table\": 5}}, {\"resubmit\": {\"table\": 6}}, {\"load\": {\"field\": "
			"\"reg0[0..7]\", \"value\": 5}}, {\"move\": {\"from\": \"reg0[]\", \"to\": "
			"\"NXM_NX_REG1[]\"}}, {\"write_metadata\": \"5/7\"}, {\"output\": "
			"\"reg0[0..15]\"}, {\"load\": \"5->reg2[]\"}]}",
		"actions=resubmit(,4),resubmit(2,5),resubmit(,6),load:5->reg0[0..7],"
		"move:reg0[]->reg1[],write_metadata:5/7,output:reg0[0..15],load:5->reg2[]");
}

static void test_writing(void **state)
{
	struct flow_request request;
	json_t *json, *expected;

	must_parse(&request,
		"table=2,priority=7,cookie=0x1f,tcp,in_port=9,nw_src=10.0.0.0/8,tp_dst=80,"
		"check_overlap,actions=set_field:5/7->reg0,load:1->reg1[3],resubmit(vhu1,9),"
		"push_vlan:0x8100,output:1,output:9,NORMAL",
		FLOW_ADD, NULL);
	json = flow_to_json(&request.flow, &test_ports);
	expected = json_loads(
		"{\"table\": 2, \"priority\": 7, \"cookie\": \"0x1f\", \"idle_timeout\": 0, "
		"\"hard_timeout\": 0, \"check_overlap\": true, \"match\": {\"in_port\": 9, "
		"\"dl_type\": \"0x0800\", \"nw_src\": \"10.0.0.0/8\", \"nw_proto\": 6, "
		"\"tcp_dst\": 80}, \"actions\": [{\"set_field\": {\"field\": \"reg0\", "
		"\"value\": \"0x5/0x7\"}}, {\"load\": {\"field\": \"NXM_NX_REG1[3]\", "
		"\"value\": \"0x1\"}}, {\"resubmit\": {\"port\": \"vhu1\", \"table\": 9}}, "
		"{\"push_vlan\": \"0x8100\"}, {\"output\": \"dpdk0\"}, {\"output\": 9}, "
		"\"NORMAL\"]}",
		0, NULL);
	assert_non_null(expected);
	if (!json_equal(json, expected))
		fail_msg("%s", json_dumps(json, 0));
	json_decref(json);
	json_decref(expected);
	flow_request_destroy(&request);
}

// The same sentence as the text form's, without a place.
static void test_same_judgement(void **state)
{
	static const struct {
		const char *json;
		const char *text;
	} rows[] = {
		{"{\"match\": {\"nw_dst\": \"10.0.0.1\"}, \"actions\": []}",
			"nw_dst=10.0.0.1,actions="},
		{"{\"match\": {\"ip\": true, \"nw_src\": \"10.0.0.300\"}, \"actions\": []}",
			"ip,nw_src=10.0.0.300,actions="},
		{"{\"match\": {\"dl_vlan\": 5000}, \"actions\": []}", "dl_vlan=5000,actions="},
		{"{\"match\": {\"tcp\": true, \"udp\": true}, \"actions\": []}",
			"tcp,udp,actions="},
		{"{\"actions\": [{\"output\": \"nosuch\"}]}", "actions=output:nosuch"},
		{"{\"match\": {\"ip\": true}, \"actions\": [{\"set_field\": {\"value\": 80, "
		 "\"field\": \"tcp_dst\"}}]}",
			"ip,actions=set_field:80->tcp_dst"},
		{"{\"table\": 5, \"actions\": [{\"goto_table\": 3}]}",
			"table=5,actions=goto_table:3"},
		{"{\"match\": {\"foo\": 3}, \"actions\": []}", "foo=3,actions="},
		{"{\"actions\": [\"drop\", {\"output\": 1}]}", "actions=drop,output:1"},
		{"{\"match\": {\"vlan_vid\": 100}, \"actions\": []}", "vlan_vid=100,actions="},
		{"{\"priority\": 65536, \"actions\": []}", "priority=65536,actions="},
		{"{\"priority\": -1, \"actions\": []}", "priority=-1,actions="},
		{"{\"match\": {}}", ""},
		{"{\"actions\": [{\"frobnicate\": 1}]}", "actions=frobnicate"},
		{"{\"actions\": [\"output\"]}", "actions=output"},
		// A value cannot smuggle in another key or action.
		{"{\"match\": {\"in_port\": \"1,priority=5\"}, \"actions\": []}", NULL},
		{"{\"actions\": [{\"output\": \"1,output:2\"}]}", NULL},
		{"{\"actions\": [{\"set_field\": {\"value\": \"5->reg1\", \"field\": "
		 "\"reg0\"}}]}",
			NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct flow_request request;
		struct flow_error json_error, text_error;

		assert_int_equal(from_json(&request, rows[i].json, NULL, &json_error), -EINVAL);
		assert_int_equal(json_error.offset, 0);
		assert_int_equal(json_error.length, 0);
		if (!rows[i].text)
			continue;
		must_refuse(rows[i].text, FLOW_ADD, &text_error);
		assert_string_equal(json_error.message, text_error.message);
		assert_string_equal(json_error.field, text_error.field);
		assert_int_equal(json_error.kind, text_error.kind);
	}
}

static void test_refused_shapes(void **state)
{
	static const struct {
		const char *json;
		const char *field;
	} rows[] = {
		{"[]", ""},
		{"{\"nw_src\": \"10.0.0.1\", \"actions\": []}", "nw_src"},
		{"{\"match\": {\"priority\": 5}, \"actions\": []}", "priority"},
		{"{\"unknown\": 5, \"actions\": []}", "unknown"},
		{"{\"match\": {\"nw_src ip_src\": \"10.0.0.1\"}, \"actions\": []}",
			"nw_src ip_src"},
		{"{\"match\": 5, \"actions\": []}", "match"},
		{"{\"actions\": {}}", "actions"},
		{"{\"actions\": [5]}", "actions"},
		{"{\"actions\": [{\"output\": 1, \"drop\": true}]}", "actions"},
		{"{\"actions\": [{\"output\": {\"port\": 1}}]}", "output"},
		{"{\"actions\": [{\"set_field\": {\"field\": \"reg0\"}}]}", "set_field"},
		{"{\"actions\": [{\"set_field\": {\"field\": \"reg0\", \"value\": 1, \"x\": "
		 "1}}]}",
			"x"},
		{"{\"priority\": 1.5, \"actions\": []}", "priority"},
		{"{\"match\": {\"in_port\": \"\"}, \"actions\": []}", "in_port"},
		{"{\"match\": {\"in_port\": null}, \"actions\": []}", "in_port"},
		{"{\"command\": \"frob\", \"actions\": []}", "command"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct flow_request request;
		struct flow_error error;

		assert_int_equal(from_json(&request, rows[i].json, NULL, &error), -EINVAL);
		assert_string_equal(error.field, rows[i].field);
		assert_true(error.message[0] != '\0');
	}
}

static void test_warning_and_command(void **state)
{
	struct flow_request request;
	struct flow_warnings warnings;
	struct flow_error error;

	assert_int_equal(from_json(&request,
				 "{\"command\": \"delete\", \"match\": {\"ip\": true, "
				 "\"nw_src\": \"10.0.0.5/24\"}, \"out_port\": \"vhu0\"}",
				 &warnings, &error),
		0);
	assert_int_equal(request.command, FLOW_DELETE);
	assert_int_equal(request.filter.out_port, 2);
	assert_int_equal(warnings.count, 1);
	assert_string_equal(warnings.items[0].message, "host bits ignored, using 10.0.0.0/24");
	flow_request_destroy(&request);
}

static void test_error_json(void **state)
{
	struct flow_error error;
	json_t *json;

	must_refuse("add nw_dst=10.0.0.1,actions=drop \xff", FLOW_ADD, &error);
	json = flow_error_to_json(&error);
	assert_string_equal(json_string_value(json_object_get(json, "kind")), "prerequisite");
	assert_string_equal(json_string_value(json_object_get(json, "field")), "nw_dst");
	assert_string_equal(json_string_value(json_object_get(json, "hint")), "ip,nw_dst=10.0.0.1");
	assert_string_equal(json_string_value(json_object_get(json, "message")), error.message);
	assert_int_equal(json_integer_value(json_object_get(json, "offset")), 4);
	assert_int_equal(json_integer_value(json_object_get(json, "length")), 15);
	json_decref(json);

	// What is quoted need not be UTF-8, and cannot reach a terminal as it is.
	must_refuse("ip,nw_src=\x1b[1m\xff,actions=drop", FLOW_ADD, &error);
	assert_null(strchr(error.message, '\x1b'));
	json = flow_error_to_json(&error);
	assert_non_null(json);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_writing),
		cmocka_unit_test(test_same_judgement),
		cmocka_unit_test(test_refused_shapes),
		cmocka_unit_test(test_warning_and_command),
		cmocka_unit_test(test_error_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
