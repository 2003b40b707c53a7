// SPDX-License-Identifier: Apache-2.0
#include "rpc/json_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text_buffer.h"

// Bytes that are not ASCII are negative here.
_Static_assert((char)-1 < 0, "char is signed");

#define DEPTH_MAX 64
#define KEY_MAX 63
#define DIGITS_MAX 18 // of a number that fits into 64 bits in any case

// In each byte of the result, the highest bit is set for a byte of `word` that is not plain, or
// stands higher than one that is not.
static uint64_t special_bytes(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
	uint64_t quotes = word ^ ones * '"', backslashes = word ^ ones * '\\';

	return (((word - ones * 0x20) & ~word) | ((quotes - ones) & ~quotes) |
		       ((backslashes - ones) & ~backslashes) | word) &
	       tops;
}

size_t json_text_plain(const char *bytes, size_t length)
{
	size_t i = 0;
	uint64_t word;

	for (; i + sizeof(word) <= length; i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		if (special_bytes(word))
			break;
	}
	while (i < length && bytes[i] >= 0x20 && bytes[i] != '"' && bytes[i] != '\\')
		i++;
	return i;
}

// --- Reading. NULL and false: Jansson is to look at it ---

struct reader {
	const char *at;
	const char *end;
	unsigned depth;
	char *unescaped; // room for any string of the text; made when first needed
};

static json_t *read_value(struct reader *reader);

static void skip_space(struct reader *reader)
{
	while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
						   *reader->at == '\r' || *reader->at == '\t'))
		reader->at++;
}

// The next byte behind white space, 0 at the end.
static char next_byte(struct reader *reader)
{
	skip_space(reader);
	return reader->at < reader->end ? *reader->at : '\0';
}

static bool take(struct reader *reader, char byte)
{
	if (next_byte(reader) != byte)
		return false;
	reader->at++;
	return true;
}

static json_t *read_word(struct reader *reader, const char *word, json_t *value)
{
	size_t length = strlen(word);

	if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
		return NULL;
	reader->at += length;
	return value;
}

static json_t *read_integer(struct reader *reader)
{
	bool negative = *reader->at == '-';
	const char *digits = reader->at + negative;
	const char *at = digits;
	json_int_t number = 0;

	while (at < reader->end && *at >= '0' && *at <= '9' && at - digits < DIGITS_MAX)
		number = number * 10 + (*at++ - '0');
	if (at == digits || (at - digits > 1 && *digits == '0'))
		return NULL;
	// More digits, a point or an exponent would stand where nobody expects them, and so come to
	// Jansson.
	reader->at = at;
	return json_integer(negative ? -number : number);
}

// What the letter behind a backslash stands for, 0: none of the simple ones.
static char unescape(char letter)
{
	static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	const char *found = letter ? strchr(letters, letter) : NULL;

	return found ? bytes[found - letters] : '\0';
}

// A string from its first special byte on, `start` being behind the opening quote.
static json_t *read_special_string(struct reader *reader, const char *start)
{
	size_t length = (size_t)(reader->at - start);
	bool ascii = true;

	if (!reader->unescaped)
		reader->unescaped = malloc((size_t)(reader->end - start));
	if (!reader->unescaped)
		return NULL;
	memcpy(reader->unescaped, start, length);
	while (reader->at < reader->end && *reader->at != '"') {
		size_t plain = json_text_plain(reader->at, (size_t)(reader->end - reader->at));

		memcpy(reader->unescaped + length, reader->at, plain);
		length += plain;
		reader->at += plain;
		if (reader->at == reader->end || *reader->at == '"')
			break;
		if (*reader->at == '\\') {
			char byte = reader->end - reader->at > 1 ? unescape(reader->at[1]) : '\0';

			if (!byte)
				return NULL;
			reader->unescaped[length++] = byte;
			reader->at += 2;
		} else if (*reader->at < 0) {
			ascii = false;
			reader->unescaped[length++] = *reader->at++;
		} else {
			return NULL;
		}
	}
	if (reader->at == reader->end)
		return NULL;
	reader->at++;
	return ascii ? json_stringn_nocheck(reader->unescaped, length)
		     : json_stringn(reader->unescaped, length);
}

static json_t *read_string(struct reader *reader)
{
	const char *start = ++reader->at;

	reader->at += json_text_plain(start, (size_t)(reader->end - start));
	if (reader->at < reader->end && *reader->at == '"')
		return json_stringn_nocheck(start, (size_t)(reader->at++ - start));
	return read_special_string(reader, start);
}

static bool read_items(struct reader *reader, json_t *array)
{
	if (take(reader, ']'))
		return true;
	do {
		json_t *item = read_value(reader);

		if (!item || json_array_append_new(array, item) < 0)
			return false;
	} while (take(reader, ','));
	return take(reader, ']');
}

static bool read_key(struct reader *reader, char *key)
{
	size_t length;

	if (!take(reader, '"'))
		return false;
	length = json_text_plain(reader->at, (size_t)(reader->end - reader->at));
	if (length > KEY_MAX)
		return false;
	memcpy(key, reader->at, length);
	key[length] = '\0';
	reader->at += length;
	return reader->at < reader->end && *reader->at++ == '"' && take(reader, ':');
}

static bool read_members(struct reader *reader, json_t *object)
{
	char key[KEY_MAX + 1];

	if (take(reader, '}'))
		return true;
	do {
		size_t count = json_object_size(object);
		json_t *value = read_key(reader, key) ? read_value(reader) : NULL;

		if (!value || json_object_set_new_nocheck(object, key, value) < 0 ||
			json_object_size(object) == count) // the key was there before
			return false;
	} while (take(reader, ','));
	return take(reader, '}');
}

static json_t *read_container(struct reader *reader)
{
	bool is_array = *reader->at++ == '[';
	json_t *container = is_array ? json_array() : json_object();
	bool good = container && ++reader->depth <= DEPTH_MAX;

	good = good && (is_array ? read_items(reader, container) : read_members(reader, container));
	reader->depth--;
	if (good)
		return container;
	json_decref(container);
	return NULL;
}

static json_t *read_value(struct reader *reader)
{
	switch (next_byte(reader)) {
	case '[':
	case '{':
		return read_container(reader);
	case '"':
		return read_string(reader);
	case 't':
		return read_word(reader, "true", json_true());
	case 'f':
		return read_word(reader, "false", json_false());
	case 'n':
		return read_word(reader, "null", json_null());
	default:
		return reader->at < reader->end ? read_integer(reader) : NULL;
	}
}

json_t *json_text_read(const char *bytes, size_t length, json_error_t *error)
{
	struct reader reader = {.at = bytes, .end = bytes + length};
	json_t *value = read_value(&reader);

	skip_space(&reader);
	free(reader.unescaped);
	if (value && reader.at == reader.end)
		return value;
	json_decref(value);
	return json_loadb(bytes, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, error);
}

// --- Writing. False: it cannot be ---

static bool write_value(struct text_buffer *out, const json_t *value, unsigned depth);

// As Jansson writes it.
static bool write_other(struct text_buffer *out, const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	if (text)
		text_put(out, text);
	free(text);
	return text != NULL;
}

static void write_escape(struct text_buffer *out, char byte)
{
	static const char bytes[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *found = byte ? strchr(bytes, byte) : NULL;

	text_put_char(out, '\\');
	if (found)
		text_put_char(out, letters[found - bytes]);
	else
		text_printf(out, "u%04X", (unsigned char)byte);
}

static bool write_string(struct text_buffer *out, const char *text, size_t length)
{
	const char *end = text + length;

	text_put_char(out, '"');
	while (text < end) {
		size_t plain = json_text_plain(text, (size_t)(end - text));

		text_put_bytes(out, text, plain);
		text += plain;
		if (text == end)
			break;
		if (*text < 0)
			return false;
		write_escape(out, *text++);
	}
	text_put_char(out, '"');
	return true;
}

// Text that is not ASCII goes to Jansson as a whole, for it must be UTF-8.
static bool write_string_value(struct text_buffer *out, const json_t *value)
{
	size_t length = out->length;

	if (write_string(out, json_string_value(value), json_string_length(value)))
		return true;
	out->length = length;
	return write_other(out, value);
}

static bool write_key(struct text_buffer *out, const char *key)
{
	size_t length = out->length;
	json_t *string;
	bool good;

	if (!write_string(out, key, strlen(key))) {
		out->length = length;
		string = json_string(key);
		good = string && write_other(out, string);
		json_decref(string);
		if (!good)
			return false;
	}
	text_put_char(out, ':');
	return true;
}

static bool write_array(struct text_buffer *out, const json_t *array, unsigned depth)
{
	size_t count = json_array_size(array);

	text_put_char(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			text_put_char(out, ',');
		if (!write_value(out, json_array_get(array, i), depth))
			return false;
	}
	text_put_char(out, ']');
	return true;
}

static bool write_object(struct text_buffer *out, const json_t *object, unsigned depth)
{
	bool first = true;
	const char *key;
	json_t *value;

	text_put_char(out, '{');
	json_object_foreach ((json_t *)object, key, value) {
		if (!first)
			text_put_char(out, ',');
		first = false;
		if (!write_key(out, key) || !write_value(out, value, depth))
			return false;
	}
	text_put_char(out, '}');
	return true;
}

static void write_integer(struct text_buffer *out, json_int_t number)
{
	uint64_t magnitude = number < 0 ? -(uint64_t)number : (uint64_t)number;

	if (number < 0)
		text_put_char(out, '-');
	text_put_decimal(out, magnitude);
}

static bool write_value(struct text_buffer *out, const json_t *value, unsigned depth)
{
	switch (json_typeof(value)) {
	case JSON_ARRAY:
	case JSON_OBJECT:
		// It may go on for ever, which Jansson notices.
		if (depth == DEPTH_MAX)
			return write_other(out, value);
		return json_is_array(value) ? write_array(out, value, depth + 1)
					    : write_object(out, value, depth + 1);
	case JSON_STRING:
		return write_string_value(out, value);
	case JSON_INTEGER:
		write_integer(out, json_integer_value(value));
		return true;
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL:
	case JSON_REAL:
		break;
	}
	return write_other(out, value);
}

char *json_text_write(const json_t *value, size_t *length)
{
	struct text_buffer out;
	bool good;
	char *text;

	text_buffer_open(&out);
	good = value && write_value(&out, value, 0);
	*length = out.length;
	text = text_buffer_close(&out);
	if (good)
		return text;
	free(text);
	return NULL;
}
