// SPDX-License-Identifier: Apache-2.0
#include "vswitch/model_edit.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rpc/closest_word.h"

#define OFPORT_HIGHEST 65279

// --- Names ---

static bool name_reserved(const char *name)
{
	static const char *const words[] = {"in_port", "normal", "flood", "all", "none", "any",
		"local", "controller", "drop", "table", "unset"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(name, words[i]) == 0)
			return true;
	}
	return false;
}

// A name must be told from a number and from the words and signs of the flow language.
static bool name_check(const char *what, const char *name, struct rpc_error *error)
{
	const char *reason = NULL;
	char *end;

	if (!*name)
		reason = "it is empty";
	else if (strlen(name) > NAME_LENGTH_MAX)
		reason = "it is longer than 63 characters";
	else if (name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789._-+@:")])
		reason = "only letters, digits and . _ - + @ : may be in it";
	else if (*name == '-' || *name == '.')
		reason = "it must begin with a letter or a digit";
	else if (name_reserved(name))
		reason = "the word has a meaning in flows";
	else if (strtoull(name, &end, 0), !*end)
		reason = "it looks like a port number; put a letter in it";
	if (reason)
		rpc_error_set(error, RPC_INVALID_PARAMS, "%s \"%s\": %s", what, name, reason);
	return !reason;
}

static void no_such(const struct model *model, enum schema_table_id table, const char *what,
	const char *name, struct rpc_error *error)
{
	struct closest_word closest;
	const char *uuid;
	json_t *row;

	closest_word_begin(&closest, name);
	json_object_foreach ((json_t *)model_rows(model, table), uuid, row) {
		closest_word_consider(&closest, row_string(row, "name"));
	}
	if (closest.best)
		rpc_error_set(error, RPC_NOT_FOUND, "there is no %s \"%s\"; did you mean \"%s\"?",
			what, name, closest.best);
	else
		rpc_error_set(error, RPC_NOT_FOUND, "there is no %s \"%s\"", what, name);
}

// --- Questions ---

const json_t *edit_root(struct model *model)
{
	const json_t *root = model_root(model);

	return root ? root : model_insert(model, TABLE_OPEN_VSWITCH, NULL);
}

const json_t *model_bridge(const struct model *model, const char *name, struct rpc_error *error)
{
	const json_t *bridge = model_named(model, TABLE_BRIDGE, name);

	if (!bridge)
		bridge = model_row(model, TABLE_BRIDGE, name);
	if (!bridge)
		no_such(model, TABLE_BRIDGE, "bridge", name, error);
	return bridge;
}

static bool set_has(const json_t *set, const char *text)
{
	size_t i;
	json_t *item;

	json_array_foreach ((json_t *)set, i, item) {
		if (json_is_string(item) && strcmp(json_string_value(item), text) == 0)
			return true;
	}
	return false;
}

const json_t *model_bridge_of(const struct model *model, const json_t *port)
{
	const char *uuid;
	json_t *bridge;

	json_object_foreach ((json_t *)model_rows(model, TABLE_BRIDGE), uuid, bridge) {
		if (set_has(json_object_get(bridge, "ports"), row_uuid(port)))
			return bridge;
	}
	return NULL;
}

const json_t *model_interface_of(const struct model *model, const json_t *port)
{
	const char *uuid =
		json_string_value(json_array_get(json_object_get(port, "interfaces"), 0));

	return uuid ? model_row(model, TABLE_INTERFACE, uuid) : NULL;
}

// The port of `bridge` that has the OpenFlow number, or NULL.
static const char *ofport_owner(const struct model *model, const json_t *bridge, json_int_t number)
{
	size_t i;
	json_t *uuid;

	json_array_foreach (json_object_get(bridge, "ports"), i, uuid) {
		const json_t *port = model_row(model, TABLE_PORT, json_string_value(uuid));
		const json_t *interface = port ? model_interface_of(model, port) : NULL;

		if (interface && row_integer(interface, "ofport", 0) == number)
			return row_string(port, "name");
	}
	return NULL;
}

// The lowest number that no port of the bridge has, 0 if there is none left.
static json_int_t ofport_free(const struct model *model, const json_t *bridge)
{
	uint8_t *used = calloc(OFPORT_HIGHEST + 1, 1);
	json_int_t number = 1;
	size_t i;
	json_t *uuid;

	json_array_foreach (json_object_get(bridge, "ports"), i, uuid) {
		const json_t *port = model_row(model, TABLE_PORT, json_string_value(uuid));
		const json_t *interface = port ? model_interface_of(model, port) : NULL;

		if (used && interface)
			used[row_integer(interface, "ofport", 0)] = 1;
	}
	while (used && number <= OFPORT_HIGHEST && used[number])
		number++;
	if (!used || number > OFPORT_HIGHEST)
		number = 0;
	free(used);
	return number;
}

// --- Rows that refer to each other ---

static void set_append(struct model *model, enum schema_table_id table, const char *uuid,
	const char *column, const char *item)
{
	json_t *set = json_copy(json_object_get(model_row(model, table, uuid), column));

	json_array_append_new(set, json_string(item));
	model_set(model, table, uuid, column, set);
}

static void set_remove(struct model *model, enum schema_table_id table, const char *uuid,
	const char *column, const char *item)
{
	json_t *set = json_copy(json_object_get(model_row(model, table, uuid), column));

	for (size_t i = json_array_size(set); i-- > 0;) {
		if (strcmp(json_string_value(json_array_get(set, i)), item) == 0)
			json_array_remove(set, i);
	}
	model_set(model, table, uuid, column, set);
}

const json_t *edit_bridge_add(struct model *model, const char *name, struct rpc_error *error)
{
	const json_t *root = edit_root(model);
	const json_t *bridge;

	if (!name_check("bridge name", name, error))
		return NULL;
	if (model_named(model, TABLE_PORT, name)) {
		rpc_error_set(error, RPC_EXISTS,
			"there is a port named \"%s\" already; bridges and ports share "
			"their names",
			name);
		return NULL;
	}
	bridge = model_insert(model, TABLE_BRIDGE, name);
	if (!bridge)
		rpc_error_set(error, errno == EEXIST ? RPC_EXISTS : RPC_INTERNAL_ERROR,
			errno == EEXIST ? "there is a bridge \"%s\" already (--may-exist "
					  "makes that no error)"
					: "out of memory for bridge \"%s\"",
			name);
	else
		set_append(model, TABLE_OPEN_VSWITCH, row_uuid(root), "bridges", row_uuid(bridge));
	return bridge;
}

static void port_drop(struct model *model, const json_t *port)
{
	const json_t *interface = model_interface_of(model, port);

	if (interface)
		model_remove(model, TABLE_INTERFACE, row_uuid(interface));
	model_remove(model, TABLE_PORT, row_uuid(port));
}

bool edit_bridge_remove(struct model *model, const char *name, struct rpc_error *error)
{
	const json_t *bridge = model_bridge(model, name, error);
	char uuid[UUID_SIZE];
	size_t i;
	json_t *port;

	if (!bridge)
		return false;
	json_array_foreach (json_object_get(bridge, "ports"), i, port) {
		const json_t *row = model_row(model, TABLE_PORT, json_string_value(port));

		if (row)
			port_drop(model, row);
	}
	snprintf(uuid, sizeof(uuid), "%s", row_uuid(bridge));
	model_remove(model, TABLE_BRIDGE, uuid);
	set_remove(model, TABLE_OPEN_VSWITCH, row_uuid(edit_root(model)), "bridges", uuid);
	return true;
}

static bool port_name_free(const struct model *model, const char *name, struct rpc_error *error)
{
	const json_t *port = model_named(model, TABLE_PORT, name);
	const json_t *owner = port ? model_bridge_of(model, port) : NULL;

	if (owner)
		rpc_error_set(error, RPC_EXISTS,
			"bridge %s has a port \"%s\" already; names are unique in the whole "
			"switch (--may-exist makes it no error on the same bridge)",
			row_string(owner, "name"), name);
	else if (port || model_named(model, TABLE_BRIDGE, name))
		rpc_error_set(error, RPC_EXISTS,
			"there is a bridge named \"%s\" already; bridges and ports share "
			"their names",
			name);
	else
		return true;
	return false;
}

const json_t *edit_port_add(
	struct model *model, const char *bridge_name, const char *name, struct rpc_error *error)
{
	const json_t *bridge = model_bridge(model, bridge_name, error);
	const json_t *interface;
	const json_t *port;
	json_int_t number;

	if (!bridge || !name_check("port name", name, error) || !port_name_free(model, name, error))
		return NULL;
	number = ofport_free(model, bridge);
	if (!number) {
		rpc_error_set(error, RPC_REFUSED, "bridge %s has no port number left", bridge_name);
		return NULL;
	}
	interface = model_insert(model, TABLE_INTERFACE, name);
	port = interface ? model_insert(model, TABLE_PORT, name) : NULL;
	if (!port) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory for port \"%s\"", name);
		return NULL;
	}
	model_set(model, TABLE_INTERFACE, row_uuid(interface), "ofport", json_integer(number));
	set_append(model, TABLE_PORT, row_uuid(port), "interfaces", row_uuid(interface));
	set_append(model, TABLE_BRIDGE, row_uuid(bridge), "ports", row_uuid(port));
	return port;
}

bool edit_port_remove(
	struct model *model, const char *bridge, const char *name, struct rpc_error *error)
{
	const json_t *port = model_named(model, TABLE_PORT, name);
	const json_t *owner = port ? model_bridge_of(model, port) : NULL;
	char uuid[UUID_SIZE];

	if (bridge && !model_bridge(model, bridge, error))
		return false;
	if (!port) {
		no_such(model, TABLE_PORT, "port", name, error);
		return false;
	}
	if (bridge && owner && strcmp(row_string(owner, "name"), bridge) != 0) {
		rpc_error_set(error, RPC_REFUSED, "port \"%s\" is on bridge %s, not on %s", name,
			row_string(owner, "name"), bridge);
		return false;
	}
	snprintf(uuid, sizeof(uuid), "%s", row_uuid(port));
	port_drop(model, port);
	if (owner)
		set_remove(model, TABLE_BRIDGE, row_uuid(owner), "ports", uuid);
	return true;
}

// --- Columns ---

// A column that a user may write, or NULL with *error.
static const struct schema_column *writable(
	enum schema_table_id table, const char *name, struct rpc_error *error)
{
	const struct schema_column *column = schema_column_find(table, name, error);

	if (column && (column->flags & (COLUMN_READ_ONLY | COLUMN_LIVE))) {
		rpc_error_set(error, RPC_REFUSED, "%s %s cannot be set: %s",
			schema_table_name(table), name, column->help);
		return NULL;
	}
	return column;
}

// A wanted number becomes the number in use, unless another port of the bridge has it.
static bool ofport_change(
	struct model *model, const char *uuid, json_int_t number, struct rpc_error *error)
{
	const json_t *interface = model_row(model, TABLE_INTERFACE, uuid);
	const json_t *port = model_named(model, TABLE_PORT, row_string(interface, "name"));
	const json_t *bridge = port ? model_bridge_of(model, port) : NULL;
	const char *owner = bridge ? ofport_owner(model, bridge, number) : NULL;

	if (owner && strcmp(owner, row_string(interface, "name")) != 0) {
		rpc_error_set(error, RPC_REFUSED,
			"port number %" JSON_INTEGER_FORMAT
			" of bridge %s belongs to \"%s\"; choose another one or leave it out",
			number, row_string(bridge, "name"), owner);
		return false;
	}
	model_set(model, TABLE_INTERFACE, uuid, "ofport", json_integer(number));
	return true;
}

bool edit_set(struct model *model, enum schema_table_id table, const char *uuid, const char *name,
	const json_t *value, struct rpc_error *error)
{
	const struct schema_column *column = writable(table, name, error);
	json_t *typed = column ? schema_value(column, value, error) : NULL;

	if (!typed)
		return false;
	if (table == TABLE_INTERFACE && strcmp(name, "ofport_request") == 0 &&
		json_is_integer(typed) &&
		!ofport_change(model, uuid, json_integer_value(typed), error)) {
		json_decref(typed);
		return false;
	}
	if (column->type == COLUMN_MAP) {
		json_t *merged =
			json_deep_copy(json_object_get(model_row(model, table, uuid), name));

		json_object_update(merged, typed);
		json_decref(typed);
		typed = merged;
	}
	if (model_set(model, table, uuid, name, typed) < 0) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return false;
	}
	return true;
}

bool edit_clear(struct model *model, enum schema_table_id table, const char *uuid, const char *name,
	struct rpc_error *error)
{
	const struct schema_column *column = writable(table, name, error);

	if (!column)
		return false;
	return model_set(model, table, uuid, name, schema_default(column)) == 0;
}

static void map_remove(json_t *map, const char *key, const json_t *value)
{
	const char *present = json_string_value(json_object_get(map, key));
	const char *wanted = json_string_value(value);

	if (present && (!wanted || strcmp(present, wanted) == 0))
		json_object_del(map, key);
}

static void members_remove(json_t *members, const json_t *values)
{
	for (size_t i = json_array_size(members); i-- > 0;) {
		for (size_t j = 0; j < json_array_size(values); j++) {
			if (json_equal(json_array_get(members, i), json_array_get(values, j))) {
				json_array_remove(members, i);
				break;
			}
		}
	}
}

static bool remove_from_map(json_t *map, const json_t *values, struct rpc_error *error)
{
	json_t *list =
		json_is_array(values) ? json_incref((json_t *)values) : json_pack("[O]", values);
	bool good = true;
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item) {
		const char *key;
		json_t *value;

		good = good && (json_is_string(item) || json_is_object(item));
		if (json_is_string(item))
			map_remove(map, json_string_value(item), NULL);
		json_object_foreach (item, key, value) {
			map_remove(map, key, value);
		}
	}
	json_decref(list);
	if (!good)
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"name the keys to remove, as \"key\" or {\"key\": \"value\"}");
	return good;
}

bool edit_remove(struct model *model, enum schema_table_id table, const char *uuid,
	const char *name, const json_t *values, struct rpc_error *error)
{
	const struct schema_column *column = writable(table, name, error);
	json_t *present;
	bool good;

	if (!column)
		return false;
	present = json_deep_copy(json_object_get(model_row(model, table, uuid), name));
	if (column->type == COLUMN_MAP) {
		good = remove_from_map(present, values, error);
	} else if (column->flags & (COLUMN_SET | COLUMN_OPTIONAL)) {
		json_t *typed = schema_value(column, values, error);
		json_t *list = json_is_array(typed) ? json_incref(typed) : json_pack("[O]", typed);

		good = typed != NULL;
		if (good && json_is_array(present))
			members_remove(present, list);
		else if (good && json_equal(present, json_array_get(list, 0))) {
			json_decref(present);
			present = json_array();
		}
		json_decref(typed);
		json_decref(list);
	} else {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"%s %s is one value; set it instead of removing from it",
			schema_table_name(table), name);
		good = false;
	}
	if (!good) {
		json_decref(present);
		return false;
	}
	return model_set(model, table, uuid, name, present) == 0;
}
