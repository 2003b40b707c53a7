// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "rpc/json_member.h"
#include "vswitch/live.h"
#include "vswitch/methods.h"
#include "vswitch/model_edit.h"
#include "vswitch/transaction.h"

// Table and record of the parameters. NULL with *error.
static const json_t *find_row(struct vswitch *vs, const json_t *params, enum schema_table_id *table,
	struct rpc_error *error)
{
	if (schema_table_find(text_of(params, "table"), table, error) < 0)
		return NULL;
	if (*table == TABLE_OPEN_VSWITCH)
		edit_root(vs->model);
	return model_record(vs->model, *table, text_of(params, "record"), error);
}

// --- Reading ---

static bool columns_known(
	enum schema_table_id table, const json_t *columns, struct rpc_error *error)
{
	size_t i;
	json_t *name;

	json_array_foreach ((json_t *)columns, i, name) {
		const char *text = json_string_value(name);

		if (!text) {
			rpc_error_set(error, RPC_INVALID_PARAMS, "columns takes an array of names");
			return false;
		}
		if (strcmp(text, "_uuid") != 0 && !schema_column_find(table, text, error))
			return false;
	}
	return true;
}

// Steals row. All columns if `columns` is NULL.
static json_t *select_columns(json_t *row, const json_t *columns)
{
	json_t *result;
	size_t i;
	json_t *name;

	if (!columns)
		return row;
	result = json_object();
	json_array_foreach ((json_t *)columns, i, name) {
		json_object_set(result, json_string_value(name),
			json_object_get(row, json_string_value(name)));
	}
	json_decref(row);
	return result;
}

static bool columns_need_live(enum schema_table_id table, const json_t *columns)
{
	size_t i;
	json_t *name;

	if (!columns)
		return live_needed(table, NULL);
	json_array_foreach ((json_t *)columns, i, name) {
		if (live_needed(table, json_string_value(name)))
			return true;
	}
	return false;
}

static json_t *db_list(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	const json_t *columns = json_object_get(params, "columns");
	const char *record = json_string_value(json_object_get(params, "record"));
	enum schema_table_id table;
	json_t *rows;
	json_t *ports;
	json_t *result;
	size_t i;
	json_t *row;

	if (schema_table_find(text_of(params, "table"), &table, error) < 0 ||
		!columns_known(table, columns, error))
		return NULL;
	if (record) {
		const json_t *one = find_row(vs, params, &table, error);

		if (!one)
			return NULL;
		rows = json_pack("[O]", one);
	} else {
		rows = model_sorted(vs->model, table);
	}
	ports = columns_need_live(table, columns) ? live_ports(vs, NULL) : json_object();
	result = json_array();
	json_array_foreach (rows, i, row) {
		json_array_append_new(
			result, select_columns(live_row(vs, table, row, ports), columns));
	}
	json_decref(ports);
	json_decref(rows);
	return result;
}

// One key of a map: its value, or with if_exists the empty string.
static json_t *map_member(const json_t *params, enum schema_table_id table, const json_t *map,
	const char *key, struct rpc_error *error)
{
	json_t *value = json_object_get(map, key);

	if (value)
		return json_incref(value);
	if (json_is_true(json_object_get(params, "if_exists")))
		return json_string("");
	if (json_is_object(map))
		rpc_error_set(error, RPC_NOT_FOUND,
			"%s \"%s\" has no key \"%s\" in %s (--if-exists makes that no error)",
			schema_table_name(table), text_of(params, "record"), key,
			text_of(params, "column"));
	else
		rpc_error_set(error, RPC_INVALID_PARAMS, "%s %s is no map, so it has no keys",
			schema_table_name(table), text_of(params, "column"));
	return NULL;
}

static json_t *db_get(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	const char *column = text_of(params, "column");
	const char *key = json_string_value(json_object_get(params, "key"));
	enum schema_table_id table;
	const json_t *row = find_row(vs, params, &table, error);
	json_t *ports;
	json_t *full;
	json_t *value;

	if (!row && error->code == RPC_NOT_FOUND &&
		json_is_true(json_object_get(params, "if_exists")) &&
		schema_table_find(text_of(params, "table"), &table, error) == 0) {
		rpc_error_clear(error);
		return json_string("");
	}
	if (!row || (strcmp(column, "_uuid") != 0 && !schema_column_find(table, column, error)))
		return NULL;
	ports = live_needed(table, column) ? live_ports(vs, row_string(row, "name"))
					   : json_object();
	full = live_row(vs, table, row, ports);
	value = json_incref(json_object_get(full, column));
	json_decref(full);
	json_decref(ports);
	if (key && value) {
		json_t *member = map_member(params, table, value, key, error);

		json_decref(value);
		value = member;
	}
	return value;
}

static json_t *db_schema(void *context, json_t *params, struct rpc_error *error)
{
	return schema_describe();
}

static json_t *db_backup(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	const char *file = text_of(params, "file");

	if (*file != '/') {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"\"%s\": give the whole path, from / on; vswitchd writes the file", file);
		return NULL;
	}
	return store_backup(vs->store, file, error) == 0 ? json_object() : NULL;
}

// --- Changing ---

// The row to change, its uuid copied: rows move while they are changed.
static bool begin_change(struct vswitch *vs, const json_t *params, enum schema_table_id *table,
	char uuid[UUID_SIZE], struct rpc_error *error)
{
	const json_t *row;

	if (!transaction_enter(vs, params, error))
		return false;
	row = find_row(vs, params, table, error);
	if (row)
		snprintf(uuid, UUID_SIZE, "%s", row_uuid(row));
	return row != NULL;
}

static json_t *db_set(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	enum schema_table_id table;
	char uuid[UUID_SIZE];
	const char *column;
	json_t *value;

	if (!begin_change(vs, params, &table, uuid, error))
		return NULL;
	json_object_foreach (json_object_get(params, "values"), column, value) {
		if (!edit_set(vs->model, table, uuid, column, value, error))
			return NULL;
	}
	return json_object();
}

// What is in the set already is no error.
static json_t *db_add(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	const char *column = text_of(params, "column");
	const json_t *present;
	enum schema_table_id table;
	char uuid[UUID_SIZE];
	json_t *all;
	bool fine;

	if (!begin_change(vs, params, &table, uuid, error))
		return NULL;
	present = json_object_get(model_row(vs->model, table, uuid), column);
	if (present && !json_is_array(present)) {
		rpc_error_set(error, RPC_INVALID_PARAMS, "%s:%s is no set; use db.set",
			schema_table_name(table), column);
		return NULL;
	}
	all = present ? json_copy((json_t *)present) : json_array();
	json_array_extend(all, json_object_get(params, "values"));
	fine = edit_set(vs->model, table, uuid, column, all, error);
	json_decref(all);
	return fine ? json_object() : NULL;
}

static json_t *db_clear(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	enum schema_table_id table;
	char uuid[UUID_SIZE];
	size_t i;
	json_t *column;

	if (!begin_change(vs, params, &table, uuid, error))
		return NULL;
	json_array_foreach (json_object_get(params, "columns"), i, column) {
		const char *name = json_string_value(column);

		if (!edit_clear(vs->model, table, uuid, name ? name : "", error))
			return NULL;
	}
	return json_object();
}

static json_t *db_remove(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	const json_t *values = json_object_get(params, "values");
	enum schema_table_id table;
	char uuid[UUID_SIZE];

	if (!values)
		values = json_object_get(params, "keys");
	if (!values) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"say what to remove: keys of a map, or values of a set");
		return NULL;
	}
	if (!begin_change(vs, params, &table, uuid, error) ||
		!edit_remove(vs->model, table, uuid, text_of(params, "column"), values, error))
		return NULL;
	return json_object();
}

#define PARAM_TABLE                                                                  \
	{                                                                            \
		"table", RPC_STRING, true, "Open_vSwitch, Bridge, Port or Interface" \
	}
#define PARAM_RECORD                                                                             \
	{                                                                                        \
		"record", RPC_STRING, true, "name or uuid of the row, or \".\" for the only one" \
	}

static const struct rpc_param backup_params[] = {
	{"file", RPC_STRING, true, "whole path of a file that is not there yet"},
	{0},
};

static const struct rpc_param list_params[] = {
	PARAM_TABLE,
	{"record", RPC_STRING, false, "only this row"},
	{"columns", RPC_ARRAY, false, "only these columns, in this order"},
	{0},
};

static const struct rpc_param get_params[] = {
	PARAM_TABLE,
	PARAM_RECORD,
	{"column", RPC_STRING, true, "name of the column"},
	{"key", RPC_STRING, false, "of a map: only the value of this key"},
	{"if_exists", RPC_BOOLEAN, false, "answer \"\" if there is no such row or key"},
	{0},
};

static const struct rpc_param set_params[] = {
	PARAM_TABLE,
	PARAM_RECORD,
	{"values", RPC_OBJECT, true,
		"{column: value}; of a map column {column: {key: value}}, merged into it"},
	PARAM_NO_WAIT,
	{0},
};

static const struct rpc_param clear_params[] = {
	PARAM_TABLE,
	PARAM_RECORD,
	{"columns", RPC_ARRAY, true, "columns to set back to their defaults"},
	PARAM_NO_WAIT,
	{0},
};

static const struct rpc_param add_params[] = {
	PARAM_TABLE,
	PARAM_RECORD,
	{"column", RPC_STRING, true, "a set"},
	{"values", RPC_ARRAY, true, "values to add"},
	PARAM_NO_WAIT,
	{0},
};

static const struct rpc_param remove_params[] = {
	PARAM_TABLE,
	PARAM_RECORD,
	{"column", RPC_STRING, true, "a map or a set"},
	{"keys", RPC_ANY, false, "of a map: [\"key\", ...] or {\"key\": \"value\"}"},
	{"values", RPC_ANY, false, "of a set: [value, ...]"},
	PARAM_NO_WAIT,
	{0},
};

const struct rpc_method db_methods[] = {
	{"db.backup", db_backup, backup_params, 0, "{}",
		"Write a copy of the database, which may be put in its place while vswitchd does "
		"not run. In a batch: as it was before the batch."},
	{"db.list", db_list, list_params, 0, "[{_uuid, column: value}]",
		"Rows of a table, by name."},
	{"db.get", db_get, get_params, 0, "value", "One column of one row."},
	{"db.set", db_set, set_params, RPC_TRANSACTIONAL, "{}", "Set columns of a row."},
	{"db.add", db_add, add_params, RPC_TRANSACTIONAL, "{}", "Add values to a set."},
	{"db.clear", db_clear, clear_params, RPC_TRANSACTIONAL, "{}",
		"Set columns back to their defaults."},
	{"db.remove", db_remove, remove_params, RPC_TRANSACTIONAL, "{}",
		"Take keys out of a map, or values out of a set."},
	{"db.schema", db_schema, NULL, 0,
		"{tables: [{name, help, columns: [{name, type, set, optional, "
		"read_only, live, default, help, minimum?, maximum?, choices?, "
		"keys?}]}]}",
		"All tables and columns, with the keys that maps take."},
	{0},
};
