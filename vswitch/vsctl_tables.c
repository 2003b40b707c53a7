// SPDX-License-Identifier: Apache-2.0
#include "vswitch/vsctl_tables.h"

#include <stdlib.h>
#include <string.h>

#include "vswitch/schema.h"
#include "vswitch/vsctl_value.h"

static json_t *record_params(const struct vsctl_request *request)
{
	return json_pack("{s:s, s:s}", "table", request->argv[0], "record", request->argv[1]);
}

bool vsctl_prepare_get(struct vsctl_request *request, struct rpc_error *error)
{
	for (int i = 2; i < request->argc; i++) {
		struct vsctl_column column;
		json_t *params;

		if (!vsctl_column_parse(request->argv[i], &column, error))
			return false;
		params = record_params(request);
		json_object_set_new(params, "column", json_string(column.column));
		if (column.key != NULL)
			json_object_set_new(params, "key", json_string(column.key));
		if (request->if_exists)
			json_object_set_new(params, "if_exists", json_true());
		vsctl_call_add(request, "db.get", params);
		vsctl_column_destroy(&column);
	}
	return true;
}

// A map may also be written without its braces, which shells tend to take for themselves.
static void braces_supply(
	const struct vsctl_request *request, struct vsctl_column *column, struct rpc_error *error)
{
	const char *text = json_string_value(column->value);
	const struct schema_column *known = NULL;
	enum schema_table_id table;
	char *braced;

	if (text == NULL || strchr(text, '=') == NULL)
		return;
	if (schema_table_find(request->argv[0], &table, error) == 0)
		known = schema_column_find(table, column->column, error);
	rpc_error_clear(error); // the daemon will say what is wrong with them
	if (known == NULL || known->type != COLUMN_MAP || asprintf(&braced, "{%s}", text) < 0)
		return;
	json_decref(column->value);
	column->value = vsctl_value_parse(braced, error);
	free(braced);
}

// Collect COLUMN=VALUE into `values`, COLUMN:KEY=VALUE into an object below it; whole maps are to
// replace what is there, so that their columns are also put into `replaced`.
static bool assignment_add(const struct vsctl_request *request, const char *text, json_t *values,
	json_t *replaced, struct rpc_error *error)
{
	struct vsctl_column column;
	json_t *map;

	if (!vsctl_assignment_parse(text, &column, error))
		return false;
	if (column.key == NULL)
		braces_supply(request, &column, error);
	map = json_object_get(values, column.column);
	if (column.value == NULL) {
		vsctl_column_destroy(&column);
		return false;
	}
	if (column.key == NULL) {
		if (json_is_object(column.value))
			json_array_append_new(replaced, json_string(column.column));
		json_object_set(values, column.column, column.value);
	} else {
		if (!json_is_object(map)) {
			map = json_object();
			json_object_set_new(values, column.column, map);
		}
		json_object_set(map, column.key, column.value);
	}
	vsctl_column_destroy(&column);
	return true;
}

bool vsctl_prepare_set(struct vsctl_request *request, struct rpc_error *error)
{
	json_t *replaced = json_array();
	json_t *values = json_object();
	json_t *params;
	bool fine = true;

	for (int i = 2; i < request->argc && fine; i++)
		fine = assignment_add(request, request->argv[i], values, replaced, error);
	if (fine && json_array_size(replaced) > 0) {
		params = record_params(request);
		json_object_set(params, "columns", replaced);
		vsctl_change_add(request, "db.clear", params);
	}
	if (fine) {
		params = record_params(request);
		json_object_set(params, "values", values);
		vsctl_change_add(request, "db.set", params);
	}
	json_decref(replaced);
	json_decref(values);
	return fine;
}

bool vsctl_prepare_clear(struct vsctl_request *request, struct rpc_error *error)
{
	json_t *params = record_params(request);
	json_t *columns = json_array();

	for (int i = 2; i < request->argc; i++)
		json_array_append_new(columns, json_string(request->argv[i]));
	json_object_set_new(params, "columns", columns);
	return vsctl_change_add(request, "db.clear", params);
}

// The column that `add` and `remove` speak of, of the version that vsctl was built with.
static const struct schema_column *column_find(
	const struct vsctl_request *request, struct rpc_error *error)
{
	const struct schema_column *column = NULL;
	enum schema_table_id table;

	if (schema_table_find(request->argv[0], &table, error) == 0)
		column = schema_column_find(table, request->argv[2], error);
	if (column != NULL && column->type != COLUMN_MAP && (column->flags & COLUMN_SET) == 0) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"%s %s holds one value; use \"set\" and \"clear\"", request->argv[0],
			column->name);
		return NULL;
	}
	return column;
}

bool vsctl_prepare_add(struct vsctl_request *request, struct rpc_error *error)
{
	const struct schema_column *column = column_find(request, error);
	bool is_map = column != NULL && column->type == COLUMN_MAP;
	json_t *values = is_map ? json_object() : json_array();
	bool fine = column != NULL;
	json_t *params;

	for (int i = 3; i < request->argc && fine; i++) {
		char *value = NULL;
		char *key = NULL;

		if (is_map) {
			fine = vsctl_pair_parse(request->argv[i], &key, &value, error);
			if (fine)
				json_object_set_new(values, key, json_string(value));
		} else {
			json_array_append_new(values, json_string(request->argv[i]));
		}
		free(key);
		free(value);
	}
	if (!fine) {
		json_decref(values);
		return false;
	}
	params = record_params(request);
	if (is_map) {
		json_object_set_new(params, "values", json_pack("{s:o}", column->name, values));
		return vsctl_change_add(request, "db.set", params);
	}
	json_object_set_new(params, "column", json_string(column->name));
	json_object_set_new(params, "values", values);
	return vsctl_change_add(request, "db.add", params);
}

// Of a map either keys, or KEY=VALUE pairs that are removed only if the value is that.
bool vsctl_prepare_remove(struct vsctl_request *request, struct rpc_error *error)
{
	const struct schema_column *column = column_find(request, error);
	bool is_map = column != NULL && column->type == COLUMN_MAP;
	bool pairs = is_map && strchr(request->argv[3], '=') != NULL;
	json_t *what = pairs ? json_object() : json_array();
	bool fine = column != NULL;
	json_t *params;

	for (int i = 3; i < request->argc && fine; i++) {
		char *value = NULL;
		char *key = NULL;

		if (pairs) {
			fine = vsctl_pair_parse(request->argv[i], &key, &value, error);
			if (fine)
				json_object_set_new(what, key, json_string(value));
		} else {
			json_array_append_new(what, json_string(request->argv[i]));
		}
		free(key);
		free(value);
	}
	if (!fine) {
		json_decref(what);
		return false;
	}
	params = record_params(request);
	json_object_set_new(params, "column", json_string(column->name));
	json_object_set_new(params, is_map ? "keys" : "values", what);
	return vsctl_change_add(request, "db.remove", params);
}

bool vsctl_prepare_list(struct vsctl_request *request, struct rpc_error *error)
{
	int records = request->argc - 1;

	for (int i = 0; i < (records > 0 ? records : 1); i++) {
		json_t *params = json_pack("{s:s}", "table", request->argv[0]);

		if (records > 0)
			json_object_set_new(params, "record", json_string(request->argv[i + 1]));
		if (request->columns != NULL) {
			char *copy = strdup(request->columns);
			json_t *columns = json_array();
			char *rest;

			for (char *word = strtok_r(copy, ", ", &rest); word != NULL;
				word = strtok_r(NULL, ", ", &rest))
				json_array_append_new(columns, json_string(word));
			json_object_set_new(params, "columns", columns);
			free(copy);
		}
		vsctl_call_add(request, "db.list", params);
	}
	return true;
}
