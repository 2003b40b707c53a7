// SPDX-License-Identifier: Apache-2.0

// Flows as JSON. Values are those of the text form, as numbers where they are plain decimal ones.

#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_json.h"
#include "pipeline/flow_parser.h"

// The first `length` bytes of `text` as a number, if a reader gets the same back from it.
static json_t *text_json(const char *text, size_t length)
{
	field_number number;
	bool decimal = strspn(text, "0123456789") >= length;

	if (decimal && number_parse(text, length, &number) == 0 && number <= INT64_MAX)
		return json_integer((json_int_t)number);
	return json_stringn(text, length);
}

// 0 or -1, as jansson has it.
static int set_text(json_t *object, const char *name, const char *text, size_t length)
{
	return text ? json_object_set_new(object, name, text_json(text, length)) : -1;
}

struct match_writer {
	json_t *object;
	const struct port_names *names;
	bool failed;
};

static void write_item(void *context, const struct match_item *item)
{
	struct match_writer *writer = context;
	struct text_buffer buffer;
	char *text;
	size_t size;

	text_buffer_open(&buffer);
	match_item_print(&buffer, item, writer->names);
	size = buffer.length;
	text = text_buffer_close(&buffer);
	if (set_text(writer->object, item->field->name, text, size) != 0)
		writer->failed = true;
	free(text);
}

static json_t *match_json(const struct match *match, const struct port_names *names)
{
	struct match_writer writer = {json_object(), names, false};

	if (!writer.object)
		return NULL;
	match_items(match, false, write_item, &writer);
	if (!writer.failed)
		return writer.object;
	json_decref(writer.object);
	return NULL;
}

// {"port": 2, "max_len": 100} from "port=2,max_len=100".
static json_t *members_json(char *text)
{
	json_t *object = json_object();
	// At most two; the name of a port, which may hold a comma, is in the first.
	char *comma = strrchr(text, ',');
	char *members[] = {text, comma ? comma + 1 : NULL};
	int status = object ? 0 : -1;

	if (comma)
		*comma = '\0';
	for (unsigned i = 0; i < 2 && status == 0 && members[i]; i++) {
		char *value = strchr(members[i], '=');

		*value++ = '\0';
		status = set_text(object, members[i], value, strlen(value));
	}
	if (status == 0)
		return object;
	json_decref(object);
	return NULL;
}

// {"field": F, "value": V} from "V->F", {"from": A, "to": B} from "A->B".
static json_t *pair_json(enum action_form form, char *text, size_t size)
{
	const char *arrow = memmem(text, size, "->", 2);
	json_t *object = json_object();
	bool move = form == ARG_MOVE;

	if (set_text(object, move ? "from" : "value", text, (size_t)(arrow - text)) == 0 &&
		json_object_set_new(object, move ? "to" : "field", json_string(arrow + 2)) == 0)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *resubmit_json(const struct action *action, char *text, size_t size)
{
	size_t port = (size_t)((const char *)memrchr(text, ',', size) - text);
	json_t *object = json_object();

	if ((port == 0 || set_text(object, "port", text, port) == 0) &&
		json_object_set_new(object, "table", json_integer(action->resubmit.table)) == 0)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *argument_json(const struct action *action, const struct port_names *names)
{
	enum action_form form = action_type_get(action->id)->form;
	struct text_buffer buffer;
	char *text;
	size_t size;
	json_t *json;

	text_buffer_open(&buffer);
	action_argument_print(&buffer, action, names);
	size = buffer.length;
	text = text_buffer_close(&buffer);
	if (!text)
		json = NULL;
	else if (form == ARG_RESUBMIT)
		json = resubmit_json(action, text, size);
	else if (form == ARG_SET_FIELD || form == ARG_LOAD || form == ARG_MOVE)
		json = pair_json(form, text, size);
	else if (form == ARG_PORT_TRUNCATED || (form == ARG_CONTROLLER && strchr(text, '=')))
		json = members_json(text);
	else
		json = text_json(text, size);
	free(text);
	return json;
}

static json_t *action_json(const struct action *action, const struct port_names *names)
{
	const struct action_type *type = action_type_get(action->id);
	json_t *object;

	if (type->form == ARG_NONE)
		return json_string(type->name);
	object = json_object();
	if (json_object_set_new(
		    object, action_type_written_name(type), argument_json(action, names)) == 0)
		return object;
	json_decref(object);
	return NULL;
}

json_t *actions_to_json(const struct action_list *actions, const struct port_names *names)
{
	json_t *array = json_array();
	int status = array ? 0 : -1;

	for (size_t i = 0; status == 0 && i < actions->count; i++)
		status = json_array_append_new(array, action_json(&actions->items[i], names));
	if (status == 0)
		return array;
	json_decref(array);
	return NULL;
}

static int set_flags(json_t *object, unsigned flags)
{
	const char *name;
	unsigned flag;
	int status = 0;

	for (size_t i = 0; status == 0 && (name = flow_flag_name(i, &flag)); i++) {
		if (flags & flag)
			status = json_object_set_new(object, name, json_true());
	}
	return status;
}

json_t *flow_to_json(const struct flow *flow, const struct port_names *names)
{
	char cookie[24];
	json_t *object = json_object();

	snprintf(cookie, sizeof(cookie), "0x%lx", flow->cookie);
	if (json_object_set_new(object, "table", json_integer(flow->table)) == 0 &&
		json_object_set_new(object, "priority", json_integer(flow->priority)) == 0 &&
		json_object_set_new(object, "cookie", json_string(cookie)) == 0 &&
		json_object_set_new(object, "idle_timeout", json_integer(flow->idle_timeout)) ==
			0 &&
		json_object_set_new(object, "hard_timeout", json_integer(flow->hard_timeout)) ==
			0 &&
		set_flags(object, flow->flags) == 0 &&
		json_object_set_new(object, "match", match_json(&flow->match, names)) == 0 &&
		json_object_set_new(object, "actions", actions_to_json(&flow->actions, names)) == 0)
		return object;
	json_decref(object);
	return NULL;
}

// A message may quote what somebody typed, which need not be UTF-8.
static json_t *quoted_json(const char *text)
{
	char plain[sizeof(((struct flow_error *)0)->message)];
	json_t *json = json_string(text);

	if (json)
		return json;
	snprintf(plain, sizeof(plain), "%s", text);
	for (char *at = plain; *at != '\0'; at++)
		*at = (*at & 0x80) ? '?' : *at;
	return json_string(plain);
}

json_t *flow_error_to_json(const struct flow_error *error)
{
	return json_pack("{s:s, s:o, s:I, s:I, s:o, s:o}", "kind",
		flow_error_kind_name(error->kind), "field", quoted_json(error->field), "offset",
		(json_int_t)error->offset, "length", (json_int_t)error->length, "message",
		quoted_json(error->message), "hint", quoted_json(error->hint));
}
