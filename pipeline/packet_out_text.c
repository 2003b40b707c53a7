// SPDX-License-Identifier: Apache-2.0

#include "pipeline/packet_out_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_json_reader.h"
#include "pipeline/flow_parser.h"

struct packet_out_parser {
	struct flow_parser flow;
	struct flow_request request; // holds the actions
	struct packet_out_request *out;
	bool has_port;
};

static const char known[] =
	"a packet-out has in_port=, packet= and, at the end, actions=; what the packet is, its "
	"bytes say";

// --- Keys ---

static int given_twice(struct flow_parser *flow, const struct flow_token *token, const char *name)
{
	return flow_parser_fail(
		flow, token, FLOW_ERROR_CONFLICT, name, "%s is given twice; give it once", name);
}

static int parse_in_port(struct packet_out_parser *parser, const struct flow_token *token)
{
	struct flow_parser *flow = &parser->flow;
	int status;

	if (parser->has_port)
		return given_twice(flow, token, "in_port");
	parser->has_port = true;
	if (name_in_list_any_case("controller none", token->value, token->value_length))
		return 0;
	status = port_parse("in_port", token->value, token->value_length, flow->names,
		&parser->out->in_port, flow->error);
	if (status != 0)
		flow_parser_hint(flow, "in_port=%s",
			port_suggest(flow->names, token->value, token->value_length));
	return flow_parser_place(flow, token, status);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// What is wrong at one byte of the frame, counted from 0.
static int bad_byte(struct flow_parser *flow, const struct flow_token *token, const char *at,
	size_t length, size_t byte)
{
	if (length == 1 && hex_digit(at[0]) >= 0)
		flow_parser_fail(flow, token, FLOW_ERROR_BAD_VALUE, "packet",
			"packet: byte %zu has one digit; each byte has two hexadecimal digits",
			byte);
	else
		flow_parser_fail(flow, token, FLOW_ERROR_BAD_VALUE, "packet",
			"packet: \"%.*s\" at byte %zu is no hexadecimal byte; write two digits for "
			"each, together or with colons between them",
			(int)length, at, byte);
	if (flow->text) {
		flow->error->offset = (size_t)(at - flow->text);
		flow->error->length = length;
	}
	return -EINVAL;
}

static int wrong_length(struct flow_parser *flow, const struct flow_token *token, size_t length)
{
	if (length > PACKET_OUT_MAX)
		return flow_parser_fail(flow, token, FLOW_ERROR_OUT_OF_RANGE, "packet",
			"packet: longer than %d bytes, the longest frame there is", PACKET_OUT_MAX);
	return flow_parser_fail(flow, token, FLOW_ERROR_OUT_OF_RANGE, "packet",
		"packet: %zu bytes are less than the %d of an Ethernet header; give the whole "
		"frame, without FCS and without blanks",
		length, PACKET_OUT_MIN);
}

static int parse_packet(struct packet_out_parser *parser, const struct flow_token *token)
{
	struct packet_out_request *out = parser->out;
	struct flow_parser *flow = &parser->flow;
	const char *at = token->value;
	const char *end = at + token->value_length;

	if (out->frame)
		return given_twice(flow, token, "packet");
	out->frame = malloc(PACKET_OUT_MAX);
	if (!out->frame)
		return -ENOMEM;
	if (end - at > 2 && at[0] == '0' && (at[1] == 'x' || at[1] == 'X'))
		at += 2;
	while (at < end) {
		size_t left = (size_t)(end - at);
		int high = hex_digit(at[0]), low = left > 1 ? hex_digit(at[1]) : -1;

		if (high < 0 || low < 0)
			return bad_byte(flow, token, at, left < 2 ? left : 2, out->length);
		if (out->length == PACKET_OUT_MAX)
			return wrong_length(flow, token, out->length + 1);
		out->frame[out->length++] = (uint8_t)(high << 4 | low);
		at += 2;
		// One colon between bytes.
		if (end - at > 1 && *at == ':')
			at++;
	}
	return out->length < PACKET_OUT_MIN ? wrong_length(flow, token, out->length) : 0;
}

static const struct {
	const char *name;
	int (*parse)(struct packet_out_parser *parser, const struct flow_token *token);
	const char *example;
} keys[] = {
	{"in_port", parse_in_port, "in_port=1"},
	{"packet", parse_packet, "packet=ffffffffffff0200000000010806"},
	{"data", parse_packet, "packet=ffffffffffff0200000000010806"},
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

static int unknown_key(struct flow_parser *flow, const struct flow_token *token)
{
	struct name_guess guess = name_guess_start(token->key, token->key_length);

	for (size_t i = 0; i < KEYS; i++)
		name_guess_try(&guess, keys[i].name, "");
	flow_parser_fail(flow, token, FLOW_ERROR_UNKNOWN_FIELD, NULL,
		"\"%.*s\" is not known here; %s",
		token->key_length < 64 ? (int)token->key_length : 64, token->key, known);
	if (guess.best)
		flow_parser_hint(flow, "%s=", guess.best);
	return -EINVAL;
}

static int parse_key(struct packet_out_parser *parser, const struct flow_token *token)
{
	for (size_t i = 0; i < KEYS; i++) {
		if (!name_equal(keys[i].name, token->key, token->key_length))
			continue;
		if (token->value && token->value_length > 0)
			return keys[i].parse(parser, token);
		flow_parser_fail(&parser->flow, token, FLOW_ERROR_SYNTAX, keys[i].name,
			"%s needs a value: write for example %s", keys[i].name, keys[i].example);
		flow_parser_hint(&parser->flow, "%s", keys[i].example);
		return -EINVAL;
	}
	return unknown_key(&parser->flow, token);
}

// --- Actions ---

// "table", or "output:table": the reserved port of OpenFlow that is there for packet-outs only.
static void table_settle(struct flow_token *token)
{
	const char *word = token->value ? token->value : token->key;
	size_t length = token->value ? token->value_length : token->key_length;

	if (!name_equal_any_case("table", word, length) ||
		(token->value && !name_equal_any_case("output", token->key, token->key_length)))
		return;
	token->key = "resubmit";
	token->key_length = strlen(token->key);
	token->value = ",0";
	token->value_length = strlen(token->value);
}

// Keys and actions, of text or JSON, into parser->out.
static int packet_out_judge(struct packet_out_parser *parser)
{
	struct flow_parser *flow = &parser->flow;
	int status = 0;

	for (size_t i = 0; status == 0 && i < flow->keys.count; i++)
		status = parse_key(parser, &flow->keys.items[i]);
	if (status != 0)
		return status;
	if (!parser->out->frame)
		return flow_parser_fail(flow, NULL, FLOW_ERROR_SYNTAX, "packet",
			"missing \"packet=\" with the frame in hexadecimal; %s", known);
	if (!flow->has_actions) {
		flow_parser_fail(flow, NULL, FLOW_ERROR_SYNTAX, "actions",
			"missing \"actions=\"; write actions=table to run the packet through the "
			"tables");
		flow_parser_hint(flow, "actions=table");
		return -EINVAL;
	}
	for (size_t i = 0; i < flow->actions.count; i++)
		table_settle(&flow->actions.items[i]);
	status = actions_parse(flow);
	return status == 0 ? actions_check(flow) : status;
}

static void packet_out_start(struct packet_out_parser *parser, struct packet_out_request *out,
	const struct port_names *names, struct flow_warnings *warnings, struct flow_error *error)
{
	*parser = (struct packet_out_parser){.out = out};
	*out = (struct packet_out_request){.in_port = OFPORT_CONTROLLER};
	flow_parser_start(&parser->flow, &parser->request, FLOW_ADD, names, warnings, error);
	parser->flow.alone = "a packet-out";
}

static int packet_out_finish(struct packet_out_parser *parser, int status)
{
	flow_parser_finish(&parser->flow);
	if (status == 0) {
		parser->out->actions = parser->request.flow.actions;
		parser->request.flow.actions = (struct action_list){0};
	} else {
		packet_out_destroy(parser->out);
	}
	flow_request_destroy(&parser->request);
	return status;
}

// --- Text ---

// "add", "delete" and so on may begin a flow, but nothing here.
static int refuse_command(struct flow_parser *flow)
{
	const char *at = flow->text + strspn(flow->text, ", \t\r\n");
	struct flow_token token = {.start = at, .length = strcspn(at, " \t\r\n#"), .key = at};
	enum flow_command command;

	token.key_length = token.length;
	return token.length > 0 && flow_command_find(at, token.length, &command)
		       ? unknown_key(flow, &token)
		       : 0;
}

int packet_out_parse(struct packet_out_request *out, const char *text,
	const struct port_names *names, struct flow_warnings *warnings, struct flow_error *error)
{
	struct packet_out_parser parser;
	int status;

	packet_out_start(&parser, out, names, warnings, error);
	parser.flow.text = text;
	status = refuse_command(&parser.flow);
	if (status == 0)
		status = flow_text_split(&parser.flow);
	if (status == 0)
		status = packet_out_judge(&parser);
	return packet_out_finish(&parser, status);
}

// --- JSON ---

static int read_member(struct json_reader *reader, const char *key, const json_t *value)
{
	char *text;
	int status;

	if (strcmp(key, "actions") != 0)
		return json_read_key(reader, key, value);
	reader->parser->has_actions = true;
	if (!json_is_string(value))
		return json_read_actions(reader, value);
	if (strlen(json_string_value(value)) != json_string_length(value))
		return json_bad_member(reader, key, "has a zero byte in it");
	text = strdup(json_string_value(value));
	status = json_keep_string(reader, text);
	return status == 0 ? actions_text_split(reader->parser, text) : status;
}

int packet_out_from_json(struct packet_out_request *out, const json_t *json,
	const struct port_names *names, struct flow_warnings *warnings, struct flow_error *error)
{
	struct packet_out_parser parser;
	struct json_reader reader = {.parser = &parser.flow};
	const char *key;
	json_t *value;
	int status = 0;

	packet_out_start(&parser, out, names, warnings, error);
	if (!json_is_object(json))
		status = flow_parser_fail(&parser.flow, NULL, FLOW_ERROR_SYNTAX, NULL,
			"a packet-out has to be a JSON object");
	json_object_foreach ((json_t *)json, key, value) {
		if (status == 0)
			status = read_member(&reader, key, value);
	}
	if (status == 0)
		status = packet_out_judge(&parser);
	status = packet_out_finish(&parser, status);
	json_reader_finish(&reader);
	return status;
}

// --- Both ---

char *packet_out_hex(const struct packet_out_request *out)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(2 * out->length + 1);

	for (size_t i = 0; text && i < out->length; i++) {
		text[2 * i] = digits[out->frame[i] >> 4];
		text[2 * i + 1] = digits[out->frame[i] & 15];
	}
	if (text)
		text[2 * out->length] = '\0';
	return text;
}

void packet_out_destroy(struct packet_out_request *out)
{
	free(out->frame);
	action_list_destroy(&out->actions);
	*out = (struct packet_out_request){.in_port = OFPORT_CONTROLLER};
}
