// SPDX-License-Identifier: Apache-2.0
#include "vswitch/packet_events.h"

#include <string.h>

#include "vswitch/flows.h"
#include "vswitch/model_edit.h"

static bool bridge_exists(void *context, const char *bridge, struct rpc_error *error)
{
	struct vswitch *vs = context;

	return model_bridge(vs->model, bridge, error) != NULL;
}

const struct rpc_event packet_events[] = {
	{"packet.in",
		"{bridge, in_port, port?, table?, cookie, reason, length, frame, metadata, lost, "
		"missed?}",
		"A flow sent a packet to the controller. in_port is 0 and port missing if it came "
		"from no port, table is missing if its actions stood in none. reason is action, "
		"no_match or invalid_ttl. length is that of the whole packet; frame, in "
		"hexadecimal, may be cut by max_len. lost counts the packets of the bridge that "
		"were over its controller-rate-limit or found no room, since it was made; missed "
		"those that this client was too slow for, since the last that it got.",
		bridge_exists},
	{0},
};

// NULL: the bridge has no such port (any more).
static const char *port_name(const struct port_names *names, json_int_t number)
{
	for (size_t i = 0; i < names->count; i++)
		if (names->items[i].number == number)
			return names->items[i].name;
	return NULL;
}

static struct flow_owner *owner_find(struct vswitch *vs, const char *bridge)
{
	for (struct flow_owner *owner = vs->owners; owner; owner = owner->next)
		if (!owner->removed && strcmp(owner->name, bridge) == 0)
			return owner;
	return NULL;
}

void packet_in_forward(struct vswitch *vs, const json_t *params)
{
	const char *bridge = json_string_value(json_object_get(params, "bridge"));
	struct flow_owner *owner;
	const char *port;
	json_t *copy;

	if (!bridge || !vs->server || !rpc_server_has_subscribers(vs->server, "packet.in", bridge))
		return;
	owner = owner_find(vs, bridge);
	if (!owner)
		return;
	port = port_name(flows_port_names(vs, owner),
		json_integer_value(json_object_get(params, "in_port")));
	copy = json_copy((json_t *)params);
	if (port)
		json_object_set_new(copy, "port", json_string(port));
	// Those that we missed are among the lost; here it is about our own client.
	json_object_del(copy, "missed");
	rpc_server_notify_subscribers(vs->server, "packet.in", bridge, copy);
}
