// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ofctl/input_file.h"

static char path[] = "/tmp/turnout-input-XXXXXX";

static void file_write(const char *bytes, size_t count)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, count, file), count);
	fclose(file);
}

static int setup(void **state)
{
	int fd = mkstemp(path);

	close(fd);
	return fd < 0;
}

static int teardown(void **state)
{
	return unlink(path);
}

static void test_text(void **state)
{
	static const size_t sizes[] = {0, 1, 65534, 65535, 65536, 300000};
	struct rpc_error error = {0};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *bytes = malloc(sizes[i] + 1);
		char *text;

		memset(bytes, 'x', sizes[i]);
		file_write(bytes, sizes[i]);
		text = input_file_read(path, &error);
		assert_non_null(text);
		assert_int_equal(strlen(text), sizes[i]);
		free(text);
		free(bytes);
	}
}

static void refused(const char *bytes, size_t count, const char *expected)
{
	struct rpc_error error = {0};

	file_write(bytes, count);
	assert_null(input_file_read(path, &error));
	if (strstr(error.message, expected) == NULL)
		fail_msg("%s", error.message);
	rpc_error_clear(&error);
}

static void test_no_text(void **state)
{
	struct rpc_error error = {0};

	refused("a\nb\0\n", 5, ":2: error: this is no text");
	refused("a\nb\nc\xff", 6, ":3: error: this is no text");
	refused("\xc3", 1, ":1: error: this is no text");
	assert_null(input_file_read("/nonexistent", &error));
	assert_string_equal(error.message, "cannot read /nonexistent: No such file or directory");
	rpc_error_clear(&error);
	assert_null(input_file_read("/", &error));
	assert_string_equal(error.message, "cannot read /: Is a directory");
	rpc_error_clear(&error);
}

static void test_name(void **state)
{
	assert_string_equal(input_file_name("-"), "<stdin>");
	assert_string_equal(input_file_name("a"), "a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_no_text),
		cmocka_unit_test(test_name),
	};

	return cmocka_run_group_tests_name("input_file", tests, setup, teardown);
}
