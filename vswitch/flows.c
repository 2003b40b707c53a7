// SPDX-License-Identifier: Apache-2.0
#include "vswitch/flows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswitch/log.h"
#include "vswitch/model_edit.h"

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

	if (!owner || !(owner->set = flow_set_create())) {
		free(owner);
		return NULL;
	}
	snprintf(owner->bridge, sizeof(owner->bridge), "%s", bridge_uuid);
	owner->next = vs->owners;
	vs->owners = owner;
	return owner;
}

static void names_clear(struct flow_owner *owner)
{
	free((void *)owner->names.items);
	owner->names = (struct port_names){0};
	owner->names_version = 0;
}

static void owner_destroy(struct vswitch *vs, struct flow_owner *owner)
{
	struct flow_owner **link = &vs->owners;

	while (*link != owner)
		link = &(*link)->next;
	*link = owner->next;
	names_clear(owner);
	json_decref(owner->operations);
	flow_set_destroy(owner->set);
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
			"%s: flow %llu \"%s\" is damaged or of another version: %s",
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
		rpc_error_set(error, RPC_INTERNAL_ERROR, "%s: flow %llu: %s", store_path(vs->store),
			(unsigned long long)id, strerror(-rc));
	return rc == 0;
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
		if (*owner->name)
			continue;
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
	if (owner->changing)
		flow_set_abort(owner->set);
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

// A new bridge may have the name of one that goes in the same transaction. The datapath then keeps
// its bridge, so the old flows are taken out one by one.
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
	return true;
}

bool flows_stage(struct vswitch *vs, struct rpc_error *error)
{
	for (struct flow_owner *owner = vs->owners; owner; owner = owner->next) {
		if (!stage_owner(vs, owner, error))
			return false;
	}
	return true;
}

bool flows_changed(const struct vswitch *vs)
{
	for (const struct flow_owner *owner = vs->owners; owner; owner = owner->next) {
		const struct flow_change *changes;

		if (owner->added || owner->removed ||
			(owner->changing && flow_set_changes(owner->set, &changes) > 0))
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
}

// Clients may want to know of the end of flows that were added with send_flow_rem.
static void notify_removed(
	struct vswitch *vs, const struct flow_owner *owner, const struct flow_entry *entry)
{
	char *text;

	if (!(entry->flow.flags & FLOW_SEND_REMOVED) || !vs->server)
		return;
	text = flow_format(&entry->flow, NULL);
	rpc_server_notify_all(vs->server, "flow.removed",
		json_pack("{s:s, s:s, s:I}", "bridge", owner->name, "flow", text ? text : "",
			"duration_ms", (json_int_t)(clock_wall_ms() - entry->created_ms)));
	free(text);
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
			else if (changes[i].kind == FLOW_REMOVED)
				notify_removed(vs, owner, changes[i].entry);
		}
		flow_set_commit(owner->set);
		transaction_end(owner);
	}
}

void flows_abort(struct vswitch *vs)
{
	struct flow_owner *next;

	for (struct flow_owner *owner = vs->owners; owner; owner = next) {
		next = owner->next;
		if (owner->changing)
			flow_set_abort(owner->set);
		if (owner->added)
			owner_destroy(vs, owner);
		else
			transaction_end(owner);
	}
}

// --- Port names ---

static int compare_numbers(const void *a, const void *b)
{
	const struct port_name *x = a;
	const struct port_name *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

const struct port_names *flows_port_names(struct vswitch *vs, struct flow_owner *owner)
{
	const json_t *bridge = model_row(vs->model, TABLE_BRIDGE, owner->bridge);
	const json_t *ports = json_object_get(bridge, "ports");
	struct port_name *items;
	size_t count = 0;

	if (owner->names_version == model_version(vs->model) && owner->names.bridge)
		return &owner->names;
	names_clear(owner);
	items = calloc(json_array_size(ports) + 1, sizeof(*items));
	for (size_t i = 0; items && i < json_array_size(ports); i++) {
		const json_t *port = model_row(
			vs->model, TABLE_PORT, json_string_value(json_array_get(ports, i)));
		const json_t *interface = model_interface_of(vs->model, port);

		items[count].name = row_string(port, "name");
		items[count++].number = (uint16_t)row_integer(interface, "ofport", 0);
	}
	if (items)
		qsort(items, count, sizeof(*items), compare_numbers);
	owner->names = (struct port_names){
		.bridge = owner->name, .count = items ? count : 0, .items = items};
	owner->names_version = model_version(vs->model);
	return &owner->names;
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
