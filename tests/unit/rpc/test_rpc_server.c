// SPDX-License-Identifier: Apache-2.0
#include "server_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "peer.h"

static struct server_thread server;

static struct peer peer_connect(void)
{
	return peer_open(server.path);
}

static void expect_error(struct peer *peer, int code)
{
	json_t *value = peer_receive(peer);

	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(value, "error"), "code")), code);
	json_decref(value);
}

// A server that still answers has survived.
static void expect_alive(void)
{
	struct peer peer = peer_connect();
	const char *request = "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":[7],\"id\":1}";

	peer_send(&peer, request, strlen(request));
	expect(&peer, "{\"jsonrpc\":\"2.0\",\"result\":7,\"id\":1}");
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
	const char *request = "{\"jsonrpc\":\"2.0\",\"method\":\"exit\",\"id\":\"bye\"}";

	// The answer is delivered although the server is destroyed right after.
	peer_send(&peer, request, strlen(request));
	expect(&peer, "{\"jsonrpc\":\"2.0\",\"result\":true,\"id\":\"bye\"}");
	assert_null(peer_receive(&peer));
	peer_close(&peer);
	pthread_join(server.thread, NULL);
	assert_int_equal(access(server.path, F_OK), -1);
	assert_int_equal(rmdir(server.directory), 0);
	return 0;
}

static const char conversation[] =
	"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{\"value\":\"}\\\"{\"},\"id\":1}"
	"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":[1]}\n"
	"[{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":[[2]],\"id\":2},5]\r\n\r\n"
	"{\"jsonrpc\":\"2.0\",\"method\"]\n"
	"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":[{}],\"id\":\"\xc3\xa4\"}";

static void expect_conversation(struct peer *peer)
{
	json_t *batch;

	expect(peer, "{\"jsonrpc\":\"2.0\",\"result\":\"}\\\"{\",\"id\":1}");
	batch = peer_receive(peer);
	assert_int_equal(json_array_size(batch), 2);
	assert_int_equal(2, json_integer_value(json_object_get(json_array_get(batch, 0), "id")));
	json_decref(batch);
	expect_error(peer, RPC_PARSE_ERROR);
	expect(peer, "{\"jsonrpc\":\"2.0\",\"result\":{},\"id\":\"\xc3\xa4\"}");
}

static void test_split_at_every_byte(void **state)
{
	size_t length = strlen(conversation);

	for (size_t cut = 1; cut < length; cut++) {
		struct peer peer = peer_connect();

		peer_send(&peer, conversation, cut);
		peer_wait_read(&peer);
		peer_send(&peer, conversation + cut, length - cut);
		expect_conversation(&peer);
		peer_close(&peer);
	}
}

static void test_random_joins(void **state)
{
	enum { ROUNDS = 50 };
	size_t length = strlen(conversation);
	struct peer peer = peer_connect();
	char *all = malloc(ROUNDS * length);
	unsigned seed = 1;
	size_t at = 0;

	for (size_t i = 0; i < ROUNDS; i++)
		memcpy(all + i * length, conversation, length);
	while (at < ROUNDS * length) {
		size_t count = 1 + rand_r(&seed) % (2 * length);

		if (count > ROUNDS * length - at)
			count = ROUNDS * length - at;
		peer_send(&peer, all + at, count);
		if (rand_r(&seed) % 2 == 0)
			peer_wait_read(&peer);
		at += count;
	}
	for (size_t i = 0; i < ROUNDS; i++)
		expect_conversation(&peer);
	peer_close(&peer);
	free(all);
}

// A client may say that it has finished and still gets its answers; then the server closes, too.
static void test_half_closed(void **state)
{
	struct peer peer = peer_connect();

	peer_send(&peer, conversation, strlen(conversation));
	shutdown(peer.fd, SHUT_WR);
	expect_conversation(&peer);
	assert_null(peer_receive(&peer));
	peer_close(&peer);

	peer = peer_connect();
	peer_send(&peer, "{\"jsonrpc", 9);
	shutdown(peer.fd, SHUT_WR);
	expect_error(&peer, RPC_PARSE_ERROR);
	assert_null(peer_receive(&peer));
	peer_close(&peer);
}

static void test_client_that_vanishes(void **state)
{
	static const char request[] =
		"{\"jsonrpc\":\"2.0\",\"method\":\"big\",\"params\":[100000],\"id\":1}";

	for (size_t cut = 0; cut < sizeof(request); cut++) {
		struct peer peer = peer_connect();

		for (int i = 0; i < 5; i++)
			peer_send(&peer, request, strlen(request));
		peer_send(&peer, request, cut);
		peer_close(&peer);
	}
	expect_alive();
}

static int big_count(void)
{
	struct peer peer = peer_connect();
	const char *request = "{\"jsonrpc\":\"2.0\",\"method\":\"count\",\"id\":1}";
	json_t *answer;
	int count;

	peer_send(&peer, request, strlen(request));
	answer = peer_receive(&peer);
	count = json_integer_value(json_object_get(answer, "result"));
	json_decref(answer);
	peer_close(&peer);
	return count;
}

// Answers of 100 MB in all are asked for and not read: the server stops at a small part of them,
// serves others, and goes on when it can.
static void test_reader_that_waits(void **state)
{
	enum { COUNT = 100 };
	struct peer peer = peer_connect();
	char request[100];
	int before = big_count();

	for (int i = 0; i < COUNT; i++) {
		snprintf(request, sizeof(request),
			"{\"jsonrpc\":\"2.0\",\"method\":\"big\",\"params\":[1000000],"
			"\"id\":%d}",
			i);
		peer_send(&peer, request, strlen(request));
	}
	assert_in_range(big_count() - before, 0, 10);
	expect_alive();
	for (int i = 0; i < COUNT; i++) {
		json_t *answer = peer_receive(&peer);

		assert_int_equal(json_integer_value(json_object_get(answer, "id")), i);
		assert_int_equal(json_string_length(json_object_get(answer, "result")), 1000000);
		json_decref(answer);
	}
	assert_int_equal(big_count() - before, COUNT);
	peer_close(&peer);
}

// Notifications cannot be held back, so that who does not read them is dropped in the end.
static void test_reader_that_never_reads(void **state)
{
	struct peer sleeper = peer_connect();
	struct peer peer = peer_connect();
	const char *request =
		"{\"jsonrpc\":\"2.0\",\"method\":\"notify\",\"params\":[1000000],\"id\":1}";
	struct pollfd hangup = {.fd = sleeper.fd};
	int rounds = 0;

	do {
		json_t *news;

		peer_send(&peer, request, strlen(request));
		news = peer_receive(&peer);
		assert_string_equal(json_string_value(json_object_get(news, "method")), "news");
		json_decref(news);
		expect(&peer, "{\"jsonrpc\":\"2.0\",\"result\":true,\"id\":1}");
		assert_true(++rounds < 12);
	} while (poll(&hangup, 1, 0) == 0);
	assert_true(hangup.revents & POLLHUP);
	assert_true(rounds > 7);
	peer_close(&sleeper);
	peer_close(&peer);
}

// The client that asks for the notification is the one that does not read: it is dropped in the
// midst of its own request.
static void test_drop_within_own_request(void **state)
{
	struct peer peer = peer_connect();
	const char *request =
		"{\"jsonrpc\":\"2.0\",\"method\":\"notify\",\"params\":[9000000],\"id\":1}";
	json_t *value;

	peer_send(&peer, request, strlen(request));
	while ((value = peer_receive(&peer)) != NULL)
		json_decref(value);
	peer_close(&peer);
	expect_alive();
}

static void test_large_request(void **state)
{
	enum { SIZE = 20 << 20 };
	struct peer peer = peer_connect();
	char *bytes = malloc(SIZE);
	json_t *answer;

	peer_send(&peer, "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":1,\"params\":[\"", 51);
	memset(bytes, 'y', SIZE);
	peer_send(&peer, bytes, SIZE);
	peer_send(&peer, "\"]}", 3);
	expect_error(&peer, RPC_OVERLOADED); // an answer of more than the limit
	peer_send(&peer, "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":1,\"params\":[\"", 51);
	peer_send(&peer, bytes, 7 << 20);
	peer_send(&peer, "\"]}", 3);
	answer = peer_receive(&peer);
	assert_int_equal(json_string_length(json_object_get(answer, "result")), 7 << 20);
	json_decref(answer);
	peer_close(&peer);
	free(bytes);
}

static void test_too_deep(void **state)
{
	struct peer peer = peer_connect();
	char deep[200];

	memset(deep, '[', sizeof(deep));
	peer_send(&peer, deep, sizeof(deep));
	expect_error(&peer, RPC_PARSE_ERROR);
	assert_null(peer_receive(&peer));
	peer_close(&peer);
	expect_alive();
}

static void refuse(const char *path, const char *expected)
{
	struct event_base *base = event_base_new();
	struct rpc_server *refused = rpc_server_create(base, "test", "1", NULL, NULL);
	struct rpc_error error = {0};

	assert_false(rpc_server_listen(refused, path, NULL, &error));
	rpc_server_destroy(refused);
	assert_int_equal(error.code, RPC_REFUSED);
	if (strstr(error.message, expected) == NULL)
		fail_msg("%s", error.message);
	rpc_error_clear(&error);
	event_base_free(base);
}

static void test_paths_that_are_refused(void **state)
{
	char path[200];
	int fd;

	refuse(server.path, "is in use by a running daemon");
	expect_alive();

	snprintf(path, sizeof(path), "%s/file", server.directory);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	refuse(path, "exists and is not a socket");
	unlink(path);

	refuse("/nonexistent/x.sock", "cannot listen on /nonexistent/x.sock: No such file");
	memset(path, 'x', 150);
	path[0] = '/';
	path[150] = '\0';
	refuse(path, "the limit is 107");
}

static void test_stale_socket_is_replaced(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct event_base *base = event_base_new();
	struct rpc_error error = {0};
	struct rpc_server *second;
	struct stat status;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/stale.sock", server.directory);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	close(fd); // as when a daemon is killed

	second = rpc_server_create(base, "test", "1", NULL, NULL);
	assert_true(rpc_server_listen(second, address.sun_path, NULL, &error));
	assert_int_equal(stat(address.sun_path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0660);

	// A file that has been put in its place is not its own to remove.
	unlink(address.sun_path);
	fd = open(address.sun_path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	rpc_server_destroy(second);
	assert_int_equal(unlink(address.sun_path), 0);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_at_every_byte),
		cmocka_unit_test(test_random_joins),
		cmocka_unit_test(test_half_closed),
		cmocka_unit_test(test_client_that_vanishes),
		cmocka_unit_test(test_reader_that_waits),
		cmocka_unit_test(test_reader_that_never_reads),
		cmocka_unit_test(test_drop_within_own_request),
		cmocka_unit_test(test_large_request),
		cmocka_unit_test(test_too_deep),
		cmocka_unit_test(test_paths_that_are_refused),
		cmocka_unit_test(test_stale_socket_is_replaced),
	};

	return cmocka_run_group_tests_name("rpc_server", tests, setup, teardown);
}
