// SPDX-License-Identifier: Apache-2.0
#include "rpc/rpc_params.h"

#include <stdio.h>
#include <string.h>

static const char *const type_names[] = {
	[RPC_ANY] = "any",
	[RPC_STRING] = "string",
	[RPC_INTEGER] = "integer",
	[RPC_NUMBER] = "number",
	[RPC_BOOLEAN] = "boolean",
	[RPC_OBJECT] = "object",
	[RPC_ARRAY] = "array",
};

const char *rpc_type_name(enum rpc_type type)
{
	return type_names[type];
}

static const char *json_type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "object";
	case JSON_ARRAY:
		return "array";
	case JSON_STRING:
		return "string";
	case JSON_INTEGER:
		return "integer";
	case JSON_REAL:
		return "number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "boolean";
	case JSON_NULL:
		return "null";
	}
	return "value";
}

static bool type_accepts(enum rpc_type type, const json_t *value)
{
	switch (type) {
	case RPC_ANY:
		return true;
	case RPC_STRING:
		return json_is_string(value);
	case RPC_INTEGER:
		return json_is_integer(value);
	case RPC_NUMBER:
		return json_is_number(value);
	case RPC_BOOLEAN:
		return json_is_boolean(value);
	case RPC_OBJECT:
		return json_is_object(value);
	case RPC_ARRAY:
		return json_is_array(value);
	}
	return false;
}

// "a, b (optional), c" for messages.
static const char *rows_list(const struct rpc_param *rows, char *buffer, size_t size)
{
	size_t used = 0;

	buffer[0] = '\0';
	if (rows == NULL || rows->name == NULL)
		return "none";
	for (; rows->name != NULL && used < size; rows++)
		used += snprintf(buffer + used, size - used, "%s%s%s", used > 0 ? ", " : "",
			rows->name, rows->required ? "" : " (optional)");
	return buffer;
}

static const struct rpc_param *rows_find(const struct rpc_param *rows, const char *name)
{
	for (; rows != NULL && rows->name != NULL; rows++)
		if (strcmp(rows->name, name) == 0)
			return rows;
	return NULL;
}

// Give positional parameters their names. A new object or NULL with *error.
static json_t *params_from_array(
	const struct rpc_param *rows, const json_t *array, struct rpc_error *error)
{
	char known[512];
	size_t index;
	json_t *value;
	json_t *named = json_object();

	json_array_foreach ((json_t *)array, index, value) {
		const struct rpc_param *row = rows != NULL ? &rows[index] : NULL;

		if (row == NULL || row->name == NULL) {
			rpc_error_set(error, RPC_INVALID_PARAMS,
				"%zu parameters are too many; this method takes: %s",
				json_array_size(array), rows_list(rows, known, sizeof(known)));
			json_decref(named);
			return NULL;
		}
		json_object_set(named, row->name, value);
	}
	return named;
}

// A parameter given as null is one that was not given: serializers write null for absent members,
// and it is the only way to leave one out among positional ones.
static json_t *params_drop_nulls(const struct rpc_param *rows, json_t *named)
{
	json_t *copy = NULL;

	for (; rows != NULL && rows->name != NULL; rows++) {
		if (rows->type == RPC_ANY || !json_is_null(json_object_get(named, rows->name)))
			continue;
		if (copy == NULL)
			copy = json_copy(named);
		json_object_del(copy, rows->name);
	}
	if (copy == NULL)
		return named;
	json_decref(named);
	return copy;
}

static bool params_fit(const struct rpc_param *rows, json_t *named, struct rpc_error *error)
{
	char known[512];
	const char *name;
	json_t *value;

	json_object_foreach (named, name, value) {
		const struct rpc_param *row = rows_find(rows, name);

		if (row == NULL) {
			rpc_error_set(error, RPC_INVALID_PARAMS,
				"unknown parameter \"%.64s\"; this method takes: %s", name,
				rows_list(rows, known, sizeof(known)));
			return false;
		}
		if (!type_accepts(row->type, value)) {
			rpc_error_set(error, RPC_INVALID_PARAMS,
				"parameter \"%s\" is to be of type %s, not %s", name,
				type_names[row->type], json_type_name(value));
			return false;
		}
	}
	for (; rows != NULL && rows->name != NULL; rows++) {
		if (rows->required && json_object_get(named, rows->name) == NULL) {
			rpc_error_set(error, RPC_INVALID_PARAMS,
				"parameter \"%s\" is missing: %s (%s)", rows->name,
				rows->help != NULL ? rows->help : "", type_names[rows->type]);
			return false;
		}
	}
	return true;
}

json_t *rpc_params_check(const struct rpc_param *rows, json_t *params, struct rpc_error *error)
{
	json_t *named;

	if (params == NULL)
		named = json_object();
	else if (json_is_array(params))
		named = params_from_array(rows, params, error);
	else if (json_is_object(params))
		named = json_incref(params);
	else {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"parameters come as an object or as an array, not as %s",
			json_type_name(params));
		return NULL;
	}
	if (named == NULL) {
		if (error->code == 0)
			rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return NULL;
	}
	named = params_drop_nulls(rows, named);
	if (!params_fit(rows, named, error)) {
		json_decref(named);
		return NULL;
	}
	return named;
}
