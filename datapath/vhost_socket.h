// SPDX-License-Identifier: Apache-2.0
#pragma once

// The socket of a vhost-user port, before it is handed to the vhost library, whose own messages do
// not say enough.

#include <stdbool.h>

#include "rpc/rpc_error.h"

// Can the switch listen (`server`), or connect, on `path`? The name must fit and its directory
// exist; to listen, nobody else may, and a socket file that nobody listens on any more is removed.
// False with *error. Control thread.
bool vhost_socket_check(const char *path, bool server, struct rpc_error *error);
