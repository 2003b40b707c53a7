// SPDX-License-Identifier: Apache-2.0

// Groups as text: what is accepted and what it means.

#include "group_test.h"

static const struct {
	const char *text;
	const char *dump;
} accepted[] = {
	{"group_id=1,type=select,selection_method=hash,fields(ip_src,ip_dst),bucket=bucket_id:0,"
	 "weight:100,watch_port:2,watch_group:3,actions=output:1,bucket=output:2",
		"group_id=1,type=select,selection_method=hash,fields(ip_src,ip_dst),"
		"bucket=bucket_id:0,weight:100,watch_port:vhu0,watch_group:3,"
		"actions=output:dpdk0,bucket=bucket_id:1,actions=output:vhu0"},
	{"group_id=0,type=all", "group_id=0,type=all"},
	{"group_id=0xffffff00,type=ALL,bucket=drop",
		"group_id=4294967040,type=all,bucket=bucket_id:0,actions=drop"},
	// Separators, order, comments, and actions with "actions=" or without.
	{"\t type=indirect , group_id=7  bucket=  actions = # no more", NULL},
	{" type=indirect , group_id=7  bucket= ,strip_vlan 2, # no more",
		"group_id=7,type=indirect,bucket=bucket_id:0,actions=strip_vlan,output:vhu0"},
	{"group_id=1 type=all bucket=weight:0 actions=output:1 strip_vlan bucket=2,bucket=actions=",
		"group_id=1,type=all,bucket=bucket_id:0,actions=output:dpdk0,strip_vlan,"
		"bucket=bucket_id:1,actions=output:vhu0,bucket=bucket_id:2,actions=drop"},
	// Attributes with either sign, in any case, and behind the actions.
	{"group_id=1,type=select,bucket=weight=0,output:2,bucket=Weight:65535,output:1,bucket_id=9",
		"group_id=1,type=select,bucket=bucket_id:0,weight:0,actions=output:vhu0,"
		"bucket=bucket_id:9,weight:65535,actions=output:dpdk0"},
	{"group_id=1,type=all,bucket=output:1,actions=output:2,action=3,bucket_id:4",
		"group_id=1,type=all,bucket=bucket_id:4,actions=output:dpdk0,output:vhu0,"
		"output:vhu1"},
	// Identifiers that are left out are the lowest that are free.
	{"group_id=1,type=all,bucket=bucket_id:5,1,bucket=2,bucket=bucket_id:0,3,bucket=1,"
	 "bucket=bucket_id:4294967040,1",
		"group_id=1,type=all,bucket=bucket_id:5,actions=output:dpdk0,"
		"bucket=bucket_id:1,actions=output:vhu0,bucket=bucket_id:0,"
		"actions=output:vhu1,bucket=bucket_id:2,actions=output:dpdk0,"
		"bucket=bucket_id:4294967040,actions=output:dpdk0"},
	// Liveness.
	{"group_id=1,type=fast_failover,bucket=watch_port:vhu0,2,bucket=watch_group=2,group:2",
		"group_id=1,type=ff,bucket=bucket_id:0,watch_port:vhu0,actions=output:vhu0,"
		"bucket=bucket_id:1,watch_group:2,actions=group:2"},
	{"group_id=1,type=select,bucket=watch_port:\"vhu1\",watch_group:0,1",
		"group_id=1,type=select,bucket=bucket_id:0,watch_port:vhu1,watch_group:0,"
		"actions=output:dpdk0"},
	// Ways to choose: what is said about the hash is what is not the default.
	{"group_id=1,type=select,selection_method=dp_hash,bucket=1",
		"group_id=1,type=select,bucket=bucket_id:0,actions=output:dpdk0"},
	{"group_id=1,type=select,selection_method=hash,selection_method_param=0,bucket=weight:1,1",
		"group_id=1,type=select,bucket=bucket_id:0,actions=output:dpdk0"},
	{"group_id=1,type=select,fields=nw_src,selection_method=hash,bucket=1",
		"group_id=1,type=select,selection_method=hash,fields=ip_src,bucket=bucket_id:0,"
		"actions=output:dpdk0"},
	{"group_id=1,type=select,selection_method=hash,fields(tp_dst reg0, eth_dst),bucket=1",
		"group_id=1,type=select,selection_method=hash,fields(reg0,eth_dst,tcp_dst),"
		"bucket=bucket_id:0,actions=output:dpdk0"},
	// Actions of buckets, in whose brackets and quotes nothing separates.
	{"group_id=1,type=all,bucket=resubmit(1,3),output(port=2,max_len=99),controller:5,"
	 "set_field:10.0.0.1->nw_dst,dec_ttl,group:2,meter:3,normal",
		"group_id=1,type=all,bucket=bucket_id:0,actions=resubmit(dpdk0,3),"
		"output(port=vhu0,max_len=99),CONTROLLER:5,set_field:10.0.0.1->nw_dst,dec_ttl,"
		"group:2,meter:3,NORMAL"},
};

static void test_accepted(void **state)
{
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		struct group group;
		struct flow_error error;
		char *dump;

		if (!accepted[i].dump) { // blanks around "=" have no meaning, as in flows
			assert_int_equal(
				group_parse(&group, accepted[i].text, &test_ports, NULL, &error),
				-EINVAL);
			continue;
		}
		must_parse_group(&group, accepted[i].text, &test_ports);
		dump = group_format(&group, &test_ports);
		assert_string_equal(dump, accepted[i].dump);
		free(dump);
		assert_group_round_trips(&group);
		group_destroy(&group);
	}
}

static void test_values(void **state)
{
	struct group group;

	must_parse_group(&group,
		"group_id=5,type=select,selection_method=hash,fields(ip_src,udp_dst),"
		"bucket=bucket_id:3,weight:7,watch_port:2,watch_group:6,1,2,bucket=3",
		&test_ports);
	assert_int_equal(group.id, 5);
	assert_int_equal(group.type, GROUP_SELECT);
	assert_true(group.hash_fields == (1ull << FIELD_NW_SRC | 1ull << FIELD_UDP_DST));
	assert_int_equal(group.count, 2);
	assert_int_equal(group.buckets[0].id, 3);
	assert_int_equal(group.buckets[0].weight, 7);
	assert_int_equal(group.buckets[0].watch_port, 2);
	assert_int_equal(group.buckets[0].watch_group, 6);
	assert_int_equal(group.buckets[0].actions.count, 2);
	assert_int_equal(group.buckets[0].actions.items[1].port, 2);
	assert_int_equal(group.buckets[1].id, 0);
	assert_int_equal(group.buckets[1].weight, 1);
	assert_int_equal(group.buckets[1].watch_port, OFPORT_NONE);
	assert_true(group.buckets[1].watch_group == GROUP_NONE);
	group_destroy(&group);
	must_parse_group(&group, "group_id=5,type=all,bucket=3", &test_ports);
	assert_int_equal(group.buckets[0].weight, 0);
	assert_true(group.hash_fields == 0);
	group_destroy(&group);
}

// Every field can be hashed, under each of its names.
static void test_fields(void **state)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *field = field_get((enum field_id)i);
		char names[200], text[300], *save;

		snprintf(names, sizeof(names), "%s %s %s", field->name, field->aliases, field->nxm);
		for (char *name = strtok_r(names, " ", &save); name;
			name = strtok_r(NULL, " ", &save)) {
			struct group group;

			snprintf(text, sizeof(text),
				"group_id=1,type=select,selection_method=hash,fields=%s,bucket=1",
				name);
			must_parse_group(&group, text, &test_ports);
			assert_true(group.hash_fields == 1ull << i);
			assert_group_round_trips(&group);
			group_destroy(&group);
		}
	}
}

static void test_number_of_buckets(void **state)
{
	struct group group;
	struct flow_error error;
	char *text = malloc(32 + (GROUP_BUCKETS_MAX + 1) * 10);
	size_t length = (size_t)sprintf(text, "group_id=1,type=all");

	for (unsigned i = 0; i < GROUP_BUCKETS_MAX; i++)
		length += (size_t)sprintf(text + length, ",bucket=%u", i % 3 + 1);
	must_parse_group(&group, text, NULL);
	assert_int_equal(group.count, GROUP_BUCKETS_MAX);
	assert_int_equal(group.buckets[GROUP_BUCKETS_MAX - 1].id, GROUP_BUCKETS_MAX - 1);
	group_destroy(&group);
	sprintf(text + length, ",bucket=7");
	assert_int_equal(group_parse(&group, text, NULL, NULL, &error), -EINVAL);
	assert_string_equal(error.message, "a group has at most 1024 buckets");
	assert_int_equal(error.offset, length + 1);
	assert_int_equal(error.length, 8);
	free(text);
}

// --- What there is ---

static bool only_five(const struct port_names *names, enum flow_reference kind, uint32_t id)
{
	return id == 5;
}

static void test_exists(void **state)
{
	static const struct refused rows[] = {
		{"group_id=1,type=all,bucket=1,group:6",
			"group:6 is not there; add it first: ofctl add-group br0 "
			"group_id=6,type=all,bucket=output:1",
			FLOW_ERROR_NO_SUCH_GROUP, "group", "group:6", ""},
		{"group_id=1,type=ff,bucket=watch_group:6,1",
			"watch_group:6 is not there; add it first: ofctl add-group br0 "
			"group_id=6,type=all,bucket=output:1",
			FLOW_ERROR_NO_SUCH_GROUP, "watch_group", "watch_group:6", ""},
		{"group_id=1,type=all,bucket=meter:6,1",
			"meter:6 is not there; add it first: ofctl add-meter br0 "
			"meter=6,pktps,bands=type=drop,rate=1000",
			FLOW_ERROR_NO_SUCH_METER, "meter", "meter:6", ""},
		// Itself is refused whether it is there or not.
		{"group_id=6,type=all,bucket=1,group:6",
			"group:6 is the group that this bucket is in; name another one",
			FLOW_ERROR_CONFLICT, "group", "group:6", ""},
	};
	struct port_names names = test_ports;
	struct group group;
	struct flow_error error;

	names.exists = only_five;
	must_parse_group(&group, "group_id=1,type=ff,bucket=watch_group:5,meter:5,group:5", &names);
	assert_true(group_refers_to_group(&group, 5));
	assert_true(group_refers_to_meter(&group, 5));
	group_destroy(&group);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(group_parse(&group, rows[i].text, &names, NULL, &error), -EINVAL);
		assert_refusal(&rows[i], &error);
	}
}

// Without names, numbers are ports whether they are there or not.
static void test_no_names(void **state)
{
	struct group group;
	struct flow_error error;

	must_parse_group(&group, "group_id=1,type=ff,bucket=watch_port:77,watch_group:9,78", NULL);
	assert_int_equal(group.buckets[0].watch_port, 77);
	group_destroy(&group);
	assert_int_equal(group_parse(&group, "group_id=1,type=ff,bucket=watch_port:vhu0,1", NULL,
				 NULL, &error),
		-EINVAL);
	assert_string_equal(error.message, "watch_port: \"vhu0\" is not a port number (1..65279)");
}

// Names of ports that look like a part of a group.
static void test_odd_port_names(void **state)
{
	static const struct port_name items[] = {
		{"a,bucket=1", 1}, {"x # y", 2}, {"7", 3}, {"weight", 4}};
	static const struct port_names names = {"br1", 4, items};
	struct group group, again;
	struct flow_error error;
	json_t *json;
	char *text;

	must_parse_group(&group,
		"group_id=1,type=select,bucket=watch_port:1,1,bucket=watch_port:2,2,bucket=3,4",
		&names);
	text = group_format(&group, &names);
	assert_string_equal(text,
		"group_id=1,type=select,bucket=bucket_id:0,watch_port:\"a,bucket=1\","
		"actions=output:\"a,bucket=1\",bucket=bucket_id:1,watch_port:\"x # y\","
		"actions=output:\"x # y\",bucket=bucket_id:2,actions=output:\"7\",output:weight");
	must_parse_group(&again, text, &names);
	must_equal(&again, &group, text);
	json = group_to_json(&group, &names);
	assert_int_equal(group_from_json(&again, json, &names, NULL, &error), 0);
	must_equal(&again, &group, text);
	json_decref(json);
	free(text);
	group_destroy(&group);
}

// --- Selections ---

static void test_selections(void **state)
{
	static const struct {
		const char *text;
		bool all;
		uint32_t id;
	} rows[] = {{"", true, 0}, {" \t# all", true, 0}, {"all", true, 0}, {"ALL", true, 0},
		{"group_id=all", true, 0}, {"5", false, 5}, {" group_id=0x5 # that", false, 5},
		{"0", false, 0}, {"group_id=4294967040", false, GROUP_ID_MAX}};
	static const struct refused wrong[] = {
		{"group_id=4294967041", "group_id: 4294967041 is out of range 0..4294967040",
			FLOW_ERROR_OUT_OF_RANGE, "group_id", "group_id=4294967041", NULL},
		{"five", "group_id: \"five\" is not a number (decimal, or hexadecimal after 0x)",
			FLOW_ERROR_BAD_VALUE, "group_id", "five", "group_id=1"},
		{"group_id:5", "\"group_id\" needs \"=\" before its value; write group_id=5",
			FLOW_ERROR_SYNTAX, "", "group_id:5", "group_id=5"},
		{"type=all", "\"type=all\" selects nothing; write group_id=N, or all",
			FLOW_ERROR_SYNTAX, "", "type=all", ""},
		{"group_id=", "group_id: \"\" is not a number (decimal, or hexadecimal after 0x)",
			FLOW_ERROR_BAD_VALUE, "group_id", "group_id=", NULL},
		{"group_id=1,type=all",
			"\"type=all\" is too much here; group_id=1 is all that can be given",
			FLOW_ERROR_SYNTAX, "", "type=all", ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct flow_error error;
		uint32_t id = 77;
		bool all;

		assert_int_equal(group_selection_parse(rows[i].text, &all, &id, &error), 0);
		assert_int_equal(all, rows[i].all);
		assert_int_equal(id, rows[i].id);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct flow_error error;
		uint32_t id;
		bool all;

		assert_int_equal(group_selection_parse(wrong[i].text, &all, &id, &error), -EINVAL);
		assert_refusal(&wrong[i], &error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_number_of_buckets),
		cmocka_unit_test(test_exists),
		cmocka_unit_test(test_no_names),
		cmocka_unit_test(test_odd_port_names),
		cmocka_unit_test(test_selections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
