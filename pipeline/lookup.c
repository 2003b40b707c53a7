// SPDX-License-Identifier: Apache-2.0
// What all lookup structures agree on: which of two rules of one priority comes first, and what steps
// cost.

#include "pipeline/lookup.h"

#include <string.h>

static const struct match *rule_match(const struct rule *rule, struct match *space)
{
	if (rule->origin)
		return rule->origin;
	*space = (struct match){.value = rule->value, .mask = rule->mask};
	return space;
}

bool rule_precedes(const struct rule *a, const struct rule *b)
{
	struct match a_space, b_space;

	return match_compare(rule_match(a, &a_space), rule_match(b, &b_space)) < 0;
}

// --- Costs ---

#ifdef LOOKUP_COUNTED
uint64_t lookup_counted;
#endif

// Cycles, in structures that fit into the second level cache, and in others.
static const struct {
	uint8_t near, far;
} step_cycles[STEP_KINDS] = {
	[STEP_BUCKET] = {10, 20},
	[STEP_ENTRY] = {8, 20},
	[STEP_ROW] = {3, 6},
	[STEP_FILTER] = {3, 3},
	[STEP_TRIE] = {3, 6},
};
#define NEAR_BYTES (1u << 20)

unsigned lookup_cost_steps(const struct lookup_cost *cost)
{
	unsigned sum = 0;

	for (unsigned kind = 0; kind < STEP_KINDS; kind++)
		sum += cost->steps[kind];
	return sum;
}

unsigned lookup_cost_cycles(const struct lookup_cost *cost, size_t memory)
{
	unsigned sum = 0;

	for (unsigned kind = 0; kind < STEP_KINDS; kind++)
		sum += cost->steps[kind] *
		       (memory <= NEAR_BYTES ? step_cycles[kind].near : step_cycles[kind].far);
	return sum;
}
