// SPDX-License-Identifier: Apache-2.0

// Groups as JSON, both ways. Members become the tokens that a line of text is cut into, and are
// judged by the same code.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_json.h"
#include "pipeline/flow_json_reader.h"
#include "pipeline/group_parser.h"
#include "pipeline/group_text.h"
#include "base/text_buffer.h"

// --- Reading ---

// ["ip_src", "ip_dst"] is what fields(ip_src,ip_dst) is in text.
static int read_fields(struct json_reader *reader, const json_t *fields)
{
	struct text_buffer buffer;
	json_t *names, *item;
	char *text;
	size_t i;
	int status;

	if (!json_is_array(fields))
		return json_bad_member(reader, "fields", "has to be an array of names");
	json_array_foreach (fields, i, item) {
		if (!json_is_string(item) || json_string_value(item)[0] == '\0')
			return json_bad_member(reader, "fields", "has to be an array of names");
	}
	if (json_array_size(fields) == 0)
		return 0;
	text_buffer_open(&buffer);
	json_array_foreach (fields, i, item)
		text_printf(&buffer, "%s%s", i > 0 ? "," : "", json_string_value(item));
	text = text_buffer_close(&buffer);
	names = text ? json_string(text) : NULL;
	status = names ? json_read_key(reader, "fields", names) : -ENOMEM;
	json_decref(names);
	free(text);
	return status;
}

static int read_group_member(struct json_reader *reader, const char *key, const json_t *value)
{
	if (strcmp(key, "buckets") == 0)
		return 0;
	if (strcmp(key, "fields") == 0)
		return read_fields(reader, value);
	if (group_key_exists(key, strlen(key)))
		return json_read_key(reader, key, value);
	return flow_parser_fail(reader->parser, NULL, FLOW_ERROR_UNKNOWN_FIELD, key,
		"a group has no member \"%s\"; it has group_id, type, selection_method, fields and "
		"buckets",
		key);
}

static int read_bucket_actions(struct json_reader *reader, const json_t *actions)
{
	char *text;
	int status;

	reader->parser->has_actions = true;
	if (!json_is_string(actions))
		return json_read_actions(reader, actions);
	text = strdup(json_string_value(actions));
	status = json_keep_string(reader, text);
	return status == 0 ? actions_text_split(reader->parser, text) : status;
}

static int read_bucket(struct json_reader *reader, const json_t *bucket)
{
	const char *key;
	json_t *value;
	int status = 0;

	if (!json_is_object(bucket))
		return json_bad_member(reader, "buckets", "has to be an array of objects");
	json_object_foreach ((json_t *)bucket, key, value) {
		status = strcmp(key, "actions") == 0 ? read_bucket_actions(reader, value)
						     : json_read_key(reader, key, value);
		if (status != 0)
			return status;
	}
	return 0;
}

static int read_buckets(
	struct group_parser *parser, struct json_reader *reader, const json_t *buckets)
{
	const json_t *bucket;
	size_t i;
	int status = 0;

	if (buckets && !json_is_array(buckets))
		return json_bad_member(reader, "buckets", "has to be an array of objects");
	json_array_foreach (buckets, i, bucket) {
		status = read_bucket(reader, bucket);
		if (status == 0)
			status = bucket_judge(parser, NULL);
		if (status != 0)
			return status;
	}
	return 0;
}

int group_from_json(struct group *group, const json_t *json, const struct port_names *names,
	struct flow_warnings *warnings, struct flow_error *error)
{
	struct group_parser parser;
	struct json_reader reader = {.parser = &parser.flow};
	const char *key;
	json_t *value;
	int status = 0;

	group_parser_start(&parser, group, names, warnings, error);
	if (!json_is_object(json))
		status = flow_parser_fail(&parser.flow, NULL, FLOW_ERROR_SYNTAX, NULL,
			"a group has to be a JSON object");
	json_object_foreach ((json_t *)json, key, value) {
		if (status == 0)
			status = read_group_member(&reader, key, value);
	}
	if (status == 0)
		status = group_judge(&parser);
	if (status == 0)
		status = read_buckets(&parser, &reader, json_object_get(json, "buckets"));
	status = group_parser_finish(&parser, status);
	json_reader_finish(&reader);
	return status;
}

// --- Writing; 0 or -1, as jansson has it ---

static json_t *field_json(enum field_id id)
{
	struct text_buffer buffer;
	char *text;
	json_t *json;

	text_buffer_open(&buffer);
	group_field_print(&buffer, id);
	text = text_buffer_close(&buffer);
	json = text ? json_string(text) : NULL;
	free(text);
	return json;
}

static int set_fields(json_t *object, uint64_t fields)
{
	json_t *names = json_array();
	int status = names ? 0 : -1;

	for (; status == 0 && fields; fields &= fields - 1)
		status = json_array_append_new(
			names, field_json((enum field_id)__builtin_ctzll(fields)));
	if (status == 0)
		status = json_object_set_new(object, "selection_method", json_string("hash"));
	if (status == 0)
		status = json_object_set(object, "fields", names);
	json_decref(names);
	return status;
}

static json_t *port_json(uint16_t port, const struct port_names *names)
{
	struct text_buffer buffer;
	char *text;
	json_t *json = NULL;

	text_buffer_open(&buffer);
	port_print(&buffer, port, names);
	text = text_buffer_close(&buffer);
	if (text)
		json = strspn(text, "0123456789") == strlen(text) ? json_integer(port)
								  : json_string(text);
	free(text);
	return json;
}

static json_t *bucket_json(
	const struct group *group, const struct bucket *bucket, const struct port_names *names)
{
	json_t *object = json_object();
	int status = json_object_set_new(object, "bucket_id", json_integer(bucket->id));

	if (status == 0 && group->type == GROUP_SELECT)
		status = json_object_set_new(object, "weight", json_integer(bucket->weight));
	if (status == 0 && bucket->watch_port != OFPORT_NONE)
		status = json_object_set_new(
			object, "watch_port", port_json(bucket->watch_port, names));
	if (status == 0 && bucket->watch_group != GROUP_NONE)
		status = json_object_set_new(
			object, "watch_group", json_integer(bucket->watch_group));
	if (status == 0)
		status = json_object_set_new(
			object, "actions", actions_to_json(&bucket->actions, names));
	if (status == 0)
		return object;
	json_decref(object);
	return NULL;
}

json_t *group_to_json(const struct group *group, const struct port_names *names)
{
	json_t *object = json_object(), *buckets = json_array();
	int status = json_object_set_new(object, "group_id", json_integer(group->id));

	if (status == 0)
		status = json_object_set_new(
			object, "type", json_string(group_type_name(group->type)));
	if (status == 0 && group->hash_fields != 0)
		status = set_fields(object, group->hash_fields);
	for (size_t i = 0; status == 0 && i < group->count; i++)
		status = json_array_append_new(
			buckets, bucket_json(group, &group->buckets[i], names));
	if (status == 0)
		status = json_object_set(object, "buckets", buckets);
	json_decref(buckets);
	if (status == 0)
		return object;
	json_decref(object);
	return NULL;
}
