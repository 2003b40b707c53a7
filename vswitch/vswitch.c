// SPDX-License-Identifier: Apache-2.0
#include "vswitch/vswitch.h"

#include <errno.h>
#include <string.h>

#include "vswitch/event_log.h"
#include "vswitch/flows.h"
#include "vswitch/model_edit.h"
#include "vswitch/sync.h"
#include "vswitch/transaction.h"

static bool is_uuid(const char *text)
{
	return strlen(text) == UUID_SIZE - 1 && strspn(text, "0123456789abcdef-") == UUID_SIZE - 1;
}

static bool load_row(void *context, const char *table, const char *uuid, json_t *columns,
	struct rpc_error *error)
{
	struct vswitch *vs = context;
	enum schema_table_id id;
	int rc;

	if (schema_table_find(table, &id, error) < 0) {
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s: row %s is of \"%s\", which is no table of this version; put a backup "
			"in "
			"the file's place",
			store_path(vs->store), uuid, table);
		return false;
	}
	rc = is_uuid(uuid) ? model_load(vs->model, id, uuid, columns) : -EINVAL;
	if (rc)
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s: row %s of %s: %s; put a backup in the file's place",
			store_path(vs->store), uuid, table, strerror(-rc));
	return rc == 0;
}

static bool load_flow(void *context, const char *bridge_uuid, uint64_t id, int64_t created_ms,
	const char *text, struct rpc_error *error)
{
	return flows_load(context, bridge_uuid, id, created_ms, text, error);
}

static bool load_object(void *context, const char *bridge_uuid, const char *kind, uint32_t id,
	int64_t created_ms, const char *text, struct rpc_error *error)
{
	return flows_load_object(context, bridge_uuid, kind, id, created_ms, text, error);
}

// A row that is there at a beginning of time: the switch itself.
static bool make_root(struct vswitch *vs, struct rpc_error *error)
{
	const struct rpc_transactions *functions = &transaction_functions;

	if (!functions->begin(vs, error))
		return false;
	vs->transaction.no_wait = true;
	edit_root(vs->model);
	return functions->commit(vs, error);
}

// What is referred to must be there: the rest of the program follows references blindly.
static bool references_hold(struct vswitch *vs, struct rpc_error *error)
{
	const char *uuid;
	json_t *bridge;
	size_t i;
	json_t *item;

	json_object_foreach ((json_t *)model_rows(vs->model, TABLE_BRIDGE), uuid, bridge) {
		json_array_foreach (json_object_get(bridge, "ports"), i, item) {
			const char *name = json_string_value(item);
			const json_t *port = name ? model_row(vs->model, TABLE_PORT, name) : NULL;

			if (port && model_interface_of(vs->model, port))
				continue;
			rpc_error_set(error, RPC_INTERNAL_ERROR,
				"%s: bridge %s refers to a port that is not there; put a backup in "
				"the file's place",
				store_path(vs->store), row_string(bridge, "name"));
			return false;
		}
	}
	return true;
}

// Errors are one line in the log, and what they quote of a damaged file may be anything.
static void make_line(struct rpc_error *error)
{
	for (char *at = error->message; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	}
}

static void send_event(void *context, const char *name, json_t *params)
{
	struct vswitch *vs = context;

	if (vs->server)
		rpc_server_notify_all(vs->server, name, params);
	else
		json_decref(params);
}

static bool open_events(struct vswitch *vs, struct rpc_error *error)
{
	vs->events = event_log_create(vs->base, vs->store, send_event, vs);
	if (!vs->events)
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
	return vs->events != NULL;
}

bool vswitch_open(struct vswitch *vs, const char *database, struct rpc_error *error)
{
	struct store_reader reader = {
		.context = vs, .row = load_row, .flow = load_flow, .object = load_object};

	vs->model = model_create();
	vs->failures = json_object();
	vs->unpolled = json_object();
	vs->bridge_errors = json_object();
	if (!vs->model || !vs->failures || !vs->unpolled || !vs->bridge_errors) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return false;
	}
	vs->store = store_open(database, error);
	if (vs->store && store_read(vs->store, &reader, error) == 0 && references_hold(vs, error) &&
		flows_loaded(vs, error) && open_events(vs, error) && make_root(vs, error))
		return true;
	make_line(error);
	return false;
}

void vswitch_close(struct vswitch *vs)
{
	if (vs->failures)
		sync_forget(vs);
	event_log_destroy(vs->events);
	flows_destroy(vs);
	model_destroy(vs->model);
	store_close(vs->store);
	json_decref(vs->failures);
	json_decref(vs->unpolled);
	json_decref(vs->bridge_errors);
	vs->model = NULL;
	vs->store = NULL;
	vs->events = NULL;
	vs->failures = vs->unpolled = vs->bridge_errors = NULL;
}
