// SPDX-License-Identifier: Apache-2.0
#pragma once

// The file by which clients find a server's unix socket. One that a dead daemon left behind is
// replaced; one that somebody listens on, or that is no socket at all, is not.

#include <sys/stat.h>
#include <sys/un.h>

#include "rpc/rpc_error.h"

// Listen at `address`, with a socket file of mode 0660, and remember in *status which file that is.
// The descriptor, or -errno with *error.
int socket_file_listen(
	const struct sockaddr_un *address, struct stat *status, struct rpc_error *error);

// Remove the file, unless it has been replaced by somebody else's. Nothing if *status is all zero.
void socket_file_remove(const struct sockaddr_un *address, const struct stat *status);
