// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the tests of the flow language share: a bridge with three ports, and parsing that must
// succeed or must fail.

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pipeline/flow_json.h"
#include "pipeline/flow_text.h"

static const struct port_name test_port_items[] = {{"dpdk0", 1}, {"vhu0", 2}, {"vhu1", 3}};
static const struct port_names test_ports = {"br0", 3, test_port_items};

static inline void must_parse(struct flow_request *request, const char *text,
	enum flow_command command, struct flow_warnings *warnings)
{
	struct flow_error error;
	int status = flow_request_parse(request, text, command, &test_ports, warnings, &error);

	if (status == -EINVAL)
		fail_msg("%s: %s", text, error.message);
	assert_int_equal(status, 0);
}

static inline void must_refuse(
	const char *text, enum flow_command command, struct flow_error *error)
{
	struct flow_request request;

	if (flow_request_parse(&request, text, command, &test_ports, NULL, error) == 0) {
		char *exact = flow_format_exact(&request.flow);

		fail_msg("%s: accepted as %s", text, exact);
	}
	assert_true(error->message[0] != '\0');
	assert_true(error->offset + error->length <= strlen(text));
}

// What is said of a text that is refused.
struct refused {
	const char *text;
	const char *message; // NULL: not looked at
	enum flow_error_kind kind;
	const char *field;
	const char *token; // the place is that of this part of the text; "": its end
	const char *hint;  // NULL: not looked at
};

static inline void assert_refusal(const struct refused *row, const struct flow_error *error)
{
	if (row->message && strcmp(error->message, row->message) != 0)
		fail_msg("%s: \"%s\", not \"%s\"", row->text, error->message, row->message);
	if (error->kind != row->kind)
		fail_msg("%s: kind %s", row->text, flow_error_kind_name(error->kind));
	if (strcmp(error->field, row->field) != 0)
		fail_msg("%s: field %s", row->text, error->field);
	if (error->length != strlen(row->token) ||
		error->offset + error->length > strlen(row->text) ||
		memcmp(row->text + error->offset, row->token, error->length) != 0)
		fail_msg("%s: place %zu, %zu", row->text, error->offset, error->length);
	if (row->token[0] == '\0')
		assert_int_equal(error->offset, strlen(row->text));
	if (row->hint && strcmp(error->hint, row->hint) != 0)
		fail_msg("%s: hint \"%s\", not \"%s\"", row->text, error->hint, row->hint);
}

// Everything, not only what identifies it.
static inline void assert_flows_equal(const struct flow *a, const struct flow *b)
{
	assert_true(flow_equal(a, b));
	assert_memory_equal(&a->match, &b->match, sizeof(a->match));
	assert_int_equal(a->idle_timeout, b->idle_timeout);
	assert_int_equal(a->hard_timeout, b->hard_timeout);
	assert_int_equal(a->cookie, b->cookie);
	assert_int_equal(a->flags, b->flags);
}

// Its exact form, its dump form with port names and its JSON all read back as the same flow, and
// say it in the same words again.
static inline void assert_round_trips(const struct flow *flow)
{
	struct flow_request again;
	struct flow_error error;
	char *exact = flow_format_exact(flow);
	char *dump = flow_format(flow, &test_ports);
	json_t *json = flow_to_json(flow, &test_ports);

	assert_non_null(exact);
	assert_non_null(dump);
	assert_non_null(json);
	must_parse(&again, exact, FLOW_ADD, NULL);
	assert_flows_equal(flow, &again.flow);

	char *exact_again = flow_format_exact(&again.flow);

	assert_string_equal(exact, exact_again);
	free(exact_again);
	flow_request_destroy(&again);

	must_parse(&again, dump, FLOW_ADD, NULL);
	assert_true(flow_equal(flow, &again.flow));
	flow_request_destroy(&again);

	if (flow_request_from_json(&again, json, FLOW_ADD, &test_ports, NULL, &error) != 0)
		fail_msg("%s: %s", json_dumps(json, 0), error.message);
	assert_flows_equal(flow, &again.flow);
	flow_request_destroy(&again);
	json_decref(json);
	free(exact);
	free(dump);
}
