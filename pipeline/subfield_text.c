// SPDX-License-Identifier: Apache-2.0

// Runs of bits of a field: reg0[0..7].

#include <errno.h>
#include <string.h>

#include "pipeline/flow_parser.h"
#include "pipeline/protocol.h"

field_number subfield_ones(const struct subfield *subfield)
{
	field_number run = subfield->n_bits == 128 ? ~(field_number)0
						   : ((field_number)1 << subfield->n_bits) - 1;

	return run << subfield->first_bit;
}

static const struct field *find_field(struct flow_parser *parser, const char *name, size_t length)
{
	const struct field_family *family = field_family_find(name, length);

	for (unsigned i = 0; family && i < family->count; i++) {
		const struct field *field = field_get(family->fields[i]);

		// An ARP address is not changed under the name of an IP address.
		if (field->needs != NEEDS_ARP &&
			prerequisite_met(&parser->request->flow.match, field->needs))
			return field;
	}
	return family ? field_get(family->fields[0]) : field_find(name, length);
}

static int bad_bits(struct flow_parser *parser, const struct flow_token *token, const char *what,
	const char *text, size_t length, const struct field *field)
{
	flow_parser_fail(parser, token, FLOW_ERROR_SYNTAX, field->name,
		"%s: \"%.*s\" is not a field with a run of bits; write %s[], %s[3] or "
		"%s[0..7], the lowest bit first",
		what, (int)length, text, field->name, field->name, field->name);
	flow_parser_hint(parser, "%s[]", field->name);
	return -EINVAL;
}

// "[]", "[3]" or "[0..7]"; `length` counts both brackets.
static bool parse_bits(
	const char *text, size_t length, unsigned all, unsigned *first, unsigned *last)
{
	field_number low, high;
	const char *dots;

	if (length < 2 || text[length - 1] != ']')
		return false;
	text++;
	length -= 2;
	*first = 0;
	*last = all - 1;
	if (length == 0)
		return true;
	dots = memmem(text, length, "..", 2);
	if (number_parse(text, dots ? (size_t)(dots - text) : length, &low) != 0)
		return false;
	high = low;
	if (dots && number_parse(dots + 2, (size_t)(text + length - dots - 2), &high) != 0)
		return false;
	if (low > 255 || high > 255 || low > high)
		return false;
	*first = (unsigned)low;
	*last = (unsigned)high;
	return true;
}

int subfield_parse(struct flow_parser *parser, const struct flow_token *token, const char *what,
	const char *text, size_t length, struct subfield *subfield)
{
	const char *bracket = memchr(text, '[', length);
	size_t name_length = bracket ? (size_t)(bracket - text) : length;
	const struct field *field = find_field(parser, text, name_length);
	unsigned first = 0, last;

	if (!field) {
		const char *best = field_suggest(text, name_length);

		flow_parser_fail(parser, token, FLOW_ERROR_UNKNOWN_FIELD, what,
			"%s: unknown field \"%.*s\"; did you mean \"%s\"?", what, (int)name_length,
			text, best ? best : "reg0");
		flow_parser_hint(parser, "%s", best ? best : "reg0");
		return -EINVAL;
	}
	last = field->n_bits - 1u;
	if (bracket && !parse_bits(bracket, length - name_length, field->n_bits, &first, &last))
		return bad_bits(parser, token, what, text, length, field);
	if (last >= field->n_bits) {
		flow_parser_fail(parser, token, FLOW_ERROR_OUT_OF_RANGE, field->name,
			"%s: %s has the bits 0..%u, so %.*s is too much", what, field->name,
			field->n_bits - 1u, (int)length, text);
		flow_parser_hint(parser, "%s[0..%u]", field->name, field->n_bits - 1u);
		return -EINVAL;
	}
	subfield->field = field->id;
	subfield->first_bit = (uint8_t)first;
	subfield->n_bits = (uint8_t)(last - first + 1);
	return 0;
}

void subfield_print(struct text_buffer *out, const struct subfield *subfield)
{
	const struct field *field = field_get(subfield->field);
	const char *name = field->nxm[0] != '\0' ? field->nxm : field->name;
	unsigned last = subfield->first_bit + subfield->n_bits - 1u;

	text_printf(out, "%.*s[", (int)strcspn(name, " "), name);
	if (subfield->n_bits == 1 && field->n_bits > 1)
		text_printf(out, "%u", subfield->first_bit);
	else if (subfield->n_bits < field->n_bits)
		text_printf(out, "%u..%u", subfield->first_bit, last);
	text_put_char(out, ']');
}
