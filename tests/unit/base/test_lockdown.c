// SPDX-License-Identifier: Apache-2.0
//
// Each case in a process of its own, since there is no way back.

#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sched.h>
#include <unistd.h>

#include "base/lockdown.h"

typedef bool check(void);

// How a process ends that enters `lockdown` and then checks: 0 if the check holds.
static int outcome(const struct lockdown *lockdown, check *holds)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		char error[512];
		bool good = lockdown_enter(lockdown, error, sizeof(error)) && holds();

		_exit(good ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static struct lockdown of(enum syscall_role role)
{
	return (struct lockdown){.capabilities = "none", .filter = true, .role = role};
}

static bool fails_with(int result, int code)
{
	return result == -1 && errno == code;
}

static void *add_one(void *number)
{
	++*(int *)number;
	return NULL;
}

static bool threads_and_files_work(void)
{
	pthread_t thread;
	int number = 1;
	int file = open("/proc/self/maps", O_RDONLY);

	return file >= 0 && close(file) == 0 &&
	       pthread_create(&thread, NULL, add_one, &number) == 0 &&
	       pthread_join(thread, NULL) == 0 && number == 2;
}

static bool datapath_sockets(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 &&
	       socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) >= 0 &&
	       fails_with(socket(AF_INET, SOCK_STREAM, 0), EPERM) &&
	       fails_with(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), EPERM) &&
	       fails_with(socket(AF_VSOCK, SOCK_STREAM, 0), EPERM);
}

static bool control_sockets(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 && socket(AF_INET, SOCK_STREAM, 0) >= 0 &&
	       fails_with(socket(AF_PACKET, SOCK_RAW, 0), EPERM);
}

static bool forbidden_fail(void)
{
	return fails_with(mount("none", "/", "tmpfs", 0, NULL), EPERM) &&
	       fails_with(chroot("/"), EPERM) && fails_with(unshare(0), EPERM);
}

static bool exec(void)
{
	execl("/bin/true", "true", NULL);
	return false;
}

static bool no_new_privileges(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static void test_filter(void **state)
{
	static check *const both[] = {threads_and_files_work, forbidden_fail, no_new_privileges};

	for (enum syscall_role role = SYSCALLS_DATAPATH; role <= SYSCALLS_STARTER; role++) {
		struct lockdown lockdown = of(role);

		for (unsigned i = 0; i < sizeof(both) / sizeof(both[0]); i++)
			assert_int_equal(outcome(&lockdown, both[i]), 0);
	}
}

static void test_sockets(void **state)
{
	struct lockdown datapath = of(SYSCALLS_DATAPATH), control = of(SYSCALLS_CONTROL);

	assert_int_equal(outcome(&datapath, datapath_sockets), 0);
	assert_int_equal(outcome(&control, control_sockets), 0);
}

static void test_programs(void **state)
{
	struct lockdown datapath = of(SYSCALLS_DATAPATH), starter = of(SYSCALLS_STARTER);
	int status = outcome(&datapath, exec);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	assert_int_equal(outcome(&starter, exec), 0);
}

static uint64_t effective(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long set = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "CapEff: %llx", &set);
	if (file)
		fclose(file);
	return set;
}

#define NET_ADMIN 12
#define NET_RAW 13

static bool none_left(void)
{
	return effective() == 0;
}

static bool two_left(void)
{
	return effective() == (UINT64_C(1) << NET_ADMIN | UINT64_C(1) << NET_RAW);
}

static bool is_nobody(void)
{
	return geteuid() != 0 && getegid() != 0 && fails_with(setuid(0), EPERM);
}

static void test_capabilities(void **state)
{
	uint64_t both = UINT64_C(1) << NET_ADMIN | UINT64_C(1) << NET_RAW;
	struct lockdown lockdown = of(SYSCALLS_DATAPATH);

	assert_int_equal(outcome(&lockdown, none_left), 0);
	if ((effective() & both) != both)
		skip();
	lockdown.capabilities = "net_raw,net_admin";
	assert_int_equal(outcome(&lockdown, two_left), 0);
	lockdown.capabilities = "";
	lockdown.usual = lockdown.usual_of_root = "net_admin,net_raw";
	assert_int_equal(outcome(&lockdown, two_left), 0);
	if (geteuid() != 0)
		return;
	lockdown.user = "nobody";
	assert_int_equal(outcome(&lockdown, two_left), 0);
	assert_int_equal(outcome(&lockdown, is_nobody), 0);
	assert_int_equal(outcome(&lockdown, threads_and_files_work), 0);
}

static void test_errors(void **state)
{
	struct lockdown lockdown = of(SYSCALLS_DATAPATH);
	char error[512];

	lockdown.capabilities = "net_admin,fly";
	assert_false(lockdown_enter(&lockdown, error, sizeof(error)));
	assert_non_null(strstr(error, "\"fly\" is no capability"));
	lockdown.user = "no-such-user";
	assert_false(lockdown_enter(&lockdown, error, sizeof(error)));
	assert_non_null(strstr(error, "useradd --system"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
