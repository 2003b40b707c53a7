// SPDX-License-Identifier: Apache-2.0
#include "ofctl/input_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define SIZE_LIMIT (200u << 20) // what fits into one request, with room for escapes

const char *input_file_name(const char *path)
{
	return strcmp(path, "-") == 0 ? "<stdin>" : path;
}

// Everything up to the end. 0 or an errno.
static int stream_read(FILE *file, char **text, size_t *length)
{
	size_t size = 65536;
	char *buffer = malloc(size);

	*length = 0;
	while (buffer != NULL) {
		char *larger;

		*length += fread(buffer + *length, 1, size - *length - 1, file);
		if (*length < size - 1)
			break;
		if (size > SIZE_LIMIT) {
			free(buffer);
			return EFBIG;
		}
		size *= 2;
		larger = realloc(buffer, size);
		if (larger == NULL)
			free(buffer);
		buffer = larger;
	}
	if (buffer == NULL)
		return ENOMEM;
	if (ferror(file)) {
		free(buffer);
		return errno != 0 ? errno : EIO;
	}
	buffer[*length] = '\0';
	*text = buffer;
	return 0;
}

// How many bytes at the beginning are ASCII, give or take seven.
static size_t ascii_length(const char *text, size_t length)
{
	size_t i = 0;
	uint64_t word;

	for (; i + sizeof(word) <= length; i += sizeof(word)) {
		memcpy(&word, text + i, sizeof(word));
		if ((word & 0x8080808080808080u) != 0)
			break;
	}
	return i;
}

static bool is_text(const char *line, size_t length)
{
	json_t *string;
	size_t ascii;

	if (memchr(line, '\0', length) != NULL)
		return false;
	ascii = ascii_length(line, length);
	string = json_stringn(line + ascii, length - ascii);
	json_decref(string);
	return string != NULL;
}

// The first line that is no text, or 0.
static size_t binary_line(const char *text, size_t length)
{
	const char *end = text + length;

	if (is_text(text, length))
		return 0;
	for (size_t line = 1; text < end; line++) {
		const char *newline = memchr(text, '\n', end - text);

		if (newline == NULL)
			newline = end;
		if (!is_text(text, newline - text))
			return line;
		text = newline + 1;
	}
	return 1;
}

char *input_file_read(const char *path, struct rpc_error *error)
{
	bool standard_input = strcmp(path, "-") == 0;
	FILE *file;
	char *text = NULL;
	size_t length = 0;
	size_t line;
	int code;

	errno = 0;
	file = standard_input ? stdin : fopen(path, "r");
	code = file != NULL ? stream_read(file, &text, &length) : errno;
	if (file != NULL && !standard_input)
		fclose(file);
	if (code != 0) {
		rpc_error_set(error, RPC_REFUSED, "cannot read %s: %s", input_file_name(path),
			strerror(code));
		return NULL;
	}
	line = binary_line(text, length);
	if (line > 0) {
		rpc_error_set(error, RPC_REFUSED,
			"%s:%zu: error: this is no text in UTF-8; is it a file of flows?",
			input_file_name(path), line);
		free(text);
		return NULL;
	}
	return text;
}
