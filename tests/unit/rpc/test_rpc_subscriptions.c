// SPDX-License-Identifier: Apache-2.0
//
// Events and who gets them, over a socket.

#include "server_thread.h"

#include "peer.h"

static struct server_thread server;

static struct peer peer_connect(void)
{
	return peer_open(server.path);
}

// Call and wait for the answer, which is a new reference. No event may come before it.
static json_t *call(struct peer *peer, const char *method, const char *params)
{
	char request[8192];
	json_t *answer;

	snprintf(request, sizeof(request),
		"{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":%s,\"id\":1}", method, params);
	peer_send(peer, request, strlen(request));
	answer = peer_receive(peer);
	assert_non_null(json_object_get(answer, "id"));
	return answer;
}

// The result is what `text` says, with ' for ".
static void expect_result(
	struct peer *peer, const char *method, const char *params, const char *text)
{
	json_t *answer = call(peer, method, params);
	json_t *result = json_object_get(answer, "result");
	char quoted[512];
	json_t *expected;

	snprintf(quoted, sizeof(quoted), "%s", text);
	for (char *c = quoted; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	expected = json_loads(quoted, JSON_DECODE_ANY, NULL);
	assert_non_null(expected);
	if (!json_equal(result, expected))
		fail_msg("%s %s: %s", method, params, json_dumps(answer, 0));
	json_decref(answer);
	json_decref(expected);
}

static void expect_error(
	struct peer *peer, const char *method, const char *params, int code, const char *message)
{
	json_t *answer = call(peer, method, params);
	json_t *error = json_object_get(answer, "error");

	assert_int_equal(json_integer_value(json_object_get(error, "code")), code);
	if (!strstr(json_string_value(json_object_get(error, "message")), message))
		fail_msg("%s", json_string_value(json_object_get(error, "message")));
	json_decref(answer);
}

// Have the server tell of an event; `bridge` as JSON. Returns to how many.
static size_t tell(struct peer *teller, const char *event, const char *bridge, size_t size)
{
	char params[256];
	json_t *answer;

	snprintf(params, sizeof(params), "[[\"%s\", %s, %zu]]", event, bridge, size);
	answer = call(teller, "tell", params);
	size = (size_t)json_integer_value(json_object_get(answer, "result"));
	json_decref(answer);
	return size;
}

static bool heard(struct peer *teller, const char *event, const char *bridge)
{
	char params[256];
	json_t *answer;
	bool yes;

	snprintf(params, sizeof(params), "[[\"%s\", %s, 0]]", event, bridge);
	answer = call(teller, "heard", params);
	yes = json_is_true(json_object_get(answer, "result"));
	json_decref(answer);
	return yes;
}

// The next event that the peer gets: from that bridge (NULL: none), after missing so many.
static size_t expect_event(
	struct peer *peer, const char *method, const char *bridge, json_int_t missed)
{
	json_t *event = peer_receive(peer);
	json_t *params = json_object_get(event, "params");
	const char *from = json_string_value(json_object_get(params, "bridge"));
	size_t size = json_string_length(json_object_get(params, "text"));

	assert_non_null(event);
	assert_null(json_object_get(event, "id"));
	assert_string_equal(json_string_value(json_object_get(event, "method")), method);
	if (bridge)
		assert_string_equal(from, bridge);
	else
		assert_null(from);
	assert_int_equal(json_integer_value(json_object_get(params, "missed")), missed);
	assert_int_equal(json_object_get(params, "missed") != NULL, missed != 0);
	json_decref(event);
	return size;
}

static void test_who_gets_what(void **state)
{
	struct peer teller = peer_connect();
	struct peer all = peer_connect();
	struct peer some = peer_connect();
	struct peer nothing = peer_connect();

	assert_false(heard(&teller, "packet.in", "\"br0\""));
	assert_int_equal(tell(&teller, "packet.in", "\"br0\"", 1), 0); // to nobody
	expect_result(&all, "rpc.subscribe", "{\"events\":[\"packet.in\", \"port.moved\"]}",
		"{'subscriptions':[{'events':['packet.in', 'port.moved']}]}");
	expect_result(&some, "rpc.subscribe", "{\"events\":[\"packet.in\"], \"bridge\":\"br0\"}",
		"{'subscriptions':[{'events':['packet.in'], 'bridge':'br0'}]}");
	expect_result(&some, "rpc.subscribe", "{\"events\":[\"port.moved\"], \"bridge\":\"br1\"}",
		"{'subscriptions':[{'events':['packet.in'], 'bridge':'br0'},"
		"{'events':['port.moved'], 'bridge':'br1'}]}");
	assert_true(heard(&teller, "packet.in", "\"br7\""));
	assert_false(heard(&teller, "no.event", "\"br7\""));
	assert_int_equal(tell(&teller, "packet.in", "\"br0\"", 1), 2);
	assert_int_equal(tell(&teller, "packet.in", "\"br1\"", 2), 1);
	assert_int_equal(tell(&teller, "packet.in", "null", 3), 1);
	tell(&teller, "port.moved", "\"br1\"", 4);
	tell(&teller, "port.moved", "\"br0\"", 5);
	assert_int_equal(tell(&teller, "no.event", "\"br0\"", 6), 0);

	assert_int_equal(expect_event(&all, "packet.in", "br0", 0), 1);
	assert_int_equal(expect_event(&all, "packet.in", "br1", 0), 2);
	assert_int_equal(expect_event(&all, "packet.in", NULL, 0), 3);
	assert_int_equal(expect_event(&all, "port.moved", "br1", 0), 4);
	assert_int_equal(expect_event(&all, "port.moved", "br0", 0), 5);
	assert_int_equal(expect_event(&some, "packet.in", "br0", 0), 1);
	assert_int_equal(expect_event(&some, "port.moved", "br1", 0), 4);
	// Nothing else came, or it would come before these answers.
	expect_result(&all, "echo", "[1]", "1");
	expect_result(&some, "echo", "[1]", "1");
	expect_result(&nothing, "echo", "[1]", "1");
	peer_close(&teller);
	peer_close(&all);
	peer_close(&some);
	peer_close(&nothing);
}

// Who asks twice for the same, or for a bridge and for all, gets each event once.
static void test_once(void **state)
{
	struct peer peer = peer_connect();
	struct peer teller = peer_connect();

	for (int i = 0; i < 3; i++)
		json_decref(call(&peer, "rpc.subscribe",
			"{\"events\":[\"packet.in\", \"packet.in\"], \"bridge\":\"br0\"}"));
	expect_result(&peer, "rpc.subscribe", "{\"events\":[\"packet.in\"]}",
		"{'subscriptions':[{'events':['packet.in'], 'bridge':'br0'},"
		"{'events':['packet.in']}]}");
	tell(&teller, "packet.in", "\"br0\"", 1);
	expect_event(&peer, "packet.in", "br0", 0);
	expect_result(&peer, "echo", "[1]", "1");
	peer_close(&peer);
	peer_close(&teller);
}

static void test_unsubscribe(void **state)
{
	struct peer peer = peer_connect();
	struct peer teller = peer_connect();

	expect_result(&peer, "rpc.unsubscribe", "{}", "{'subscriptions':[]}");
	json_decref(call(&peer, "rpc.subscribe",
		"{\"events\":[\"packet.in\", \"port.moved\"], \"bridge\":\"br0\"}"));
	json_decref(call(&peer, "rpc.subscribe",
		"{\"events\":[\"packet.in\", \"port.moved\"], \"bridge\":\"br1\"}"));
	expect_result(&peer, "rpc.unsubscribe", "{\"events\":[\"packet.in\"],\"bridge\":\"br0\"}",
		"{'subscriptions':[{'events':['port.moved'], 'bridge':'br0'},"
		"{'events':['packet.in', 'port.moved'], 'bridge':'br1'}]}");
	expect_result(&peer, "rpc.unsubscribe", "{\"bridge\":\"br0\"}",
		"{'subscriptions':[{'events':['packet.in', 'port.moved'], 'bridge':'br1'}]}");
	expect_result(&peer, "rpc.unsubscribe", "{\"bridge\":\"br9\"}",
		"{'subscriptions':[{'events':['packet.in', 'port.moved'], 'bridge':'br1'}]}");
	tell(&teller, "packet.in", "\"br0\"", 1);
	tell(&teller, "packet.in", "\"br1\"", 2);
	assert_int_equal(expect_event(&peer, "packet.in", "br1", 0), 2);
	expect_result(&peer, "rpc.unsubscribe", "{\"events\":[\"port.moved\"]}",
		"{'subscriptions':[{'events':['packet.in'], 'bridge':'br1'}]}");
	expect_result(&peer, "rpc.unsubscribe", "{}", "{'subscriptions':[]}");
	assert_false(heard(&teller, "packet.in", "\"br1\""));

	json_decref(call(&peer, "rpc.subscribe", "{\"events\":[\"packet.in\"]}"));
	expect_error(&peer, "rpc.unsubscribe", "{\"bridge\":\"br0\"}", RPC_REFUSED,
		"unsubscribe without bridge, then subscribe to each");
	peer_close(&peer);
	peer_close(&teller);
}

static void test_refused(void **state)
{
	struct peer peer = peer_connect();
	char params[128];

	expect_error(&peer, "rpc.subscribe", "{\"events\":[\"packet.im\"]}", RPC_INVALID_PARAMS,
		"there is no event \"packet.im\"; did you mean \"packet.in\"? There are: "
		"packet.in, port.moved");
	expect_error(&peer, "rpc.subscribe", "{\"events\":[\"packet.in\", \"\"]}",
		RPC_INVALID_PARAMS, "there is no event \"\". There are: packet.in, port.moved");
	expect_error(&peer, "rpc.subscribe", "{\"events\":[\"packet.in\", 7]}", RPC_INVALID_PARAMS,
		"item 2 is to be the name");
	expect_error(&peer, "rpc.subscribe", "{\"events\":[]}", RPC_INVALID_PARAMS, "at least one");
	expect_error(&peer, "rpc.subscribe", "{\"bridge\":\"br0\"}", RPC_INVALID_PARAMS,
		"\"events\" is missing");
	expect_error(&peer, "rpc.unsubscribe", "{\"events\":[\"x\"]}", RPC_INVALID_PARAMS,
		"There are: packet.in");
	expect_error(&peer, "rpc.subscribe",
		"{\"events\":[\"port.moved\", \"packet.in\"], \"bridge\":\"nowhere\"}",
		RPC_NOT_FOUND, "there is no bridge nowhere");
	expect_result(&peer, "rpc.subscribe",
		"{\"events\":[\"port.moved\"], \"bridge\":\"nowhere\"}",
		"{'subscriptions':[{'events':['port.moved'], 'bridge':'nowhere'}]}");
	for (int i = 1; i < 256; i++) {
		json_t *answer;

		snprintf(params, sizeof(params), "{\"events\":[\"packet.in\"], \"bridge\":\"b%d\"}",
			i);
		answer = call(&peer, "rpc.subscribe", params);
		assert_non_null(json_object_get(answer, "result"));
		json_decref(answer);
	}
	expect_error(&peer, "rpc.subscribe", "{\"events\":[\"packet.in\"], \"bridge\":\"b256\"}",
		RPC_REFUSED, "to 256 bridges, which is the limit");
	peer_close(&peer);
}

// Events for somebody who does not read stop at the limit, are counted, and drop nobody. The
// numbers after that begin anew, and are those of one event only.
static void test_reader_that_sleeps(void **state)
{
	enum { TOLD = 40, SIZE = 1000000, LEAST = 4, MOST = 8 };
	struct peer sleeper = peer_connect();
	struct peer reader = peer_connect();
	struct peer teller = peer_connect();
	struct pollfd hangup = {.fd = sleeper.fd};
	json_int_t missed;
	json_t *event;
	int got = 0;

	json_decref(
		call(&sleeper, "rpc.subscribe", "{\"events\":[\"packet.in\", \"port.moved\"]}"));
	json_decref(call(&reader, "rpc.subscribe", "{\"events\":[\"packet.in\"]}"));
	for (int i = 0; i < TOLD; i++) {
		tell(&teller, "packet.in", "\"br0\"", SIZE);
		assert_int_equal(expect_event(&reader, "packet.in", "br0", 0), SIZE);
	}
	assert_int_equal(tell(&teller, "port.moved", "\"br0\"", 5), 0);
	assert_int_equal(poll(&hangup, 1, 0), 0);

	// Its own request is answered behind what waited. All that was kept is here, then.
	peer_send(
		&sleeper, "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":[1],\"id\":1}", 53);
	while (json_object_get(event = peer_receive(&sleeper), "id") == NULL) {
		got++;
		json_decref(event);
	}
	json_decref(event);
	assert_in_range(got, LEAST, MOST);
	missed = TOLD - got;
	tell(&teller, "packet.in", "\"br1\"", 3);
	tell(&teller, "packet.in", "\"br1\"", 4);
	tell(&teller, "port.moved", "\"br1\"", 6);
	assert_int_equal(expect_event(&sleeper, "packet.in", "br1", missed), 3);
	assert_int_equal(expect_event(&sleeper, "packet.in", "br1", 0), 4);
	assert_int_equal(expect_event(&sleeper, "port.moved", "br1", 1), 6);
	assert_int_equal(expect_event(&reader, "packet.in", "br1", 0), 3);
	peer_close(&sleeper);
	peer_close(&reader);
	peer_close(&teller);
}

// Those who go away are forgotten, also in the midst of a flood, and also if only their sending
// half is closed.
static void test_disconnect(void **state)
{
	struct peer teller = peer_connect();

	for (int round = 0; round < 3; round++) {
		struct peer peers[20];

		for (int i = 0; i < 20; i++) {
			peers[i] = peer_connect();
			json_decref(
				call(&peers[i], "rpc.subscribe", "{\"events\":[\"packet.in\"]}"));
		}
		for (int i = 0; i < 20; i++) {
			tell(&teller, "packet.in", "\"br0\"", 300000);
			if (i % 2 == 0)
				shutdown(peers[i].fd, SHUT_WR);
			else
				peer_close(&peers[i]);
		}
		while (heard(&teller, "packet.in", "\"br0\""))
			sched_yield();
		for (int i = 0; i < 20; i += 2)
			peer_close(&peers[i]);
	}
	peer_close(&teller);
}

static void test_many_clients(void **state)
{
	enum { CLIENTS = 200 };
	static struct peer peers[CLIENTS];
	struct peer teller = peer_connect();
	char text[96];

	for (int i = 0; i < CLIENTS; i++) {
		peers[i] = peer_connect();
		snprintf(text, sizeof(text), "{\"events\":[\"packet.in\"], \"bridge\":\"b%d\"}",
			i % 10);
		json_decref(call(&peers[i], "rpc.subscribe", text));
	}
	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "\"b%d\"", i);
		for (size_t n = 0; n < 20; n++)
			tell(&teller, "packet.in", text, n);
	}
	for (int i = 0; i < CLIENTS; i++) {
		snprintf(text, sizeof(text), "b%d", i % 10);
		for (size_t n = 0; n < 20; n++)
			assert_int_equal(expect_event(&peers[i], "packet.in", text, 0), n);
		expect_result(&peers[i], "echo", "[1]", "1");
		peer_close(&peers[i]);
	}
	peer_close(&teller);
}

// The client that asks for the event is subscribed itself.
static void test_within_own_request(void **state)
{
	struct peer peer = peer_connect();
	const char *request = "{\"jsonrpc\":\"2.0\",\"method\":\"tell\",\"params\":"
			      "[[\"packet.in\", null, 7]],\"id\":1}";
	json_t *answer;

	json_decref(call(&peer, "rpc.subscribe", "{\"events\":[\"packet.in\"]}"));
	peer_send(&peer, request, strlen(request));
	assert_int_equal(expect_event(&peer, "packet.in", NULL, 0), 7);
	answer = peer_receive(&peer);
	assert_non_null(json_object_get(answer, "result"));
	json_decref(answer);
	peer_close(&peer);
}

static void test_described(void **state)
{
	static const struct rpc_method *const tables[] = {server_methods};
	struct peer peer = peer_connect();
	json_t *answer = call(&peer, "rpc.discover", "{}");
	json_t *running = json_object_get(answer, "result");
	json_t *printed = rpc_methods_describe("test", "1", tables, 1, server_events);
	json_t *without = rpc_methods_describe("test", "1", tables, 1, NULL);
	json_t *expected =
		json_loads("[{\"name\":\"packet.in\", \"params\":\"{bridge, text}\", "
			   "\"help\":\"something came in\"}, {\"name\":\"port.moved\", "
			   "\"params\":\"{bridge, text}\", \"help\":\"something moved\"}]",
			0, NULL);

	assert_true(json_equal(running, printed));
	assert_true(json_equal(json_object_get(running, "events"), expected));
	assert_int_equal(json_array_size(json_object_get(without, "events")), 0);
	assert_int_equal(json_array_size(json_object_get(printed, "methods")),
		json_array_size(json_object_get(without, "methods")) + 2);
	json_decref(answer);
	json_decref(printed);
	json_decref(without);
	json_decref(expected);
	peer_close(&peer);
}

static int setup(void **state)
{
	server_directory(&server);
	server_start(&server);
	return 0;
}

static int teardown(void **state)
{
	struct peer peer = peer_connect();

	expect_result(&peer, "exit", "[]", "true");
	peer_close(&peer);
	pthread_join(server.thread, NULL);
	assert_int_equal(rmdir(server.directory), 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_gets_what),
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_unsubscribe),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_reader_that_sleeps),
		cmocka_unit_test(test_disconnect),
		cmocka_unit_test(test_many_clients),
		cmocka_unit_test(test_within_own_request),
		cmocka_unit_test(test_described),
	};

	return cmocka_run_group_tests_name("rpc_subscriptions", tests, setup, teardown);
}
