// SPDX-License-Identifier: Apache-2.0
//
// What a transaction changed in flows, groups and meters, as rows of the store and operations of
// flow.apply.

#include <stdlib.h>
#include <string.h>

#include "vswitch/flows.h"

static const char out_of_memory[] = "out of memory";

static bool stage_change(struct vswitch *vs, struct flow_owner *owner,
	const struct flow_change *change, struct rpc_error *error)
{
	static const char *const verbs[] = {
		[FLOW_ADDED] = "add", [FLOW_REMOVED] = "del", [FLOW_MODIFIED] = "mod"};
	const struct flow_entry *entry = change->entry;
	json_t *operation = json_array();
	char *text = NULL;
	bool good = true;

	json_array_append_new(operation, json_string_nocheck(verbs[change->kind]));
	json_array_append_new(operation, json_integer((json_int_t)entry->id));
	if (change->kind == FLOW_REMOVED) {
		good = store_flow_remove(vs->store, owner->bridge, entry->id, error) == 0;
	} else {
		text = flow_format_exact(&entry->flow);
		good = text && store_flow_put(vs->store, owner->bridge, entry->id,
				       entry->created_ms, text, error) == 0;
		json_array_append_new(operation, json_string_nocheck(text ? text : ""));
	}
	if (json_array_append_new(owner->operations, operation) < 0 ||
		(!text && change->kind != FLOW_REMOVED)) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, out_of_memory);
		good = false;
	}
	free(text);
	return good;
}

// An object is put as a whole, whether there was one before or not.
static bool stage_object(struct vswitch *vs, struct flow_owner *owner,
	const struct object_change *change, struct rpc_error *error)
{
	const struct object *after = change->after;
	const struct object *object = after ? after : change->before;
	const struct object_kind *kind = object_kind_get(object->kind);
	int rc;

	if (after) {
		json_array_append_new(owner->operations,
			json_pack("[s, I, s]", kind->name, (json_int_t)after->id, after->text));
		rc = store_object_put(vs->store, owner->bridge, kind->name, after->id,
			after->created_ms, after->text, error);
	} else {
		json_array_append_new(owner->operations,
			json_pack("[s, I]", kind->remove, (json_int_t)object->id));
		rc = store_object_remove(vs->store, owner->bridge, kind->name, object->id, error);
	}
	return rc == 0;
}

static bool stage_objects(struct vswitch *vs, struct flow_owner *owner, struct rpc_error *error)
{
	size_t count;
	struct object_change *changes = object_set_changes(owner->objects, &count);
	bool good = count != SIZE_MAX;

	if (!good)
		rpc_error_set(error, RPC_INTERNAL_ERROR, out_of_memory);
	for (size_t i = 0; i < count && good; i++)
		good = stage_object(vs, owner, &changes[i], error);
	free(changes);
	return good;
}

// What the new bridge does not replace.
static void stage_predecessor_objects(struct flow_owner *owner, const struct flow_owner *old)
{
	for (int kind = 0; kind < OBJECT_KINDS; kind++) {
		size_t count;
		struct object **list = object_set_list(old->objects, kind, &count);

		for (size_t i = 0; i < count; i++) {
			if (!object_set_find(owner->objects, kind, list[i]->id))
				json_array_append_new(owner->operations,
					json_pack("[s, I]", object_kind_get(kind)->remove,
						(json_int_t)list[i]->id));
		}
		free(list);
	}
}

// A new bridge may have the name of one that goes in the same transaction. The datapath then keeps
// its bridge, so the old flows, groups and meters are taken out one by one.
static void stage_predecessor(struct vswitch *vs, struct flow_owner *owner)
{
	for (struct flow_owner *old = vs->owners; old; old = old->next) {
		struct flow_record *records;
		size_t count;

		if (!old->removed || old->added || strcmp(old->name, owner->name) != 0)
			continue;
		records = flows_records(old, &count);
		for (size_t i = 0; records && i < count; i++)
			json_array_append_new(owner->operations,
				json_pack("[s, I]", "del", (json_int_t)records[i].id));
		flow_records_free(records, count);
		stage_predecessor_objects(owner, old);
	}
}

static bool stage_owner(struct vswitch *vs, struct flow_owner *owner, struct rpc_error *error)
{
	const struct flow_change *changes;
	size_t count;

	if (owner->removed)
		return owner->added || store_bridge_clear(vs->store, owner->bridge, error) == 0;
	if (!owner->changing)
		return true;
	json_decref(owner->operations);
	owner->operations = json_array();
	if (owner->added)
		stage_predecessor(vs, owner);
	count = flow_set_changes(owner->set, &changes);
	for (size_t i = 0; i < count; i++) {
		if (!stage_change(vs, owner, &changes[i], error))
			return false;
	}
	return stage_objects(vs, owner, error);
}

bool flows_stage(struct vswitch *vs, struct rpc_error *error)
{
	for (struct flow_owner *owner = vs->owners; owner; owner = owner->next) {
		if (!stage_owner(vs, owner, error))
			return false;
	}
	return true;
}
