// SPDX-License-Identifier: Apache-2.0
#pragma once

// Least privilege for a daemon: another user than root if one is named, no capabilities
// (capabilities(7)) but those that are asked for, no way to get others, and a filter on system
// calls (syscall_filter.h). To be entered once, at the start, before there are threads: what a
// thread starts inherits it.

#include <stdbool.h>
#include <stddef.h>

#include "base/syscall_filter.h"

// What datapathd needs for interfaces of the kernel (tap, af_packet) and for memory that is locked;
// and as root, for guests' sockets.
#define CAPABILITIES_DATAPATH "net_admin,net_raw,ipc_lock"
#define CAPABILITIES_SOCKETS "dac_override"

struct lockdown {
	const char *user; // "" or NULL: stay who we are
	// Names such as "net_admin,net_raw", or "none". Those that this process has not got are no
	// error. They are kept across an exec, too.
	const char *capabilities;
	// Usual ones when `capabilities` is "": as root, and as another user.
	const char *usual_of_root, *usual;
	const char *directory; // is given to the user, if it is root who makes him; may be NULL
	bool filter;
	enum syscall_role role;
};

// False with what is wrong, and what to do, in `error`.
bool lockdown_enter(const struct lockdown *lockdown, char *error, size_t size);

// Has this process the capability of that name?
bool lockdown_has(const char *capability);
