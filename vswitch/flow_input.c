// SPDX-License-Identifier: Apache-2.0
#include "vswitch/flow_input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_json.h"
#include "vswitch/model_edit.h"

struct flow_owner *flow_input_owner(
	struct vswitch *vs, const json_t *params, struct rpc_error *error)
{
	const json_t *bridge = model_bridge(
		vs->model, json_string_value(json_object_get(params, "bridge")), error);
	struct flow_owner *owner = bridge ? flows_find(vs, row_uuid(bridge)) : NULL;

	if (bridge && !owner)
		rpc_error_set(error, RPC_INTERNAL_ERROR, "bridge %s has no flow tables",
			row_string(bridge, "name"));
	return owner;
}

static int parse_any(struct flow_owner *owner, const json_t *flow, enum flow_command command,
	const struct port_names *names, struct flow_request *request,
	struct flow_warnings *warnings, struct flow_error *reason)
{
	if (!flow)
		return flow_request_parse(request, "", FLOW_DELETE, names, warnings, reason);
	if (json_is_string(flow))
		return flow_request_parse(
			request, json_string_value(flow), command, names, warnings, reason);
	return flow_request_from_json(request, flow, command, names, warnings, reason);
}

bool flow_input_parse(struct vswitch *vs, struct flow_owner *owner, const json_t *flow,
	enum flow_command command, struct flow_request *request, json_t *warnings,
	struct rpc_error *error)
{
	struct flow_warnings found = {0};
	struct flow_error reason = {0};
	int rc;

	if (flow && !json_is_string(flow) && !json_is_object(flow)) {
		rpc_error_set(error, RPC_INVALID_PARAMS, "flow takes a string or an object");
		return false;
	}
	rc = parse_any(owner, flow, command, flows_port_names(vs, owner), request, &found, &reason);
	if (rc == -EINVAL) {
		rpc_error_set(error, RPC_FLOW_ERROR, "%s", reason.message);
		error->data = flow_error_to_json(&reason);
		if (json_is_string(flow))
			json_object_set(error->data, "text", (json_t *)flow);
		return false;
	}
	if (rc) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return false;
	}
	line_input_warn(warnings, &found, 0, NULL);
	return true;
}

// --- Many ---

struct use {
	const struct flow_input *input;
	bool (*fn)(void *context, struct flow_request *request, struct flow_error *error);
	void *context;
};

static int read_flow(void *context, const json_t *flow, bool only_judge,
	struct flow_warnings *warnings, struct flow_error *error)
{
	const struct use *use = context;
	const struct flow_input *input = use->input;
	struct flow_request request;
	int rc = parse_any(input->owner, flow, input->command,
		flows_port_names(input->vs, input->owner), &request, warnings, error);

	if (rc)
		return rc;
	if (!only_judge)
		return use->fn(use->context, &request, error) ? 0 : -EINVAL;
	flow_request_destroy(&request);
	return 0;
}

bool flow_input_each(struct flow_input *input, const json_t *params,
	bool (*fn)(void *context, struct flow_request *request, struct flow_error *error),
	void *context, struct rpc_error *error)
{
	struct use use = {.input = input, .fn = fn, .context = context};

	return line_input_each(&input->lines, params, "flows", read_flow, &use, error);
}

void flow_input_destroy(struct flow_input *input)
{
	line_input_destroy(&input->lines);
}
