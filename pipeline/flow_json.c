// SPDX-License-Identifier: Apache-2.0

// Flows from JSON: the members become the same tokens that a line of text is cut into, and are
// judged by the same code. Writing JSON is in flow_json_print.c.

#include "pipeline/flow_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_json_reader.h"

// --- Strings ---

int json_keep_string(struct json_reader *reader, char *string)
{
	struct string_list *list = &reader->strings;
	char **items = string ? realloc(list->items, (list->count + 1) * sizeof(*items)) : NULL;

	if (!items) {
		free(string);
		return -ENOMEM;
	}
	list->items = items;
	list->items[list->count++] = string;
	return 0;
}

void json_reader_finish(struct json_reader *reader)
{
	for (size_t i = 0; i < reader->strings.count; i++)
		free(reader->strings.items[i]);
	free(reader->strings.items);
}

int json_bad_member(struct json_reader *reader, const char *name, const char *what)
{
	return flow_parser_fail(
		reader->parser, NULL, FLOW_ERROR_SYNTAX, name, "\"%s\" %s", name, what);
}

// A number or string as the text that it would be in a line: *text is kept by the reader.
static int scalar_text(
	struct json_reader *reader, const char *name, const json_t *value, const char **text)
{
	char *copy = NULL;

	if (json_is_string(value)) {
		if (json_string_length(value) == 0 ||
			strlen(json_string_value(value)) != json_string_length(value))
			return json_bad_member(reader, name, "has an empty value");
		copy = strdup(json_string_value(value));
	} else if (json_is_integer(value)) {
		if (asprintf(&copy, "%lld", (long long)json_integer_value(value)) < 0)
			copy = NULL;
	} else {
		return json_bad_member(reader, name, "has to be a whole number or a string");
	}
	*text = copy;
	return json_keep_string(reader, copy);
}

// --- Keys ---

int json_read_key(struct json_reader *reader, const char *key, const json_t *value)
{
	struct flow_token *token;
	const char *text = NULL;
	char *whole;
	int status = json_is_true(value) ? 0 : scalar_text(reader, key, value, &text);

	if (status != 0)
		return status;
	if (asprintf(&whole, "%s%s%s", key, text ? "=" : "", text ? text : "") < 0)
		whole = NULL;
	status = json_keep_string(reader, whole);
	token = token_list_add(&reader->parser->keys);
	if (status != 0 || !token)
		return -ENOMEM;
	token->start = token->key = whole;
	token->length = strlen(whole);
	token->key_length = strlen(key);
	if (text) {
		token->value = whole + token->key_length + 1;
		token->value_length = strlen(text);
	}
	return 0;
}

static int read_match(struct json_reader *reader, const json_t *match)
{
	const char *key;
	json_t *value;
	int status = 0;

	if (!json_is_object(match))
		return json_bad_member(reader, "match", "has to be an object of fields");
	json_object_foreach ((json_t *)match, key, value) {
		if (flow_key_exists(key, strlen(key)))
			return json_bad_member(reader, key, "is no field; put it beside \"match\"");
		status = json_read_key(reader, key, value);
		if (status != 0)
			return status;
	}
	return 0;
}

// --- Actions ---

// `text` is one whole action in its text form; it is taken over.
static int add_action(struct json_reader *reader, char *text)
{
	struct flow_token *token = token_list_add(&reader->parser->actions);
	int status = json_keep_string(reader, text);

	if (status != 0 || !token)
		return -ENOMEM;
	token->start = text;
	token->length = strlen(text);
	return action_token_split(reader->parser, token);
}

// The two members of an argument such as {"field": F, "value": V}; *second may be absent if
// `optional`. Anything else in it is refused.
static int read_pair(struct json_reader *reader, const char *action, const json_t *argument,
	const char *names[2], const char *texts[2])
{
	char what[100];
	const char *key;
	json_t *value;

	texts[0] = texts[1] = NULL;
	json_object_foreach ((json_t *)argument, key, value) {
		size_t which = strcmp(key, names[0]) == 0 ? 0 : 1;
		int status;

		if (strcmp(key, names[which]) != 0) {
			snprintf(what, sizeof(what), "of %s is unknown; it has \"%s\" and \"%s\"",
				action, names[0], names[1]);
			return json_bad_member(reader, key, what);
		}
		status = scalar_text(reader, key, value, &texts[which]);
		if (status != 0)
			return status;
	}
	return 0;
}

// In brackets, what holds a separator stands in quotes, as the name of a port may; then it is one
// value there too, whatever it holds.
static int quote_argument(struct json_reader *reader, const char *name, const char **text)
{
	size_t length = strlen(*text);
	bool is_quoted = length >= 2 && (*text)[0] == '"' && (*text)[length - 1] == '"';
	char *quoted;

	if (memchr(*text + is_quoted, '"', length - 2 * is_quoted))
		return json_bad_member(reader, name, "has a quotation mark inside");
	if (is_quoted || !strpbrk(*text, " \t,=()[]#"))
		return 0;
	if (asprintf(&quoted, "\"%s\"", *text) < 0)
		quoted = NULL;
	*text = quoted;
	return json_keep_string(reader, quoted);
}

// {"output": {"port": 2, "max_len": 100}} and {"controller": {"max_len": 128}}: members become what
// stands in the brackets, whose names the text parser knows.
static int add_bracket_action(
	struct json_reader *reader, const struct action_type *type, const json_t *argument)
{
	const char *key, *value_text;
	char *text = strdup(type->name), *longer;
	json_t *value;
	char separator = '(';
	int status = 0;

	json_object_foreach ((json_t *)argument, key, value) {
		if (key[strspn(key, "abcdefghijklmnopqrstuvwxyz_")] != '\0')
			status = json_bad_member(reader, key, "is not known here");
		if (status == 0)
			status = scalar_text(reader, key, value, &value_text);
		if (status == 0)
			status = quote_argument(reader, key, &value_text);
		if (status != 0) {
			free(text);
			return status;
		}
		if (!text || asprintf(&longer, "%s%c%s=%s", text, separator, key, value_text) < 0)
			longer = NULL;
		free(text);
		text = longer;
		separator = ',';
	}
	if (!text || asprintf(&longer, "%s%s", text, separator == '(' ? "()" : ")") < 0)
		longer = NULL;
	free(text);
	return add_action(reader, longer);
}

static int add_object_action(
	struct json_reader *reader, const struct action_type *type, const json_t *argument)
{
	static const char *const value_names[2] = {"value", "field"};
	static const char *const move_names[2] = {"from", "to"};
	static const char *const resubmit_names[2] = {"port", "table"};
	bool resubmit = type->form == ARG_RESUBMIT;
	const char *const *names = resubmit                 ? resubmit_names
				   : type->form == ARG_MOVE ? move_names
							    : value_names;
	const char *pair[2] = {names[0], names[1]}, *texts[2];
	char what[80];
	char *text;
	int status;

	if (type->form == ARG_PORT || type->form == ARG_CONTROLLER)
		return add_bracket_action(reader, type, argument);
	if (!resubmit && type->form != ARG_MOVE && type->form != ARG_SET_FIELD &&
		type->form != ARG_LOAD)
		return json_bad_member(reader, type->name, "takes a number or a string");
	status = read_pair(reader, type->name, argument, pair, texts);
	if (status != 0)
		return status;
	if (!resubmit && (!texts[0] || !texts[1])) {
		snprintf(what, sizeof(what), "needs both \"%s\" and \"%s\"", names[0], names[1]);
		return json_bad_member(reader, type->name, what);
	}
	if (resubmit && texts[0])
		status = quote_argument(reader, "port", &texts[0]);
	if (status != 0)
		return status;
	if (asprintf(&text, resubmit ? "%s(%s,%s)" : "%s:%s->%s", type->name,
		    texts[0] ? texts[0] : "", texts[1] ? texts[1] : "") < 0)
		text = NULL;
	return add_action(reader, text);
}

static int read_action(struct json_reader *reader, const json_t *action)
{
	const struct action_type *type;
	const char *name, *argument;
	json_t *value;
	char *text;
	int status;

	if (json_is_string(action))
		return add_action(reader, strdup(json_string_value(action)));
	if (!json_is_object(action) || json_object_size(action) != 1)
		return json_bad_member(reader, "actions",
			"has to hold names and objects of one member, such as "
			"\"strip_vlan\" and {\"output\": 2}");
	name = json_object_iter_key(json_object_iter((json_t *)action));
	value = json_object_get(action, name);
	type = action_type_find(name, strlen(name));
	if (type && json_is_object(value))
		return add_object_action(reader, type, value);
	if (!type || json_is_true(value) || json_is_null(value))
		return add_action(reader, strdup(name));
	status = scalar_text(reader, name, value, &argument);
	if (status != 0)
		return status;
	// A bare number is the table, not the port, that is meant.
	if (asprintf(&text,
		    type->form == ARG_RESUBMIT && json_is_integer(value) ? "%s(,%s)" : "%s:%s",
		    name, argument) < 0)
		text = NULL;
	return add_action(reader, text);
}

int json_read_actions(struct json_reader *reader, const json_t *actions)
{
	const json_t *action;
	size_t i;
	int status = 0;

	if (!json_is_array(actions))
		return json_bad_member(reader, "actions", "has to be an array");
	reader->parser->has_actions = true;
	json_array_foreach (actions, i, action) {
		status = read_action(reader, action);
		if (status != 0)
			return status;
	}
	return 0;
}

// --- Flows ---

static int read_command(struct json_reader *reader, const json_t *value)
{
	const char *name = json_is_string(value) ? json_string_value(value) : "";

	if (flow_command_find(name, strlen(name), &reader->parser->request->command))
		return 0;
	return json_bad_member(
		reader, "command", "has to be add, modify, modify_strict, delete or delete_strict");
}

static int read_member(struct json_reader *reader, const char *key, const json_t *value)
{
	if (strcmp(key, "match") == 0)
		return read_match(reader, value);
	if (strcmp(key, "actions") == 0)
		return json_read_actions(reader, value);
	if (strcmp(key, "command") == 0)
		return read_command(reader, value);
	if (flow_key_exists(key, strlen(key)))
		return json_read_key(reader, key, value);
	if (field_find(key, strlen(key)))
		return json_bad_member(reader, key, "is a field; put it into \"match\"");
	return flow_parser_fail(reader->parser, NULL, FLOW_ERROR_UNKNOWN_FIELD, key,
		"a flow has no member \"%s\"; it has table, priority, cookie, idle_timeout, "
		"hard_timeout, match and actions",
		key);
}

int flow_request_from_json(struct flow_request *request, const json_t *json,
	enum flow_command default_command, const struct port_names *names,
	struct flow_warnings *warnings, struct flow_error *error)
{
	struct flow_parser parser;
	struct json_reader reader = {.parser = &parser};
	const char *key;
	json_t *value;
	int status = 0;

	flow_parser_start(&parser, request, default_command, names, warnings, error);
	if (!json_is_object(json))
		status = flow_parser_fail(
			&parser, NULL, FLOW_ERROR_SYNTAX, NULL, "a flow has to be a JSON object");
	json_object_foreach ((json_t *)json, key, value) {
		if (status == 0)
			status = read_member(&reader, key, value);
	}
	if (status == 0)
		status = flow_parser_run(&parser);
	flow_parser_finish(&parser);
	json_reader_finish(&reader);
	if (status != 0)
		flow_request_destroy(request);
	return status;
}
