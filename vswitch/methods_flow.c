// SPDX-License-Identifier: Apache-2.0
//
// flow.* that change flows. All of them go through flow_set_apply(), one request at a time; what
// belongs to one call or one batch is one transaction.

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/flow_json.h"
#include "rpc/json_member.h"
#include "vswitch/flow_input.h"
#include "vswitch/flow_replace.h"
#include "vswitch/methods.h"
#include "vswitch/transaction.h"

// What a call has done so far.
struct change {
	struct vswitch *vs;
	struct flow_owner *owner;
	int64_t now_ms;
	size_t affected;
	size_t added;
	size_t removed;
	size_t modified;
};

static bool apply_request(void *context, struct flow_request *request, struct flow_error *error)
{
	struct change *change = context;
	enum flow_command command = request->command;
	size_t before = flow_set_count(change->owner->set);
	size_t affected = 0;
	int rc = flow_set_apply(change->owner->set, request, change->now_ms, &affected, error);

	flow_request_destroy(request);
	if (rc == -ENOMEM)
		snprintf(error->message, sizeof(error->message), "out of memory");
	if (rc)
		return false;
	change->affected += affected;
	if (command == FLOW_ADD) {
		// A flow that took the place of another leaves the number as it was.
		change->added += affected;
		change->removed += before + affected - flow_set_count(change->owner->set);
	} else if (command == FLOW_MODIFY || command == FLOW_MODIFY_STRICT) {
		change->modified += affected;
	} else {
		change->removed += affected;
	}
	return true;
}

static json_t *change_result(const struct change *change, json_t *warnings)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:O}", "affected", (json_int_t)change->affected,
		"added", (json_int_t)change->added, "removed", (json_int_t)change->removed,
		"modified", (json_int_t)change->modified, "warnings", warnings);
}

static bool change_begin(
	struct change *change, struct vswitch *vs, const json_t *params, struct rpc_error *error)
{
	*change = (struct change){.vs = vs, .now_ms = clock_wall_ms()};
	if (!transaction_enter(vs, params, error))
		return false;
	change->owner = flow_input_owner(vs, params, error);
	if (change->owner)
		flows_change(change->owner);
	return change->owner != NULL;
}

// A single flow is what the method says, whatever word its text begins with.
static bool command_matches(
	enum flow_command wanted, enum flow_command written, struct rpc_error *error)
{
	static const char *const methods[] = {
		"flow.add", "flow.modify", "flow.modify", "flow.delete", "flow.delete"};

	if (wanted == written)
		return true;
	rpc_error_set(error, RPC_FLOW_ERROR,
		"%s does not take a flow that begins with another command; leave the word "
		"out, or use flow.bundle",
		methods[wanted]);
	return false;
}

static json_t *change_one(
	struct vswitch *vs, json_t *params, enum flow_command command, struct rpc_error *error)
{
	const json_t *flow = json_object_get(params, "flow");
	json_t *warnings = json_array();
	struct flow_request request;
	struct flow_error reason = {0};
	struct change change;
	json_t *result = NULL;

	if (!change_begin(&change, vs, params, error) ||
		!flow_input_parse(vs, change.owner, flow, flow ? command : FLOW_DELETE, &request,
			warnings, error))
		goto out;
	if (flow && !command_matches(command, request.command, error)) {
		flow_request_destroy(&request);
		goto out;
	}
	request.command = command;
	if (apply_request(&change, &request, &reason)) {
		result = change_result(&change, warnings);
	} else {
		rpc_error_set(error, RPC_FLOW_ERROR, "%s", reason.message);
		error->data = flow_error_to_json(&reason);
		if (json_is_string(flow))
			json_object_set(error->data, "text", (json_t *)flow);
	}
out:
	json_decref(warnings);
	return result;
}

static json_t *flow_add(void *context, json_t *params, struct rpc_error *error)
{
	return change_one(context, params, FLOW_ADD, error);
}

static json_t *flow_modify(void *context, json_t *params, struct rpc_error *error)
{
	bool strict = json_is_true(json_object_get(params, "strict"));

	return change_one(context, params, strict ? FLOW_MODIFY_STRICT : FLOW_MODIFY, error);
}

static json_t *flow_delete(void *context, json_t *params, struct rpc_error *error)
{
	bool strict = json_is_true(json_object_get(params, "strict"));

	return change_one(context, params, strict ? FLOW_DELETE_STRICT : FLOW_DELETE, error);
}

// --- Many ---

static bool bundle_command(
	const json_t *params, enum flow_command *command, struct rpc_error *error)
{
	static const char *const words[] = {
		[FLOW_ADD] = "add",
		[FLOW_MODIFY] = "modify",
		[FLOW_MODIFY_STRICT] = "modify_strict",
		[FLOW_DELETE] = "delete",
		[FLOW_DELETE_STRICT] = "delete_strict",
	};
	const char *word = text_of(params, "command");

	*command = FLOW_ADD;
	for (int i = FLOW_ADD; *word && i <= FLOW_DELETE_STRICT; i++) {
		if (strcmp(words[i], word) == 0) {
			*command = i;
			return true;
		}
	}
	if (*word)
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"command: \"%s\" is not one of: add modify modify_strict delete "
			"delete_strict",
			word);
	return !*word;
}

static json_t *flow_bundle(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	struct flow_input input = {.vs = vs};
	struct change change;
	json_t *result = NULL;

	if (!bundle_command(params, &input.command, error) ||
		!change_begin(&change, vs, params, error))
		return NULL;
	input.owner = change.owner;
	if (flow_input_each(&input, params, apply_request, &change, error))
		result = change_result(&change, input.lines.warnings);
	flow_input_destroy(&input);
	return result;
}

// --- Replacing all ---

static json_t *flow_replace(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	bool dry_run = json_is_true(json_object_get(params, "dry_run"));
	struct flow_input input = {.vs = vs, .command = FLOW_ADD};
	struct flow_replacement replacement = {0};
	struct change change = {0};
	json_t *result = NULL;

	if (dry_run)
		change.owner = flow_input_owner(vs, params, error);
	else
		change_begin(&change, vs, params, error);
	if (!change.owner)
		return NULL;
	input.owner = change.owner;
	if (flow_input_each(&input, params, flow_replacement_collect, &replacement, error))
		result = flow_replacement_apply(&replacement, change.owner,
			flows_port_names(vs, change.owner), dry_run, error);
	if (result)
		json_object_set(result, "warnings", input.lines.warnings);
	flow_replacement_destroy(&replacement);
	flow_input_destroy(&input);
	return result;
}

#define PARAM_BRIDGE                                             \
	{                                                        \
		"bridge", RPC_STRING, true, "name of the bridge" \
	}
#define PARAM_STRICT                                                                \
	{                                                                           \
		"strict", RPC_BOOLEAN, false,                                       \
			"only the flow with exactly this table, priority and match" \
	}
#define PARAM_LINES                                                                            \
	{"lines", RPC_STRING, false, "flows as text, one a line; blank lines and # comments"}, \
		{"flows", RPC_ARRAY, false, "flows as strings or objects, after the lines"},   \
	{                                                                                      \
		"name", RPC_STRING, false, "file name for messages"                            \
	}
#define CHANGE_RESULT "{affected, added, removed, modified, warnings}"

static const struct rpc_param add_params[] = {
	PARAM_BRIDGE,
	{"flow", RPC_ANY, true, "text, or an object with match and actions"},
	PARAM_NO_WAIT,
	{0},
};

static const struct rpc_param modify_params[] = {
	PARAM_BRIDGE,
	{"flow", RPC_ANY, true, "which flows, and their new actions"},
	PARAM_STRICT,
	PARAM_NO_WAIT,
	{0},
};

static const struct rpc_param delete_params[] = {
	PARAM_BRIDGE,
	{"flow", RPC_ANY, false, "which flows; all if not given"},
	PARAM_STRICT,
	PARAM_NO_WAIT,
	{0},
};

static const struct rpc_param bundle_params[] = {
	PARAM_BRIDGE,
	PARAM_LINES,
	{"command", RPC_STRING, false,
		"what lines without a command mean: add (default), modify, modify_strict, delete, "
		"delete_strict"},
	PARAM_NO_WAIT,
	{0},
};

static const struct rpc_param replace_params[] = {
	PARAM_BRIDGE,
	PARAM_LINES,
	{"dry_run", RPC_BOOLEAN, false, "only say what would change"},
	PARAM_NO_WAIT,
	{0},
};

const struct rpc_method flow_methods[] = {
	{"flow.add", flow_add, add_params, RPC_TRANSACTIONAL, CHANGE_RESULT,
		"Add a flow. One with the same table, priority and match is replaced."},
	{"flow.modify", flow_modify, modify_params, RPC_TRANSACTIONAL, CHANGE_RESULT,
		"Give other actions to flows that the match covers; counters go on."},
	{"flow.delete", flow_delete, delete_params, RPC_TRANSACTIONAL, CHANGE_RESULT,
		"Delete flows that the match covers."},
	{"flow.bundle", flow_bundle, bundle_params, RPC_TRANSACTIONAL, CHANGE_RESULT,
		"Many changes as one transaction; a line may begin with add, modify, "
		"modify_strict, delete or delete_strict. On an error nothing is "
		"changed, and its data lists all errors."},
	{"flow.replace", flow_replace, replace_params, RPC_TRANSACTIONAL,
		"{added, removed, modified, kept, warnings, changes?: [{change, flow}]}",
		"Make the bridge's flows exactly these. What is there already stays, "
		"with its counters. With dry_run, changes lists what would be done."},
	{0},
};
