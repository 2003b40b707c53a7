// SPDX-License-Identifier: Apache-2.0
#pragma once

// What is wrong with a flow that somebody wrote, for people and for programs: a sentence that says
// what and what to write instead, its kind, and the place in the input. The same record becomes
// the caret under a line of text and the `data` of a JSON-RPC error. Plain data.

#include <stddef.h>

enum flow_error_kind {
#define FLOW_ERROR_KIND(ID, NAME) FLOW_ERROR_##ID,
#define FLOW_ERROR_KINDS                                                                           \
	FLOW_ERROR_KIND(SYNTAX, "syntax")                                                          \
	FLOW_ERROR_KIND(UNKNOWN_FIELD, "unknown_field")                                            \
	FLOW_ERROR_KIND(UNKNOWN_ACTION, "unknown_action")                                          \
	FLOW_ERROR_KIND(BAD_VALUE, "bad_value")                                                    \
	FLOW_ERROR_KIND(OUT_OF_RANGE, "out_of_range")                                              \
	FLOW_ERROR_KIND(BAD_MASK, "bad_mask")                                                      \
	FLOW_ERROR_KIND(PREREQUISITE, "prerequisite")                                              \
	FLOW_ERROR_KIND(CONFLICT, "conflict")                                                      \
	FLOW_ERROR_KIND(NO_SUCH_PORT, "no_such_port")                                              \
	FLOW_ERROR_KIND(NO_SUCH_GROUP, "no_such_group")                                            \
	FLOW_ERROR_KIND(NO_SUCH_METER, "no_such_meter")                                            \
	FLOW_ERROR_KIND(NO_SUCH_TABLE, "no_such_table")                                            \
	FLOW_ERROR_KIND(TABLE_ORDER, "table_order")                                                \
	FLOW_ERROR_KIND(OVERLAP, "overlap")                                                        \
	FLOW_ERROR_KIND(TABLE_FULL, "table_full")                                                  \
	FLOW_ERROR_KIND(LOOKUP_BUDGET, "lookup_budget")
	FLOW_ERROR_KINDS
#undef FLOW_ERROR_KIND
	FLOW_ERROR_KIND_COUNT,
};

struct flow_error {
	enum flow_error_kind kind;
	size_t offset; // bytes from the start of the text
	size_t length; // bytes; 0 at the end of the text
	char field[32]; // canonical name of the field or action in question, or ""
	char message[512];
	char hint[160]; // what to write instead, in the flow language, or ""
};

// Warnings do not keep a flow from being installed.
#define FLOW_WARNINGS_MAX 4
struct flow_warnings {
	unsigned count; // of items in use
	struct flow_error items[FLOW_WARNINGS_MAX];
};

const char *flow_error_kind_name(enum flow_error_kind kind);

// Fill everything but the place and the hint, which become empty; `field` may be NULL. -EINVAL.
int flow_error_set(struct flow_error *error, enum flow_error_kind kind, const char *field,
		const char *format, ...) __attribute__((format(printf, 4, 5)));
