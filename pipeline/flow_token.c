// SPDX-License-Identifier: Apache-2.0

// Cutting a line into tokens, and errors that know their place in it.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_parser.h"

// --- Lists ---

struct flow_token *token_list_add(struct token_list *list)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 16;
		struct flow_token *items = realloc(list->items, capacity * sizeof(*items));

		if (!items)
			return NULL;
		list->items = items;
		list->capacity = capacity;
	}
	memset(&list->items[list->count], 0, sizeof(list->items[0]));
	return &list->items[list->count++];
}

void token_list_destroy(struct token_list *list)
{
	free(list->items);
	*list = (struct token_list){0};
}

// --- Errors ---

int flow_parser_place(struct flow_parser *parser, const struct flow_token *token, int status)
{
	if (status == 0 || !parser->text)
		return status;
	parser->error->offset =
		token ? (size_t)(token->start - parser->text) : strlen(parser->text);
	parser->error->length = token ? token->length : 0;
	return status;
}

int flow_parser_fail(struct flow_parser *parser, const struct flow_token *token,
	enum flow_error_kind kind, const char *field, const char *format, ...)
{
	char message[sizeof(parser->error->message)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return flow_parser_place(
		parser, token, flow_error_set(parser->error, kind, field, "%s", message));
}

void flow_parser_hint(struct flow_parser *parser, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(parser->error->hint, sizeof(parser->error->hint), format, arguments);
	va_end(arguments);
}

int flow_parser_wants_equals(struct flow_parser *parser, const struct flow_token *token)
{
	int length = (int)token->key_length;

	flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, NULL,
		"\"%.*s\" needs \"=\" before its value; write %.*s=%.*s", length, token->key,
		length, token->key, (int)token->value_length, token->value);
	flow_parser_hint(parser, "%.*s=%.*s", length, token->key, (int)token->value_length,
		token->value);
	return -EINVAL;
}

int flow_parser_needs_value(struct flow_parser *parser, const struct flow_token *token,
	const char *name, const char *example)
{
	flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, name,
		"%s needs a value: write for example %s", name, example);
	flow_parser_hint(parser, "%s", example);
	return -EINVAL;
}

int flow_parser_given_twice(
	struct flow_parser *parser, const struct flow_token *token, const char *name)
{
	return flow_parser_fail(parser, token, FLOW_ERROR_CONFLICT, name,
		"%s is given twice; leave one out", name);
}

int flow_parser_number(struct flow_parser *parser, const struct flow_token *token, const char *name,
	uint64_t max, uint64_t *number)
{
	return flow_parser_place(parser, token,
		number_parse_bounded(
			name, token->value, token->value_length, max, number, parser->error));
}

void flow_parser_warn(struct flow_parser *parser, const struct flow_token *token,
	enum flow_error_kind kind, const char *field, const char *format, ...)
{
	struct flow_parser view = *parser;
	char message[sizeof(parser->error->message)];
	va_list arguments;

	if (!parser->warnings || parser->warnings->count >= FLOW_WARNINGS_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	view.error = &parser->warnings->items[parser->warnings->count++];
	flow_parser_fail(&view, token, kind, field, "%s", message);
}

// --- Commands ---

static const char *const commands[] = {
	[FLOW_ADD] = "add",
	[FLOW_MODIFY] = "modify",
	[FLOW_MODIFY_STRICT] = "modify_strict",
	[FLOW_DELETE] = "delete",
	[FLOW_DELETE_STRICT] = "delete_strict",
};

bool flow_command_find(const char *name, size_t length, enum flow_command *command)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (name_equal(commands[i], name, length)) {
			*command = (enum flow_command)i;
			return true;
		}
	}
	return false;
}

const char *flow_command_name(enum flow_command command)
{
	return commands[command];
}

// --- Lines ---

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_separator(char c)
{
	return c == ',' || is_blank(c);
}

static bool is_end(char c)
{
	return c == '\0' || c == '#';
}

static const char *skip_blanks(const char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

static const char *skip_separators(const char *at)
{
	while (is_separator(*at))
		at++;
	return at;
}

// To the closing quote, if there is one on the line.
static const char *skip_quoted(const char *at)
{
	const char *close = strchr(at + 1, '"');

	return close ? close + 1 : at + 1;
}

static const char *value_end(const char *at)
{
	while (!is_end(*at) && !is_separator(*at))
		at = *at == '"' ? skip_quoted(at) : at + 1;
	return at;
}

// The end of an action: a separator outside of brackets. NULL: a bracket is not closed.
static const char *action_end(const char *at)
{
	unsigned depth = 0;

	for (; !is_end(*at) && (depth > 0 || !is_separator(*at)); at++) {
		if (*at == '(' || *at == '[')
			depth++;
		else if ((*at == ')' || *at == ']') && depth > 0)
			depth--;
		else if (*at == '"')
			at = skip_quoted(at) - 1;
	}
	return depth == 0 ? at : NULL;
}

int action_token_split(struct flow_parser *parser, struct flow_token *token)
{
	const char *end = token->start + token->length;

	token->key = token->start;
	token->key_length = token->length;
	token->value = NULL;
	if (token->length == 0 || token->start[0] == '"')
		return 0;
	for (const char *at = token->start; at < end; at++) {
		if (*at != ':' && *at != '=' && *at != '(')
			continue;
		if (*at == '(' && end[-1] != ')')
			return flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, NULL,
				"\"%.*s\" goes on behind its closing bracket; put a comma "
				"between actions",
				(int)token->length, token->start);
		token->key_length = (size_t)(at - token->start);
		token->value = at + 1;
		token->value_length = (size_t)(end - at - 1) - (*at == '(');
		return 0;
	}
	return 0;
}

int action_token_next(struct flow_parser *parser, const char **at, struct flow_token *token)
{
	const char *start = skip_separators(*at);
	const char *end = action_end(start);

	*token = (struct flow_token){.start = start, .length = strcspn(start, "#")};
	if (!end)
		return flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, NULL,
			"a bracket is not closed in \"%.*s\"", (int)token->length, start);
	token->length = (size_t)(end - start);
	*at = end;
	return action_token_split(parser, token);
}

int actions_text_split(struct flow_parser *parser, const char *at)
{
	struct flow_token token;
	int status = action_token_next(parser, &at, &token);

	while (status == 0 && token.length > 0) {
		struct flow_token *item = token_list_add(&parser->actions);

		if (!item)
			return -ENOMEM;
		*item = token;
		status = action_token_next(parser, &at, &token);
	}
	return status;
}

bool actions_key_is(const char *key, size_t length)
{
	return name_equal("actions", key, length) || name_equal("action", key, length);
}

static int no_value(struct flow_parser *parser, struct flow_token *token, const char *value)
{
	const char *start = skip_blanks(value);
	int length = (int)(value_end(start) - start);
	char name[sizeof(parser->error->field)];

	if (memchr(start, '=', (size_t)length)) // the next key
		length = 0;
	token->length = (size_t)(value - token->start);
	snprintf(name, sizeof(name), "%.*s", (int)token->key_length, token->key);
	flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, name,
		"%.*s has no value directly behind \"=\"; write %.*s=%.*s", (int)token->key_length,
		token->key, (int)token->key_length, token->key, length > 0 ? length : 5,
		length > 0 ? start : "VALUE");
	flow_parser_hint(parser, "%.*s=%.*s", (int)token->key_length, token->key, length, start);
	return -EINVAL;
}

// One key with or without value at `at`; *next is where to go on, NULL after the actions.
static int split_key(struct flow_parser *parser, const char *at, const char **next)
{
	struct flow_token *token = token_list_add(&parser->keys);
	const char *end = at;

	if (!token)
		return -ENOMEM;
	while (!is_end(*end) && !is_separator(*end) && *end != '=')
		end++;
	token->start = token->key = at;
	token->length = token->key_length = (size_t)(end - at);
	*next = end;

	const char *equals = skip_blanks(end);

	if (*equals != '=')
		return 0;
	if (actions_key_is(at, token->key_length)) {
		parser->keys.count--;
		parser->has_actions = true;
		*next = NULL;
		return actions_text_split(parser, equals + 1);
	}
	if (equals != end || is_separator(equals[1]) || is_end(equals[1]))
		return no_value(parser, token, equals + 1);
	token->value = equals + 1;
	*next = value_end(token->value);
	token->value_length = (size_t)(*next - token->value);
	token->length = (size_t)(*next - at);
	return 0;
}

int flow_text_split(struct flow_parser *parser)
{
	const char *at = skip_separators(parser->text);
	size_t word = strcspn(at, " \t\r\n#");

	if (word > 0 && flow_command_find(at, word, &parser->request->command))
		at += word;
	for (at = skip_separators(at); at && !is_end(*at);) {
		int status = split_key(parser, at, &at);

		if (status != 0)
			return status;
		if (at)
			at = skip_separators(at);
	}
	return 0;
}

bool flow_text_is_blank(const char *text)
{
	return is_end(*skip_blanks(text));
}
