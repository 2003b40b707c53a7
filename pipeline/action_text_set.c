// SPDX-License-Identifier: Apache-2.0

// Actions that write fields, from their text: set_field, load, move, write_metadata and the mod_*
// family.

#include <errno.h>
#include <string.h>

#include "pipeline/flow_parser.h"

// The error is one of a value of `field`: add the place and an example of the whole action.
static int bad_value(struct flow_parser *parser, const struct flow_token *token,
	const struct field *field, const char *tail)
{
	char example[48];

	field_example(field, parser->names, example, sizeof(example));
	flow_parser_hint(parser, "%.*s:%s%s", (int)token->key_length, token->key, example, tail);
	return flow_parser_place(parser, token, -EINVAL);
}

static int read_only(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, const struct field *field)
{
	bool vlan = field->id == FIELD_DL_VLAN;

	flow_parser_fail(parser, token, FLOW_ERROR_BAD_VALUE, field->name,
		"%s: %s cannot be written%s", type->name, field->name,
		vlan ? "; write mod_vlan_vid, or set_field to vlan_vid"
		     : ", it is only there to be matched");
	flow_parser_hint(parser, "%s", vlan ? "mod_vlan_vid:100" : "set_field:1->reg0");
	return -EINVAL;
}

// The CFI bit of a tag is 1. vlan_vid may be written with or without it; a vlan_tci that lacks it
// would mean no tag at all, for which there is strip_vlan.
static int settle_cfi(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, const struct field *field, field_number *value,
	field_number mask)
{
	bool lacks = (mask & VLAN_CFI) && !(*value & VLAN_CFI);

	if (lacks && field->id == FIELD_VLAN_VID)
		*value |= VLAN_CFI;
	if (!lacks || field->id != FIELD_VLAN_TCI)
		return 0;
	flow_parser_fail(parser, token, FLOW_ERROR_BAD_VALUE, field->name,
		"%s: a tag has the CFI bit 0x1000 set, 0x%04x has not; write 0x%04x, or "
		"strip_vlan to take the tag off",
		type->name, (unsigned)*value, (unsigned)*value | VLAN_CFI);
	flow_parser_hint(parser, "strip_vlan");
	return -EINVAL;
}

static int finish_set(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, struct action *action, field_number value,
	field_number mask)
{
	const struct field *field = field_get(action->set.target.field);
	int status = settle_cfi(parser, token, type, field, &value, mask);

	if (status != 0)
		return status;
	if (value & ~mask)
		flow_parser_warn(parser, token, FLOW_ERROR_BAD_MASK, field->name,
			"%s: bits outside the mask ignored", type->name);
	action->set.value = field_value_of(value & mask);
	action->set.mask = field_value_of(mask);
	return 0;
}

static struct subfield whole_field(const struct field *field)
{
	return (struct subfield){.field = field->id, .n_bits = field->n_bits};
}

int action_parse_field_value(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, struct action *action)
{
	const struct field *field = field_get(type->field);
	field_number value;

	action->set.target = whole_field(field);
	if (field_value_parse(
		    field, token->value, token->value_length, NULL, &value, parser->error) != 0)
		return bad_value(parser, token, field, "");
	return finish_set(parser, token, type, action, value, field_ones(field));
}

int action_parse_metadata(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, struct action *action)
{
	const struct field *field = field_get(type->field);
	field_number value, mask;

	action->set.target = whole_field(field);
	if (field_masked_parse(field, token->value, token->value_length, NULL, &value, &mask,
		    parser->error) != 0)
		return bad_value(parser, token, field, "");
	return finish_set(parser, token, type, action, value, mask);
}

// Cut "A->B" at its last arrow.
static int split_arrow(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, struct flow_token *left, struct flow_token *right)
{
	size_t length = token->value_length;

	*left = *right = *token;
	for (size_t i = length; i-- > 0;) {
		if (i + 1 >= length || token->value[i] != '-' || token->value[i + 1] != '>')
			continue;
		left->value_length = i;
		right->value = token->value + i + 2;
		right->value_length = length - i - 2;
		if (left->value_length > 0 && right->value_length > 0)
			return 0;
		break;
	}
	flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, type->name,
		"%s needs \"%s->FIELD\" without blanks, but has \"%.*s\"", type->name,
		type->form == ARG_MOVE ? "FIELD" : "VALUE", (int)length, token->value);
	flow_parser_hint(
		parser, type->form == ARG_MOVE ? "%s:reg0[]->reg1[]" : "%s:1->reg0[]", type->name);
	return -EINVAL;
}

int action_parse_set_field(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, struct action *action)
{
	struct flow_token left, right;
	field_number value, mask;
	char tail[40];
	int status = split_arrow(parser, token, type, &left, &right);

	if (status == 0)
		status = subfield_parse(parser, token, type->name, right.value, right.value_length,
			&action->set.target);
	if (status != 0)
		return status;

	const struct field *field = field_get(action->set.target.field);

	if (!(field->flags & FIELD_WRITABLE))
		return read_only(parser, token, type, field);
	if (action->set.target.n_bits != field->n_bits) {
		flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, type->name,
			"set_field writes whole fields, or bits given by a mask; write "
			"load:%.*s->%.*s",
			(int)left.value_length, left.value, (int)right.value_length, right.value);
		flow_parser_hint(parser, "load:%.*s->%.*s", (int)left.value_length, left.value,
			(int)right.value_length, right.value);
		return -EINVAL;
	}
	if (field_masked_parse(field, left.value, left.value_length, parser->names, &value, &mask,
		    parser->error) != 0) {
		snprintf(tail, sizeof(tail), "->%s", field->name);
		return bad_value(parser, token, field, tail);
	}
	return finish_set(parser, token, type, action, value, mask);
}

static int load_too_large(struct flow_parser *parser, const struct flow_token *token,
	const struct flow_token *value, const struct flow_token *target, unsigned n_bits,
	uint64_t most)
{
	flow_parser_fail(parser, token, FLOW_ERROR_OUT_OF_RANGE, "load",
		"load: %.*s does not fit in the %u bits of %.*s (0..%#lx)",
		(int)value->value_length, value->value, n_bits, (int)target->value_length,
		target->value, most);
	flow_parser_hint(parser, "load:%#lx->%.*s", most, (int)target->value_length, target->value);
	return -EINVAL;
}

int action_parse_load(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, struct action *action)
{
	struct flow_token left, right;
	struct subfield *target = &action->set.target;
	field_number value, mask;
	int status = split_arrow(parser, token, type, &left, &right);

	if (status == 0)
		status = subfield_parse(
			parser, token, type->name, right.value, right.value_length, target);
	if (status != 0)
		return status;

	const struct field *field = field_get(target->field);

	if (!(field->flags & FIELD_WRITABLE))
		return read_only(parser, token, type, field);
	status = number_parse(left.value, left.value_length, &value);
	if (status == -EINVAL) {
		flow_parser_fail(parser, token, FLOW_ERROR_BAD_VALUE, type->name,
			"load: \"%.*s\" is not a number (decimal, or hexadecimal after 0x); "
			"set_field:%.*s->%s takes the field's own form",
			(int)left.value_length, left.value, (int)left.value_length, left.value,
			field->name);
		flow_parser_hint(parser, "set_field:%.*s->%s", (int)left.value_length, left.value,
			field->name);
		return -EINVAL;
	}
	mask = subfield_ones(target);
	if (status != 0 || value > mask >> target->first_bit)
		return load_too_large(parser, token, &left, &right, target->n_bits,
			(uint64_t)(mask >> target->first_bit));
	value <<= target->first_bit;
	mask &= field_ones(field);
	if (value & ~mask || mask == 0) { // nw_tos
		flow_parser_fail(parser, token, FLOW_ERROR_BAD_VALUE, field->name,
			"load: the lower two bits of %s are nw_ecn's; write nw_ecn for them",
			field->name);
		flow_parser_hint(parser, "load:%lu->nw_ecn[]", (uint64_t)value & 3);
		return -EINVAL;
	}
	return finish_set(parser, token, type, action, value, mask);
}

static int check_move_target(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, const struct subfield *target)
{
	const struct field *field = field_get(target->field);
	field_number bits = subfield_ones(target);
	bool tag = field->id == FIELD_VLAN_VID || field->id == FIELD_VLAN_TCI;

	if (!(field->flags & FIELD_WRITABLE))
		return read_only(parser, token, type, field);
	if (tag && (bits & VLAN_CFI)) {
		flow_parser_fail(parser, token, FLOW_ERROR_BAD_VALUE, field->name,
			"move: bit 12 of %s is the CFI bit, which stays 1; move to %s[0..11]",
			field->name, field->name);
		flow_parser_hint(parser, "%s[0..11]", field->name);
		return -EINVAL;
	}
	if (bits & ~field_ones(field)) {
		flow_parser_fail(parser, token, FLOW_ERROR_BAD_VALUE, field->name,
			"move: the lower two bits of %s are nw_ecn's; move to %s[2..7]",
			field->name, field->name);
		flow_parser_hint(parser, "%s[2..7]", field->name);
		return -EINVAL;
	}
	return 0;
}

int action_parse_move(struct flow_parser *parser, const struct flow_token *token,
	const struct action_type *type, struct action *action)
{
	struct flow_token left, right;
	struct subfield *source = &action->move.source, *target = &action->move.target;
	int status = split_arrow(parser, token, type, &left, &right);

	if (status == 0)
		status = subfield_parse(
			parser, token, type->name, left.value, left.value_length, source);
	if (status == 0)
		status = subfield_parse(
			parser, token, type->name, right.value, right.value_length, target);
	if (status == 0)
		status = check_move_target(parser, token, type, target);
	if (status != 0 || source->n_bits == target->n_bits)
		return status;
	flow_parser_fail(parser, token, FLOW_ERROR_BAD_VALUE, type->name,
		"move: %.*s has %u bits, %.*s has %u; name as many bits on both sides",
		(int)left.value_length, left.value, source->n_bits, (int)right.value_length,
		right.value, target->n_bits);
	if (source->n_bits < target->n_bits)
		flow_parser_hint(parser, "%s[%u..%u]", field_get(target->field)->name,
			target->first_bit, target->first_bit + source->n_bits - 1u);
	else
		flow_parser_hint(parser, "%s[%u..%u]", field_get(source->field)->name,
			source->first_bit, source->first_bit + target->n_bits - 1u);
	return -EINVAL;
}
