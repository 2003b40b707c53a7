// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the files that read groups share; nobody else includes this.
//
// Text and JSON are both cut into the tokens of struct flow_parser: first those of the group
// itself, which are judged at once, then those of one bucket after the other. Functions that return
// int return 0, -EINVAL with the error filled, or -ENOMEM.

#include "pipeline/flow_parser.h"
#include "pipeline/group.h"

#define BUCKET_ID_NONE 0xffffffffu // until all buckets are known

struct group_parser {
	struct flow_parser flow;     // its keys and actions are those of the part in question
	struct flow_request request; // that `flow` fills
	struct group *group;
	size_t capacity;          // of group->buckets
	unsigned seen;            // keys of the group given so far
	bool hashes;              // selection_method=hash
	struct flow_token fields; // where they are, for messages; length 0: nowhere
};

void group_parser_start(struct group_parser *parser, struct group *group,
	const struct port_names *names, struct flow_warnings *warnings, struct flow_error *error);

// The keys in parser->flow are the group's.
int group_judge(struct group_parser *parser);

// The keys and actions in parser->flow are those of one more bucket, which stands at `token` (NULL
// in JSON). They are empty afterwards.
int bucket_judge(struct group_parser *parser, const struct flow_token *token);

// The last bucket was there, if `status` is 0. Returns the final status; if that is not 0, the
// group is destroyed.
int group_parser_finish(struct group_parser *parser, int status);

// "NAME is for groups of type select": -EINVAL.
int group_not_select(struct group_parser *parser, const struct flow_token *token, const char *name);

// Is it a key of groups, as "type"; of buckets, as "weight"?
bool group_key_exists(const char *name, size_t length);
bool bucket_key_exists(const char *name, size_t length);

// The name that a field is printed with in a group's list of them.
void group_field_print(struct text_buffer *out, enum field_id id);
