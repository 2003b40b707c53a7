// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <string.h>

#include "vswitch/schema.h"

static const struct schema_column *column_of(enum schema_table_id table, const char *name)
{
	struct rpc_error error = {0};
	const struct schema_column *column = schema_column_find(table, name, &error);

	if (!column)
		fail_msg("%s", error.message);
	return column;
}

// The kept form of `input` (JSON) as text.
static void assert_kept(
	enum schema_table_id table, const char *column, const char *input, const char *kept)
{
	struct rpc_error error = {0};
	json_t *value = json_loads(input, JSON_DECODE_ANY, NULL);
	json_t *expected = json_loads(kept, JSON_DECODE_ANY, NULL);
	json_t *result = schema_value(column_of(table, column), value, &error);

	if (!result)
		fail_msg("%s = %s refused: %s", column, input, error.message);
	if (!json_equal(result, expected))
		fail_msg("%s = %s is not kept as %s", column, input, kept);
	json_decref(value);
	json_decref(expected);
	json_decref(result);
}

static void assert_refused(
	enum schema_table_id table, const char *column, const char *input, const char *part)
{
	struct rpc_error error = {0};
	json_t *value = json_loads(input, JSON_DECODE_ANY, NULL);
	json_t *result = schema_value(column_of(table, column), value, &error);

	assert_null(result);
	assert_int_not_equal(error.code, 0);
	if (!strstr(error.message, part))
		fail_msg("%s = %s: \"%s\" does not say \"%s\"", column, input, error.message, part);
	json_decref(value);
	rpc_error_clear(&error);
}

static void test_tables(void **state)
{
	struct rpc_error error = {0};
	enum schema_table_id table;

	assert_int_equal(schema_table_find("Interface", &table, &error), 0);
	assert_int_equal(table, TABLE_INTERFACE);
	assert_int_equal(schema_table_find("open_vswitch", &table, &error), 0);
	assert_int_equal(table, TABLE_OPEN_VSWITCH);
	assert_int_equal(schema_table_find("int", &table, &error), 0);
	assert_int_equal(table, TABLE_INTERFACE);
	assert_int_not_equal(schema_table_find("Brigde", &table, &error), 0);
	assert_non_null(strstr(error.message, "did you mean \"Bridge\""));
	assert_int_not_equal(schema_table_find("", &table, &error), 0);
	rpc_error_clear(&error);
}

static void test_columns(void **state)
{
	struct rpc_error error = {0};

	assert_null(schema_column_find(TABLE_PORT, "tags", &error));
	assert_int_equal(error.code, RPC_NOT_FOUND);
	assert_non_null(strstr(error.message, "did you mean \"tag\""));
	rpc_error_clear(&error);
	assert_null(schema_column_find(TABLE_PORT, "statistics", &error));
	rpc_error_clear(&error);
}

static void test_integers(void **state)
{
	assert_kept(TABLE_PORT, "tag", "100", "100");
	assert_kept(TABLE_PORT, "tag", "\"100\"", "100");
	assert_kept(TABLE_PORT, "tag", "\"0x64\"", "100");
	assert_kept(TABLE_PORT, "tag", "[100]", "100");
	assert_kept(TABLE_PORT, "tag", "[]", "[]");
	assert_kept(TABLE_PORT, "tag", "null", "[]");
	assert_kept(TABLE_PORT, "tag", "\"[]\"", "[]");
	assert_refused(TABLE_PORT, "tag", "4096", "out of range 0..4095");
	assert_refused(TABLE_PORT, "tag", "-1", "out of range");
	assert_refused(TABLE_PORT, "tag", "\"ten\"", "is not a number");
	assert_refused(TABLE_PORT, "tag", "\"99999999999999999999\"", "is not a number");
	assert_refused(TABLE_PORT, "tag", "1.5", "whole number");
	assert_refused(TABLE_PORT, "tag", "[1, 2]", "whole number");
	assert_refused(TABLE_INTERFACE, "ofport_request", "0", "out of range 1..65279");
	assert_refused(TABLE_INTERFACE, "ofport_request", "65280", "out of range");
}

static void test_sets(void **state)
{
	assert_kept(TABLE_PORT, "trunks", "[3, 1, 2, 3]", "[1, 2, 3]");
	assert_kept(TABLE_PORT, "trunks", "\"10,20\"", "[10, 20]");
	assert_kept(TABLE_PORT, "trunks", "\"[20, 10]\"", "[10, 20]");
	assert_kept(TABLE_PORT, "trunks", "7", "[7]");
	assert_kept(TABLE_PORT, "trunks", "[]", "[]");
	assert_refused(TABLE_PORT, "trunks", "[1, 5000]", "out of range");
	assert_refused(TABLE_PORT, "trunks", "\"1-5\"", "is not a number");
}

static void test_strings(void **state)
{
	assert_kept(TABLE_BRIDGE, "fail_mode", "\"secure\"", "\"secure\"");
	assert_refused(TABLE_BRIDGE, "fail_mode", "\"open\"", "not one of: standalone secure");
	assert_refused(TABLE_BRIDGE, "datapath_type", "\"system\"", "not one of: netdev");
	assert_refused(TABLE_BRIDGE, "datapath_type", "{}", "takes a string");
}

static void test_maps(void **state)
{
	assert_kept(TABLE_INTERFACE, "options", "{\"n_rxq\": 2, \"x\": \"y\"}",
		"{\"n_rxq\": \"2\", \"x\": \"y\"}");
	assert_kept(TABLE_BRIDGE, "external_ids", "{\"any\": true}", "{\"any\": \"true\"}");
	assert_kept(TABLE_BRIDGE, "other_config", "{\"mac-aging-time\": \"30\"}",
		"{\"mac-aging-time\": \"30\"}");
	assert_refused(TABLE_BRIDGE, "other_config", "{\"mac-aging-time\": \"0\"}",
		"mac-aging-time: 0 is out of range");
	assert_kept(TABLE_BRIDGE, "other_config", "{\"controller-rate-limit\": 1000000}",
		"{\"controller-rate-limit\": \"1000000\"}");
	assert_refused(TABLE_BRIDGE, "other_config", "{\"controller-rate-limit\": \"1000001\"}",
		"controller-rate-limit: 1000001 is out of range");
	assert_refused(TABLE_BRIDGE, "other_config", "{\"controller-burst-limit\": \"0\"}",
		"controller-burst-limit: 0 is out of range");
	assert_kept(TABLE_BRIDGE, "other_config", "{\"mac-learning-rate-limit\": 1000000}",
		"{\"mac-learning-rate-limit\": \"1000000\"}");
	assert_refused(TABLE_BRIDGE, "other_config", "{\"mac-learning-rate-limit\": \"0\"}",
		"mac-learning-rate-limit: 0 is out of range");
	assert_refused(TABLE_BRIDGE, "other_config", "{\"mac-learning-burst-limit\": \"1000001\"}",
		"mac-learning-burst-limit: 1000001 is out of range");
	assert_refused(TABLE_BRIDGE, "other_config", "\"x\"", "is a map; write other_config:KEY");
	assert_refused(TABLE_OPEN_VSWITCH, "other_config", "{\"pmd-rxq-assign\": \"best\"}",
		"not one of: group cycles roundrobin");
	assert_refused(TABLE_OPEN_VSWITCH, "other_config", "{\"\": \"\"}", "empty key");
}

// Keys that mean nothing here are refused with the reason, unknown ones with the nearest.
static void test_refused_keys(void **state)
{
	assert_refused(TABLE_OPEN_VSWITCH, "other_config", "{\"emc-insert-inv-prob\": \"100\"}",
		"there is no flow cache");
	assert_refused(TABLE_OPEN_VSWITCH, "other_config", "{\"flow-limit\": \"1000\"}",
		"every installed rule is in force");
	assert_refused(TABLE_OPEN_VSWITCH, "other_config", "{\"pmd-cpumask\": \"3\"}",
		"did you mean \"pmd-cpu-mask\"?");
	assert_refused(TABLE_PORT, "other_config", "{\"x\": \"3\"}", "external_ids");
}

static void test_defaults_are_valid(void **state)
{
	for (int table = 0; table < TABLE_COUNT; table++) {
		for (const struct schema_column *column = schema_column_next(table, NULL); column;
			column = schema_column_next(table, column)) {
			json_t *value = schema_default(column);

			assert_non_null(value);
			assert_int_equal(json_is_object(value), column->type == COLUMN_MAP);
			if (column->flags & (COLUMN_OPTIONAL | COLUMN_SET))
				assert_int_equal(json_array_size(value), 0);
			json_decref(value);
		}
	}
}

static void test_describe(void **state)
{
	json_t *schema = schema_describe();
	json_t *tables = json_object_get(schema, "tables");

	assert_int_equal(json_array_size(tables), TABLE_COUNT);
	for (size_t i = 0; i < TABLE_COUNT; i++)
		assert_true(
			json_array_size(json_object_get(json_array_get(tables, i), "columns")) > 3);
	json_decref(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_refused_keys),
		cmocka_unit_test(test_defaults_are_valid),
		cmocka_unit_test(test_describe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
