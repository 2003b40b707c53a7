// SPDX-License-Identifier: Apache-2.0

// Groups as text: what is refused, what is said and where.

#include "group_test.h"

static const struct refused refused[] = {
	// What has to be there.
	{"", "missing \"group_id=\", the number of the group (0..4294967040)", FLOW_ERROR_SYNTAX,
		"group_id", "", "group_id=1"},
	{"type=all,bucket=1", NULL, FLOW_ERROR_SYNTAX, "group_id", "", "group_id=1"},
	{"group_id=1,bucket=output:1", "missing \"type=\"; there are all, select, indirect and ff",
		FLOW_ERROR_SYNTAX, "type", "", "type=all"},
	{"group_id=1,type=indirect",
		"a group of type indirect has exactly one bucket, and this one has none",
		FLOW_ERROR_SYNTAX, "bucket", "", "bucket=output:1"},
	{"group_id=1,type=indirect,bucket=output:1,bucket=output:2,strip_vlan ",
		"a group of type indirect has exactly one bucket; type=all has as many as you like",
		FLOW_ERROR_CONFLICT, "bucket", "bucket=output:2,strip_vlan", "type=all"},
	{"group_id=1,type=all,bucket=", MISSING_ACTIONS, FLOW_ERROR_SYNTAX, "actions",
		"bucket=", "bucket=actions=drop"},
	{"group_id=1,type=select,bucket=weight:1,bucket=output:1", MISSING_ACTIONS,
		FLOW_ERROR_SYNTAX, "actions", "bucket=weight:1", "bucket=actions=drop"},
	{"group_id=1,type=ff,bucket=output:1", WATCH_NEEDED, FLOW_ERROR_SYNTAX, "watch_port",
		"bucket=output:1", "bucket=watch_port:1,actions=output:1"},
	{"group_id=1,type=ff,bucket=watch_port:1,1,bucket=bucket_id:3,1 # both", WATCH_NEEDED,
		FLOW_ERROR_SYNTAX, "watch_port", "bucket=bucket_id:3,1", NULL},
	{"group_id,type=all", "group_id needs a value: write for example group_id=1",
		FLOW_ERROR_SYNTAX, "group_id", "group_id", "group_id=1"},
	{"group_id=1,type=", "type needs a value: write for example type=all", FLOW_ERROR_SYNTAX,
		"type", "type=", "type=all"},
	{"group_id=1,type=select,selection_method=hash,fields(),bucket=1",
		"fields needs a value: write for example fields(ip_src,ip_dst)", FLOW_ERROR_SYNTAX,
		"fields", "fields()", "fields(ip_src,ip_dst)"},
	{"group_id=1,type=select,selection_method=hash,fields(,),bucket=1", NULL, FLOW_ERROR_SYNTAX,
		"fields", "fields(,)", "fields(ip_src,ip_dst)"},
	{"group_id=1,type=select,bucket=weight,1",
		"weight needs a value: write for example weight:1", FLOW_ERROR_SYNTAX, "weight",
		"weight", "weight:1"},
	// Values.
	{"group_id=4294967041,type=all", "group_id: 4294967041 is out of range 0..4294967040",
		FLOW_ERROR_OUT_OF_RANGE, "group_id", "group_id=4294967041", NULL},
	{"group_id=all,type=all",
		"group_id: \"all\" is not a number (decimal, or hexadecimal "
		"after 0x)",
		FLOW_ERROR_BAD_VALUE, "group_id", "group_id=all", NULL},
	{"group_id=1,type=selct,bucket=1",
		"type: \"selct\" is no type of groups; there are all, select, indirect and ff",
		FLOW_ERROR_BAD_VALUE, "type", "type=selct", "type=select"},
	{"group_id=1,type=frobnicate,bucket=1", NULL, FLOW_ERROR_BAD_VALUE, "type",
		"type=frobnicate", "type=all"},
	{"group_id=1,type=select,selection_method=foo,bucket=1",
		"selection_method: \"foo\" is not known; there are hash, with fields() or without, "
		"and dp_hash",
		FLOW_ERROR_BAD_VALUE, "selection_method", "selection_method=foo",
		"selection_method=hash"},
	{"group_id=1,type=select,selection_method=dp_hash,selection_method_param=5,bucket=1",
		"selection_method_param: the hash has no parameters; leave it out",
		FLOW_ERROR_OUT_OF_RANGE, "selection_method_param", "selection_method_param=5", ""},
	{"group_id=1,type=select,selection_method=hash,fields(ip_srx),bucket=1",
		"fields: unknown field \"ip_srx\"; did you mean \"nw_src\"?",
		FLOW_ERROR_UNKNOWN_FIELD, "fields", "fields(ip_srx)", "fields(nw_src)"},
	{"group_id=1,type=select,selection_method=hash,fields(ip_dst,ip_src=255.255.255.0),"
	 "bucket=1",
		"fields: \"ip_src=255.255.255.0\": all of a field is hashed, there are no masks; "
		"write just ip_src",
		FLOW_ERROR_BAD_MASK, "fields", "fields(ip_dst,ip_src=255.255.255.0)",
		"fields(ip_src)"},
	{"group_id=1,type=select,selection_method=hash,fields=reg0[0..7],bucket=1",
		"fields: \"reg0[0..7]\": all of a field is hashed, there are no masks; write just "
		"reg0",
		FLOW_ERROR_BAD_MASK, "fields", "fields=reg0[0..7]", "fields(reg0)"},
	{"group_id=1,type=select,bucket=weight:65536,1", "weight: 65536 is out of range 0..65535",
		FLOW_ERROR_OUT_OF_RANGE, "weight", "weight:65536", NULL},
	{"group_id=1,type=all,bucket=1,bucket=bucket_id:4294967041,1",
		"bucket_id: 4294967041 is out of range 0..4294967040", FLOW_ERROR_OUT_OF_RANGE,
		"bucket_id", "bucket_id:4294967041", NULL},
	{"group_id=1,type=ff,bucket=watch_port:vhu9,1",
		"watch_port: no port \"vhu9\" on br0 (ports: dpdk0, vhu0, vhu1)",
		FLOW_ERROR_NO_SUCH_PORT, "watch_port", "watch_port:vhu9", "watch_port:vhu0"},
	{"group_id=1,type=ff,bucket=watch_port:77,1",
		"watch_port: no port \"77\" on br0 (ports: dpdk0, vhu0, vhu1)",
		FLOW_ERROR_NO_SUCH_PORT, "watch_port", "watch_port:77", "watch_port:dpdk0"},
	{"group_id=1,type=ff,bucket=watch_port:0,1",
		"watch_port: 0 is out of range 1..65279, the numbers that ports can have",
		FLOW_ERROR_OUT_OF_RANGE, "watch_port", "watch_port:0", NULL},
	{"group_id=1,type=ff,bucket=watch_group:any,1",
		"watch_group: \"any\" is not a number (decimal, or hexadecimal after 0x)",
		FLOW_ERROR_BAD_VALUE, "watch_group", "watch_group:any", NULL},
	{"group_id=1,type=ff,bucket=watch_group:4294967041,1",
		"watch_group: 4294967041 is out of range 0..4294967040", FLOW_ERROR_OUT_OF_RANGE,
		"watch_group", "watch_group:4294967041", NULL},
	// What does not go together.
	{"group_id=1,type=all,bucket=weight:1,output:2",
		"weight is for groups of type select; this one is of type all, which chooses by no "
		"hash",
		FLOW_ERROR_CONFLICT, "weight", "weight:1", ""},
	{"group_id=1,type=ff,selection_method=hash,bucket=watch_port:1,1",
		"selection_method is for groups of type select; this one is of type ff, which "
		"chooses by no hash",
		FLOW_ERROR_CONFLICT, "selection_method", "selection_method=hash", ""},
	{"group_id=1,type=all,bucket=watch_port:1,output:2",
		"watch_port is for groups of type select and ff; this one is of type all, which "
		"asks for no liveness",
		FLOW_ERROR_CONFLICT, "watch_port", "watch_port:1", ""},
	{"group_id=1,type=indirect,bucket=watch_group:2,output:2", NULL, FLOW_ERROR_CONFLICT,
		"watch_group", "watch_group:2", NULL},
	{"group_id=1,type=select,fields(ip_src),bucket=1", "fields needs selection_method=hash",
		FLOW_ERROR_CONFLICT, "fields", "fields(ip_src)",
		"selection_method=hash,fields(ip_src)"},
	{"group_id=1,type=select,selection_method=dp_hash,fields(ip_src),bucket=1",
		"fields needs selection_method=hash", FLOW_ERROR_CONFLICT, "fields",
		"fields(ip_src)", NULL},
	{"group_id=1,type=select,selection_method=hash,fields(ip_src,nw_src),bucket=1",
		"fields: \"nw_src\" is given twice; leave one out", FLOW_ERROR_CONFLICT, "fields",
		"fields(ip_src,nw_src)", ""},
	{"group_id=1,type=all,bucket=bucket_id:5,1,bucket=bucket_id:5,2",
		"bucket_id: another bucket of this group has 5; give each its own, or none",
		FLOW_ERROR_CONFLICT, "bucket_id", "bucket_id:5", ""},
	{"group_id=1,group_id=2,type=all,bucket=1", "group_id is given twice; leave one out",
		FLOW_ERROR_CONFLICT, "group_id", "group_id=2", ""},
	{"group_id=1,type=select,bucket=weight:1,weight:1,1",
		"weight is given twice; leave one out", FLOW_ERROR_CONFLICT, "weight", "weight:1",
		""},
	{"group_id=1,type=ff,bucket=watch_group:1,1",
		"watch_group:1 is the group that this bucket is in; name another one",
		FLOW_ERROR_CONFLICT, "watch_group", "watch_group:1", ""},
	{"group_id=7,type=all,bucket=1,bucket=2,group:7",
		"group:7 is the group that this bucket is in; name another one",
		FLOW_ERROR_CONFLICT, "group", "group:7", ""},
	{"group_id=1,type=all,bucket=drop,output:1",
		"\"drop\" cannot be combined with other actions", FLOW_ERROR_CONFLICT, "drop",
		"drop", NULL},
	// Shape and names.
	{"group_id:1,type=all,bucket=1",
		"\"group_id\" needs \"=\" before its value; write "
		"group_id=1",
		FLOW_ERROR_SYNTAX, "", "group_id:1", "group_id=1"},
	{"group_id=1,type(all),bucket=1", NULL, FLOW_ERROR_SYNTAX, "", "type(all)", "type=all"},
	{"group_id=1,type=all,bucket:1", "\"bucket\" needs \"=\" before its value; write bucket=1",
		FLOW_ERROR_SYNTAX, "", "bucket:1", "bucket=1"},
	{"group_id=1,type=select,selection_method=hash,fields=ip_src,ip_dst,bucket=1",
		"\"ip_dst\" is a field; several of them are written fields(ip_src,ip_dst)",
		FLOW_ERROR_SYNTAX, "fields", "ip_dst", "fields(ip_dst)"},
	{"group_id=1,type=all,weight=5,output:1",
		"\"weight\" is in no bucket; write bucket=weight=5", FLOW_ERROR_SYNTAX, "",
		"weight=5", "bucket=weight=5"},
	{"group_id=1,type=all,output:1", "\"output\" is in no bucket; write bucket=output:1",
		FLOW_ERROR_SYNTAX, "", "output:1", "bucket=output:1"},
	{"group_id=1,type=all,actions=output:1",
		"\"actions\" is in no bucket; write bucket=actions=output:1", FLOW_ERROR_SYNTAX, "",
		"actions=output:1", "bucket=actions=output:1"},
	{"group_id=1,type=all,bucket=output:1,selection_method=hash",
		"\"selection_method=hash\" is the group's, not a bucket's; put it before the first "
		"\"bucket=\"",
		FLOW_ERROR_SYNTAX, "", "selection_method=hash",
		"selection_method=hash,bucket=output:1"},
	{"group_id=1,type=all,command_bucket_id=first,bucket=1",
		"command_bucket_id: single buckets cannot be put in or taken out; write the group "
		"with all of its buckets, and mod-group",
		FLOW_ERROR_SYNTAX, "command_bucket_id", "command_bucket_id=first", ""},
	{"group_id=1,typ=all,bucket=1", "a group has no \"typ\"; did you mean \"type\"?",
		FLOW_ERROR_UNKNOWN_FIELD, "typ", "typ=all", "type=all"},
	{"group_id=1,type=all,buckets=1", "a group has no \"buckets\"; did you mean \"bucket\"?",
		FLOW_ERROR_UNKNOWN_FIELD, "buckets", "buckets=1", "bucket=1"},
	{"group_id=1,type=all,frobnicate,bucket=1",
		"a group has no \"frobnicate\"; it has group_id, type, selection_method, fields "
		"and bucket",
		FLOW_ERROR_UNKNOWN_FIELD, "frobnicate", "frobnicate", ""},
	{"group_id=1,type=all,bucket=1,2,outptu:3",
		"unknown action \"outptu\"; did you mean \"output\"?", FLOW_ERROR_UNKNOWN_ACTION,
		"outptu", "outptu:3", "output:3"},
	{"group_id=1,type=all,bucket=1,bucket=2,goto_table:3",
		"a bucket cannot go to a table; write resubmit(,3)", FLOW_ERROR_TABLE_ORDER,
		"goto_table", "goto_table:3", ""},
	{"group_id=1,type=all,bucket=1, resubmit(,3", "a bracket is not closed in \"resubmit(,3\"",
		FLOW_ERROR_SYNTAX, "", "resubmit(,3", NULL},
	{"group_id=1,type=all,bucket=output(port=9,max_len=5)",
		"max_len: 5 is less than the 14 bytes of an Ethernet header",
		FLOW_ERROR_OUT_OF_RANGE, "output", "output(port=9,max_len=5)", NULL},
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct group group;
		struct flow_error error;

		if (group_parse(&group, refused[i].text, &test_ports, NULL, &error) == 0)
			fail_msg("%s: accepted", refused[i].text);
		assert_refusal(&refused[i], &error);
		assert_null(group.buckets);
	}
}

// Which of two equal words is shown: the one that is too much.
static void test_place_of_repetition(void **state)
{
	static const struct {
		const char *text;
		size_t offset;
	} rows[] = {
		{"group_id=1,type=all,bucket=bucket_id:5,1,bucket=bucket_id:5,2", 48},
		{"group_id=1,type=select,bucket=weight:1,weight:1,1", 39},
		{"group_id=1,type=indirect,bucket=1,bucket=1", 34},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct group group;
		struct flow_error error;

		assert_int_equal(group_parse(&group, rows[i].text, NULL, NULL, &error), -EINVAL);
		assert_int_equal(error.offset, rows[i].offset);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_place_of_repetition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
