// SPDX-License-Identifier: Apache-2.0
#include "vswitch/flows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswitch/event_log.h"
#include "vswitch/log.h"
#include "vswitch/model_edit.h"
#include "vswitch/object_references.h"

static const char out_of_memory[] = "out of memory";

// --- Owners ---

struct flow_owner *flows_find(struct vswitch *vs, const char *bridge_uuid)
{
	for (struct flow_owner *owner = vs->owners; owner; owner = owner->next) {
		if (!owner->removed && strcmp(owner->bridge, bridge_uuid) == 0)
			return owner;
	}
	return NULL;
}

static struct flow_owner *owner_create(struct vswitch *vs, const char *bridge_uuid)
{
	struct flow_owner *owner = calloc(1, sizeof(*owner));

	if (owner) {
		owner->set = flow_set_create();
		owner->objects = object_set_create();
	}
	if (!owner || !owner->set || !owner->objects) {
		if (owner)
			flow_set_destroy(owner->set);
		free(owner);
		return NULL;
	}
	snprintf(owner->bridge, sizeof(owner->bridge), "%s", bridge_uuid);
	owner->next = vs->owners;
	vs->owners = owner;
	return owner;
}

static void owner_destroy(struct vswitch *vs, struct flow_owner *owner)
{
	struct flow_owner **link = &vs->owners;

	while (*link != owner)
		link = &(*link)->next;
	*link = owner->next;
	flow_names_clear(owner);
	flow_removals_clear(&owner->removals);
	json_decref(owner->operations);
	flow_set_destroy(owner->set);
	object_set_destroy(owner->objects);
	free(owner->timed);
	free(owner);
}

void flows_destroy(struct vswitch *vs)
{
	while (vs->owners)
		owner_destroy(vs, vs->owners);
}

static int timed_add(struct flow_owner *owner, const struct flow_entry *entry)
{
	if (!entry->flow.idle_timeout && !entry->flow.hard_timeout)
		return 0;
	if (owner->n_timed == owner->timed_room) {
		size_t room = owner->timed_room ? owner->timed_room * 2 : 64;
		uint64_t *more = realloc(owner->timed, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		owner->timed = more;
		owner->timed_room = room;
	}
	owner->timed[owner->n_timed++] = entry->id;
	return 0;
}

// --- Reading the store ---

bool flows_load(struct vswitch *vs, const char *bridge_uuid, uint64_t id, int64_t created_ms,
	const char *text, struct rpc_error *error)
{
	struct flow_owner *owner = flows_find(vs, bridge_uuid);
	struct flow_warnings warnings = {0};
	struct flow_error reason;
	struct flow_request request;
	int rc;

	if (!owner)
		owner = owner_create(vs, bridge_uuid);
	rc = owner ? flow_request_parse(&request, text, FLOW_ADD, NULL, &warnings, &reason)
		   : -ENOMEM;
	if (rc == -EINVAL) {
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s: flow %llu \"%.100s\" is damaged or of another version: %s; put a "
			"backup in "
			"the file's place",
			store_path(vs->store), (unsigned long long)id, text, reason.message);
		return false;
	}
	if (rc == 0) {
		rc = flow_set_load(owner->set, id, &request.flow, created_ms);
		flow_request_destroy(&request);
	}
	if (rc == 0)
		rc = timed_add(owner, flow_set_find(owner->set, id));
	if (rc)
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s: flow %llu: %s; put a backup in the file's place",
			store_path(vs->store), (unsigned long long)id, strerror(-rc));
	return rc == 0;
}

bool flows_load_object(struct vswitch *vs, const char *bridge_uuid, const char *kind_name,
	uint32_t id, int64_t created_ms, const char *text, struct rpc_error *error)
{
	struct flow_owner *owner = flows_find(vs, bridge_uuid);
	struct flow_warnings warnings = {0};
	struct flow_error reason = {0};
	struct object *object = NULL;
	json_t *input = json_string(text);
	enum flow_reference kind;
	int rc = -EINVAL;

	if (!owner)
		owner = owner_create(vs, bridge_uuid);
	if (!owner || !input)
		rc = -ENOMEM;
	else if (object_kind_find(kind_name, &kind))
		rc = object_create(&object, kind, input, NULL, &warnings, &reason);
	json_decref(input);
	if (object) {
		object->created_ms = created_ms;
		rc = object->id == id ? object_set_load(owner->objects, object) : -EINVAL;
	}
	if (rc == 0)
		return true;
	object_destroy(object);
	rpc_error_set(error, RPC_INTERNAL_ERROR,
		"%s: %s %u \"%.100s\" is damaged or of another version: %s; put a backup in the "
		"file's place",
		store_path(vs->store), kind_name, id, text,
		*reason.message ? reason.message : strerror(-rc));
	return false;
}

// Transactions rely on it that what is named is there.
static bool names_hold(struct vswitch *vs, const struct flow_owner *owner, struct rpc_error *error)
{
	struct object_missing missing;

	if (!object_missing_find(owner->objects, owner->set, &missing))
		return true;
	rpc_error_set(error, RPC_INTERNAL_ERROR,
		"%s: bridge %s: %s %llu names the %s %u, which is not there; put a backup in the "
		"file's place",
		store_path(vs->store), owner->name, missing.flow ? "flow" : "group",
		(unsigned long long)(missing.flow ? missing.flow->id : missing.group->id),
		object_kind_get(missing.kind)->name, missing.id);
	return false;
}

bool flows_loaded(struct vswitch *vs, struct rpc_error *error)
{
	const char *uuid;
	json_t *bridge;

	json_object_foreach ((json_t *)model_rows(vs->model, TABLE_BRIDGE), uuid, bridge) {
		struct flow_owner *owner = flows_find(vs, uuid);

		if (!owner)
			owner = owner_create(vs, uuid);
		if (!owner) {
			rpc_error_set(error, RPC_INTERNAL_ERROR, out_of_memory);
			return false;
		}
		snprintf(owner->name, sizeof(owner->name), "%s", row_string(bridge, "name"));
		owner->behind = true;
		flow_set_next_id(owner->set, store_next_flow_id(vs->store));
	}
	for (struct flow_owner *owner = vs->owners; owner; owner = owner->next) {
		if (*owner->name) {
			if (!names_hold(vs, owner, error))
				return false;
			continue;
		}
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s has flows of a bridge %s that it does not have; put a backup in "
			"its place",
			store_path(vs->store), owner->bridge);
		return false;
	}
	return true;
}

// --- Transactions ---

void flows_change(struct flow_owner *owner)
{
	if (!owner->changing)
		flow_set_begin(owner->set);
	owner->changing = true;
}

bool flows_bridge_add(struct vswitch *vs, const json_t *bridge, struct rpc_error *error)
{
	struct flow_owner *owner = owner_create(vs, row_uuid(bridge));
	struct flow_warnings warnings = {0};
	struct flow_request request;
	struct flow_error reason = {0};
	const struct flow_change *changes;

	if (!owner) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, out_of_memory);
		return false;
	}
	snprintf(owner->name, sizeof(owner->name), "%s", row_string(bridge, "name"));
	owner->added = true;
	// Above all identifiers ever given, so that a bridge that takes the place of one of the
	// same name shares none with it.
	flow_set_next_id(owner->set, store_next_flow_id(vs->store));
	flows_change(owner);
	if (flow_request_parse(&request, "priority=0,actions=normal", FLOW_ADD, NULL, &warnings,
		    &reason) < 0 ||
		flow_set_apply(owner->set, &request, clock_wall_ms(), NULL, &reason) < 0) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "the first flow of bridge %s: %s",
			owner->name, *reason.message ? reason.message : out_of_memory);
		return false;
	}
	flow_request_destroy(&request);
	if (flow_set_changes(owner->set, &changes) == 1)
		owner->default_flow = changes[0].entry->id;
	return true;
}

void flows_bridge_remove(struct vswitch *vs, const char *bridge_uuid)
{
	struct flow_owner *owner = flows_find(vs, bridge_uuid);

	if (!owner)
		return;
	// What this transaction did to its flows before has come to nothing, and the datapath never
	// hears of it.
	if (owner->changing) {
		flow_set_abort(owner->set);
		object_set_abort(owner->objects);
	}
	owner->changing = false;
	owner->removed = true;
}

void flows_secure(struct vswitch *vs)
{
	for (struct flow_owner *owner = vs->owners; owner; owner = owner->next) {
		const json_t *bridge = model_row(vs->model, TABLE_BRIDGE, owner->bridge);

		if (owner->added && !owner->removed && owner->default_flow && bridge &&
			strcmp(row_string(bridge, "fail_mode"), "secure") == 0)
			flow_set_remove(owner->set, owner->default_flow);
	}
}

bool flows_changed(const struct vswitch *vs)
{
	for (const struct flow_owner *owner = vs->owners; owner; owner = owner->next) {
		const struct flow_change *changes;

		if (owner->added || owner->removed ||
			(owner->changing && (flow_set_changes(owner->set, &changes) > 0 ||
						    object_set_changed(owner->objects))))
			return true;
	}
	return false;
}

static void transaction_end(struct flow_owner *owner)
{
	owner->changing = owner->added = owner->removed = owner->applied = false;
	owner->default_flow = 0;
	json_decref(owner->operations);
	owner->operations = NULL;
	flow_removals_clear(&owner->removals);
}

void flows_commit(struct vswitch *vs)
{
	struct flow_owner *next;

	for (struct flow_owner *owner = vs->owners; owner; owner = next) {
		const struct flow_change *changes;
		size_t count;

		next = owner->next;
		if (owner->removed) {
			owner_destroy(vs, owner);
			continue;
		}
		if (!owner->changing) {
			transaction_end(owner);
			continue;
		}
		count = flow_set_changes(owner->set, &changes);
		for (size_t i = 0; i < count; i++) {
			if (changes[i].kind == FLOW_ADDED)
				timed_add(owner, changes[i].entry);
		}
		flow_set_commit(owner->set);
		object_set_commit(owner->objects);
		transaction_end(owner);
	}
	event_log_commit(vs->events);
}

void flows_abort(struct vswitch *vs)
{
	struct flow_owner *next;

	for (struct flow_owner *owner = vs->owners; owner; owner = next) {
		next = owner->next;
		if (owner->changing) {
			flow_set_abort(owner->set);
			object_set_abort(owner->objects);
		}
		if (owner->added)
			owner_destroy(vs, owner);
		else
			transaction_end(owner);
	}
	event_log_abort(vs->events);
}

// --- All flows as text ---

static int compare_records(const void *a, const void *b)
{
	const struct flow_record *x = a;
	const struct flow_record *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

void flow_records_free(struct flow_record *records, size_t count)
{
	for (size_t i = 0; records && i < count; i++)
		free((void *)records[i].text);
	free(records);
}

struct flow_record *flows_records(const struct flow_owner *owner, size_t *count)
{
	struct flow_request all = {
		.command = FLOW_DELETE, .filter = {.out_port = OFPORT_NONE, .any_table = true}};
	const struct flow_entry **entries;
	struct flow_record *records;
	size_t n;

	flow_init(&all.flow);
	entries = flow_set_select(owner->set, &all, false, &n);
	*count = 0;
	if (n == SIZE_MAX)
		return NULL;
	records = calloc(n + 1, sizeof(*records));
	for (size_t i = 0; records && i < n; i++) {
		char *text = flow_format_exact(&entries[i]->flow);

		if (!text) {
			flow_records_free(records, i);
			records = NULL;
			break;
		}
		records[i] = (struct flow_record){.id = entries[i]->id, .text = text};
	}
	free(entries);
	flow_request_destroy(&all);
	if (records) {
		qsort(records, n, sizeof(*records), compare_records);
		*count = n;
	}
	return records;
}
