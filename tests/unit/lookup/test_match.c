// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "pipeline/match.h"

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)((random_state >> 33) % limit);
}

// --- A direction's ports in one of the forms that a match can give them, and the same spelled out
// ---

static void ports_make(uint16_t *value, uint16_t *mask, struct port_range *range)
{
	*value = *mask = 0;
	*range = (struct port_range){0, 0};
	switch (random_below(4)) {
	case 0: // a prefix or exact
		*mask = htons((uint16_t)(0xffff0000u >> random_below(17)));
		*value = htons((uint16_t)random_below(65536)) & *mask;
		break;
	case 1: // few bits
		*mask = htons((uint16_t)(random_below(65536) & random_below(65536)));
		*value = htons((uint16_t)random_below(65536)) & *mask;
		break;
	case 2:
		range->first = (uint16_t)random_below(65536);
		range->last = (uint16_t)(range->first + random_below(65536u - range->first));
		break;
	case 3: // ranges that are aligned or nearly
		range->first = (uint16_t)(random_below(256) << 8);
		range->last = (uint16_t)(range->first + 0xff + random_below(2));
		if (range->last < range->first)
			range->last = 0xffff;
		break;
	}
}

static bool port_allowed(uint16_t port, uint16_t value, uint16_t mask, struct port_range range)
{
	if (range.first || range.last)
		return range.first <= port && port <= range.last;
	return (port & ntohs(mask)) == ntohs(value);
}

static void source_ports_relation(
	const struct match *a, const struct match *b, bool *covers, bool *overlaps)
{
	*covers = true;
	*overlaps = false;
	for (uint32_t port = 0; port < 65536; port++) {
		bool in_a =
			port_allowed((uint16_t)port, a->value.tp_src, a->mask.tp_src, a->tp_src);
		bool in_b =
			port_allowed((uint16_t)port, b->value.tp_src, b->mask.tp_src, b->tp_src);

		*covers &= in_a || !in_b;
		*overlaps |= in_a && in_b;
	}
}

static void test_ports_against_brute_force(void **state)
{
	unsigned covering = 0, overlapping = 0;

	for (unsigned round = 0; round < 1500; round++) {
		struct match a, b;
		bool covers, overlaps;

		match_init(&a);
		match_init(&b);
		ports_make(&a.value.tp_src, &a.mask.tp_src, &a.tp_src);
		ports_make(&b.value.tp_src, &b.mask.tp_src, &b.tp_src);
		if (round % 3 == 0 && (b.tp_src.first || b.tp_src.last)) {
			// Make it likely that the one is within the other.
			a.value.tp_src = a.mask.tp_src = 0;
			a.tp_src.first = (uint16_t)random_below(b.tp_src.first + 1u);
			a.tp_src.last = (uint16_t)(b.tp_src.last + random_below(2));
		}
		source_ports_relation(&a, &b, &covers, &overlaps);
		assert_int_equal(match_covers(&a, &b), covers);
		assert_int_equal(match_overlaps(&a, &b), overlaps);
		assert_int_equal(match_overlaps(&b, &a), overlaps);
		covering += covers;
		overlapping += overlaps;
	}
	assert_true(covering > 100 && covering < 1400);
	assert_true(overlapping > 300 && overlapping < 1400);
}

static void test_both_directions_count(void **state)
{
	struct match a, b;

	match_init(&a);
	match_init(&b);
	a.tp_src = (struct port_range){10, 20};
	a.tp_dst = (struct port_range){100, 200};
	b.tp_src = (struct port_range){12, 14};
	b.tp_dst = (struct port_range){150, 300};
	assert_true(match_overlaps(&a, &b));
	assert_false(match_covers(&a, &b));
	b.tp_dst.last = 200;
	assert_true(match_covers(&a, &b));
	assert_false(match_covers(&b, &a));
	b.tp_dst = (struct port_range){201, 300};
	assert_false(match_overlaps(&a, &b));
	// The rest of the key still decides.
	b.tp_dst = a.tp_dst;
	a.mask.nw_proto = b.mask.nw_proto = 0xff;
	a.value.nw_proto = 6;
	b.value.nw_proto = 17;
	assert_false(match_overlaps(&a, &b));
	assert_false(match_covers(&a, &b));
}

static void test_masks_cover_and_overlap(void **state)
{
	struct match any, net, host, other;

	match_init(&any);
	net = host = other = any;
	net.mask.nw_dst = htonl(0xffffff00);
	net.value.nw_dst = htonl(0x0a000100);
	host.mask.nw_dst = htonl(0xffffffff);
	host.value.nw_dst = htonl(0x0a000105);
	other.mask.reg_high[3] = 0xffffffff;
	other.value.reg_high[3] = 7;
	assert_true(match_covers(&any, &any));
	assert_true(match_covers(&any, &net));
	assert_true(match_covers(&net, &host));
	assert_false(match_covers(&host, &net));
	assert_false(match_covers(&net, &any));
	assert_true(match_overlaps(&net, &host));
	assert_true(match_overlaps(&other, &host));
	assert_false(match_covers(&other, &host));
	host.value.nw_dst = htonl(0x0a000205);
	assert_false(match_overlaps(&net, &host));
}

static void check_split(struct port_range range)
{
	uint16_t values[30], masks[30];
	size_t count = port_range_split(range, values, masks);
	uint32_t next = range.first;

	assert_true(count >= 1 && count <= 30);
	// Prefixes, one directly behind the other, from first to last.
	for (size_t i = 0; i < count; i++) {
		uint16_t open = (uint16_t)~masks[i];

		assert_int_equal(open & (open + 1), 0);
		assert_int_equal(values[i] & open, 0);
		assert_int_equal(values[i], next);
		next = (uint32_t)values[i] + open + 1;
	}
	assert_int_equal(next, (uint32_t)range.last + 1);
}

static void test_split(void **state)
{
	uint16_t values[30], masks[30];

	for (unsigned round = 0; round < 20000; round++) {
		uint16_t first = (uint16_t)random_below(65536);

		check_split((struct port_range){
			first, (uint16_t)(first + random_below(65536u - first))});
	}
	check_split((struct port_range){0, 65535});
	assert_int_equal(port_range_split((struct port_range){0, 65535}, values, masks), 1);
	assert_int_equal(masks[0], 0);
	assert_int_equal(port_range_split((struct port_range){1, 65534}, values, masks), 30);
	assert_int_equal(port_range_split((struct port_range){80, 80}, values, masks), 1);
	assert_int_equal(port_range_split((struct port_range){0, 0}, values, masks), 1);
	assert_int_equal(masks[0], 0xffff);
}

static void test_expand(void **state)
{
	static struct match parts[900];
	struct match match;

	match_init(&match);
	match.mask.layers = match.value.layers = LAYER_L4;
	assert_int_equal(match_expand(&match, parts, 900), 1);
	assert_true(match_equal(&match, &parts[0]));

	match.tp_src = match.tp_dst = (struct port_range){1, 65534};
	assert_int_equal(match_expand(&match, NULL, 0), 900);
	memset(parts, 0x55, sizeof parts);
	assert_int_equal(match_expand(&match, parts, 10), 900);
	assert_int_equal(parts[10].tp_src.first, 0x5555);
	assert_int_equal(match_expand(&match, parts, 900), 900);
	for (size_t i = 0; i < 900; i++) {
		assert_int_equal(parts[i].mask.layers, LAYER_L4);
		assert_int_equal(parts[i].tp_src.last, 0);
		assert_int_equal(parts[i].tp_dst.last, 0);
		assert_true(match_covers(&match, &parts[i]));
	}

	// Exactly one part hits what the whole hits.
	match.tp_src = (struct port_range){1000, 1999};
	match.tp_dst = (struct port_range){0, 99};
	size_t count = match_expand(&match, parts, 900);
	for (unsigned round = 0; round < 5000; round++) {
		struct packet_key key = {0};
		unsigned hits = 0;

		key.layers = LAYER_L4;
		key.tp_src = htons((uint16_t)(900 + random_below(1200)));
		key.tp_dst = htons((uint16_t)random_below(200));
		for (size_t i = 0; i < count; i++)
			hits += match_hits(&parts[i], &key);
		assert_int_equal(hits, match_hits(&match, &key));
	}
}

static void test_hits(void **state)
{
	struct match match;
	struct packet_key key = {0};

	match_init(&match);
	assert_true(match_hits(&match, &key));
	match.tp_dst = (struct port_range){100, 200};
	key.tp_dst = htons(99);
	assert_false(match_hits(&match, &key));
	key.tp_dst = htons(100);
	assert_true(match_hits(&match, &key));
	key.tp_dst = htons(200);
	assert_true(match_hits(&match, &key));
	key.tp_dst = htons(201);
	assert_false(match_hits(&match, &key));
	// A range from 0 is in use; 0 to 0 is not.
	match.tp_dst = (struct port_range){0, 5};
	key.tp_dst = 0;
	assert_true(match_hits(&match, &key));
	key.tp_dst = htons(6);
	assert_false(match_hits(&match, &key));
	match.mask.nd_target[15] = 0x0f;
	match.value.nd_target[15] = 0x03;
	key.tp_dst = 0;
	assert_false(match_hits(&match, &key));
	key.nd_target[15] = 0xf3;
	assert_true(match_hits(&match, &key));
}

static void match_random(struct match *match)
{
	uint8_t *value = (uint8_t *)&match->value, *mask = (uint8_t *)&match->mask;

	match_init(match);
	for (unsigned n = random_below(4); n > 0; n--) {
		unsigned byte = random_below(4);

		mask[byte] = random_below(2) ? 0xff : 0xf0;
		value[byte] = mask[byte] & (uint8_t)(random_below(3) << 4);
	}
	if (random_below(3) == 0)
		match->tp_dst = (struct port_range){1, (uint16_t)(1 + random_below(4))};
}

static int order_of(const void *a, const void *b)
{
	return match_compare(a, b);
}

static void test_order_is_total(void **state)
{
	enum { COUNT = 300 };
	static struct match matches[COUNT];

	for (unsigned i = 0; i < COUNT; i++)
		match_random(&matches[i]);
	qsort(matches, COUNT, sizeof matches[0], order_of);
	for (unsigned i = 0; i < COUNT; i++) {
		for (unsigned j = i; j < COUNT; j++) {
			int order = match_compare(&matches[i], &matches[j]);

			assert_true(order <= 0);
			assert_int_equal(order == 0, match_equal(&matches[i], &matches[j]));
			assert_true(match_compare(&matches[j], &matches[i]) == 0 ? order == 0
										 : order < 0);
		}
	}
}

static void test_order_prefers_more_bits(void **state)
{
	struct match wide, narrow;

	match_init(&wide);
	narrow = wide;
	wide.mask.nw_src = 0xffffffff;
	narrow.mask.dl_dst[5] = 0xff;
	narrow.mask.nw_dst = 0xffffffff;
	assert_true(match_compare(&narrow, &wide) < 0);
	assert_true(match_compare(&wide, &narrow) > 0);
	// A range of at most 16 ports says as much as 12 bits.
	narrow = wide;
	wide.tp_src = (struct port_range){100, 131};
	narrow.tp_src = (struct port_range){100, 110};
	assert_true(match_compare(&narrow, &wide) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports_against_brute_force),
		cmocka_unit_test(test_both_directions_count),
		cmocka_unit_test(test_masks_cover_and_overlap),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_expand),
		cmocka_unit_test(test_hits),
		cmocka_unit_test(test_order_is_total),
		cmocka_unit_test(test_order_prefers_more_bits),
	};

	return cmocka_run_group_tests_name("match", tests, NULL, NULL);
}
