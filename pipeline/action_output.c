// SPDX-License-Identifier: Apache-2.0
#include "pipeline/action_run.h"
#include "pipeline/packet_write.h"
#include "pipeline/pipeline_private.h"
#include "pipeline/subfield.h"

// output, in_port, all, flood, drop: where a packet goes, without looking at what it is.

static bool port_exists(const struct execution *execution, uint16_t port)
{
	return port <= OFPORT_MAX && execution->ports->by_number[port];
}

bool action_in_port_run(struct execution *execution, const struct action *action)
{
	uint16_t port = execution->packet->in_port;

	if (port_exists(execution, port))
		execution_emit(execution, port);
	else
		execution_note(execution, DROP_NO_PORT);
	return true;
}

static void flood(struct execution *execution, bool all)
{
	const struct port_set *ports = execution->ports;
	uint16_t ingress = execution->packet->in_port;
	bool found = false;

	for (unsigned i = 0; i < ports->count; i++) {
		const struct pipeline_port *port = &ports->items[i];

		if (port->number == ingress || (port->no_flood && !all))
			continue;
		execution_emit(execution, port->number);
		found = true;
	}
	if (!found)
		execution_note(execution, DROP_NO_DESTINATION);
}

bool action_all_run(struct execution *execution, const struct action *action)
{
	flood(execution, true);
	return true;
}

bool action_flood_run(struct execution *execution, const struct action *action)
{
	flood(execution, false);
	return true;
}

bool action_output_truncated_run(struct execution *execution, const struct action *action)
{
	uint16_t port = action->truncated.port;

	if (port == OFPORT_IN_PORT)
		port = execution->packet->in_port;
	else if (port == execution->packet->in_port) {
		execution_note(execution, DROP_INGRESS_PORT);
		return true;
	}
	if (port_exists(execution, port))
		execution_emit_truncated(execution, port, action->truncated.max_len);
	else
		execution_note(execution, DROP_NO_PORT);
	return true;
}

// To any OpenFlow port, also those that stand for a rule.
static bool output_to(struct execution *execution, const struct action *action, uint64_t port)
{
	if (port == OFPORT_IN_PORT)
		return action_in_port_run(execution, action);
	if (port == OFPORT_NORMAL)
		return action_normal_run(execution, action);
	if (port == OFPORT_FLOOD || port == OFPORT_ALL) {
		flood(execution, port == OFPORT_ALL);
		return true;
	}
	if (port == execution->packet->in_port)
		execution_note(execution, DROP_INGRESS_PORT);
	else if (port > OFPORT_MAX || !port_exists(execution, port))
		execution_note(execution, DROP_NO_PORT);
	else
		execution_emit(execution, port);
	return true;
}

bool action_output_run(struct execution *execution, const struct action *action)
{
	return output_to(execution, action, action->port);
}

bool action_output_field_run(struct execution *execution, const struct action *action)
{
	uint64_t port = 0;

	// A field that the packet does not have names no port; nor does 0.
	if (packet_has_field(execution->key, action->output.field))
		port = subfield_number(&action->output, execution->key);
	return output_to(execution, action, port);
}

bool action_drop_run(struct execution *execution, const struct action *action)
{
	execution_note(execution, DROP_ACTION_DROP);
	return true;
}
