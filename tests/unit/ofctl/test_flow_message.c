// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdlib.h>

#include "ofctl/flow_message.h"

struct example {
	struct flow_message message;
	const char *output;
};

static const struct example examples[] = {
	{{"ofctl", "rules.of", 12, "error", "tcp_dst: 70000 is too large", "",
		 "tcp,tp_dst=70000,actions=drop\n# next", 4, 12},
		"ofctl: rules.of:12:5: error: tcp_dst: 70000 is too large\n"
		"tcp,tp_dst=70000,actions=drop\n"
		"    ^~~~~~~~~~~~\n"},
	{{"ofctl", NULL, 0, "error", "missing \"actions=\"", NULL, "ip", 2, 0},
		"ofctl: error: missing \"actions=\"\n"
		"ip\n"
		"  ^\n"},
	// Tabs keep their width, characters of several bytes are one column.
	{{"ofctl", NULL, 0, "warning", "w", "", "\tx\xc3\xa4y=\xc3\xa4z,", 6, 3},
		"ofctl: warning: w\n"
		"\tx\xc3\xa4y=\xc3\xa4z,\n"
		"\t    ^~\n"},
	// Places beyond the text are its end.
	{{"ofctl", "f", 1, "error", "m", "", "abc\r\n", 100, 100},
		"ofctl: f:1:101: error: m\nabc\n   ^\n"},
	{{"ofctl", "f", 1, "error", "m", "", "abc", 1, 100}, "ofctl: f:1:2: error: m\nabc\n ^~\n"},
	{{"ofctl", "f", 3, "error", "m", "", NULL, 0, 0}, "ofctl: f:3:1: error: m\n"},
	{{"ofctl", "f", 3, "error", "m", "", "", 0, 0}, "ofctl: f:3:1: error: m\n"},
	// A hint is told unless the message does.
	{{"ofctl", NULL, 0, "error", "nw_dst needs a protocol", "ip,nw_dst=1.2.3.4", "nw_dst", 0,
		 6},
		"ofctl: error: nw_dst needs a protocol\nnw_dst\n^~~~~~\nfor example: "
		"ip,nw_dst=1.2.3.4\n"},
	{{"ofctl", NULL, 0, "error", "write \"ip,nw_dst=1\"", "ip,nw_dst=1", "nw_dst", 0, 6},
		"ofctl: error: write \"ip,nw_dst=1\"\nnw_dst\n^~~~~~\n"},
};

static void test_examples(void **state)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		size_t size;
		char *text;
		FILE *out = open_memstream(&text, &size);

		flow_message_print(&examples[i].message, out);
		fclose(out);
		assert_string_equal(text, examples[i].output);
		free(text);
	}
}

static void test_messages(void **state)
{
	json_t *items = json_pack("[{s:i,s:i,s:i,s:s}, {s:i,s:i,s:i,s:s,s:s}, {s:i,s:s}, s]",
		"line", 2, "offset", 1, "length", 2, "message", "first", "line", 3, "offset", 0,
		"length", 1, "message", "second", "text", "own", "line", 9, "message", "beyond",
		"only a string");
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	flow_messages_print(items, "ofctl", "f", "error", "one\ntwo\nthree\n", out);
	flow_messages_print(NULL, "ofctl", "f", "error", NULL, out);
	fclose(out);
	assert_string_equal(text, "ofctl: f:2:2: error: first\n"
				  "two\n"
				  " ^~\n"
				  "ofctl: f:3:1: error: second\n"
				  "own\n"
				  "^\n"
				  "ofctl: f:9:1: error: beyond\n"
				  "ofctl: f:1:1: error: only a string\n"
				  "one\n"
				  "^\n");
	free(text);
	json_decref(items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_messages),
	};

	return cmocka_run_group_tests_name("flow_message", tests, NULL, NULL);
}
