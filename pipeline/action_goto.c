// SPDX-License-Identifier: Apache-2.0
#include <endian.h>

#include "pipeline/action_run.h"
#include "pipeline/pipeline_private.h"

// goto_table leaves the next table to whoever runs the list: pipeline_run() for the packets of a
// burst together, resubmit for the one packet that it has. So does a resubmit of the packet as it
// is that nothing follows, unless somebody looks on who wants to see where it ends.

bool action_goto_table_run(struct execution *execution, const struct action *action)
{
	execution->next_table = action->table;
	return true;
}

// The port that a resubmit names counts for the lookup only: in_port, flood and the like in what
// is found there still mean the port that the packet came from, as in Open vSwitch.
static const struct installed_flow *lookup_as_from(
	struct execution *execution, uint8_t table, uint16_t port)
{
	uint16_t in_port = execution->key->in_port;
	const struct installed_flow *flow;

	if (port != OFPORT_IN_PORT)
		execution->key->in_port = htobe16(port);
	flow = pipeline_lookup(execution, table);
	execution->key->in_port = in_port;
	return flow;
}

// From `table` on, as far as goto_table leads. A miss is simply the end of it.
static bool run_tables(struct execution *execution, uint8_t table, uint16_t port)
{
	for (;;) {
		const struct installed_flow *flow;

		if (execution->progress.lookups >= PIPELINE_LOOKUP_LIMIT) {
			execution_note(execution, DROP_RESUBMIT_LIMIT);
			return false;
		}
		flow = lookup_as_from(execution, table, port);
		if (!flow)
			return true;
		execution->flow = flow;
		if (!execution_run_nested(execution, &flow->flow.actions, true))
			return false;
		if (execution->next_table < 0)
			return true;
		table = execution->next_table;
		execution->next_table = -1;
		port = OFPORT_IN_PORT;
	}
}

static bool is_last(const struct execution *execution, const struct action *action)
{
	return execution->follows && action + 1 == execution->list_end &&
	       action->resubmit.port == OFPORT_IN_PORT && !execution->observer;
}

bool action_resubmit_run(struct execution *execution, const struct action *action)
{
	const struct installed_flow *flow = execution->flow;
	unsigned depth = execution->depth;
	bool goes_on;

	if (execution->depth >= PIPELINE_RESUBMIT_DEPTH) {
		execution_note(execution, DROP_RESUBMIT_LIMIT);
		return false;
	}
	execution->depth++;
	if (is_last(execution, action)) {
		execution->next_table = action->resubmit.table;
		return true;
	}
	goes_on = run_tables(execution, action->resubmit.table, action->resubmit.port);
	execution->depth = depth;
	execution->flow = flow;
	return goes_on;
}
