// SPDX-License-Identifier: Apache-2.0

// group.* and meter.*, and the operations of flow.apply on them.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/datapath.h"
#include "datapath/objects.h"
#include "pipeline/flow_json.h"
#include "pipeline/group_text.h"
#include "pipeline/meter_text.h"
#include "rpc/rpc_params.h"

// --- Operations ---

static bool text_refused(const struct flow_error *reason, size_t op, struct rpc_error *error)
{
	rpc_error_set(error, RPC_FLOW_ERROR, "operation %zu: %s", op, reason->message);
	error->data = flow_error_to_json(reason);
	return false;
}

static bool put_done(int result, size_t op, struct rpc_error *error)
{
	if (result != 0)
		rpc_error_set(
			error, RPC_INTERNAL_ERROR, "operation %zu: %s", op, strerror(-result));
	return result == 0;
}

static bool id_differs(uint32_t written, uint64_t id, size_t op, struct rpc_error *error)
{
	if (written == id)
		return false;
	rpc_error_set(error, RPC_INVALID_PARAMS, "operation %zu: the text is of %u, not of %llu",
		op, written, (unsigned long long)id);
	return true;
}

bool object_group_put(struct pipeline *pipeline, uint64_t id, const char *text, size_t op,
	struct rpc_error *error)
{
	struct flow_warnings warnings = {0};
	struct flow_error reason;
	struct group group;
	int result = group_parse(&group, text, NULL, &warnings, &reason);

	if (result == -EINVAL)
		return text_refused(&reason, op, error);
	if (result == 0 && id_differs(group.id, id, op, error)) {
		group_destroy(&group);
		return false;
	}
	return put_done(result ? result : pipeline_group_put(pipeline, &group), op, error);
}

bool object_meter_put(struct pipeline *pipeline, uint64_t id, const char *text, size_t op,
	struct rpc_error *error)
{
	struct flow_error reason;
	struct meter meter;

	if (meter_parse(&meter, text, &reason) != 0)
		return text_refused(&reason, op, error);
	if (id_differs(meter.id, id, op, error))
		return false;
	return put_done(pipeline_meter_put(pipeline, &meter), op, error);
}

static bool delete_done(
	int result, const char *what, uint64_t id, size_t op, struct rpc_error *error)
{
	if (result == 0)
		return true;
	if (result == -ENOENT)
		rpc_error_set(error, RPC_NOT_FOUND, "operation %zu: there is no %s %llu", op, what,
			(unsigned long long)id);
	else
		put_done(result, op, error);
	return false;
}

bool object_group_delete(struct pipeline *pipeline, uint64_t id, const char *text, size_t op,
	struct rpc_error *error)
{
	return delete_done(pipeline_group_remove(pipeline, (uint32_t)id), "group", id, op, error);
}

bool object_meter_delete(struct pipeline *pipeline, uint64_t id, const char *text, size_t op,
	struct rpc_error *error)
{
	return delete_done(pipeline_meter_remove(pipeline, (uint32_t)id), "meter", id, op, error);
}

// --- Methods ---

// [[id, packets, bytes]] with the identifiers, [[packets, bytes]] without.
static json_t *part_json(const struct pipeline_count *count)
{
	return json_pack("[I, I]", (json_int_t)count->packets, (json_int_t)count->bytes);
}

static void group_text(void *context, const struct group *group, struct pipeline_count total,
	const struct pipeline_count parts[])
{
	char *text = group_format(group, NULL);

	json_array_append_new(context, json_pack("[I, s]", (json_int_t)group->id, text));
	free(text);
}

static void group_counts(void *context, const struct group *group, struct pipeline_count total,
	const struct pipeline_count parts[])
{
	json_t *buckets = json_array();

	for (size_t i = 0; i < group->count; i++)
		json_array_append_new(
			buckets, json_pack("[I, I, I]", (json_int_t)group->buckets[i].id,
					 (json_int_t)parts[i].packets, (json_int_t)parts[i].bytes));
	json_array_append_new(
		context, json_pack("[I, I, I, o]", (json_int_t)group->id, (json_int_t)total.packets,
				 (json_int_t)total.bytes, buckets));
}

static void meter_text(void *context, const struct meter *meter, struct pipeline_count total,
	const struct pipeline_count parts[])
{
	char *text = meter_format(meter);

	json_array_append_new(context, json_pack("[I, s]", (json_int_t)meter->id, text));
	free(text);
}

static void meter_counts(void *context, const struct meter *meter, struct pipeline_count total,
	const struct pipeline_count parts[])
{
	json_t *bands = json_array();

	for (size_t i = 0; i < meter->count; i++)
		json_array_append_new(bands, part_json(&parts[i]));
	json_array_append_new(
		context, json_pack("[I, I, I, o]", (json_int_t)meter->id, (json_int_t)total.packets,
				 (json_int_t)total.bytes, bands));
}

static json_t *groups(void *context, json_t *params,
	void (*fn)(void *context, const struct group *group, struct pipeline_count total,
		const struct pipeline_count parts[]),
	struct rpc_error *error)
{
	struct bridge *bridge = bridge_get(context, params, error);
	json_t *array = bridge ? json_array() : NULL;

	if (array)
		pipeline_group_each(bridge->pipeline, fn, array);
	return array;
}

static json_t *group_list(void *context, json_t *params, struct rpc_error *error)
{
	return groups(context, params, group_text, error);
}

static json_t *group_stats(void *context, json_t *params, struct rpc_error *error)
{
	return groups(context, params, group_counts, error);
}

static json_t *meters(void *context, json_t *params,
	void (*fn)(void *context, const struct meter *meter, struct pipeline_count total,
		const struct pipeline_count parts[]),
	struct rpc_error *error)
{
	struct bridge *bridge = bridge_get(context, params, error);
	json_t *array = bridge ? json_array() : NULL;

	if (array)
		pipeline_meter_each(bridge->pipeline, fn, array);
	return array;
}

static json_t *meter_list(void *context, json_t *params, struct rpc_error *error)
{
	return meters(context, params, meter_text, error);
}

static json_t *meter_stats(void *context, json_t *params, struct rpc_error *error)
{
	return meters(context, params, meter_counts, error);
}

static const struct rpc_param params_bridge[] = {
	{"bridge", RPC_STRING, true, "the bridge"},
	{NULL},
};

const struct rpc_method methods_object[] = {
	{"group.list", group_list, params_bridge, 0, "[[id, \"group\"]]",
		"The groups of a bridge."},
	{"group.stats", group_stats, params_bridge, 0,
		"[[id, packets, bytes, [[bucket_id, packets, bytes]]]]",
		"Counters of groups and their buckets."},
	{"meter.list", meter_list, params_bridge, 0, "[[id, \"meter\"]]",
		"The meters of a bridge."},
	{"meter.stats", meter_stats, params_bridge, 0, "[[id, packets, bytes, [[packets, bytes]]]]",
		"Counters of meters, and of what exceeded each of their bands."},
	{NULL},
};
