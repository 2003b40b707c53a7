// SPDX-License-Identifier: Apache-2.0
//
// The kinds of objects, a row each, and reading one.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/group_text.h"
#include "pipeline/meter_text.h"
#include "vswitch/objects.h"

// --- Groups ---

static int group_read(union object_value *value, const json_t *input,
	const struct port_names *names, struct flow_warnings *warnings, struct flow_error *error)
{
	if (json_is_string(input))
		return group_parse(&value->group, json_string_value(input), names, warnings, error);
	return group_from_json(&value->group, input, names, warnings, error);
}

static char *group_write(const union object_value *value, const struct port_names *names)
{
	return group_format(&value->group, names);
}

static json_t *group_json(const union object_value *value, const struct port_names *names)
{
	return group_to_json(&value->group, names);
}

static uint32_t group_id(const union object_value *value)
{
	return value->group.id;
}

static size_t group_part_count(const union object_value *value)
{
	return value->group.count;
}

static uint32_t group_part_id(const union object_value *value, size_t index)
{
	return value->group.buckets[index].id;
}

static void group_describe(const union object_value *value, json_t *item)
{
	json_object_set_new(item, "type", json_string(group_type_name(value->group.type)));
}

static void group_free(union object_value *value)
{
	group_destroy(&value->group);
}

// --- Meters ---

static int meter_read(union object_value *value, const json_t *input,
	const struct port_names *names, struct flow_warnings *warnings, struct flow_error *error)
{
	if (json_is_string(input))
		return meter_parse(&value->meter, json_string_value(input), error);
	return meter_from_json(&value->meter, input, error);
}

static char *meter_write(const union object_value *value, const struct port_names *names)
{
	return meter_format(&value->meter);
}

static json_t *meter_json(const union object_value *value, const struct port_names *names)
{
	return meter_to_json(&value->meter);
}

static uint32_t meter_id(const union object_value *value)
{
	return value->meter.id;
}

static size_t meter_part_count(const union object_value *value)
{
	return value->meter.count;
}

static void meter_free(union object_value *value)
{
}

// --- Rows ---

static const struct object_kind kinds[OBJECT_KINDS] = {
	[FLOW_GROUP] =
		{
			.name = "group",
			.remove = "group_del",
			.list = "group.list",
			.stats = "group.stats",
			.id_key = "group_id",
			.dump = "groups",
			.count_key = "ref_count",
			.parts = "buckets",
			.missing = FLOW_ERROR_NO_SUCH_GROUP,
			.read = group_read,
			.format = group_write,
			.to_json = group_json,
			.select = group_selection_parse,
			.id = group_id,
			.part_count = group_part_count,
			.part_id = group_part_id,
			.describe = group_describe,
			.destroy = group_free,
		},
	[FLOW_METER] =
		{
			.name = "meter",
			.remove = "meter_del",
			.list = "meter.list",
			.stats = "meter.stats",
			.id_key = "meter_id",
			.dump = "meters",
			.count_key = "flow_count",
			.parts = "bands",
			.missing = FLOW_ERROR_NO_SUCH_METER,
			.read = meter_read,
			.format = meter_write,
			.to_json = meter_json,
			.select = meter_selection_parse,
			.id = meter_id,
			.part_count = meter_part_count,
			.destroy = meter_free,
		},
};

const struct object_kind *object_kind_get(enum flow_reference kind)
{
	return &kinds[kind];
}

bool object_kind_find(const char *name, enum flow_reference *kind)
{
	for (int i = 0; i < OBJECT_KINDS; i++) {
		if (strcmp(kinds[i].name, name) == 0) {
			*kind = i;
			return true;
		}
	}
	return false;
}

// --- One object ---

int object_create(struct object **result, enum flow_reference kind, const json_t *input,
	const struct port_names *names, struct flow_warnings *warnings, struct flow_error *error)
{
	struct object *object = calloc(1, sizeof(*object));
	int rc;

	if (!object)
		return -ENOMEM;
	rc = kinds[kind].read(&object->value, input, names, warnings, error);
	if (rc) {
		free(object);
		return rc;
	}
	object->kind = kind;
	object->id = kinds[kind].id(&object->value);
	object->text = kinds[kind].format(&object->value, NULL);
	if (!object->text) {
		object_destroy(object);
		return -ENOMEM;
	}
	*result = object;
	return 0;
}

void object_destroy(struct object *object)
{
	if (!object)
		return;
	kinds[object->kind].destroy(&object->value);
	free(object->text);
	free(object);
}
