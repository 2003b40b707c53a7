// SPDX-License-Identifier: Apache-2.0
#include "pipeline/action_run.h"
#include "pipeline/packet_vlan.h"
#include "pipeline/pipeline_private.h"
#include "pipeline/packet_format.h"

// push_vlan, strip_vlan, mod_vlan_vid, mod_vlan_pcp.

static bool push(struct execution *execution, uint16_t ethertype)
{
	execution_settle(execution);
	if (packet_push_vlan(execution->packet, execution->key, ethertype, 0) == 0)
		return true;
	execution_note(execution, DROP_NO_HEADROOM);
	return false;
}

// The new tag is empty, VLAN 0 and priority 0, also in front of another, as in Open vSwitch.
bool action_push_vlan_run(struct execution *execution, const struct action *action)
{
	return push(execution, action->ethertype);
}

bool action_strip_vlan_run(struct execution *execution, const struct action *action)
{
	if (packet_is_tagged(execution->packet)) {
		execution_settle(execution);
		packet_pop_vlan(execution->packet, execution->key);
	}
	return true;
}

// Other than set_field, these two tag an untagged packet.
bool action_mod_vlan_run(struct execution *execution, const struct action *action)
{
	if (!packet_is_tagged(execution->packet) && !push(execution, ETHERTYPE_VLAN))
		return false;
	return execution_write(
		execution, action->set.target.field, &action->set.value, &action->set.mask);
}
