// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "datapath/port_settings.h"

static struct port_settings accept(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);
	struct port_settings settings;
	struct rpc_error error = {0};

	assert_non_null(json);
	if (!port_settings_parse(json, &settings, &error))
		fail_msg("%s: %s", text, error.message);
	json_decref(json);
	return settings;
}

static void refuse(const char *text, const char *part)
{
	json_t *json = json_loads(text, 0, NULL);
	struct port_settings settings;
	struct rpc_error error = {0};

	assert_non_null(json);
	assert_false(port_settings_parse(json, &settings, &error));
	assert_int_equal(error.code, RPC_REFUSED);
	if (!strstr(error.message, part))
		fail_msg("\"%s\" is not in \"%s\"", part, error.message);
	rpc_error_clear(&error);
	json_decref(json);
}

static void plain_port_is_a_trunk(void **state)
{
	struct port_settings settings = accept("{\"name\":\"p\",\"ofport\":65279,\"type\":\"x\"}");

	assert_string_equal(settings.name, "p");
	assert_int_equal(settings.vlan.number, 65279);
	assert_int_equal(settings.vlan.vlan_mode, VLAN_TRUNK);
	assert_int_equal(settings.vlan.tag, 0);
	assert_int_equal(settings.mtu, 1500);
	assert_false(settings.mtu_given);
	for (int i = 0; i < 64; i++)
		assert_int_equal(settings.vlan.trunks[i], 0);
}

static void tag_makes_an_access_port(void **state)
{
	struct port_settings settings =
		accept("{\"name\":\"p\",\"ofport\":1,\"tag\":42,\"mtu\":9000}");

	assert_int_equal(settings.vlan.vlan_mode, VLAN_ACCESS);
	assert_int_equal(settings.vlan.tag, 42);
	assert_int_equal(settings.mtu, 9000);
	assert_true(settings.mtu_given);
}

static void modes_by_name(void **state)
{
	struct port_settings settings = accept("{\"name\":\"p\",\"ofport\":1,\"tag\":5,"
					       "\"vlan_mode\":\"native-untagged\"}");

	assert_int_equal(settings.vlan.vlan_mode, VLAN_NATIVE_UNTAGGED);
	settings =
		accept("{\"name\":\"p\",\"ofport\":1,\"tag\":5,\"vlan_mode\":\"native-tagged\"}");
	assert_int_equal(settings.vlan.vlan_mode, VLAN_NATIVE_TAGGED);
	settings = accept("{\"name\":\"p\",\"ofport\":1,\"tag\":5,\"vlan_mode\":\"trunk\"}");
	assert_int_equal(settings.vlan.vlan_mode, VLAN_TRUNK);
	settings = accept("{\"name\":\"p\",\"ofport\":1,\"tag\":0,\"vlan_mode\":\"access\"}");
	assert_int_equal(settings.vlan.vlan_mode, VLAN_ACCESS);
	settings = accept("{\"name\":\"p\",\"ofport\":1,\"vlan_mode\":null,\"tag\":null}");
	assert_int_equal(settings.vlan.vlan_mode, VLAN_TRUNK);
}

static void trunks_become_bits(void **state)
{
	struct port_settings settings =
		accept("{\"name\":\"p\",\"ofport\":1,\"trunks\":[0,63,64,4095]}");

	assert_int_equal(settings.vlan.trunks[0], UINT64_C(0x8000000000000001));
	assert_int_equal(settings.vlan.trunks[1], 1);
	assert_int_equal(settings.vlan.trunks[63], UINT64_C(0x8000000000000000));
	assert_int_equal(settings.vlan.trunks[2], 0);
}

static void steering_by_name(void **state)
{
	assert_int_equal(accept("{\"name\":\"p\",\"ofport\":1}").tx_steering, TX_STEERING_THREAD);
	assert_int_equal(
		accept("{\"name\":\"p\",\"ofport\":1,\"tx_steering\":\"hash\"}").tx_steering,
		TX_STEERING_HASH);
	assert_int_equal(
		accept("{\"name\":\"p\",\"ofport\":1,\"tx_steering\":\"thread\"}").tx_steering,
		TX_STEERING_THREAD);
	assert_int_equal(accept("{\"name\":\"p\",\"ofport\":1,\"tx_steering\":null}").tx_steering,
		TX_STEERING_THREAD);
}

static void mistakes_are_explained(void **state)
{
	refuse("{\"ofport\":1}", "1 to 63 characters");
	refuse("{\"name\":\"\",\"ofport\":1}", "1 to 63 characters");
	refuse("{\"name\":\"a b\",\"ofport\":1}", "blanks");
	refuse("{\"name\":\"a/b\",\"ofport\":1}", "slashes");
	refuse("{\"name\":\"0123456789012345678901234567890123456789012345678901234567890123\","
	       "\"ofport\":1}",
		"1 to 63");
	refuse("{\"name\":\"p\"}", "ofport");
	refuse("{\"name\":\"p\",\"ofport\":0}", "ofport");
	refuse("{\"name\":\"p\",\"ofport\":65280}", "65279");
	refuse("{\"name\":\"p\",\"ofport\":\"1\"}", "ofport");
	refuse("{\"name\":\"p\",\"ofport\":1,\"tag\":4096}", "tag");
	refuse("{\"name\":\"p\",\"ofport\":1,\"tag\":-1}", "tag");
	refuse("{\"name\":\"p\",\"ofport\":1,\"mtu\":67}", "mtu");
	refuse("{\"name\":\"p\",\"ofport\":1,\"mtu\":65535}", "mtu");
	refuse("{\"name\":\"p\",\"ofport\":1,\"trunks\":5}", "trunks");
	refuse("{\"name\":\"p\",\"ofport\":1,\"trunks\":[1,4096]}", "item 2");
	refuse("{\"name\":\"p\",\"ofport\":1,\"vlan_mode\":\"access\"}", "needs a tag");
	refuse("{\"name\":\"p\",\"ofport\":1,\"vlan_mode\":7}", "native-tagged");
	refuse("{\"name\":\"p\",\"ofport\":1,\"tag\":1,\"vlan_mode\":\"dot1q-tunnel\"}",
		"not supported");
	refuse("{\"name\":\"p\",\"ofport\":1,\"tx_steering\":\"hush\"}", "thread or hash");
	refuse("{\"name\":\"p\",\"ofport\":1,\"tx_steering\":1}", "thread or hash");
}

static void changes_are_laid_over(void **state)
{
	json_t *config =
		json_loads("{\"name\":\"p\",\"ofport\":1,\"tag\":5,\"mtu\":9000}", 0, NULL);
	json_t *changes = json_loads("{\"name\":\"p\",\"tag\":null,\"trunks\":[1],\"ofport\":9,"
				     "\"tx_steering\":\"hash\"}",
		0, NULL);
	json_t *merged = port_config_merge(config, changes);
	json_t *expected = json_loads("{\"name\":\"p\",\"ofport\":1,\"trunks\":[1],\"mtu\":9000,"
				      "\"tx_steering\":\"hash\"}",
		0, NULL);

	assert_true(json_equal(merged, expected));
	assert_int_equal(json_integer_value(json_object_get(config, "tag")), 5);
	json_decref(config);
	json_decref(changes);
	json_decref(merged);
	json_decref(expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_port_is_a_trunk),
		cmocka_unit_test(tag_makes_an_access_port),
		cmocka_unit_test(modes_by_name),
		cmocka_unit_test(trunks_become_bits),
		cmocka_unit_test(steering_by_name),
		cmocka_unit_test(mistakes_are_explained),
		cmocka_unit_test(changes_are_laid_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
