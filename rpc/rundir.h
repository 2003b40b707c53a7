// SPDX-License-Identifier: Apache-2.0
#pragma once

// The run directory: where the daemons of one switch and its command lines find each other. It
// holds the sockets, the pid files and, unless configured elsewhere, the database. Two switches on
// one host are two run directories.
//
// A pid file is held by a lock on it, not by its existence: the lock ends with the process, however
// that ends, so a stale file is never in the way. The lock is not inherited by children that are
// exec()ed. Functions may be called from any thread.

#include <stddef.h>
#include <sys/types.h>

#include "rpc/rpc_error.h"

#define RUNDIR_DEFAULT "/run/turnout"
#define RUNDIR_VARIABLE "TURNOUT_RUNDIR"
#define RUNDIR_PATH_SIZE 512     // room enough for rundir_path()
#define UNIX_SOCKET_PATH_MAX 107 // bytes, a limit of the kernel (unix(7))

// Names in it that daemons know of each other. A datapathd that is to take over from another has its
// own until then.
#define DATAPATHD_SOCKET "datapathd.sock"
#define DATAPATHD_PID "datapathd.pid"
#define STANDBY_SOCKET "datapathd-next.sock"
#define STANDBY_PID "datapathd-next.pid"

// `argument` (of --rundir; may be NULL), or else the environment's TURNOUT_RUNDIR, or else
// /run/turnout. Not copied.
const char *rundir_resolve(const char *argument);

// "RUNDIR/name". 0 or -ENAMETOOLONG, then the buffer holds "".
int rundir_path(char *buffer, size_t size, const char *rundir, const char *name);

// Fill in a socket address. 0, or -ENAMETOOLONG with *error, which says the limit and the way out.
struct sockaddr_un;
int rundir_socket_address(struct sockaddr_un *address, const char *path, struct rpc_error *error);

// Make the directory (mode 0755) and those above it, unless it is there. 0 or -errno with *error.
int rundir_create(const char *rundir, struct rpc_error *error);

// Lock RUNDIR/name (for example "vswitchd.pid") and write our pid into it. Returns a file
// descriptor to keep open, or -errno with *error; -EBUSY, naming the pid, if somebody holds it.
int rundir_pid_lock(const char *rundir, const char *name, struct rpc_error *error);
// Remove the file and close; fd < 0 is nothing.
void rundir_pid_unlock(int fd, const char *rundir, const char *name);

// The pid of the process that holds the pid file, or 0 if none does.
pid_t rundir_pid_holder(const char *rundir, const char *name);
