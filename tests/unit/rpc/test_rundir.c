// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rpc/closest_word.h"
#include "rpc/rundir.h"

static char directory[] = "/tmp/turnout-rundir-XXXXXX";

static int setup(void **state)
{
	return mkdtemp(directory) == NULL;
}

static int teardown(void **state)
{
	return rmdir(directory);
}

static void test_resolve(void **state)
{
	unsetenv("TURNOUT_RUNDIR");
	assert_string_equal(rundir_resolve(NULL), "/run/turnout");
	assert_string_equal(rundir_resolve("/a"), "/a");
	setenv("TURNOUT_RUNDIR", "/b", 1);
	assert_string_equal(rundir_resolve(NULL), "/b");
	assert_string_equal(rundir_resolve("/a"), "/a");
	setenv("TURNOUT_RUNDIR", "", 1);
	assert_string_equal(rundir_resolve(NULL), "/run/turnout");
	unsetenv("TURNOUT_RUNDIR");
}

static void test_path(void **state)
{
	char buffer[16];

	assert_int_equal(rundir_path(buffer, sizeof(buffer), "/a", "b.sock"), 0);
	assert_string_equal(buffer, "/a/b.sock");
	assert_int_equal(rundir_path(buffer, sizeof(buffer), "/a//", "b.sock"), 0);
	assert_string_equal(buffer, "/a/b.sock");
	assert_int_equal(rundir_path(buffer, sizeof(buffer), "/", "x"), 0);
	assert_int_equal(rundir_path(buffer, sizeof(buffer), "/a", "123456789012"), 0);
	assert_int_equal(rundir_path(buffer, sizeof(buffer), "/a", "1234567890123"), -ENAMETOOLONG);
	assert_string_equal(buffer, "");
}

static void test_socket_address(void **state)
{
	struct rpc_error error = {0};
	struct sockaddr_un address;
	char path[109];

	memset(path, 'x', sizeof(path));
	path[108] = '\0';
	assert_int_equal(rundir_socket_address(&address, path, &error), -ENAMETOOLONG);
	assert_non_null(strstr(error.message, "108 bytes"));
	assert_non_null(strstr(error.message, "the limit is 107"));
	assert_non_null(strstr(error.message, "shorter --rundir"));
	path[107] = '\0';
	assert_int_equal(rundir_socket_address(&address, path, &error), 0);
	assert_string_equal(address.sun_path, path);
	rpc_error_clear(&error);
}

static void test_create(void **state)
{
	struct rpc_error error = {0};
	char path[128];
	struct stat status;
	mode_t mask = umask(022);
	int fd;

	snprintf(path, sizeof(path), "%s/a/b", directory);
	assert_int_equal(rundir_create(path, &error), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0755);
	assert_int_equal(rundir_create(path, &error), 0);
	umask(mask);
	rmdir(path);

	fd = open(path, O_CREAT | O_WRONLY, 0644);
	close(fd);
	assert_int_equal(rundir_create(path, &error), -ENOTDIR);
	assert_non_null(strstr(error.message, "is not a directory"));
	rpc_error_clear(&error);
	unlink(path);
	snprintf(path, sizeof(path), "%s/a", directory);
	rmdir(path);

	assert_true(rundir_create("/proc/turnout", &error) < 0);
	assert_non_null(strstr(error.message, "/proc/turnout"));
	rpc_error_clear(&error);
}

static void test_pid_file(void **state)
{
	struct rpc_error error = {0};
	char expected[64];
	char path[128];
	int fd;

	assert_int_equal(rundir_pid_holder(directory, "x.pid"), 0);
	fd = rundir_pid_lock(directory, "x.pid", &error);
	assert_true(fd >= 0);
	assert_int_equal(rundir_pid_holder(directory, "x.pid"), getpid());

	// Having asked does not lose the lock.
	assert_int_equal(rundir_pid_lock(directory, "x.pid", &error), -EBUSY);
	snprintf(expected, sizeof(expected), "running process %d", (int)getpid());
	assert_non_null(strstr(error.message, expected));
	rpc_error_clear(&error);

	rundir_pid_unlock(fd, directory, "x.pid");
	assert_int_equal(rundir_pid_holder(directory, "x.pid"), 0);
	snprintf(path, sizeof(path), "%s/x.pid", directory);
	assert_int_equal(access(path, F_OK), -1);
	rundir_pid_unlock(-1, directory, "x.pid");
}

// A pid file that is left by a process that was killed is in nobody's way.
static void test_stale_pid_file(void **state)
{
	struct rpc_error error = {0};
	int ready[2];
	char byte;
	pid_t child;
	int fd;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		if (rundir_pid_lock(directory, "y.pid", &error) >= 0)
			(void)!write(ready[1], "x", 1);
		pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(rundir_pid_holder(directory, "y.pid"), child);
	assert_int_equal(rundir_pid_lock(directory, "y.pid", &error), -EBUSY);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	rpc_error_clear(&error);
	fd = rundir_pid_lock(directory, "y.pid", &error);
	assert_true(fd >= 0);
	assert_int_equal(rundir_pid_holder(directory, "y.pid"), getpid());
	rundir_pid_unlock(fd, directory, "y.pid");
	close(ready[0]);
	close(ready[1]);
}

static void test_closest_word(void **state)
{
	static const char *const words[] = {"add-br", "del-br", "add-port", "show", "get", NULL};
	static const struct {
		const char *typed;
		const char *best;
	} examples[] = {
		{"ad-br", "add-br"},
		{"add-prot", "add-port"},
		{"shwo", "show"},
		{"got", "get"},
		{"frobnicate", NULL},
		{"", NULL},
		{"x", NULL},
	};

	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct closest_word closest;

		closest_word_begin(&closest, examples[i].typed);
		for (size_t j = 0; words[j] != NULL; j++)
			closest_word_consider(&closest, words[j]);
		if (examples[i].best == NULL)
			assert_null(closest.best);
		else
			assert_string_equal(closest.best, examples[i].best);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_socket_address),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_pid_file),
		cmocka_unit_test(test_stale_pid_file),
		cmocka_unit_test(test_closest_word),
	};

	return cmocka_run_group_tests_name("rundir", tests, setup, teardown);
}
