// SPDX-License-Identifier: Apache-2.0

// A match as text: which fields say what it says, and how dumps show them.

#include <assert.h>
#include <string.h>

#include "pipeline/flow_parser.h"
#include "pipeline/protocol.h"

// Bits of the mask that no field was printed for yet, and where to print.
struct match_view {
	const struct match *match;
	struct packet_key left;
	uint32_t words; // that had anything of `left` in them at the beginning
	void (*print)(void *context, const struct match_item *item);
	void *context;
};

// Can dl_vlan and dl_vlan_pcp say it: a tag, with all or nothing of the VLAN ID and the priority?
static bool tag_is_plain(const struct match *match)
{
	field_number vid = field_bits_read(field_get(FIELD_DL_VLAN), &match->mask);
	field_number pcp = field_bits_read(field_get(FIELD_DL_VLAN_PCP), &match->mask);
	field_number value = field_bits_read(field_get(FIELD_VLAN_TCI), &match->value);
	field_number mask = field_bits_read(field_get(FIELD_VLAN_TCI), &match->mask);

	return (mask & value & VLAN_CFI) && (vid == 0 || vid == 0xfff) && (pcp == 0 || pcp == 7) &&
	       vid + pcp != 0;
}

static bool can_say(const struct match *match, const struct field *field, field_number mask)
{
	if (!prerequisite_met(match, field->needs))
		return false;
	if (field->id == FIELD_DL_VLAN || field->id == FIELD_DL_VLAN_PCP)
		return tag_is_plain(match);
	return mask == field_ones(field) || (field->flags & FIELD_MASKABLE);
}

static struct port_range find_range(const struct match *match, const struct field *field)
{
	if (!(field->flags & FIELD_RANGE) || !prerequisite_met(match, field->needs))
		return (struct port_range){0};
	return field->offset == offsetof(struct packet_key, tp_src) ? match->tp_src : match->tp_dst;
}

// A bit for each word of the key that has anything in it.
static uint32_t words_in_use(const struct packet_key *key)
{
	const uint64_t *words = (const uint64_t *)key;
	uint32_t in_use = 0;

	static_assert(KEY_WORDS < 32, "a bit for each word");
	for (unsigned w = 0; w < KEY_WORDS; w++)
		in_use |= (uint32_t)(words[w] != 0) << w;
	return in_use;
}

// Most fields of most matches are not in them; that should cost little.
static bool is_absent(const struct match_view *view, const struct field *field)
{
	unsigned first = field->offset / 8u, last = (field->offset + field->size - 1u) / 8u;

	if (!(view->words >> first & ((2u << (last - first)) - 1)))
		return !(field->flags & FIELD_RANGE);

	const uint8_t *bytes = (const uint8_t *)&view->left + field->offset;
	uint8_t any = 0;

	for (unsigned i = 0; i < field->size; i++)
		any |= bytes[i];
	return any == 0 && !(field->flags & FIELD_RANGE);
}

static void view_field(struct match_view *view, const struct field *field, bool anyway)
{
	if (is_absent(view, field))
		return;

	struct match_item item = {
		.field = field,
		.mask = field_bits_read(field, &view->left),
		.range = anyway ? (struct port_range){0} : find_range(view->match, field),
	};

	if (item.range.last == 0 && item.mask == 0)
		return;
	if (item.range.last == 0 && !anyway && !can_say(view->match, field, item.mask))
		return;
	item.value = field_bits_read(field, &view->match->value) & item.mask;
	view->print(view->context, &item);
	field_bits_clear(field, &view->left);
	if (field->id == FIELD_DL_VLAN || field->id == FIELD_DL_VLAN_PCP) {
		struct field_value tag;
		const struct field *tci = field_get(FIELD_VLAN_TCI);

		field_read(tci, &view->left, &tag);
		tag = field_value_of(field_number_of(&tag) & ~(field_number)VLAN_CFI);
		field_write(tci, &view->left, &tag);
	}
}

void match_items(const struct match *match, bool skip_protocol,
	void (*print)(void *context, const struct match_item *item), void *context)
{
	struct match_view view = {match, match->mask, words_in_use(&match->mask), print, context};
	const struct shorthand *shorthand = skip_protocol ? shorthand_of(match) : NULL;
	static const uint8_t zero[sizeof(struct packet_key)];

	view.left.layers = 0; // follow from the fields
	if (shorthand)
		view.left.dl_type = 0;
	if (shorthand && shorthand->nw_proto != PROTOCOL_ANY)
		view.left.nw_proto = 0;
	for (size_t i = 0; i < FIELD_COUNT; i++)
		view_field(&view, field_get(i), false);
	// What no parser makes, a match built by hand, is shown as it is rather than hidden.
	for (size_t i = 0; memcmp(&view.left, zero, sizeof(zero)) != 0 && i < FIELD_COUNT; i++)
		view_field(&view, field_get(i), true);
}

void match_item_print(
	struct text_buffer *out, const struct match_item *item, const struct port_names *names)
{
	if (item->range.last != 0)
		text_printf(out, "%u-%u", item->range.first, item->range.last);
	else
		field_masked_print(out, item->field, item->value, item->mask, names);
}

struct match_printer {
	struct text_buffer *out;
	const struct port_names *names;
	const char *separator;
};

static void print_item(void *context, const struct match_item *item)
{
	struct match_printer *printer = context;

	text_put(printer->out, printer->separator);
	text_put(printer->out, field_printed_name(item->field));
	text_put_char(printer->out, '=');
	match_item_print(printer->out, item, printer->names);
	printer->separator = ",";
}

void match_print(struct text_buffer *out, const char *separator, const struct match *match,
	const struct port_names *names)
{
	const struct shorthand *shorthand = shorthand_of(match);
	struct match_printer printer = {out, names, shorthand ? "," : separator};

	if (shorthand) {
		text_put(out, separator);
		text_put(out, shorthand->name);
	}
	match_items(match, true, print_item, &printer);
}
