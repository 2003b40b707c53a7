// SPDX-License-Identifier: Apache-2.0

// Match keys into a match. Keys may come in any order, so they are taken by the depth of what they
// need: "tp_dst=80,tcp" has its protocol when tp_dst is judged.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_parser.h"
#include "pipeline/match_builder.h"
#include "pipeline/protocol.h"

#define UNTAGGED 0xffff // dl_vlan's value for it
#define DEPTH_MAX 3
#define FEW_KEYS 16 // of most flows; these cost no memory

// One key of the match part, and what it may be.
struct match_key {
	const struct flow_token *token;
	const struct shorthand *shorthand; // or
	const struct field_family *family; // or
	const struct field *field;
	size_t name_length; // up to the bracket, if there is one
};

static int add_shorthand(struct match_builder *builder, const struct match_key *key)
{
	const struct shorthand *shorthand = key->shorthand;
	struct match_part part = {
		.token = key->token,
		.field = field_get(FIELD_DL_TYPE),
		.value = shorthand->dl_type,
		.mask = 0xffff,
		.implied = true,
	};
	int status;

	if (key->token->value) {
		flow_parser_fail(builder->parser, key->token, FLOW_ERROR_SYNTAX, shorthand->name,
			"%s takes no value; write just %s", shorthand->name, shorthand->name);
		flow_parser_hint(builder->parser, "%s", shorthand->name);
		return -EINVAL;
	}
	// First the protocol, which is what two shorthands more likely differ in.
	if (shorthand->nw_proto != PROTOCOL_ANY) {
		struct match_part protocol = part;

		protocol.field = field_get(FIELD_NW_PROTO);
		protocol.value = shorthand->nw_proto;
		protocol.mask = 0xff;
		status = match_builder_add(builder, &protocol);
		if (status != 0)
			return status;
	}
	return match_builder_add(builder, &part);
}

// --- Values ---

static int bad_tag(
	struct flow_parser *parser, const struct flow_token *token, const struct match_part *part)
{
	unsigned value = (unsigned)part->value, mask = (unsigned)part->mask;
	const char *name = part->field->name;
	unsigned vid = value & VLAN_VID_MASK;
	bool plain = (mask & ~VLAN_CFI) == VLAN_VID_MASK || mask == 0xffff;

	if (part->field->id == FIELD_VLAN_VID && plain)
		flow_parser_fail(parser, token, FLOW_ERROR_BAD_VALUE, name,
			"vlan_vid counts the CFI bit; use dl_vlan=%u or "
			"vlan_vid=0x%04x/0x1fff",
			vid, value | VLAN_CFI);
	else
		flow_parser_fail(parser, token, FLOW_ERROR_BAD_VALUE, name,
			"%s counts the CFI bit, which is 1 in every tag; use "
			"%s=0x%04x/0x%04x",
			name, name, value | VLAN_CFI, mask);
	if (plain && value <= VLAN_VID_MASK)
		flow_parser_hint(parser, "dl_vlan=%u", vid);
	else
		flow_parser_hint(parser, "%s=0x%04x/0x%04x", name, value | VLAN_CFI, mask);
	return -EINVAL;
}

// A tag whose CFI bit is 0 does not exist; all zero means untagged.
static bool is_bad_tag(const struct match_part *part)
{
	bool counts_cfi = part->field->id == FIELD_VLAN_VID || part->field->id == FIELD_VLAN_TCI;

	return counts_cfi && (part->mask & VLAN_CFI) && !(part->value & VLAN_CFI) &&
	       part->value != 0;
}

static int bad_value(struct flow_parser *parser, const struct match_part *part, int status)
{
	char example[48];

	field_example(part->field, parser->names, example, sizeof(example));
	if (parser->error->hint[0] == '\0')
		flow_parser_hint(parser, "%s=%s", part->field->name, example);
	return flow_parser_place(parser, part->token, status);
}

static void trim_value(struct flow_parser *parser, struct match_part *part)
{
	const struct field *field = part->field;
	bool address = field->format == FORMAT_IPV4 || field->format == FORMAT_IPV6;
	char text[100];

	if (!(part->value & ~part->mask))
		return;
	part->value &= part->mask;
	match_part_print(part, text, sizeof(text));
	flow_parser_warn(parser, part->token, FLOW_ERROR_BAD_MASK, field->name,
		address ? "host bits ignored, using %s" : "bits outside the mask ignored, using %s",
		text);
}

static int parse_range(struct match_builder *builder, struct match_part *part, const char *dash)
{
	struct flow_parser *parser = builder->parser;
	const struct flow_token *token = part->token;
	const char *name = part->field->name;
	size_t first_length = (size_t)(dash - token->value);
	field_number first, last;
	int status = field_value_parse(
		part->field, token->value, first_length, NULL, &first, parser->error);

	if (status == 0)
		status = field_value_parse(part->field, dash + 1,
			token->value_length - first_length - 1, NULL, &last, parser->error);
	if (status != 0)
		return bad_value(parser, part, status);
	if (first > last) {
		flow_parser_fail(parser, token, FLOW_ERROR_OUT_OF_RANGE, name,
			"%s: the range %u-%u ends before it starts; write %u-%u", name,
			(unsigned)first, (unsigned)last, (unsigned)last, (unsigned)first);
		flow_parser_hint(parser, "%s=%u-%u", name, (unsigned)last, (unsigned)first);
		return -EINVAL;
	}
	part->value = first;
	part->mask = first == last ? field_ones(part->field) : 0;
	part->is_range = first != last && !(first == 0 && last == UINT16_MAX);
	if (!part->is_range && first != last)
		part->value = 0; // every port: nothing to match
	if (part->is_range) {
		struct port_range range = {(uint16_t)first, (uint16_t)last};
		bool source = part->field->offset == offsetof(struct packet_key, tp_src);

		part->value = 0;
		status = match_builder_add(builder, part);
		if (status == 0 && source)
			builder->match->tp_src = range;
		else if (status == 0)
			builder->match->tp_dst = range;
		return status;
	}
	return match_builder_add(builder, part);
}

// "reg0[0..7]=5": a number for these bits.
static int parse_bits(
	struct match_builder *builder, const struct match_key *key, struct match_part *part)
{
	struct flow_parser *parser = builder->parser;
	const struct flow_token *token = key->token;
	const struct field *field = part->field;
	struct subfield subfield;
	uint64_t number;
	int status = subfield_parse(
		parser, token, field->name, token->key, token->key_length, &subfield);

	if (status != 0)
		return status;
	subfield.field = field->id;
	if (subfield.n_bits < field->n_bits &&
		(!(field->flags & FIELD_MASKABLE) || field->format == FORMAT_FRAG)) {
		flow_parser_fail(parser, token, FLOW_ERROR_BAD_MASK, field->name,
			"%s can only be matched as a whole; write %s=...", field->name,
			field->name);
		flow_parser_hint(
			parser, "%s=%.*s", field->name, (int)token->value_length, token->value);
		return -EINVAL;
	}
	if (subfield.n_bits == field->n_bits) {
		field_number plain;

		if (number_parse(token->value, token->value_length, &plain) != 0 ||
			(plain & ~field_ones(field)) || field->format == FORMAT_PORT)
			status = field_masked_parse(field, token->value, token->value_length,
				parser->names, &part->value, &part->mask, parser->error);
		else
			part->value = plain;
		return status == 0 ? 0 : bad_value(parser, part, status);
	}

	char name[48];
	uint64_t most = subfield.n_bits >= 64 ? UINT64_MAX : (UINT64_C(1) << subfield.n_bits) - 1;

	snprintf(name, sizeof(name), "%.*s", (int)token->key_length, token->key);
	status = number_parse_bounded(
		name, token->value, token->value_length, most, &number, parser->error);
	if (status != 0) {
		flow_parser_hint(parser, "%s=%#lx", name, most);
		return flow_parser_place(parser, token, status);
	}
	part->mask = subfield_ones(&subfield);
	part->value = (field_number)number << subfield.first_bit;
	return 0;
}

static int add_value(
	struct match_builder *builder, const struct match_key *key, const struct field *field)
{
	struct flow_parser *parser = builder->parser;
	const struct flow_token *token = key->token;
	struct match_part part = {.token = token, .field = field, .mask = field_ones(field)};
	const char *dash = memchr(token->value, '-', token->value_length);
	field_number number;
	int status;

	if (dash && (field->flags & FIELD_RANGE) && !token_has_bits(token) &&
		!memchr(token->value, '/', token->value_length))
		return parse_range(builder, &part, dash);
	if (token_has_bits(token)) {
		status = parse_bits(builder, key, &part);
		if (status != 0)
			return status;
	} else if (field->id == FIELD_DL_VLAN &&
		   number_parse(token->value, token->value_length, &number) == 0 &&
		   number == UNTAGGED) {
		part.field = field_get(FIELD_VLAN_TCI);
		part.mask = 0xffff;
	} else {
		status = field_masked_parse(field, token->value, token->value_length, parser->names,
			&part.value, &part.mask, parser->error);
		if (status != 0)
			return bad_value(parser, &part, status);
	}
	if (is_bad_tag(&part))
		return bad_tag(parser, token, &part);
	trim_value(parser, &part);
	return match_builder_add(builder, &part);
}

// --- Keys ---

static int missing_prerequisite(struct flow_parser *parser, const struct match_key *key)
{
	const struct field *field = key->family ? field_get(key->family->fields[0]) : key->field;
	const struct flow_token *token = key->token;
	const char *first = prerequisite_remedy(field->needs);
	const char *second = prerequisite_other_remedy(field->needs);
	const char *what = key->family                ? key->family->what
			   : field->needs == NEEDS_IP ? "a network protocol"
						      : prerequisite_name(field->needs);

	if (key->family && key->family->count > 1 && !second)
		second = prerequisite_remedy(field_get(key->family->fields[1])->needs);
	if (second)
		flow_parser_fail(parser, token, FLOW_ERROR_PREREQUISITE, field->name,
			"%.*s needs %s: write \"%s,%.*s\" or \"%s,%.*s\"", (int)key->name_length,
			token->key, what, first, (int)token->length, token->start, second,
			(int)token->length, token->start);
	else
		flow_parser_fail(parser, token, FLOW_ERROR_PREREQUISITE, field->name,
			"%.*s needs %s: write \"%s,%.*s\"", (int)key->name_length, token->key, what,
			first, (int)token->length, token->start);
	flow_parser_hint(parser, "%s,%.*s", first, (int)token->length, token->start);
	return -EINVAL;
}

static int add_key(struct match_builder *builder, const struct match_key *key)
{
	const struct field *field = key->field;

	if (key->shorthand)
		return add_shorthand(builder, key);
	if (key->family) {
		field = NULL;
		for (unsigned i = 0; i < key->family->count && !field; i++) {
			field = field_get(key->family->fields[i]);
			if (!prerequisite_met(builder->match, field->needs))
				field = NULL;
		}
	} else if (!prerequisite_met(builder->match, field->needs)) {
		field = NULL;
	}
	if (!field)
		return missing_prerequisite(builder->parser, key);
	return add_value(builder, key, field);
}

// What is this key? Sets key->token to NULL if it is no match key.
static int classify(
	struct flow_parser *parser, const struct flow_token *token, struct match_key *key)
{
	const char *bracket = memchr(token->key, '[', token->key_length);
	bool known;
	int status = flow_key_parse(parser, token, &known);

	*key = (struct match_key){0};
	if (status != 0 || known)
		return status;
	key->name_length = bracket ? (size_t)(bracket - token->key) : token->key_length;
	key->shorthand = shorthand_find(token->key, token->key_length);
	if (!key->shorthand)
		key->family = field_family_find(token->key, key->name_length);
	if (!key->shorthand && !key->family)
		key->field = field_find(token->key, key->name_length);
	if (!key->shorthand && !key->family && !key->field)
		return flow_unknown_key(parser, token);
	key->token = token;
	if (!key->shorthand && (!token->value || token->value_length == 0)) {
		flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX,
			key->field ? key->field->name : field_get(key->family->fields[0])->name,
			"%.*s needs a value: write %.*s=...", (int)token->key_length, token->key,
			(int)token->key_length, token->key);
		flow_parser_hint(parser, "%.*s=0", (int)token->key_length, token->key);
		return -EINVAL;
	}
	return 0;
}

static unsigned key_depth(const struct match_key *key)
{
	const struct field *field = key->family ? field_get(key->family->fields[0]) : key->field;

	return key->shorthand ? 0 : prerequisite_depth(field->needs);
}

int match_parse(struct flow_parser *parser)
{
	size_t count = parser->keys.count;
	bool few = count <= FEW_KEYS;
	struct match_key few_keys[FEW_KEYS];
	struct match_part few_parts[2 * FEW_KEYS];
	struct match_key *keys = few ? few_keys : calloc(count, sizeof(*keys));
	struct match_builder builder = {
		.parser = parser,
		.match = &parser->request->flow.match,
		.parts = few ? few_parts : calloc(2 * count, sizeof(*builder.parts)),
	};
	int status = keys && builder.parts ? 0 : -ENOMEM;

	for (size_t i = 0; status == 0 && i < count; i++)
		status = classify(parser, &parser->keys.items[i], &keys[i]);
	for (unsigned depth = 0; status == 0 && depth <= DEPTH_MAX; depth++) {
		for (size_t i = 0; status == 0 && i < count; i++) {
			if (keys[i].token && key_depth(&keys[i]) == depth)
				status = add_key(&builder, &keys[i]);
		}
	}
	if (status == 0)
		status = match_builder_finish(&builder);
	if (!few) {
		free(builder.parts);
		free(keys);
	}
	return status;
}
