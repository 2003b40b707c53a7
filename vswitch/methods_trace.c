// SPDX-License-Identifier: Apache-2.0
//
// flow.trace: what would become of a packet. A frame is made here if none is given; the datapath
// runs it.

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/field_value.h"
#include "pipeline/flow_json.h"
#include "pipeline/frame_make.h"
#include "vswitch/flow_input.h"
#include "vswitch/methods.h"

// What a packet cannot have: a flow's table, cookie and so on. False with *error.
static bool only_a_match(const struct flow_request *request, struct rpc_error *error)
{
	const struct flow_filter *filter = &request->filter;

	if (request->command == FLOW_DELETE && filter->any_table && filter->cookie_mask == 0 &&
		filter->out_port == OFPORT_NONE)
		return true;
	rpc_error_set(error, RPC_FLOW_ERROR,
		"flow: describe a packet by fields only, as in in_port=1,tcp,nw_dst=10.0.0.1; it "
		"begins in table 0 whatever a flow's table, cookie or out_port is");
	return false;
}

// The port, by number or by name, that the parameter `in_port` says; 0 with *error.
static uint16_t port_of(
	const struct port_names *names, const json_t *in_port, struct rpc_error *error)
{
	const char *name = json_string_value(in_port);
	json_int_t number = json_integer_value(in_port);

	if (name) {
		uint16_t found = port_find(names, name, strlen(name));

		if (!found)
			rpc_error_set(error, RPC_NOT_FOUND,
				"bridge %s has no port \"%s\"; ofctl show %s lists them",
				names->bridge, name, names->bridge);
		return found;
	}
	if (number >= 1 && number <= OFPORT_MAX)
		return (uint16_t)number;
	rpc_error_set(error, RPC_INVALID_PARAMS,
		"in_port takes a port's name or its number (1 to %d)", OFPORT_MAX);
	return 0;
}

// Is there such a port on the bridge?
static bool port_known(const struct port_names *names, uint16_t number, struct rpc_error *error)
{
	for (size_t i = 0; i < names->count; i++)
		if (names->items[i].number == number)
			return true;
	rpc_error_set(error, RPC_NOT_FOUND,
		"in_port: bridge %s has no port %u that a packet could come from; ofctl show %s "
		"lists them",
		names->bridge, number, names->bridge);
	return false;
}

// Put the ingress port into the match, from where it is given. False with *error.
static bool ingress_settle(const struct port_names *names, const json_t *params,
	struct match *match, struct rpc_error *error)
{
	const json_t *in_port = json_object_get(params, "in_port");
	uint16_t number;

	if (in_port) {
		number = port_of(names, in_port, error);
		if (!number)
			return false;
		if (match->mask.in_port && match->value.in_port != htons(number)) {
			rpc_error_set(error, RPC_INVALID_PARAMS,
				"in_port is %u, but flow says in_port=%u", number,
				ntohs(match->value.in_port));
			return false;
		}
		match->mask.in_port = UINT16_MAX;
		match->value.in_port = htons(number);
	}
	if (!match->mask.in_port) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"which port does the packet come from? Add in_port=, by name or number");
		return false;
	}
	return port_known(names, ntohs(match->value.in_port), error);
}

// Does the match say nothing but the ingress port?
static bool only_ingress(const struct match *match)
{
	struct match ingress = {
		.value.in_port = match->value.in_port, .mask.in_port = match->mask.in_port};

	return match_equal(match, &ingress);
}

// Where the field stands in the text that was given, if it is called there as in the message.
static void error_place(struct flow_error *reason, const char *text)
{
	const char *at = text ? strstr(text, reason->field) : NULL;

	if (!at)
		return;
	reason->offset = (size_t)(at - text);
	reason->length = strcspn(at, ", \t");
}

static json_t *made_frame(const struct match *match, const json_t *flow, struct rpc_error *error)
{
	uint8_t frame[FRAME_MAKE_MAX];
	char hex[2 * FRAME_MAKE_MAX + 1];
	struct flow_error reason;
	size_t length;

	if (frame_make(match, frame, &length, &reason) != 0) {
		error_place(&reason, json_string_value(flow));
		rpc_error_set(error, RPC_FLOW_ERROR, "%s", reason.message);
		error->data = flow_error_to_json(&reason);
		json_object_set(error->data, "text", (json_t *)flow);
		return NULL;
	}
	for (size_t i = 0; i < length; i++)
		snprintf(hex + 2 * i, 3, "%02x", frame[i]);
	return json_string(hex);
}

static json_t *flow_trace(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	struct flow_owner *owner = flow_input_owner(vs, params, error);
	json_t *flow = json_object_get(params, "flow");
	json_t *frame = json_object_get(params, "frame");
	json_t *names = json_object_get(params, "names");
	json_t *lost = json_object_get(params, "lost");
	struct flow_request request;
	struct match match;

	if (!owner || !flow_input_parse(vs, owner, flow, FLOW_DELETE, &request, NULL, error))
		return NULL;
	match = request.flow.match;
	if (!only_a_match(&request, error) ||
		!ingress_settle(flows_port_names(vs, owner), params, &match, error)) {
		flow_request_destroy(&request);
		return NULL;
	}
	flow_request_destroy(&request);
	if (frame && !only_ingress(&match)) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"the frame says what the packet is; besides it, give in_port= only");
		return NULL;
	}
	frame = frame ? json_incref(frame) : made_frame(&match, flow, error);
	if (!frame)
		return NULL;
	return datapath_link_call(vs->link, "flow.trace",
		json_pack("{s:s, s:i, s:o, s:O*, s:O*}", "bridge", owner->name, "in_port",
			(int)ntohs(match.value.in_port), "frame", frame, "names", names, "lost",
			lost),
		error);
}

static const struct rpc_param trace_params[] = {
	{"bridge", RPC_STRING, true, "name of the bridge"},
	{"flow", RPC_ANY, false, "a match as text or object, from which a frame is made"},
	{"frame", RPC_STRING, false,
		"the frame itself, in hexadecimal without FCS; then flow may say in_port only"},
	{"in_port", RPC_ANY, false,
		"name or number of the port that it comes from, if flow does not say it"},
	{"names", RPC_BOOLEAN, false, "write ports by name"},
	{"lost", RPC_INTEGER, false,
		"most flows listed as lost in each table, up to 1000; default 100"},
	{0},
};

const struct rpc_method trace_methods[] = {
	{"flow.trace", flow_trace, trace_params, 0,
		"{packet, steps, steps_omitted, outputs: [{ofport?, port?, length, frame?, "
		"fields?, "
		"drop?, help?}], outputs_omitted, drop?, help?}",
		"What would become of a packet, and why; nothing is changed, counted or sent. "
		"Steps are the tables (the flow that won, those before it that lost and the first "
		"field in which they differ), the actions with what they changed, and what NORMAL "
		"knew. drop is the end of the packet itself, or of an output."},
	{0},
};
