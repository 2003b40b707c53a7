// SPDX-License-Identifier: Apache-2.0
//
// packet.*: packets that clients hand in, and counters of those to the controller.

#include <errno.h>
#include <stdlib.h>

#include "pipeline/flow_json.h"
#include "pipeline/packet_out_text.h"
#include "vswitch/flow_input.h"
#include "vswitch/methods.h"
#include "vswitch/model_edit.h"

// Text or object, with the bridge's port names. False with *error.
static bool packet_parse_any(const json_t *packet, const struct port_names *names,
	struct packet_out_request *out, struct rpc_error *error)
{
	struct flow_warnings warnings = {0};
	struct flow_error reason;
	int rc;

	if (json_is_string(packet)) {
		rc = packet_out_parse(out, json_string_value(packet), names, &warnings, &reason);
	} else if (json_is_object(packet)) {
		rc = packet_out_from_json(out, packet, names, &warnings, &reason);
	} else {
		rpc_error_set(error, RPC_INVALID_PARAMS, "packet takes a string or an object");
		return false;
	}
	if (rc == -EINVAL) {
		rpc_error_set(error, RPC_FLOW_ERROR, "%s", reason.message);
		error->data = flow_error_to_json(&reason);
		if (json_is_string(packet))
			json_object_set(error->data, "text", (json_t *)packet);
	} else if (rc) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
	}
	return rc == 0;
}

static bool port_exists(const struct port_names *names, uint16_t number, struct rpc_error *error)
{
	if (number == OFPORT_CONTROLLER)
		return true;
	for (size_t i = 0; i < names->count; i++)
		if (names->items[i].number == number)
			return true;
	rpc_error_set(error, RPC_NOT_FOUND,
		"in_port: bridge %s has no port %u; ofctl show %s lists them, and "
		"in_port=controller "
		"stands for none",
		names->bridge, number, names->bridge);
	return false;
}

static json_t *packet_send(struct vswitch *vs, const struct flow_owner *owner,
	const struct packet_out_request *out, struct rpc_error *error)
{
	char *actions = actions_format(&out->actions, NULL);
	char *frame = packet_out_hex(out);
	json_t *result = NULL;

	if (actions && frame)
		result = datapath_link_call(vs->link, "packet.out",
			json_pack("{s:s, s:i, s:s, s:s}", "bridge", owner->name, "in_port",
				out->in_port == OFPORT_CONTROLLER ? 0 : (int)out->in_port, "frame",
				frame, "actions", actions),
			error);
	else
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
	free(actions);
	free(frame);
	return result;
}

static json_t *packet_out(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	struct flow_owner *owner = flow_input_owner(vs, params, error);
	const struct port_names *names = owner ? flows_port_names(vs, owner) : NULL;
	struct packet_out_request out;
	json_t *result = NULL;

	if (!owner || !packet_parse_any(json_object_get(params, "packet"), names, &out, error))
		return NULL;
	if (port_exists(names, out.in_port, error))
		result = packet_send(vs, owner, &out, error);
	packet_out_destroy(&out);
	return result;
}

static json_t *packet_stats(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;

	if (!flow_input_owner(vs, params, error))
		return NULL;
	return datapath_link_call(vs->link, "packet.stats", json_incref(params), error);
}

static const struct rpc_param out_params[] = {
	{"bridge", RPC_STRING, true, "name of the bridge"},
	{"packet", RPC_ANY, true,
		"text as in_port=1,packet=HEX,actions=output:2, or an object {in_port, packet, "
		"actions}; without in_port it comes from no port; actions=table: through the "
		"tables"},
	{0},
};

static const struct rpc_param stats_params[] = {
	{"bridge", RPC_STRING, true, "name of the bridge"},
	{0},
};

const struct rpc_method packet_methods[] = {
	{"packet.out", packet_out, out_params, 0, "{}",
		"Run actions on a frame. When answered, it was sent or counted as dropped."},
	{"packet.stats", packet_stats, stats_params, 0,
		"{packet_in: {sent, lost_rate, lost_full}, packet_out: {packets, bytes, copies, "
		"drops}}",
		"Packets that flows sent to the controller, of the bridge; packets handed in with "
		"packet.out, of the whole switch."},
	{0},
};
