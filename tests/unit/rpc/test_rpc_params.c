// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <string.h>

#include "rpc/rpc_params.h"

static const struct rpc_param rows[] = {
	{"bridge", RPC_STRING, true, "name of the bridge"},
	{"tag", RPC_INTEGER, false, "VLAN"},
	{"load", RPC_NUMBER, false, "share"},
	{"strict", RPC_BOOLEAN, false, ""},
	{"options", RPC_OBJECT, false, ""},
	{"trunks", RPC_ARRAY, false, ""},
	{"flow", RPC_ANY, false, ""},
	{0},
};

struct example {
	const char *params; // NULL: none
	const char *named;  // NULL: refused
	const char *message;
};

static const struct example examples[] = {
	{"{\"bridge\":\"br0\"}", "{\"bridge\":\"br0\"}", NULL},
	{"[\"br0\"]", "{\"bridge\":\"br0\"}", NULL},
	{"[\"br0\",5,0.5,true,{},[]]",
		"{\"bridge\":\"br0\",\"tag\":5,\"load\":0.5,\"strict\":true,"
		"\"options\":{},\"trunks\":[]}",
		NULL},
	{"{\"bridge\":\"br0\",\"load\":1}", "{\"bridge\":\"br0\",\"load\":1}", NULL},
	{"{\"bridge\":\"br0\",\"flow\":{}}", "{\"bridge\":\"br0\",\"flow\":{}}", NULL},
	{"{\"bridge\":\"br0\",\"flow\":null}", "{\"bridge\":\"br0\",\"flow\":null}", NULL},
	{"{\"bridge\":\"br0\",\"tag\":null}", "{\"bridge\":\"br0\"}", NULL},
	{"[\"br0\",null,1]", "{\"bridge\":\"br0\",\"load\":1}", NULL},
	{NULL, NULL, "parameter \"bridge\" is missing: name of the bridge (string)"},
	{"{}", NULL, "\"bridge\" is missing"},
	{"{\"bridge\":null}", NULL, "\"bridge\" is missing"},
	{"{\"bridge\":1}", NULL, "\"bridge\" is to be of type string, not integer"},
	{"[\"br0\",\"5\"]", NULL, "\"tag\" is to be of type integer, not string"},
	{"[\"br0\",5.0]", NULL, "\"tag\" is to be of type integer, not number"},
	{"[\"br0\",5,true]", NULL, "\"load\" is to be of type number, not boolean"},
	{"{\"bridge\":\"br0\",\"strict\":1}", NULL, "\"strict\""},
	{"{\"bridge\":\"br0\",\"options\":[]}", NULL, "object, not array"},
	{"{\"bridge\":\"br0\",\"trunks\":{}}", NULL, "array, not object"},
	{"{\"bridge\":\"br0\",\"tga\":1}", NULL,
		"unknown parameter \"tga\"; this method takes: bridge, tag "
		"(optional), load (optional)"},
	{"[1,2,3,4,5,6,7,8]", NULL, "8 parameters are too many"},
	{"\"br0\"", NULL, "as an object or as an array, not as string"},
};

static void test_examples(void **state)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		const struct example *example = &examples[i];
		json_t *params = example->params != NULL
					 ? json_loads(example->params, JSON_DECODE_ANY, NULL)
					 : NULL;
		struct rpc_error error = {0};
		json_t *named = rpc_params_check(rows, params, &error);

		if (example->named != NULL) {
			json_t *expected = json_loads(example->named, 0, NULL);

			assert_true(json_equal(named, expected));
			assert_int_equal(error.code, 0);
			json_decref(expected);
		} else {
			assert_null(named);
			assert_int_equal(error.code, RPC_INVALID_PARAMS);
			if (strstr(error.message, example->message) == NULL)
				fail_msg("%s: %s", example->params, error.message);
		}
		json_decref(named);
		json_decref(params);
		rpc_error_clear(&error);
	}
}

static void test_no_rows(void **state)
{
	struct rpc_error error = {0};
	json_t *params = json_pack("{s:i}", "x", 1);
	json_t *named = rpc_params_check(NULL, NULL, &error);

	assert_int_equal(json_object_size(named), 0);
	json_decref(named);
	assert_null(rpc_params_check(NULL, params, &error));
	assert_string_equal(error.message, "unknown parameter \"x\"; this method takes: none");
	json_decref(params);
	params = json_pack("[i]", 1);
	assert_null(rpc_params_check(NULL, params, &error));
	json_decref(params);
	rpc_error_clear(&error);
}

static void test_given_params_are_not_changed(void **state)
{
	struct rpc_error error = {0};
	json_t *params = json_pack("{s:s, s:n}", "bridge", "br0", "tag");
	json_t *named = rpc_params_check(rows, params, &error);

	assert_int_equal(json_object_size(params), 2);
	assert_int_equal(json_object_size(named), 1);
	json_decref(params);
	json_decref(named);
}

static void test_error_that_is_not_utf8(void **state)
{
	struct rpc_error error = {0};
	json_t *object;

	rpc_error_set(&error, RPC_REFUSED, "no port \"\xff\xc3\"");
	error.data = json_pack("{s:i}", "line", 3);
	object = rpc_error_to_json(&error);
	assert_string_equal(
		json_string_value(json_object_get(object, "message")), "no port \"??\"");
	rpc_error_clear(&error);
	rpc_error_from_json(&error, object);
	assert_int_equal(error.code, RPC_REFUSED);
	assert_int_equal(json_integer_value(json_object_get(error.data, "line")), 3);
	json_decref(object);
	rpc_error_clear(&error);
	assert_null(error.data);

	rpc_error_from_json(&error, NULL);
	assert_int_not_equal(error.code, 0);
	rpc_error_clear(&error);
}

static void test_error_from_its_own_message(void **state)
{
	struct rpc_error error = {0};

	rpc_error_set(&error, RPC_REFUSED, "inner");
	rpc_error_set(&error, RPC_REFUSED, "outer: %s", error.message);
	assert_string_equal(error.message, "outer: inner");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_no_rows),
		cmocka_unit_test(test_given_params_are_not_changed),
		cmocka_unit_test(test_error_that_is_not_utf8),
		cmocka_unit_test(test_error_from_its_own_message),
	};

	return cmocka_run_group_tests_name("rpc_params", tests, NULL, NULL);
}
