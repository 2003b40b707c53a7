// SPDX-License-Identifier: Apache-2.0

// The small tables: drop reasons, kinds of errors, and guessing names.

#include "flow_test.h"

#include "pipeline/drop_reason.h"
#include "pipeline/name_search.h"

static void test_drop_reasons(void **state)
{
	assert_string_equal(drop_reason_name(DROP_TABLE_MISS), "table_miss");
	assert_string_equal(drop_reason_name(DROP_NO_PORT), "no_port");
	assert_string_equal(drop_reason_name(DROP_TX_TOO_LONG), "tx_too_long");
	assert_string_equal(drop_reason_name(DROP_REASON_COUNT), "unknown");
	for (int i = 0; i < DROP_REASON_COUNT; i++) {
		const char *name = drop_reason_name((enum drop_reason)i);

		assert_int_equal(
			strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789"), strlen(name));
		assert_true(strlen(name) > 3);
		assert_true(strlen(drop_reason_help((enum drop_reason)i)) > 10);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(name, drop_reason_name((enum drop_reason)j));
	}
}

static void test_error_kinds(void **state)
{
	assert_string_equal(flow_error_kind_name(FLOW_ERROR_SYNTAX), "syntax");
	assert_string_equal(flow_error_kind_name(FLOW_ERROR_UNKNOWN_FIELD), "unknown_field");
	assert_string_equal(flow_error_kind_name(FLOW_ERROR_LOOKUP_BUDGET), "lookup_budget");
	assert_string_equal(flow_error_kind_name(FLOW_ERROR_KIND_COUNT), "unknown");
}

static const char *guess(const char *text)
{
	static const char *const names[] = {"in_port", "nw_src", "nw_dst", "tp_dst", "priority"};
	struct name_guess state = name_guess_start(text, strlen(text));

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		name_guess_try(&state, names[i], i == 0 ? "ingress" : "");
	return state.best;
}

static void test_guesses(void **state)
{
	assert_string_equal(guess("nw_scr"), "nw_src"); // a swap
	assert_string_equal(guess("nw_st"), "nw_dst");  // a missing letter
	assert_string_equal(guess("inn_port"), "in_port");
	assert_string_equal(guess("IN_PORT"), "in_port");
	assert_string_equal(guess("ingres"), "in_port"); // by its other name
	assert_string_equal(guess("prioritet"), "priority");
	assert_null(guess("frobnicate"));
	assert_null(guess("x"));
	assert_null(guess(""));
	assert_null(guess("in_port_that_goes_on_and_on_and_on_for_ever"));
}

static void test_lists(void **state)
{
	assert_true(name_in_list("ab cd", "ab", 2));
	assert_true(name_in_list("ab cd", "cd", 2));
	assert_false(name_in_list("ab cd", "b", 1));
	assert_false(name_in_list("ab cd", "ab cd", 5));
	assert_false(name_in_list("ab cd", "", 0));
	assert_false(name_in_list("", "", 0));
	assert_false(name_in_list("ab cd", "CD", 2));
	assert_true(name_in_list_any_case("ab cd", "CD", 2));
	assert_true(name_equal("ab", "abc", 2));
	assert_false(name_equal("abc", "ab", 2));
	assert_true(name_equal_any_case("aB", "Ab", 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop_reasons),
		cmocka_unit_test(test_error_kinds),
		cmocka_unit_test(test_guesses),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
