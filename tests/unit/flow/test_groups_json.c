// SPDX-License-Identifier: Apache-2.0

// Groups as JSON: what it looks like, that it is judged as the text is, and what it refuses.

#include "group_test.h"

static int from_json(struct group *group, const char *text, struct flow_error *error)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
	int status;

	if (!json)
		fail_msg("%s: no JSON", text);
	status = group_from_json(group, json, &test_ports, NULL, error);
	json_decref(json);
	return status;
}

static void test_reading(void **state)
{
	static const struct {
		const char *json;
		const char *text;
	} rows[] = {
		{"{\"group_id\": 1, \"type\": \"select\", \"selection_method\": \"hash\", "
		 "\"fields\": [\"ip_src\", \"tp_dst\"], \"buckets\": [{\"bucket_id\": 3, "
		 "\"weight\": 100, \"watch_port\": \"vhu0\", \"watch_group\": 5, \"actions\": "
		 "[{\"output\": 2}, \"strip_vlan\"]}, {\"actions\": []}]}",
			"group_id=1,type=select,selection_method=hash,fields(ip_src,tp_dst),"
			"bucket=bucket_id:3,weight:100,watch_port:2,watch_group:5,2,strip_vlan,"
			"bucket=drop"},
		// Members in any order, actions as their text.
		{"{\"buckets\": [{\"actions\": \"output:1,resubmit(2,3)\"}, {\"actions\": \"\", "
		 "\"bucket_id\": \"0x7\"}], \"type\": \"all\", \"group_id\": \"9\"}",
			"group_id=9,type=all,bucket=1,resubmit(2,3),bucket=bucket_id:7,drop"},
		{"{\"type\": \"all\", \"group_id\": 9}", "group_id=9,type=all"},
		{"{\"type\": \"select\", \"group_id\": 9, \"fields\": [], \"buckets\": []}",
			"group_id=9,type=select"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct group group, expected;
		struct flow_error error;

		if (from_json(&group, rows[i].json, &error) != 0)
			fail_msg("%s: %s", rows[i].json, error.message);
		must_parse_group(&expected, rows[i].text, &test_ports);
		must_equal(&expected, &group, rows[i].text);
		group_destroy(&group);
	}
}

static void test_writing(void **state)
{
	struct group group;
	json_t *json, *expected;

	must_parse_group(&group,
		"group_id=1,type=select,selection_method=hash,fields(nw_src,dl_dst),"
		"bucket=weight:9,watch_port:2,watch_group:5,2,strip_vlan,bucket=watch_port:1,1",
		&test_ports);
	json = group_to_json(&group, &test_ports);
	expected = json_loads(
		"{\"group_id\": 1, \"type\": \"select\", \"selection_method\": \"hash\", "
		"\"fields\": [\"eth_dst\", \"ip_src\"], \"buckets\": [{\"bucket_id\": 0, "
		"\"weight\": 9, \"watch_port\": \"vhu0\", \"watch_group\": 5, \"actions\": "
		"[{\"output\": \"vhu0\"}, \"strip_vlan\"]}, {\"bucket_id\": 1, \"weight\": 1, "
		"\"watch_port\": \"dpdk0\", \"actions\": [{\"output\": \"dpdk0\"}]}]}",
		0, NULL);
	assert_non_null(expected);
	if (!json_equal(json, expected))
		fail_msg("%s", json_dumps(json, 0));
	json_decref(json);
	json_decref(expected);
	group_destroy(&group);

	must_parse_group(&group, "group_id=1,type=ff,bucket=watch_port:2,2", NULL);
	json = group_to_json(&group, NULL);
	expected = json_loads("{\"group_id\": 1, \"type\": \"ff\", \"buckets\": [{\"bucket_id\": "
			      "0, \"watch_port\": 2, \"actions\": [{\"output\": 2}]}]}",
		0, NULL);
	assert_true(json_equal(json, expected));
	json_decref(json);
	json_decref(expected);
	group_destroy(&group);
}

static void test_refused(void **state)
{
	static const struct {
		const char *json;
		const char *message;
		const char *field;
	} rows[] = {
		{"[]", "a group has to be a JSON object", ""},
		{"{\"group_id\": 1, \"type\": \"all\", \"weight\": 1}",
			"a group has no member \"weight\"; it has group_id, type, "
			"selection_method, fields and buckets",
			"weight"},
		{"{\"type\": \"all\"}",
			"missing \"group_id=\", the number of the group (0..4294967040)",
			"group_id"},
		{"{\"group_id\": 1}", "missing \"type=\"; there are all, select, indirect and ff",
			"type"},
		{"{\"group_id\": -1, \"type\": \"all\"}",
			"group_id: \"-1\" is not a number (decimal, or hexadecimal after 0x)",
			"group_id"},
		{"{\"group_id\": true, \"type\": \"all\"}",
			"group_id needs a value: write for example group_id=1", "group_id"},
		{"{\"group_id\": 1, \"type\": \"all,bucket=1\"}",
			"type: \"all,bucket=1\" is no type of groups; there are all, select, "
			"indirect and ff",
			"type"},
		{"{\"group_id\": 1, \"type\": \"select\", \"selection_method\": \"hash\", "
		 "\"fields\": \"ip_src\"}",
			"\"fields\" has to be an array of names", "fields"},
		{"{\"group_id\": 1, \"type\": \"select\", \"selection_method\": \"hash\", "
		 "\"fields\": [\"ip_src\", 5]}",
			"\"fields\" has to be an array of names", "fields"},
		{"{\"group_id\": 1, \"type\": \"select\", \"fields\": [\"ip_src\"]}",
			"fields needs selection_method=hash", "fields"},
		{"{\"group_id\": 1, \"type\": \"select\", \"selection_method\": \"hash\", "
		 "\"fields\": [\"ip_src=1.1.1.1\"]}",
			"fields: \"ip_src=1.1.1.1\": all of a field is hashed, there are no masks; "
			"write just ip_src",
			"fields"},
		{"{\"group_id\": 1, \"type\": \"all\", \"buckets\": {}}",
			"\"buckets\" has to be an array of objects", "buckets"},
		{"{\"group_id\": 1, \"type\": \"all\", \"buckets\": [5]}",
			"\"buckets\" has to be an array of objects", "buckets"},
		{"{\"group_id\": 1, \"type\": \"all\", \"buckets\": [{}]}", MISSING_ACTIONS,
			"actions"},
		{"{\"group_id\": 1, \"type\": \"all\", \"buckets\": [{\"actions\": [], \"id\": "
		 "5}]}",
			"a bucket has no member \"id\"; it has bucket_id, weight, watch_port, "
			"watch_group and actions",
			""},
		{"{\"group_id\": 1, \"type\": \"all\", \"buckets\": [{\"actions\": 5}]}",
			"\"actions\" has to be an array", "actions"},
		{"{\"group_id\": 1, \"type\": \"all\", \"buckets\": [{\"actions\": [], "
		 "\"weight\": 1}]}",
			"weight is for groups of type select; this one is of type all, which "
			"chooses by no hash",
			"weight"},
		{"{\"group_id\": 1, \"type\": \"ff\", \"buckets\": [{\"actions\": []}]}",
			WATCH_NEEDED, "watch_port"},
		{"{\"group_id\": 1, \"type\": \"indirect\", \"buckets\": []}",
			"a group of type indirect has exactly one bucket, and this one has none",
			"bucket"},
		{"{\"group_id\": 1, \"type\": \"all\", \"buckets\": [{\"actions\": "
		 "\"goto_table:5\"}]}",
			"a bucket cannot go to a table; write resubmit(,5)", "goto_table"},
		{"{\"group_id\": 1, \"type\": \"all\", \"buckets\": [{\"actions\": [{\"group\": "
		 "1}]}]}",
			"group:1 is the group that this bucket is in; name another one", "group"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct group group;
		struct flow_error error;

		if (from_json(&group, rows[i].json, &error) == 0)
			fail_msg("%s: accepted", rows[i].json);
		assert_string_equal(error.message, rows[i].message);
		assert_string_equal(error.field, rows[i].field);
		assert_int_equal(error.offset, 0);
		assert_int_equal(error.length, 0);
		assert_null(group.buckets);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_writing),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
