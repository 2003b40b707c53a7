// SPDX-License-Identifier: Apache-2.0

// The actions that name somebody to send to or to ask: output(port=P,max_len=N), controller, group
// and meter; and action lists that stand alone, as those of a bucket do.

#include "flow_test.h"

#include "pipeline/group.h"
#include "pipeline/meter.h"

// Names that look like something else, or hold what separates arguments.
static const struct port_name odd_items[] = {
	{"dpdk0", 1}, {"a,b", 2}, {"in_port", 3}, {"x=y z", 4}, {"t[0]", 5}, {"c)(", 6}};
static const struct port_names odd_ports = {"br1", 6, odd_items};

// --- Text ---

static const struct {
	const char *actions;
	const char *dump;
} accepted[] = {
	{"output(port=1,max_len=100)", "output(port=dpdk0,max_len=100)"},
	{"output(max_len=0xffffffff, port=dpdk0)", "output(port=dpdk0,max_len=4294967295)"},
	{"output( port=9 ,,max_len=14 )", "output(port=9,max_len=14)"},
	{"OUTPUT(port=in_port,max_len=64)", "output(port=in_port,max_len=64)"},
	{"output(port=IN_PORT,max_len=64)", "output(port=in_port,max_len=64)"},
	{"output(port=\"a,b\",max_len=64)", "output(port=\"a,b\",max_len=64)"},
	{"output(max_len=64,port=\"in_port\")", "output(port=\"in_port\",max_len=64)"},
	{"output(port=\"x=y z\",max_len=64)", "output(port=\"x=y z\",max_len=64)"},
	{"output(port=\"t[0]\",max_len=64)", "output(port=\"t[0]\",max_len=64)"},
	{"output(port=\"c)(\",max_len=64)", "output(port=\"c)(\",max_len=64)"},
	{"output(2),output(\"x=y z\"),output(reg0[])",
		"output:\"a,b\",output:\"x=y z\",output:NXM_NX_REG0[]"},
	{"resubmit(\"a,b\",7),resubmit(\"a,b\"),resubmit(5,9)",
		"resubmit(\"a,b\",7),resubmit(\"a,b\",0),resubmit(\"t[0]\",9)"},
	{"controller", "CONTROLLER:65535"},
	{"CONTROLLER:65535", "CONTROLLER:65535"},
	{"controller()", "CONTROLLER:65535"},
	{"output:controller", "CONTROLLER:65535"},
	{"controller:0", "CONTROLLER:0"},
	{"controller(max_len=128)", "CONTROLLER:128"},
	{"controller(reason=action)", "CONTROLLER:65535"},
	{"controller(reason=no_match)", "CONTROLLER(reason=no_match)"},
	{"Controller( reason=INVALID_TTL , max_len=0 )",
		"CONTROLLER(reason=invalid_ttl,max_len=0)"},
	{"group:0", "group:0"},
	{"group=4294967040", "group:4294967040"},
	{"Group(5)", "group:5"},
	{"meter:1,2", "meter:1,output:\"a,b\""},
	{"meter:0xffff0000", "meter:4294901760"},
};

static void parse_odd(struct flow_request *request, const char *actions)
{
	char text[300];
	struct flow_error error;

	snprintf(text, sizeof(text), "actions=%s", actions);
	if (flow_request_parse(request, text, FLOW_ADD, &odd_ports, NULL, &error) != 0)
		fail_msg("%s: %s", text, error.message);
}

static void test_accepted(void **state)
{
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		struct flow_request request, again;
		struct flow_error error;
		char *dump, *exact;
		json_t *json;

		parse_odd(&request, accepted[i].actions);
		dump = actions_format(&request.flow.actions, &odd_ports);
		assert_string_equal(dump, accepted[i].dump);
		parse_odd(&again, dump);
		assert_true(flow_equal(&request.flow, &again.flow));
		flow_request_destroy(&again);
		exact = actions_format(&request.flow.actions, NULL);
		assert_null(strchr(exact, '"'));
		parse_odd(&again, exact);
		assert_true(flow_equal(&request.flow, &again.flow));
		flow_request_destroy(&again);
		json = flow_to_json(&request.flow, &odd_ports);
		if (flow_request_from_json(&again, json, FLOW_ADD, &odd_ports, NULL, &error) != 0)
			fail_msg("%s: %s", json_dumps(json, 0), error.message);
		assert_true(flow_equal(&request.flow, &again.flow));
		flow_request_destroy(&again);
		flow_request_destroy(&request);
		json_decref(json);
		free(dump);
		free(exact);
	}
}

static void test_values(void **state)
{
	struct flow_request request;
	const struct action *items;

	parse_odd(&request, "output(port=2,max_len=99),controller(reason=no_match,max_len=7),"
			    "controller,group:4294967040,meter:4294901760");
	items = request.flow.actions.items;
	assert_int_equal(request.flow.actions.count, 5);
	assert_int_equal(items[0].id, ACTION_OUTPUT_TRUNCATED);
	assert_int_equal(items[0].truncated.port, 2);
	assert_int_equal(items[0].truncated.max_len, 99);
	assert_int_equal(items[1].controller.reason, PACKET_IN_NO_MATCH);
	assert_int_equal(items[1].controller.max_len, 7);
	assert_int_equal(items[2].controller.reason, PACKET_IN_ACTION);
	assert_int_equal(items[2].controller.max_len, CONTROLLER_WHOLE);
	assert_int_equal(items[3].group, GROUP_ID_MAX);
	assert_int_equal(items[4].meter, METER_ID_MAX);
	flow_request_destroy(&request);
}

// --- Refused ---

#define OUTPUT_EXAMPLE "output(port=1,max_len=100)"

static const struct refused refused[] = {
	{"actions=output(port=1)",
		"output(...) needs both port= and max_len=; to send all of the packet write "
		"output:P",
		FLOW_ERROR_SYNTAX, "output", "output(port=1)", OUTPUT_EXAMPLE},
	{"actions=output(max_len=64),1", NULL, FLOW_ERROR_SYNTAX, "output", "output(max_len=64)",
		OUTPUT_EXAMPLE},
	{"actions=output(port=1,max_len=13)",
		"max_len: 13 is less than the 14 bytes of an Ethernet header",
		FLOW_ERROR_OUT_OF_RANGE, "output", "output(port=1,max_len=13)",
		"output(port=1,max_len=64)"},
	{"actions=output(port=1,max_len=4294967296)",
		"max_len: 4294967296 is out of range 0..4294967295", FLOW_ERROR_OUT_OF_RANGE,
		"max_len", "output(port=1,max_len=4294967296)", NULL},
	{"actions=output(port=1,max_len)",
		"max_len: \"\" is not a number (decimal, or hexadecimal after 0x)",
		FLOW_ERROR_BAD_VALUE, "max_len", "output(port=1,max_len)", NULL},
	{"actions=2,output(port=vhu9,max_len=64)",
		"output: no port \"vhu9\" on br0 (ports: dpdk0, vhu0, vhu1)",
		FLOW_ERROR_NO_SUCH_PORT, "output", "output(port=vhu9,max_len=64)", NULL},
	{"actions=output(port=controller,max_len=64)",
		"output: the controller is no port; write the action controller",
		FLOW_ERROR_NO_SUCH_PORT, "output", "output(port=controller,max_len=64)", NULL},
	{"actions=output(port=NORMAL,max_len=64)", NULL, FLOW_ERROR_NO_SUCH_PORT, "output",
		"output(port=NORMAL,max_len=64)", NULL},
	{"actions=output(port=1,port=2,max_len=64)", "port is given twice; leave one out",
		FLOW_ERROR_CONFLICT, "port", "output(port=1,port=2,max_len=64)", NULL},
	{"actions=output(port=1,max_len=64,max_len=64)", "max_len is given twice; leave one out",
		FLOW_ERROR_CONFLICT, "max_len", "output(port=1,max_len=64,max_len=64)", NULL},
	{"actions=output(port=1,length=64)",
		"\"length\" is not known here; output has port= and max_len=, as in "
		"output(port=1,max_len=100)",
		FLOW_ERROR_SYNTAX, "output", "output(port=1,length=64)", OUTPUT_EXAMPLE},
	{"actions=output()", "output needs an argument: write for example output:1",
		FLOW_ERROR_SYNTAX, "output", "output()", "output:1"},
	{"actions=controller:65536", "controller: 65536 is out of range 0..65535",
		FLOW_ERROR_OUT_OF_RANGE, "controller", "controller:65536", NULL},
	{"actions=controller(max_len=65536)", "max_len: 65536 is out of range 0..65535",
		FLOW_ERROR_OUT_OF_RANGE, "max_len", "controller(max_len=65536)", NULL},
	{"actions=1,controller(reason=boredom)",
		"controller: \"boredom\" is no reason; there are action, no_match and invalid_ttl",
		FLOW_ERROR_BAD_VALUE, "controller", "controller(reason=boredom)",
		"controller(reason=no_match)"},
	{"actions=controller(reason)", NULL, FLOW_ERROR_BAD_VALUE, "controller",
		"controller(reason)", "controller(reason=no_match)"},
	{"actions=controller(id=3)",
		"\"id\" is not known here; controller has max_len= and reason=, as in "
		"controller(max_len=128,reason=no_match)",
		FLOW_ERROR_SYNTAX, "controller", "controller(id=3)",
		"controller(max_len=128,reason=no_match)"},
	{"actions=controller(max_len=1,max_len=1)", "max_len is given twice; leave one out",
		FLOW_ERROR_CONFLICT, "max_len", "controller(max_len=1,max_len=1)", NULL},
	{"actions=controller(reason=action,reason=action)", "reason is given twice; leave one out",
		FLOW_ERROR_CONFLICT, "reason", "controller(reason=action,reason=action)", NULL},
	{"in_port=controller,actions=1",
		"in_port: the controller is no port; write the action controller",
		FLOW_ERROR_NO_SUCH_PORT, "in_port", "in_port=controller", NULL},
	{"actions=group", "group needs an argument: write for example group:1", FLOW_ERROR_SYNTAX,
		"group", "group", "group:1"},
	{"actions=group:all", "group: \"all\" is not a number (decimal, or hexadecimal after 0x)",
		FLOW_ERROR_BAD_VALUE, "group", "group:all", NULL},
	{"actions=group:4294967041", "group: 4294967041 is out of range 0..4294967040",
		FLOW_ERROR_OUT_OF_RANGE, "group", "group:4294967041", NULL},
	{"actions=meter", "meter needs an argument: write for example meter:1", FLOW_ERROR_SYNTAX,
		"meter", "meter", "meter:1"},
	{"actions=meter:0", "meter: 0 is out of range 1..4294901760", FLOW_ERROR_OUT_OF_RANGE,
		"meter", "meter:0", NULL},
	{"actions=meter:4294901761", NULL, FLOW_ERROR_OUT_OF_RANGE, "meter", "meter:4294901761",
		NULL},
	{"actions=drop,controller", "\"drop\" cannot be combined with other actions",
		FLOW_ERROR_CONFLICT, "drop", "drop", NULL},
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct flow_error error;

		must_refuse(refused[i].text, FLOW_ADD, &error);
		assert_refusal(&refused[i], &error);
	}
}

// --- What there is ---

static bool only_five(const struct port_names *names, enum flow_reference kind, uint32_t id)
{
	unsigned *asked = names->context;

	*asked |= 1u << kind;
	return id == 5;
}

static void test_exists(void **state)
{
	static const struct refused rows[] = {
		{"actions=1,group:6",
			"group:6 is not there; add it first: ofctl add-group br0 "
			"group_id=6,type=all,bucket=output:1",
			FLOW_ERROR_NO_SUCH_GROUP, "group", "group:6", ""},
		{"actions=meter:6,1",
			"meter:6 is not there; add it first: ofctl add-meter br0 "
			"meter=6,pktps,bands=type=drop,rate=1000",
			FLOW_ERROR_NO_SUCH_METER, "meter", "meter:6", ""},
	};
	unsigned asked = 0;
	struct port_names names = test_ports;
	struct flow_request request;
	struct flow_error error;

	names.exists = only_five;
	names.context = &asked;
	assert_int_equal(flow_request_parse(&request, "actions=group:5,meter:5", FLOW_ADD, &names,
				 NULL, &error),
		0);
	assert_int_equal(asked, 1u << FLOW_GROUP | 1u << FLOW_METER);
	flow_request_destroy(&request);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
			flow_request_parse(&request, rows[i].text, FLOW_ADD, &names, NULL, &error),
			-EINVAL);
		assert_refusal(&rows[i], &error);
	}
	assert_string_equal(flow_error_kind_name(FLOW_ERROR_NO_SUCH_GROUP), "no_such_group");
	assert_string_equal(flow_error_kind_name(FLOW_ERROR_NO_SUCH_METER), "no_such_meter");
}

// --- Alone ---

static void test_alone(void **state)
{
	struct action_list list;
	struct flow_error error;
	char *text;

	// No match says what packets have, so nothing is asked of it, and nobody is warned.
	struct flow_warnings warnings = {.count = 1};

	assert_int_equal(actions_parse_alone(&list, "a bucket",
				 " dec_ttl,strip_vlan,mod_tp_dst:5 resubmit(,3),vhu0 # done",
				 &test_ports, &warnings, &error),
		0);
	assert_int_equal(warnings.count, 0);
	text = actions_format(&list, &test_ports);
	assert_string_equal(text, "dec_ttl,strip_vlan,mod_tp_dst:5,resubmit(,3),output:vhu0");
	free(text);
	action_list_destroy(&list);

	// Nothing is a drop.
	assert_int_equal(actions_parse_alone(&list, "a bucket", "", NULL, NULL, &error), 0);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].id, ACTION_DROP);
	action_list_destroy(&list);
}

static void test_alone_refused(void **state)
{
	static const struct refused rows[] = {
		{"output:1,goto_table:3", "a bucket cannot go to a table; write resubmit(,3)",
			FLOW_ERROR_TABLE_ORDER, "goto_table", "goto_table:3", ""},
		{"resubmit:1", "resubmit needs a table: write resubmit(,1), or resubmit(port,1)",
			FLOW_ERROR_SYNTAX, "resubmit", "resubmit:1", "resubmit(1,1)"},
		{"1,drop", "\"drop\" cannot be combined with other actions", FLOW_ERROR_CONFLICT,
			"drop", "drop", NULL},
		{"1,output:vhu9", "output: no port \"vhu9\" on br0 (ports: dpdk0, vhu0, vhu1)",
			FLOW_ERROR_NO_SUCH_PORT, "output", "output:vhu9", "output:vhu0"},
		{"1, resubmit(,3", "a bracket is not closed in \"resubmit(,3\"", FLOW_ERROR_SYNTAX,
			"", "resubmit(,3", NULL},
		{"outptu:1", "unknown action \"outptu\"; did you mean \"output\"?",
			FLOW_ERROR_UNKNOWN_ACTION, "outptu", "outptu:1", "output:1"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct action_list list;
		struct flow_error error;

		assert_int_equal(actions_parse_alone(&list, "a bucket", rows[i].text, &test_ports,
					 NULL, &error),
			-EINVAL);
		assert_refusal(&rows[i], &error);
		assert_null(list.items);
	}
}

// --- JSON ---

static int from_json(struct flow_request *request, const char *action, struct flow_error *error)
{
	char text[300];
	json_t *json;
	int status;

	snprintf(text, sizeof(text), "{\"actions\": [%s]}", action);
	json = json_loads(text, 0, NULL);
	assert_non_null(json);
	status = flow_request_from_json(request, json, FLOW_ADD, &odd_ports, NULL, error);
	json_decref(json);
	return status;
}

static void test_json(void **state)
{
	static const struct {
		const char *json; // as it is written, too
		const char *actions;
		bool only_read;
	} rows[] = {
		{"{\"output\": {\"port\": 9, \"max_len\": 100}}", "output(port=9,max_len=100)",
			false},
		{"{\"output\": {\"port\": \"\\\"a,b\\\"\", \"max_len\": 100}}",
			"output(port=2,max_len=100)", false},
		{"{\"output\": {\"max_len\": \"0x64\", \"port\": \"a,b\"}}",
			"output(port=2,max_len=100)", true},
		{"{\"output\": {\"port\": \"x=y z\", \"max_len\": 100}}",
			"output(port=4,max_len=100)", true},
		{"{\"output\": {\"port\": \"in_port\", \"max_len\": 100}}",
			"output(port=in_port,max_len=100)", false},
		{"{\"resubmit\": {\"port\": \"a,b\", \"table\": 4}}", "resubmit(2,4)", true},
		{"{\"CONTROLLER\": 128}", "controller:128", false},
		{"{\"CONTROLLER\": 65535}", "controller", false},
		{"\"controller\"", "controller", true},
		{"{\"controller\": {}}", "controller", true},
		{"{\"controller\": true}", "controller", true},
		{"{\"controller\": {\"max_len\": 128}}", "controller:128", true},
		{"{\"CONTROLLER\": {\"reason\": \"no_match\"}}", "controller(reason=no_match)",
			false},
		{"{\"CONTROLLER\": {\"reason\": \"invalid_ttl\", \"max_len\": 5}}",
			"controller(reason=invalid_ttl,max_len=5)", false},
		{"{\"group\": 4294967040}", "group:4294967040", false},
		{"{\"meter\": 1}", "meter:1", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct flow_request request, expected;
		struct flow_error error;
		json_t *json, *again;

		if (from_json(&request, rows[i].json, &error) != 0)
			fail_msg("%s: %s", rows[i].json, error.message);
		parse_odd(&expected, rows[i].actions);
		assert_true(flow_equal(&request.flow, &expected.flow));
		json = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
		again = flow_to_json(&request.flow, &odd_ports);
		assert_int_equal(
			json_equal(json, json_array_get(json_object_get(again, "actions"), 0)),
			!rows[i].only_read);
		json_decref(json);
		json_decref(again);
		flow_request_destroy(&request);
		flow_request_destroy(&expected);
	}
}

// As the text is, and a value stays one value.
static void test_json_refused(void **state)
{
	static const struct {
		const char *json;
		const char *message;
	} rows[] = {
		{"{\"output\": {\"port\": 1}}",
			"output(...) needs both port= and max_len=; to send all of the packet "
			"write output:P"},
		{"{\"output\": {}}", "output needs an argument: write for example output:1"},
		{"{\"output\": {\"port\": 1, \"max_len\": 5}}",
			"max_len: 5 is less than the 14 bytes of an Ethernet header"},
		{"{\"output\": {\"port\": \"1,max_len=99\"}}",
			"output: no port \"1,max_len=99\" on br1 (ports: a,b, c)(, dpdk0, in_port, "
			"t[0], x=y z)"},
		{"{\"output\": {\"port\": \"1\\\",max_len=99,\\\"\"}}",
			"\"port\" has a quotation mark inside"},
		{"{\"output\": {\"port=1,max_len\": 99}}", "\"port=1,max_len\" is not known here"},
		{"{\"controller\": {\"max_len\": \"5,reason=no_match\"}}",
			"max_len: \"\"5,reason=no_match\"\" is not a number (decimal, or "
			"hexadecimal after 0x)"},
		{"{\"controller\": {\"max_len\": []}}",
			"\"max_len\" has to be a whole number or a string"},
		{"{\"controller\": {\"id\": 3}}",
			"\"id\" is not known here; controller has max_len= and reason=, as in "
			"controller(max_len=128,reason=no_match)"},
		{"{\"group\": {\"id\": 3}}", "\"group\" takes a number or a string"},
		{"{\"group\": -1}", "group: \"-1\" is not a number (decimal, or hexadecimal after "
				    "0x)"},
		{"{\"meter\": 0}", "meter: 0 is out of range 1..4294901760"},
		{"\"meter\"", "meter needs an argument: write for example meter:1"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct flow_request request;
		struct flow_error error;

		assert_int_equal(from_json(&request, rows[i].json, &error), -EINVAL);
		assert_string_equal(error.message, rows[i].message);
		assert_int_equal(error.length, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_exists),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_alone_refused),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
