// SPDX-License-Identifier: Apache-2.0
#pragma once

// One transaction from the first change to the answer. The RPC server calls the three functions of
// `transaction_functions` around the transactional methods of a request; in between, methods call
// transaction_enter() and then change model and flows.
//
// Commit goes: check the whole; write to the store, not yet committed; bring the datapath to it;
// commit the store; keep. Any failure undoes all of it, the datapath included, and the datapath's
// own message is the error. If this process dies in between, the store decides: the datapath is
// brought to it when the next one starts.

#include <stdbool.h>

#include <jansson.h>

#include "rpc/rpc_server.h"
#include "vswitch/vswitch.h"

extern const struct rpc_transactions transaction_functions;

// Every method that changes something calls this first, with its parameters. False with *error if
// there is no datapath and the parameter no_wait was not given.
bool transaction_enter(struct vswitch *vs, const json_t *params, struct rpc_error *error);

// The parameter's row, for tables of methods.
#define PARAM_NO_WAIT                                                                         \
	{                                                                                     \
		"no_wait", RPC_BOOLEAN, false, "store only; the datapath follows when it can" \
	}
