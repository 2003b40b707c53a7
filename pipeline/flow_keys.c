// SPDX-License-Identifier: Apache-2.0

// Keys that are not part of the match: where a flow stands, what a request selects, and what a
// dump shows and a loader ignores.

#include <errno.h>
#include <string.h>

#include "base/name_index.h"
#include "pipeline/flow_parser.h"

#define IN_ADD (1u << FLOW_ADD)
#define IN_STRICT (1u << FLOW_MODIFY_STRICT | 1u << FLOW_DELETE_STRICT)
#define IN_MODIFY (1u << FLOW_MODIFY | 1u << FLOW_MODIFY_STRICT)
#define IN_DELETE (1u << FLOW_DELETE | 1u << FLOW_DELETE_STRICT)
#define IN_ALL (IN_ADD | IN_MODIFY | IN_DELETE)

struct flow_key {
	const char *name;
	unsigned commands; // that it has a meaning in
	int (*parse)(struct flow_parser *parser, const struct flow_token *token);
};

static int parse_number(
	struct flow_parser *parser, const struct flow_token *token, uint64_t max, uint64_t *number)
{
	field_number parsed;
	char name[32];

	if (number_parse(token->value, token->value_length, &parsed) == 0 && parsed <= max) {
		*number = (uint64_t)parsed;
		return 0;
	}
	snprintf(name, sizeof(name), "%.*s", (int)token->key_length, token->key);
	number_parse_bounded(name, token->value, token->value_length, max, number, parser->error);
	if (parser->error->kind == FLOW_ERROR_OUT_OF_RANGE)
		flow_parser_hint(parser, "%s=%lu", name, max);
	return flow_parser_place(parser, token, -EINVAL);
}

static int parse_table(struct flow_parser *parser, const struct flow_token *token)
{
	uint64_t number = 0;
	int status = parse_number(parser, token, FLOW_MAX_TABLE, &number);

	if (status != 0) {
		if (parser->error->kind == FLOW_ERROR_OUT_OF_RANGE)
			parser->error->kind = FLOW_ERROR_NO_SUCH_TABLE;
		return status;
	}
	parser->request->flow.table = (uint8_t)number;
	parser->request->filter.any_table = false;
	parser->table_is_known = true;
	return 0;
}

static int parse_priority(struct flow_parser *parser, const struct flow_token *token)
{
	uint64_t number = 0;
	int status = parse_number(parser, token, UINT16_MAX, &number);

	parser->request->flow.priority = (uint16_t)number;
	return status;
}

static int parse_idle_timeout(struct flow_parser *parser, const struct flow_token *token)
{
	uint64_t number = 0;
	int status = parse_number(parser, token, UINT16_MAX, &number);

	parser->request->flow.idle_timeout = (uint16_t)number;
	return status;
}

static int parse_hard_timeout(struct flow_parser *parser, const struct flow_token *token)
{
	uint64_t number = 0;
	int status = parse_number(parser, token, UINT16_MAX, &number);

	parser->request->flow.hard_timeout = (uint16_t)number;
	return status;
}

// "cookie=V" is the cookie that a flow gets, "cookie=V/M" selects. A delete only selects.
static int parse_cookie(struct flow_parser *parser, const struct flow_token *token)
{
	struct flow_filter *filter = &parser->request->filter;
	const char *slash = memchr(token->value, '/', token->value_length);
	bool deletes = IN_DELETE >> parser->request->command & 1;
	struct flow_token value = *token, mask = *token;
	int status;

	if (slash) {
		value.value_length = (size_t)(slash - token->value);
		mask.value = slash + 1;
		mask.value_length = token->value_length - value.value_length - 1;
	}
	if (slash && parser->request->command == FLOW_ADD) {
		flow_parser_fail(parser, token, FLOW_ERROR_BAD_MASK, "cookie",
			"cookie takes no mask in add; write cookie=%.*s", (int)value.value_length,
			value.value);
		flow_parser_hint(parser, "cookie=%.*s", (int)value.value_length, value.value);
		return -EINVAL;
	}
	if (!slash && !deletes) {
		parser->request->sets_cookie = true;
		return parse_number(parser, token, UINT64_MAX, &parser->request->flow.cookie);
	}
	filter->cookie_mask = UINT64_MAX;
	status = parse_number(parser, &value, UINT64_MAX, &filter->cookie);
	if (status == 0 && slash && !name_equal("-1", mask.value, mask.value_length))
		status = parse_number(parser, &mask, UINT64_MAX, &filter->cookie_mask);
	filter->cookie &= filter->cookie_mask;
	return status;
}

static int parse_out_port(struct flow_parser *parser, const struct flow_token *token)
{
	static const struct {
		const char *name;
		uint16_t port;
	} reserved[] = {{"in_port", OFPORT_IN_PORT}, {"normal", OFPORT_NORMAL},
		{"flood", OFPORT_FLOOD}, {"all", OFPORT_ALL}, {"none", OFPORT_NONE}};
	uint16_t *port = &parser->request->filter.out_port;

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		if (name_equal_any_case(reserved[i].name, token->value, token->value_length)) {
			*port = reserved[i].port;
			return 0;
		}
	}
	return flow_parser_place(parser, token,
		port_parse("out_port", token->value, token->value_length, parser->names, port,
			parser->error));
}

static const struct flow_key keys[] = {
	{"table", IN_ALL, parse_table},
	{"priority", IN_ADD | IN_STRICT, parse_priority},
	{"cookie", IN_ALL, parse_cookie},
	{"idle_timeout", IN_ADD | IN_MODIFY, parse_idle_timeout},
	{"hard_timeout", IN_ADD | IN_MODIFY, parse_hard_timeout},
	{"out_port", IN_MODIFY | IN_DELETE, parse_out_port},
};
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

static const struct {
	const char *name;
	unsigned flag;
} flags[] = {
	{"check_overlap", FLOW_CHECK_OVERLAP},
	{"send_flow_rem", FLOW_SEND_REMOVED},
	{"reset_counts", FLOW_RESET_COUNTS},
};
#define FLAG_COUNT (sizeof(flags) / sizeof(flags[0]))

static const char ignored[] = "duration n_packets n_bytes idle_age hard_age";

// Rows of the index: keys, then flags, then one for all that are ignored.
enum { ROW_FLAGS = KEY_COUNT, ROW_IGNORED = KEY_COUNT + FLAG_COUNT };

static void names_add(struct name_index *index)
{
	for (unsigned i = 0; i < KEY_COUNT; i++)
		name_index_add(index, keys[i].name, i);
	for (unsigned i = 0; i < FLAG_COUNT; i++)
		name_index_add(index, flags[i].name, ROW_FLAGS + i);
	name_index_add(index, ignored, ROW_IGNORED);
}

static struct name_index row_names = {.fill = names_add};

// -1: none of them.
static int row_find(const char *name, size_t length)
{
	return name_index_find(&row_names, name, length);
}

static int no_meaning(struct flow_parser *parser, const struct flow_token *token, const char *name)
{
	const char *command = flow_command_name(parser->request->command);

	if (name_equal("priority", name, strlen(name))) {
		flow_parser_fail(parser, token, FLOW_ERROR_CONFLICT, name,
			"priority selects flows only in %s_strict (or with --strict); "
			"leave it out to mean any priority",
			command);
		flow_parser_hint(
			parser, "%s_strict %.*s", command, (int)token->length, token->start);
		return -EINVAL;
	}
	return flow_parser_fail(parser, token, FLOW_ERROR_CONFLICT, name,
		"%s has no meaning in %s; leave it out", name, command);
}

static int parse_flag(struct flow_parser *parser, const struct flow_token *token, size_t index)
{
	if (IN_DELETE >> parser->request->command & 1)
		return no_meaning(parser, token, flags[index].name);
	if (token->value) {
		flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, flags[index].name,
			"%s takes no value; write just %s", flags[index].name, flags[index].name);
		flow_parser_hint(parser, "%s", flags[index].name);
		return -EINVAL;
	}
	parser->request->flow.flags |= flags[index].flag;
	return 0;
}

static int parse_key(struct flow_parser *parser, const struct flow_token *token, size_t index)
{
	const char *name = keys[index].name;

	if (!(keys[index].commands >> parser->request->command & 1))
		return no_meaning(parser, token, name);
	if (!token->value) {
		flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, name,
			"%s needs a value: write %s=...", name, name);
		flow_parser_hint(parser, "%s=0", name);
		return -EINVAL;
	}
	if (parser->seen >> index & 1)
		return flow_parser_fail(parser, token, FLOW_ERROR_CONFLICT, name,
			"%s is given twice; leave one out", name);
	parser->seen |= 1u << index;
	return keys[index].parse(parser, token);
}

int flow_key_parse(struct flow_parser *parser, const struct flow_token *token, bool *known)
{
	int row = row_find(token->key, token->key_length);

	*known = row >= 0 && (row < ROW_IGNORED || token->value);
	if (!*known || row == ROW_IGNORED)
		return 0;
	if (row < ROW_FLAGS)
		return parse_key(parser, token, (size_t)row);
	return parse_flag(parser, token, (size_t)row - ROW_FLAGS);
}

bool flow_key_exists(const char *name, size_t length)
{
	return row_find(name, length) >= 0;
}

const char *flow_flag_name(size_t index, unsigned *flag)
{
	if (index >= FLAG_COUNT)
		return NULL;
	*flag = flags[index].flag;
	return flags[index].name;
}

void flow_key_guess(struct name_guess *guess)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		name_guess_try(guess, keys[i].name, "");
	for (size_t i = 0; i < FLAG_COUNT; i++)
		name_guess_try(guess, flags[i].name, "");
}
