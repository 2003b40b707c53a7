// SPDX-License-Identifier: Apache-2.0

// Groups from their text: a line is cut into the group's own keys and, from the first "bucket=" on,
// its buckets.

#include "pipeline/group_text.h"

#include <errno.h>

#include "pipeline/group_parser.h"
#include "pipeline/selection_text.h"

// With "=": a bare word "bucket" is a port or a mistake.
static bool is_bucket(const struct flow_token *token)
{
	return token->value && name_equal("bucket", token->key, token->key_length);
}

// Up to the first bucket, where *at then stands.
static int split_group(struct group_parser *parser, const char **at)
{
	struct flow_parser *flow = &parser->flow;

	for (const char *next = *at;;) {
		struct flow_token token, *key;
		int status = action_token_next(flow, &next, &token);

		if (status != 0)
			return status;
		if (token.length == 0 || is_bucket(&token))
			return 0;
		key = token_list_add(&flow->keys);
		if (!key)
			return -ENOMEM;
		*key = token;
		*at = next;
	}
}

static int too_late(struct flow_parser *flow, const struct flow_token *token)
{
	flow_parser_fail(flow, token, FLOW_ERROR_SYNTAX, NULL,
		"\"%.*s\" is the group's, not a bucket's; put it before the first \"bucket=\"",
		(int)token->length, token->start);
	flow_parser_hint(flow, "%.*s,bucket=output:1", (int)token->length, token->start);
	return -EINVAL;
}

// One word of a bucket; *next is behind it.
static int split_bucket_word(
	struct flow_parser *flow, const struct flow_token *token, const char **next)
{
	struct flow_token *item;

	if (token->value && actions_key_is(token->key, token->key_length)) {
		flow->has_actions = true;
		*next = token->value;
		return 0;
	}
	if (token->value && group_key_exists(token->key, token->key_length))
		return too_late(flow, token);
	item = token_list_add(
		bucket_key_exists(token->key, token->key_length) ? &flow->keys : &flow->actions);
	if (!item)
		return -ENOMEM;
	*item = *token;
	return 0;
}

// From behind "bucket=" up to the next bucket or the end, where *at then stands.
static int split_bucket(struct group_parser *parser, const char **at)
{
	const char *next = *at;

	for (;;) {
		struct flow_token token;
		int status = action_token_next(&parser->flow, &next, &token);

		if (status == 0 && (token.length == 0 || is_bucket(&token)))
			return 0;
		if (status == 0)
			status = split_bucket_word(&parser->flow, &token, &next);
		if (status != 0)
			return status;
		*at = next;
	}
}

static int parse_buckets(struct group_parser *parser, const char *at)
{
	for (;;) {
		struct flow_token token;
		int status = action_token_next(&parser->flow, &at, &token);

		if (status != 0 || token.length == 0)
			return status;
		if (token.value[-1] != '=')
			return flow_parser_wants_equals(&parser->flow, &token);
		at = token.value;
		status = split_bucket(parser, &at);
		token.length = (size_t)(at - token.start);
		if (status == 0)
			status = bucket_judge(parser, &token);
		if (status != 0)
			return status;
	}
}

int group_parse(struct group *group, const char *text, const struct port_names *names,
	struct flow_warnings *warnings, struct flow_error *error)
{
	struct group_parser parser;
	int status;

	group_parser_start(&parser, group, names, warnings, error);
	parser.flow.text = text;
	status = split_group(&parser, &text);
	if (status == 0)
		status = group_judge(&parser);
	if (status == 0)
		status = parse_buckets(&parser, text);
	return group_parser_finish(&parser, status);
}

int group_selection_parse(const char *text, bool *all, uint32_t *id, struct flow_error *error)
{
	return selection_parse("group_id", GROUP_ID_MAX, text, all, id, error);
}
