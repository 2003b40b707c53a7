// SPDX-License-Identifier: Apache-2.0
#include "datapath/classifier_layout.h"

#include <errno.h>

#define KEY_BYTES (KEY_WORDS * 8)

// Bytes of keys are dealt with in the order of memory, which is that of the network.
union key_bits {
	uint64_t words[KEY_WORDS];
	uint8_t bytes[KEY_BYTES];
};

// What rules say of the bytes of a key, beyond what all demand alike.
struct demands {
	union key_bits common_value, common_mask;
	union key_bits any;           // bits that some rule looks at
	bool all_or_none[KEY_BYTES];  // each rule looks at all of these bits, or at none
	bool values[KEY_BYTES][256];  // that rules name where they look at all
	unsigned n_values[KEY_BYTES]; // how many these are
};

static void rule_bits(const struct classifier_rules *rules, uint32_t index, union key_bits *value,
	union key_bits *mask)
{
	memset(value, 0, sizeof(*value));
	memset(mask, 0, sizeof(*mask));
	for (unsigned w = 0; w < rules->words; w++) {
		value->words[rules->word[w]] = rules->values[index * rules->words + w];
		mask->words[rules->word[w]] = rules->masks[index * rules->words + w];
	}
}

static void commons_find(struct demands *demands, const struct classifier_rules *rules)
{
	union key_bits first, value, mask;

	rule_bits(rules, 0, &first, &demands->common_mask);
	for (uint32_t r = 0; r < rules->count; r++) {
		rule_bits(rules, r, &value, &mask);
		for (unsigned w = 0; w < KEY_WORDS; w++) {
			demands->common_mask.words[w] &=
				mask.words[w] & ~(value.words[w] ^ first.words[w]);
			demands->any.words[w] |= mask.words[w];
		}
	}
	for (unsigned w = 0; w < KEY_WORDS; w++) {
		demands->common_value.words[w] = first.words[w] & demands->common_mask.words[w];
		demands->any.words[w] &= ~demands->common_mask.words[w];
	}
}

static void values_find(struct demands *demands, const struct classifier_rules *rules)
{
	union key_bits value, mask;

	memset(demands->all_or_none, true, sizeof(demands->all_or_none));
	for (uint32_t r = 0; r < rules->count; r++) {
		rule_bits(rules, r, &value, &mask);
		for (unsigned b = 0; b < KEY_BYTES; b++) {
			uint8_t bits = mask.bytes[b] & demands->any.bytes[b];
			bool *seen = &demands->values[b][value.bytes[b] & bits];

			if (!bits)
				continue;
			if (bits != demands->any.bytes[b])
				demands->all_or_none[b] = false;
			demands->n_values[b] += !*seen;
			*seen = true;
		}
	}
}

static void commons_set(struct classifier_layout *layout, const struct demands *demands)
{
	for (unsigned w = 0; w < KEY_WORDS; w++) {
		if (demands->common_mask.words[w])
			layout->common[layout->commons++] = (struct layout_common){
				.word = (uint8_t)w,
				.value = demands->common_value.words[w],
				.mask = demands->common_mask.words[w],
			};
	}
}

// Bits that tell the values from each other and from all others.
static unsigned code_bits(const struct demands *demands, unsigned byte)
{
	unsigned bits = 1;

	while (1u << bits < demands->n_values[byte] + 1)
		bits++;
	return bits;
}

static void share_add(struct classifier_layout *layout, const struct demands *demands,
	unsigned byte, unsigned shift)
{
	struct layout_share *share = &layout->share[layout->shares++];
	unsigned bits = code_bits(demands, byte), code = 0;
	uint8_t codes[256];

	share->byte = (uint8_t)byte;
	share->mask = (uint8_t)(((1u << bits) - 1) << shift);
	for (unsigned v = 0; v < 256; v++)
		codes[v] = demands->values[byte][v] ? (uint8_t)(++code << shift) : 0;
	for (unsigned v = 0; v < 256; v++)
		share->code[v] = codes[v & demands->any.bytes[byte]];
}

// A byte that rules look at in parts, as it is.
static void share_plain(struct classifier_layout *layout, unsigned byte)
{
	struct layout_share *share = &layout->share[layout->shares++];

	share->byte = (uint8_t)byte;
	share->mask = 0xff;
	share->plain = true;
	for (unsigned v = 0; v < 256; v++)
		share->code[v] = (uint8_t)v;
}

static int group_add(
	struct classifier_layout *layout, const uint8_t bytes[4], unsigned used, bool whole)
{
	if (layout->fields == LAYOUT_FIELDS_MAX)
		return -ENOSPC;
	layout->used[layout->fields] = (uint8_t)used;
	memcpy(layout->bytes[layout->fields], bytes, 4);
	layout->whole[layout->fields++] = whole;
	return 0;
}

// Puts bytes that are side by side into groups, takes them out of `open`, and leaves the others.
static int groups_whole(struct classifier_layout *layout, bool open[KEY_BYTES])
{
	int error = 0;

	for (unsigned b = 0; b + 4 <= KEY_BYTES && error == 0;) {
		uint8_t bytes[4] = {
			(uint8_t)b, (uint8_t)(b + 1), (uint8_t)(b + 2), (uint8_t)(b + 3)};

		if (!open[b] || !open[b + 1] || !open[b + 2] || !open[b + 3]) {
			b++;
			continue;
		}
		error = group_add(layout, bytes, 4, true);
		memset(&open[b], false, 4);
		b += 4;
	}
	return error;
}

// The first byte: as many of the lone ones as it can tell apart, or else one of them.
static void first_fill(
	struct classifier_layout *layout, const struct demands *demands, bool open[KEY_BYTES])
{
	unsigned used = 0;

	for (unsigned b = 0; b < KEY_BYTES && layout->shares < LAYOUT_SHARING; b++) {
		if (!open[b] || !demands->all_or_none[b] || used + code_bits(demands, b) > 8)
			continue;
		share_add(layout, demands, b, used);
		used += code_bits(demands, b);
		open[b] = false;
	}
	for (unsigned b = 0; b < KEY_BYTES && layout->shares == 0; b++) {
		if (!open[b])
			continue;
		share_plain(layout, b);
		open[b] = false;
	}
}

// What is left, four by four.
static int groups_loose(struct classifier_layout *layout, const bool open[KEY_BYTES])
{
	uint8_t bytes[4];
	unsigned n = 0;
	int error = 0;

	for (unsigned b = 0; b < KEY_BYTES && error == 0; b++) {
		if (!open[b])
			continue;
		bytes[n++] = (uint8_t)b;
		if (n < 4)
			continue;
		error = group_add(layout, bytes, 4, false);
		n = 0;
	}
	if (n == 0 || error != 0)
		return error;
	memset(&bytes[n], bytes[0], 4 - n);
	return group_add(layout, bytes, n, false);
}

static bool is_prefix(uint32_t mask)
{
	return (~mask & (~mask + 1)) == 0;
}

static void prefixes_find(struct classifier_layout *layout, const struct classifier_rules *rules)
{
	struct layout_field fields[LAYOUT_FIELDS_MAX];

	for (unsigned f = 1; f < layout->fields; f++)
		layout->prefixes[f] = true;
	for (uint32_t r = 0; r < rules->count; r++) {
		classifier_layout_rule(layout, rules, r, fields);
		for (unsigned f = 1; f < layout->fields; f++)
			layout->prefixes[f] &= is_prefix(fields[f].mask);
	}
}

int classifier_layout_make(struct classifier_layout *layout, const struct classifier_rules *rules)
{
	struct demands demands = {0};
	bool open[KEY_BYTES];
	int error;

	memset(layout, 0, sizeof(*layout));
	layout->fields = 1;
	layout->offset = 4;
	commons_find(&demands, rules);
	values_find(&demands, rules);
	commons_set(layout, &demands);
	for (unsigned b = 0; b < KEY_BYTES; b++)
		open[b] = demands.any.bytes[b] != 0;
	error = groups_whole(layout, open);
	first_fill(layout, &demands, open);
	if (error == 0)
		error = groups_loose(layout, open);
	if (error == 0)
		prefixes_find(layout, rules);
	return error;
}

static struct layout_field first_demand(const struct classifier_layout *layout,
	const union key_bits *value, const union key_bits *mask)
{
	struct layout_field first = {0};

	for (unsigned s = 0; s < layout->shares; s++) {
		const struct layout_share *share = &layout->share[s];
		uint8_t bits = mask->bytes[share->byte];

		if (!bits)
			continue;
		first.mask |= share->plain ? bits : share->mask;
		first.value |= share->code[value->bytes[share->byte]];
	}
	return first;
}

void classifier_layout_rule(const struct classifier_layout *layout,
	const struct classifier_rules *rules, uint32_t index, struct layout_field fields[])
{
	union key_bits value, mask;

	rule_bits(rules, index, &value, &mask);
	for (unsigned c = 0; c < layout->commons; c++) {
		mask.words[layout->common[c].word] &= ~layout->common[c].mask;
		value.words[layout->common[c].word] &= ~layout->common[c].mask;
	}
	fields[0] = first_demand(layout, &value, &mask);
	for (unsigned f = 1; f < layout->fields; f++) {
		fields[f] = (struct layout_field){0};
		for (unsigned b = 0; b < layout->used[f]; b++) {
			unsigned byte = layout->bytes[f][b], shift = 24 - 8 * b;

			fields[f].value |= (uint32_t)value.bytes[byte] << shift;
			fields[f].mask |= (uint32_t)mask.bytes[byte] << shift;
		}
	}
}
