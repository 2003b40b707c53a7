// SPDX-License-Identifier: Apache-2.0
//
// Groups and meters from the method to the store and the datapath, together with flows.

#include "switch_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswitch/log.h"

static json_t *dump(struct fixture *f, const char *method)
{
	json_t *result = call_all(f, json_pack("[[s, {s:s}]]", method, "bridge", "br0"));

	if (!result)
		fail_msg("%s: %s", method, f->error.message);
	return result;
}

// The texts of all groups or meters of br0, with "; " in between.
static void assert_objects(struct fixture *f, const char *method, const char *expected)
{
	json_t *result = dump(f, method);
	char text[1024] = "";
	size_t i;
	json_t *item;

	json_array_foreach (json_object_iter_value(json_object_iter(result)), i, item)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? "; " : "",
			json_string_value(json_object_get(item, "text")));
	assert_string_equal(text, expected);
	json_decref(result);
}

static void add_bridge(struct fixture *f)
{
	must(f, "[['bridge.add', {'name':'br0', 'fail_mode':'secure'}],"
		"['port.add', {'bridge':'br0', 'name':'p0', 'type':'dpdk', 'ofport':1}]]");
}

static void test_commit(void **state)
{
	struct fixture *f = *state;

	add_bridge(f);
	must(f, "[['meter.add', {'bridge':'br0', 'meter':'meter=1,pktps,bands=type=drop,rate=5'}],"
		"['group.add', {'bridge':'br0', 'group':'group_id=1,type=all,bucket=output:p0'}],"
		"['group.add', {'bridge':'br0', 'group':"
		"'group_id=2,type=indirect,bucket=actions=meter:1,group:1'}],"
		"['flow.add', {'bridge':'br0', 'flow':'priority=1,actions=meter:1,group:2'}]]");
	assert_in_step(f);
	assert_stored(f);
	assert_in_step(f);
	now_ms += 1000;
	must(f, "[['group.modify', {'bridge':'br0', 'group':'group_id=1,type=all'}]]");
	must(f, "[['meter.modify', {'bridge':'br0', 'meter':"
		"{'meter':1, 'unit':'kbps', 'bands':[{'type':'drop', 'rate':7}]}}]]");
	assert_objects(f, "group.dump",
		"group_id=1,type=all; "
		"group_id=2,type=indirect,bucket=bucket_id:0,actions=meter:1,group:1");
	assert_objects(f, "meter.dump", "meter=1,kbps,bands=type=drop,rate=7");
	assert_flows(f, "priority=1 actions=meter:1,group:2");
	assert_in_step(f);
	// With it goes that the store keeps the time of creation.
	assert_stored(f);
	must(f, "[['bridge.del', {'name':'br0'}]]");
	assert_in_step(f);
	assert_stored(f);
}

static void refuse(struct fixture *f, int code, const char *part, const char *calls)
{
	char *before = snapshot(f);
	char *after;

	if (call(f, "%s", calls))
		fail_msg("%s was accepted", calls);
	assert_error(f, code, part);
	after = snapshot(f);
	assert_string_equal(before, after);
	assert_in_step(f);
	free(before);
	free(after);
}

// The rules of OpenFlow, and how they are said.
static void test_rules(void **state)
{
	struct fixture *f = *state;

	add_bridge(f);
	must(f, "[['group.add', {'bridge':'br0', 'group':'group_id=1,type=all,bucket=output:1'}],"
		"['meter.add', {'bridge':'br0', 'meter':'meter=1,kbps,bands=type=drop,rate=5'}]]");
	refuse(f, RPC_EXISTS,
		"group 1 of bridge br0 is there already; change it with ofctl mod-group",
		"[['group.add', {'bridge':'br0', 'group':'group_id=1,type=all,bucket=output:1'}]]");
	must(f, "[['group.add', {'bridge':'br0', 'may_exist':true,"
		"'group':'group_id=1,type=all,bucket=output:p0'}]]");
	refuse(f, RPC_EXISTS, "there already, and it is not equal",
		"[['group.add', {'bridge':'br0', 'may_exist':true, "
		"'group':'group_id=1,type=all'}]]");
	refuse(f, RPC_EXISTS, "meter 1 of bridge br0 is there already",
		"[['meter.add', {'bridge':'br0', 'meter':'meter=1,kbps,bands=type=drop,rate=5'}]]");
	refuse(f, RPC_NOT_FOUND, "has no group 9 to modify; add it with ofctl add-group",
		"[['group.modify', {'bridge':'br0', 'group':'group_id=9,type=all'}]]");
	must(f, "[['group.modify', {'bridge':'br0', 'may_create':true,"
		"'group':'group_id=9,type=all'}]]");
	refuse(f, RPC_NOT_FOUND, "bridge br0 has no group 8; ofctl dump-groups br0",
		"[['group.delete', {'bridge':'br0', 'group':'group_id=8'}]]");
	must(f, "[['group.delete', {'bridge':'br0', 'group':'group_id=8', 'if_exists':true}]]");
	refuse(f, RPC_NOT_FOUND, "bridge br0 has no meter 8",
		"[['meter.dump', {'bridge':'br0', 'meter':'meter=8'}]]");
	refuse(f, RPC_INVALID_PARAMS, "the parameter \"meter\" is missing",
		"[['meter.add', {'bridge':'br0'}]]");
	refuse(f, RPC_FLOW_ERROR, "a group is a string or an object",
		"[['group.add', {'bridge':'br0', 'group':5}]]");
	assert_stored(f);
}

// What is named must be there, and the caret says where it is named.
static void test_missing(void **state)
{
	struct fixture *f = *state;

	add_bridge(f);
	refuse(f, RPC_FLOW_ERROR, "group:5 is not there; add it first: ofctl add-group br0",
		"[['flow.add', {'bridge':'br0', 'flow':'priority=1,actions=group:5'}]]");
	assert_string_equal(
		json_string_value(json_object_get(f->error.data, "kind")), "no_such_group");
	assert_int_equal(json_integer_value(json_object_get(f->error.data, "offset")), 19);
	refuse(f, RPC_FLOW_ERROR, "meter:5 is not there",
		"[['flow.replace', {'bridge':'br0', 'lines':'actions=meter:5,output:1'}]]");
	refuse(f, RPC_FLOW_ERROR, "meter:5 is not there",
		"[['flow.replace', {'bridge':'br0', 'dry_run':true, "
		"'flows':['actions=meter:5']}]]");
	refuse(f, RPC_FLOW_ERROR, "group:6 is not there",
		"[['group.add', {'bridge':'br0', 'group':'group_id=5,type=all,bucket=group:6'}]]");
	refuse(f, RPC_FLOW_ERROR, "meter:6 is not there",
		"[['group.add', {'bridge':'br0', 'group':'group_id=5,type=all,bucket=meter:6'}]]");
	refuse(f, RPC_FLOW_ERROR, "6 is not there",
		"[['group.add', {'bridge':'br0', 'group':"
		"'group_id=5,type=ff,bucket=watch_group:6,actions=output:1'}]]");
	// The same transaction counts, as far as it has come.
	refuse(f, RPC_FLOW_ERROR, "group:5 is not there",
		"[['flow.add', {'bridge':'br0', 'flow':'priority=1,actions=group:5'}],"
		"['group.add', {'bridge':'br0', 'group':'group_id=5,type=all'}]]");
	refuse(f, RPC_FLOW_ERROR, "group:5 is not there",
		"[['group.add', {'bridge':'br0', 'group':'group_id=5,type=all'}],"
		"['group.delete', {'bridge':'br0'}],"
		"['flow.add', {'bridge':'br0', 'flow':'priority=1,actions=group:5'}]]");
	must(f, "[['group.add', {'bridge':'br0', 'group':'group_id=5,type=all'}],"
		"['flow.bundle', {'bridge':'br0', 'lines':'priority=1,actions=group:5'}]]");
	assert_flows(f, "priority=1 actions=group:5");
	refuse(f, RPC_FLOW_ERROR, "group:6 is not there",
		"[['flow.modify', {'bridge':'br0', 'flow':'actions=group:6'}]]");
}

static void test_loops(void **state)
{
	struct fixture *f = *state;

	add_bridge(f);
	must(f, "[['group.add', {'bridge':'br0', 'lines':"
		"'group_id=1,type=all\\ngroup_id=12,type=all,bucket=group:1\\n"
		"group_id=3,type=all,bucket=output:1,bucket=group:12'}]]");
	refuse(f, RPC_FLOW_ERROR,
		"group 1 would lead back to itself: 1 -> 3 -> 12 -> 1; leave one of these steps "
		"out",
		"[['group.modify', {'bridge':'br0', "
		"'group':'group_id=1,type=all,bucket=group:3'}]]");
	assert_int_equal(json_integer_value(json_object_get(f->error.data, "offset")), 27);
	assert_int_equal(json_integer_value(json_object_get(f->error.data, "length")), 7);
	refuse(f, RPC_FLOW_ERROR, "this bucket is in",
		"[['group.add', {'bridge':'br0', 'group':'group_id=4,type=all,bucket=group:4'}]]");
	// It is the end of each step that counts: first apart, then together the other way round.
	must(f, "[['group.modify', {'bridge':'br0', 'group':'group_id=3,type=all'}],"
		"['group.modify', {'bridge':'br0', "
		"'group':'group_id=1,type=all,bucket=group:3'}]]");
	assert_in_step(f);
	assert_stored(f);
}

static json_int_t number_of(json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void test_delete(void **state)
{
	struct fixture *f = *state;
	json_t *result;

	add_bridge(f);
	must(f, "[['meter.add', {'bridge':'br0', 'meters':"
		"['meter=1 pktps bands=type=drop,rate=1', 'meter=2 pktps "
		"bands=type=drop,rate=1']}],"
		"['group.add', {'bridge':'br0', 'lines':'group_id=1,type=all,bucket=meter:2,1\\n"
		"group_id=2,type=ff,bucket=bucket_id:6,watch_group:1,actions=drop'}],"
		"['flow.bundle', {'bridge':'br0', 'lines':'priority=1,actions=meter:1,group:1\\n"
		"priority=2,actions=group:2\\npriority=3,actions=meter:1,1\\n"
		"priority=4,actions=drop'}]]");
	refuse(f, RPC_REFUSED,
		"group 1 is watched by bucket 6 of group 2; change or delete group 2 first",
		"[['group.delete', {'bridge':'br0', 'group':'group_id=1'}]]");
	refuse(f, RPC_REFUSED, "meter 2 is named by bucket 0 of group 1",
		"[['meter.delete', {'bridge':'br0', 'meter':'meter=2'}]]");
	refuse(f, RPC_REFUSED, "meter 2 is named by bucket 0 of group 1",
		"[['meter.delete', {'bridge':'br0'}]]");
	result = call_all(f, json_pack("[[s, {s:s, s:s}]]", "meter.delete", "bridge", "br0",
				     "meter", "meter=1"));
	assert_int_equal(number_of(result, "removed"), 1);
	assert_int_equal(number_of(result, "flows_removed"), 2);
	json_decref(result);
	assert_flows(f, "priority=4 actions=drop; priority=2 actions=group:2");
	assert_in_step(f);
	assert_stored(f);
	// All at once is no trouble, in whatever order they name each other.
	result = call_all(f, json_pack("[[s, {s:s}], [s, {s:s}]]", "group.delete", "bridge", "br0",
				     "meter.delete", "bridge", "br0"));
	assert_non_null(result);
	json_decref(result);
	assert_flows(f, "priority=4 actions=drop");
	assert_objects(f, "group.dump", "");
	assert_objects(f, "meter.dump", "");
	assert_in_step(f);
	assert_stored(f);
}

// All errors of a list are told with their lines, and nothing that follows from another error.
static void test_list_errors(void **state)
{
	struct fixture *f = *state;
	json_t *errors;

	add_bridge(f);
	refuse(f, RPC_FLOW_ERROR, "g.txt:3:",
		"[['group.add', {'bridge':'br0', 'name':'g.txt', 'lines':"
		"'group_id=1,type=all\\n\\ngroup_id=2,type=al\\n# note\\n"
		"group_id=3,type=all,bucket=group:2\\ngroup_id=1,type=all,bucket=output:nosuch'}]"
		"]");
	errors = json_object_get(f->error.data, "errors");
	assert_int_equal(json_array_size(errors), 2);
	assert_int_equal(number_of(json_array_get(errors, 1), "line"), 6);
	refuse(f, RPC_FLOW_ERROR, "groups:2:1: group 1 of bridge br0 is there already",
		"[['group.add', {'bridge':'br0', 'groups':"
		"['group_id=1,type=all', {'group_id':1, 'type':'all', 'buckets':[]}]}]]");
}

// What the datapath refuses is undone everywhere, in other bridges too.
static void test_refused_by_datapath(void **state)
{
	struct fixture *f = *state;

	add_bridge(f);
	must(f, "[['bridge.add', {'name':'br1'}], ['group.add', {'bridge':'br0', 'group':"
		"'group_id=1,type=all'}], ['flow.add', {'bridge':'br0', 'flow':"
		"'priority=1,actions=group:1'}]]");
	refuse(f, RPC_REFUSED, "the group 666 is refused",
		"[['group.modify', {'bridge':'br0', "
		"'group':'group_id=1,type=all,bucket=output:1'}],"
		"['group.add', {'bridge':'br0', 'group':'group_id=666,type=all'}]]");
	refuse(f, RPC_REFUSED, "is refused",
		"[['group.delete', {'bridge':'br0'}],"
		"['flow.add', {'bridge':'br1', 'flow':'priority=666,actions=drop'}]]");
	refuse(f, RPC_REFUSED, "is refused",
		"[['flow.add', {'bridge':'br0', 'flow':'priority=666,actions=drop'}],"
		"['group.add', {'bridge':'br1', 'group':'group_id=7,type=all'}]]");
	refuse(f, RPC_REFUSED, "is refused",
		"[['bridge.del', {'name':'br0'}], ['bridge.add', {'name':'br0'}],"
		"['group.add', {'bridge':'br0', 'group':'group_id=666,type=all'}]]");
	assert_stored(f);
	assert_in_step(f);
}

// The datapath keeps a bridge that goes and comes again: what the old one had goes with it.
static void test_bridge_anew(void **state)
{
	struct fixture *f = *state;

	add_bridge(f);
	must(f, "[['group.add', {'bridge':'br0', 'lines':'group_id=1,type=all\\n"
		"group_id=2,type=all\\ngroup_id=4,type=all,bucket=group:1'}],"
		"['meter.add', {'bridge':'br0', 'meter':'meter=1 kbps bands=type=drop,rate=1'}],"
		"['flow.add', {'bridge':'br0', 'flow':'priority=9,actions=group:2'}]]");
	must(f, "[['group.add', {'bridge':'br0', 'group':'group_id=3,type=all'}],"
		"['group.delete', {'bridge':'br0', 'group':'group_id=2'}],"
		"['bridge.del', {'name':'br0'}], ['bridge.add', {'name':'br0'}],"
		"['group.add', {'bridge':'br0', 'group':'group_id=1,type=all,bucket=output:1'}],"
		"['flow.add', {'bridge':'br0', 'flow':'priority=1,actions=group:1'}]]");
	assert_objects(f, "group.dump", "group_id=1,type=all,bucket=bucket_id:0,actions=output:1");
	assert_objects(f, "meter.dump", "");
	assert_in_step(f);
	assert_stored(f);
}

static void test_no_wait(void **state)
{
	struct fixture *f = *state;

	add_bridge(f);
	stop_datapath(f);
	assert_false(call(f, "[['group.add', {'bridge':'br0', 'group':'group_id=1,type=all'}]]"));
	assert_error(f, RPC_UNAVAILABLE, "--no-wait");
	must(f, "[['group.add', {'bridge':'br0', 'no_wait':true, 'group':'group_id=1,type=all'}],"
		"['flow.add', {'bridge':'br0', 'flow':'actions=group:1'}]]");
	assert_stored(f);
	start_datapath(f);
	assert_in_step(f);
	// Behind the answer, or before the next change.
	must(f, "[['meter.add', {'bridge':'br0', 'no_wait':true, 'meter':"
		"'meter=1 kbps bands=type=drop,rate=1'}]]");
	event_base_loop(f->vs.base, EVLOOP_NONBLOCK);
	assert_in_step(f);
	must(f, "[['group.modify', {'bridge':'br0', 'no_wait':true, 'group':"
		"'group_id=1,type=all,bucket=output:1'}]]");
	must(f, "[['flow.add', {'bridge':'br0', 'flow':'priority=8,actions=meter:1'}]]");
	assert_in_step(f);
	// Refused by the datapath only later: said there, and no bar to others.
	must(f, "[['group.add', {'bridge':'br0', 'no_wait':true, 'group':"
		"'group_id=666,type=all'}]]");
	event_base_loop(f->vs.base, EVLOOP_NONBLOCK);
	assert_non_null(json_object_get(f->vs.bridge_errors, "br0"));
	must(f, "[['group.delete', {'bridge':'br0', 'no_wait':true, 'group':'group_id=666'}]]");
	event_base_loop(f->vs.base, EVLOOP_NONBLOCK);
	assert_null(json_object_get(f->vs.bridge_errors, "br0"));
	assert_in_step(f);
}

static void test_datapath_restart(void **state)
{
	struct fixture *f = *state;

	add_bridge(f);
	must(f, "[['meter.add', {'bridge':'br0', 'meter':'meter=1 kbps bands=type=drop,rate=1'}],"
		"['group.add', {'bridge':'br0', 'group':'group_id=1,type=all,bucket=meter:1'}],"
		"['flow.add', {'bridge':'br0', 'flow':'actions=group:1'}]]");
	stop_datapath(f);
	start_datapath(f);
	assert_in_step(f);
}

static void test_limit(void **state)
{
	struct fixture *f = *state;
	json_t *meters = json_array();
	json_t *result;

	add_bridge(f);
	for (int id = 1; id <= OBJECTS_MAX; id++)
		json_array_append_new(meters, json_sprintf("meter=%d kbps bands=type=drop,rate=1",
						      id < 666 ? id : id + 1));
	result = call_all(
		f, json_pack("[[s, {s:s, s:o}]]", "meter.add", "bridge", "br0", "meters", meters));
	assert_int_equal(number_of(result, "added"), OBJECTS_MAX);
	json_decref(result);
	refuse(f, RPC_FLOW_ERROR,
		"bridge br0 has 65536 meters, and no more fit; delete some that are no longer "
		"needed: ofctl del-meters br0 N",
		"[['meter.add', {'bridge':'br0', 'meter':"
		"'meter=70000 kbps bands=type=drop,rate=1'}]]");
	assert_null(json_object_get(f->error.data, "offset"));
	// Changing those that there are is no addition; the other kind has room of its own.
	must(f, "[['meter.modify', {'bridge':'br0', 'may_create':true, 'meter':"
		"'meter=1 kbps bands=type=drop,rate=2'}],"
		"['group.add', {'bridge':'br0', 'group':'group_id=1,type=all'}],"
		"['meter.delete', {'bridge':'br0', 'meter':'meter=5'}],"
		"['meter.add', {'bridge':'br0', 'meter':'meter=70000 kbps "
		"bands=type=drop,rate=1'}]]");
}

// Counters are those of the datapath, in the order of the configuration.
static void test_stats(void **state)
{
	struct fixture *f = *state;
	json_t *result;
	char *text;

	add_bridge(f);
	must(f, "[['meter.add', {'bridge':'br0', 'meter':'meter=3 kbps bands=type=drop,rate=1'}],"
		"['group.add', {'bridge':'br0', 'lines':'group_id=2,type=all\\ngroup_id=3,"
		"type=select,bucket=bucket_id:0,weight:1,actions=output:1,"
		"bucket=bucket_id:7,weight:2,actions=output:p0'}],"
		"['flow.bundle', {'bridge':'br0', 'lines':'priority=1,actions=meter:3,group:3\\n"
		"priority=2,actions=meter:3,1'}]]");
	now_ms += 1500;
	result = dump(f, "group.dump");
	text = json_dumps(json_array_get(json_object_get(result, "groups"), 1), JSON_COMPACT);
	assert_non_null(strstr(text, "\"group_id\":3,\"type\":\"select\",\"text\":\"group_id=3,"));
	assert_non_null(strstr(text,
		"\"duration_ms\":1500,\"ref_count\":1,\"packets\":30,\"bytes\":300,\"buckets\":["
		"{\"bucket_id\":0,\"packets\":20,\"bytes\":200},"
		"{\"bucket_id\":7,\"packets\":10,\"bytes\":100}]"));
	free(text);
	json_decref(result);
	result = dump(f, "meter.dump");
	text = json_dumps(json_array_get(json_object_get(result, "meters"), 0), JSON_COMPACT);
	assert_non_null(strstr(text, "\"meter_id\":3"));
	assert_non_null(strstr(text,
		"\"duration_ms\":1500,\"flow_count\":2,\"packets\":50,\"bytes\":500,\"bands\":["
		"{\"packets\":5,\"bytes\":55}]"));
	free(text);
	json_decref(result);
	result = call_all(f, json_pack("[[s, {s:s, s:s, s:b, s:b}]]", "group.dump", "bridge", "br0",
				     "group", "3", "names", 1, "stats", 0));
	assert_int_equal(json_array_size(json_object_get(result, "groups")), 1);
	text = json_dumps(result, JSON_COMPACT);
	assert_non_null(strstr(text, "actions=output:p0"));
	assert_null(strstr(text, "packets"));
	free(text);
	json_decref(result);
	stop_datapath(f);
	result = dump(f, "meter.dump");
	assert_int_equal(
		number_of(json_array_get(json_object_get(result, "meters"), 0), "packets"), 0);
	json_decref(result);
}

// --- Random transactions ---

static void random_call(json_t *calls, unsigned *seed)
{
	static const unsigned ids[] = {1, 2, 3, 4, 5, 666};
	unsigned id = ids[(unsigned)rand_r(seed) % (rand_r(seed) % 8 ? 5 : 6)];
	unsigned other = 1 + (unsigned)rand_r(seed) % 5;
	char bridge[8];
	char text[128];

	snprintf(bridge, sizeof(bridge), "br%d", rand_r(seed) % 2);
	switch (rand_r(seed) % 10) {
	case 0:
		json_array_append_new(calls,
			json_pack("[s, {s:s, s:b}]", "bridge.del", "name", bridge, "if_exists", 1));
		break;
	case 1:
	case 2:
		json_array_append_new(calls,
			json_pack("[s, {s:s, s:b}]", "bridge.add", "name", bridge, "may_exist", 1));
		break;
	case 3:
		snprintf(text, sizeof(text), "group_id=%u", id);
		json_array_append_new(
			calls, json_pack("[s, {s:s, s:s, s:b}]", "group.delete", "bridge", bridge,
				       "group", text, "if_exists", 1));
		break;
	case 4:
		json_array_append_new(
			calls, json_pack("[s, {s:s, s:s, s:b}]", "meter.delete", "bridge", bridge,
				       "meter", "1", "if_exists", 1));
		break;
	case 5:
		snprintf(text, sizeof(text), "meter=%u kbps bands=type=drop,rate=%u", other, id);
		json_array_append_new(
			calls, json_pack("[s, {s:s, s:s, s:b}]", "meter.modify", "bridge", bridge,
				       "meter", text, "may_create", 1));
		break;
	case 6:
	case 7:
		snprintf(text, sizeof(text), "group_id=%u,type=all,bucket=%s:%u", id,
			rand_r(seed) % 2   ? "output"
			: rand_r(seed) % 2 ? "group"
					   : "meter",
			other);
		json_array_append_new(
			calls, json_pack("[s, {s:s, s:s, s:b}]", "group.modify", "bridge", bridge,
				       "group", text, "may_create", 1));
		break;
	default:
		snprintf(text, sizeof(text), "priority=%u,actions=%s:%u", id,
			rand_r(seed) % 2 ? "group" : "meter", other);
		json_array_append_new(calls,
			json_pack("[s, {s:s, s:s}]", "flow.add", "bridge", bridge, "flow", text));
	}
}

static void test_random(void **state)
{
	struct fixture *f = *state;
	unsigned seed = 8;
	int accepted = 0;

	log_set_level("none");
	for (int round = 0; round < 500; round++) {
		char *before = snapshot(f);
		json_t *calls = json_array();
		int n = 1 + rand_r(&seed) % 3;
		json_t *result;

		for (int i = 0; i < n; i++)
			random_call(calls, &seed);
		now_ms++;
		result = call_all(f, calls);
		accepted += result != NULL;
		if (!result) {
			char *after = snapshot(f);

			assert_string_equal(before, after);
			free(after);
		}
		json_decref(result);
		free(before);
		assert_in_step(f);
		if (round % 50 == 13) {
			stop_datapath(f);
			start_datapath(f);
			assert_in_step(f);
		}
		if (round % 25 == 7)
			assert_stored(f);
	}
	// Both ends of the road were walked often enough to mean something.
	assert_true(accepted > 100 && accepted < 400);
}

int main(void)
{
#define TEST(FN) cmocka_unit_test_setup_teardown(FN, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_commit),
		TEST(test_rules),
		TEST(test_missing),
		TEST(test_loops),
		TEST(test_delete),
		TEST(test_list_errors),
		TEST(test_refused_by_datapath),
		TEST(test_bridge_anew),
		TEST(test_no_wait),
		TEST(test_datapath_restart),
		TEST(test_limit),
		TEST(test_stats),
		TEST(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
