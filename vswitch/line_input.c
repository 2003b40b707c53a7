// SPDX-License-Identifier: Apache-2.0
#include "vswitch/line_input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_json.h"
#include "pipeline/flow_text.h"

#define ERRORS_LISTED 1000

void line_input_warn(
	json_t *list, const struct flow_warnings *warnings, size_t line, const char *file)
{
	for (unsigned i = 0; list && i < warnings->count; i++) {
		json_t *item = flow_error_to_json(&warnings->items[i]);

		json_object_set_new(item, "message", json_string(warnings->items[i].message));
		if (line)
			json_object_set_new(item, "line", json_integer((json_int_t)line));
		if (file)
			json_object_set_new(item, "file", json_string(file));
		json_array_append_new(list, item);
	}
}

static void input_error(
	struct line_input *input, const struct flow_error *reason, size_t line, const json_t *text)
{
	json_t *item;

	if (input->n_errors++ >= ERRORS_LISTED)
		return;
	item = flow_error_to_json(reason);
	json_object_set_new(item, "message", json_string(reason->message));
	json_object_set_new(item, "line", json_integer((json_int_t)line));
	json_object_set_new(item, "file", json_string(input->file));
	json_object_set(item, "text", (json_t *)text);
	json_array_append_new(input->errors, item);
}

struct reading {
	line_reader *reader;
	void *context;
};

static void input_one(
	struct line_input *input, const json_t *item, size_t line, const struct reading *reading)
{
	struct flow_warnings warnings = {0};
	struct flow_error reason = {0};
	int rc = reading->reader(reading->context, item, input->n_errors > 0, &warnings, &reason);

	if (rc == -ENOMEM)
		snprintf(reason.message, sizeof(reason.message), "out of memory");
	if (rc)
		input_error(input, &reason, line, item);
	else
		line_input_warn(input->warnings, &warnings, line, input->file);
}

// Walk through the lines of a text without copying all of it at once.
static void input_lines(struct line_input *input, const char *text, const struct reading *reading)
{
	char *line = NULL;
	size_t room = 0;
	size_t number = 0;

	while (*text) {
		size_t length = strcspn(text, "\n");
		size_t kept = length && text[length - 1] == '\r' ? length - 1 : length;

		number++;
		if (kept >= room) {
			free(line);
			room = kept + 256;
			line = malloc(room);
			if (!line) {
				input->n_errors++;
				return;
			}
		}
		memcpy(line, text, kept);
		line[kept] = '\0';
		if (!flow_text_is_blank(line)) {
			json_t *item = json_stringn_nocheck(line, kept);

			input_one(input, item, number, reading);
			json_decref(item);
		}
		text += length + (text[length] == '\n');
	}
	free(line);
}

static void input_failed(struct line_input *input, struct rpc_error *error)
{
	const json_t *first = json_array_get(input->errors, 0);
	const char *message = json_string_value(json_object_get(first, "message"));
	char others[64] = "";

	if (input->n_errors > 1)
		snprintf(others, sizeof(others), " (and %zu more errors)", input->n_errors - 1);
	rpc_error_set(error, RPC_FLOW_ERROR, "%s:%lld:%lld: %s%s", input->file,
		(long long)json_integer_value(json_object_get(first, "line")),
		(long long)json_integer_value(json_object_get(first, "offset")) + 1,
		message ? message : "out of memory", others);
	error->data = json_pack("{s:O, s:O, s:I}", "errors", input->errors, "warnings",
		input->warnings, "count", (json_int_t)input->n_errors);
}

bool line_input_each(struct line_input *input, const json_t *params, const char *array,
	line_reader *reader, void *context, struct rpc_error *error)
{
	const char *name = json_string_value(json_object_get(params, "name"));
	const char *lines = json_string_value(json_object_get(params, "lines"));
	struct reading reading = {.reader = reader, .context = context};
	size_t i;
	json_t *item;

	input->file = name ? name : array;
	input->errors = json_array();
	input->warnings = json_array();
	if (lines)
		input_lines(input, lines, &reading);
	json_array_foreach (json_object_get(params, array), i, item) {
		input_one(input, item, i + 1, &reading);
	}
	if (input->n_errors)
		input_failed(input, error);
	return input->n_errors == 0;
}

void line_input_destroy(struct line_input *input)
{
	json_decref(input->errors);
	json_decref(input->warnings);
}
