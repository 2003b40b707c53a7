// SPDX-License-Identifier: Apache-2.0
#include "vswitch/live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/json_member.h"
#include "vswitch/flows.h"
#include "vswitch/interface_types.h"
#include "vswitch/sync.h"

bool live_needed(enum schema_table_id table, const char *column)
{
	for (const struct schema_column *item = schema_column_next(table, NULL); item;
		item = schema_column_next(table, item)) {
		if ((item->flags & COLUMN_LIVE) && table == TABLE_INTERFACE &&
			(!column || strcmp(item->name, column) == 0))
			return true;
	}
	return false;
}

json_t *live_ports(struct vswitch *vs, const char *port)
{
	struct rpc_error error = {0};
	json_t *result = json_object();
	json_t *list = NULL;
	size_t i;
	json_t *item;

	if (datapath_link_connected(vs->link))
		list = sync_port_status(vs, port, &error);
	json_array_foreach (list, i, item) {
		json_object_set(result, text_of(item, "name"), item);
	}
	json_decref(list);
	rpc_error_clear(&error);
	return result;
}

const char *live_error(struct vswitch *vs, const char *name, const json_t *status)
{
	const json_t *failure = json_object_get(vs->failures, name);
	const char *unpolled = text_of(vs->unpolled, name);

	if (!datapath_link_connected(vs->link))
		return datapath_link_problem(vs->link);
	if (failure)
		return text_of(failure, "error");
	if (!status)
		return "the datapath does not have it yet";
	if (*text_of(status, "error"))
		return text_of(status, "error");
	return unpolled;
}

// Values of maps are strings.
static void map_set(json_t *map, const char *key, const json_t *value)
{
	char text[64];

	if (json_is_integer(value)) {
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		json_object_set_new(map, key, json_string(text));
	} else if (json_is_string(value)) {
		json_object_set(map, key, (json_t *)value);
	} else if (json_is_boolean(value)) {
		json_object_set_new(map, key, json_string(json_is_true(value) ? "true" : "false"));
	}
}

static char *join(const json_t *names)
{
	size_t size = 1;
	size_t i;
	json_t *name;
	char *text;
	char *at;

	json_array_foreach ((json_t *)names, i, name) {
		size += json_string_length(name) + 1;
	}
	text = at = malloc(size);
	if (!text)
		return NULL;
	*at = '\0';
	json_array_foreach ((json_t *)names, i, name) {
		at += sprintf(at, "%s%s", i ? " " : "", json_string_value(name));
	}
	return text;
}

static json_t *status_map(const json_t *status)
{
	static const char *const copied[] = {"state", "n_rxq", "n_txq", "numa"};
	json_t *map = json_object();
	const char *key;
	json_t *value;

	json_object_foreach (json_object_get(status, "status"), key, value) {
		map_set(map, key, value);
	}
	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
		map_set(map, copied[i], json_object_get(status, copied[i]));
	if (json_array_size(json_object_get(status, "features"))) {
		char *names = join(json_object_get(status, "features"));

		json_object_set_new(map, "features", json_string(names ? names : ""));
		free(names);
	}
	return map;
}

static void set_defaults(json_t *row, enum schema_table_id table)
{
	for (const struct schema_column *column = schema_column_next(table, NULL); column;
		column = schema_column_next(table, column)) {
		if (column->flags & COLUMN_LIVE)
			json_object_set_new(row, column->name, schema_default(column));
	}
}

static void interface_live(struct vswitch *vs, json_t *row, const json_t *ports)
{
	const char *name = row_string(row, "name");
	const json_t *status = json_object_get(ports, name);
	const char *error = live_error(vs, name, status);
	json_int_t speed = json_integer_value(json_object_get(status, "speed")); // Mbit/s

	if (*error)
		json_object_set_new(row, "error", json_string(error));
	if (!status)
		return;
	json_object_set_new(row, "admin_state", json_string("up"));
	json_object_set_new(row, "link_state",
		json_string(json_is_true(json_object_get(status, "link")) ? "up" : "down"));
	if (speed > 0)
		json_object_set_new(row, "link_speed", json_integer(speed * 1000000));
	json_object_set(row, "mac_in_use", json_object_get(status, "mac"));
	json_object_set(row, "mtu", json_object_get(status, "mtu"));
	json_object_set_new(row, "status", status_map(status));
	json_object_set(row, "statistics", json_object_get(status, "statistics"));
}

static void bridge_live(struct vswitch *vs, json_t *row)
{
	const struct flow_owner *owner = flows_find(vs, row_uuid(row));
	json_t *map = json_object();
	char count[32];

	snprintf(count, sizeof(count), "%zu", owner ? flow_set_count(owner->set) : 0);
	json_object_set_new(map, "flows", json_string(count));
	if (json_object_get(vs->bridge_errors, row_string(row, "name")))
		json_object_set(
			map, "error", json_object_get(vs->bridge_errors, row_string(row, "name")));
	json_object_set_new(row, "status", map);
}

static void root_live(struct vswitch *vs, json_t *row)
{
	struct rpc_error error = {0};
	json_t *types = NULL;

	json_object_set_new(row, "ovs_version", json_string(TURNOUT_VERSION));
	json_object_set_new(
		row, "dpdk_initialized", json_boolean(datapath_link_connected(vs->link)));
	if (datapath_link_connected(vs->link))
		types = datapath_link_call(vs->link, "port.types", NULL, &error);
	json_object_set_new(row, "iface_types", interface_types_list(types));
	json_decref(types);
	rpc_error_clear(&error);
}

json_t *live_row(
	struct vswitch *vs, enum schema_table_id table, const json_t *row, const json_t *ports)
{
	json_t *copy = json_copy((json_t *)row);

	set_defaults(copy, table);
	if (table == TABLE_INTERFACE)
		interface_live(vs, copy, ports);
	else if (table == TABLE_BRIDGE)
		bridge_live(vs, copy);
	else if (table == TABLE_OPEN_VSWITCH)
		root_live(vs, copy);
	return copy;
}
