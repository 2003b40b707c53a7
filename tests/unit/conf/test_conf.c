// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"

static const char *sample_path;

// The message for a text that must be refused.
static const char *refusal(const char *text)
{
	static char error[1200];
	struct conf *conf = conf_parse("t.yaml", text, strlen(text), error, sizeof(error));

	assert_null(conf);
	return error;
}

static struct conf *accepted(const char *text)
{
	char error[1200] = "";
	struct conf *conf = conf_parse("t.yaml", text, strlen(text), error, sizeof(error));

	if (!conf)
		fail_msg("refused: %s", error);
	assert_string_equal(error, "");
	return conf;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static void test_defaults(void **state)
{
	struct conf *conf = conf_create();

	assert_string_equal(conf_string(conf, CONF_RUNDIR), "");
	assert_string_equal(conf_string(conf, CONF_LOG_LEVEL), "info");
	assert_true(conf_boolean(conf, CONF_DATAPATHD_START));
	assert_int_equal(conf_integer(conf, CONF_DATAPATHD_START_TIMEOUT), 30);
	assert_int_equal(conf_list_count(conf, CONF_DATAPATHD_ARGUMENTS), 0);
	assert_false(conf_is_set(conf, CONF_LOG_LEVEL));
	conf_destroy(conf);
}

static void test_values(void **state)
{
	struct conf *conf = accepted("log_level: debug\n"
				     "pmd_cpu_mask: 2-5,8\n"
				     "database:\n"
				     "  path: /var/lib/x.db\n"
				     "datapathd:\n"
				     "  start: no\n"
				     "  memory: 2048\n"
				     "  arguments: [\"--eal\", \"--no-pci\"]\n");

	assert_string_equal(conf_string(conf, CONF_LOG_LEVEL), "debug");
	assert_string_equal(conf_string(conf, CONF_PMD_CPU_MASK), "2-5,8");
	assert_string_equal(conf_string(conf, CONF_DATABASE_PATH), "/var/lib/x.db");
	assert_false(conf_boolean(conf, CONF_DATAPATHD_START));
	assert_int_equal(conf_integer(conf, CONF_DATAPATHD_MEMORY), 2048);
	assert_int_equal(conf_list_count(conf, CONF_DATAPATHD_ARGUMENTS), 2);
	assert_string_equal(conf_list_item(conf, CONF_DATAPATHD_ARGUMENTS, 1), "--no-pci");
	assert_true(conf_is_set(conf, CONF_DATAPATHD_START));
	assert_false(conf_is_set(conf, CONF_RUNDIR));
	conf_destroy(conf);
}

static void test_empty(void **state)
{
	conf_destroy(accepted(""));
	conf_destroy(accepted("# only a comment\n"));
	conf_destroy(accepted("---\n"));
}

// Every refusal names line and column, what is wrong, and a way out.
static void test_refusals(void **state)
{
	static const struct {
		const char *text;
		const char *place;
		const char *part;
	} rows[] = {
		{"log_levl: info\n", "t.yaml:1:1: ", "did you mean \"log_level\"?"},
		{"\n\nlog_level: inf\n", "t.yaml:3:12: ", "not one of: error warning info debug"},
		{"datapathd:\n  strat: no\n", "t.yaml:2:3: ", "did you mean \"datapathd.start\"?"},
		{"start: no\n", "t.yaml:1:1: ", "did you mean \"datapathd.start\"?"},
		{"zzz: 1\n", "t.yaml:1:1: ", "lists all keys"},
		{"datapathd:\n  start: maybe\n", "t.yaml:2:10: ", "neither yes nor no"},
		{"datapathd:\n  memory: -1\n", "t.yaml:2:11: ", "out of range 0..1048576"},
		{"datapathd:\n  memory: 99999999999999999999\n", "t.yaml:2:11: ", "out of range"},
		{"datapathd:\n  memory: 12MB\n", "t.yaml:2:11: ", "is not a number"},
		{"datapathd:\n  start_timeout: 0\n", "t.yaml:2:18: ", "out of range 1..600"},
		{"log_level: info\nlog_level: debug\n", "t.yaml:2:1: ", "given twice"},
		{"log_level:\n", "t.yaml:1:11: ", "has no value"},
		{"log_level: [info]\n", "t.yaml:1:12: ", "takes one value, not a list"},
		{"log_level: {a: b}\n", "t.yaml:1:12: ", "takes one value, not a section"},
		{"datapathd: yes\n", "t.yaml:1:12: ", "is a section"},
		{"datapathd:\n  arguments: --no-pci\n", "t.yaml:2:14: ", "takes a list"},
		{"datapathd:\n  arguments: [[a]]\n", "t.yaml:2:15: ", "list of strings"},
		{"- a\n", "t.yaml:1:1: ", "\"key: value\" lines"},
		{"just words\n", "t.yaml:1:1: ", "\"key: value\" lines"},
		{"datapathd:\n\tstart: no\n", "t.yaml:2:1: ", "not tabs"},
		{"log_level: \"info\n", "t.yaml:2:1: ", "quoted scalar"},
		{"? [a]\n: b\n", "t.yaml:1:3: ", "plain word"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *error = refusal(rows[i].text);

		if (strncmp(error, rows[i].place, strlen(rows[i].place)) != 0)
			fail_msg("\"%s\": \"%s\" does not begin with \"%s\"", rows[i].text, error,
				rows[i].place);
		assert_has(error, rows[i].part);
	}
}

static void test_not_text(void **state)
{
	assert_has(refusal("log_level: \xff\xfe\n"), "UTF-8");
}

// Cut anywhere, a file is refused or accepted, never worse.
static void test_truncated(void **state)
{
	static const char text[] = "log_level: debug\ndatapathd:\n  start: no\n"
				   "  arguments: [\"--eal\", \"--no-pci\"]\n";
	char error[1200];

	for (size_t length = 0; length < sizeof(text); length++) {
		struct conf *conf = conf_parse("t.yaml", text, length, error, sizeof(error));

		if (!conf)
			assert_has(error, "t.yaml:");
		conf_destroy(conf);
	}
}

static void test_missing_file(void **state)
{
	char error[1200];

	assert_null(conf_load("/nonexistent/turnout.yaml", error, sizeof(error)));
	assert_has(error, "/nonexistent/turnout.yaml: No such file");
	assert_null(conf_load("/", error, sizeof(error)));
	assert_has(error, "/: ");
}

static char *read_all(FILE *file)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int c;

	assert_non_null(file);
	while ((c = fgetc(file)) != EOF)
		fputc(c, out);
	fclose(out);
	return text;
}

// The sample is made from the rows: what is in the tree must be what they give.
static void test_sample_is_current(void **state)
{
	char *written = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&written, &size);
	FILE *file = fopen(sample_path, "r");
	char *sample = read_all(file);

	conf_write_sample(out);
	fclose(out);
	fclose(file);
	// To renew it: vswitchd --sample-conf > conf/turnout.yaml
	assert_string_equal(sample, written);
	free(sample);
	free(written);
}

// With all comment signs before keys removed, the sample is a file that sets every key, to its
// default where it is commented out.
static void test_sample_uncommented(void **state)
{
	FILE *file = fopen(sample_path, "r");
	char *plain = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&plain, &size);
	struct conf *defaults = conf_create();
	struct conf *conf;
	char line[512];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		size_t blanks = strspn(line, " ");
		bool commented_key = line[0] == '#' && line[1] != ' ';
		bool help = line[blanks] == '#' && !commented_key;
		bool nested_key = line[0] == '#' && strncmp(line, "#    ", 5) == 0;

		if (nested_key || commented_key)
			fputs(line + 1, out);
		else if (!help)
			fputs(line, out);
	}
	fclose(file);
	fclose(out);
	conf = accepted(plain);
	for (size_t i = 0; i < CONF_KEY_COUNT; i++) {
		if (!conf_is_set(conf, i))
			fail_msg("%s is not in the sample", conf_key_get(i)->path);
		if (*conf_key_get(i)->sample)
			assert_string_equal(conf_string(conf, i), conf_key_get(i)->sample);
		else if (conf_key_get(i)->type != CONF_LIST)
			assert_string_equal(conf_string(conf, i), conf_string(defaults, i));
		assert_true(strlen(conf_key_get(i)->help) > 20);
	}
	conf_destroy(conf);
	conf_destroy(defaults);
	free(plain);
}

static void test_sample_loads(void **state)
{
	char error[1200] = "";
	struct conf *conf = conf_load(sample_path, error, sizeof(error));

	assert_string_equal(error, "");
	assert_non_null(conf);
	conf_destroy(conf);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_not_text),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_sample_is_current),
		cmocka_unit_test(test_sample_uncommented),
		cmocka_unit_test(test_sample_loads),
	};

	sample_path = argc > 1 ? argv[1] : "conf/turnout.yaml";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
