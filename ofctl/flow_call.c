// SPDX-License-Identifier: Apache-2.0
#include "ofctl/flow_call.h"

#include <stdlib.h>

#include "ofctl/flow_message.h"
#include "ofctl/input_file.h"

void flow_call_warnings(
	const struct ofctl *ofctl, const json_t *object, const struct flow_source *source)
{
	flow_messages_print(json_object_get(object, "warnings"), ofctl->cli.program, source->file,
		"warning", source->lines, stderr);
}

int flow_call_refused(
	struct ofctl *ofctl, const struct flow_source *source, struct rpc_error *error)
{
	json_t *errors = json_object_get(error->data, "errors");

	// An error that has no place in the text is about all of it.
	bool placed = errors != NULL || json_object_get(error->data, "offset") != NULL;

	if (error->code != RPC_FLOW_ERROR || !placed || source->lines == NULL)
		return ofctl_refused(ofctl, error);
	flow_call_warnings(ofctl, error->data, source);
	if (json_is_array(errors)) {
		flow_messages_print(
			errors, ofctl->cli.program, source->file, "error", source->lines, stderr);
	} else {
		json_t *single = json_pack("[O]", error->data);

		if (json_object_get(error->data, "message") == NULL)
			json_object_set_new(error->data, "message", json_string(error->message));
		flow_messages_print(
			single, ofctl->cli.program, source->file, "error", source->lines, stderr);
		json_decref(single);
	}
	rpc_error_clear(error);
	return CLI_EXIT_REFUSED;
}

int ofctl_flow_refused(struct ofctl *ofctl, const char *flow, struct rpc_error *error)
{
	struct flow_source source = {.lines = flow};

	return flow_call_refused(ofctl, &source, error);
}

int flow_call(struct ofctl *ofctl, const char *method, json_t *params,
	const struct flow_source *source, int (*print)(const json_t *result, FILE *out))
{
	struct rpc_error error = {0};
	json_t *result = ofctl_call(ofctl, method, params, &error);
	int status = CLI_EXIT_OK;

	if (result == NULL)
		return flow_call_refused(ofctl, source, &error);
	flow_call_warnings(ofctl, result, source);
	if (ofctl->cli.json)
		cli_print_json(result, stdout);
	else if (print != NULL)
		status = print(result, stdout);
	json_decref(result);
	return status;
}

int flow_file_call(struct ofctl *ofctl, const char *method, bool dry_run,
	int (*print)(const json_t *result, FILE *out))
{
	struct rpc_error error = {0};
	const char *name = input_file_name(ofctl->argv[1]);
	char *lines = input_file_read(ofctl->argv[1], &error);
	struct flow_source source = {.file = name, .lines = lines};
	json_t *params;
	int status;

	if (lines == NULL)
		return ofctl_refused(ofctl, &error);
	if (ofctl->cli.connect_timeout_ms == 0)
		ofctl->cli.timeout_ms = FILE_TIMEOUT_MS;
	// The file has been found to be UTF-8.
	params = json_pack("{s:s, s:o, s:s}", "bridge", ofctl->argv[0], "lines",
		json_string_nocheck(lines), "name", name);
	if (dry_run)
		json_object_set_new(params, "dry_run", json_true());
	status = flow_call(ofctl, method, params, &source, print);
	free(lines);
	return status;
}
