// SPDX-License-Identifier: Apache-2.0
//
// Bringing the flows of a bridge, and what they name, to what is wanted.

#include "vswitch/sync.h"

#include <stdlib.h>

#include "vswitch/log.h"
#include "vswitch/reconcile.h"

static int compare_records(const void *a, const void *b)
{
	const struct flow_record *x = a;
	const struct flow_record *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

// The answer of flow.list as sorted records, which borrow its strings.
static struct flow_record *actual_records(const json_t *list, size_t *count)
{
	size_t n = json_array_size(list);
	struct flow_record *records = calloc(n + 1, sizeof(*records));

	*count = 0;
	for (size_t i = 0; records && i < n; i++) {
		const json_t *item = json_array_get(list, i);
		const char *text = json_string_value(json_array_get(item, 1));

		records[*count].id = (uint64_t)json_integer_value(json_array_get(item, 0));
		records[(*count)++].text = text ? text : "";
	}
	if (records)
		qsort(records, *count, sizeof(*records), compare_records);
	return records;
}

// --- Groups and meters ---

static int compare_object_records(const void *a, const void *b)
{
	const struct object_record *x = a;
	const struct object_record *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static struct object_record *actual_object_records(const json_t *list, size_t *count)
{
	size_t n = json_array_size(list);
	struct object_record *records = calloc(n + 1, sizeof(*records));

	*count = 0;
	for (size_t i = 0; records && i < n; i++) {
		const json_t *item = json_array_get(list, i);
		const char *text = json_string_value(json_array_get(item, 1));

		records[*count].id = (uint32_t)json_integer_value(json_array_get(item, 0));
		records[(*count)++].text = text ? text : "";
	}
	if (records)
		qsort(records, *count, sizeof(*records), compare_object_records);
	return records;
}

static struct object_record *desired_object_records(
	const struct flow_owner *owner, enum flow_reference kind, size_t *count)
{
	struct object **list = object_set_list(owner->objects, kind, count);
	struct object_record *records = list ? calloc(*count + 1, sizeof(*records)) : NULL;

	for (size_t i = 0; records && i < *count; i++)
		records[i] = (struct object_record){.id = list[i]->id, .text = list[i]->text};
	free(list);
	return records;
}

// What the datapath has of a kind; new reference, NULL with *error.
static json_t *actual_objects(struct vswitch *vs, const struct flow_owner *owner,
	const struct object_kind *kind, struct rpc_error *error)
{
	json_t *list = datapath_link_call(
		vs->link, kind->list, json_pack("{s:s}", "bridge", owner->name), error);

	// A datapath of an older version, that forwards on while this one is new, has none.
	if (!list && error->code == RPC_METHOD_NOT_FOUND) {
		rpc_error_clear(error);
		list = json_array();
	}
	return list;
}

static bool add_object_operations(struct vswitch *vs, const struct flow_owner *owner,
	enum flow_reference id, json_t *operations, struct rpc_error *error)
{
	const struct object_kind *kind = object_kind_get(id);
	json_t *list = actual_objects(vs, owner, kind, error);
	size_t n_desired = 0;
	size_t n_actual = 0;
	struct object_record *desired = list ? desired_object_records(owner, id, &n_desired) : NULL;
	struct object_record *actual = list ? actual_object_records(list, &n_actual) : NULL;
	bool good = desired && actual;

	if (good)
		reconcile_objects(
			operations, kind->name, kind->remove, desired, n_desired, actual, n_actual);
	else if (list)
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
	free(desired);
	free(actual);
	json_decref(list);
	return good;
}

// --- All of a bridge ---

// Steals operations.
static bool apply_operations(struct vswitch *vs, const struct flow_owner *owner, json_t *operations,
	struct rpc_error *error)
{
	if (json_array_size(operations) == 0) {
		json_decref(operations);
		return true;
	}
	return datapath_link_apply(vs->link, owner->name, operations, error);
}

static bool bring_flows(
	struct vswitch *vs, struct flow_owner *owner, const json_t *list, struct rpc_error *error)
{
	size_t n_desired;
	size_t n_actual;
	struct flow_record *desired = flows_records(owner, &n_desired);
	struct flow_record *actual = actual_records(list, &n_actual);
	json_t *before = NULL;
	json_t *operations = NULL;
	bool good = desired && actual;

	if (good) {
		operations = reconcile_flows(desired, n_desired, actual, n_actual, &before);
		for (int kind = 0; kind < OBJECT_KINDS && good; kind++)
			good = add_object_operations(vs, owner, kind, operations, error);
		if (good && json_array_size(operations))
			log_info("bridge %s: %zu flows wanted, %zu there, %zu operations",
				owner->name, n_desired, n_actual, json_array_size(operations));
		if (good && n_actual == 0)
			owner->replayed_ms = clock_wall_ms();
		good = good && (!before || apply_operations(vs, owner, json_incref(before), error));
		good = good && apply_operations(vs, owner, json_incref(operations), error);
	} else {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
	}
	json_decref(before);
	json_decref(operations);
	flow_records_free(desired, n_desired);
	free(actual);
	return good;
}

bool sync_flows(struct vswitch *vs, struct flow_owner *owner, struct rpc_error *error)
{
	json_t *list = datapath_link_call(
		vs->link, "flow.list", json_pack("{s:s}", "bridge", owner->name), error);
	bool good = list && bring_flows(vs, owner, list, error);

	json_decref(list);
	if (good) {
		owner->behind = false;
		json_object_del(vs->bridge_errors, owner->name);
		return true;
	}
	owner->behind = true;
	if (error->code == RPC_UNAVAILABLE)
		return false;
	log_error("flows of bridge %s: %s", owner->name, error->message);
	json_object_set_new(vs->bridge_errors, owner->name, json_string(error->message));
	sync_retry_soon(vs);
	rpc_error_clear(error);
	return true;
}
