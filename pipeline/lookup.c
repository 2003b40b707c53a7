// SPDX-License-Identifier: Apache-2.0
// What all lookup structures agree on: which of two rules of one priority comes first.

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
