// SPDX-License-Identifier: Apache-2.0
#pragma once

// A datapathd that is to take over, started for us by the supervisor of the one that runs, where
// vswitchd starts none itself. It is not our child, and may be another user's.

#include <stdbool.h>
#include <sys/types.h>

#include "rpc/rpc_error.h"

struct datapath_link;

// Have one started, over the link to the one that runs. Its pid; 0 with *error, which says what has
// to be done to have it possible.
pid_t datapath_lent_start(struct datapath_link *link, bool huge_pages, struct rpc_error *error);

bool datapath_lent_lives(pid_t pid);

// End it, and wait for a moment until it is gone. `link` is the one to it, whether connected or
// not.
void datapath_lent_kill(struct datapath_link *link, pid_t pid);
