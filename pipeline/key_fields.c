// SPDX-License-Identifier: Apache-2.0
#include "pipeline/key_fields.h"

#include <endian.h>
#include <string.h>

#include "pipeline/flow_parser.h"
#include "pipeline/protocol.h"

static void print_value(char *text, size_t size, const struct field *field, field_number value,
	const struct port_names *names)
{
	struct text_buffer buffer;

	text_buffer_open(&buffer);
	field_masked_print(&buffer, field, value, field_ones(field), names);
	text_buffer_close_into(&buffer, text, size);
}

// Of the two fields of a tag only.
static bool is_in_tag(const struct field *field)
{
	return field->id == FIELD_DL_VLAN || field->id == FIELD_DL_VLAN_PCP;
}

static bool has_field(const struct packet_key *key, const struct field *field)
{
	if (field->offset == offsetof(struct packet_key, vlan_tci) && key->vlan_tci == 0)
		return false;
	return (field->layer & ~key->layers) == 0;
}

// Fields that are nothing to tell of when they are zero.
static bool is_quiet(const struct field *field)
{
	return field->id <= FIELD_IN_PORT || field->id == FIELD_NW_FRAG;
}

json_t *key_fields_json(const struct packet_key *key, const struct port_names *names)
{
	struct match whole = {.value = *key};
	struct packet_key left;
	json_t *fields = json_object();

	memset(&whole.mask, 0xff, sizeof(whole.mask));
	left = whole.mask;
	for (size_t i = 0; fields && i < FIELD_COUNT; i++) {
		const struct field *field = field_get(i);
		field_number value = field_bits_read(field, key);
		char text[64];

		if (!prerequisite_met(&whole, field->needs) || !has_field(key, field) ||
			field_bits_read(field, &left) != field_ones(field))
			continue;
		field_bits_clear(field, &left);
		if (value == 0 && is_quiet(field))
			continue;
		print_value(text, sizeof(text), field, value, names);
		json_object_set_new(fields, field_printed_name(field), json_string(text));
	}
	return fields;
}

// --- Differences ---

struct difference_finder {
	const struct match *match;
	const struct packet_key *key;
	const struct port_names *names;
	struct match_difference *difference;
	bool found;
};

static bool item_differs(const struct difference_finder *finder, const struct match_item *item)
{
	const struct packet_key *key = finder->key;
	const struct field *field = item->field;
	field_number actual = field_bits_read(field, key);

	if ((field->layer & ~key->layers) != 0)
		return true;
	if (item->range.last != 0)
		return actual < item->range.first || actual > item->range.last;
	// Those two say by being there that there is a tag.
	if (is_in_tag(field) && ((key->vlan_tci ^ finder->match->value.vlan_tci) &
					finder->match->mask.vlan_tci & htobe16(VLAN_CFI)))
		return true;
	return ((actual ^ item->value) & item->mask) != 0;
}

static void find_item(void *context, const struct match_item *item)
{
	struct difference_finder *finder = context;
	struct match_difference *difference = finder->difference;
	struct text_buffer buffer;

	if (finder->found || !item_differs(finder, item))
		return;
	finder->found = true;
	*difference = (struct match_difference){.field = field_printed_name(item->field)};
	text_buffer_open(&buffer);
	match_item_print(&buffer, item, finder->names);
	text_buffer_close_into(&buffer, difference->wants, sizeof(difference->wants));
	// vlan_tci=0 is a value that an untagged packet has.
	if (has_field(finder->key, item->field) ||
		(!is_in_tag(item->field) && item->field->layer == 0))
		print_value(difference->has, sizeof(difference->has), item->field,
			field_bits_read(item->field, finder->key), finder->names);
}

bool match_first_difference(const struct match *match, const struct packet_key *key,
	const struct port_names *names, struct match_difference *difference)
{
	struct difference_finder finder = {match, key, names, difference, false};

	match_items(match, false, find_item, &finder);
	return finder.found;
}
