// SPDX-License-Identifier: Apache-2.0
#include "base/syscall_filter.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define SOCKET_TYPE 0xf // without the flags that come with it

static const int allowed[] = {
#define SYSCALL(NAME) SCMP_SYS(NAME),
#include "base/syscalls.def"
#undef SYSCALL
};

// Sockets by family; of some only those that cannot listen: drivers ask them about interfaces.
static const struct socket_rule {
	int family;
	bool datagrams_only;
	bool datapath, control;
} sockets[] = {
	{AF_UNIX, false, true, true},
	{AF_NETLINK, false, true, true},
	{AF_PACKET, false, true, false},
	{AF_INET, true, true, false},
	{AF_INET6, true, true, false},
	{AF_INET, false, false, true},
	{AF_INET6, false, false, true},
};

static int sockets_allow(scmp_filter_ctx filter, enum syscall_role role)
{
	int result = 0;

	for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]) && result == 0; i++) {
		const struct socket_rule *rule = &sockets[i];
		bool datapath = role != SYSCALLS_CONTROL && rule->datapath;
		bool control = role != SYSCALLS_DATAPATH && rule->control;

		if (!datapath && !control)
			continue;
		if (rule->datagrams_only)
			result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
				SCMP_A0_32(SCMP_CMP_EQ, (unsigned)rule->family),
				SCMP_A1_32(SCMP_CMP_MASKED_EQ, SOCKET_TYPE, SOCK_DGRAM));
		else
			result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				SCMP_A0_32(SCMP_CMP_EQ, (unsigned)rule->family));
	}
	return result;
}

// Threads always; processes and programs only for who starts a datapath. What clone3() is to do
// cannot be seen by a filter, and who is told that there is none uses clone().
static int programs_allow(scmp_filter_ctx filter, enum syscall_role role)
{
	static const int programs[] = {SCMP_SYS(execve), SCMP_SYS(execveat)};
	static const int processes[] = {SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(clone)};
	bool starts = role == SYSCALLS_STARTER;
	int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	for (size_t i = 0; i < 2 && result == 0; i++)
		result = seccomp_rule_add(
			filter, starts ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS, programs[i], 0);
	for (size_t i = 0; i < 3 && result == 0 && starts; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, processes[i], 0);
	if (result == 0 && !starts)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
			SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	return result;
}

// LeakSanitizer looks at a process from another one that it makes.
static int sanitizers_allow(scmp_filter_ctx filter)
{
#ifdef __SANITIZE_ADDRESS__
	static const int calls[] = {SCMP_SYS(clone), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv)};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);

		if (result != 0)
			return result;
	}
#endif
	return 0;
}

static int filter_build(scmp_filter_ctx filter, enum syscall_role role)
{
	int result = 0;

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && result == 0; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	if (result == 0)
		result = sockets_allow(filter, role);
	if (result == 0)
		result = sanitizers_allow(filter);
	return result == 0 ? programs_allow(filter, role) : result;
}

bool syscall_filter_load(enum syscall_role role, char *error, size_t size)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int result = filter ? 0 : -ENOMEM;

	// A tree: as many steps for the last call as for the first.
	if (result == 0)
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (result == 0)
		result = filter_build(filter, role);
	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	if (result != 0)
		snprintf(error, size,
			"the filter on system calls cannot be set: %s; without it: --seccomp off, "
			"or seccomp: no in the configuration",
			strerror(-result));
	return result == 0;
}
