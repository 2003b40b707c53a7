// SPDX-License-Identifier: Apache-2.0
// The published worst case of a lookup against the reads that lookups make, which builds with
// LOOKUP_COUNTED count.

#include <stdio.h>

#include "rules.h"

static uint64_t seed;

static uint32_t random_below(uint32_t limit)
{
	return (uint32_t)(random_next(&seed) % limit);
}

// --- Rules and packets ---

static void rule_acl(struct rule *rule, uint32_t number)
{
	static const uint8_t lengths[] = {0, 8, 16, 24, 24, 32, 32, 32};

	rule->priority = (uint16_t)(40000 - number);
	rule->mask.nw_src = htonl((uint32_t)(0xffffffff00000000 >> lengths[random_below(8)]));
	rule->mask.nw_dst = htonl((uint32_t)(0xffffffff00000000 >> lengths[random_below(8)]));
	rule->mask.tp_dst = random_below(4) ? 0xffff : 0;
	rule->value.nw_src = htonl(0x0a000000 + random_below(1000) * 259) & rule->mask.nw_src;
	rule->value.nw_dst = htonl(0x0b000000 + random_below(1000) * 259) & rule->mask.nw_dst;
	rule->value.tp_dst = htons((uint16_t)random_below(50)) & rule->mask.tp_dst;
}

static void rule_exact(struct rule *rule, uint32_t number)
{
	rule->priority = 500;
	rule->mask.in_port = 0xffff;
	rule->mask.nw_src = rule->mask.nw_dst = 0xffffffff;
	rule->value.in_port = htons(1);
	rule->value.nw_src = htonl(number);
	rule->value.nw_dst = htonl(number * 7);
}

static void rule_any(struct rule *rule, uint32_t number)
{
	uint64_t *mask = (uint64_t *)&rule->mask, *value = (uint64_t *)&rule->value;

	rule->priority = (uint16_t)random_below(30000);
	for (unsigned words = 1 + random_below(3); words > 0; words--) {
		unsigned w = random_below(KEY_WORDS);

		mask[w] = random_next(&seed) & random_next(&seed);
		value[w] = random_next(&seed) & mask[w];
	}
	(void)number;
}

// Near to a rule: in all that it demands, or with a bit that is wrong.
static void key_make(struct packet_key *key, const struct rule *rule)
{
	uint64_t *words = (uint64_t *)key;

	for (unsigned w = 0; w < KEY_WORDS; w++)
		words[w] = (random_next(&seed) & ~((const uint64_t *)&rule->mask)[w]) |
			   ((const uint64_t *)&rule->value)[w];
	if (random_below(3) == 0)
		words[random_below(KEY_WORDS)] ^= UINT64_C(1) << random_below(64);
}

// The most that a lookup of one packet took, of many.
static uint64_t most_counted(const struct flow_table *table, const struct rule rules[], size_t count)
{
	struct packet_key keys[LOOKUP_BURST];
	const struct packet_key *pointers[LOOKUP_BURST];
	const struct rule *best[LOOKUP_BURST];
	uint64_t most = 0;

	for (unsigned i = 0; i < LOOKUP_BURST; i++)
		pointers[i] = &keys[i];
	for (unsigned round = 0; round < 3000; round++) {
		uint64_t before = lookup_counted, sum = 0;

		for (unsigned i = 0; i < LOOKUP_BURST; i++) {
			uint64_t start = lookup_counted;

			key_make(&keys[i], &rules[random_below((uint32_t)count)]);
			flow_table_find(table, 1, &pointers[i], 1, 1, best);
			most = lookup_counted - start > most ? lookup_counted - start : most;
		}
		sum = lookup_counted - before;
		before = lookup_counted;
		flow_table_find(table, 1, pointers, UINT32_MAX, LOOKUP_BURST, best);
		// Together they read what they read one by one.
		assert_true(lookup_counted - before <= sum);
	}
	return most;
}

static struct flow_table_shape shape_of(const struct flow_table *table)
{
	struct flow_table_shape shape;

	flow_table_shape(table, &shape);
	return shape;
}

// `reached`: is it sure that some of the packets is a worst one?
static void check(
	const char *name, void (*make)(struct rule *, uint32_t), uint32_t count, bool reached)
{
	struct flow_table *table = flow_table_create(later);
	struct rule *rules = rules_make(count);
	struct flow_table_shape shape;
	uint64_t most;

	for (uint32_t r = 0; r < count; r++) {
		make(&rules[r], r);
		assert_int_equal(flow_table_insert(table, &rules[r]), 0);
	}
	shape = shape_of(table);
	assert_int_equal(shape.hashes.rules + shape.blocks.rules, count);
	most = most_counted(table, rules, count);
	print_message("%s %u: %u hashes, %u blocks: %lu steps of at most %u\n", name, count,
		shape.hashes.count, shape.blocks.count, most, shape.steps);
	assert_true(most > 0);
	assert_in_range(most, 1, shape.steps);
	if (reached)
		assert_int_equal(most, shape.steps);
	flow_table_destroy(table);
	free_retired();
	free(rules);
}

static void test_blocks(void **state)
{
	static const uint32_t counts[] = {1, 10, 64, 65, 200, 300, 512};

	for (unsigned c = 0; c < sizeof counts / sizeof counts[0]; c++) {
		lookup_bits_refuse_avx512(c % 2);
		check("access list", rule_acl, counts[c], true);
		check("arbitrary masks", rule_any, counts[c], true);
	}
	lookup_bits_refuse_avx512(false);
}

// Several, with a filter and without.
static void test_tables(void **state)
{
	check("access list", rule_acl, 1000, false);
	check("access list", rule_acl, 5000, false);
	check("arbitrary masks", rule_any, 900, false);
	check("arbitrary masks", rule_any, 3000, false);
}

static void test_hashes(void **state)
{
	check("exact", rule_exact, 1, true);
	check("exact", rule_exact, 10, false);
	check("exact", rule_exact, 3000, false);
	check("exact", rule_exact, 30000, false);
}

static uint32_t mixed;

static void rule_mixed(struct rule *rule, uint32_t number)
{
	if (number < mixed)
		rule_exact(rule, number);
	else
		rule_any(rule, number);
}

static void test_mixture(void **state)
{
	mixed = 2000;
	check("exact and arbitrary", rule_mixed, 2600, false);
}

// Cycles follow from steps, and memory that is far away costs more.
static void test_cycles(void **state)
{
	struct lookup_cost cost = {{[STEP_ROW] = 10, [STEP_ENTRY] = 1}};
	struct lookup_cost more = {{[STEP_BUCKET] = 2}};

	assert_int_equal(lookup_cost_steps(&cost), 11);
	assert_true(lookup_cost_cycles(&cost, 1000) >= 11);
	assert_true(lookup_cost_cycles(&cost, 100000000) > lookup_cost_cycles(&cost, 1000));
	lookup_cost_add(&cost, &more);
	assert_int_equal(lookup_cost_steps(&cost), 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_hashes),
		cmocka_unit_test(test_mixture),
		cmocka_unit_test(test_cycles),
	};

	seed = 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
