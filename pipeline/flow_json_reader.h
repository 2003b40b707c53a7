// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the files that read flows and groups from JSON share; nobody else includes this.
//
// Members become the tokens that the text form is cut into, in reader->parser. Functions return 0,
// -EINVAL with the error filled, or -ENOMEM.

#include <jansson.h>

#include "pipeline/flow_parser.h"

// Strings that tokens point to.
struct string_list {
	size_t count;
	char **items;
};

struct json_reader {
	struct flow_parser *parser; // whose text is NULL
	struct string_list strings;
};

void json_reader_finish(struct json_reader *reader); // frees the strings

// Takes over `string`; NULL is out of memory.
int json_keep_string(struct json_reader *reader, char *string);

// "\"NAME\" WHAT": -EINVAL.
int json_bad_member(struct json_reader *reader, const char *name, const char *what);

// A member of a number, a string or true, as one more of the parser's keys.
int json_read_key(struct json_reader *reader, const char *key, const json_t *value);

// An array of actions, as the parser's actions.
int json_read_actions(struct json_reader *reader, const json_t *actions);
