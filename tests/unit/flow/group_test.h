// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the tests of groups share: parsing that must succeed, and forms that must read back.

#include "flow_test.h"
#include "pipeline/group_text.h"

// What both forms say.
#define MISSING_ACTIONS "a bucket needs actions; write actions=drop if it is to drop packets"
#define WATCH_NEEDED                                                                            \
	"a bucket of a group of type ff needs watch_port or watch_group, which say when it is " \
	"live"

static inline void must_parse_group(
	struct group *group, const char *text, const struct port_names *names)
{
	struct flow_warnings warnings;
	struct flow_error error;
	int status = group_parse(group, text, names, &warnings, &error);

	if (status == -EINVAL)
		fail_msg("%s: %s", text, error.message);
	assert_int_equal(status, 0);
	assert_int_equal(warnings.count, 0);
}

static inline void must_equal(struct group *again, const struct group *group, const char *text)
{
	if (!group_equal(again, group))
		fail_msg("%s: another group", text);
	group_destroy(again);
}

// The exact text, the dump and the JSON, each in the same words again.
static inline void assert_group_round_trips(const struct group *group)
{
	char *exact = group_format(group, NULL), *dump = group_format(group, &test_ports);
	json_t *json = group_to_json(group, &test_ports);
	struct flow_error error;
	struct group again;
	char *exact_again;

	must_parse_group(&again, exact, NULL);
	exact_again = group_format(&again, NULL);
	assert_string_equal(exact_again, exact);
	must_equal(&again, group, exact);
	must_parse_group(&again, dump, &test_ports);
	must_equal(&again, group, dump);
	if (group_from_json(&again, json, &test_ports, NULL, &error) != 0)
		fail_msg("%s: %s", json_dumps(json, 0), error.message);
	must_equal(&again, group, dump);
	json_decref(json);
	free(exact_again);
	free(exact);
	free(dump);
}
