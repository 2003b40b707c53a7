// SPDX-License-Identifier: Apache-2.0
#pragma once

// The run functions of all actions, one per row of pipeline/actions.def: they do what the action
// says to execution->packet and ->key. False: the packet ends here, and execution->reason says why.
// Reader threads call them, by way of execution_run().

#include "pipeline/execute.h"

#define ACTION(ID, NAME, ALIASES, FORM, FIELD, NEEDS, RUN, HELP) \
	bool RUN(struct execution *execution, const struct action *action);
#include "pipeline/actions.def"
#undef ACTION
