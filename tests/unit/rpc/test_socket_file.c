// SPDX-License-Identifier: Apache-2.0
#include "rpc/socket_file.h"

#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char directory[64];
static struct sockaddr_un address;

static int setup(void **state)
{
	strcpy(directory, "/tmp/turnout-socket-XXXXXX");
	assert_non_null(mkdtemp(directory));
	address.sun_family = AF_UNIX;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/x.sock", directory);
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(rmdir(directory), 0);
	return 0;
}

static void listen_as(uid_t owner, gid_t group, mode_t mode, mode_t mask)
{
	struct socket_access wanted = {owner, group, mode};
	mode_t before = umask(mask);
	struct rpc_error error = {0};
	struct stat status;
	struct stat seen;
	int fd = socket_file_listen(&address, &wanted, &status, &error);

	umask(before);
	if (fd < 0)
		fail_msg("%s", error.message);
	assert_int_equal(stat(address.sun_path, &seen), 0);
	assert_int_equal(seen.st_mode & 07777, mode);
	assert_int_equal(seen.st_uid, owner == SOCKET_KEEP_OWNER ? geteuid() : owner);
	assert_int_equal(seen.st_gid, group == SOCKET_KEEP_GROUP ? getegid() : group);
	assert_int_equal(seen.st_ino, status.st_ino);
	socket_file_remove(&address, &status);
	close(fd);
	assert_int_equal(access(address.sun_path, F_OK), -1);
}

static void test_modes(void **state)
{
	static const mode_t masks[] = {0, 022, 077, 0777};

	for (size_t i = 0; i < 4; i++) {
		listen_as(SOCKET_KEEP_OWNER, SOCKET_KEEP_GROUP, 0600, masks[i]);
		listen_as(SOCKET_KEEP_OWNER, SOCKET_KEEP_GROUP, 0660, masks[i]);
		listen_as(SOCKET_KEEP_OWNER, SOCKET_KEEP_GROUP, 0666, masks[i]);
		listen_as(geteuid(), getegid(), 0640, masks[i]);
	}
}

static void test_others(void **state)
{
	if (geteuid() != 0)
		skip();
	listen_as(12345, SOCKET_KEEP_GROUP, 0660, 022);
	listen_as(SOCKET_KEEP_OWNER, 54321, 0660, 022);
	listen_as(12345, 54321, 0600, 022);
}

// Without the right to give it away there is no socket at all.
static void test_not_permitted(void **state)
{
	struct socket_access wanted = {12345, SOCKET_KEEP_GROUP, 0666};
	struct rpc_error error = {0};
	struct stat status;
	uid_t before = geteuid();

	if (before == 0) {
		assert_int_equal(chmod(directory, 0777), 0);
		assert_int_equal(seteuid(65534), 0);
	}
	assert_int_equal(socket_file_listen(&address, &wanted, &status, &error), -EPERM);
	assert_int_equal(seteuid(before), 0);
	assert_non_null(strstr(error.message, "run this as root"));
	assert_int_equal(access(address.sun_path, F_OK), -1);
}

static void expect_wrong(bool good, struct rpc_error *error, const char *text)
{
	assert_false(good);
	assert_int_equal(error->code, RPC_INVALID_PARAMS);
	if (strstr(error->message, text) == NULL)
		fail_msg("%s", error->message);
	rpc_error_clear(error);
}

static void test_names(void **state)
{
	static const char *const wrong[] = {
		"no-such-name", "-1", "4294967295", "99999999999", "0x1", " "};
	struct rpc_error error = {0};
	uid_t owner;
	gid_t group;

	assert_true(socket_owner_parse("root", &owner, &error));
	assert_int_equal(owner, 0);
	assert_true(socket_owner_parse("4294967294", &owner, &error));
	assert_int_equal(owner, 4294967294u);
	assert_true(socket_owner_parse("", &owner, &error));
	assert_int_equal(owner, SOCKET_KEEP_OWNER);
	assert_true(socket_group_parse("root", &group, &error));
	assert_int_equal(group, 0);
	assert_true(socket_group_parse("1234", &group, &error));
	assert_int_equal(group, 1234);
	assert_true(socket_group_parse("", &group, &error));
	assert_int_equal(group, SOCKET_KEEP_GROUP);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		expect_wrong(socket_owner_parse(wrong[i], &owner, &error), &error, "useradd");
		expect_wrong(socket_group_parse(wrong[i], &group, &error), &error, "groupadd");
	}
}

static void test_mode_texts(void **state)
{
	static const char *const wrong[] = {"", "660x", "0668", "rw-rw----", "1777", "06600",
		"-660", "0x1b0", "066", "0", "0400", "66"};
	struct rpc_error error = {0};
	mode_t mode;

	assert_true(socket_mode_parse("0660", &mode, &error));
	assert_int_equal(mode, 0660);
	assert_true(socket_mode_parse("600", &mode, &error));
	assert_int_equal(mode, 0600);
	assert_true(socket_mode_parse("0777", &mode, &error));
	assert_int_equal(mode, 0777);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect_wrong(socket_mode_parse(wrong[i], &mode, &error), &error, "such as 0600");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_not_permitted),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_mode_texts),
	};

	return cmocka_run_group_tests_name("socket_file", tests, setup, teardown);
}
