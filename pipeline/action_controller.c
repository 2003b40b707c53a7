// SPDX-License-Identifier: Apache-2.0
#include <endian.h>

#include "pipeline/action_run.h"
#include "pipeline/pipeline_private.h"

// controller: the packet becomes an event for who asked for such. It goes on afterwards.

bool action_controller_run(struct execution *execution, const struct action *action)
{
	struct pipeline_sink *sink = execution->sink;
	const struct installed_flow *flow = execution->flow;
	struct packet_in event = {
		.reason = action->controller.reason,
		.table = flow ? flow->flow.table : CONTROLLER_NO_TABLE,
		.max_len = action->controller.max_len,
		.cookie = flow ? flow->flow.cookie : 0,
		.metadata = be64toh(execution->key->metadata),
	};

	if (sink->packet_in && sink->packet_in(sink, execution->packet, &event))
		execution->progress.delivered = true;
	else
		execution_note(execution, DROP_CONTROLLER);
	return true;
}
