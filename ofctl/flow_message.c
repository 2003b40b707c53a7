// SPDX-License-Identifier: Apache-2.0
#include "ofctl/flow_message.h"

#include <stdbool.h>
#include <string.h>

static bool is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80; // of a character in UTF-8
}

// Under each character before the place a blank, or a tab where the text has one.
static void caret_print(const struct flow_message *message, size_t text_length, FILE *out)
{
	size_t offset = message->offset < text_length ? message->offset : text_length;
	size_t end = offset + message->length;

	for (size_t i = 0; i < offset; i++)
		if (!is_continuation(message->text[i]))
			putc(message->text[i] == '\t' ? '\t' : ' ', out);
	putc('^', out);
	for (size_t i = offset + 1; i < end && i < text_length; i++)
		if (!is_continuation(message->text[i]))
			putc('~', out);
	putc('\n', out);
}

void flow_message_print(const struct flow_message *message, FILE *out)
{
	size_t text_length = message->text != NULL ? strcspn(message->text, "\r\n") : 0;

	fprintf(out, "%s: ", message->program);
	if (message->file != NULL)
		fprintf(out, "%s:%zu:%zu: ", message->file, message->line, message->offset + 1);
	fprintf(out, "%s: %s\n", message->severity, message->message);
	if (text_length > 0) {
		fprintf(out, "%.*s\n", (int)text_length, message->text);
		caret_print(message, text_length, out);
	}
	if (message->hint != NULL && message->hint[0] != '\0' &&
		strstr(message->message, message->hint) == NULL)
		fprintf(out, "for example: %s\n", message->hint);
}

// The n-th line of a text, from 1; NULL if there are less. Goes on from where it was, as messages
// come in the order of lines.
struct line_finder {
	const char *start;
	size_t line;
};

static const char *line_find(struct line_finder *finder, const char *lines, size_t line)
{
	if (finder->start == NULL || line < finder->line) {
		finder->start = lines;
		finder->line = 1;
	}
	while (finder->start != NULL && finder->line < line) {
		const char *newline = strchr(finder->start, '\n');

		finder->start = newline != NULL ? newline + 1 : NULL;
		finder->line++;
	}
	return finder->start;
}

void flow_error_show(const char *program, const char *file, size_t line, const char *severity,
	const struct flow_error *error, const char *text)
{
	struct flow_message message = {
		.program = program,
		.file = file,
		.line = line,
		.severity = severity,
		.message = error->message,
		.hint = error->hint,
		.text = text,
		.offset = error->offset,
		.length = error->length,
	};

	flow_message_print(&message, stderr);
}

void flow_messages_print(const json_t *items, const char *program, const char *file,
	const char *severity, const char *lines, FILE *out)
{
	struct line_finder finder = {0};
	size_t index;
	json_t *item;

	json_array_foreach ((json_t *)items, index, item) {
		json_int_t line = json_integer_value(json_object_get(item, "line"));
		json_int_t offset = json_integer_value(json_object_get(item, "offset"));
		json_int_t length = json_integer_value(json_object_get(item, "length"));
		struct flow_message message = {
			.program = program,
			.file = file,
			.line = line > 0 ? line : 1,
			.severity = severity,
			.message = json_string_value(json_object_get(item, "message")),
			.hint = json_string_value(json_object_get(item, "hint")),
			.text = json_string_value(json_object_get(item, "text")),
			.offset = offset > 0 ? offset : 0,
			.length = length > 0 ? length : 0,
		};

		if (message.message == NULL)
			message.message =
				json_is_string(item) ? json_string_value(item) : "refused";
		if (message.text == NULL && lines != NULL)
			message.text = line_find(&finder, lines, message.line);
		flow_message_print(&message, out);
	}
}
