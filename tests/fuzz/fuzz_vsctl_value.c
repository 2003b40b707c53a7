// SPDX-License-Identifier: Apache-2.0

// Columns and values as vsctl's command line has them.

#include "tests/fuzz/fuzz.h"
#include "vswitch/vsctl_value.h"

static void error_must_be_good(struct rpc_error *error)
{
	fuzz_must(error->code != 0, "%s", error->message);
	fuzz_must(error->message[0] != '\0', "%d", error->code);
	rpc_error_clear(error);
}

static bool is_utf8(const char *text)
{
	json_t *string = json_string(text);
	bool yes = string != NULL;

	json_decref(string);
	return yes;
}

static char *print(const json_t *value)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fuzz_must(out != NULL, "no memory");
	vsctl_value_print(value, out);
	fclose(out);
	return text;
}

// What is printed reads as the same value.
static void value_must_round_trip(json_t *value)
{
	struct rpc_error error = {0};
	char *text = print(value);
	json_t *again = vsctl_value_parse(text, &error);
	char *text_again;

	fuzz_must(again != NULL, "%s: %s", text, error.message);
	fuzz_must(json_equal(value, again), "%s", text);
	text_again = print(again);
	fuzz_must(strcmp(text, text_again) == 0, "%s becomes %s", text, text_again);
	json_decref(again);
	free(text);
	free(text_again);
}

static void parse_column(const char *text)
{
	struct vsctl_column column = {0};
	struct rpc_error error = {0};

	if (vsctl_column_parse(text, &column, &error)) {
		fuzz_must(column.column != NULL && column.value == NULL, "%s", text);
		fuzz_must(!column.key || is_utf8(column.key), "%s", text);
		vsctl_column_destroy(&column);
	} else {
		error_must_be_good(&error);
	}
	memset(&column, 0, sizeof(column));
	if (vsctl_assignment_parse(text, &column, &error)) {
		fuzz_must(column.column != NULL && column.value != NULL, "%s", text);
		value_must_round_trip(column.value);
		vsctl_column_destroy(&column);
	} else {
		error_must_be_good(&error);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_string(data, size);
	struct rpc_error error = {0};
	char *key, *value;
	json_t *json = vsctl_value_parse(text, &error);

	// It would get lost on its way to the daemon.
	fuzz_must(!json || is_utf8(text), "%s", text);
	if (json)
		value_must_round_trip(json);
	else
		error_must_be_good(&error);
	json_decref(json);
	parse_column(text);
	if (vsctl_pair_parse(text, &key, &value, &error)) {
		fuzz_must(is_utf8(key) && is_utf8(value), "%s", text);
	} else {
		error_must_be_good(&error);
		fuzz_must(key == NULL && value == NULL, "%s", text);
	}
	free(key);
	free(value);
	free(text);
	return 0;
}
