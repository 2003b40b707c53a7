// SPDX-License-Identifier: Apache-2.0
#include "vswitch/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/word_list.h"
#include "conf/suggest.h"

struct schema_key {
	enum schema_table_id table;
	const char *column;
	const char *key;
	enum column_type type;
	json_int_t lowest;
	json_int_t highest;
	const char *choices;
	const char *help;
	const char *refusal; // NULL: the key is known
};

static const char *const table_names[TABLE_COUNT] = {
#define SCHEMA_TABLE(ID, NAME, HELP) NAME,
#include "vswitch/schema.def"
};

static const char *const table_helps[TABLE_COUNT] = {
#define SCHEMA_TABLE(ID, NAME, HELP) HELP,
#include "vswitch/schema.def"
};

static const struct schema_column columns[] = {
#define SCHEMA_COLUMN(TABLE, NAME, TYPE, FLAGS, LOWEST, HIGHEST, CHOICES, INITIAL, HELP) \
	{TABLE_##TABLE, NAME, TYPE, FLAGS, LOWEST, HIGHEST, CHOICES, INITIAL, HELP},
#include "vswitch/schema.def"
};

static const struct schema_key keys[] = {
#define SCHEMA_KEY(TABLE, COLUMN, KEY, TYPE, LOWEST, HIGHEST, CHOICES, HELP) \
	{TABLE_##TABLE, COLUMN, KEY, TYPE, LOWEST, HIGHEST, CHOICES, HELP, NULL},
#define SCHEMA_NO_KEY(TABLE, COLUMN, KEY, REASON) \
	{TABLE_##TABLE, COLUMN, KEY, COLUMN_STRING, 0, 0, "", "", REASON},
#include "vswitch/schema.def"
};

#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

const char *schema_table_name(enum schema_table_id table)
{
	return table_names[table];
}

int schema_table_find(const char *name, enum schema_table_id *table, struct rpc_error *error)
{
	struct suggestion suggestion;
	char near[64];
	size_t length = strlen(name);
	int found = 0;

	suggestion_init(&suggestion, name);
	for (int i = 0; i < TABLE_COUNT; i++) {
		if (strcasecmp(table_names[i], name) == 0) {
			*table = i;
			return 0;
		}
		if (length && strncasecmp(table_names[i], name, length) == 0) {
			*table = i;
			found++;
		}
		suggestion_offer(&suggestion, table_names[i]);
	}
	if (found == 1)
		return 0;
	rpc_error_set(error, RPC_NOT_FOUND, "there is no table \"%s\"%s (tables: %s, %s, %s, %s)",
		name, suggestion_format(&suggestion, near, sizeof(near)), table_names[0],
		table_names[1], table_names[2], table_names[3]);
	return -ENOENT;
}

const struct schema_column *schema_column_next(
	enum schema_table_id table, const struct schema_column *previous)
{
	size_t i = previous ? (size_t)(previous - columns) + 1 : 0;

	while (i < N_COLUMNS && columns[i].table != table)
		i++;
	return i < N_COLUMNS ? &columns[i] : NULL;
}

const struct schema_column *schema_column_find(
	enum schema_table_id table, const char *name, struct rpc_error *error)
{
	struct suggestion suggestion;
	char near[64];
	char known[400] = "";
	size_t used = 0;

	suggestion_init(&suggestion, name);
	for (const struct schema_column *column = schema_column_next(table, NULL); column;
		column = schema_column_next(table, column)) {
		if (strcmp(column->name, name) == 0)
			return column;
		suggestion_offer(&suggestion, column->name);
		if (used < sizeof(known))
			used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
				used ? ", " : "", column->name);
	}
	rpc_error_set(error, RPC_NOT_FOUND, "table %s has no column \"%s\"%s (columns: %s)",
		table_names[table], name, suggestion_format(&suggestion, near, sizeof(near)),
		known);
	return NULL;
}

json_t *schema_default(const struct schema_column *column)
{
	return json_loads(column->initial, JSON_DECODE_ANY, NULL);
}

// --- Values ---

// What a value belongs to, for messages and bounds: a column, or a key of a map.
struct place {
	char name[160];
	enum column_type type;
	json_int_t lowest;
	json_int_t highest;
	const char *choices;
};

static json_t *integer_value(
	const struct place *place, const json_t *value, struct rpc_error *error)
{
	json_int_t number = json_integer_value(value);

	if (json_is_string(value)) {
		const char *text = json_string_value(value);
		char *end;

		errno = 0;
		number = strtoll(text, &end, 0);
		if (!*text || *end || errno) {
			rpc_error_set(error, RPC_INVALID_PARAMS, "%s: \"%s\" is not a number",
				place->name, text);
			return NULL;
		}
	} else if (!json_is_integer(value)) {
		rpc_error_set(error, RPC_INVALID_PARAMS, "%s takes a whole number", place->name);
		return NULL;
	}
	if ((place->lowest || place->highest) &&
		(number < place->lowest || number > place->highest)) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"%s: %" JSON_INTEGER_FORMAT " is out of range %" JSON_INTEGER_FORMAT
			"..%" JSON_INTEGER_FORMAT,
			place->name, number, place->lowest, place->highest);
		return NULL;
	}
	return json_integer(number);
}

static json_t *boolean_value(
	const struct place *place, const json_t *value, struct rpc_error *error)
{
	const char *text = json_string_value(value);

	if (json_is_boolean(value))
		return json_boolean(json_is_true(value));
	if (text && (strcasecmp(text, "true") == 0 || strcasecmp(text, "yes") == 0))
		return json_true();
	if (text && (strcasecmp(text, "false") == 0 || strcasecmp(text, "no") == 0))
		return json_false();
	rpc_error_set(error, RPC_INVALID_PARAMS, "%s takes true or false", place->name);
	return NULL;
}

static json_t *string_value(const struct place *place, const json_t *value, struct rpc_error *error)
{
	char number[32];
	const char *text = json_string_value(value);

	// tag=100 and name=100 look the same to a command line.
	if (json_is_integer(value)) {
		snprintf(
			number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		text = number;
	} else if (json_is_boolean(value)) {
		text = json_is_true(value) ? "true" : "false";
	}
	if (!text) {
		rpc_error_set(error, RPC_INVALID_PARAMS, "%s takes a string", place->name);
		return NULL;
	}
	if (*place->choices && !word_list_has(place->choices, text)) {
		rpc_error_set(error, RPC_INVALID_PARAMS, "%s: \"%s\" is not one of: %s",
			place->name, text, place->choices);
		return NULL;
	}
	return json_string(text);
}

static json_t *scalar_value(const struct place *place, const json_t *value, struct rpc_error *error)
{
	switch (place->type) {
	case COLUMN_INTEGER:
		return integer_value(place, value, error);
	case COLUMN_BOOLEAN:
		return boolean_value(place, value, error);
	default:
		return string_value(place, value, error);
	}
}

static int key_unknown(const struct schema_column *column, const char *key, struct rpc_error *error)
{
	struct suggestion suggestion;
	char near[128];
	char known[300] = "none yet";
	size_t used = 0;

	suggestion_init(&suggestion, key);
	for (size_t i = 0; i < N_KEYS; i++) {
		if (keys[i].table != column->table || strcmp(keys[i].column, column->name) != 0 ||
			keys[i].refusal)
			continue;
		suggestion_offer(&suggestion, keys[i].key);
		if (used < sizeof(known))
			used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
				used ? ", " : "", keys[i].key);
	}
	rpc_error_set(error, RPC_INVALID_PARAMS,
		"%s:%s has no key \"%s\"%s (keys: %s); notes of your own go into "
		"external_ids",
		table_names[column->table], column->name, key,
		suggestion_format(&suggestion, near, sizeof(near)), known);
	return -EINVAL;
}

// Fill in `place` for one key of a map column. 0, or -EINVAL with *error.
static int key_place(const struct schema_column *column, const char *key, struct place *place,
	struct rpc_error *error)
{
	bool any = true;

	snprintf(place->name, sizeof(place->name), "%s:%s", column->name, key);
	place->type = COLUMN_STRING;
	place->lowest = place->highest = 0;
	place->choices = "";
	for (size_t i = 0; i < N_KEYS; i++) {
		if (keys[i].table != column->table || strcmp(keys[i].column, column->name) != 0)
			continue;
		any = false;
		if (strcmp(keys[i].key, key) != 0)
			continue;
		if (keys[i].refusal) {
			rpc_error_set(error, RPC_REFUSED, "%s has no meaning here: %s", place->name,
				keys[i].refusal);
			return -EINVAL;
		}
		place->type = keys[i].type;
		place->lowest = keys[i].lowest;
		place->highest = keys[i].highest;
		place->choices = keys[i].choices;
		return 0;
	}
	return any ? 0 : key_unknown(column, key, error);
}

// Map values are strings in any case; the type of a known key says what the string must be.
static json_t *map_value(
	const struct schema_column *column, const json_t *value, struct rpc_error *error)
{
	json_t *result;
	const char *key;
	json_t *item;

	if (!json_is_object(value)) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"%s:%s is a map; write %s:KEY=VALUE, or {\"KEY\": \"VALUE\"}",
			table_names[column->table], column->name, column->name);
		return NULL;
	}
	result = json_object();
	json_object_foreach ((json_t *)value, key, item) {
		struct place place;
		struct place text = {.type = COLUMN_STRING, .choices = ""};
		json_t *typed;
		int rc = *key ? key_place(column, key, &place, error) : -EINVAL;

		if (!*key)
			rpc_error_set(error, RPC_INVALID_PARAMS, "%s: an empty key", column->name);
		typed = rc == 0 ? scalar_value(&place, item, error) : NULL;
		if (!typed) {
			json_decref(result);
			return NULL;
		}
		snprintf(text.name, sizeof(text.name), "%s", place.name);
		json_object_set_new(result, key, string_value(&text, typed, error));
		json_decref(typed);
	}
	return result;
}

static int compare_integers(const void *a, const void *b)
{
	json_int_t x = json_integer_value(*(json_t *const *)a);
	json_int_t y = json_integer_value(*(json_t *const *)b);

	return x < y ? -1 : x > y;
}

// Sort integers and take repetitions out; consumes `set`.
static json_t *set_normalize(json_t *set)
{
	size_t count = json_array_size(set);
	json_t **items = calloc(count + 1, sizeof(*items));
	json_t *result = json_array();

	for (size_t i = 0; items && i < count; i++)
		items[i] = json_array_get(set, i);
	if (items && count && json_is_integer(items[0]))
		qsort(items, count, sizeof(*items), compare_integers);
	for (size_t i = 0; items && i < count; i++) {
		if (i == 0 || !json_equal(items[i], items[i - 1]))
			json_array_append(result, items[i]);
	}
	free(items);
	json_decref(set);
	return result;
}

// "1,2,3", with or without brackets, as an array of strings.
static json_t *set_split(const char *text)
{
	json_t *array = json_array();

	while (*text) {
		size_t n = strcspn(text, ",[] ");

		if (n)
			json_array_append_new(array, json_stringn(text, n));
		text += n;
		text += *text != '\0';
	}
	return array;
}

static json_t *set_value(const struct place *place, const json_t *value, struct rpc_error *error)
{
	json_t *result = json_array();
	json_t *items;

	if (json_is_string(value))
		items = set_split(json_string_value(value));
	else if (json_is_array(value))
		items = json_incref((json_t *)value);
	else
		items = json_pack("[O]", value);
	for (size_t i = 0; i < json_array_size(items); i++) {
		json_t *typed = scalar_value(place, json_array_get(items, i), error);

		if (!typed) {
			json_decref(result);
			json_decref(items);
			return NULL;
		}
		json_array_append_new(result, typed);
	}
	json_decref(items);
	return set_normalize(result);
}

json_t *schema_value(
	const struct schema_column *column, const json_t *value, struct rpc_error *error)
{
	struct place place = {
		.type = column->type,
		.lowest = column->lowest,
		.highest = column->highest,
		.choices = column->choices,
	};
	const char *text = json_string_value(value);
	bool empty = json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0) ||
		     (text && strcmp(text, "[]") == 0);

	snprintf(place.name, sizeof(place.name), "%s %s", table_names[column->table], column->name);
	if (column->type == COLUMN_MAP)
		return map_value(column, value, error);
	if (column->flags & COLUMN_SET)
		return empty ? json_array() : set_value(&place, value, error);
	if (empty && (column->flags & COLUMN_OPTIONAL))
		return json_array();
	if (json_is_array(value) && json_array_size(value) == 1)
		value = json_array_get(value, 0);
	return scalar_value(&place, value, error);
}

// --- Description ---

static const char *const type_names[] = {"string", "integer", "boolean", "uuid", "map"};

static json_t *describe_key(const struct schema_key *key)
{
	if (key->refusal)
		return json_pack("{s:s, s:s}", "key", key->key, "refused", key->refusal);
	json_t *result = json_pack("{s:s, s:s, s:s}", "key", key->key, "type",
		type_names[key->type], "help", key->help);

	if (key->lowest || key->highest) {
		json_object_set_new(result, "minimum", json_integer(key->lowest));
		json_object_set_new(result, "maximum", json_integer(key->highest));
	}
	if (*key->choices)
		json_object_set_new(result, "choices", json_string(key->choices));
	return result;
}

static json_t *describe_column(const struct schema_column *column)
{
	json_t *result = json_pack("{s:s, s:s, s:b, s:b, s:b, s:b, s:o, s:s}", "name", column->name,
		"type", type_names[column->type], "set", (column->flags & COLUMN_SET) != 0,
		"optional", (column->flags & COLUMN_OPTIONAL) != 0, "read_only",
		(column->flags & (COLUMN_READ_ONLY | COLUMN_LIVE)) != 0, "live",
		(column->flags & COLUMN_LIVE) != 0, "default", schema_default(column), "help",
		column->help);
	json_t *list = json_array();

	if (column->lowest || column->highest) {
		json_object_set_new(result, "minimum", json_integer(column->lowest));
		json_object_set_new(result, "maximum", json_integer(column->highest));
	}
	if (*column->choices)
		json_object_set_new(result, "choices", json_string(column->choices));
	for (size_t i = 0; i < N_KEYS; i++) {
		if (keys[i].table == column->table && strcmp(keys[i].column, column->name) == 0)
			json_array_append_new(list, describe_key(&keys[i]));
	}
	if (json_array_size(list))
		json_object_set(result, "keys", list);
	json_decref(list);
	return result;
}

json_t *schema_describe(void)
{
	json_t *tables = json_array();

	for (int table = 0; table < TABLE_COUNT; table++) {
		json_t *list = json_array();

		for (const struct schema_column *column = schema_column_next(table, NULL); column;
			column = schema_column_next(table, column))
			json_array_append_new(list, describe_column(column));
		json_array_append_new(
			tables, json_pack("{s:s, s:s, s:o}", "name", table_names[table], "help",
					table_helps[table], "columns", list));
	}
	return json_pack("{s:o}", "tables", tables);
}
