// SPDX-License-Identifier: Apache-2.0
#pragma once

// A worker's wish for a successor, and what its supervisor (supervise.h) says: a datagram each way
// over a socket pair. The words may stay when programs change, since the two can be of different
// versions.

#include <stdbool.h>
#include <sys/types.h>

#include "rpc/rpc_error.h"

#define SUCCESSOR_ASK "successor"           // any huge pages
#define SUCCESSOR_ASK_HUGE "successor huge" // no less
#define SUCCESSOR_STARTED "started "        // and a pid; everything else is a reason
#define SUCCESSOR_TEXT_MAX 256              // bytes of a datagram

// Is the descriptor one that a supervisor has given us? From then on it is not inherited.
bool successor_socket_check(int fd);

// Ask over it (negative: there is no supervisor); waits for a moment. The pid of the process that
// was started, which may yet fail; 0 with *error.
pid_t successor_request(int fd, bool huge_pages, struct rpc_error *error);
