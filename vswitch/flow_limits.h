// SPDX-License-Identifier: Apache-2.0
#pragma once

// How many flows a bridge and each of its tables may have: other_config:flow-bridge-limit and
// flow-table-limit of Bridge. What counts is the end of a transaction, and only where it has more
// flows than there were at its beginning: a limit that was lowered leaves alone what is there.
//
// And what a lookup in a table may cost: other_config:flow-lookup-limit, in steps of
// pipeline/lookup_cost.h, which pipeline/lookup_budget.h tells from the shapes of the flows. It counts
// in the same way where lookups become slower than they were.

#include <stdbool.h>

#include "rpc/rpc_error.h"
#include "vswitch/vswitch.h"

// At the end of a transaction, before anything is stored. False with *error (RPC_FLOW_ERROR, data
// of kind table_full, with bridge, table if it is one, limit and flows; or of kind lookup_budget,
// with bridge, table, limit and steps).
bool flow_limits_check(struct vswitch *vs, struct rpc_error *error);
