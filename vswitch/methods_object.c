// SPDX-License-Identifier: Apache-2.0
//
// group.* and meter.* that change something: one set of handlers for all kinds of objects. What
// belongs to one call or one batch is one transaction, flows included.

#include <errno.h>
#include <string.h>

#include "pipeline/flow_json.h"
#include "vswitch/flow_input.h"
#include "vswitch/methods.h"
#include "vswitch/object_change.h"
#include "vswitch/transaction.h"

// What object_change.h says, as the error of a call about one object.
static json_t *refused(
	int rc, const struct flow_error *reason, const json_t *input, struct rpc_error *error)
{
	int code = rc == -EEXIST   ? RPC_EXISTS
		   : rc == -ENOENT ? RPC_NOT_FOUND
		   : rc == -EBUSY  ? RPC_REFUSED
		   : rc == -EINVAL ? RPC_FLOW_ERROR
				   : RPC_INTERNAL_ERROR;

	rpc_error_set(error, code, "%s", rc == -ENOMEM ? "out of memory" : reason->message);
	if (rc != -EINVAL)
		return NULL;
	error->data = flow_error_to_json(reason);
	if (json_is_string(input))
		json_object_set(error->data, "text", (json_t *)input);
	if (reason->kind == FLOW_ERROR_TABLE_FULL) {
		// It is about no place of a text.
		json_object_del(error->data, "offset");
		json_object_del(error->data, "length");
	}
	return NULL;
}

static bool edit_begin(struct object_edit *edit, struct vswitch *vs, enum flow_reference kind,
	const json_t *params, struct rpc_error *error)
{
	*edit = (struct object_edit){
		.vs = vs,
		.kind = kind,
		.may_exist = json_is_true(json_object_get(params, "may_exist")),
		.may_create = json_is_true(json_object_get(params, "may_create")),
		.now_ms = clock_wall_ms(),
	};
	if (!transaction_enter(vs, params, error))
		return false;
	edit->owner = flow_input_owner(vs, params, error);
	if (edit->owner)
		flows_change(edit->owner);
	return edit->owner != NULL;
}

// --- Adding and modifying ---

static int read_object(void *context, const json_t *item, bool only_judge,
	struct flow_warnings *warnings, struct flow_error *error)
{
	struct object_edit *edit = context;

	if (!json_is_string(item) && !json_is_object(item))
		return flow_error_set(error, FLOW_ERROR_SYNTAX, NULL,
			"a %s is a string or an object", object_kind_get(edit->kind)->name);
	return only_judge ? object_edit_judge(edit, item, warnings, error)
			  : object_edit_put(edit, item, warnings, error);
}

// All that the parameters have: one under the kind's name, a text of lines, an array.
static json_t *put(struct vswitch *vs, enum flow_reference kind, bool modify, json_t *params,
	struct rpc_error *error)
{
	const struct object_kind *row = object_kind_get(kind);
	const json_t *one = json_object_get(params, row->name);
	struct line_input input = {0};
	struct flow_warnings warnings = {0};
	struct flow_error reason = {0};
	struct object_edit edit;
	json_t *result = NULL;
	int rc;

	if (!one && !json_object_get(params, "lines") && !json_object_get(params, row->dump)) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"the parameter \"%s\" is missing (or lines, or %s)", row->name, row->dump);
		return NULL;
	}
	if (!edit_begin(&edit, vs, kind, params, error))
		return NULL;
	edit.modify = modify;
	rc = one ? read_object(&edit, one, false, &warnings, &reason) : 0;
	if (rc)
		return refused(rc, &reason, one, error);
	if (line_input_each(&input, params, row->dump, read_object, &edit, error)) {
		line_input_warn(input.warnings, &warnings, 0, NULL);
		result = json_pack("{s:I, s:I, s:O}", "added", (json_int_t)edit.added, "modified",
			(json_int_t)edit.modified, "warnings", input.warnings);
	}
	line_input_destroy(&input);
	return result;
}

static json_t *group_add(void *context, json_t *params, struct rpc_error *error)
{
	return put(context, FLOW_GROUP, false, params, error);
}

static json_t *group_modify(void *context, json_t *params, struct rpc_error *error)
{
	return put(context, FLOW_GROUP, true, params, error);
}

static json_t *meter_add(void *context, json_t *params, struct rpc_error *error)
{
	return put(context, FLOW_METER, false, params, error);
}

static json_t *meter_modify(void *context, json_t *params, struct rpc_error *error)
{
	return put(context, FLOW_METER, true, params, error);
}

// --- Deleting ---

static json_t *delete (
	struct vswitch *vs, enum flow_reference kind, json_t *params, struct rpc_error *error)
{
	const struct object_kind *row = object_kind_get(kind);
	const json_t *which = json_object_get(params, row->name);
	const char *text = json_string_value(which);
	struct flow_error reason = {0};
	struct object_edit edit;
	bool all = false;
	uint32_t id = 0;
	int rc;

	if (!edit_begin(&edit, vs, kind, params, error))
		return NULL;
	rc = row->select(text ? text : "", &all, &id, &reason);
	if (!rc)
		rc = object_edit_remove(&edit, all ? NULL : &id, &reason);
	if (rc == -ENOENT && json_is_true(json_object_get(params, "if_exists")))
		rc = 0;
	if (rc)
		return refused(rc, &reason, which, error);
	return json_pack("{s:I, s:I}", "removed", (json_int_t)edit.removed, "flows_removed",
		(json_int_t)edit.flows_removed);
}

static json_t *group_delete(void *context, json_t *params, struct rpc_error *error)
{
	return delete (context, FLOW_GROUP, params, error);
}

static json_t *meter_delete(void *context, json_t *params, struct rpc_error *error)
{
	return delete (context, FLOW_METER, params, error);
}

// --- Rows ---

#define PARAM_BRIDGE                                             \
	{                                                        \
		"bridge", RPC_STRING, true, "name of the bridge" \
	}
#define PARAMS_MANY(WHAT)                                                                      \
	{"lines", RPC_STRING, false, WHAT " as text, one a line; blank lines and # comments"}, \
		{WHAT, RPC_ARRAY, false, WHAT " as strings or objects, after the lines"},      \
	{                                                                                      \
		"name", RPC_STRING, false, "file name for messages"                            \
	}
#define PARAM_MAY_EXIST                                                              \
	{                                                                            \
		"may_exist", RPC_BOOLEAN, false, "one that is there and equal stays" \
	}
#define PARAM_MAY_CREATE                                                      \
	{                                                                     \
		"may_create", RPC_BOOLEAN, false, "add one that is not there" \
	}
#define PARAM_IF_EXISTS                                                        \
	{                                                                      \
		"if_exists", RPC_BOOLEAN, false, "no error if it is not there" \
	}
#define PUT_RESULT "{added, modified, warnings}"
#define DELETE_RESULT "{removed, flows_removed}"

static const struct rpc_param group_add_params[] = {
	PARAM_BRIDGE,
	{"group", RPC_ANY, false, "text, or an object with group_id, type and buckets"},
	PARAMS_MANY("groups"),
	PARAM_MAY_EXIST,
	PARAM_NO_WAIT,
	{0},
};

static const struct rpc_param group_modify_params[] = {
	PARAM_BRIDGE,
	{"group", RPC_ANY, false, "the whole group as it is to be, as text or object"},
	PARAMS_MANY("groups"),
	PARAM_MAY_CREATE,
	PARAM_NO_WAIT,
	{0},
};

static const struct rpc_param group_delete_params[] = {
	PARAM_BRIDGE,
	{"group", RPC_STRING, false, "\"group_id=5\" or \"all\"; all if not given"},
	PARAM_IF_EXISTS,
	PARAM_NO_WAIT,
	{0},
};

static const struct rpc_param meter_add_params[] = {
	PARAM_BRIDGE,
	{"meter", RPC_ANY, false, "text, or an object with meter, unit and bands"},
	PARAMS_MANY("meters"),
	PARAM_MAY_EXIST,
	PARAM_NO_WAIT,
	{0},
};

static const struct rpc_param meter_modify_params[] = {
	PARAM_BRIDGE,
	{"meter", RPC_ANY, false, "the whole meter as it is to be, as text or object"},
	PARAMS_MANY("meters"),
	PARAM_MAY_CREATE,
	PARAM_NO_WAIT,
	{0},
};

static const struct rpc_param meter_delete_params[] = {
	PARAM_BRIDGE,
	{"meter", RPC_STRING, false, "\"meter=5\" or \"all\"; all if not given"},
	PARAM_IF_EXISTS,
	PARAM_NO_WAIT,
	{0},
};

const struct rpc_method object_methods[] = {
	{"group.add", group_add, group_add_params, RPC_TRANSACTIONAL, PUT_RESULT,
		"Add a group, or many: then on an error none is added, and its data lists all "
		"errors. What their buckets name must be there already."},
	{"group.modify", group_modify, group_modify_params, RPC_TRANSACTIONAL, PUT_RESULT,
		"Give a group other buckets, or another type; flows that name it stay."},
	{"group.delete", group_delete, group_delete_params, RPC_TRANSACTIONAL, DELETE_RESULT,
		"Delete groups, and the flows that name them. Refused while a group that stays "
		"names one of them."},
	{"meter.add", meter_add, meter_add_params, RPC_TRANSACTIONAL, PUT_RESULT,
		"Add a meter, or many: then on an error none is added, and its data lists all "
		"errors."},
	{"meter.modify", meter_modify, meter_modify_params, RPC_TRANSACTIONAL, PUT_RESULT,
		"Give a meter other bands; flows that name it stay."},
	{"meter.delete", meter_delete, meter_delete_params, RPC_TRANSACTIONAL, DELETE_RESULT,
		"Delete meters, and the flows that name them. Refused while a group names one of "
		"them."},
	{0},
};
