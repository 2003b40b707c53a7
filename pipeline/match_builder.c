// SPDX-License-Identifier: Apache-2.0

#include "pipeline/match_builder.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

// The part's bits as they lie in the key. A VLAN ID or priority is that of a tag, so the tag is
// part of what they say.
static void part_bits(const struct match_part *part, field_number *value, field_number *mask)
{
	const struct field *field = part->field;

	*value = part->value << field->shift;
	*mask = part->mask << field->shift;
	if ((field->id == FIELD_DL_VLAN || field->id == FIELD_DL_VLAN_PCP) && part->mask != 0) {
		*value |= VLAN_CFI;
		*mask |= VLAN_CFI;
	}
}

void match_part_print(const struct match_part *part, char *text, size_t size)
{
	struct text_buffer buffer;

	text_buffer_open(&buffer);
	field_masked_print(&buffer, part->field, part->value, part->mask, NULL);
	text_buffer_close_into(&buffer, text, size);
}

static int contradiction(
	struct flow_parser *parser, const struct match_part *part, const struct match_part *other)
{
	char value[100], other_value[100];
	// The one that comes later in the text is the one to complain of.
	bool swapped = parser->text && other->token->start > part->token->start;
	const struct match_part *late = swapped ? other : part;
	const struct match_part *early = swapped ? part : other;
	bool same = late->field == early->field;

	match_part_print(late, value, sizeof(value));
	match_part_print(early, other_value, sizeof(other_value));
	flow_parser_fail(parser, late->token, FLOW_ERROR_CONFLICT, late->field->name,
		"\"%.*s\" conflicts with \"%.*s\" given earlier (%s %s vs %s%s%s)",
		(int)late->token->length, late->token->start, (int)early->token->length,
		early->token->start, late->field->name, value, same ? "" : early->field->name,
		same ? "" : " ", other_value);
	flow_parser_hint(parser, "%.*s", (int)early->token->length, early->token->start);
	return -EINVAL;
}

static int given_twice(struct flow_parser *parser, const struct match_part *part)
{
	flow_parser_fail(parser, part->token, FLOW_ERROR_CONFLICT, part->field->name,
		"%s is given twice; write it once%s", part->field->name,
		part->field->flags & FIELD_MASKABLE ? ", with a mask for all bits meant" : "");
	flow_parser_hint(parser, "%.*s", (int)part->token->length, part->token->start);
	return -EINVAL;
}

bool token_has_bits(const struct flow_token *token)
{
	return memchr(token->key, '[', token->key_length);
}

// Does one of the two say that there is no tag, and the other that it has a bit set?
static bool tags_contradict(
	const struct field *field, field_number value, field_number mask, field_number other)
{
	return field->offset == offsetof(struct packet_key, vlan_tci) && (mask & VLAN_CFI) &&
	       !(value & VLAN_CFI) && other != 0;
}

static int check_part(struct match_builder *builder, const struct match_part *part)
{
	field_number value, mask, other_value, other_mask;

	part_bits(part, &value, &mask);
	for (size_t i = 0; i < builder->count; i++) {
		const struct match_part *other = &builder->parts[i];

		if (other->field->offset != part->field->offset)
			continue;
		part_bits(other, &other_value, &other_mask);
		if ((value ^ other_value) & mask & other_mask ||
			tags_contradict(part->field, value, mask, other_value) ||
			tags_contradict(part->field, other_value, other_mask, value))
			return contradiction(builder->parser, part, other);
		if (part->is_range || other->is_range ||
			(part->field == other->field && !part->implied && !other->implied &&
				!token_has_bits(part->token) && !token_has_bits(other->token)))
			return given_twice(builder->parser, part);
	}
	return 0;
}

static void key_merge(struct packet_key *key, const struct field *field, field_number bits)
{
	uint8_t *bytes = (uint8_t *)key + field->offset;

	for (unsigned i = field->size; i-- > 0; bits >>= 8)
		bytes[i] |= (uint8_t)bits;
}

int match_builder_add(struct match_builder *builder, const struct match_part *part)
{
	struct match *match = builder->match;
	field_number value, mask;
	int status = check_part(builder, part);

	if (status != 0)
		return status;
	builder->parts[builder->count++] = *part;
	part_bits(part, &value, &mask);
	key_merge(&match->value, part->field, value);
	key_merge(&match->mask, part->field, mask);
	if (part->mask != 0 || part->is_range) {
		match->value.layers |= part->field->layer;
		match->mask.layers |= part->field->layer;
	}
	return 0;
}

// Later fragments have no transport header, so asking for both matches nothing.
int match_builder_finish(struct match_builder *builder)
{
	const struct match_part *transport = NULL, *fragment = NULL;

	for (size_t i = 0; i < builder->count; i++) {
		const struct match_part *part = &builder->parts[i];

		if (part->field->id == FIELD_NW_FRAG)
			fragment = part;
		else if ((part->field->layer & (LAYER_L4 | LAYER_ND)) &&
			 (part->mask != 0 || part->is_range))
			transport = part;
	}
	if (!fragment || !transport || !(fragment->value & NW_FRAG_LATER))
		return 0;
	flow_parser_fail(builder->parser, transport->token, FLOW_ERROR_CONFLICT,
		transport->field->name,
		"\"%.*s\" cannot be matched together with \"%.*s\": only the first fragment "
		"has that header",
		(int)transport->token->length, transport->token->start,
		(int)fragment->token->length, fragment->token->start);
	flow_parser_hint(builder->parser, "nw_frag=not_later");
	return -EINVAL;
}
