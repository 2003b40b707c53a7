// SPDX-License-Identifier: Apache-2.0
#include "vswitch/flow_input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_json.h"
#include "vswitch/model_edit.h"

#define ERRORS_LISTED 1000

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

static void append_warnings(
	json_t *list, const struct flow_warnings *warnings, size_t line, const char *file)
{
	for (unsigned i = 0; list && i < warnings->count; i++) {
		json_t *item = flow_error_to_json(&warnings->items[i]);

		json_object_set_new(item, "message", json_string(warnings->items[i].message));
		if (line)
			json_object_set_new(item, "line", json_integer((json_int_t)line));
		if (file)
			json_object_set_new(item, "file", json_string(file));
		json_array_append_new(list, item);
	}
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
	append_warnings(warnings, &found, 0, NULL);
	return true;
}

// --- Many ---

static void input_error(
	struct flow_input *input, const struct flow_error *reason, size_t line, const json_t *text)
{
	json_t *item;

	if (input->n_errors++ >= ERRORS_LISTED)
		return;
	item = flow_error_to_json(reason);
	json_object_set_new(item, "message", json_string(reason->message));
	json_object_set_new(item, "line", json_integer((json_int_t)line));
	json_object_set_new(item, "file", json_string(input->file));
	json_object_set(item, "text", (json_t *)text);
	json_array_append_new(input->errors, item);
}

struct use {
	bool (*fn)(void *context, struct flow_request *request, struct flow_error *error);
	void *context;
};

static void input_one(
	struct flow_input *input, const json_t *flow, size_t line, const struct use *use)
{
	struct flow_warnings warnings = {0};
	struct flow_error reason = {0};
	struct flow_request request;
	int rc = parse_any(input->owner, flow, input->command,
		flows_port_names(input->vs, input->owner), &request, &warnings, &reason);

	if (rc == -ENOMEM)
		snprintf(reason.message, sizeof(reason.message), "out of memory");
	if (rc == 0) {
		append_warnings(input->warnings, &warnings, line, input->file);
		if (input->n_errors)
			flow_request_destroy(&request);
		else if (!use->fn(use->context, &request, &reason))
			rc = -EINVAL;
	}
	if (rc)
		input_error(input, &reason, line, flow);
}

// Walk through the lines of a text without copying all of it at once.
static void input_lines(struct flow_input *input, const char *text, const struct use *use)
{
	char *line = NULL;
	size_t room = 0;
	size_t number = 0;

	while (*text) {
		size_t length = strcspn(text, "\n");
		size_t kept = length && text[length - 1] == '\r' ? length - 1 : length;

		number++;
		if (kept >= room) {
			free(line);
			room = kept + 256;
			line = malloc(room);
			if (!line) {
				input->n_errors++;
				return;
			}
		}
		memcpy(line, text, kept);
		line[kept] = '\0';
		if (!flow_text_is_blank(line)) {
			json_t *flow = json_stringn_nocheck(line, kept);

			input_one(input, flow, number, use);
			json_decref(flow);
		}
		text += length + (text[length] == '\n');
	}
	free(line);
}

static void input_failed(struct flow_input *input, struct rpc_error *error)
{
	const json_t *first = json_array_get(input->errors, 0);
	const char *message = json_string_value(json_object_get(first, "message"));
	char others[64] = "";

	if (input->n_errors > 1)
		snprintf(others, sizeof(others), " (and %zu more errors)", input->n_errors - 1);
	rpc_error_set(error, RPC_FLOW_ERROR, "%s:%lld:%lld: %s%s", input->file,
		(long long)json_integer_value(json_object_get(first, "line")),
		(long long)json_integer_value(json_object_get(first, "offset")) + 1,
		message ? message : "out of memory", others);
	error->data = json_pack("{s:O, s:O, s:I}", "errors", input->errors, "warnings",
		input->warnings, "count", (json_int_t)input->n_errors);
}

bool flow_input_each(struct flow_input *input, const json_t *params,
	bool (*fn)(void *context, struct flow_request *request, struct flow_error *error),
	void *context, struct rpc_error *error)
{
	const char *name = json_string_value(json_object_get(params, "name"));
	const char *lines = json_string_value(json_object_get(params, "lines"));
	struct use use = {.fn = fn, .context = context};
	size_t i;
	json_t *flow;

	input->file = name ? name : "flows";
	input->errors = json_array();
	input->warnings = json_array();
	if (lines)
		input_lines(input, lines, &use);
	json_array_foreach (json_object_get(params, "flows"), i, flow) {
		input_one(input, flow, i + 1, &use);
	}
	if (input->n_errors)
		input_failed(input, error);
	return input->n_errors == 0;
}

void flow_input_destroy(struct flow_input *input)
{
	json_decref(input->errors);
	json_decref(input->warnings);
}
