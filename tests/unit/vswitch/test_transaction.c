// SPDX-License-Identifier: Apache-2.0
//
// Transactions from the method to the store and the datapath, with a fake one: whatever happens,
// model, store and datapath say the same.

#include "switch_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vswitch/live.h"
#include "vswitch/log.h"
#include "vswitch/sync.h"

static void test_commit(void **state)
{
	struct fixture *f = *state;

	must(f, "[['bridge.add', {'name':'br0'}],"
		"['port.add', {'bridge':'br0', 'name':'p0', 'type':'dpdk', 'tag':5}],"
		"['flow.add', {'bridge':'br0', 'flow':'in_port=p0,actions=drop'}]]");
	assert_in_step(f);
	assert_stored(f);
	assert_in_step(f);
	must(f, "[['port.del', {'name':'p0'}]]");
	assert_in_step(f);
	must(f, "[['bridge.del', {'name':'br0'}]]");
	assert_in_step(f);
	assert_stored(f);
}

static void test_refused_port(void **state)
{
	struct fixture *f = *state;
	char *before;
	char *after;

	must(f, "[['bridge.add', {'name':'br0'}],"
		"['port.add', {'bridge':'br0', 'name':'p0', 'type':'dpdk'}]]");
	before = snapshot(f);
	assert_false(call(f, "[['port.del', {'name':'p0'}], ['bridge.add', {'name':'br1'}],"
			     "['port.add', {'bridge':'br1', 'name':'p1', 'type':'dpdk'}],"
			     "['port.add', {'bridge':'br1', 'name':'p2', 'type':'refused'}]]"));
	assert_error(f, RPC_REFUSED, "port p2: there is no such device");
	after = snapshot(f);
	assert_string_equal(before, after);
	assert_in_step(f);
	assert_stored(f);
	assert_in_step(f);
	free(before);
	free(after);
}

// What a handler refuses leaves as little behind as what the datapath refuses.
static void test_refused_call(void **state)
{
	struct fixture *f = *state;
	char *before = snapshot(f);
	char *after;

	assert_false(call(f, "[['bridge.add', {'name':'br0'}], ['port.del', {'name':'nosuch'}]]"));
	assert_error(f, RPC_NOT_FOUND, "no port");
	assert_false(call(f, "[['bridge.add', {'name':'br0'}],"
			     "['port.add', {'bridge':'br0', 'name':'p0'}]]"));
	assert_error(f, RPC_REFUSED, "no type");
	assert_false(
		call(f, "[['bridge.add', {'name':'br0'}],"
			"['port.add', {'bridge':'br0', 'name':'p0', 'options':{'tpye':'dpdk'}}]]"));
	assert_error(f, RPC_REFUSED, "\"tpye\" was taken for an option");
	after = snapshot(f);
	assert_string_equal(before, after);
	assert_in_step(f);
	free(before);
	free(after);
}

static void test_refused_flow(void **state)
{
	struct fixture *f = *state;
	char *before;
	char *after;

	must(f, "[['bridge.add', {'name':'br0'}], ['bridge.add', {'name':'br1'}]]");
	before = snapshot(f);
	assert_false(
		call(f, "[['flow.add', {'bridge':'br0', 'flow':'priority=666,actions=drop'}]]"));
	assert_error(f, RPC_REFUSED, "is refused");
	// One bridge has taken its part when the other refuses.
	assert_false(
		call(f, "[['flow.add', {'bridge':'br0', 'flow':'priority=5,actions=drop'}],"
			"['flow.add', {'bridge':'br1', 'flow':'priority=666,actions=drop'}]]"));
	assert_false(
		call(f, "[['flow.add', {'bridge':'br1', 'flow':'priority=5,actions=drop'}],"
			"['flow.add', {'bridge':'br0', 'flow':'priority=666,actions=drop'}]]"));
	assert_false(
		call(f, "[['bridge.del', {'name':'br0'}],"
			"['flow.add', {'bridge':'br1', 'flow':'priority=666,actions=drop'}]]"));
	after = snapshot(f);
	assert_string_equal(before, after);
	assert_in_step(f);
	assert_stored(f);
	free(before);
	free(after);
}

static void test_flow_errors(void **state)
{
	struct fixture *f = *state;
	json_t *errors;

	must(f, "[['bridge.add', {'name':'br0'}]]");
	assert_false(call(f, "[['flow.bundle', {'bridge':'br0', 'name':'x.of', 'lines':"
			     "'ip,actions=drop\\n# note\\n\\nnw_dst=1.2.3.4,actions=drop\\n"
			     "arp,actions=drop\\nip,foo=1,actions=drop'}]]"));
	assert_error(f, RPC_FLOW_ERROR, "x.of:4:1: nw_dst needs");
	errors = json_object_get(f->error.data, "errors");
	assert_int_equal(json_array_size(errors), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(errors, 1), "line")), 6);
	assert_string_equal(json_string_value(json_object_get(json_array_get(errors, 1), "text")),
		"ip,foo=1,actions=drop");
	assert_in_step(f);
}

static void test_flow_limits(void **state)
{
	struct fixture *f = *state;

	must(f, "[['bridge.add', {'name':'br0'}], ['db.set', {'table':'Bridge', 'record':'br0',"
		"'values':{'fail_mode':'secure', 'other_config':{'flow-table-limit':'2',"
		"'flow-bridge-limit':'3'}}}]]");
	must(f, "[['flow.bundle', {'bridge':'br0', 'lines':"
		"'priority=1,actions=drop\\npriority=2,actions=drop'}]]");
	assert_false(call(f, "[['flow.add', {'bridge':'br0', 'flow':'priority=3,actions=drop'}]]"));
	assert_error(f, RPC_FLOW_ERROR,
		"table 0 of bridge br0 would have 3 flows, and its limit is 2; delete flows that "
		"are no longer needed, or raise the limit: vsctl set Bridge br0 "
		"other_config:flow-table-limit=3");
	assert_string_equal(
		json_string_value(json_object_get(f->error.data, "kind")), "table_full");
	assert_int_equal(json_integer_value(json_object_get(f->error.data, "limit")), 2);
	assert_null(json_object_get(f->error.data, "offset"));
	assert_flows(f, "priority=2 actions=drop; priority=1 actions=drop");
	// Replacing one, and more in between than at the end.
	must(f, "[['flow.add', {'bridge':'br0', 'flow':'priority=2,actions=drop'}]]");
	must(f, "[['flow.bundle', {'bridge':'br0', 'lines':'priority=3,actions=drop\\n"
		"table=1,actions=drop\\ndelete_strict priority=3\\n'}]]");
	assert_false(call(f, "[['flow.add', {'bridge':'br0', 'flow':'table=1,ip,actions=drop'}]]"));
	assert_error(f, RPC_FLOW_ERROR, "bridge br0 would have 4 flows, and its limit is 3; ");
	assert_error(f, RPC_FLOW_ERROR, "other_config:flow-bridge-limit=4");
	assert_null(json_object_get(f->error.data, "table"));
	// A higher limit in the same transaction; a replacement that does not fit.
	must(f, "[['flow.add', {'bridge':'br0', 'flow':'table=1,ip,actions=drop'}], ['db.set', "
		"{'table':'Bridge', 'record':'br0', 'values':{'other_config':"
		"{'flow-bridge-limit':'9'}}}]]");
	assert_false(call(f, "[['flow.replace', {'bridge':'br0', 'lines':"
			     "'ip,actions=drop\\narp,actions=drop\\nrarp,actions=drop'}]]"));
	assert_error(f, RPC_FLOW_ERROR, "table 0 of bridge br0 would have 3 flows");
	// What is there stays when the limit is lowered, may change and go, but not grow.
	must(f, "[['db.set', {'table':'Bridge', 'record':'br0', 'values':{'other_config':"
		"{'flow-bridge-limit':'1', 'flow-table-limit':'1'}}}]]");
	must(f, "[['flow.modify', {'bridge':'br0', 'flow':'table=0,actions=normal'}]]");
	must(f, "[['flow.delete', {'bridge':'br0', 'flow':'table=1'}]]");
	assert_false(call(f, "[['flow.add', {'bridge':'br0', 'flow':'priority=9,actions=drop'}]]"));
	must(f, "[['flow.bundle', {'bridge':'br0', 'lines':"
		"'delete_strict priority=1\\npriority=9,actions=drop'}]]");
	assert_flows(f, "priority=9 actions=drop; priority=2 actions=NORMAL");
	assert_in_step(f);
	assert_stored(f);
}

#define IPV6_FLOW "ipv6,ipv6_src=2001:db8::1,ipv6_dst=2001:db8::2,actions=drop"

static void test_lookup_limit(void **state)
{
	struct fixture *f = *state;

	must(f, "[['bridge.add', {'name':'br0'}], ['db.set', {'table':'Bridge', 'record':'br0',"
		"'values':{'fail_mode':'secure', 'other_config':{'flow-lookup-limit':'24'}}}]]");
	// A hash; then a block with a row for each of 7 bytes: type, address, and that it is there.
	must(f, "[['flow.add', {'bridge':'br0', 'flow':'table=2,ip,nw_dst=10.0.0.1,actions=drop'}]]");
	must(f, "[['flow.add', {'bridge':'br0', 'flow':'table=2,priority=1,actions=drop'}]]");
	// And one of 32 bytes more.
	assert_false(call(f, "[['flow.add', {'bridge':'br0', 'flow':'table=2," IPV6_FLOW "'}]]"));
	assert_error(f, RPC_FLOW_ERROR,
		"a lookup in table 2 of bridge br0 could take 40 steps, and the limit is 24: 3 "
		"flows of 3 masks on 39 bytes need 1 blocks; let many flows share a mask, match "
		"fewer fields, divide them among tables, or raise the limit: vsctl set Bridge br0 "
		"other_config:flow-lookup-limit=40");
	assert_string_equal(
		json_string_value(json_object_get(f->error.data, "kind")), "lookup_budget");
	assert_int_equal(json_integer_value(json_object_get(f->error.data, "table")), 2);
	assert_int_equal(json_integer_value(json_object_get(f->error.data, "limit")), 24);
	assert_int_equal(json_integer_value(json_object_get(f->error.data, "steps")), 40);
	assert_flows(f, "priority=32768,ip,nw_dst=10.0.0.1 actions=drop; priority=1 actions=drop");
	assert_in_step(f);
	assert_stored(f);
	// In a table of its own it is one of one mask; ranges of ports are many.
	must(f, "[['flow.add', {'bridge':'br0', 'flow':'table=3," IPV6_FLOW "'}]]");
	assert_false(call(f, "[['flow.add', {'bridge':'br0', "
			     "'flow':'table=4,tcp,tp_dst=1-65534,tp_src=1-65534,actions=drop'}]]"));
	assert_error(f, RPC_FLOW_ERROR, "1 flows with their port ranges of 1 masks");
	assert_error(f, RPC_FLOW_ERROR, "match single ports, ");
	// What the message advises helps. A lower limit later leaves alone what is there.
	must(f, "[['db.set', {'table':'Bridge', 'record':'br0', 'values':{'other_config':"
		"{'flow-lookup-limit':'40'}}}], ['flow.add', {'bridge':'br0', "
		"'flow':'table=2," IPV6_FLOW "'}]]");
	must(f, "[['db.set', {'table':'Bridge', 'record':'br0', 'values':{'other_config':"
		"{'flow-lookup-limit':'1'}}}]]");
	must(f, "[['flow.modify', {'bridge':'br0', 'flow':'table=2,actions=normal'}]]");
	must(f, "[['flow.bundle', {'bridge':'br0', 'lines':"
		"'delete_strict table=2," "ipv6,ipv6_src=2001:db8::1,ipv6_dst=2001:db8::2\\n"
		"table=2,priority=7,ipv6,ipv6_src=2001:db8::3,ipv6_dst=2001:db8::4,actions=drop'}]]");
	assert_false(call(f, "[['flow.add', {'bridge':'br0', 'flow':'table=2,tcp,tp_dst=1,"
			     "actions=drop'}]]"));
	must(f, "[['flow.delete', {'bridge':'br0', 'flow':'table=2'}]]");
	assert_in_step(f);
	assert_stored(f);
}

static void test_first_flow(void **state)
{
	struct fixture *f = *state;

	must(f, "[['bridge.add', {'name':'br0'}]]");
	assert_flows(f, "priority=0 actions=NORMAL");
	must(f, "[['bridge.del', {'name':'br0'}], ['bridge.add', {'name':'br0'}],"
		"['db.set', {'table':'Bridge', 'record':'br0', 'values':{'fail_mode':'secure'}}],"
		"['flow.add', {'bridge':'br0', 'flow':'priority=7,actions=drop'}]]");
	assert_flows(f, "priority=7 actions=drop");
	// The bridge of the datapath stayed; its flows are the new ones.
	assert_in_step(f);
	assert_stored(f);
	assert_in_step(f);
}

// The datapath keeps a bridge that goes and comes again in one transaction, so its flows have to be
// told apart: those it has from those of the same transaction, which never reached it.
static void test_bridge_anew(void **state)
{
	struct fixture *f = *state;
	char *before;
	char *after;

	must(f, "[['bridge.add', {'name':'br0'}],"
		"['flow.add', {'bridge':'br0', 'flow':'priority=1,actions=drop'}],"
		"['flow.add', {'bridge':'br0', 'flow':'priority=2,actions=drop'}]]");
	before = snapshot(f);
	assert_false(
		call(f, "[['flow.add', {'bridge':'br0', 'flow':'priority=3,actions=drop'}],"
			"['bridge.del', {'name':'br0'}], ['bridge.add', {'name':'br0'}],"
			"['flow.add', {'bridge':'br0', 'flow':'priority=666,actions=drop'}]]"));
	after = snapshot(f);
	assert_string_equal(before, after);
	assert_in_step(f);
	must(f, "[['flow.add', {'bridge':'br0', 'flow':'priority=3,actions=drop'}],"
		"['flow.delete', {'bridge':'br0', 'flow':'priority=2', 'strict':true}],"
		"['bridge.del', {'name':'br0'}], ['bridge.add', {'name':'br0'}],"
		"['flow.add', {'bridge':'br0', 'flow':'priority=4,actions=drop'}]]");
	assert_flows(f, "priority=4 actions=drop; priority=0 actions=NORMAL");
	assert_in_step(f);
	assert_stored(f);
	free(before);
	free(after);
}

static void test_flow_commands(void **state)
{
	struct fixture *f = *state;

	must(f, "[['bridge.add', {'name':'br0', 'fail_mode':'secure'}],"
		"['port.add', {'bridge':'br0', 'name':'p0', 'type':'dpdk'}],"
		"['flow.bundle', {'bridge':'br0', 'lines':"
		"'priority=9,ip,actions=p0\\npriority=8,arp,actions=drop\\n"
		"modify ip,actions=in_port\\ndelete arp'}]]");
	assert_flows(f, "priority=9,ip actions=IN_PORT");
	assert_in_step(f);
	must(f, "[['flow.modify', {'bridge':'br0', 'flow':'ip,actions=drop'}],"
		"['flow.add', {'bridge':'br0', 'flow':{'priority':3, 'match':{'in_port':'p0'},"
		"'actions':['normal']}}]]");
	assert_flows(f, "priority=9,ip actions=drop; priority=3,in_port=1 actions=NORMAL");
	must(f, "[['flow.replace', {'bridge':'br0', 'lines':"
		"'priority=9,ip,actions=flood\\npriority=2,actions=drop'}]]");
	assert_flows(f, "priority=9,ip actions=FLOOD; priority=2 actions=drop");
	must(f, "[['flow.replace', {'bridge':'br0', 'lines':'priority=1,actions=drop',"
		"'dry_run':true}]]");
	assert_flows(f, "priority=9,ip actions=FLOOD; priority=2 actions=drop");
	assert_in_step(f);
	must(f, "[['flow.delete', {'bridge':'br0'}]]");
	assert_flows(f, "");
	assert_false(call(f, "[['flow.add', {'bridge':'br0', 'flow':'delete ip'}]]"));
	assert_error(f, RPC_FLOW_ERROR, "flow.bundle");
	assert_in_step(f);
	assert_stored(f);
}

// How many of one flow's replacements, written `flow`, were "kept", "modified" and so on.
static json_int_t replaced(struct fixture *f, const char *flow, const char *how)
{
	json_t *result = call_all(f,
		json_pack("[[s, {s:s, s:[s]}]]", "flow.replace", "bridge", "br0", "flows", flow));
	json_int_t count = json_integer_value(json_object_get(result, how));

	assert_non_null(result);
	json_decref(result);
	assert_in_step(f);
	assert_stored(f);
	return count;
}

// A replacement leaves nothing of a flow that differs in anything.
static void test_replace_exactly(void **state)
{
	struct fixture *f = *state;

	must(f, "[['bridge.add', {'name':'br0', 'fail_mode':'secure'}]]");
	assert_int_equal(replaced(f, "cookie=1,ip,actions=drop", "added"), 1);
	assert_int_equal(replaced(f, "cookie=1,ip,actions=drop", "kept"), 1);
	assert_int_equal(replaced(f, "cookie=1,ip,actions=normal", "modified"), 1);
	assert_int_equal(replaced(f, "cookie=2,ip,actions=normal", "added"), 1);
	assert_int_equal(replaced(f, "cookie=2,ip,actions=normal", "kept"), 1);
	assert_int_equal(replaced(f, "cookie=2,idle_timeout=9,ip,actions=normal", "added"), 1);
	assert_int_equal(replaced(f, "cookie=2,idle_timeout=9,ip,actions=normal", "kept"), 1);
	assert_int_equal(replaced(f, "cookie=2,send_flow_rem,ip,actions=normal", "added"), 1);
	assert_int_equal(replaced(f, "cookie=2,send_flow_rem,ip,actions=normal", "kept"), 1);
	assert_int_equal(
		replaced(f, "cookie=2,send_flow_rem,reset_counts,ip,actions=normal", "kept"), 1);
	assert_int_equal(replaced(f, "cookie=2,send_flow_rem,ip,actions=normal", "kept"), 1);
}

// A datapath that died is filled anew by the same steps.
static void test_datapath_restart(void **state)
{
	struct fixture *f = *state;

	must(f, "[['bridge.add', {'name':'br0', 'mac_aging':60}],"
		"['port.add', {'bridge':'br0', 'name':'p0', 'type':'dpdk', 'mtu':9000}],"
		"['flow.add', {'bridge':'br0', 'flow':'in_port=p0,actions=drop'}]]");
	stop_datapath(f);
	assert_false(call(f, "[['bridge.add', {'name':'br1'}]]"));
	assert_error(f, RPC_UNAVAILABLE, "--no-wait");
	start_datapath(f);
	assert_in_step(f);
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(f->vs.actual, "plan"), "threads")),
		1);
}

static void test_no_wait(void **state)
{
	struct fixture *f = *state;

	stop_datapath(f);
	must(f, "[['bridge.add', {'name':'br0', 'no_wait':true}],"
		"['port.add', {'bridge':'br0', 'name':'p0', 'type':'refused', 'no_wait':true}],"
		"['port.add', {'bridge':'br0', 'name':'p1', 'type':'dpdk', 'no_wait':true}],"
		"['flow.add', {'bridge':'br0', 'flow':'actions=drop', 'no_wait':true}]]");
	assert_stored(f);
	start_datapath(f);
	assert_in_step(f);
	assert_non_null(json_object_get(f->vs.failures, "p0"));
	// With the datapath there it is put in force behind the answer.
	must(f, "[['flow.add', {'bridge':'br0', 'flow':'arp,actions=drop', 'no_wait':true}]]");
	event_base_loop(f->vs.base, EVLOOP_NONBLOCK);
	assert_in_step(f);
	// Who comes before that finds it in force, whether it is flows or rows that are behind.
	must(f, "[['flow.add', {'bridge':'br0', 'flow':'ip,actions=drop', 'no_wait':true}]]");
	must(f, "[['flow.modify', {'bridge':'br0', 'flow':'ip,actions=normal'}]]");
	assert_in_step(f);
	must(f, "[['bridge.add', {'name':'br1', 'no_wait':true}]]");
	must(f, "[['flow.add', {'bridge':'br1', 'flow':'arp,actions=drop'}]]");
	assert_in_step(f);
	assert_stored(f);
}

static void assert_port_error(struct fixture *f, const char *name, const char *expected)
{
	json_t *ports = live_ports(&f->vs, NULL);

	assert_string_equal(live_error(&f->vs, name, json_object_get(ports, name)), expected);
	json_decref(ports);
}

// A port whose device is gone after a restart stands in nobody's way.
static void test_failed_port(void **state)
{
	struct fixture *f = *state;
	char flaky[128];
	FILE *file;

	snprintf(flaky, sizeof(flaky), "%s/flaky", f->dir);
	must(f, "[['bridge.add', {'name':'br0'}],"
		"['port.add', {'bridge':'br0', 'name':'p0', 'type':'flaky'}],"
		"['port.add', {'bridge':'br0', 'name':'p1', 'type':'dpdk'}]]");
	stop_datapath(f);
	file = fopen(flaky, "w");
	fclose(file);
	start_datapath(f);
	assert_port_error(f, "p0", "there is no such device");
	assert_port_error(f, "p1", "");
	assert_in_step(f);
	// Others can be changed, and it itself; it is only refused when it is touched.
	must(f, "[['port.add', {'bridge':'br0', 'name':'p2', 'type':'dpdk'}]]");
	assert_false(call(f, "[['db.set', {'table':'Port', 'record':'p0', 'values':{'tag':4}}]]"));
	assert_error(f, RPC_REFUSED, "port p0: there is no such device");
	assert_port_error(f, "p0", "there is no such device");
	// When the device is back, it comes by itself.
	unlink(flaky);
	for (int second = 0; second < 100 && json_object_size(f->vs.failures); second++)
		sync_retry(&f->vs);
	assert_port_error(f, "p0", "");
	assert_in_step(f);
	// One that is still gone can be deleted.
	stop_datapath(f);
	file = fopen(flaky, "w");
	fclose(file);
	start_datapath(f);
	must(f, "[['port.del', {'name':'p0'}]]");
	assert_int_equal(json_object_size(f->vs.failures), 0);
	assert_in_step(f);
}

static void test_timeouts(void **state)
{
	struct fixture *f = *state;

	must(f, "[['bridge.add', {'name':'br0', 'fail_mode':'secure'}],"
		"['flow.bundle', {'bridge':'br0', 'lines':"
		"'priority=1,hard_timeout=10,actions=drop\\n"
		// Idle for 5, for 50, and never hit:
		"priority=1005,idle_timeout=20,actions=drop\\n"
		"priority=1050,idle_timeout=20,actions=drop\\n"
		"priority=2,idle_timeout=20,actions=drop\\npriority=0,actions=drop'}]]");
	now_ms += 9999;
	flows_expire(&f->vs);
	assert_int_equal(flow_set_count(f->vs.owners->set), 5);
	now_ms += 1;
	flows_expire(&f->vs);
	assert_flows(f, "priority=1050 actions=drop; priority=1005 actions=drop; "
			"priority=2 actions=drop; priority=0 actions=drop");
	now_ms += 10000;
	flows_expire(&f->vs);
	assert_flows(f, "priority=1005 actions=drop; priority=0 actions=drop");
	assert_in_step(f);
	assert_stored(f);
	// The store knows when a flow was made.
	must(f, "[['flow.add', {'bridge':'br0', "
		"'flow':'priority=3,hard_timeout=10,actions=drop'}]]");
	now_ms += 6000;
	assert_stored(f);
	now_ms += 4000;
	flows_expire(&f->vs);
	assert_flows(f, "priority=1005 actions=drop; priority=0 actions=drop");
	assert_in_step(f);
}

// Live columns come from the datapath, and are empty without one.
static void test_live_columns(void **state)
{
	struct fixture *f = *state;
	json_t *result;

	must(f, "[['bridge.add', {'name':'br0'}],"
		"['port.add', {'bridge':'br0', 'name':'p0', 'type':'dpdk'}]]");
	result =
		call_all(f, json_pack("[[s, {s:s, s:s, s:s, s:s}]]", "db.get", "table", "Interface",
				    "record", "p0", "column", "statistics", "key", "rx_packets"));
	assert_int_equal(json_integer_value(result), 5);
	json_decref(result);
	stop_datapath(f);
	result = call_all(f, json_pack("[[s, {s:s, s:s, s:s}]]", "db.get", "table", "Interface",
				     "record", "p0", "column", "statistics"));
	assert_int_equal(json_object_size(result), 0);
	json_decref(result);
	assert_false(call(f, "[['db.get', {'table':'Port', 'record':'p0', 'column':'tags'}]]"));
	assert_error(f, RPC_NOT_FOUND, "did you mean \"tag\"");
}

// Random transactions, some refused by the handlers, some by the datapath, some met by its death:
// after each, model, store and datapath agree, and a refused one changed nothing.
static void random_call(json_t *calls, unsigned *seed)
{
	static const char *const types[] = {"dpdk", "dpdk", "dpdk", "vhostuser", "refused"};
	static const int priorities[] = {1, 2, 3, 4, 5, 6, 7, 666};
	char bridge[8];
	char port[8];
	char flow[64];

	snprintf(bridge, sizeof(bridge), "br%d", rand_r(seed) % 2);
	snprintf(port, sizeof(port), "p%d", rand_r(seed) % 4);
	snprintf(flow, sizeof(flow), "priority=%d,actions=output:%d", priorities[rand_r(seed) % 8],
		1 + rand_r(seed) % 3);
	switch (rand_r(seed) % 8) {
	case 0:
		json_array_append_new(calls,
			json_pack("[s, {s:s, s:b}]", "bridge.add", "name", bridge, "may_exist", 1));
		break;
	case 1:
		json_array_append_new(calls,
			json_pack("[s, {s:s, s:b}]", "bridge.del", "name", bridge, "if_exists", 1));
		break;
	case 2:
	case 3:
		json_array_append_new(calls,
			json_pack("[s, {s:s, s:s, s:s, s:b}]", "port.add", "bridge", bridge, "name",
				port, "type", types[rand_r(seed) % 5], "may_exist", 1));
		break;
	case 4:
		json_array_append_new(calls,
			json_pack("[s, {s:s, s:b}]", "port.del", "name", port, "if_exists", 1));
		break;
	case 5:
		json_array_append_new(
			calls, json_pack("[s, {s:s}]", "flow.delete", "bridge", bridge));
		break;
	default:
		json_array_append_new(calls,
			json_pack("[s, {s:s, s:s}]", "flow.add", "bridge", bridge, "flow", flow));
	}
}

static void test_random(void **state)
{
	struct fixture *f = *state;
	unsigned seed = 5;
	int accepted = 0;

	log_set_level("none"); // stays at error, which random refusals do not reach
	for (int round = 0; round < 400; round++) {
		char *before = snapshot(f);
		json_t *calls = json_array();
		int n = 1 + rand_r(&seed) % 4;
		json_t *result;

		for (int i = 0; i < n; i++)
			random_call(calls, &seed);
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
		if (round % 40 == 13) {
			stop_datapath(f);
			start_datapath(f);
			assert_in_step(f);
		}
		if (round % 25 == 7)
			assert_stored(f);
	}
	// Both ends of the road were walked often enough to mean something.
	assert_true(accepted > 80 && accepted < 320);
}

int main(void)
{
#define TEST(FN) cmocka_unit_test_setup_teardown(FN, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_commit),
		TEST(test_refused_port),
		TEST(test_refused_call),
		TEST(test_refused_flow),
		TEST(test_flow_errors),
		TEST(test_flow_limits),
		TEST(test_lookup_limit),
		TEST(test_first_flow),
		TEST(test_bridge_anew),
		TEST(test_flow_commands),
		TEST(test_replace_exactly),
		TEST(test_datapath_restart),
		TEST(test_no_wait),
		TEST(test_failed_port),
		TEST(test_timeouts),
		TEST(test_live_columns),
		TEST(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
