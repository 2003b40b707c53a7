// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "datapath/vhost_features.h"

static void bits_have_names(void **state)
{
	json_t *names = json_array();

	vhost_features_name(
		UINT64_C(1) << 15 | UINT64_C(1) << 22 | UINT64_C(1) << 34 | UINT64_C(1) << 50,
		names);
	assert_int_equal(json_array_size(names), 4);
	assert_string_equal(json_string_value(json_array_get(names, 0)), "mrg_rxbuf");
	assert_string_equal(json_string_value(json_array_get(names, 1)), "mq");
	assert_string_equal(json_string_value(json_array_get(names, 2)), "packed");
	assert_string_equal(json_string_value(json_array_get(names, 3)), "bit 50");
	json_decref(names);
}

// Whatever a refused bit is called, it is about checksums or segmentation; what the switch lives on
// is not among them.
static void only_offloads_are_refused(void **state)
{
	json_t *names = json_array(), *name;
	size_t i;

	vhost_features_name(vhost_features_refused, names);
	json_array_foreach (names, i, name) {
		const char *text = json_string_value(name);

		assert_true(strstr(text, "csum") || strstr(text, "tso") || strstr(text, "ufo") ||
			    strstr(text, "ecn") || strstr(text, "gso"));
	}
	assert_int_equal(json_array_size(names), 11);
	json_decref(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bits_have_names),
		cmocka_unit_test(only_offloads_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
