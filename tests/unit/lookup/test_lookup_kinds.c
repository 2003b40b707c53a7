// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "rules.h"

// Each kind of structure by itself. That they find the right rules among many is tests/model's.

static void test_rule_order(void **state)
{
	struct rule *rules = rules_make(3);
	struct match ranged;

	rules[0].priority = 10;
	rules[1].priority = 20;
	assert_true(rule_better(&rules[0], NULL));
	assert_true(rule_better(&rules[1], &rules[0]));
	assert_false(rule_better(&rules[0], &rules[1]));
	assert_false(rule_better(&rules[0], &rules[0]));
	// One priority: more bits, whichever way round.
	rules[0].priority = 20;
	rule_dst(&rules[0], 0x0a000000, 8);
	assert_true(rule_better(&rules[0], &rules[1]));
	assert_false(rule_better(&rules[1], &rules[0]));
	// A part of a port range stands where the whole range stands, even if the part is narrow.
	match_init(&ranged);
	ranged.tp_dst = (struct port_range){1, 60000};
	rules[1].mask.tp_dst = 0xffff;
	assert_true(rule_better(&rules[1], &rules[0]));
	rules[1].origin = &ranged;
	assert_false(rule_better(&rules[1], &rules[0]));
	free(rules);
}

static void test_visibility(void **state)
{
	struct rule *rule = rules_make(1);

	rule->born = 5;
	rule->died = 8;
	assert_false(rule_visible(rule, 4));
	assert_true(rule_visible(rule, 5));
	assert_true(rule_visible(rule, 7));
	assert_false(rule_visible(rule, 8));
	free(rule);
}

static void test_hash_serves_one_mask(void **state)
{
	struct rule *rules = rules_make(3);

	rule_dst(&rules[0], 1, 32);
	rule_dst(&rules[1], 1, 24);
	rules[2].mask.nw_dst = 0xffffffff;
	rules[2].mask.nd_target[3] = 1;
	struct lookup *hash = lookup_hash.create(&rules[0].mask, later);
	assert_int_equal(lookup_hash.insert(hash, &rules[0]), 0);
	assert_int_equal(lookup_hash.insert(hash, &rules[1]), -ENOSPC);
	assert_int_equal(lookup_hash.insert(hash, &rules[2]), -ENOSPC);
	assert_int_equal(hash->count, 1);
	assert_int_equal(hash->lines, 1);
	lookup_hash.destroy(hash);
	lookup_hash.destroy(NULL);
	free(rules);
}

static void test_hash_grows_and_shrinks(void **state)
{
	enum { COUNT = 20000 };
	struct rule *rules = rules_make(COUNT);

	for (uint32_t r = 0; r < COUNT; r++)
		rule_dst(&rules[r], r * 2, 32);
	struct lookup *hash = lookup_hash.create(&rules[0].mask, later);
	size_t empty = lookup_hash.memory(hash);
	for (uint32_t r = 0; r < COUNT; r++)
		assert_int_equal(lookup_hash.insert(hash, &rules[r]), 0);
	assert_int_equal(hash->count, COUNT);
	size_t full = lookup_hash.memory(hash);
	assert_true(full < COUNT * 80);
	for (uint32_t r = 0; r < COUNT; r++) {
		assert_ptr_equal(find_dst(hash, 1, r * 2), &rules[r]);
		assert_null(find_dst(hash, 1, r * 2 + 1));
	}
	for (uint32_t r = 0; r < COUNT; r++) {
		lookup_hash.remove(hash, &rules[r]);
		assert_null(find_dst(hash, 1, r * 2));
		if (r % 997 == 0)
			free_retired();
		if (r + 1 < COUNT)
			assert_ptr_equal(find_dst(hash, 1, (COUNT - 1) * 2), &rules[COUNT - 1]);
	}
	assert_int_equal(hash->count, 0);
	assert_int_equal(lookup_hash.memory(hash), empty);
	lookup_hash.destroy(hash);
	free_retired();
	free(rules);
}

// Rules of one match, in every order of insertion and removal: the best visible one is found.
static void test_hash_chain(void **state)
{
	static const uint8_t orders[6][3] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	struct rule *rules = rules_make(3);

	for (unsigned r = 0; r < 3; r++) {
		rule_dst(&rules[r], 7, 32);
		rules[r].priority = (uint16_t)(10 * r);
	}
	for (unsigned in = 0; in < 6; in++) {
		for (unsigned out = 0; out < 6; out++) {
			struct lookup *hash = lookup_hash.create(&rules[0].mask, later);
			bool there[3] = {true, true, true};

			for (unsigned i = 0; i < 3; i++)
				lookup_hash.insert(hash, &rules[orders[in][i]]);
			for (unsigned i = 0; i < 3; i++) {
				int best = there[2] ? 2 : there[1] ? 1 : 0;

				assert_ptr_equal(find_dst(hash, 1, 7), &rules[best]);
				there[orders[out][i]] = false;
				lookup_hash.remove(hash, &rules[orders[out][i]]);
			}
			assert_null(find_dst(hash, 1, 7));
			lookup_hash.destroy(hash);
			free_retired();
		}
	}
	free(rules);
}

static void check_versions(const struct lookup_kind *kind)
{
	struct rule *rules = rules_make(2);

	rule_dst(&rules[0], 7, 32);
	rule_dst(&rules[1], 7, 32);
	rules[0].died = 5;
	rules[1].born = 5;
	struct lookup *lookup = kind->create(&rules[0].mask, later);
	kind->insert(lookup, &rules[0]);
	kind->insert(lookup, &rules[1]);
	assert_null(find_dst(lookup, 0, 7));
	assert_ptr_equal(find_dst(lookup, 4, 7), &rules[0]);
	assert_ptr_equal(find_dst(lookup, 5, 7), &rules[1]);
	kind->remove(lookup, &rules[0]);
	assert_ptr_equal(find_dst(lookup, 5, 7), &rules[1]);
	// A better rule that was found elsewhere stays, a worse one does not.
	struct rule *other = rules_make(1);
	struct packet_key key = {.nw_dst = htonl(7)};
	const struct packet_key *keys = &key;
	const struct rule *best = other;
	other->priority = 1;
	kind->find(lookup, 5, &keys, 1, 1, &best);
	assert_ptr_equal(best, other);
	other->priority = 0;
	kind->find(lookup, 5, &keys, 1, 1, &best);
	assert_ptr_equal(best, &rules[1]);
	kind->destroy(lookup);
	free_retired();
	free(rules);
	free(other);
}

static void test_versions(void **state)
{
	check_versions(&lookup_hash);
	check_versions(&lookup_bits);
}

static void test_bits_holds_512(void **state)
{
	struct rule *rules = rules_make(LOOKUP_BITS_RULES + 1);
	struct lookup *bits = lookup_bits.create(NULL, later);

	for (uint32_t r = 0; r < LOOKUP_BITS_RULES; r++) {
		rule_dst(&rules[r], r << 16, 8 + r % 25);
		rules[r].priority = (uint16_t)(1000 - r);
		assert_int_equal(lookup_bits.insert(bits, &rules[r]), 0);
	}
	assert_int_equal(lookup_bits.insert(bits, &rules[LOOKUP_BITS_RULES]), -ENOSPC);
	assert_int_equal(bits->count, LOOKUP_BITS_RULES);
	// A slot that was given up is used again.
	lookup_bits.remove(bits, &rules[100]);
	rule_dst(&rules[LOOKUP_BITS_RULES], 0xc0000001, 32);
	rules[LOOKUP_BITS_RULES].priority = 1000 - 100;
	assert_int_equal(lookup_bits.insert(bits, &rules[LOOKUP_BITS_RULES]), 0);
	assert_ptr_equal(find_dst(bits, 1, 0xc0000001), &rules[LOOKUP_BITS_RULES]);
	lookup_bits.destroy(bits);
	lookup_bits.destroy(NULL);
	free_retired();
	free(rules);
}

// In whatever order rules come, a block takes so many, and what it refuses leaves it as it was.
static void check_crowd(unsigned first, unsigned step)
{
	struct rule *rules = rules_make(LOOKUP_BITS_RULES);
	struct lookup *bits = lookup_bits.create(NULL, later);
	uint32_t taken = 0;
	unsigned at = first;

	for (unsigned r = 0; r < LOOKUP_BITS_RULES; r++)
		rules[r].priority = (uint16_t)(1000 - r);
	for (; taken < LOOKUP_BITS_RULES; taken++) {
		rule_dst(&rules[at], at, 32);
		if (lookup_bits.insert(bits, &rules[at]) != 0)
			break;
		at = (at + step) % LOOKUP_BITS_RULES;
	}
	assert_in_range(taken, LOOKUP_BITS_CROWDED, LOOKUP_BITS_RULES);
	assert_int_equal(bits->count, taken);
	at = first;
	for (unsigned r = 0; r < LOOKUP_BITS_RULES; r++) {
		assert_ptr_equal(find_dst(bits, 1, at), r < taken ? &rules[at] : NULL);
		at = (at + step) % LOOKUP_BITS_RULES;
	}
	lookup_bits.destroy(bits);
	free_retired();
	free(rules);
}

static void test_bits_crowd(void **state)
{
	check_crowd(LOOKUP_BITS_RULES - 1, LOOKUP_BITS_RULES - 1); // each before all others
	check_crowd(0, 1);
	check_crowd(3, 5);
	check_crowd(0, 199);
	check_crowd(256, 511);
}

static void test_bits_lines(void **state)
{
	struct rule *rules = rules_make(3);
	struct lookup *bits = lookup_bits.create(NULL, later);

	assert_int_equal(bits->lines, 0);
	rules[0].mask.ipv6_dst[4] = 0xff;
	rules[1].mask.nd_target[0] = 0x80;
	rules[2].mask.in_port = 0xffff;
	lookup_bits.insert(bits, &rules[0]);
	assert_int_equal(bits->lines, 2);
	lookup_bits.insert(bits, &rules[1]);
	assert_int_equal(bits->lines, 6);
	lookup_bits.insert(bits, &rules[2]);
	assert_int_equal(bits->lines, 7);
	lookup_bits.destroy(bits);
	free_retired();
	free(rules);
}

// Every width of rows, built at once and one by one, with AVX-512 and without: the same.
static void check_width(unsigned count, bool refuse_avx512)
{
	struct rule *rules = rules_make(count);
	struct rule **sorted = malloc(count * sizeof *sorted);
	uint64_t seed = count;

	assert_non_null(sorted);
	lookup_bits_refuse_avx512(refuse_avx512);
	struct lookup *grown = lookup_bits.create(NULL, later);
	for (unsigned r = 0; r < count; r++) {
		sorted[r] = &rules[r];
		rules[r].priority = (uint16_t)(1000 - r);
		rule_dst(&rules[r], (uint32_t)random_next(&seed), r % 33);
		rules[r].mask.tp_dst = htons(0x0fff);
		rules[r].value.tp_dst = htons((uint16_t)(r % 7));
	}
	for (unsigned r = 0; r < count; r++) {
		unsigned next = count <= LOOKUP_BITS_CROWDED ? (r * 5 + 3) % count : r;

		assert_int_equal(lookup_bits.insert(grown, &rules[next]), 0);
	}
	struct lookup *built = lookup_bits_build(sorted, count, later);
	assert_int_equal(built->count, count);
	for (unsigned round = 0; round < 2000; round++) {
		const struct rule *want = NULL, *made = &rules[random_next(&seed) % count];
		struct packet_key key = {.tp_dst = made->value.tp_dst};

		key.nw_dst =
			made->value.nw_dst | (~made->mask.nw_dst & (uint32_t)random_next(&seed));
		for (unsigned r = 0; r < count && !want; r++) {
			if ((key.nw_dst & rules[r].mask.nw_dst) == rules[r].value.nw_dst &&
				key.tp_dst == rules[r].value.tp_dst)
				want = &rules[r];
		}
		assert_ptr_equal(find_one(grown, 1, &key), want);
		assert_ptr_equal(find_one(built, 1, &key), want);
	}
	lookup_bits.destroy(grown);
	lookup_bits.destroy(built);
	lookup_bits_refuse_avx512(false);
	free_retired();
	free(sorted);
	free(rules);
}

static void test_bits_widths(void **state)
{
	// Not multiples of 5, for the order of insertion.
	static const unsigned counts[] = {1, 63, 64, 66, 128, 129, 256, 257, 511, 512};

	for (unsigned c = 0; c < sizeof counts / sizeof counts[0]; c++) {
		check_width(counts[c], false);
		check_width(counts[c], true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule_order),
		cmocka_unit_test(test_visibility),
		cmocka_unit_test(test_hash_serves_one_mask),
		cmocka_unit_test(test_hash_grows_and_shrinks),
		cmocka_unit_test(test_hash_chain),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_bits_holds_512),
		cmocka_unit_test(test_bits_crowd),
		cmocka_unit_test(test_bits_lines),
		cmocka_unit_test(test_bits_widths),
	};

	return cmocka_run_group_tests_name("lookup_kinds", tests, NULL, NULL);
}
