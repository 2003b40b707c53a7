// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "ofctl/flow_dump.h"
#include "ofctl/flow_message.h"
#include "ofctl/input_file.h"
#include "ofctl/ofctl.h"

// How long a file of flows may take if nothing else was said: they may be many.
#define FILE_TIMEOUT_MS 120000

// What a call said of flows: one flow that was an argument, or a file of them.
struct flow_source {
	const char *file;  // NULL: an argument
	const char *lines; // all text
};

static void warnings_print(
	const struct ofctl *ofctl, const json_t *object, const struct flow_source *source)
{
	flow_messages_print(json_object_get(object, "warnings"), ofctl->cli.program, source->file,
		"warning", source->lines, stderr);
}

// Errors in flows are shown where they are, all others like those of any command.
static int flows_refused(
	struct ofctl *ofctl, const struct flow_source *source, struct rpc_error *error)
{
	json_t *errors = json_object_get(error->data, "errors");

	// An error that has no place in the text is about all of it.
	bool placed = errors != NULL || json_object_get(error->data, "offset") != NULL;

	if (error->code != RPC_FLOW_ERROR || !placed || source->lines == NULL)
		return ofctl_refused(ofctl, error);
	warnings_print(ofctl, error->data, source);
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

	return flows_refused(ofctl, &source, error);
}

// Call, show warnings, and the result if JSON is wanted. `print` may be NULL: silent when done.
static int flows_call(struct ofctl *ofctl, const char *method, json_t *params,
	const struct flow_source *source, int (*print)(const json_t *result, FILE *out))
{
	struct rpc_error error = {0};
	json_t *result = ofctl_call(ofctl, method, params, &error);
	int status = CLI_EXIT_OK;

	if (result == NULL)
		return flows_refused(ofctl, source, &error);
	warnings_print(ofctl, result, source);
	if (ofctl->cli.json)
		cli_print_json(result, stdout);
	else if (print != NULL)
		status = print(result, stdout);
	json_decref(result);
	return status;
}

// {"bridge": first word}, and the second as "flow", if there is one.
static json_t *flow_params(const struct ofctl *ofctl)
{
	json_t *params = json_pack("{s:s}", "bridge", ofctl->argv[0]);

	if (ofctl->argc > 1)
		json_object_set_new(params, "flow", json_string(ofctl->argv[1]));
	return params;
}

static int flow_change(struct ofctl *ofctl, const char *method, json_t *params)
{
	struct flow_source source = {.lines = ofctl->argc > 1 ? ofctl->argv[1] : NULL};

	if (ofctl->strict)
		json_object_set_new(params, "strict", json_true());
	return flows_call(ofctl, method, params, &source, NULL);
}

int ofctl_add_flow(struct ofctl *ofctl)
{
	return flow_change(ofctl, "flow.add", flow_params(ofctl));
}

int ofctl_mod_flows(struct ofctl *ofctl)
{
	return flow_change(ofctl, "flow.modify", flow_params(ofctl));
}

int ofctl_del_flows(struct ofctl *ofctl)
{
	return flow_change(ofctl, "flow.delete", flow_params(ofctl));
}

// A method that takes "lines": the second word names the file.
static int file_call(struct ofctl *ofctl, const char *method, bool dry_run,
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
	params = json_pack("{s:s, s:s}", "bridge", ofctl->argv[0], "lines", lines);
	if (strcmp(method, "flow.bundle") == 0)
		json_object_set_new(params, "name", json_string(name));
	if (dry_run)
		json_object_set_new(params, "dry_run", json_true());
	status = flows_call(ofctl, method, params, &source, print);
	free(lines);
	return status;
}

int ofctl_add_flows(struct ofctl *ofctl)
{
	return file_call(ofctl, "flow.bundle", false, NULL);
}

// "-flow" goes, "+flow" comes. Returns whether there are any.
static bool changes_print(const json_t *result, FILE *out)
{
	size_t index;
	json_t *change;

	json_array_foreach (json_object_get(result, "changes"), index, change) {
		const char *what = json_string_value(json_object_get(change, "change"));
		const char *text = json_string_value(json_object_get(change, "flow"));
		char sign = what == NULL                  ? '?'
			    : strcmp(what, "add") == 0    ? '+'
			    : strcmp(what, "remove") == 0 ? '-'
							  : '!';

		fprintf(out, "%c%s\n", sign, text != NULL ? text : "");
	}
	return json_array_size(json_object_get(result, "changes")) > 0 ||
	       json_integer_value(json_object_get(result, "added")) > 0 ||
	       json_integer_value(json_object_get(result, "removed")) > 0 ||
	       json_integer_value(json_object_get(result, "modified")) > 0;
}

static int replacement_print(const json_t *result, FILE *out)
{
	changes_print(result, out);
	fprintf(out, "%lld to add, %lld to remove, %lld to modify\n",
		json_integer_value(json_object_get(result, "added")),
		json_integer_value(json_object_get(result, "removed")),
		json_integer_value(json_object_get(result, "modified")));
	return CLI_EXIT_OK;
}

int ofctl_replace_flows(struct ofctl *ofctl)
{
	return file_call(
		ofctl, "flow.replace", ofctl->dry_run, ofctl->dry_run ? replacement_print : NULL);
}

static int difference_print(const json_t *result, FILE *out)
{
	return changes_print(result, out) ? CLI_EXIT_REFUSED : CLI_EXIT_OK;
}

int ofctl_diff_flows(struct ofctl *ofctl)
{
	return file_call(ofctl, "flow.replace", true, difference_print);
}

static void flows_print(const struct ofctl *ofctl, const json_t *flows)
{
	const char *field = ofctl->sort_field != NULL ? ofctl->sort_field : "priority";
	json_t *sorted = ofctl->sorted ? flow_dump_sort(flows, field, ofctl->reversed) : NULL;
	size_t index;
	json_t *flow;

	json_array_foreach (sorted != NULL ? sorted : (json_t *)flows, index, flow)
		flow_dump_print(flow, stdout);
	json_decref(sorted);
}

int ofctl_dump_flows(struct ofctl *ofctl)
{
	struct flow_source source = {.lines = ofctl->argc > 1 ? ofctl->argv[1] : NULL};
	struct rpc_error error = {0};
	json_t *params = flow_params(ofctl);
	json_t *result;

	json_object_set_new(params, "names", json_boolean(ofctl->names));
	json_object_set_new(params, "stats", json_true());
	if (ofctl->cli.connect_timeout_ms == 0)
		ofctl->cli.timeout_ms = FILE_TIMEOUT_MS;
	result = ofctl_call(ofctl, "flow.dump", params, &error);
	if (result == NULL)
		return flows_refused(ofctl, &source, &error);
	warnings_print(ofctl, result, &source);
	if (ofctl->cli.json)
		cli_print_json(result, stdout);
	else
		flows_print(ofctl, json_object_get(result, "flows"));
	json_decref(result);
	return CLI_EXIT_OK;
}

static int aggregate_print(const json_t *result, FILE *out)
{
	fprintf(out, "packet_count=%lld byte_count=%lld flow_count=%lld\n",
		json_integer_value(json_object_get(result, "packets")),
		json_integer_value(json_object_get(result, "bytes")),
		json_integer_value(json_object_get(result, "flows")));
	return CLI_EXIT_OK;
}

int ofctl_dump_aggregate(struct ofctl *ofctl)
{
	struct flow_source source = {.lines = ofctl->argc > 1 ? ofctl->argv[1] : NULL};

	return flows_call(ofctl, "flow.aggregate", flow_params(ofctl), &source, aggregate_print);
}
