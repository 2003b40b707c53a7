// SPDX-License-Identifier: Apache-2.0
//
// Packets to and from clients: the daemon's server and a client of it on one event base, with a
// datapath that sends back what it is to send out.

#include "../rpc/peer.h"
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "fake_datapath.h"
#include "vswitch/flows.h"
#include "vswitch/log.h"
#include "vswitch/methods.h"
#include "vswitch/packet_events.h"
#include "vswitch/sync.h"
#include "vswitch/transaction.h"
#include "vswitch/vswitch.h"

#define FRAME "0200000000020200000000010800"

int64_t clock_wall_ms(void)
{
	return 1000000;
}

int64_t clock_steady_ms(void)
{
	return 1000000;
}

struct fixture {
	struct vswitch vs;
	char dir[64];
	char path[96];
	pid_t datapath;
	struct peer peer;
};

// --- The daemon's parts ---

static void on_connected(void *context)
{
	sync_all(context);
}

static void on_disconnected(void *context)
{
	sync_forget(context);
}

static void on_port_changed(void *context, const char *name)
{
}

static void on_packet_in(void *context, const json_t *params)
{
	packet_in_forward(context, params);
}

static void on_resync(evutil_socket_t fd, short what, void *context)
{
	sync_behind(context);
}

static void open_vswitch(struct fixture *f)
{
	struct vswitch *vs = &f->vs;
	struct datapath_link_config config = {
		.rundir = f->dir,
		.start_timeout_ms = 5000,
		.call_timeout_ms = 20000,
		.context = vs,
		.connected = on_connected,
		.disconnected = on_disconnected,
		.port_changed = on_port_changed,
		.packet_in = on_packet_in,
	};
	struct rpc_error error = {0};
	char database[96];

	snprintf(database, sizeof(database), "%s/t.db", f->dir);
	snprintf(f->path, sizeof(f->path), "%s/vswitchd.sock", f->dir);
	vs->rundir = f->dir;
	vs->base = config.base = event_base_new();
	vs->conf = conf_create();
	vs->resync = event_new(vs->base, -1, 0, on_resync, vs);
	vs->link = datapath_link_create(&config);
	if (!vswitch_open(vs, database, &error))
		fail_msg("%s", error.message);
	f->datapath = fake_datapath_start(f->dir);
	assert_true(datapath_link_wait(vs->link, 20000));
	vs->server = rpc_server_create(vs->base, "test", "1", &transaction_functions, vs);
	assert_non_null(vs->server);
	assert_true(rpc_server_listen(vs->server, f->path, NULL, &error));
	rpc_server_add_methods(vs->server, bridge_methods);
	rpc_server_add_methods(vs->server, port_methods);
	rpc_server_add_methods(vs->server, packet_methods);
	rpc_server_set_events(vs->server, packet_events);
}

// --- The client ---

// The next value that the daemon sends.
static json_t *receive(struct fixture *f)
{
	struct pollfd readable = {.fd = f->peer.fd, .events = POLLIN};
	const char *error_text;
	json_t *value;

	while ((value = json_stream_next(f->peer.stream, &error_text)) == NULL) {
		static char buffer[65536];
		ssize_t count;

		assert_null(error_text);
		while (poll(&readable, 1, 0) == 0)
			event_base_loop(f->vs.base, EVLOOP_ONCE);
		count = recv(f->peer.fd, buffer, sizeof(buffer), 0);
		assert_true(count > 0);
		json_stream_feed(f->peer.stream, buffer, (size_t)count);
	}
	return value;
}

// `text` with " for '.
static json_t *quoted(const char *text)
{
	char copy[2048];
	json_t *value;

	assert_true((size_t)snprintf(copy, sizeof(copy), "%s", text) < sizeof(copy));
	for (char *c = copy; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	value = json_loads(copy, 0, NULL);
	if (!value)
		fail_msg("%s", text);
	return value;
}

static void request(struct fixture *f, const char *method, const char *params)
{
	json_t *call = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method",
		method, "params", quoted(params));
	char *text = json_dumps(call, JSON_COMPACT);

	peer_send(&f->peer, text, strlen(text));
	json_decref(call);
	free(text);
}

// The next that comes is such an event.
static void expect_event(struct fixture *f, const char *params)
{
	json_t *event = receive(f);
	json_t *expected = quoted(params);

	assert_string_equal(json_string_value(json_object_get(event, "method")), "packet.in");
	if (!json_equal(json_object_get(event, "params"), expected))
		fail_msg("%s: %s", params, json_dumps(event, 0));
	json_decref(event);
	json_decref(expected);
}

// The next that comes is an answer without error.
static void expect_done(struct fixture *f)
{
	json_t *answer = receive(f);

	if (json_object_get(answer, "result") == NULL)
		fail_msg("%s", json_dumps(answer, 0));
	json_decref(answer);
}

static void must(struct fixture *f, const char *method, const char *params)
{
	request(f, method, params);
	expect_done(f);
}

// Refused so; the error's data if there are any.
static json_t *refused(
	struct fixture *f, const char *method, const char *params, int code, const char *message)
{
	json_t *answer;
	json_t *error;
	json_t *data;

	request(f, method, params);
	answer = receive(f);
	error = json_object_get(answer, "error");
	assert_int_equal(json_integer_value(json_object_get(error, "code")), code);
	if (!strstr(json_string_value(json_object_get(error, "message")), message))
		fail_msg("%s", json_string_value(json_object_get(error, "message")));
	data = json_incref(json_object_get(error, "data"));
	json_decref(answer);
	return data;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	log_set_level("error");
	snprintf(f->dir, sizeof(f->dir), "/tmp/turnout-packets-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	open_vswitch(f);
	f->peer = peer_open(f->path);
	must(f, "bridge.add", "{'name':'br0'}");
	must(f, "bridge.add", "{'name':'br1'}");
	must(f, "port.add", "{'bridge':'br0', 'name':'vhu0', 'type':'dpdk', 'ofport':4}");
	must(f, "port.add", "{'bridge':'br1', 'name':'vhu1', 'type':'dpdk', 'ofport':4}");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	peer_close(&f->peer);
	rpc_server_destroy(f->vs.server);
	datapath_link_destroy(f->vs.link);
	vswitch_close(&f->vs);
	event_free(f->vs.resync);
	event_base_free(f->vs.base);
	conf_destroy(f->vs.conf);
	fake_datapath_kill(f->datapath);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

// --- Tests ---

// What clients write becomes numbers and the exact text of actions, and comes back with the names
// of ports to those who want it.
static void test_out_and_in(void **state)
{
	struct fixture *f = *state;

	must(f, "packet.out", "{'bridge':'br0', 'packet':'packet=" FRAME ",actions=vhu0'}");
	must(f, "rpc.subscribe", "{'events':['packet.in'], 'bridge':'br0'}");
	request(f, "packet.out",
		"{'bridge':'br0', 'packet':'in_port=vhu0,packet=0x" FRAME ",actions=table,vhu0'}");
	expect_event(f, "{'bridge':'br0', 'in_port':4, 'port':'vhu0', 'frame':'" FRAME "',"
			"'actions':'resubmit(,0),output:4'}");
	expect_done(f);
	request(f, "packet.out",
		"{'bridge':'br0', 'packet':{'packet':'" FRAME "',"
		"'actions':[{'output':'vhu0'}, 'normal']}}");
	expect_event(f, "{'bridge':'br0', 'in_port':0, 'frame':'" FRAME "',"
			"'actions':'output:4,NORMAL'}");
	expect_done(f);
	// Those of the other bridge are for others.
	must(f, "packet.out", "{'bridge':'br1', 'packet':'in_port=4 packet=" FRAME " actions='}");
	must(f, "rpc.subscribe", "{'events':['packet.in'], 'bridge':'br1'}");
	request(f, "packet.out",
		"{'bridge':'br1', 'packet':'in_port=4 packet=" FRAME " actions='}");
	expect_event(f, "{'bridge':'br1', 'in_port':4, 'port':'vhu1', 'frame':'" FRAME "',"
			"'actions':'drop'}");
	expect_done(f);
	must(f, "rpc.unsubscribe", "{'bridge':'br1'}");
	must(f, "packet.out", "{'bridge':'br1', 'packet':'in_port=4 packet=" FRAME " actions='}");
}

// A port that changes its name or goes is named as it is now.
static void test_names_follow(void **state)
{
	struct fixture *f = *state;

	must(f, "rpc.subscribe", "{'events':['packet.in']}");
	must(f, "port.del", "{'bridge':'br0', 'name':'vhu0'}");
	must(f, "port.add", "{'bridge':'br0', 'name':'new', 'type':'dpdk', 'ofport':4}");
	request(f, "packet.out",
		"{'bridge':'br0', 'packet':'in_port=4 packet=" FRAME " actions='}");
	expect_event(f, "{'bridge':'br0', 'in_port':4, 'port':'new', 'frame':'" FRAME "',"
			"'actions':'drop'}");
	expect_done(f);
	must(f, "bridge.del", "{'name':'br0'}");
	must(f, "packet.stats", "{'bridge':'br1'}");
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	json_t *data;

	assert_null(refused(f, "rpc.subscribe", "{'events':['packet.in'], 'bridge':'br9'}",
		RPC_NOT_FOUND, "br9"));
	assert_null(refused(f, "packet.out",
		"{'bridge':'br9', 'packet':'packet=" FRAME ",actions=1'}", RPC_NOT_FOUND, "br9"));
	assert_null(refused(f, "packet.stats", "{'bridge':'br9'}", RPC_NOT_FOUND, "br9"));
	assert_null(refused(f, "packet.out",
		"{'bridge':'br0', 'packet':'in_port=7,packet=" FRAME ",actions=4'}", RPC_NOT_FOUND,
		"in_port: bridge br0 has no port 7; ofctl show br0 lists them"));
	assert_null(refused(f, "packet.out", "{'bridge':'br0', 'packet':7}", RPC_INVALID_PARAMS,
		"a string or an object"));
	data = refused(f, "packet.out",
		"{'bridge':'br0', 'packet':'packet=" FRAME ",actions=vhu1'}", RPC_FLOW_ERROR,
		"unknown action \"vhu1\", and br0 has no port of that name");
	assert_int_equal(json_integer_value(json_object_get(data, "offset")), 44);
	assert_int_equal(json_integer_value(json_object_get(data, "length")), 4);
	assert_string_equal(
		json_string_value(json_object_get(data, "text")), "packet=" FRAME ",actions=vhu1");
	json_decref(data);
	data = refused(f, "packet.out", "{'bridge':'br0', 'packet':{'packet':'00'}}",
		RPC_FLOW_ERROR, "1 bytes are less");
	assert_string_equal(json_string_value(json_object_get(data, "field")), "packet");
	json_decref(data);
}

static void test_without_datapath(void **state)
{
	struct fixture *f = *state;

	fake_datapath_kill(f->datapath);
	f->datapath = 0;
	assert_null(refused(f, "packet.out",
		"{'bridge':'br0', 'packet':'packet=" FRAME ",actions=4'}", RPC_UNAVAILABLE, ""));
	must(f, "rpc.subscribe", "{'events':['packet.in']}");
	f->datapath = fake_datapath_start(f->dir);
	assert_true(datapath_link_wait(f->vs.link, 20000));
	request(f, "packet.out", "{'bridge':'br0', 'packet':'packet=" FRAME " actions='}");
	expect_event(f, "{'bridge':'br0', 'in_port':0, 'frame':'" FRAME "', 'actions':'drop'}");
	expect_done(f);
}

int main(void)
{
#define TEST(FN) cmocka_unit_test_setup_teardown(FN, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_out_and_in),
		TEST(test_names_follow),
		TEST(test_refused),
		TEST(test_without_datapath),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
