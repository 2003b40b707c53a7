// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rpc/json_stream.h"

#define LIMIT 4096

// Take all values out; returns them compactly printed, joined by "|", errors as "!".
static char *drain(struct json_stream *stream, char *text)
{
	for (;;) {
		const char *error_text;
		json_t *value = json_stream_next(stream, &error_text);

		if (value != NULL) {
			char *dumped = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

			strcat(text, dumped);
			free(dumped);
			json_decref(value);
		} else if (error_text != NULL) {
			strcat(text, "!");
		} else {
			return text;
		}
		strcat(text, "|");
	}
}

struct example {
	const char *input;
	const char *output;
};

static const struct example examples[] = {
	{"{}", "{}|"},
	{" \r\n\t", ""},
	{"{}[]{}", "{}|[]|{}|"},
	{"{\"a\":[1,{\"b\":\"]}\\\"\"}]} [true]", "{\"a\":[1,{\"b\":\"]}\\\"\"}]}|[true]|"},
	{"1 2\n\"x\"\"y\"null[]true{}-1.5e3,", "1|2|\"x\"|\"y\"|null|[]|true|{}|-1500.0|!|"},
	{"12 345", "12|345|"}, // the last is ended by the end
	{"\"\\\\\" \"\\\"\"", "\"\\\\\"|\"\\\"\"|"},
	{"\"\xc3\xa4\\u00e4\"", "\"\xc3\xa4\xc3\xa4\"|"},
	// Errors cost the rest of the line, no more.
	{"}\n{}", "!|{}|"},
	{"{\"a\":1]} lost {}\n[2]", "!|[2]|"},
	{"GET / HTTP/1.1\r\nHost: x\r\n\r\n{}", "!|!|{}|"},
	{"nul {}\n1\n", "!|1|"},
	{"{\"a\":\"unfinished\n{\"b\":2}", "!|"},
	{"{\"a\":\"unfinished\n\n{\"b\":2}", "!|{\"b\":2}|"},
	{"[1,]\n[1]", "!|[1]|"},
	{"{\"a\":1,\"a\":2}\n3", "!|3|"}, // duplicate keys
	{"\"\\u0000\"\n3", "!|3|"},
	{"\"\xff\"\n3", "!|3|"},
	{"[1] ;\n3", "[1]|!|3|"},
	{"[#]\n3", "!|3|"},
	// What is cut off by the end is an error.
	{"[1,", "!|"},
	{"{\"jsonrpc", "!|"},
	{"\"abc", "!|"},
	{"tru", "!|"},
	{"[1] {\"a\"", "[1]|!|"},
	{"}", "!|"},
};

// Every example, cut in two at every byte, and fed byte by byte.
static void test_examples_however_cut(void **state)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		const char *input = examples[i].input;
		size_t length = strlen(input);

		for (size_t cut = 0; cut <= length + 1; cut++) {
			struct json_stream *stream = json_stream_create(LIMIT);
			char text[512] = "";

			for (size_t at = 0; at < length; at++) {
				if (cut == length + 1 || at == cut)
					drain(stream, text);
				assert_int_equal(json_stream_feed(stream, input + at, 1), 0);
			}
			drain(stream, text);
			json_stream_end(stream);
			drain(stream, text);
			assert_string_equal(text, examples[i].output);
			json_stream_destroy(stream);
		}
	}
}

static void test_value_is_there_with_its_last_byte(void **state)
{
	static const char *const values[] = {"{\"a\":[{}]}", "[[],[[]]]", "\"a\\\"b\""};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct json_stream *stream = json_stream_create(LIMIT);
		size_t length = strlen(values[i]);
		const char *error_text;
		json_t *value;

		for (size_t at = 0; at < length; at++) {
			assert_null(json_stream_next(stream, &error_text));
			assert_null(error_text);
			json_stream_feed(stream, values[i] + at, 1);
		}
		value = json_stream_next(stream, &error_text);
		assert_non_null(value);
		json_decref(value);
		json_stream_destroy(stream);
	}
}

static void test_nul_byte(void **state)
{
	struct json_stream *stream = json_stream_create(LIMIT);
	char text[64] = "";

	json_stream_feed(stream, "\0\n[1,\0]\n\"\0\"\n[2]", 15);
	assert_string_equal(drain(stream, text), "!|!|!|[2]|");
	json_stream_destroy(stream);
}

static void test_error_has_a_position(void **state)
{
	struct json_stream *stream = json_stream_create(LIMIT);
	const char *error_text;
	const char *input = "{\n\"a\": 1,\n\"b\" 2}\n";

	json_stream_feed(stream, input, strlen(input));
	assert_null(json_stream_next(stream, &error_text));
	assert_non_null(error_text);
	assert_non_null(strstr(error_text, "line 3, column 5"));
	json_stream_destroy(stream);
}

static void test_depth_limit(void **state)
{
	struct json_stream *stream = json_stream_create(LIMIT);
	char text[512] = "";
	const char *error_text;
	char deep[140];

	memset(deep, '[', 64);
	memset(deep + 64, ']', 64);
	json_stream_feed(stream, deep, 128);
	drain(stream, text);
	assert_int_equal(text[0], '[');
	assert_false(json_stream_failed(stream));

	memset(deep, '[', 65);
	json_stream_feed(stream, deep, 65);
	assert_null(json_stream_next(stream, &error_text));
	assert_non_null(strstr(error_text, "64"));
	assert_true(json_stream_failed(stream));
	assert_null(json_stream_next(stream, &error_text));
	assert_null(error_text);
	assert_int_equal(json_stream_feed(stream, "{}", 2), -EMSGSIZE);
	json_stream_destroy(stream);
}

static void test_length_limit(void **state)
{
	static char bytes[LIMIT + 2];
	struct json_stream *stream = json_stream_create(LIMIT);
	char text[LIMIT + 16] = "";
	const char *error_text;

	memset(bytes, 'x', sizeof(bytes));
	bytes[0] = '"';
	bytes[LIMIT - 1] = '"';
	assert_int_equal(json_stream_feed(stream, bytes, LIMIT), 0);
	drain(stream, text);
	assert_int_equal(strlen(text), LIMIT + 1);

	bytes[LIMIT - 1] = 'x';
	bytes[LIMIT] = '"';
	assert_int_equal(json_stream_feed(stream, bytes, LIMIT + 1), 0);
	assert_null(json_stream_next(stream, &error_text));
	assert_non_null(error_text);
	assert_true(json_stream_failed(stream));
	json_stream_destroy(stream);
}

// What is said to be held is near to what came, and goes when it was taken.
static void test_memory_held(void **state)
{
	enum { SIZE = 8 << 20, PIECE = 100000 };
	struct json_stream *stream = json_stream_create(2 * SIZE);
	char *bytes = malloc(SIZE);
	const char *error_text;
	json_t *value;

	memset(bytes, 'x', SIZE);
	bytes[0] = '"';
	bytes[SIZE - 5] = '"';
	memcpy(bytes + SIZE - 4, "[1,2", 4);
	for (size_t at = 0; at < SIZE; at += PIECE) {
		size_t count = SIZE - at < PIECE ? SIZE - at : PIECE;

		if (at > 0)
			assert_null(json_stream_next(stream, &error_text));
		assert_int_equal(json_stream_feed(stream, bytes + at, count), 0);
		assert_in_range(json_stream_held(stream), at + count, (at + count) * 5 / 4 + PIECE);
	}
	value = json_stream_next(stream, &error_text);
	assert_int_equal(json_string_length(value), SIZE - 6);
	json_decref(value);
	// Although another value has begun.
	assert_in_range(json_stream_held(stream), 4, 64 << 10);
	assert_int_equal(json_stream_feed(stream, "]", 1), 0);
	value = json_stream_next(stream, &error_text);
	assert_int_equal(json_array_size(value), 2);
	json_decref(value);
	json_stream_abandon(stream);
	assert_int_equal(json_stream_held(stream), 0);
	assert_true(json_stream_failed(stream));
	json_stream_destroy(stream);
	free(bytes);
}

// By what it would take in memory, with each kind of value at its worst; strings do not count.
static void test_decoded_limit(void **state)
{
	static const char *const worst[] = {"[],", "{},", "0,", "\"\":0,"};

	for (size_t i = 0; i < 4; i++) {
		struct json_stream *stream = json_stream_create(1 << 20);
		const char *error_text = NULL;
		size_t fed = 1;

		json_stream_limit_decoded(stream, 1 << 20);
		assert_int_equal(json_stream_feed(stream, i == 3 ? "{" : "[", 1), 0);
		for (; error_text == NULL && fed < 1 << 20; fed += strlen(worst[i])) {
			assert_int_equal(json_stream_feed(stream, worst[i], strlen(worst[i])), 0);
			assert_null(json_stream_next(stream, &error_text));
		}
		assert_non_null(error_text);
		assert_non_null(strstr(error_text, "so many values"));
		assert_in_range(fed, 1000, 50000);
		json_stream_destroy(stream);
	}
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

static double cost_of(size_t size)
{
	struct json_stream *stream = json_stream_create(256u << 20);
	static char chunk[65536];
	const char *error_text;
	double start = now();
	json_t *value;

	memset(chunk, 'x', sizeof(chunk));
	json_stream_feed(stream, "\"", 1);
	for (size_t done = 0; done < size; done += sizeof(chunk)) {
		assert_null(json_stream_next(stream, &error_text));
		json_stream_feed(stream, chunk, sizeof(chunk));
	}
	json_stream_feed(stream, "\"", 1);
	value = json_stream_next(stream, &error_text);
	assert_int_equal(json_string_length(value), size);
	json_decref(value);
	json_stream_destroy(stream);
	return now() - start;
}

// Were everything scanned or copied again with each read, the second would cost 64 times the first.
static void test_cost_is_linear(void **state)
{
	double small = cost_of(4u << 20);
	double large = cost_of(32u << 20);

	// What else the machine does can make one of them slow, but not every time.
	for (int again = 0; again < 10 && large >= 24 * small + 0.05; again++) {
		small = cost_of(4u << 20);
		large = cost_of(32u << 20);
	}

	print_message("4 MB: %.3f s, 32 MB: %.3f s of processor time\n", small, large);
	assert_true(large < 24 * small + 0.05);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples_however_cut),
		cmocka_unit_test(test_value_is_there_with_its_last_byte),
		cmocka_unit_test(test_nul_byte),
		cmocka_unit_test(test_error_has_a_position),
		cmocka_unit_test(test_depth_limit),
		cmocka_unit_test(test_length_limit),
		cmocka_unit_test(test_memory_held),
		cmocka_unit_test(test_decoded_limit),
		cmocka_unit_test(test_cost_is_linear),
	};

	return cmocka_run_group_tests_name("json_stream", tests, NULL, NULL);
}
