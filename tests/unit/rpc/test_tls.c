// SPDX-License-Identifier: Apache-2.0
//
// The parts of TLS that need no certificates; tests/system/test_tls.py has the others.

#include "rpc/tls.h"

#include "cmocka_all.h"

#include <string.h>
#include <unistd.h>

#include "rpc/tls_client.h"
#include "rpc/tls_listener.h"

static void test_addresses(void **state)
{
	static const struct {
		const char *text, *host, *port;
	} rows[] = {
		{"192.0.2.1:6653", "192.0.2.1", "6653"},
		{"host.example:1", "host.example", "1"},
		{"[2001:db8::1]:6653", "2001:db8::1", "6653"},
		{"[::]:0", "::", "0"},
	};
	static const char *const wrong[] = {"", ":", "1", ":1", "a:", "a:b", "a:1b", "a:123456",
		"::1:5", "[::1]", "[]:1", "[::1:1", "a: 1", "a:-1", "0123456789012345:1"};
	char host[16];
	char port[8];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(
			tls_address_split(rows[i].text, host, sizeof(host), port, sizeof(port)));
		assert_string_equal(host, rows[i].host);
		assert_string_equal(port, rows[i].port);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (tls_address_split(wrong[i], host, sizeof(host), port, sizeof(port)))
			fail_msg("\"%s\" was taken", wrong[i]);
}

static void test_listening(void **state)
{
	static const char *const wrong[] = {
		"localhost:0", "127.0.0.1:70000", "127.0.0.1", "[::1:0"};
	struct rpc_error error = {0};
	char name[64];
	char again[64];
	int fd = tls_socket_listen("127.0.0.1:0", name, sizeof(name), &error);

	assert_true(fd >= 0);
	assert_memory_equal(name, "127.0.0.1:", 10);
	assert_true(tls_socket_listen(name, again, sizeof(again), &error) < 0);
	assert_non_null(strstr(error.message, "Address already in use"));
	close(fd);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_true(tls_socket_listen(wrong[i], name, sizeof(name), &error) < 0);
		assert_int_equal(error.code, RPC_INVALID_PARAMS);
	}
}

// Nothing is tried without all three files.
static void test_files(void **state)
{
	static const struct tls_labels labels = {"A", "B", "C"};
	static const struct tls_files none = {0};
	static const struct tls_files absent = {
		"/nonexistent/a", "/nonexistent/b", "/nonexistent/c"};
	static const struct tls_files folder = {"/", "/", "/"};
	struct rpc_error error = {0};

	assert_null(tls_context_create(true, &none, &labels, &error));
	assert_non_null(strstr(error.message, "A is missing"));
	assert_null(tls_context_create(false, &absent, &labels, &error));
	assert_non_null(strstr(error.message, "A: cannot read /nonexistent/a: No such file"));
	assert_null(tls_context_create(true, &folder, &labels, &error));
	assert_non_null(strstr(error.message, "A: / holds no certificate"));
	assert_null(tls_client_connect("tls:127.0.0.1:1", "x", &none, &labels, 0, &error));
	assert_non_null(strstr(error.message, "A is missing"));
	assert_null(tls_client_connect("127.0.0.1:1", "x", &none, &labels, 0, &error));
	assert_non_null(strstr(error.message, "write it as tls:HOST:PORT"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_listening),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
