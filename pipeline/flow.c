// SPDX-License-Identifier: Apache-2.0

#include "pipeline/flow.h"

void flow_init(struct flow *flow)
{
	*flow = (struct flow){.priority = FLOW_DEFAULT_PRIORITY};
	match_init(&flow->match);
}

void flow_destroy(struct flow *flow)
{
	if (flow)
		action_list_destroy(&flow->actions);
}

int flow_copy(struct flow *copy, const struct flow *flow)
{
	*copy = *flow;
	return action_list_copy(&copy->actions, &flow->actions);
}

bool flow_same_place(const struct flow *a, const struct flow *b)
{
	return a->table == b->table && a->priority == b->priority &&
	       match_equal(&a->match, &b->match);
}

bool flow_equal(const struct flow *a, const struct flow *b)
{
	return flow_same_place(a, b) && action_list_equal(&a->actions, &b->actions);
}

// The number that out_port= has for what the action does, or OFPORT_NONE.
static uint16_t output_port(const struct action *action)
{
	switch (action->id) {
	case ACTION_OUTPUT:
		return action->port;
	case ACTION_OUTPUT_TRUNCATED:
		return action->truncated.port;
	case ACTION_CONTROLLER:
		return OFPORT_CONTROLLER;
	case ACTION_IN_PORT:
		return OFPORT_IN_PORT;
	case ACTION_ALL:
		return OFPORT_ALL;
	case ACTION_FLOOD:
		return OFPORT_FLOOD;
	case ACTION_NORMAL:
		return OFPORT_NORMAL;
	default:
		return OFPORT_NONE;
	}
}

bool flow_outputs_to(const struct flow *flow, uint16_t port)
{
	for (size_t i = 0; i < flow->actions.count && port != OFPORT_NONE; i++) {
		if (output_port(&flow->actions.items[i]) == port)
			return true;
	}
	return false;
}
