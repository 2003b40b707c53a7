// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <string.h>

#include "conf/suggest.h"

static const char *nearest(const char *word)
{
	static const char *const names[] = {"pmd-cpu-mask", "pmd-rxq-assign", "log_level", "start"};
	struct suggestion suggestion;

	suggestion_init(&suggestion, word);
	for (size_t i = 0; i < 4; i++)
		suggestion_offer(&suggestion, names[i]);
	return suggestion.best ? suggestion.best : "";
}

static void test_near(void **state)
{
	assert_string_equal(nearest("pmd-cpu-mas"), "pmd-cpu-mask");   // one missing
	assert_string_equal(nearest("pmd-cpu-maskk"), "pmd-cpu-mask"); // one too many
	assert_string_equal(nearest("pmd-cup-mask"), "pmd-cpu-mask");  // neighbours swapped
	assert_string_equal(nearest("PMD_CPU_MASK"), "pmd-cpu-mask");  // case and underscore
	assert_string_equal(nearest("loglevel"), "log_level");
	assert_string_equal(nearest("stort"), "start");
}

static void test_far(void **state)
{
	assert_string_equal(nearest("memory"), "");
	assert_string_equal(nearest(""), "");
	assert_string_equal(nearest("st"), "");
}

static void test_long(void **state)
{
	char word[300];

	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	assert_string_equal(nearest(word), "");
}

static void test_format(void **state)
{
	struct suggestion suggestion;
	char text[64] = "old";

	suggestion_init(&suggestion, "stort");
	assert_string_equal(suggestion_format(&suggestion, text, sizeof(text)), "");
	suggestion_offer(&suggestion, "start");
	assert_string_equal(
		suggestion_format(&suggestion, text, sizeof(text)), "; did you mean \"start\"?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_far),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
