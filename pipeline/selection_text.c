// SPDX-License-Identifier: Apache-2.0
#include "pipeline/selection_text.h"

#include "pipeline/flow_parser.h"

static int parse_word(struct flow_parser *parser, const char *key, uint32_t max,
	const struct flow_token *token, bool *all, uint32_t *id)
{
	bool keyed = token->value && name_equal(key, token->key, token->key_length);
	const char *value = keyed ? token->value : token->start;
	size_t length = keyed ? token->value_length : token->length;
	uint64_t number;
	int status;

	if (keyed && token->value[-1] != '=')
		return flow_parser_wants_equals(parser, token);
	*all = name_equal_any_case("all", value, length);
	if (*all)
		return 0;
	if (token->value && !keyed)
		return flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, NULL,
			"\"%.*s\" selects nothing; write %s=N, or all", (int)token->length,
			token->start, key);
	status = number_parse_bounded(key, value, length, max, &number, parser->error);
	if (status == 0)
		*id = (uint32_t)number;
	else
		flow_parser_hint(parser, "%s=1", key);
	return flow_parser_place(parser, token, status);
}

static int parse_words(
	struct flow_parser *parser, const char *key, uint32_t max, bool *all, uint32_t *id)
{
	const char *at = parser->text;
	struct flow_token token, rest;
	int status = action_token_next(parser, &at, &token);

	*all = status == 0 && token.length == 0;
	if (status != 0 || token.length == 0)
		return status;
	status = parse_word(parser, key, max, &token, all, id);
	if (status == 0)
		status = action_token_next(parser, &at, &rest);
	if (status != 0 || rest.length == 0)
		return status;
	return flow_parser_fail(parser, &rest, FLOW_ERROR_SYNTAX, NULL,
		"\"%.*s\" is too much here; %.*s is all that can be given", (int)rest.length,
		rest.start, (int)token.length, token.start);
}

int selection_parse(const char *key, uint32_t max, const char *text, bool *all, uint32_t *id,
	struct flow_error *error)
{
	struct flow_request request;
	struct flow_parser parser;
	int status;

	flow_parser_start(&parser, &request, FLOW_ADD, NULL, NULL, error);
	parser.text = text;
	*id = 0;
	status = parse_words(&parser, key, max, all, id);
	flow_parser_finish(&parser);
	flow_request_destroy(&request);
	return status;
}
