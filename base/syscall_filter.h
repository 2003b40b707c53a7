// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which system calls a daemon may make (seccomp(2), by libseccomp): those of base/syscalls.def. Any
// other fails with EPERM; exec, where it is not allowed, ends the process, since nothing of ours
// tries it.

#include <stdbool.h>
#include <stddef.h>

enum syscall_role {
	SYSCALLS_DATAPATH, // no other programs; sockets: unix, netlink, packet, and for ioctl()
			   // only
	SYSCALLS_CONTROL,  // no other programs
	SYSCALLS_STARTER,  // starts a process of the role DATAPATH
};

// For this thread, those that it starts, and what they exec. The process has to have set
// no_new_privs. False with *error.
bool syscall_filter_load(enum syscall_role role, char *error, size_t size);
