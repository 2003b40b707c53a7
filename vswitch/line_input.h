// SPDX-License-Identifier: Apache-2.0
#pragma once

// Requests that bring many things at once, flows or groups: the lines of a text, then the items of
// an array. All that is wrong is collected, with where it is, so that a file is mended in one go.

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "pipeline/flow_error.h"
#include "rpc/rpc_error.h"

struct line_input {
	const char *file; // for messages
	json_t *errors;   // flow_error_to_json() with "message", "line", "text", "file"
	json_t *warnings;
	size_t n_errors;
};

// Takes one item, a string or whatever the array has. After an error, of this or an earlier item,
// nothing will come of the request: then `only_judge` is set, and the item is looked at for the
// sake of its errors. 0, -EINVAL with *error, -ENOMEM.
typedef int line_reader(void *context, const json_t *item, bool only_judge,
	struct flow_warnings *warnings, struct flow_error *error);

// Read the parameters "lines" and `array`; "name" is the file's for messages. Blank lines and
// comments are left out. False with *error (RPC_FLOW_ERROR, data {errors, warnings, count}) if
// anything was wrong.
bool line_input_each(struct line_input *input, const json_t *params, const char *array,
	line_reader *reader, void *context, struct rpc_error *error);
void line_input_destroy(struct line_input *input); // frees what it owns

// Append warnings to a list (may be NULL); line 0 and file NULL are not said.
void line_input_warn(
	json_t *list, const struct flow_warnings *warnings, size_t line, const char *file);
