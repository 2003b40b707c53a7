// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "datapath/classifier_layout.h"

#define RULES 40
#define KEY_BYTES (KEY_WORDS * 8)

union bits {
	struct packet_key key;
	uint64_t words[KEY_WORDS];
	uint8_t bytes[KEY_BYTES];
};

// Rules that say something of every word, if only that they want nothing.
struct list {
	struct classifier_rules rules;
	uint64_t values[RULES * KEY_WORDS], masks[RULES * KEY_WORDS];
};

static void list_init(struct list *list)
{
	memset(list, 0, sizeof(*list));
	list->rules = (struct classifier_rules){
		.words = KEY_WORDS, .values = list->values, .masks = list->masks};
	for (unsigned w = 0; w < KEY_WORDS; w++)
		list->rules.word[w] = (uint8_t)w;
}

static void list_add(struct list *list, const union bits *value, const union bits *mask)
{
	for (unsigned w = 0; w < KEY_WORDS; w++) {
		size_t at = list->rules.count * KEY_WORDS + w;

		list->masks[at] = mask->words[w];
		list->values[at] = value->words[w] & mask->words[w];
	}
	list->rules.count++;
}

static bool rule_wants(const struct list *list, uint32_t rule, const union bits *key)
{
	uint64_t differs = 0;

	for (unsigned w = 0; w < KEY_WORDS; w++) {
		size_t at = rule * KEY_WORDS + w;

		differs |= (key->words[w] & list->masks[at]) ^ list->values[at];
	}
	return differs == 0;
}

// The same as the layout has it.
static bool layout_wants(const struct classifier_layout *layout, const struct list *list,
	uint32_t rule, const union bits *key)
{
	struct layout_field fields[LAYOUT_FIELDS_MAX];
	uint8_t input[LAYOUT_SIZE_MAX];
	bool wants = classifier_layout_key(layout, &key->key, input);

	classifier_layout_rule(layout, &list->rules, rule, fields);
	for (unsigned f = 0; f < layout->fields && wants; f++) {
		const uint8_t *at = f ? &input[layout->offset + (f - 1) * 4] : input;
		uint32_t field = at[0];

		if (f > 0)
			field = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
				(uint32_t)at[2] << 8 | at[3];
		if (layout->prefixes[f])
			assert_int_equal(~fields[f].mask & (~fields[f].mask + 1), 0);
		wants = (field & fields[f].mask) == fields[f].value;
	}
	return wants;
}

static void check(
	const struct list *list, const struct classifier_layout *layout, const union bits *key)
{
	for (uint32_t r = 0; r < list->rules.count; r++)
		assert_int_equal(rule_wants(list, r, key), layout_wants(layout, list, r, key));
}

static unsigned random_state = 1;

static unsigned below(unsigned limit)
{
	random_state = random_state * 1103515245 + 12345;
	return (random_state >> 16) % limit;
}

// Rules that look at some of `n` bytes, wholly or in part, with few different values.
static void list_random(struct list *list, const uint8_t *bytes, unsigned n)
{
	unsigned parts = below(3), count = 1 + below(RULES);

	list_init(list);
	for (unsigned r = 0; r < count; r++) {
		union bits value = {0}, mask = {0};

		for (unsigned b = 0; b < n; b++) {
			mask.bytes[bytes[b]] = below(4) == 0   ? 0
					       : parts == 0    ? 0xff
					       : below(2) == 0 ? (uint8_t)(0xff << below(8))
							       : (uint8_t)below(256);
			value.bytes[bytes[b]] = (uint8_t)below(below(8) ? 4 : 256);
		}
		// What all demand.
		mask.bytes[0] = value.bytes[0] = 7;
		list_add(list, &value, &mask);
	}
}

static void test_any_rules(void **state)
{
	static struct list list;
	static const union bits none;
	struct classifier_layout layout;

	for (unsigned run = 0; run < 300; run++) {
		uint8_t bytes[20];
		unsigned n = below(20) + 1, first = 1 + below(100);

		for (unsigned b = 0; b < n; b++)
			bytes[b] = (uint8_t)(below(2) ? first + b : 1 + below(KEY_BYTES - 1));
		list_random(&list, bytes, n);
		assert_int_equal(classifier_layout_make(&layout, &list.rules), 0);
		check(&list, &layout, &none);
		for (unsigned k = 0; k < 40; k++) {
			uint32_t rule = below(list.rules.count);
			union bits key;

			for (unsigned b = 0; b < KEY_BYTES; b++)
				key.bytes[b] = (uint8_t)below(below(2) ? 4 : 256);
			for (unsigned w = 0; w < KEY_WORDS; w++)
				key.words[w] = (key.words[w] & ~list.masks[rule * KEY_WORDS + w]) |
					       list.values[rule * KEY_WORDS + w];
			if (below(3) == 0)
				key.bytes[bytes[below(n)]] ^= (uint8_t)(1u << below(8));
			check(&list, &layout, &key);
		}
	}
}

// An access list: the EtherType is compared aside, protocol and layers share the first byte, and
// the addresses and the ports are groups.
static void test_access_list(void **state)
{
	static struct list list;
	struct classifier_layout layout;

	list_init(&list);
	for (unsigned r = 0; r < 8; r++) {
		union bits value = {0}, mask = {0};

		mask.key.dl_type = 0xffff;
		value.key.dl_type = 0x0008;
		mask.key.nw_src = r % 2 ? 0xffffffff : 0x00ffffff; // in memory: 24 bits
		mask.key.nw_dst = 0xffffffff;
		// No bit is the same in all.
		value.key.nw_src = value.key.nw_dst = r < 4 ? 0x5a5a5a5a : 0xa5a5a5a5;
		mask.key.layers = value.key.layers = r % 2 ? LAYER_L3 | LAYER_L4 : LAYER_L3;
		mask.key.nw_proto = r % 2 ? 0xff : 0;
		value.key.nw_proto = r % 4 == 1 ? 6 : 17;
		mask.key.tp_src = mask.key.tp_dst = r % 2 ? 0xffff : 0;
		value.key.tp_src = value.key.tp_dst = (uint16_t)(r << 8 | r);
		list_add(&list, &value, &mask);
	}
	assert_int_equal(classifier_layout_make(&layout, &list.rules), 0);
	assert_int_equal(layout.fields, 4);
	assert_int_equal(layout.shares, 2);
	for (unsigned f = 1; f < 4; f++) {
		assert_true(layout.whole[f]);
		assert_true(layout.prefixes[f]);
	}
}

static void test_too_wide(void **state)
{
	static struct list list;
	struct classifier_layout layout;
	union bits ones, zeros = {0};

	memset(&ones, 0xff, sizeof(ones));
	list_init(&list);
	list_add(&list, &ones, &ones);
	list_add(&list, &zeros, &ones);
	assert_int_equal(classifier_layout_make(&layout, &list.rules), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_rules),
		cmocka_unit_test(test_access_list),
		cmocka_unit_test(test_too_wide),
	};

	return cmocka_run_group_tests_name("classifier_layout", tests, NULL, NULL);
}
