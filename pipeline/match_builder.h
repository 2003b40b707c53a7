// SPDX-License-Identifier: Apache-2.0
#pragma once

// A match while it is being read: what each key contributed is kept until the end, so that a
// contradiction can name both sides. For match_text.c, on whose stack it lives.

#include "pipeline/flow_parser.h"

// Bits that a key fixed.
struct match_part {
	const struct flow_token *token;
	const struct field *field;
	field_number value; // of the field
	field_number mask;
	uint8_t implied; // by a shorthand: may be said again
	bool is_range;
};

struct match_builder {
	struct flow_parser *parser;
	struct match *match;
	struct match_part *parts;
	size_t count;
};

// Is it "reg0[0..7]=5"? Several of those may go together for one field.
bool token_has_bits(const struct flow_token *token);

// The part's value and mask as text, for messages.
void match_part_print(const struct match_part *part, char *text, size_t size);

// Put the part into the match, or refuse it because another says something else.
int match_builder_add(struct match_builder *builder, const struct match_part *part);

// Refuse what contradicts itself only as a whole.
int match_builder_finish(struct match_builder *builder);
