// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text_buffer.h"

static void assert_text(struct text_buffer *buffer, const char *expected)
{
	char *text = text_buffer_close(buffer);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

static void parts(void **unused)
{
	struct text_buffer buffer;

	text_buffer_open(&buffer);
	assert_text(&buffer, "");
	text_put(&buffer, "a=");
	text_put_decimal(&buffer, 0);
	text_put_char(&buffer, ',');
	text_put_bytes(&buffer, "bcd", 2);
	text_printf(&buffer, "%s%d", "x", -3);
	assert_text(&buffer, "a=0,bcx-3");
	text_put(&buffer, "again");
	assert_text(&buffer, "again");
}

static void numbers(void **unused)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < 200; i++) {
		struct text_buffer buffer;
		char expected[100];
		unsigned digits = 1 + i % 16;

		text_buffer_open(&buffer);
		text_put_decimal(&buffer, number);
		text_put_char(&buffer, ' ');
		text_put_hex(&buffer, number, digits);
		snprintf(expected, sizeof(expected), "%" PRIu64 " %0*" PRIx64, number, (int)digits,
			number);
		assert_text(&buffer, expected);
		number = i % 3 ? number * 7 + i : ~number >> i % 64;
	}
}

// Texts of every length, put at once and byte by byte.
static void growth(void **unused)
{
	char expected[2001] = "";

	for (size_t length = 0; length < sizeof(expected); length++) {
		struct text_buffer buffer;

		memset(expected, 'a' + (int)(length % 26), length);
		expected[length] = '\0';
		text_buffer_open(&buffer);
		text_printf(&buffer, "%s", expected);
		assert_int_equal(buffer.length, length);
		assert_text(&buffer, expected);
		for (size_t i = 0; i < length; i++)
			text_put_char(&buffer, expected[i]);
		assert_text(&buffer, expected);
	}
}

static void fixed_sizes(void **unused)
{
	for (size_t size = 1; size < 8; size++) {
		struct text_buffer buffer;
		char expected[8], text[8] = "1234567";

		text_buffer_open(&buffer);
		text_buffer_close_into(&buffer, text, size);
		assert_string_equal(text, "");
		text_put(&buffer, "abcde");
		text_buffer_close_into(&buffer, text, size);
		snprintf(expected, size, "abcde");
		assert_string_equal(text, expected);
	}
}

static void no_memory(void **unused)
{
	struct text_buffer buffer;
	char text[8];

	text_buffer_open(&buffer);
	text_put(&buffer, "abc");
	assert_false(text_buffer_reserve(&buffer, SIZE_MAX / 2));
	text_put(&buffer, "def");
	assert_null(text_buffer_close(&buffer));
	assert_false(text_buffer_reserve(&buffer, SIZE_MAX - 1));
	text_buffer_close_into(&buffer, text, sizeof(text));
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts),
		cmocka_unit_test(numbers),
		cmocka_unit_test(growth),
		cmocka_unit_test(fixed_sizes),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
