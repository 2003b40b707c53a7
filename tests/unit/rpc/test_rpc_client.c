// SPDX-License-Identifier: Apache-2.0
#include "server_thread.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "rpc/rpc_client.h"

#define TIMEOUT 60000

static struct server_thread server;

static struct rpc_client *client_connect(void)
{
	struct rpc_error error = {0};
	struct rpc_client *client = rpc_client_connect(server.path, 0, &error);

	assert_string_equal(error.message, "");
	assert_non_null(client);
	return client;
}

static int setup(void **state)
{
	server_directory(&server);
	server_start(&server);
	return 0;
}

static int teardown(void **state)
{
	struct rpc_error error = {0};
	struct rpc_client *client = client_connect();
	json_t *result = rpc_client_call(client, "exit", NULL, TIMEOUT, &error);

	assert_true(json_is_true(result));
	rpc_client_destroy(client);
	pthread_join(server.thread, NULL);
	assert_int_equal(rmdir(server.directory), 0);
	return 0;
}

static void test_call(void **state)
{
	struct rpc_client *client = client_connect();
	struct rpc_error error = {0};

	for (int i = 0; i < 100; i++) {
		json_t *result = rpc_client_call(
			client, "echo", json_pack("{s:i}", "value", i), TIMEOUT, &error);

		assert_int_equal(json_integer_value(result), i);
		json_decref(result);
	}
	rpc_client_destroy(client);
}

static void test_call_with_large_values(void **state)
{
	struct rpc_client *client = client_connect();
	struct rpc_error error = {0};
	json_t *value = string_of(7 << 20);
	json_t *result = rpc_client_call(
		client, "echo", json_pack("{s:O}", "value", value), TIMEOUT, &error);

	assert_true(json_equal(result, value));
	json_decref(result);
	json_decref(value);
	rpc_client_destroy(client);
}

static void test_call_that_is_refused(void **state)
{
	struct rpc_client *client = client_connect();
	struct rpc_error error = {0};

	assert_null(rpc_client_call(client, "add", json_pack("[i]", -5), TIMEOUT, &error));
	assert_int_equal(error.code, RPC_REFUSED);
	assert_string_equal(error.message, "-5 is below zero");
	assert_int_equal(json_integer_value(json_object_get(error.data, "n")), -5);
	rpc_error_clear(&error);

	assert_null(rpc_client_call(client, "ecko", NULL, TIMEOUT, &error));
	assert_int_equal(error.code, RPC_METHOD_NOT_FOUND);
	assert_non_null(strstr(error.message, "did you mean \"echo\"?"));
	rpc_error_clear(&error);

	assert_null(rpc_client_call(client, "echo", NULL, TIMEOUT, &error));
	assert_int_equal(error.code, RPC_INVALID_PARAMS);
	rpc_error_clear(&error);
	rpc_client_destroy(client);
}

static void test_batch(void **state)
{
	struct rpc_client *client = client_connect();
	struct rpc_error error = {0};
	json_t *answers = rpc_client_batch(client,
		json_pack("[{s:s, s:[i]}, {s:s, s:[i]}, {s:s}]", "method", "add", "params", 1,
			"method", "add", "params", 2, "method", "count"),
		TIMEOUT, &error);

	assert_int_equal(json_array_size(answers), 3);
	assert_int_equal(
		3, json_integer_value(json_object_get(json_array_get(answers, 1), "result")));
	assert_non_null(json_object_get(json_array_get(answers, 2), "result"));
	json_decref(answers);

	answers = rpc_client_batch(client,
		json_pack("[{s:s, s:[i]}, {s:s, s:[i]}]", "method", "add", "params", 1, "method",
			"add", "params", -1),
		TIMEOUT, &error);
	assert_int_equal(RPC_ABORTED,
		json_integer_value(json_object_get(
			json_object_get(json_array_get(answers, 0), "error"), "code")));
	assert_int_equal(server.sum, 3);
	json_decref(answers);

	answers = rpc_client_batch(client, json_array(), TIMEOUT, &error);
	assert_int_equal(json_array_size(answers), 0);
	json_decref(answers);
	rpc_client_destroy(client);
}

static void on_news(void *context, const char *method, json_t *params)
{
	assert_string_equal(method, "news");
	assert_int_equal(json_string_length(json_array_get(params, 0)), 10);
	++*(int *)context;
}

static void test_notifications(void **state)
{
	struct rpc_client *caller = client_connect();
	struct rpc_client *listener = client_connect();
	struct rpc_error error = {0};
	int heard_by_caller = 0;
	int heard = 0;
	json_t *result;

	rpc_client_on_notification(caller, on_news, &heard_by_caller);
	rpc_client_on_notification(listener, on_news, &heard);
	// A first call, so that the server is sure to know of the listener.
	json_decref(rpc_client_call(listener, "count", NULL, TIMEOUT, &error));
	for (int i = 0; i < 3; i++) {
		result = rpc_client_call(caller, "notify", json_pack("[i]", 10), TIMEOUT, &error);
		assert_true(json_is_true(result));
	}
	assert_int_equal(heard_by_caller, 3);
	while (heard < 3) {
		struct pollfd wait = {.fd = rpc_client_fd(listener), .events = POLLIN};

		assert_int_equal(poll(&wait, 1, TIMEOUT), 1);
		assert_int_equal(rpc_client_poll(listener), 0);
	}
	assert_int_equal(rpc_client_poll(listener), 0);
	rpc_client_destroy(caller);
	rpc_client_destroy(listener);
}

static void test_nobody_there(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct rpc_error error = {0};
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/vswitchd.sock", server.directory);
	assert_null(rpc_client_connect(path, 0, &error));
	assert_int_equal(error.code, RPC_DISCONNECTED);
	assert_non_null(strstr(error.message, "there is no socket"));
	assert_non_null(strstr(error.message, "start vswitchd"));
	rpc_error_clear(&error);

	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_null(rpc_client_connect(path, 30, &error));
	assert_non_null(strstr(error.message, "nobody listens"));
	rpc_error_clear(&error);
	unlink(path);

	memset(path, 'x', 199);
	path[199] = '\0';
	assert_null(rpc_client_connect(path, 0, &error));
	assert_non_null(strstr(error.message, "107"));
	rpc_error_clear(&error);
}

static void *connect_patiently(void *context)
{
	struct rpc_error error = {0};

	return rpc_client_connect(context, TIMEOUT, &error);
}

// A client that was started before its server finds it as soon as it is there.
static void test_waits_for_a_starting_server(void **state)
{
	struct server_thread late;
	struct rpc_error error = {0};
	pthread_t thread;
	void *client;

	server_directory(&late);
	pthread_create(&thread, NULL, connect_patiently, late.path);
	server_start(&late);
	pthread_join(thread, &client);
	assert_non_null(client);
	json_decref(rpc_client_call(client, "exit", NULL, TIMEOUT, &error));
	rpc_client_destroy(client);
	pthread_join(late.thread, NULL);
	rmdir(late.directory);
}

// A server that reads a line and then says what it was told to.
struct liar {
	int fd;
	const char *answer; // NULL: nothing, and the connection stays open until the client closes
};

static void *liar_run(void *context)
{
	struct liar *liar = context;
	int fd = accept(liar->fd, NULL, NULL);
	char byte = 0;

	while (byte != '\n' && recv(fd, &byte, 1, 0) == 1)
		;
	if (liar->answer != NULL)
		send(fd, liar->answer, strlen(liar->answer), MSG_NOSIGNAL);
	else
		(void)!recv(fd, &byte, 1, 0);
	close(fd);
	return NULL;
}

static void lied_to(const char *answer, int timeout, int code, const char *expected)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct liar liar = {.fd = socket(AF_UNIX, SOCK_STREAM, 0), .answer = answer};
	struct rpc_error error = {0};
	struct rpc_client *client;
	pthread_t thread;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/liar.sock", server.directory);
	assert_int_equal(bind(liar.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(liar.fd, 1), 0);
	pthread_create(&thread, NULL, liar_run, &liar);
	client = rpc_client_connect(address.sun_path, 0, &error);
	assert_null(rpc_client_call(client, "echo", NULL, timeout, &error));
	assert_int_equal(error.code, code);
	if (strstr(error.message, expected) == NULL)
		fail_msg("%s", error.message);
	rpc_error_clear(&error);
	rpc_client_destroy(client);
	pthread_join(thread, NULL);
	close(liar.fd);
	unlink(address.sun_path);
}

static void test_servers_that_misbehave(void **state)
{
	lied_to(NULL, 20, RPC_TIMEOUT, "liar did not answer echo within 0.020 s");
	lied_to("", TIMEOUT, RPC_DISCONNECTED,
		"liar closed the connection before it answered echo");
	lied_to("{\"jsonrpc\":\"2.0\",\"resu", TIMEOUT, RPC_DISCONNECTED, "closed the connection");
	lied_to("HTTP/1.1 400 Bad Request\r\n", TIMEOUT, RPC_DISCONNECTED, "is not JSON");
	lied_to("{\"jsonrpc\":\"2.0\",\"id\":1}", TIMEOUT, RPC_INTERNAL_ERROR, "without a message");
	lied_to("{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":1}", TIMEOUT, RPC_DISCONNECTED,
		"closed");
	lied_to("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"what?\"}"
		"}",
		TIMEOUT, RPC_PARSE_ERROR, "what?");
	lied_to("7 [] {\"method\":5} {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":7}", TIMEOUT,
		RPC_INTERNAL_ERROR, "without a message");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_call_with_large_values),
		cmocka_unit_test(test_call_that_is_refused),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_notifications),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_waits_for_a_starting_server),
		cmocka_unit_test(test_servers_that_misbehave),
	};

	return cmocka_run_group_tests_name("rpc_client", tests, setup, teardown);
}
