// SPDX-License-Identifier: Apache-2.0

// Actions from their text: one function per form of argument. What may stand where, and what it
// needs of the match, is checked afterwards in action_check.c.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_parser.h"

#define TAG_8021Q 0x8100
#define TAG_8021AD 0x88a8

static int parse_none(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, struct action *action)
{
	if (!token->value || (token->value_length == 0 && token->value[-1] == '('))
		return 0;
	flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, type->name,
		"%s takes no argument; write just %s", type->name, type->name);
	flow_parser_hint(parser, "%s", type->name);
	return -EINVAL;
}

static int parse_field_output(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, struct action *action)
{
	action->id = ACTION_OUTPUT_FIELD;
	return subfield_parse(
		parser, token, "output", token->value, token->value_length, &action->output);
}

// "output:NORMAL" and the like are the actions of that name.
static bool is_port_action(const struct action_type *type)
{
	return type && (type->id == ACTION_IN_PORT || type->id == ACTION_ALL ||
			       type->id == ACTION_FLOOD || type->id == ACTION_NORMAL);
}

// "output(port=1,max_len=100)", but not "output(1)".
static bool has_arguments(const struct flow_token *token)
{
	return token->value > token->start && token->value[-1] == '(' &&
	       memchr(token->value, '=', token->value_length);
}

static int parse_port(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, struct action *action)
{
	const struct action_type *other = action_type_find(token->value, token->value_length);

	if (is_port_action(other)) {
		action->id = other->id;
		return 0;
	}
	if (other && other->id == ACTION_CONTROLLER) {
		action->id = other->id;
		action->controller.max_len = CONTROLLER_WHOLE;
		action->controller.reason = PACKET_IN_ACTION;
		return 0;
	}
	if (token->value[0] != '"' && has_arguments(token))
		return action_parse_truncated(parser, token, type, action);
	if (token->value[0] != '"' && memchr(token->value, '[', token->value_length))
		return parse_field_output(parser, token, type, action);
	if (port_parse(type->name, token->value, token->value_length, parser->names, &action->port,
		    parser->error) == 0)
		return 0;
	flow_parser_hint(parser, "output:%s",
		port_suggest(parser->names, token->value, token->value_length));
	return flow_parser_place(parser, token, -EINVAL);
}

static int parse_table_number(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, const char *text, size_t length, uint8_t *table)
{
	uint64_t number;

	if (number_parse_bounded(
		    type->name, text, length, FLOW_MAX_TABLE, &number, parser->error) == 0) {
		*table = (uint8_t)number;
		return 0;
	}
	if (parser->error->kind == FLOW_ERROR_OUT_OF_RANGE)
		parser->error->kind = FLOW_ERROR_NO_SUCH_TABLE;
	flow_parser_hint(parser, type->form == ARG_RESUBMIT ? "%s(,%u)" : "%s:%u", type->name,
		FLOW_MAX_TABLE);
	return flow_parser_place(parser, token, -EINVAL);
}

static int parse_table(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, struct action *action)
{
	return parse_table_number(
		parser, token, type, token->value, token->value_length, &action->table);
}

static void trim(const char **text, size_t *length)
{
	while (*length > 0 && strchr(" \t", (*text)[0])) {
		(*text)++;
		(*length)--;
	}
	while (*length > 0 && strchr(" \t", (*text)[*length - 1]))
		(*length)--;
}

// The first one that is not part of a quoted name.
static const char *find_comma(const char *text, size_t length)
{
	bool quoted = false;

	for (size_t i = 0; i < length; i++) {
		quoted ^= text[i] == '"';
		if (text[i] == ',' && !quoted)
			return text + i;
	}
	return NULL;
}

// "(port,table)", either of which may be left out, or just a port.
static int parse_resubmit(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, struct action *action)
{
	const char *port = token->value, *comma = find_comma(port, token->value_length);
	size_t port_length = comma ? (size_t)(comma - port) : token->value_length;
	const char *table = comma ? comma + 1 : NULL;
	size_t table_length = comma ? token->value_length - port_length - 1 : 0;
	int status = 0;

	trim(&port, &port_length);
	if (table)
		trim(&table, &table_length);
	action->resubmit.port = OFPORT_IN_PORT;
	action->resubmit.table = parser->request->flow.table;
	if (table_length == 0 && (port_length == 0 || !parser->table_is_known)) {
		flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, type->name,
			"resubmit needs a table: write resubmit(,1), or resubmit(port,1)");
		flow_parser_hint(parser, "resubmit(%.*s,1)", (int)port_length, port);
		return -EINVAL;
	}
	if (port_length > 0 && !name_equal_any_case("in_port", port, port_length)) {
		status = port_parse(type->name, port, port_length, parser->names,
			&action->resubmit.port, parser->error);
		if (status != 0) {
			flow_parser_hint(parser, "resubmit(%s,%.*s)",
				port_suggest(parser->names, port, port_length),
				table_length > 0 ? (int)table_length : 1,
				table_length > 0 ? table : "1");
			return flow_parser_place(parser, token, status);
		}
	}
	if (table_length > 0)
		status = parse_table_number(
			parser, token, type, table, table_length, &action->resubmit.table);
	return status;
}

static int parse_ethertype(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, struct action *action)
{
	field_number number;

	if (number_parse(token->value, token->value_length, &number) == 0 &&
		(number == TAG_8021Q || number == TAG_8021AD)) {
		action->ethertype = (uint16_t)number;
		return 0;
	}
	flow_parser_fail(parser, token, FLOW_ERROR_BAD_VALUE, type->name,
		"%s: \"%.*s\" is not a VLAN tag's type; write %s:0x8100 or %s:0x88a8", type->name,
		(int)token->value_length, token->value, type->name, type->name);
	flow_parser_hint(parser, "%s:0x8100", type->name);
	return -EINVAL;
}

// --- Lists ---

static action_parser *const parsers[] = {
	[ARG_NONE] = parse_none,
	[ARG_PORT] = parse_port,
	[ARG_TABLE] = parse_table,
	[ARG_RESUBMIT] = parse_resubmit,
	[ARG_ETHERTYPE] = parse_ethertype,
	[ARG_FIELD_VALUE] = action_parse_field_value,
	[ARG_SET_FIELD] = action_parse_set_field,
	[ARG_LOAD] = action_parse_load,
	[ARG_MOVE] = action_parse_move,
	[ARG_METADATA] = action_parse_metadata,
	[ARG_FIELD_OUTPUT] = parse_field_output,
	[ARG_PORT_TRUNCATED] = action_parse_truncated,
	[ARG_CONTROLLER] = action_parse_controller,
	[ARG_GROUP] = action_parse_group,
	[ARG_METER] = action_parse_meter,
};

// May the name stand alone?
static bool argument_is_optional(enum action_form form)
{
	return form == ARG_NONE || form == ARG_CONTROLLER;
}

static int missing_argument(
	struct flow_parser *parser, const struct flow_token *token, const struct action_type *type)
{
	static const char *const forms[] = {
		[ARG_PORT] = ":1",
		[ARG_TABLE] = ":1",
		[ARG_RESUBMIT] = "(,1)",
		[ARG_ETHERTYPE] = ":0x8100",
		[ARG_SET_FIELD] = ":1->reg0",
		[ARG_LOAD] = ":1->reg0[]",
		[ARG_MOVE] = ":reg0[]->reg1[]",
		[ARG_METADATA] = ":1",
		[ARG_FIELD_OUTPUT] = ":reg0[]",
		[ARG_PORT_TRUNCATED] = "(port=1,max_len=100)",
		[ARG_GROUP] = ":1",
		[ARG_METER] = ":1",
	};
	char value[48], example[96];

	if (type->form == ARG_FIELD_VALUE) {
		field_example(field_get(type->field), parser->names, value, sizeof(value));
		snprintf(example, sizeof(example), "%s:%s", type->name, value);
	} else {
		snprintf(example, sizeof(example), "%s%s", type->name, forms[type->form]);
	}
	flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, type->name,
		"%s needs an argument: write for example %s", type->name, example);
	flow_parser_hint(parser, "%s", example);
	return -EINVAL;
}

// A number or a port's name alone is an output.
static bool is_bare_port(struct flow_parser *parser, const struct flow_token *token)
{
	field_number number;

	return !token->value && token->length > 0 &&
	       (token->start[0] == '"' ||
		       number_parse(token->start, token->length, &number) != -EINVAL ||
		       port_find(parser->names, token->start, token->length) != 0);
}

static int parse_action(
	struct flow_parser *parser, const struct flow_token *token, struct action *action)
{
	const struct action_type *type = action_type_find(token->key, token->key_length);

	if (!type && is_bare_port(parser, token)) {
		struct flow_token output = *token;

		output.value = token->start;
		output.value_length = token->length;
		type = action_type_get(ACTION_OUTPUT);
		action->id = type->id;
		return parse_port(parser, &output, type, action);
	}
	if (!type)
		return flow_unknown_action(parser, token);
	if (!argument_is_optional(type->form) && (!token->value || token->value_length == 0))
		return missing_argument(parser, token, type);
	action->id = type->id;
	return parsers[type->form](parser, token, type, action);
}

int actions_parse(struct flow_parser *parser)
{
	struct action_list *list = &parser->request->flow.actions;
	size_t count = parser->actions.count;
	int status = 0;

	// Nothing behind "actions=" means drop.
	list->items = calloc(count > 0 ? count : 1, sizeof(*list->items));
	if (!list->items)
		return -ENOMEM;
	list->count = count > 0 ? count : 1;
	if (count == 0)
		list->items[0].id = ACTION_DROP;
	for (size_t i = 0; status == 0 && i < count; i++)
		status = parse_action(parser, &parser->actions.items[i], &list->items[i]);
	return status;
}
