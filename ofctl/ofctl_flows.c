// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "ofctl/flow_call.h"
#include "ofctl/flow_dump.h"
#include "ofctl/ofctl.h"

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
	return flow_call(ofctl, method, params, &source, NULL);
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

int ofctl_add_flows(struct ofctl *ofctl)
{
	return flow_file_call(ofctl, "flow.bundle", false, NULL);
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
	return flow_file_call(
		ofctl, "flow.replace", ofctl->dry_run, ofctl->dry_run ? replacement_print : NULL);
}

static int difference_print(const json_t *result, FILE *out)
{
	return changes_print(result, out) ? CLI_EXIT_REFUSED : CLI_EXIT_OK;
}

int ofctl_diff_flows(struct ofctl *ofctl)
{
	return flow_file_call(ofctl, "flow.replace", true, difference_print);
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
		return flow_call_refused(ofctl, &source, &error);
	flow_call_warnings(ofctl, result, &source);
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

	return flow_call(ofctl, "flow.aggregate", flow_params(ofctl), &source, aggregate_print);
}
