// SPDX-License-Identifier: Apache-2.0
//
// Reading and writing against Jansson: the same values, the same texts, the same refusals.

#include "cmocka_all.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/json_text.h"

#define VALUES 20000
#define GARBLED 100000

static uint64_t state = 1;

static unsigned below(unsigned limit)
{
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (unsigned)(state >> 33) % limit;
}

static void same_reading(const char *text, size_t length)
{
	json_error_t error = {0}, expected_error = {0};
	json_t *expected =
		json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &expected_error);
	json_t *value = json_text_read(text, length, &error);

	if (!expected != !value || (value && !json_equal(value, expected)))
		fail_msg("\"%.*s\" is read in another way", (int)length, text);
	if (!expected)
		assert_string_equal(error.text, expected_error.text);
	json_decref(value);
	json_decref(expected);
}

static void same_writing(const json_t *value)
{
	char *expected = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	size_t length = 0;
	char *text = json_text_write(value, &length);

	assert_non_null(expected);
	assert_non_null(text);
	assert_string_equal(text, expected);
	assert_int_equal(length, strlen(text));
	free(text);
	free(expected);
}

static void odd_texts(void **unused)
{
	static const char *const texts[] = {"", " ", "[", "]", "{", "{}", "[]", "[ ]", "{ }", "[,]",
		"[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1,\"a\":2}",
		"{\"a\" : 1 , \"b\" : [ true , false , null ] }", "{a:1}", "{1:1}", "0", "-0", "-",
		"00", "-01", "01", "12", "-12", "999999999999999999", "1000000000000000000",
		"9223372036854775807", "-9223372036854775808", "9223372036854775808",
		"123456789012345678901234567890", "1.5", "1e5", "1E", "1.", ".5", "+1", "1 1",
		"true", "truex", "tru", "nul", "null ", "nullnull", "\"\"", "\"", "\"a", "\"a\"b",
		"\"\\\"", "\"\\\"\"", "\"\\n\\t\\r\\b\\f\\/\\\\\"", "\"\\x\"", "\"\\\"", "\"\\",
		"\"\\u0041\"", "\"\\u0000\"", "\"\\ud800\"", "\"\\ud83d\\ude00\"", "\"a\nb\"",
		"\"a\x7f\"", "\"\xc3\xa4\"", "\"\xc3\"", "\"\xff\"", "\"\xed\xa0\x80\"",
		"\"plain, long enough for several words\"",
		"\"plain, long enough for several words\\n and then more of it\"",
		"\"long enough for several words \xc3\xa4\xc3\xb6 and then more\"",
		"{\"\xc3\xa4\":1}", "{\"\xff\":1}", "{\"a\\n\":1}", "{\"\":1}", "{\"\":1,\"\":1}",
		"{\"0123456789012345678901234567890123456789012345678901234567890123456789\":1}",
		"[[[[[]]]]]", "[[[[[]]]]", "\xef\xbb\xbf[]", "[1]x", "[1]\n"};
	static const char zero[] = "\"a\0b\"";

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		same_reading(texts[i], strlen(texts[i]));
	same_reading(zero, sizeof(zero) - 1);
}

static void nested_texts(void **unused)
{
	char text[2 * 100 + 1];

	for (size_t depth = 60; depth <= 100; depth++) {
		json_t *value;
		json_error_t error;

		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		same_reading(text, 2 * depth);
		same_reading(text, 2 * depth - 1);
		value = json_text_read(text, 2 * depth, &error);
		same_writing(value);
		json_decref(value);
	}
}

// --- At random ---

static json_t *random_string(void)
{
	static const char *const pieces[] = {"a", "table=0,priority=100,", "\n", "\t", "\"", "\\",
		"\x01", "\x1f", "\x7f", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", " ", "/"};
	char text[600] = "";

	for (unsigned left = below(24); left > 0; left--)
		strcat(text, pieces[below(3) ? below(2) : below(14)]);
	return json_string(text);
}

static json_t *random_value(unsigned depth)
{
	json_t *value;
	unsigned kind = below(depth < 4 ? 9 : 7);
	unsigned count = below(5);

	switch (kind) {
	case 0:
		return json_true();
	case 1:
		return json_null();
	case 2:
		return json_integer(below(2) ? below(100) : -(json_int_t)below(100));
	case 3:
		return json_integer((json_int_t)((uint64_t)below(1u << 31) << 33 | below(9)));
	case 4:
		return json_real(below(1000) / 8.0);
	case 5:
	case 6:
		return random_string();
	case 7:
		value = json_array();
		for (; count > 0; count--)
			json_array_append_new(value, random_value(depth + 1));
		return value;
	default:
		value = json_object();
		for (; count > 0; count--) {
			json_t *key = random_string();

			json_object_set_new(value, json_string_value(key), random_value(depth + 1));
			json_decref(key);
		}
		return value;
	}
}

static void random_values(void **unused)
{
	for (unsigned i = 0; i < VALUES; i++) {
		json_t *value = random_value(0);
		char *text = json_dumps(value, JSON_ENCODE_ANY | (below(2) ? JSON_INDENT(1) : 0) |
						       (below(2) ? JSON_ENSURE_ASCII : 0));

		same_writing(value);
		same_reading(text, strlen(text));
		free(text);
		json_decref(value);
	}
}

static void garbled_texts(void **unused)
{
	static const char bytes[] = "{}[],:\"\\ntfu019-.eE \n\x7f\xc3\xa4\x01";

	for (unsigned i = 0; i < GARBLED; i++) {
		json_t *value = random_value(0);
		char *text = json_dumps(value, JSON_ENCODE_ANY);
		size_t length = strlen(text);

		if (length > 0)
			text[below((unsigned)length)] = bytes[below(sizeof(bytes) - 1)];
		same_reading(text, below(4) ? length : below((unsigned)length + 1));
		free(text);
		json_decref(value);
	}
}

// What cannot be said is not said.
static void not_utf8(void **unused)
{
	json_t *value = json_pack("[o]", json_string_nocheck("a\xff"));
	size_t length;

	assert_null(json_text_write(value, &length));
	assert_null(json_text_write(NULL, &length));
	json_decref(value);
}

static void plain_lengths(void **unused)
{
	char text[40];

	for (int special = 0; special < 256; special++) {
		bool plain = special >= 0x20 && special < 0x80 && special != '"' && special != '\\';

		for (size_t at = 0; at < sizeof(text); at++) {
			memset(text, 'a', sizeof(text));
			text[at] = (char)special;
			assert_int_equal(
				json_text_plain(text, sizeof(text)), plain ? sizeof(text) : at);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(odd_texts),
		cmocka_unit_test(nested_texts),
		cmocka_unit_test(random_values),
		cmocka_unit_test(garbled_texts),
		cmocka_unit_test(not_utf8),
		cmocka_unit_test(plain_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
