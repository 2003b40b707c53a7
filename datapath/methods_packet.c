// SPDX-License-Identifier: Apache-2.0

// packet.*

#include <errno.h>
#include <stdlib.h>

#include "datapath/datapath.h"
#include "datapath/frame_hex.h"
#include "datapath/packet_out.h"
#include "pipeline/flow_json.h"
#include "pipeline/flow_text.h"
#include "rpc/rpc_params.h"

#define FRAME_MIN 14 // an Ethernet header

static bool in_port_get(
	const struct bridge *bridge, const json_t *params, uint16_t *port, struct rpc_error *error)
{
	json_int_t number = json_integer_value(json_object_get(params, "in_port"));

	*port = number == 0 ? OFPORT_CONTROLLER : (uint16_t)number;
	if (number == 0 || (number > 0 && number <= OFPORT_MAX && bridge->ports[number]))
		return true;
	rpc_error_set(error, RPC_NOT_FOUND, "bridge %s has no port %lld; 0 stands for none",
		bridge->name, (long long)number);
	return false;
}

static bool actions_get(const json_t *params, struct action_list *actions, struct rpc_error *error)
{
	const char *text = json_string_value(json_object_get(params, "actions"));
	struct flow_warnings warnings = {0};
	struct flow_error reason;
	int result = actions_parse_alone(actions, "a packet-out", text, NULL, &warnings, &reason);

	if (result == -EINVAL) {
		rpc_error_set(error, RPC_FLOW_ERROR, "%s", reason.message);
		error->data = flow_error_to_json(&reason);
	} else if (result != 0) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
	}
	return result == 0;
}

static bool frame_send(struct bridge *bridge, uint16_t in_port, const struct action_list *actions,
	const char *hex, struct rpc_error *error)
{
	size_t length;
	uint8_t *frame = frame_from_hex(hex, &length, error);
	bool good = frame != NULL;

	if (good && (length < FRAME_MIN || length > PACKET_IN_FRAME)) {
		rpc_error_set(error, RPC_REFUSED, "frame: %zu bytes; give %d to %d", length,
			FRAME_MIN, PACKET_IN_FRAME);
		good = false;
	}
	good = good && packet_out_send(bridge, in_port, actions, frame, length, error);
	free(frame);
	return good;
}

static json_t *out(void *context, json_t *params, struct rpc_error *error)
{
	struct bridge *bridge = bridge_get(context, params, error);
	struct action_list actions;
	uint16_t in_port;
	bool good;

	if (!bridge || !in_port_get(bridge, params, &in_port, error) ||
		!actions_get(params, &actions, error))
		return NULL;
	good = frame_send(bridge, in_port, &actions,
		json_string_value(json_object_get(params, "frame")), error);
	action_list_destroy(&actions);
	return good ? json_object() : NULL;
}

static json_t *stats(void *context, json_t *params, struct rpc_error *error)
{
	struct bridge *bridge = bridge_get(context, params, error);
	struct packet_in_counters in;
	struct port_counters outs;

	if (!bridge)
		return NULL;
	in = packet_in_counters_get(bridge);
	packet_out_counters(context, &outs);
	return json_pack("{s:{s:I, s:I, s:I}, s:{s:I, s:I, s:I, s:o}}", "packet_in", "sent",
		(json_int_t)in.sent, "lost_rate", (json_int_t)in.lost_rate, "lost_full",
		(json_int_t)in.lost_full, "packet_out", "packets", (json_int_t)outs.rx_packets,
		"bytes", (json_int_t)outs.rx_bytes, "copies", (json_int_t)outs.copies, "drops",
		port_counters_drops(&outs));
}

static const struct rpc_param params_out[] = {
	{"bridge", RPC_STRING, true, "the bridge"},
	{"in_port", RPC_INTEGER, true, "number of the port that it is to come from; 0: none"},
	{"frame", RPC_STRING, true, "the frame in hexadecimal, without FCS"},
	{"actions", RPC_STRING, true,
		"what happens to it; resubmit(,0) is the way into the tables"},
	{NULL},
};

static const struct rpc_param params_bridge[] = {
	{"bridge", RPC_STRING, true, "the bridge"},
	{NULL},
};

const struct rpc_method methods_packet[] = {
	{"packet.out", out, params_out, 0, "{}",
		"Run actions on a frame. When answered, it was sent or counted as dropped."},
	{"packet.stats", stats, params_bridge, 0,
		"{packet_in: {sent, lost_rate, lost_full}, packet_out: {packets, bytes, copies, "
		"drops}}",
		"Events to the controller, of the bridge; frames handed in, of the whole switch."},
	{NULL},
};
