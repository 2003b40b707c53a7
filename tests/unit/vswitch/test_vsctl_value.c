// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "vswitch/vsctl_value.h"

// What an assignment is read as: column, key or NULL, value as JSON; or the message.
struct assignment {
	const char *text;
	const char *column; // NULL: an error
	const char *key;
	const char *value; // or part of the message
};

static const struct assignment assignments[] = {
	{"tag=100", "tag", NULL, "\"100\""},
	{"type=dpdk", "type", NULL, "\"dpdk\""},
	{"type=", "type", NULL, "\"\""},
	{"fail_mode=\"secure\"", "fail_mode", NULL, "\"secure\""},
	{"trunks=1,2,3", "trunks", NULL, "\"1,2,3\""},
	{"trunks=[1,2, 3 ]", "trunks", NULL, "[\"1\",\"2\",\"3\"]"},
	{"trunks=[]", "trunks", NULL, "[]"},
	{"trunks=[\"\"]", "trunks", NULL, "[\"\"]"},
	{"options={}", "options", NULL, "{}"},
	{"options={n_rxq=2, path=/tmp/a}", "options", NULL,
		"{\"n_rxq\":\"2\",\"path\":\"/tmp/a\"}"},
	{"options={\"a b\"=\"c,d=}\",e=}", "options", NULL, "{\"a b\":\"c,d=}\",\"e\":\"\"}"},
	{"options:vhost-server-path=/tmp/v.sock", "options", "vhost-server-path",
		"\"/tmp/v.sock\""},
	{"options:dpdk-devargs=net_pcap0,rx_pcap=in.pcap,infinite_rx=1", "options", "dpdk-devargs",
		"\"net_pcap0,rx_pcap=in.pcap,infinite_rx=1\""},
	{"other_config:pmd-rxq-affinity=0:3,1:7", "other_config", "pmd-rxq-affinity",
		"\"0:3,1:7\""},
	{"other_config:pmd-rxq-affinity=\"0:3,1:7\"", "other_config", "pmd-rxq-affinity",
		"\"0:3,1:7\""},
	{"external_ids:\"a=b:c\"=[x]", "external_ids", "a=b:c", "\"[x]\""},
	{"external_ids:x=\"\\u00e4\\n\"", "external_ids", "x", "\"\xc3\xa4\\n\""},
	{"tag", NULL, NULL, "has no \"=\""},
	{"=1", NULL, NULL, "name of a column"},
	{"", NULL, NULL, "name of a column"},
	{"ta-g=1", NULL, NULL, "name of a column"},
	{"options:=1", NULL, NULL, "key behind the colon"},
	{"options:a", NULL, NULL, "has no \"=\""},
	{"options={a}", NULL, NULL, "\"=\" is missing behind \"a\""},
	{"options={a=1", NULL, NULL, "\"}\" is missing"},
	{"options={a=1}x", NULL, NULL, "\"x\" is too much"},
	{"trunks=[1,2", NULL, NULL, "\"]\" is missing"},
	{"trunks=[1,,2]", NULL, NULL, "a member is missing"},
	{"trunks=[1,]", NULL, NULL, "a member is missing"},
	{"type=\"dpdk", NULL, NULL, "closing quote"},
	{"type=\"dpdk\\\"", NULL, NULL, "closing quote"},
	{"type=\"dpdk\"x", NULL, NULL, "\"x\" is too much"},
	{"type=\"\\q\"", NULL, NULL, "invalid escape"},
	{"type=\xff", NULL, NULL, "UTF-8"},
	{"options:a=\xff", NULL, NULL, "UTF-8"},
	{"options:\xff=a", NULL, NULL, "UTF-8"},
	{"trunks=[1,\xff]", NULL, NULL, "UTF-8"},
	{"options={a=\xff}", NULL, NULL, "UTF-8"},
	{"options={\xff=a}", NULL, NULL, "UTF-8"},
};

static void test_assignments(void **state)
{
	for (size_t i = 0; i < sizeof(assignments) / sizeof(assignments[0]); i++) {
		const struct assignment *example = &assignments[i];
		struct rpc_error error = {0};
		struct vsctl_column column;
		bool fine = vsctl_assignment_parse(example->text, &column, &error);

		if (example->column == NULL) {
			assert_false(fine);
			assert_int_equal(error.code, RPC_INVALID_PARAMS);
			if (strstr(error.message, example->value) == NULL)
				fail_msg("%s: %s", example->text, error.message);
		} else {
			char *value;

			if (!fine)
				fail_msg("%s: %s", example->text, error.message);
			value = json_dumps(column.value, JSON_COMPACT | JSON_ENCODE_ANY);
			assert_string_equal(column.column, example->column);
			if (example->key == NULL)
				assert_null(column.key);
			else
				assert_string_equal(column.key, example->key);
			assert_string_equal(value, example->value);
			free(value);
			vsctl_column_destroy(&column);
		}
		rpc_error_clear(&error);
	}
}

static void test_columns(void **state)
{
	struct rpc_error error = {0};
	struct vsctl_column column;

	assert_true(vsctl_column_parse("statistics:tx_packets", &column, &error));
	assert_string_equal(column.column, "statistics");
	assert_string_equal(column.key, "tx_packets");
	vsctl_column_destroy(&column);
	assert_true(vsctl_column_parse("_uuid", &column, &error));
	assert_null(column.key);
	vsctl_column_destroy(&column);
	assert_false(vsctl_column_parse("a=b", &column, &error));
	assert_false(vsctl_column_parse("a:\"b\"c", &column, &error));
	assert_false(vsctl_column_parse("a:", &column, &error));
	rpc_error_clear(&error);
}

static void test_pairs(void **state)
{
	struct rpc_error error = {0};
	char *value;
	char *key;

	assert_true(vsctl_pair_parse("devargs=a,b=c", &key, &value, &error));
	assert_string_equal(key, "devargs");
	assert_string_equal(value, "a,b=c");
	free(key);
	free(value);
	assert_true(vsctl_pair_parse("\"a=b\"=\"c\"", &key, &value, &error));
	assert_string_equal(key, "a=b");
	assert_string_equal(value, "c");
	free(key);
	free(value);
	assert_false(vsctl_pair_parse("devargs", &key, &value, &error));
	assert_non_null(strstr(error.message, "KEY=VALUE"));
	assert_false(vsctl_pair_parse("a=\"b", &key, &value, &error));
	assert_null(key);
	assert_false(vsctl_pair_parse("\xff=b", &key, &value, &error));
	assert_false(vsctl_pair_parse("a=\xff", &key, &value, &error));
	assert_non_null(strstr(error.message, "UTF-8"));
	rpc_error_clear(&error);
}

static void test_print(void **state)
{
	static const char *const examples[][2] = {
		{"17", "17"},
		{"-1", "-1"},
		{"true", "true"},
		{"\"br0\"", "br0"},
		{"\"br-0.x_y\"", "br-0.x_y"},
		{"\"0br\"", "\"0br\""},
		{"\"17\"", "\"17\""},
		{"\"true\"", "\"true\""},
		{"\"\"", "\"\""},
		{"\"/tmp/a\"", "\"/tmp/a\""},
		{"\"a\\\"b\"", "\"a\\\"b\""},
		{"\"01234567-89ab-cdef-0123-456789abcdef\"",
			"01234567-89ab-cdef-0123-456789abcdef"},
		{"[]", "[]"},
		{"[1,2]", "[1, 2]"},
		{"{}", "{}"},
		{"{\"b\":\"1\",\"a\":\"x y\",\"a b\":2}", "{a=\"x y\", \"a b\"=2, b=\"1\"}"},
	};

	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		json_t *value = json_loads(examples[i][0], JSON_DECODE_ANY, NULL);
		size_t size;
		char *text;
		FILE *out = open_memstream(&text, &size);

		vsctl_value_print(value, out);
		fclose(out);
		assert_string_equal(text, examples[i][1]);
		free(text);
		json_decref(value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_assignments),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests_name("vsctl_value", tests, NULL, NULL);
}
