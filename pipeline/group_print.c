// SPDX-License-Identifier: Apache-2.0

// Groups as text, as dumps show them and the parser reads them.

#include <string.h>

#include "pipeline/group_parser.h"
#include "pipeline/group_text.h"
#include "base/text_buffer.h"

// Hashing of fields came to OpenFlow after the dl_ names, and nw_ for addresses, had gone.
void group_field_print(struct text_buffer *out, enum field_id id)
{
	const struct field *field = field_get(id);
	bool old = strncmp(field->name, "dl_", 3) == 0 || id == FIELD_NW_SRC || id == FIELD_NW_DST;
	const char *name = old && field->aliases[0] != '\0' ? field->aliases : field->name;

	text_printf(out, "%.*s", (int)strcspn(name, " "), name);
}

// As Open vSwitch: one field behind "=", more in brackets.
static void print_fields(struct text_buffer *out, uint64_t fields)
{
	bool several = fields & (fields - 1);
	const char *separator = several ? "(" : "=";

	if (fields == 0)
		return;
	text_put(out, ",selection_method=hash,fields");
	for (uint64_t left = fields; left; left &= left - 1) {
		text_put(out, separator);
		group_field_print(out, (enum field_id)__builtin_ctzll(left));
		separator = ",";
	}
	if (several)
		text_put_char(out, ')');
}

static void print_bucket(struct text_buffer *out, const struct group *group,
	const struct bucket *bucket, const struct port_names *names)
{
	text_printf(out, ",bucket=bucket_id:%u", bucket->id);
	if (bucket->weight != (group->type == GROUP_SELECT))
		text_printf(out, ",weight:%u", bucket->weight);
	if (bucket->watch_port != OFPORT_NONE) {
		text_put(out, ",watch_port:");
		port_print(out, bucket->watch_port, names);
	}
	if (bucket->watch_group != GROUP_NONE)
		text_printf(out, ",watch_group:%u", bucket->watch_group);
	text_put(out, ",actions=");
	actions_print(out, &bucket->actions, names);
}

char *group_format(const struct group *group, const struct port_names *names)
{
	struct text_buffer buffer;

	text_buffer_open(&buffer);
	text_printf(&buffer, "group_id=%u,type=%s", group->id, group_type_name(group->type));
	print_fields(&buffer, group->hash_fields);
	for (size_t i = 0; i < group->count; i++)
		print_bucket(&buffer, group, &group->buckets[i], names);
	return text_buffer_close(&buffer);
}
