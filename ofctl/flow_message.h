// SPDX-License-Identifier: Apache-2.0
#pragma once

// Errors and warnings about flows, with the line that they are about and a caret under the place:
//
//	ofctl: rules.of:12:4: error: tcp_dst: 70000 is too large for a 16-bit field (0..65535)
//	tcp,tp_dst=70000,actions=drop
//	    ^~~~~~~~~~~~
//
// Pure, but for writing to `out`.

#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "pipeline/flow_error.h"

struct flow_message {
	const char *program;
	const char *file; // NULL: a flow that was an argument
	size_t line;      // of the file, from 1
	const char *severity;
	const char *message;
	const char *hint; // "" or NULL: none
	const char *text; // of the line, up to its end or a newline; NULL: not known
	size_t offset;    // bytes into the text
	size_t length;    // bytes
};

void flow_message_print(const struct flow_message *message, FILE *out);

// What the parser said of `text`, line `line` of `file`, on standard error.
void flow_error_show(const char *program, const char *file, size_t line, const char *severity,
	const struct flow_error *error, const char *text);

// Print the items of an array of flow_error_to_json() objects with "line" and "text". `lines` is
// the whole input, from which the text of items without one is taken; may be NULL.
void flow_messages_print(const json_t *items, const char *program, const char *file,
	const char *severity, const char *lines, FILE *out);
