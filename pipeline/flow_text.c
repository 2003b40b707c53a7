// SPDX-License-Identifier: Apache-2.0

#include "pipeline/flow_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_parser.h"
#include "base/text_buffer.h"

// --- Reading ---

void flow_parser_start(struct flow_parser *parser, struct flow_request *request,
	enum flow_command command, const struct port_names *names, struct flow_warnings *warnings,
	struct flow_error *error)
{
	*request = (struct flow_request){.command = command};
	flow_init(&request->flow);
	request->filter.out_port = OFPORT_NONE;
	*parser = (struct flow_parser){
		.request = request,
		.names = names,
		.group = GROUP_NONE,
		.warnings = warnings,
		.error = error,
	};
	if (warnings)
		warnings->count = 0;
}

void flow_parser_finish(struct flow_parser *parser)
{
	token_list_destroy(&parser->keys);
	token_list_destroy(&parser->actions);
}

static int missing_actions(struct flow_parser *parser)
{
	const char *text = parser->text ? parser->text : "";
	size_t length = strcspn(text, "#");

	while (length > 0 && strchr(" \t\r\n,", text[length - 1]))
		length--;
	flow_parser_fail(parser, NULL, FLOW_ERROR_SYNTAX, "actions", "missing \"actions=\"");
	if (parser->text)
		parser->error->offset = length;
	flow_parser_hint(parser, "%.*s%sactions=drop", length > 100 ? 0 : (int)length, text,
		length > 0 && length <= 100 ? "," : "");
	return -EINVAL;
}

static int unwanted_actions(struct flow_parser *parser)
{
	flow_parser_fail(parser, parser->actions.count > 0 ? &parser->actions.items[0] : NULL,
		FLOW_ERROR_SYNTAX, "actions",
		"actions select no flows, so delete and dump take none; leave out "
		"\"actions=\", and write out_port= to select by output");
	flow_parser_hint(parser, "out_port=1");
	return -EINVAL;
}

int flow_parser_run(struct flow_parser *parser)
{
	struct flow_request *request = parser->request;
	bool deletes = request->command == FLOW_DELETE || request->command == FLOW_DELETE_STRICT;
	int status;

	// An added flow stands in table 0 unless it says otherwise; a filter means any table.
	request->filter.any_table = request->command != FLOW_ADD;
	parser->table_is_known = request->command == FLOW_ADD;
	status = match_parse(parser);
	if (status != 0)
		return status;
	if (deletes)
		return parser->has_actions ? unwanted_actions(parser) : 0;
	if (!parser->has_actions)
		return missing_actions(parser);
	status = actions_parse(parser);
	return status == 0 ? actions_check(parser) : status;
}

int flow_request_parse(struct flow_request *request, const char *text,
	enum flow_command default_command, const struct port_names *names,
	struct flow_warnings *warnings, struct flow_error *error)
{
	struct flow_parser parser;
	int status;

	flow_parser_start(&parser, request, default_command, names, warnings, error);
	parser.text = text;
	status = flow_text_split(&parser);
	if (status == 0)
		status = flow_parser_run(&parser);
	flow_parser_finish(&parser);
	if (status != 0)
		flow_request_destroy(request);
	return status;
}

int actions_parse_alone(struct action_list *list, const char *what, const char *text,
	const struct port_names *names, struct flow_warnings *warnings, struct flow_error *error)
{
	struct flow_request request;
	struct flow_parser parser;
	int status;

	flow_parser_start(&parser, &request, FLOW_ADD, names, warnings, error);
	parser.text = text;
	parser.alone = what;
	status = actions_text_split(&parser, text);
	if (status == 0)
		status = actions_parse(&parser);
	if (status == 0)
		status = actions_check(&parser);
	flow_parser_finish(&parser);
	*list = (struct action_list){0};
	if (status == 0) {
		*list = request.flow.actions;
		request.flow.actions = (struct action_list){0};
	}
	flow_request_destroy(&request);
	return status;
}

void flow_request_destroy(struct flow_request *request)
{
	if (request)
		flow_destroy(&request->flow);
}

// --- Writing ---

static void put_number(struct text_buffer *out, const char *name, uint64_t number)
{
	text_put(out, name);
	text_put_decimal(out, number);
}

char *match_format(const struct match *match, uint16_t priority, const struct port_names *names)
{
	struct text_buffer buffer;

	text_buffer_open(&buffer);
	text_put(&buffer, "priority=");
	text_put_decimal(&buffer, priority);
	match_print(&buffer, ",", match, names);
	return text_buffer_close(&buffer);
}

char *actions_format(const struct action_list *actions, const struct port_names *names)
{
	struct text_buffer buffer;

	text_buffer_open(&buffer);
	actions_print(&buffer, actions, names);
	return text_buffer_close(&buffer);
}

char *flow_format(const struct flow *flow, const struct port_names *names)
{
	struct text_buffer buffer;

	text_buffer_open(&buffer);
	put_number(&buffer, "table=", flow->table);
	put_number(&buffer, ", priority=", flow->priority);
	match_print(&buffer, ",", &flow->match, names);
	text_put(&buffer, " actions=");
	actions_print(&buffer, &flow->actions, names);
	return text_buffer_close(&buffer);
}

static void print_flags(struct text_buffer *out, unsigned flags)
{
	const char *name;
	unsigned flag;

	for (size_t i = 0; (name = flow_flag_name(i, &flag)); i++) {
		if (flags & flag)
			text_printf(out, ",%s", name);
	}
}

char *flow_format_exact(const struct flow *flow)
{
	struct text_buffer buffer;

	text_buffer_open(&buffer);
	put_number(&buffer, "table=", flow->table);
	put_number(&buffer, ",priority=", flow->priority);
	if (flow->cookie != 0) {
		text_put(&buffer, ",cookie=0x");
		text_put_hex(&buffer, flow->cookie, 1);
	}
	if (flow->idle_timeout != 0)
		put_number(&buffer, ",idle_timeout=", flow->idle_timeout);
	if (flow->hard_timeout != 0)
		put_number(&buffer, ",hard_timeout=", flow->hard_timeout);
	print_flags(&buffer, flow->flags);
	match_print(&buffer, ",", &flow->match, NULL);
	text_put(&buffer, ",actions=");
	actions_print(&buffer, &flow->actions, NULL);
	return text_buffer_close(&buffer);
}
