// SPDX-License-Identifier: Apache-2.0

// Values that are written in words: fragments and TCP flags.

#include <string.h>

#include "pipeline/field_value.h"
#include "pipeline/name_search.h"

static const struct {
	const char *name;
	uint8_t value;
	uint8_t mask;
} frags[] = {
	{"no", 0, NW_FRAG_ANY | NW_FRAG_LATER},
	{"yes", NW_FRAG_ANY, NW_FRAG_ANY},
	{"first", NW_FRAG_ANY, NW_FRAG_ANY | NW_FRAG_LATER},
	{"later", NW_FRAG_LATER, NW_FRAG_LATER},
	{"not_later", 0, NW_FRAG_LATER},
};

int frag_parse(const struct field *field, const char *text, size_t length, field_number *value,
	field_number *mask, struct flow_error *error)
{
	for (size_t i = 0; i < sizeof(frags) / sizeof(frags[0]); i++) {
		if (!name_equal(frags[i].name, text, length))
			continue;
		*value = frags[i].value;
		*mask = frags[i].mask;
		return 0;
	}
	return flow_error_set(error, FLOW_ERROR_BAD_VALUE, field->name,
		"%s: \"%.*s\" is none of no, yes, first, later, not_later", field->name,
		(int)length, text);
}

bool frag_print(struct text_buffer *out, field_number value, field_number mask)
{
	for (size_t i = 0; i < sizeof(frags) / sizeof(frags[0]); i++) {
		if (frags[i].value != value || frags[i].mask != mask)
			continue;
		text_put(out, frags[i].name);
		return true;
	}
	return false;
}

// From bit 0.
static const char *const tcp_flags[] = {
	"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns", "[200]", "[400]", "[800]"};
#define TCP_FLAG_COUNT (sizeof(tcp_flags) / sizeof(tcp_flags[0]))

static unsigned tcp_flag_find(const char *text, size_t length)
{
	for (size_t i = 0; i < TCP_FLAG_COUNT; i++) {
		if (name_equal(tcp_flags[i], text, length))
			return 1u << i;
	}
	return 0;
}

// "+syn-ack": only these bits are looked at. "syn|ack": these are set and all others are not.
int tcp_flags_parse(const struct field *field, const char *text, size_t length, field_number *value,
	field_number *mask, struct flow_error *error)
{
	const char *end = text + length;
	bool is_signed = length > 0 && (text[0] == '+' || text[0] == '-');
	unsigned set = 0, seen = 0;

	for (const char *at = text; at < end;) {
		char sign = is_signed ? *at++ : '+';
		size_t word = 0;

		while (at + word < end && !strchr("+-|", at[word]))
			word++;

		unsigned flag = tcp_flag_find(at, word);
		const char *next = at + word;

		if (flag == 0 || (sign != '+' && sign != '-') ||
			(next < end && !is_signed && (*next != '|' || next + 1 == end)))
			return flow_error_set(error, FLOW_ERROR_BAD_VALUE, field->name,
				"%s: \"%.*s\" is not a TCP flag; write for example +syn-ack, "
				"with fin syn rst psh ack urg ece cwr ns [200] [400] [800]",
				field->name, (int)word, at);
		if (seen & flag)
			return flow_error_set(error, FLOW_ERROR_CONFLICT, field->name,
				"%s: \"%.*s\" is given twice", field->name, (int)word, at);
		seen |= flag;
		set |= sign == '+' ? flag : 0;
		at = is_signed ? next : next + 1;
	}
	if (seen == 0)
		return flow_error_set(error, FLOW_ERROR_BAD_VALUE, field->name,
			"%s has no value; write for example +syn-ack", field->name);
	*value = set;
	*mask = is_signed ? seen : field_ones(field);
	return 0;
}

bool tcp_flags_print(
	struct text_buffer *out, const struct field *field, field_number value, field_number mask)
{
	bool all = mask == field_ones(field);
	const char *separator = "";

	if (mask == 0)
		return false;
	if (all && value == 0)
		text_put_char(out, '0');
	for (size_t i = 0; i < TCP_FLAG_COUNT; i++) {
		bool set = value >> i & 1;

		if (all && set) {
			text_printf(out, "%s%s", separator, tcp_flags[i]);
			separator = "|";
		} else if (!all && (mask >> i & 1)) {
			text_printf(out, "%c%s", set ? '+' : '-', tcp_flags[i]);
		}
	}
	return true;
}
