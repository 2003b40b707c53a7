// SPDX-License-Identifier: Apache-2.0

// Actions from their text: those that send a packet, or have it judged, somewhere that the flow
// only names: output(port=P,max_len=N), controller, group and meter.

#include <errno.h>
#include <string.h>

#include "pipeline/flow_parser.h"
#include "pipeline/group.h"
#include "pipeline/meter.h"

// --- Arguments in brackets: "port=2,max_len=100" ---

struct argument {
	const char *key, *value;
	size_t key_length, value_length;
};

// Cut the next one off; false at the end. Without "=", value_length is 0.
static bool argument_next(const char **text, size_t *length, struct argument *argument)
{
	const char *equals;
	size_t whole = 0;
	bool quoted = false;

	while (*length > 0 && strchr(", \t", (*text)[0])) {
		(*text)++;
		(*length)--;
	}
	if (*length == 0)
		return false;
	for (; whole < *length && (quoted || (*text)[whole] != ','); whole++)
		quoted ^= (*text)[whole] == '"';
	equals = memchr(*text, '=', whole);
	*argument = (struct argument){.key = *text, .key_length = whole};
	if (equals) {
		argument->key_length = (size_t)(equals - *text);
		argument->value = equals + 1;
		argument->value_length = whole - argument->key_length - 1;
	}
	*text += whole;
	*length -= whole;
	while (argument->value_length > 0 &&
		strchr(" \t", argument->value[argument->value_length - 1]))
		argument->value_length--;
	return true;
}

static int number_placed(struct flow_parser *parser, const struct flow_token *token,
	const char *name, const char *text, size_t length, uint64_t max, uint64_t *number)
{
	return flow_parser_place(parser, token,
		number_parse_bounded(name, text, length, max, number, parser->error));
}

static int argument_wrong(struct flow_parser *parser, const struct flow_token *token,
	const struct argument *argument, const char *name, const char *has, const char *example)
{
	flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, name,
		"\"%.*s\" is not known here; %s, as in %s", (int)argument->key_length,
		argument->key, has, example);
	flow_parser_hint(parser, "%s", example);
	return -EINVAL;
}

// --- output(port=P,max_len=N) ---

static int truncated_argument(struct flow_parser *parser, const struct flow_token *token,
	const struct argument *argument, struct action *action)
{
	uint64_t number;
	int status;

	if (name_equal("port", argument->key, argument->key_length)) {
		if (action->truncated.port != OFPORT_NONE)
			return flow_parser_given_twice(parser, token, "port");
		if (name_equal_any_case("in_port", argument->value, argument->value_length)) {
			action->truncated.port = OFPORT_IN_PORT;
			return 0;
		}
		status = port_parse("output", argument->value, argument->value_length,
			parser->names, &action->truncated.port, parser->error);
		return flow_parser_place(parser, token, status);
	}
	if (!name_equal("max_len", argument->key, argument->key_length))
		return argument_wrong(parser, token, argument, "output",
			"output has port= and max_len=", "output(port=1,max_len=100)");
	if (action->truncated.max_len != 0)
		return flow_parser_given_twice(parser, token, "max_len");
	status = number_placed(parser, token, "max_len", argument->value, argument->value_length,
		UINT32_MAX, &number);
	if (status != 0)
		return status;
	if (number < OUTPUT_MIN_LENGTH) {
		flow_parser_fail(parser, token, FLOW_ERROR_OUT_OF_RANGE, "output",
			"max_len: %u is less than the %d bytes of an Ethernet header",
			(unsigned)number, OUTPUT_MIN_LENGTH);
		flow_parser_hint(parser, "output(port=1,max_len=64)");
		return -EINVAL;
	}
	action->truncated.max_len = (uint32_t)number;
	return 0;
}

int action_parse_truncated(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, struct action *action)
{
	const char *text = token->value;
	size_t length = token->value_length;
	struct argument argument;
	int status = 0;

	action->id = ACTION_OUTPUT_TRUNCATED;
	action->truncated.port = OFPORT_NONE;
	action->truncated.max_len = 0;
	while (status == 0 && argument_next(&text, &length, &argument))
		status = truncated_argument(parser, token, &argument, action);
	if (status != 0)
		return status;
	if (action->truncated.port == OFPORT_NONE || action->truncated.max_len == 0) {
		flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, "output",
			"output(...) needs both port= and max_len=; to send all of the packet "
			"write output:P");
		flow_parser_hint(parser, "output(port=1,max_len=100)");
		return -EINVAL;
	}
	return 0;
}

// --- controller ---

static int parse_reason(struct flow_parser *parser, const struct flow_token *token,
	const struct argument *argument, struct action *action)
{
	for (int reason = 0; reason < PACKET_IN_REASON_COUNT; reason++) {
		if (name_equal_any_case(packet_in_reason_name(reason), argument->value,
			    argument->value_length)) {
			action->controller.reason = reason;
			return 0;
		}
	}
	flow_parser_fail(parser, token, FLOW_ERROR_BAD_VALUE, "controller",
		"controller: \"%.*s\" is no reason; there are action, no_match and invalid_ttl",
		(int)argument->value_length, argument->value ? argument->value : "");
	flow_parser_hint(parser, "controller(reason=no_match)");
	return -EINVAL;
}

enum { GIVEN_MAX_LEN = 1, GIVEN_REASON = 2 };

static int controller_argument(struct flow_parser *parser, const struct flow_token *token,
	const struct argument *argument, unsigned *given, struct action *action)
{
	bool max_len = name_equal("max_len", argument->key, argument->key_length);
	bool reason = name_equal("reason", argument->key, argument->key_length);
	unsigned flag = max_len ? GIVEN_MAX_LEN : reason ? GIVEN_REASON : 0;
	uint64_t number = CONTROLLER_WHOLE;
	int status = 0;

	if (*given & flag)
		return flow_parser_given_twice(parser, token, max_len ? "max_len" : "reason");
	*given |= flag;
	if (max_len) {
		status = number_placed(parser, token, "max_len", argument->value,
			argument->value_length, UINT16_MAX, &number);
		action->controller.max_len = (uint16_t)number;
		return status;
	}
	if (reason)
		return parse_reason(parser, token, argument, action);
	return argument_wrong(parser, token, argument, "controller",
		"controller has max_len= and reason=", "controller(max_len=128,reason=no_match)");
}

int action_parse_controller(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, struct action *action)
{
	const char *text = token->value;
	size_t length = token->value_length;
	struct argument argument;
	unsigned given = 0;
	uint64_t number;
	int status = 0;

	action->controller.max_len = CONTROLLER_WHOLE;
	action->controller.reason = PACKET_IN_ACTION;
	if (!text)
		return 0;
	if (text[-1] != '(') {
		status = number_placed(
			parser, token, "controller", text, length, UINT16_MAX, &number);
		if (status == 0)
			action->controller.max_len = (uint16_t)number;
		return status;
	}
	while (status == 0 && argument_next(&text, &length, &argument))
		status = controller_argument(parser, token, &argument, &given, action);
	return status;
}

// --- group and meter ---

static bool is_there(const struct flow_parser *parser, enum flow_reference kind, uint32_t id)
{
	const struct port_names *names = parser->names;

	return !names || !names->exists || names->exists(names, kind, id);
}

int group_reference_parse(struct flow_parser *parser, const struct flow_token *token,
	const char *name, uint32_t *group)
{
	uint64_t number;
	int status = number_placed(
		parser, token, name, token->value, token->value_length, GROUP_ID_MAX, &number);

	if (status != 0)
		return status;
	*group = (uint32_t)number;
	if (*group == parser->group)
		return flow_parser_fail(parser, token, FLOW_ERROR_CONFLICT, name,
			"%s:%u is the group that this bucket is in; name another one", name,
			*group);
	if (is_there(parser, FLOW_GROUP, *group))
		return 0;
	flow_parser_fail(parser, token, FLOW_ERROR_NO_SUCH_GROUP, name,
		"%s:%u is not there; add it first: ofctl add-group %s "
		"group_id=%u,type=all,bucket=output:1",
		name, *group, parser->names->bridge, *group);
	return -EINVAL;
}

int action_parse_group(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, struct action *action)
{
	return group_reference_parse(parser, token, type->name, &action->group);
}

int action_parse_meter(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, struct action *action)
{
	uint64_t number;
	int status = number_placed(parser, token, type->name, token->value, token->value_length,
		METER_ID_MAX, &number);

	if (status != 0)
		return status;
	if (number == 0)
		return flow_parser_fail(parser, token, FLOW_ERROR_OUT_OF_RANGE, type->name,
			"meter: 0 is out of range 1..%u", METER_ID_MAX);
	action->meter = (uint32_t)number;
	if (is_there(parser, FLOW_METER, action->meter))
		return 0;
	flow_parser_fail(parser, token, FLOW_ERROR_NO_SUCH_METER, type->name,
		"meter:%u is not there; add it first: ofctl add-meter %s "
		"meter=%u,pktps,bands=type=drop,rate=1000",
		action->meter, parser->names->bridge, action->meter);
	return -EINVAL;
}
