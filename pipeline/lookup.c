// SPDX-License-Identifier: Apache-2.0
// What all lookup structures agree on: which rule is the better one, and who sees it.

#include "pipeline/lookup.h"

#include <string.h>

static const struct match *rule_match(const struct rule *rule, struct match *space)
{
	if (rule->origin)
		return rule->origin;
	*space = (struct match){.value = rule->value, .mask = rule->mask};
	return space;
}

static bool rule_precedes(const struct rule *a, const struct rule *b)
{
	struct match a_space, b_space;

	return match_compare(rule_match(a, &a_space), rule_match(b, &b_space)) < 0;
}

bool rule_better(const struct rule *a, const struct rule *b)
{
	if (!b)
		return true;
	if (a->priority != b->priority)
		return a->priority > b->priority;
	return a != b && rule_precedes(a, b);
}

bool rule_visible(const struct rule *rule, uint64_t version)
{
	// `born` was published with the rule. `died` may be written meanwhile, but only with a
	// version that is not published yet: old and new value mean the same to any reader.
	return rule->born <= version && version < __atomic_load_n(&rule->died, __ATOMIC_RELAXED);
}
