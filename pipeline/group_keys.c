// SPDX-License-Identifier: Apache-2.0

// What a group says besides its buckets, judged; and how judging one begins and ends.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/group_parser.h"
#include "pipeline/protocol.h"

#define GROUP_TYPES "all, select, indirect and ff"

struct group_key {
	const char *name;
	int (*parse)(struct group_parser *parser, const struct flow_token *token);
	const char *example;
};

static int parse_group_id(struct group_parser *parser, const struct flow_token *token)
{
	uint64_t number = 0;
	int status = flow_parser_number(&parser->flow, token, "group_id", GROUP_ID_MAX, &number);

	parser->group->id = (uint32_t)number;
	if (status == 0)
		parser->flow.group = parser->group->id;
	return status;
}

static int parse_type(struct group_parser *parser, const struct flow_token *token)
{
	struct name_guess guess = name_guess_start(token->value, token->value_length);

	if (group_type_find(token->value, token->value_length, &parser->group->type))
		return 0;
	for (int type = GROUP_ALL; type <= GROUP_FAST_FAILOVER; type++)
		name_guess_try(&guess, group_type_name(type), "");
	flow_parser_fail(&parser->flow, token, FLOW_ERROR_BAD_VALUE, "type",
		"type: \"%.*s\" is no type of groups; there are " GROUP_TYPES,
		(int)token->value_length, token->value);
	flow_parser_hint(&parser->flow, "type=%s", guess.best ? guess.best : "all");
	return -EINVAL;
}

static int parse_selection_method(struct group_parser *parser, const struct flow_token *token)
{
	parser->hashes = name_equal("hash", token->value, token->value_length);
	if (parser->hashes || name_equal("dp_hash", token->value, token->value_length))
		return 0;
	flow_parser_fail(&parser->flow, token, FLOW_ERROR_BAD_VALUE, "selection_method",
		"selection_method: \"%.*s\" is not known; there are hash, with fields() or "
		"without, and dp_hash",
		(int)token->value_length, token->value);
	flow_parser_hint(&parser->flow, "selection_method=hash");
	return -EINVAL;
}

static int masked_field(struct flow_parser *flow, const struct flow_token *token, const char *name,
	size_t length, const char *rest, size_t rest_length)
{
	flow_parser_fail(flow, token, FLOW_ERROR_BAD_MASK, "fields",
		"fields: \"%.*s%.*s\": all of a field is hashed, there are no masks; write just "
		"%.*s",
		(int)length, name, (int)rest_length, rest, (int)length, name);
	flow_parser_hint(flow, "fields(%.*s)", (int)length, name);
	return -EINVAL;
}

static int unknown_field(
	struct flow_parser *flow, const struct flow_token *token, const char *name, size_t length)
{
	const char *best = field_suggest(name, length);

	flow_parser_fail(flow, token, FLOW_ERROR_UNKNOWN_FIELD, "fields",
		"fields: unknown field \"%.*s\"; did you mean \"%s\"?", (int)length, name,
		best ? best : "ip_src");
	flow_parser_hint(flow, "fields(%s)", best ? best : "ip_src");
	return -EINVAL;
}

// One name of the list; names that depend on the protocol stand for their first field, since the
// others are in the same place.
static int add_field(struct group_parser *parser, const struct flow_token *token, const char *text,
	size_t length)
{
	size_t name = 0;
	const struct field_family *family;
	const struct field *field;

	while (name < length && !strchr("=/[:", text[name]))
		name++;
	if (name < length)
		return masked_field(&parser->flow, token, text, name, text + name, length - name);
	family = field_family_find(text, length);
	field = family ? field_get(family->fields[0]) : field_find(text, length);
	if (!field)
		return unknown_field(&parser->flow, token, text, length);
	if (parser->group->hash_fields >> field->id & 1)
		return flow_parser_fail(&parser->flow, token, FLOW_ERROR_CONFLICT, "fields",
			"fields: \"%.*s\" is given twice; leave one out", (int)length, text);
	parser->group->hash_fields |= UINT64_C(1) << field->id;
	return 0;
}

static int parse_fields(struct group_parser *parser, const struct flow_token *token)
{
	const char *at = token->value, *end = at + token->value_length;

	_Static_assert(FIELD_COUNT <= 64, "a bit for each field");
	parser->fields = *token;
	while (at < end) {
		size_t length = 0;
		int status;

		while (at + length < end && !strchr(", \t\r\n", at[length]))
			length++;
		status = length > 0 ? add_field(parser, token, at, length) : 0;
		if (status != 0)
			return status;
		at += length + 1;
	}
	if (parser->group->hash_fields == 0)
		return flow_parser_needs_value(
			&parser->flow, token, "fields", "fields(ip_src,ip_dst)");
	return 0;
}

static int parse_command_bucket_id(struct group_parser *parser, const struct flow_token *token)
{
	return flow_parser_fail(&parser->flow, token, FLOW_ERROR_SYNTAX, "command_bucket_id",
		"command_bucket_id: single buckets cannot be put in or taken out; write the group "
		"with all of its buckets, and mod-group");
}

static int parse_selection_param(struct group_parser *parser, const struct flow_token *token)
{
	uint64_t number;
	int status = flow_parser_number(
		&parser->flow, token, "selection_method_param", UINT64_MAX, &number);

	if (status != 0 || number == 0)
		return status;
	return flow_parser_fail(&parser->flow, token, FLOW_ERROR_OUT_OF_RANGE,
		"selection_method_param",
		"selection_method_param: the hash has no parameters; leave it out");
}

enum { KEY_GROUP_ID, KEY_TYPE };

static const struct group_key group_keys[] = {
	[KEY_GROUP_ID] = {"group_id", parse_group_id, "group_id=1"},
	[KEY_TYPE] = {"type", parse_type, "type=all"},
	{"selection_method", parse_selection_method, "selection_method=hash"},
	{"fields", parse_fields, "fields(ip_src,ip_dst)"},
	{"selection_method_param", parse_selection_param, "selection_method_param=0"},
	{"command_bucket_id", parse_command_bucket_id, "command_bucket_id=1"},
};
#define GROUP_KEY_COUNT (sizeof(group_keys) / sizeof(group_keys[0]))

bool group_key_exists(const char *name, size_t length)
{
	for (size_t i = 0; i < GROUP_KEY_COUNT; i++) {
		if (name_equal(group_keys[i].name, name, length))
			return true;
	}
	return false;
}

// Attributes and actions that stand where the group's own keys do.
static bool say_belongs_to_bucket(struct flow_parser *flow, const struct flow_token *token)
{
	const char *key = token->key;
	size_t length = token->key_length;
	bool actions = actions_key_is(key, length);

	if (!actions && !bucket_key_exists(key, length) && !action_type_find(key, length))
		return false;
	flow_parser_fail(flow, token, FLOW_ERROR_SYNTAX, NULL,
		"\"%.*s\" is in no bucket; write bucket=%.*s", (int)length, key, (int)token->length,
		token->start);
	flow_parser_hint(flow, "bucket=%.*s", (int)token->length, token->start);
	return true;
}

// fields=ip_src,ip_dst
static bool say_is_field(struct flow_parser *flow, const struct flow_token *token)
{
	if (!field_find(token->key, token->key_length) &&
		!field_family_find(token->key, token->key_length))
		return false;
	flow_parser_fail(flow, token, FLOW_ERROR_SYNTAX, "fields",
		"\"%.*s\" is a field; several of them are written fields(ip_src,ip_dst)",
		(int)token->key_length, token->key);
	flow_parser_hint(flow, "fields(%.*s)", (int)token->key_length, token->key);
	return true;
}

static int unknown_key(struct flow_parser *flow, const struct flow_token *token)
{
	struct name_guess guess = name_guess_start(token->key, token->key_length);
	char name[sizeof(flow->error->field)];

	if (say_belongs_to_bucket(flow, token) || say_is_field(flow, token))
		return -EINVAL;
	for (size_t i = 0; i < GROUP_KEY_COUNT; i++)
		name_guess_try(&guess, group_keys[i].name, "");
	name_guess_try(&guess, "bucket", "");
	snprintf(name, sizeof(name), "%.*s", (int)token->key_length, token->key);
	if (!guess.best)
		return flow_parser_fail(flow, token, FLOW_ERROR_UNKNOWN_FIELD, name,
			"a group has no \"%.*s\"; it has group_id, type, selection_method, fields "
			"and bucket",
			(int)token->key_length, token->key);
	flow_parser_fail(flow, token, FLOW_ERROR_UNKNOWN_FIELD, name,
		"a group has no \"%.*s\"; did you mean \"%s\"?", (int)token->key_length, token->key,
		guess.best);
	flow_parser_hint(flow, "%s=%.*s", guess.best, (int)token->value_length,
		token->value ? token->value : "");
	return -EINVAL;
}

// Only fields may have brackets: fields(ip_src,ip_dst).
static bool has_separator(const struct flow_token *token)
{
	char separator = token->value ? token->value[-1] : '=';

	return separator == '=' ||
	       (separator == '(' && name_equal("fields", token->key, token->key_length));
}

static int parse_group_key(struct group_parser *parser, const struct flow_token *token)
{
	for (unsigned i = 0; i < GROUP_KEY_COUNT; i++) {
		const struct group_key *key = &group_keys[i];

		if (!name_equal(key->name, token->key, token->key_length))
			continue;
		if (!token->value || token->value_length == 0)
			return flow_parser_needs_value(
				&parser->flow, token, key->name, key->example);
		if (!has_separator(token))
			return flow_parser_wants_equals(&parser->flow, token);
		if (parser->seen >> i & 1)
			return flow_parser_given_twice(&parser->flow, token, key->name);
		parser->seen |= 1u << i;
		return key->parse(parser, token);
	}
	return unknown_key(&parser->flow, token);
}

static int missing_key(struct group_parser *parser, unsigned key)
{
	static const char *const messages[] = {
		[KEY_GROUP_ID] = "missing \"group_id=\", the number of the group (0..%u)",
		[KEY_TYPE] = "missing \"type=\"; there are " GROUP_TYPES,
	};

	flow_parser_fail(&parser->flow, NULL, FLOW_ERROR_SYNTAX, group_keys[key].name,
		messages[key], GROUP_ID_MAX);
	flow_parser_hint(&parser->flow, "%s", group_keys[key].example);
	return -EINVAL;
}

int group_not_select(struct group_parser *parser, const struct flow_token *token, const char *name)
{
	return flow_parser_fail(&parser->flow, token, FLOW_ERROR_CONFLICT, name,
		"%s is for groups of type select; this one is of type %s, which chooses by no hash",
		name, group_type_name(parser->group->type));
}

static const struct flow_token *find_key(const struct flow_parser *flow, const char *name)
{
	for (size_t i = 0; i < flow->keys.count; i++) {
		const struct flow_token *token = &flow->keys.items[i];

		if (name_equal(name, token->key, token->key_length))
			return token;
	}
	return NULL;
}

int group_judge(struct group_parser *parser)
{
	struct flow_parser *flow = &parser->flow;
	const struct flow_token *method;
	int status = 0;

	for (size_t i = 0; status == 0 && i < flow->keys.count; i++)
		status = parse_group_key(parser, &flow->keys.items[i]);
	for (unsigned key = KEY_GROUP_ID; status == 0 && key <= KEY_TYPE; key++) {
		if (!(parser->seen >> key & 1))
			status = missing_key(parser, key);
	}
	if (status != 0)
		return status;
	method = find_key(flow, "selection_method");
	if (method && parser->group->type != GROUP_SELECT)
		return group_not_select(parser, method, "selection_method");
	if (parser->fields.length > 0 && !parser->hashes) {
		flow_parser_fail(flow, &parser->fields, FLOW_ERROR_CONFLICT, "fields",
			"fields needs selection_method=hash");
		flow_parser_hint(flow, "selection_method=hash,%.*s", (int)parser->fields.length,
			parser->fields.start);
		return -EINVAL;
	}
	flow->keys.count = 0;
	return 0;
}

// --- Whole groups ---

void group_parser_start(struct group_parser *parser, struct group *group,
	const struct port_names *names, struct flow_warnings *warnings, struct flow_error *error)
{
	*parser = (struct group_parser){.group = group};
	*group = (struct group){0};
	flow_parser_start(&parser->flow, &parser->request, FLOW_ADD, names, warnings, error);
	parser->flow.alone = "a bucket";
}

// The lowest identifiers that are free, in order. Since there are no more buckets than
// GROUP_BUCKETS_MAX, neither are the lowest free ones higher.
static void number_buckets(struct group *group)
{
	bool taken[GROUP_BUCKETS_MAX] = {0};
	uint32_t next = 0;

	for (size_t i = 0; i < group->count; i++) {
		if (group->buckets[i].id < GROUP_BUCKETS_MAX)
			taken[group->buckets[i].id] = true;
	}
	for (size_t i = 0; i < group->count; i++) {
		if (group->buckets[i].id != BUCKET_ID_NONE)
			continue;
		while (taken[next])
			next++;
		group->buckets[i].id = next++;
	}
}

int group_parser_finish(struct group_parser *parser, int status)
{
	struct group *group = parser->group;

	if (status == 0 && group->type == GROUP_INDIRECT && group->count == 0) {
		status = flow_parser_fail(&parser->flow, NULL, FLOW_ERROR_SYNTAX, "bucket",
			"a group of type indirect has exactly one bucket, and this one has none");
		flow_parser_hint(&parser->flow, "bucket=output:1");
	}
	if (status == 0)
		number_buckets(group);
	else
		group_destroy(group);
	flow_parser_finish(&parser->flow);
	flow_request_destroy(&parser->request);
	return status;
}
