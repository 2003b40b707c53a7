// SPDX-License-Identifier: Apache-2.0
//
// What clients can take of a server, with limits that are small.

#include "server_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "peer.h"

#define MIB (1u << 20)
#define CLIENTS 8

static struct server_thread server;

static int setup(void **state)
{
	server_directory(&server);
	server.limits = (struct rpc_limits){
		.clients = CLIENTS,
		.request = 4 * MIB,
		.decoded = 8 * MIB,
		.answer = 4 * MIB,
		.notifications = 2 * MIB,
		.memory = 6 * MIB,
	};
	server_start(&server);
	return 0;
}

static void ask(struct peer *peer, const char *method, const char *value)
{
	char request[200];
	int length = snprintf(request, sizeof(request),
		"{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":[%s],\"id\":1}", method, value);

	peer_send(peer, request, length);
}

static bool is_served(struct peer *peer)
{
	json_t *answer;
	bool good;

	ask(peer, "echo", "7");
	answer = peer_receive(peer);
	good = json_integer_value(json_object_get(answer, "result")) == 7;
	json_decref(answer);
	return good;
}

static int teardown(void **state)
{
	struct peer peer = peer_open(server.path);

	ask(&peer, "exit", "");
	pthread_join(server.thread, NULL);
	peer_close(&peer);
	assert_int_equal(rmdir(server.directory), 0);
	return 0;
}

// An error of this code that says this, and nothing behind it.
static void expect_refusal(struct peer *peer, int code, const char *text)
{
	json_t *value = peer_receive(peer);
	json_t *error = json_object_get(value, "error");
	const char *message = json_string_value(json_object_get(error, "message"));

	assert_non_null(message);
	if (strstr(message, text) == NULL)
		fail_msg("%s", message);
	assert_int_equal(json_integer_value(json_object_get(error, "code")), code);
	json_decref(value);
	assert_null(peer_receive(peer));
}

// Send until all is sent, or the server has said something or does not want more.
static void push(struct peer *peer, const char *bytes, size_t count)
{
	struct pollfd wait = {.fd = peer->fd, .events = POLLIN | POLLOUT};

	while (count > 0) {
		ssize_t sent;

		assert_int_equal(poll(&wait, 1, 60000), 1);
		if ((wait.revents & (POLLIN | POLLHUP)) != 0)
			return;
		sent = send(peer->fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
			return;
		assert_true(sent > 0 || errno == EAGAIN);
		bytes += sent > 0 ? sent : 0;
		count -= sent > 0 ? sent : 0;
	}
}

static char *filled(size_t size, char byte)
{
	char *bytes = malloc(size);

	assert_non_null(bytes);
	memset(bytes, byte, size);
	return bytes;
}

// A string that does not end, of so many bytes that the server has read.
static void hold(struct peer *peer, size_t size)
{
	char *bytes = filled(size, 'x');

	bytes[0] = '"';
	peer_send(peer, bytes, size);
	peer_wait_read(peer);
	free(bytes);
}

static void test_too_many_clients(void **state)
{
	struct peer peers[CLIENTS];
	struct peer more;

	for (int i = 0; i < CLIENTS; i++) {
		peers[i] = peer_open(server.path);
		assert_true(is_served(&peers[i]));
	}
	for (int i = 0; i < 3; i++) {
		more = peer_open(server.path);
		expect_refusal(&more, RPC_OVERLOADED, "has 8 clients already");
		peer_close(&more);
	}
	peer_close(&peers[3]);
	// The server hears of the end when it comes to it.
	for (;;) {
		peers[3] = peer_open(server.path);
		if (is_served(&peers[3]))
			break;
		peer_close(&peers[3]);
	}
	for (int i = 0; i < CLIENTS; i++) {
		assert_true(is_served(&peers[i]));
		peer_close(&peers[i]);
	}
}

static void test_request_without_end(void **state)
{
	struct peer other = peer_open(server.path);
	struct peer peer = peer_open(server.path);
	char *bytes = filled(64 * MIB, 'x');

	assert_true(is_served(&other));
	bytes[0] = '"';
	push(&peer, bytes, 64 * MIB);
	expect_refusal(&peer, RPC_PARSE_ERROR, "longer than 4194304 bytes");
	peer_close(&peer);

	peer = peer_open(server.path);
	memset(bytes, ' ', 64 * MIB);
	bytes[0] = '[';
	push(&peer, bytes, 64 * MIB);
	expect_refusal(&peer, RPC_PARSE_ERROR, "send it in parts");
	peer_close(&peer);
	assert_true(is_served(&other));
	peer_close(&other);
	free(bytes);
}

// Little text that would be large values.
static void test_request_of_many_values(void **state)
{
	struct peer peer = peer_open(server.path);
	char *bytes = malloc(MIB);
	size_t at = 1;

	bytes[0] = '[';
	while (at + 3 <= MIB) {
		memcpy(bytes + at, "[],", 3);
		at += 3;
	}
	push(&peer, bytes, at);
	expect_refusal(&peer, RPC_PARSE_ERROR, "so many values");
	peer_close(&peer);
	free(bytes);
}

static void test_budget_of_requests(void **state)
{
	struct peer first = peer_open(server.path);
	struct peer second = peer_open(server.path);
	struct peer third = peer_open(server.path);
	struct peer small = peer_open(server.path);
	char *bytes = filled(3 * MIB, 'x');
	json_t *answer;

	bytes[0] = '"';
	hold(&first, 2 * MIB);
	hold(&second, 2 * MIB);
	push(&third, bytes, 3 * MIB);
	expect_refusal(&third, RPC_OVERLOADED, "the request does not fit into the 6 MiB");
	peer_close(&third);
	// The others go on, also those that have much.
	assert_true(is_served(&small));
	peer_send(&first, "\"", 1);
	answer = peer_receive(&first);
	assert_int_equal(RPC_INVALID_REQUEST,
		json_integer_value(json_object_get(json_object_get(answer, "error"), "code")));
	json_decref(answer);
	assert_true(is_served(&first));
	// Now there is room again.
	third = peer_open(server.path);
	hold(&third, 2 * MIB);
	peer_send(&third, "\"", 1);
	answer = peer_receive(&third);
	assert_non_null(answer);
	json_decref(answer);
	peer_close(&first);
	peer_close(&second);
	peer_close(&third);
	peer_close(&small);
	free(bytes);
}

// How often "big" was called; asked by a client of its own.
static int big_count(void)
{
	struct peer peer = peer_open(server.path);
	json_t *answer;
	int count;

	ask(&peer, "count", "");
	answer = peer_receive(&peer);
	count = json_integer_value(json_object_get(answer, "result"));
	json_decref(answer);
	peer_close(&peer);
	return count;
}

static void wait_big(int count)
{
	while (big_count() != count)
		sched_yield();
}

static void test_budget_of_answers(void **state)
{
	struct peer first = peer_open(server.path);
	struct peer second = peer_open(server.path);
	json_t *answer;
	int before = big_count();

	ask(&first, "big", "4000000");
	wait_big(before + 1);
	ask(&second, "big", "4000000");
	wait_big(before + 2);
	expect_refusal(&second, RPC_OVERLOADED, "its answer does not fit into the 6 MiB");
	peer_close(&second);
	// Who reads late gets it all.
	answer = peer_receive(&first);
	assert_int_equal(json_string_length(json_object_get(answer, "result")), 4000000);
	json_decref(answer);
	assert_true(is_served(&first));
	ask(&first, "big", "5000000");
	answer = peer_receive(&first);
	assert_int_equal(RPC_OVERLOADED,
		json_integer_value(json_object_get(json_object_get(answer, "error"), "code")));
	assert_int_equal(json_integer_value(json_object_get(answer, "id")), 1);
	json_decref(answer);
	assert_true(is_served(&first));
	peer_close(&first);
}

// Of the clients that do not read, those are dropped for which there is no room: here each may have
// 2 MiB, and all together 6.
static void test_budget_of_notifications(void **state)
{
	struct peer sleepers[CLIENTS - 1];
	struct peer peer = peer_open(server.path);
	int dropped = 0;

	for (int i = 0; i < CLIENTS - 1; i++)
		sleepers[i] = peer_open(server.path);
	assert_true(is_served(&sleepers[CLIENTS - 2]));
	for (int round = 0; round < 12; round++) {
		ask(&peer, "notify", "120000");
		json_decref(peer_receive(&peer));
		expect(&peer, "{\"jsonrpc\":\"2.0\",\"result\":true,\"id\":1}");
	}
	for (int i = 0; i < CLIENTS - 1; i++) {
		struct pollfd hangup = {.fd = sleepers[i].fd};

		dropped += poll(&hangup, 1, 0) == 1;
	}
	// 12 times 120 kB are less than 2 MiB, so that none was dropped for that.
	assert_in_range(dropped, 1, CLIENTS - 3);
	for (int i = 0; i < CLIENTS - 1; i++)
		peer_close(&sleepers[i]);
	assert_true(is_served(&peer));
	peer_close(&peer);
}

// A large answer that is not read yet does not count as notifications.
static void test_notification_behind_answer(void **state)
{
	struct peer reader = peer_open(server.path);
	struct peer peer = peer_open(server.path);
	int before = big_count();
	json_t *answer;

	ask(&reader, "big", "4000000");
	wait_big(before + 1);
	ask(&peer, "notify", "100000");
	json_decref(peer_receive(&peer));
	expect(&peer, "{\"jsonrpc\":\"2.0\",\"result\":true,\"id\":1}");
	answer = peer_receive(&reader);
	assert_int_equal(json_string_length(json_object_get(answer, "result")), 4000000);
	json_decref(answer);
	answer = peer_receive(&reader);
	assert_string_equal(json_string_value(json_object_get(answer, "method")), "news");
	json_decref(answer);
	assert_true(is_served(&reader));
	peer_close(&reader);
	peer_close(&peer);
}

// One after the other, they leave nothing behind that would count.
static void test_nothing_is_left(void **state)
{
	for (int i = 0; i < 20; i++) {
		struct peer peer = peer_open(server.path);

		hold(&peer, 3 * MIB);
		peer_close(&peer);
		peer = peer_open(server.path);
		ask(&peer, "big", "3000000");
		peer_close(&peer);
	}
	test_budget_of_answers(state);
}

static void test_open_files(void **state)
{
	struct rlimit before;
	struct rlimit low;
	struct rlimit now;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(rpc_open_files_raise(10), 10);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	assert_int_equal(now.rlim_cur, before.rlim_max);
	assert_true(rpc_open_files_raise(1ul << 40) < before.rlim_max);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_too_many_clients),
		cmocka_unit_test(test_request_without_end),
		cmocka_unit_test(test_request_of_many_values),
		cmocka_unit_test(test_budget_of_requests),
		cmocka_unit_test(test_budget_of_answers),
		cmocka_unit_test(test_budget_of_notifications),
		cmocka_unit_test(test_notification_behind_answer),
		cmocka_unit_test(test_nothing_is_left),
		cmocka_unit_test(test_open_files),
	};

	return cmocka_run_group_tests_name("rpc_limits", tests, setup, teardown);
}
