// SPDX-License-Identifier: Apache-2.0
#include "datapath/port_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/closest_word.h"

static const struct port_type types[] = {
#define PORT_TYPE(ID, NAME, ALIASES, OPS, HELP) {NAME, ALIASES, HELP},
#include "datapath/port_types.def"
};

static const struct port_option rows[] = {
#define PORT_OPTION(TYPE, ID, NAME, ALIASES, KIND, DEFAULT, LEAST, MOST, HELP) \
	{PORT_TYPE_##TYPE, NAME, ALIASES, KIND, DEFAULT, LEAST, MOST, HELP},
#include "datapath/port_types.def"
};

const struct port_type *port_type_get(enum port_type_id id)
{
	return &types[id];
}

// Is `name` one of the blank-separated `words`?
static bool word_in(const char *words, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = words; *at; at += strspn(at, " ")) {
		size_t word = strcspn(at, " ");

		if (word == length && memcmp(at, name, length) == 0)
			return true;
		at += word;
	}
	return false;
}

int port_type_find(const char *name)
{
	for (int i = 0; i < PORT_TYPE_COUNT; i++) {
		if (strcmp(types[i].name, name) == 0 || word_in(types[i].aliases, name))
			return i;
	}
	return -1;
}

int port_type_parse(const char *name, struct rpc_error *error)
{
	const char *given = name ? name : "";
	int found = port_type_find(given);
	struct closest_word closest;
	char known[512] = "";
	size_t length = 0;

	if (found >= 0)
		return found;
	closest_word_begin(&closest, given);
	for (int i = 0; i < PORT_TYPE_COUNT; i++) {
		closest_word_consider(&closest, types[i].name);
		length += snprintf(known + length, sizeof(known) - length, "%s%s",
			length ? ", " : "", types[i].name);
	}
	rpc_error_set(error, RPC_REFUSED, "port type \"%s\" is unknown%s%s%s; there are %s", given,
		closest.best ? "; did you mean \"" : "", closest.best ? closest.best : "",
		closest.best ? "\"?" : "", known);
	return -1;
}

static int option_find(enum port_type_id type, const char *name)
{
	for (int i = 0; i < PORT_OPTION_COUNT; i++) {
		if (rows[i].type != type)
			continue;
		if (strcmp(rows[i].name, name) == 0 || word_in(rows[i].aliases, name))
			return i;
	}
	return -1;
}

static void unknown_option(enum port_type_id type, const char *name, struct rpc_error *error)
{
	char known[512] = "";
	size_t length = 0;

	for (int i = 0; i < PORT_OPTION_COUNT; i++) {
		if (rows[i].type == type)
			length += snprintf(known + length, sizeof(known) - length, "%s%s",
				length ? ", " : "", rows[i].name);
	}
	rpc_error_set(error, RPC_REFUSED, "ports of type %s have no option \"%s\"; they have %s",
		types[type].name, name, known);
}

static bool integer_check(int id, const char *text, long *value, struct rpc_error *error)
{
	const struct port_option *row = &rows[id];
	char *end;

	errno = 0;
	*value = strtol(text, &end, 0);
	if (errno == 0 && end != text && *end == '\0' && *value >= row->least &&
		*value <= row->most)
		return true;
	rpc_error_set(error, RPC_REFUSED, "option %s=%s: give a whole number from %ld to %ld",
		row->name, text, row->least, row->most);
	return false;
}

static bool value_check(
	int id, const char *text, struct port_options *options, struct rpc_error *error)
{
	const struct port_option *row = &rows[id];
	size_t length = strlen(text);

	options->text[id] = text;
	switch (row->kind) {
	case OPTION_INTEGER:
		return integer_check(id, text, &options->number[id], error);
	case OPTION_CHOICE:
		if (strcmp(text, "client") == 0 || strcmp(text, "server") == 0)
			return true;
		rpc_error_set(
			error, RPC_REFUSED, "option %s=%s: give client or server", row->name, text);
		return false;
	case OPTION_STRING:
		break;
	}
	if ((long)length >= row->least && (long)length <= row->most)
		return true;
	rpc_error_set(error, RPC_REFUSED,
		"option %s is %zu bytes long; it may have from %ld to %ld", row->name, length,
		row->least, row->most);
	return false;
}

static bool option_set(enum port_type_id type, const char *name, const json_t *value,
	struct port_options *options, struct rpc_error *error)
{
	int id = option_find(type, name);

	if (id < 0) {
		unknown_option(type, name, error);
		return false;
	}
	if (options->given[id]) {
		rpc_error_set(error, RPC_REFUSED, "option %s is given twice (as %s as well)",
			rows[id].name, name);
		return false;
	}
	options->given[id] = true;
	if (json_is_integer(value) && rows[id].kind == OPTION_INTEGER) {
		char text[32];
		bool good;

		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
		good = value_check(id, text, options, error);
		options->text[id] = rows[id].default_value;
		return good;
	}
	if (!json_is_string(value)) {
		rpc_error_set(error, RPC_REFUSED, "option %s: give a string%s", name,
			rows[id].kind == OPTION_INTEGER ? " or a number" : "");
		return false;
	}
	return value_check(id, json_string_value(value), options, error);
}

bool port_options_parse(enum port_type_id type, const json_t *json, struct port_options *options,
	struct rpc_error *error)
{
	const char *name;
	json_t *value;

	memset(options, 0, sizeof(*options));
	json_object_foreach ((json_t *)json, name, value) {
		if (!option_set(type, name, value, options, error))
			return false;
	}
	for (int i = 0; i < PORT_OPTION_COUNT; i++) {
		if (rows[i].type != type || options->given[i])
			continue;
		if (!rows[i].default_value) {
			rpc_error_set(error, RPC_REFUSED, "ports of type %s need the option %s: %s",
				types[type].name, rows[i].name, rows[i].help);
			return false;
		}
		options->text[i] = rows[i].default_value;
		if (rows[i].kind == OPTION_INTEGER)
			options->number[i] = strtol(rows[i].default_value, NULL, 0);
	}
	return true;
}

static json_t *words_to_json(const char *words)
{
	json_t *array = json_array();

	for (const char *at = words; *at; at += strspn(at, " ")) {
		size_t word = strcspn(at, " ");

		json_array_append_new(array, json_stringn(at, word));
		at += word;
	}
	return array;
}

static json_t *option_describe(const struct port_option *row)
{
	json_t *option = json_pack("{s:s, s:o, s:s, s:s?, s:b, s:s}", "name", row->name, "aliases",
		words_to_json(row->aliases), "type",
		row->kind == OPTION_INTEGER ? "integer" : "string", "default", row->default_value,
		"required", row->default_value == NULL, "help", row->help);

	if (row->kind == OPTION_CHOICE)
		json_object_set_new(option, "values", json_pack("[s, s]", "client", "server"));
	if (row->kind == OPTION_INTEGER) {
		json_object_set_new(option, "minimum", json_integer(row->least));
		json_object_set_new(option, "maximum", json_integer(row->most));
	}
	return option;
}

json_t *port_types_describe(void)
{
	json_t *all = json_array();

	for (int type = 0; type < PORT_TYPE_COUNT; type++) {
		json_t *options = json_array();

		for (int i = 0; i < PORT_OPTION_COUNT; i++) {
			if (rows[i].type == (enum port_type_id)type)
				json_array_append_new(options, option_describe(&rows[i]));
		}
		json_array_append_new(
			all, json_pack("{s:s, s:o, s:s, s:o}", "type", types[type].name, "aliases",
				     words_to_json(types[type].aliases), "help", types[type].help,
				     "options", options));
	}
	return all;
}
