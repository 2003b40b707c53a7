// SPDX-License-Identifier: Apache-2.0
#pragma once

// Calls about something that was written in the flow language, a flow, group or meter, or a file of
// them: what is wrong with it is shown where it is, with a caret.

#include <stdbool.h>
#include <stdio.h>

#include "ofctl/ofctl.h"

// How long a file, or a dump, may take if nothing else was said: there may be much in it.
#define FILE_TIMEOUT_MS 120000

// What was written.
struct flow_source {
	const char *file;  // NULL: an argument
	const char *lines; // all text; NULL: nothing
};

// Call, show warnings, and the result if JSON is wanted; else call `print`, whose answer is the
// exit status. `print` may be NULL: silent when done. Steals params. Returns the exit status.
int flow_call(struct ofctl *ofctl, const char *method, json_t *params,
	const struct flow_source *source, int (*print)(const json_t *result, FILE *out));

// The same for a method that takes "lines": the command's second word names the file.
int flow_file_call(struct ofctl *ofctl, const char *method, bool dry_run,
	int (*print)(const json_t *result, FILE *out));

// The parts of it. Errors with a place are shown there, all others like those of any command.
int flow_call_refused(
	struct ofctl *ofctl, const struct flow_source *source, struct rpc_error *error);
void flow_call_warnings(
	const struct ofctl *ofctl, const json_t *object, const struct flow_source *source);
