// SPDX-License-Identifier: Apache-2.0
// What is told beforehand of the cost of lookups, against the tables that are made of the same flows.

#include "pipeline/lookup_budget.h"
#include "rules.h"

#include "pipeline/flow_table_private.h"

#define PARTS 1024

static uint64_t seed = 1;

static uint32_t random_below(uint32_t limit)
{
	return (uint32_t)(random_next(&seed) % limit);
}

// --- Flows of some shapes ---

static void match_exact(struct match *match, uint32_t number)
{
	match->mask.in_port = 0xffff;
	match->value.in_port = htons(1);
	match->mask.nw_src = match->mask.nw_dst = 0xffffffff;
	match->value.nw_src = htonl(number);
	match->value.nw_dst = htonl(number ^ 0x0a000000);
	match->mask.nw_proto = 0xff;
	match->mask.tp_dst = 0xffff;
}

// Bits of MAC addresses, addresses and ports in any combination.
static void match_arbitrary(struct match *match, uint32_t number)
{
	uint64_t *masks = (uint64_t *)&match->mask, *values = (uint64_t *)&match->value;

	(void)number;
	for (unsigned w = 0; w < 5; w++) {
		masks[w] = random_next(&seed) & random_next(&seed);
		values[w] = random_next(&seed) & masks[w];
	}
	match->mask.pad0 = match->value.pad0 = 0;
}

static void match_prefix(struct match *match, uint32_t number)
{
	unsigned bits = 8 + random_below(25);

	match->mask.nw_dst = htonl((uint32_t)(0xffffffff00000000 >> bits));
	match->value.nw_dst = htonl((number + 1) * 2654435761u) & match->mask.nw_dst;
}

static void match_ports(struct match *match, uint32_t number)
{
	uint16_t first = (uint16_t)(1 + random_below(30000));

	match->mask.nw_dst = 0xffffffff;
	match->value.nw_dst = htonl(number);
	match->tp_dst = (struct port_range){first, (uint16_t)(first + 1 + random_below(30000))};
}

static unsigned parts_of_mixture;

static void match_mixture(struct match *match, uint32_t number)
{
	static void (*const makers[])(
		struct match *, uint32_t) = {match_exact, match_prefix, match_arbitrary, match_ports};

	makers[number % 7 ? 0 : number / 7 % parts_of_mixture](match, number);
}

// --- Both sides ---

struct flow_shape {
	struct match match;
	struct budget_mask *mask;
	struct rule *rules;
	long count;
};

static void shape_make(struct flow_shape *shape, struct lookup_budget *budget,
	void (*make)(struct match *, uint32_t), uint32_t number)
{
	static struct match parts[PARTS];

	match_init(&shape->match);
	make(&shape->match, number);
	shape->count = (long)match_expand(&shape->match, parts, PARTS);
	assert_in_range(shape->count, 1, PARTS);
	shape->rules = rules_make((size_t)shape->count);
	for (long i = 0; i < shape->count; i++) {
		shape->rules[i].value = parts[i].value;
		shape->rules[i].mask = parts[i].mask;
		shape->rules[i].origin = &shape->match;
		shape->rules[i].priority = (uint16_t)(number % 1000);
	}
	shape->mask = lookup_budget_enter(budget, 3, &shape->match);
	assert_non_null(shape->mask);
}

static void compare(const char *name, const struct flow_table *table,
	const struct lookup_budget *budget)
{
	struct lookup_estimate estimate;
	struct flow_table_shape shape;

	flow_table_shape(table, &shape);
	lookup_budget_estimate(budget, 3, &estimate);
	print_message("%s: %zu rules: %u hashes, %u blocks, %u steps; told: %zu, %zu, %zu\n", name,
		shape.rules, shape.hashes.count, shape.blocks.count, shape.steps, estimate.hashes,
		estimate.blocks, estimate.steps);
	assert_int_equal(estimate.rules, shape.rules);
	assert_in_range(shape.steps, shape.rules > 0, estimate.steps);
	// Not just any large number.
	assert_true(estimate.blocks <= 3 * shape.blocks.rules / LOOKUP_BITS_RULES + 4);
}

static void check(const char *name, void (*make)(struct match *, uint32_t), uint32_t count)
{
	struct flow_shape *shapes = aligned_alloc(64, count * sizeof *shapes);
	struct lookup_budget *budget = lookup_budget_create();
	struct flow_table *table = flow_table_create(later);
	struct lookup_estimate estimate;

	assert_non_null(shapes);
	for (uint32_t f = 0; f < count; f++) {
		shape_make(&shapes[f], budget, make, f);
		for (long i = 0; i < shapes[f].count; i++)
			assert_int_equal(flow_table_insert(table, &shapes[f].rules[i]), 0);
		lookup_budget_count(budget, 3, shapes[f].mask, shapes[f].count);
		if (f % (count / 5 + 1) == 0)
			compare(name, table, budget);
		free_retired();
	}
	compare(name, table, budget);
	for (uint32_t f = 0; f < count; f++) {
		for (long i = 0; i < shapes[f].count; i++)
			flow_table_remove(table, &shapes[f].rules[i]);
		lookup_budget_count(budget, 3, shapes[f].mask, -shapes[f].count);
		lookup_budget_leave(budget, 3, shapes[f].mask);
		if (f % (count / 5 + 1) == 0) {
			assert_int_equal(flow_table_reshape(table), 0);
			compare(name, table, budget);
		}
		free_retired();
		free(shapes[f].rules);
	}
	lookup_budget_estimate(budget, 3, &estimate);
	assert_int_equal(estimate.steps, 0);
	assert_int_equal(estimate.bytes, 0);
	assert_int_equal(estimate.masks, 0);
	flow_table_destroy(table);
	free_retired();
	lookup_budget_destroy(budget);
	free(shapes);
}

static void test_against_tables(void **state)
{
	static const uint32_t counts[] = {1, 2, 63, 400, 600, 1500, 4000};

	for (unsigned c = 0; c < sizeof counts / sizeof counts[0]; c++) {
		check("exact", match_exact, counts[c]);
		check("arbitrary", match_arbitrary, counts[c]);
		check("prefixes", match_prefix, counts[c]);
	}
	check("ranges", match_ports, 5);
	check("ranges", match_ports, 300);
	for (parts_of_mixture = 1; parts_of_mixture <= 4; parts_of_mixture++)
		check("mixture", match_mixture, 3000);
}

// --- What a default limit allows ---

static size_t steps_for(uint32_t exact, uint32_t arbitrary)
{
	struct lookup_budget *budget = lookup_budget_create();
	struct lookup_estimate estimate;

	for (uint32_t f = 0; f < exact + arbitrary; f++) {
		struct budget_mask *mask;
		struct match match;

		match_init(&match);
		if (f < exact)
			match_exact(&match, f);
		else
			match_arbitrary(&match, f);
		mask = lookup_budget_enter(budget, 0, &match);
		assert_non_null(mask);
		lookup_budget_count(budget, 0, mask, 1);
	}
	lookup_budget_estimate(budget, 0, &estimate);
	lookup_budget_destroy(budget);
	return estimate.steps;
}

static void test_default_limit(void **state)
{
	assert_in_range(steps_for(100000, 10000), 100, 8192);
	assert_in_range(steps_for(1000000, 0), 1, 100);
	assert_true(steps_for(0, 100000) > 8192);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_tables),
		cmocka_unit_test(test_default_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
