// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "datapath/port_options.h"

static bool parse(enum port_type_id type, const char *text, struct port_options *options,
	struct rpc_error *error, json_t **json)
{
	*json = text ? json_loads(text, 0, NULL) : NULL;
	assert_true(!text || *json);
	memset(error, 0, sizeof(*error));
	return port_options_parse(type, *json, options, error);
}

static void refuse(enum port_type_id type, const char *text, const char *part)
{
	struct port_options options;
	struct rpc_error error;
	json_t *json;

	assert_false(parse(type, text, &options, &error, &json));
	if (!strstr(error.message, part))
		fail_msg("\"%s\" is not in \"%s\"", part, error.message);
	rpc_error_clear(&error);
	json_decref(json);
}

static void types_are_found(void **state)
{
	assert_int_equal(port_type_find("dpdk"), PORT_TYPE_DPDK);
	assert_int_equal(port_type_find("vhostuser"), PORT_TYPE_VHOSTUSER);
	assert_int_equal(port_type_find("dpdkvhostuserclient"), PORT_TYPE_VHOSTUSER);
	assert_int_equal(port_type_find("dpdkvhostuser"), -1);
	assert_int_equal(port_type_find(""), -1);
	assert_string_equal(port_type_get(PORT_TYPE_VHOSTUSER)->name, "vhostuser");
}

// A new type in the rows is in the message too.
static void unknown_types_are_refused(void **state)
{
	struct rpc_error error = {0};

	assert_int_equal(port_type_parse("vhostuser", &error), PORT_TYPE_VHOSTUSER);
	assert_int_equal(port_type_parse("vhostusr", &error), -1);
	assert_int_equal(error.code, RPC_REFUSED);
	assert_non_null(
		strstr(error.message, "\"vhostusr\" is unknown; did you mean \"vhostuser\"?"));
	for (int i = 0; i < PORT_TYPE_COUNT; i++)
		assert_non_null(strstr(error.message, port_type_get(i)->name));
	rpc_error_clear(&error);
	assert_int_equal(port_type_parse(NULL, &error), -1);
	assert_non_null(strstr(error.message, "\"\" is unknown; there are "));
	rpc_error_clear(&error);
}

static void values_and_defaults(void **state)
{
	struct port_options options;
	struct rpc_error error;
	json_t *json;

	assert_true(parse(PORT_TYPE_DPDK,
		"{\"dpdk-devargs\":\"net_null0\",\"n_rxq\":\"4\","
		"\"n_txq_desc\":512}",
		&options, &error, &json));
	assert_string_equal(options.text[DPDK_DEVARGS], "net_null0");
	assert_int_equal(options.number[DPDK_N_RXQ], 4);
	assert_int_equal(options.number[DPDK_N_TXQ], 0);
	assert_int_equal(options.number[DPDK_N_TXQ_DESC], 512);
	assert_true(options.given[DPDK_N_RXQ]);
	assert_false(options.given[DPDK_N_TXQ]);
	json_decref(json);
	assert_true(parse(PORT_TYPE_VHOSTUSER, NULL, &options, &error, &json));
	assert_string_equal(options.text[VHOSTUSER_MODE], "client");
	assert_string_equal(options.text[VHOSTUSER_PATH], "");
	assert_true(parse(PORT_TYPE_VHOSTUSER, "{\"vhost-server-path\":\"/a\",\"mode\":\"server\"}",
		&options, &error, &json));
	assert_string_equal(options.text[VHOSTUSER_PATH], "/a");
	assert_string_equal(options.text[VHOSTUSER_MODE], "server");
	json_decref(json);
}

static void mistakes_are_explained(void **state)
{
	refuse(PORT_TYPE_DPDK, "{}", "need the option devargs");
	refuse(PORT_TYPE_DPDK, "{\"devargs\":\"\"}", "devargs is 0 bytes long");
	refuse(PORT_TYPE_DPDK, "{\"devargs\":\"a\",\"n_rxq\":\"0\"}", "from 1 to 64");
	refuse(PORT_TYPE_DPDK, "{\"devargs\":\"a\",\"n_rxq\":65}", "from 1 to 64");
	refuse(PORT_TYPE_DPDK, "{\"devargs\":\"a\",\"n_rxq\":\"2x\"}", "n_rxq=2x");
	refuse(PORT_TYPE_DPDK, "{\"devargs\":\"a\",\"n_rxq\":\"\"}", "whole number");
	refuse(PORT_TYPE_DPDK, "{\"devargs\":\"a\",\"n_rxq\":\"99999999999999999999\"}", "64");
	refuse(PORT_TYPE_DPDK, "{\"devargs\":7}", "string");
	refuse(PORT_TYPE_DPDK, "{\"devargs\":\"a\",\"n_rxq\":true}", "number");
	refuse(PORT_TYPE_DPDK, "{\"devargs\":\"a\",\"dpdk-devargs\":\"b\"}", "twice");
	refuse(PORT_TYPE_DPDK, "{\"devargs\":\"a\",\"path\":\"/b\"}",
		"no option \"path\"; they have devargs, n_rxq");
	refuse(PORT_TYPE_VHOSTUSER, "{\"devargs\":\"a\"}", "they have path, mode");
	refuse(PORT_TYPE_VHOSTUSER, "{\"mode\":\"Server\"}", "client or server");
}

static void too_long_is_refused(void **state)
{
	char path[200], text[256];

	memset(path, 'a', sizeof(path));
	path[108] = '\0';
	snprintf(text, sizeof(text), "{\"path\":\"%s\"}", path);
	refuse(PORT_TYPE_VHOSTUSER, text, "107");
}

static void types_are_described(void **state)
{
	json_t *all = port_types_describe();
	json_t *dpdk = json_array_get(all, 0);
	json_t *options = json_object_get(dpdk, "options");
	json_t *first = json_array_get(options, 0);

	assert_int_equal(json_array_size(all), PORT_TYPE_COUNT);
	assert_string_equal(json_string_value(json_object_get(dpdk, "type")), "dpdk");
	assert_string_equal(json_string_value(json_object_get(first, "name")), "devargs");
	assert_true(json_is_null(json_object_get(first, "default")));
	assert_true(json_is_true(json_object_get(first, "required")));
	assert_int_equal(json_array_size(json_object_get(first, "aliases")), 1);
	for (size_t t = 0; t < json_array_size(all); t++) {
		json_t *type = json_array_get(all, t), *option;
		size_t i;

		assert_non_null(json_object_get(type, "help"));
		json_array_foreach (json_object_get(type, "options"), i, option)
			assert_true(
				strlen(json_string_value(json_object_get(option, "help"))) > 10);
	}
	json_decref(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_are_found),
		cmocka_unit_test(unknown_types_are_refused),
		cmocka_unit_test(values_and_defaults),
		cmocka_unit_test(mistakes_are_explained),
		cmocka_unit_test(too_long_is_refused),
		cmocka_unit_test(types_are_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
