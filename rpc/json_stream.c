// SPDX-License-Identifier: Apache-2.0
#include "rpc/json_stream.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/json_text.h"

#define DEPTH_MAX 64
#define BUFFER_KEPT (64u << 10)
#define BUFFER_FIRST 4096u

// What Jansson needs on a 64-bit machine, with what malloc() adds, rounded up: for a bracket with
// the first value in it, for a further value, and for a key; strings have their bytes besides.
#define WEIGHT_OBJECT 320
#define WEIGHT_ARRAY 224
#define WEIGHT_VALUE 96
#define WEIGHT_KEY 64

// A scanner finds where a value ends, looking at every byte once however the value was cut up by
// reads; json_text_read() then decodes and judges it. The scanner knows just enough of JSON
// (strings, brackets, scalars) to find the end, and to notice early when there will never be one.
enum scan_state {
	SCAN_BETWEEN, // white space before a value
	SCAN_INSIDE,  // in an array or object, outside of strings
	SCAN_STRING,
	SCAN_ESCAPE, // after a backslash in a string
	SCAN_SCALAR, // a number or a word that is the whole value
	SCAN_SKIP,   // behind an error, up to the next newline
	SCAN_DEAD,   // a limit was passed
};

enum scan_result { SCAN_MORE, SCAN_WHOLE, SCAN_BROKEN, SCAN_TOO_DEEP };

struct json_stream {
	char *buffer;
	size_t size;     // of the buffer
	size_t start;    // of the value in progress
	size_t position; // up to which it has been scanned
	size_t end;      // of the bytes in the buffer
	size_t limit;
	size_t decoded_limit;
	size_t weight; // of the value in progress when decoded, without the bytes of strings
	enum scan_state state;
	bool ended; // no more bytes will come
	unsigned depth;
	uint64_t objects; // bit n: the bracket at depth n is "{"
	char error_text[256];
};

struct json_stream *json_stream_create(size_t limit)
{
	struct json_stream *stream = calloc(1, sizeof(*stream));

	if (stream != NULL) {
		stream->limit = limit;
		stream->decoded_limit = SIZE_MAX;
	}
	return stream;
}

void json_stream_destroy(struct json_stream *stream)
{
	if (stream == NULL)
		return;
	free(stream->buffer);
	free(stream);
}

void json_stream_limit_decoded(struct json_stream *stream, size_t bytes)
{
	stream->decoded_limit = bytes;
}

size_t json_stream_held(const struct json_stream *stream)
{
	return stream->size;
}

void json_stream_abandon(struct json_stream *stream)
{
	free(stream->buffer);
	stream->buffer = NULL;
	stream->size = 0;
	stream->start = 0;
	stream->position = 0;
	stream->end = 0;
	stream->state = SCAN_DEAD;
}

static void buffer_pull(struct json_stream *stream)
{
	size_t used = stream->end - stream->start;

	if (stream->start > 0 && used > 0)
		memmove(stream->buffer, stream->buffer + stream->start, used);
	stream->position -= stream->start;
	stream->end = used;
	stream->start = 0;
}

// Room for `count` more bytes. Moves what is left to the front only when that frees at least half
// of the buffer or it grows anyhow. That is by a quarter, since what is large is not copied by
// realloc() but mapped elsewhere, so that the memory held is near to the bytes that came.
static int buffer_reserve(struct json_stream *stream, size_t count)
{
	size_t used = stream->end - stream->start;
	size_t size = stream->size + stream->size / 4;
	char *buffer;

	if (stream->size - stream->end >= count)
		return 0;
	if (stream->start >= used && stream->size - used >= count) {
		buffer_pull(stream);
		return 0;
	}
	if (size < BUFFER_FIRST)
		size = BUFFER_FIRST;
	if (size < used + count)
		size = used + count;
	buffer_pull(stream);
	buffer = realloc(stream->buffer, size);
	if (buffer == NULL)
		return -ENOMEM;
	stream->buffer = buffer;
	stream->size = size;
	return 0;
}

int json_stream_feed(struct json_stream *stream, const char *bytes, size_t count)
{
	int code;

	if (stream->state == SCAN_DEAD || stream->end - stream->start > stream->limit) {
		stream->state = SCAN_DEAD;
		return -EMSGSIZE;
	}
	code = buffer_reserve(stream, count);
	if (code < 0)
		return code;
	if (count > 0)
		memcpy(stream->buffer + stream->end, bytes, count);
	stream->end += count;
	return 0;
}

void json_stream_end(struct json_stream *stream)
{
	stream->ended = true;
}

bool json_stream_failed(const struct json_stream *stream)
{
	return stream->state == SCAN_DEAD;
}

static bool is_space(unsigned char byte)
{
	return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

// May the byte be part of a number, true, false or null? Any letter counts: Jansson will say what
// is wrong with the word.
static bool is_scalar(unsigned char byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
	       (byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '+' || byte == '.' ||
	       byte == '_';
}

static enum scan_result scan_bracket(struct json_stream *stream, char byte)
{
	if (byte == '[' || byte == '{') {
		if (stream->depth == DEPTH_MAX)
			return SCAN_TOO_DEEP;
		stream->objects &= ~(1ull << stream->depth);
		stream->objects |= (uint64_t)(byte == '{') << stream->depth;
		stream->depth++;
		stream->weight += byte == '{' ? WEIGHT_OBJECT : WEIGHT_ARRAY;
		stream->state = SCAN_INSIDE;
		return SCAN_MORE;
	}
	stream->depth--;
	if (((stream->objects >> stream->depth) & 1) != (byte == '}'))
		return SCAN_BROKEN;
	return stream->depth == 0 ? SCAN_WHOLE : SCAN_MORE;
}

// Inside of a string: advance to its end, to the end of bytes, or to what may not be there.
static enum scan_result scan_string(struct json_stream *stream)
{
	const unsigned char *bytes = (const unsigned char *)stream->buffer;
	size_t position = stream->position;
	size_t end = stream->end;

	do
		position += json_text_plain(stream->buffer + position, end - position);
	while (position < end && bytes[position] >= 0x80 && ++position < end);
	stream->position = position;
	if (position == end)
		return SCAN_MORE;
	stream->position++;
	if (bytes[position] == '\\') {
		stream->state = SCAN_ESCAPE;
		return SCAN_MORE;
	}
	if (bytes[position] != '"')
		return SCAN_BROKEN;
	stream->state = SCAN_INSIDE;
	return stream->depth == 0 ? SCAN_WHOLE : SCAN_MORE;
}

// The first byte of a value.
static enum scan_result scan_first(struct json_stream *stream, unsigned char byte)
{
	stream->start = stream->position++;
	stream->depth = 0;
	stream->weight = 0;
	if (byte == '{' || byte == '[')
		return scan_bracket(stream, byte);
	if (byte == '"')
		stream->state = SCAN_STRING;
	else if (is_scalar(byte))
		stream->state = SCAN_SCALAR;
	else
		return SCAN_BROKEN;
	return SCAN_MORE;
}

static enum scan_result scan_inside(struct json_stream *stream, unsigned char byte)
{
	stream->position++;
	switch (byte) {
	case '"':
		stream->state = SCAN_STRING;
		return SCAN_MORE;
	case '[':
	case '{':
	case ']':
	case '}':
		return scan_bracket(stream, byte);
	case ',':
		stream->weight += WEIGHT_VALUE;
		return SCAN_MORE;
	case ':':
		stream->weight += WEIGHT_KEY;
		return SCAN_MORE;
	default:
		return is_scalar(byte) || is_space(byte) ? SCAN_MORE : SCAN_BROKEN;
	}
}

// Advance until the value is whole, is seen to be none, or the bytes are used up.
static enum scan_result scan(struct json_stream *stream)
{
	enum scan_result result = SCAN_MORE;

	while (result == SCAN_MORE && stream->position < stream->end) {
		unsigned char byte = stream->buffer[stream->position];

		switch (stream->state) {
		case SCAN_BETWEEN:
			if (is_space(byte))
				stream->start = ++stream->position;
			else
				result = scan_first(stream, byte);
			break;
		case SCAN_INSIDE:
			result = scan_inside(stream, byte);
			break;
		case SCAN_STRING:
			result = scan_string(stream);
			break;
		case SCAN_ESCAPE:
			stream->position++;
			stream->state = SCAN_STRING;
			break;
		case SCAN_SCALAR:
			if (is_scalar(byte))
				stream->position++;
			else
				result = SCAN_WHOLE;
			break;
		case SCAN_SKIP:
			stream->start = ++stream->position;
			if (byte == '\n')
				stream->state = SCAN_BETWEEN;
			break;
		case SCAN_DEAD:
			return SCAN_MORE;
		}
	}
	if (result == SCAN_MORE && stream->ended && stream->position > stream->start)
		result = SCAN_WHOLE; // as whole as it gets
	return result;
}

// Give back the memory of a large value once it has been decoded. What came behind it is moved only
// if it is a small part, so that each byte is moved a bounded number of times.
static void buffer_trim(struct json_stream *stream)
{
	size_t used = stream->end - stream->start;
	size_t size = used > BUFFER_FIRST ? used : BUFFER_FIRST;
	char *buffer;

	if (stream->size <= BUFFER_KEPT || used > stream->size / 4)
		return;
	buffer_pull(stream);
	buffer = realloc(stream->buffer, size);
	if (buffer == NULL)
		return;
	stream->buffer = buffer;
	stream->size = size;
}

static json_t *dead(struct json_stream *stream, const char **error_text, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static json_t *dead(struct json_stream *stream, const char **error_text, const char *format, ...)
{
	va_list arguments;

	json_stream_abandon(stream);
	va_start(arguments, format);
	vsnprintf(stream->error_text, sizeof(stream->error_text), format, arguments);
	va_end(arguments);
	*error_text = stream->error_text;
	return NULL;
}

json_t *json_stream_next(struct json_stream *stream, const char **error_text)
{
	json_error_t error;
	enum scan_result result;
	size_t length;
	json_t *value;

	*error_text = NULL;
	if (stream->state == SCAN_DEAD)
		return NULL;
	result = scan(stream);
	if (result == SCAN_TOO_DEEP)
		return dead(stream, error_text, "nested deeper than 64 brackets");
	length = stream->position - stream->start;
	if (length > stream->limit)
		return dead(stream, error_text,
			"longer than %zu bytes, the limit for one value; send it in parts",
			stream->limit);
	if (stream->weight > stream->decoded_limit)
		return dead(stream, error_text,
			"so many values that they would take more than %zu bytes, the limit for "
			"one request; send it in parts",
			stream->decoded_limit);
	if (result == SCAN_MORE)
		return NULL;
	value = json_text_read(stream->buffer + stream->start, length, &error);
	stream->start = stream->position;
	stream->state = SCAN_BETWEEN;
	buffer_trim(stream);
	if (value != NULL)
		return value;
	stream->state = SCAN_SKIP;
	snprintf(stream->error_text, sizeof(stream->error_text), "line %d, column %d (byte %d): %s",
		error.line, error.column, error.position, error.text);
	*error_text = stream->error_text;
	return NULL;
}
