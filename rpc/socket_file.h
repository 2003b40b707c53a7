// SPDX-License-Identifier: Apache-2.0
#pragma once

// The file by which clients find a server's unix socket, and who may use it. A file that a dead
// daemon left behind is replaced; one that somebody listens on, or that is no socket at all, is
// not.
//
// The kernel lets those connect who may write to the file. It has its owner, group and mode before
// the server listens, until when nobody can connect, and comes into being without any permissions.

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "rpc/rpc_error.h"

#define SOCKET_KEEP_OWNER ((uid_t)-1) // that of the process
#define SOCKET_KEEP_GROUP ((gid_t)-1)

struct socket_access {
	uid_t owner;
	gid_t group;
	mode_t mode;
};

// A user or group by name or number, SOCKET_KEEP_... for "". False with *error
// (RPC_INVALID_PARAMS).
bool socket_owner_parse(const char *text, uid_t *owner, struct rpc_error *error);
bool socket_group_parse(const char *text, gid_t *group, struct rpc_error *error);
// Octal digits, up to 0777; the owner must be able to read and write.
bool socket_mode_parse(const char *text, mode_t *mode, struct rpc_error *error);

// Listen at `address`, and remember in *status which file that is. The descriptor, or -errno with
// *error.
int socket_file_listen(const struct sockaddr_un *address, const struct socket_access *access,
	struct stat *status, struct rpc_error *error);

// Remove the file, unless it has been replaced by somebody else's. Nothing if *status is all zero.
void socket_file_remove(const struct sockaddr_un *address, const struct stat *status);
