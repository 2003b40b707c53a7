// SPDX-License-Identifier: Apache-2.0
#include "vswitch/vsctl_value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void vsctl_column_destroy(struct vsctl_column *column)
{
	free(column->column);
	free(column->key);
	json_decref(column->value);
	memset(column, 0, sizeof(*column));
}

static void skip_blanks(const char **text)
{
	*text += strspn(*text, " \t\n");
}

// The length of the JSON string that `text` begins with, quotes included; 0 if it does not end.
static size_t quoted_length(const char *text)
{
	for (size_t i = 1; text[i] != '\0'; i++) {
		if (text[i] == '"')
			return i + 1;
		if (text[i] == '\\' && text[++i] == '\0')
			return 0;
	}
	return 0;
}

// A string up to one of `ends`, without the blanks at its end. NULL with *error. malloc()ed.
static char *bare_parse(const char **text, const char *ends, struct rpc_error *error)
{
	const char *start = *text;
	size_t length = strcspn(start, ends);
	json_t *checked;
	char *atom;

	*text += length;
	while (length > 0 && isspace((unsigned char)start[length - 1]))
		length--;
	// JSON could not carry it.
	checked = json_stringn(start, length);
	if (checked == NULL) {
		rpc_error_set(error, RPC_INVALID_PARAMS, "the value is not UTF-8");
		return NULL;
	}
	atom = strdup(json_string_value(checked));
	json_decref(checked);
	return atom;
}

// One string, quoted, or bare up to one of `ends`. NULL with *error. malloc()ed.
static char *atom_parse(const char **text, const char *ends, struct rpc_error *error)
{
	json_error_t json_error;
	json_t *decoded;
	size_t length;
	char *atom;

	skip_blanks(text);
	if (**text != '"')
		return bare_parse(text, ends, error);
	length = quoted_length(*text);
	if (length == 0) {
		rpc_error_set(error, RPC_INVALID_PARAMS, "%s: the closing quote is missing", *text);
		return NULL;
	}
	decoded = json_loadb(*text, length, JSON_DECODE_ANY, &json_error);
	if (decoded == NULL) {
		rpc_error_set(
			error, RPC_INVALID_PARAMS, "%.*s: %s", (int)length, *text, json_error.text);
		return NULL;
	}
	*text += length;
	skip_blanks(text);
	atom = strdup(json_string_value(decoded));
	json_decref(decoded);
	return atom;
}

// The text is to be used up here.
static bool at_end(const char *text, const char *whole, struct rpc_error *error)
{
	skip_blanks(&text);
	if (*text == '\0')
		return true;
	rpc_error_set(error, RPC_INVALID_PARAMS, "%s: \"%s\" is too much", whole, text);
	return false;
}

static bool set_item_parse(const char **text, json_t *set, struct rpc_error *error)
{
	char *atom;

	skip_blanks(text);
	if (**text == ',' || **text == ']' || **text == '\0') {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"a set is written [A,B,...]; a member is missing before \"%s\"", *text);
		return false;
	}
	atom = atom_parse(text, ",]", error);
	if (atom == NULL)
		return false;
	json_array_append_new(set, json_string(atom));
	free(atom);
	return true;
}

static bool map_item_parse(const char **text, json_t *map, struct rpc_error *error)
{
	char *key = atom_parse(text, "=,}", error);
	char *value;

	if (key == NULL)
		return false;
	if (**text != '=') {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"a map is written {KEY=VALUE,...}; \"=\" is missing behind \"%s\"", key);
		free(key);
		return false;
	}
	++*text;
	value = atom_parse(text, ",}", error);
	if (value != NULL)
		json_object_set_new(map, key, json_string(value));
	free(key);
	free(value);
	return value != NULL;
}

// What stands between brackets, `text` behind the opening one.
static bool items_parse(const char **text, json_t *items, char close, struct rpc_error *error)
{
	skip_blanks(text);
	if (**text == close) {
		++*text;
		return true;
	}
	for (;;) {
		if (!(json_is_object(items) ? map_item_parse(text, items, error)
					    : set_item_parse(text, items, error)))
			return false;
		skip_blanks(text);
		if (**text == close) {
			++*text;
			return true;
		}
		if (**text != ',') {
			rpc_error_set(
				error, RPC_INVALID_PARAMS, "\"%c\" is missing at the end", close);
			return false;
		}
		++*text;
	}
}

json_t *vsctl_value_parse(const char *text, struct rpc_error *error)
{
	const char *whole = text;
	json_t *value;
	char *atom;

	skip_blanks(&text);
	if (*text == '{' || *text == '[') {
		char close = *text == '{' ? '}' : ']';

		value = *text++ == '{' ? json_object() : json_array();
		if (!items_parse(&text, value, close, error) || !at_end(text, whole, error)) {
			json_decref(value);
			return NULL;
		}
		return value;
	}
	atom = atom_parse(&text, "", error);
	value = atom != NULL && at_end(text, whole, error) ? json_string(atom) : NULL;
	free(atom);
	return value;
}

bool vsctl_pair_parse(const char *text, char **key, char **value, struct rpc_error *error)
{
	const char *whole = text;

	*value = NULL;
	*key = atom_parse(&text, "=", error);
	if (*key == NULL)
		return false;
	if (*text == '=') {
		text++;
		*value = atom_parse(&text, "", error);
		if (*value != NULL && at_end(text, whole, error))
			return true;
	} else {
		rpc_error_set(
			error, RPC_INVALID_PARAMS, "\"%s\" is to be written KEY=VALUE", whole);
	}
	free(*key);
	free(*value);
	*key = NULL;
	*value = NULL;
	return false;
}

// COLUMN[:KEY], up to the end or, if `assignment`, to "=".
static bool column_parse(
	const char **text, struct vsctl_column *column, bool assignment, struct rpc_error *error)
{
	const char *whole = *text;
	size_t length = strspn(whole, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");

	memset(column, 0, sizeof(*column));
	*text += length;
	if (length == 0 || (**text != '\0' && **text != ':' && **text != '=')) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"\"%s\" does not begin with the name of a column; it is written "
			"COLUMN[:KEY]%s",
			whole, assignment ? "=VALUE" : "");
		return false;
	}
	column->column = strndup(whole, length);
	if (**text == ':') {
		++*text;
		column->key = atom_parse(text, assignment ? "=" : "", error);
		if (column->key == NULL)
			return false;
		if (column->key[0] == '\0') {
			rpc_error_set(error, RPC_INVALID_PARAMS,
				"\"%s\": the key behind the colon is missing", whole);
			return false;
		}
	}
	return true;
}

bool vsctl_column_parse(const char *text, struct vsctl_column *column, struct rpc_error *error)
{
	const char *whole = text;

	if (column_parse(&text, column, false, error) && at_end(text, whole, error))
		return true;
	vsctl_column_destroy(column);
	return false;
}

bool vsctl_assignment_parse(const char *text, struct vsctl_column *column, struct rpc_error *error)
{
	const char *whole = text;

	if (!column_parse(&text, column, true, error))
		goto fail;
	if (*text != '=') {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"\"%s\" has no \"=\"; it is written COLUMN[:KEY]=VALUE", whole);
		goto fail;
	}
	text++;
	if (column->key != NULL) {
		char *atom = atom_parse(&text, "", error);

		if (atom != NULL && at_end(text, whole, error))
			column->value = json_string(atom);
		free(atom);
	} else {
		column->value = vsctl_value_parse(text, error);
	}
	if (column->value != NULL)
		return true;
fail:
	vsctl_column_destroy(column);
	return false;
}

static bool looks_like_uuid(const char *text)
{
	size_t i;

	for (i = 0; text[i] != '\0'; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return i == 36;
}

// Would the bare word be read as something else than this string? Row ids are bare, though.
static bool needs_quotes(const char *text)
{
	if (looks_like_uuid(text))
		return false;
	if (!isalpha((unsigned char)text[0]) && text[0] != '_')
		return true;
	for (const char *c = text; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-' && *c != '.')
			return true;
	return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
}

static void atom_print(const json_t *atom, FILE *out)
{
	if (json_is_string(atom) && !needs_quotes(json_string_value(atom)))
		fputs(json_string_value(atom), out);
	else
		json_dumpf(atom, out, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(12));
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void map_print(const json_t *map, FILE *out)
{
	size_t count = json_object_size(map);
	const char **names = calloc(count + 1, sizeof(*names));
	size_t used = 0;
	const char *name;
	json_t *value;

	if (names == NULL)
		return;
	json_object_foreach ((json_t *)map, name, value)
		names[used++] = name;
	qsort(names, used, sizeof(*names), name_compare);
	putc('{', out);
	for (size_t i = 0; i < used; i++) {
		json_t *text = json_string(names[i]);

		if (i > 0)
			fputs(", ", out);
		atom_print(text, out);
		putc('=', out);
		vsctl_value_print(json_object_get(map, names[i]), out);
		json_decref(text);
	}
	putc('}', out);
	free(names);
}

void vsctl_value_print(const json_t *value, FILE *out)
{
	size_t index;
	json_t *item;

	if (json_is_object(value)) {
		map_print(value, out);
	} else if (json_is_array(value)) {
		putc('[', out);
		json_array_foreach ((json_t *)value, index, item) {
			if (index > 0)
				fputs(", ", out);
			vsctl_value_print(item, out);
		}
		putc(']', out);
	} else if (value != NULL) {
		atom_print(value, out);
	}
}
