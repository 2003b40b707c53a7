// SPDX-License-Identifier: Apache-2.0

// What one bucket of a group says, judged.

#include <errno.h>
#include <stdlib.h>

#include "pipeline/group_parser.h"

struct bucket_key {
	const char *name;
	int (*parse)(
		struct group_parser *parser, const struct flow_token *token, struct bucket *bucket);
	const char *example;
};

static int parse_bucket_id(
	struct group_parser *parser, const struct flow_token *token, struct bucket *bucket)
{
	uint64_t number = 0;
	int status = flow_parser_number(&parser->flow, token, "bucket_id", BUCKET_ID_MAX, &number);

	bucket->id = (uint32_t)number;
	for (size_t i = 0; status == 0 && i < parser->group->count; i++) {
		if (parser->group->buckets[i].id == bucket->id)
			status = flow_parser_fail(&parser->flow, token, FLOW_ERROR_CONFLICT,
				"bucket_id",
				"bucket_id: another bucket of this group has %u; give each its "
				"own, or none",
				bucket->id);
	}
	return status;
}

// 0 means nothing elsewhere, and dumps of Open vSwitch have it.
static int parse_weight(
	struct group_parser *parser, const struct flow_token *token, struct bucket *bucket)
{
	uint64_t number = 0;
	int status = flow_parser_number(&parser->flow, token, "weight", UINT16_MAX, &number);

	bucket->weight = (uint16_t)number;
	if (status == 0 && number != 0 && parser->group->type != GROUP_SELECT)
		return group_not_select(parser, token, "weight");
	return status;
}

static int not_watching(
	struct group_parser *parser, const struct flow_token *token, const char *name)
{
	if (parser->group->type == GROUP_SELECT || parser->group->type == GROUP_FAST_FAILOVER)
		return 0;
	return flow_parser_fail(&parser->flow, token, FLOW_ERROR_CONFLICT, name,
		"%s is for groups of type select and ff; this one is of type %s, which asks for no "
		"liveness",
		name, group_type_name(parser->group->type));
}

static bool port_is_there(const struct port_names *names, uint16_t port)
{
	for (size_t i = 0; names && i < names->count; i++) {
		if (names->items[i].number == port)
			return true;
	}
	return !names;
}

static int parse_watch_port(
	struct group_parser *parser, const struct flow_token *token, struct bucket *bucket)
{
	struct flow_parser *flow = &parser->flow;
	int status = not_watching(parser, token, "watch_port");

	if (status != 0)
		return status;
	status = port_parse("watch_port", token->value, token->value_length, flow->names,
		&bucket->watch_port, flow->error);
	if (status == 0 && !port_is_there(flow->names, bucket->watch_port))
		status = port_refuse(
			"watch_port", token->value, token->value_length, flow->names, flow->error);
	if (status == 0)
		return 0;
	flow_parser_hint(flow, "watch_port:%s",
		port_suggest(flow->names, token->value, token->value_length));
	return flow_parser_place(flow, token, status);
}

static int parse_watch_group(
	struct group_parser *parser, const struct flow_token *token, struct bucket *bucket)
{
	int status = not_watching(parser, token, "watch_group");

	return status != 0 ? status
			   : group_reference_parse(
				     &parser->flow, token, "watch_group", &bucket->watch_group);
}

static const struct bucket_key bucket_keys[] = {
	{"bucket_id", parse_bucket_id, "bucket_id:0"},
	{"weight", parse_weight, "weight:1"},
	{"watch_port", parse_watch_port, "watch_port:1"},
	{"watch_group", parse_watch_group, "watch_group:1"},
};
#define BUCKET_KEY_COUNT (sizeof(bucket_keys) / sizeof(bucket_keys[0]))

bool bucket_key_exists(const char *name, size_t length)
{
	for (size_t i = 0; i < BUCKET_KEY_COUNT; i++) {
		if (name_equal_any_case(bucket_keys[i].name, name, length))
			return true;
	}
	return false;
}

static int parse_bucket_key(struct group_parser *parser, const struct flow_token *token,
	struct bucket *bucket, unsigned *seen)
{
	unsigned i = 0;

	while (i < BUCKET_KEY_COUNT &&
		!name_equal_any_case(bucket_keys[i].name, token->key, token->key_length))
		i++;
	if (i == BUCKET_KEY_COUNT) // only JSON gets here, see the cutting of text
		return flow_parser_fail(&parser->flow, token, FLOW_ERROR_UNKNOWN_FIELD, NULL,
			"a bucket has no member \"%.*s\"; it has bucket_id, weight, watch_port, "
			"watch_group and actions",
			(int)token->key_length, token->key);
	if (!token->value || token->value_length == 0)
		return flow_parser_needs_value(
			&parser->flow, token, bucket_keys[i].name, bucket_keys[i].example);
	if (*seen >> i & 1)
		return flow_parser_given_twice(&parser->flow, token, bucket_keys[i].name);
	*seen |= 1u << i;
	return bucket_keys[i].parse(parser, token, bucket);
}

// --- Buckets ---

static int reserve_bucket(struct group_parser *parser)
{
	struct group *group = parser->group;
	size_t capacity = parser->capacity > 0 ? 2 * parser->capacity : 8;
	struct bucket *buckets;

	if (group->count < parser->capacity)
		return 0;
	buckets = realloc(group->buckets, capacity * sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	group->buckets = buckets;
	parser->capacity = capacity;
	return 0;
}

static int check_count(struct group_parser *parser, const struct flow_token *token)
{
	if (parser->group->type == GROUP_INDIRECT && parser->group->count == 1) {
		flow_parser_fail(&parser->flow, token, FLOW_ERROR_CONFLICT, "bucket",
			"a group of type indirect has exactly one bucket; type=all has as many as "
			"you like");
		flow_parser_hint(&parser->flow, "type=all");
		return -EINVAL;
	}
	if (parser->group->count == GROUP_BUCKETS_MAX)
		return flow_parser_fail(&parser->flow, token, FLOW_ERROR_OUT_OF_RANGE, "bucket",
			"a group has at most %d buckets", GROUP_BUCKETS_MAX);
	return 0;
}

// What has to be there.
static int check_bucket(
	struct group_parser *parser, const struct flow_token *token, const struct bucket *bucket)
{
	struct flow_parser *flow = &parser->flow;

	if (parser->group->type == GROUP_FAST_FAILOVER && bucket->watch_port == OFPORT_NONE &&
		bucket->watch_group == GROUP_NONE) {
		flow_parser_fail(flow, token, FLOW_ERROR_SYNTAX, "watch_port",
			"a bucket of a group of type ff needs watch_port or watch_group, which say "
			"when it is live");
		flow_parser_hint(flow, "bucket=watch_port:1,actions=output:1");
		return -EINVAL;
	}
	if (!flow->has_actions && flow->actions.count == 0) {
		flow_parser_fail(flow, token, FLOW_ERROR_SYNTAX, "actions",
			"a bucket needs actions; write actions=drop if it is to drop packets");
		flow_parser_hint(flow, "bucket=actions=drop");
		return -EINVAL;
	}
	return 0;
}

int bucket_judge(struct group_parser *parser, const struct flow_token *token)
{
	struct flow_parser *flow = &parser->flow;
	struct group *group = parser->group;
	struct bucket bucket = {
		.id = BUCKET_ID_NONE,
		.weight = group->type == GROUP_SELECT,
		.watch_port = OFPORT_NONE,
		.watch_group = GROUP_NONE,
	};
	unsigned seen = 0;
	int status = check_count(parser, token);

	for (size_t i = 0; status == 0 && i < flow->keys.count; i++)
		status = parse_bucket_key(parser, &flow->keys.items[i], &bucket, &seen);
	if (status == 0)
		status = check_bucket(parser, token, &bucket);
	if (status == 0)
		status = reserve_bucket(parser);
	if (status == 0)
		status = actions_parse(flow);
	if (status == 0)
		status = actions_check(flow);
	if (status != 0)
		return status;
	bucket.actions = parser->request.flow.actions;
	parser->request.flow.actions = (struct action_list){0};
	group->buckets[group->count++] = bucket;
	flow->keys.count = flow->actions.count = 0;
	flow->has_actions = false;
	return 0;
}
