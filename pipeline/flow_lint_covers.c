// SPDX-License-Identifier: Apache-2.0
// Lint: flows that never match because another one covers them; see flow_lint.h.
//
// A flow can only cover those whose mask has all bits of its own. So for each mask that there is,
// the masks that it contains are found once, and each flow is looked up once under each of them.

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_lint_masks.h"

struct covers {
	struct lint *lint;
	struct mask_groups masks;
	struct hash_chains chains;
	struct packet_key mask; // whose subsets are in `subsets`
	size_t *subsets;        // groups
	size_t n_subsets;
	bool has_subsets;
};

static bool mask_contains(const struct packet_key *mask, const struct mask_group *group)
{
	const uint64_t *m = (const uint64_t *)mask, *g = (const uint64_t *)group->mask;

	for (uint32_t words = group->words; words; words &= words - 1) {
		unsigned w = (unsigned)__builtin_ctz(words);

		if (g[w] & ~m[w])
			return false;
	}
	return true;
}

// A range fixes the bits that all its ports have in common.
static void range_prefix(struct port_range range, uint16_t *value, uint16_t *mask)
{
	uint16_t differ = range.first ^ range.last;
	uint16_t fixed = 0xffff;

	if (!range.first && !range.last)
		return;
	if (differ)
		fixed = (uint16_t) ~((2u << (31 - __builtin_clz(differ))) - 1);
	*mask = htons(fixed);
	*value = htons(range.first & fixed);
}

// False: no work left.
static bool subsets_find(struct covers *covers, const struct packet_key *mask)
{
	if (covers->has_subsets && memcmp(mask, &covers->mask, sizeof(*mask)) == 0)
		return true;
	// Comparing masks is little work beside comparing flows.
	if (!lint_step(covers->lint, covers->masks.count / 4))
		return false;
	covers->mask = *mask;
	covers->has_subsets = true;
	covers->n_subsets = 0;
	for (size_t g = 0; g < covers->masks.count; g++) {
		if (mask_contains(mask, &covers->masks.groups[g]))
			covers->subsets[covers->n_subsets++] = g;
	}
	return true;
}

static bool is_duplicate(const struct linted_flow *flow, const struct linted_flow *other)
{
	return flow->actions == other->actions &&
	       match_equal(&flow->flow->match, &other->flow->match);
}

// The best flow before `position` that covers it and has a mask of `group`; a duplicate, if there
// is one, as that says best what is wrong.
static size_t group_cover(struct covers *covers, const struct mask_group *group,
	const struct packet_key *value, size_t position)
{
	const struct linted_flow *flows = covers->lint->flows;
	const struct match *match = &flows[position].flow->match;
	uint64_t hash = mask_hash(value, group->mask, group->words);
	size_t at = covers->chains.heads[hash & covers->chains.mask];
	size_t best = FLOW_LINT_NONE;

	// Better flows come first, so behind the flow itself there is nothing to find.
	for (; at && at - 1 < position; at = covers->chains.next[at - 1 - covers->chains.first]) {
		size_t other = at - 1;

		if (!lint_step(covers->lint, match_steps(match)))
			break;
		if (is_duplicate(&flows[position], &flows[other]))
			return other;
		if (best == FLOW_LINT_NONE && match_covers(&flows[other].flow->match, match))
			best = other;
	}
	return best;
}

static size_t cover_find(struct covers *covers, size_t position)
{
	const struct linted_flow *flows = covers->lint->flows;
	struct match match = flows[position].flow->match;
	size_t best = FLOW_LINT_NONE;

	range_prefix(match.tp_src, &match.value.tp_src, &match.mask.tp_src);
	range_prefix(match.tp_dst, &match.value.tp_dst, &match.mask.tp_dst);
	if (!subsets_find(covers, &match.mask) || !lint_step(covers->lint, covers->n_subsets))
		return FLOW_LINT_NONE;
	for (size_t s = 0; s < covers->n_subsets; s++) {
		size_t other = group_cover(
			covers, &covers->masks.groups[covers->subsets[s]], &match.value, position);

		if (other == FLOW_LINT_NONE)
			continue;
		if (is_duplicate(&flows[position], &flows[other]))
			return other;
		if (best == FLOW_LINT_NONE || other < best)
			best = other;
	}
	return best;
}

static int cover_tell(struct lint *lint, size_t position, size_t other)
{
	const struct linted_flow *flow = &lint->flows[position], *cover = &lint->flows[other];
	char text[200], cover_text[200];

	lint_describe(lint, position, text, sizeof(text));
	lint_describe(lint, other, cover_text, sizeof(cover_text));
	if (flow->actions == cover->actions && match_equal(&flow->flow->match, &cover->flow->match))
		return lint_add(lint, FLOW_LINT_DUPLICATE, position, other,
			"\"%s\" in table %u is there with priority %u too, with the same actions; "
			"delete one of them",
			text, flow->flow->table, cover->flow->priority);
	return lint_add(lint, FLOW_LINT_SHADOWED, position, other,
		"\"%s\" in table %u never matches: \"%s\" goes before it and covers all of it; "
		"delete it%s",
		text, flow->flow->table, cover_text,
		cover->flow->priority == UINT16_MAX ? ", or narrow the other"
						    : ", or give it the higher priority");
}

// Flows are put in from the last on, so that chains begin with the best.
static void chains_fill(struct covers *covers)
{
	const struct linted_flow *flows = covers->lint->flows;

	for (size_t g = 0; g < covers->masks.count; g++) {
		const struct mask_group *group = &covers->masks.groups[g];

		for (size_t i = 0; i < group->count; i++)
			covers->subsets[covers->masks.members[group->first + i] -
					covers->chains.first] = g;
	}
	for (size_t i = covers->masks.n_members; i-- > 0;) {
		size_t position = covers->chains.first + i;
		const struct mask_group *group = &covers->masks.groups[covers->subsets[i]];

		if (flows[position].lasts)
			hash_chains_put(&covers->chains,
				mask_hash(&flows[position].flow->match.value, group->mask,
					group->words),
				position);
	}
}

static int table_covers(struct covers *covers)
{
	struct lint *lint = covers->lint;

	chains_fill(covers);
	// Group by group, as the subsets are the same for a whole group.
	for (size_t i = 0; i < covers->masks.n_members && lint->steps; i++) {
		size_t position = covers->masks.members[i];
		size_t other = cover_find(covers, position);

		if (other == FLOW_LINT_NONE)
			continue;
		lint->flows[position].hidden = true;
		if (cover_tell(lint, position, other))
			return -ENOMEM;
	}
	return 0;
}

int lint_covers(struct lint *lint)
{
	int error = 0;

	for (unsigned table = 0; table < LINT_TABLES && !error; table++) {
		size_t first = lint->first[table], end = lint->first[table + 1];
		struct covers *covers;

		if (end - first < 2)
			continue;
		covers = aligned_alloc(_Alignof(struct covers), sizeof(*covers));
		if (!covers)
			return -ENOMEM;
		memset(covers, 0, sizeof(*covers));
		covers->lint = lint;
		covers->subsets = calloc(end - first, sizeof(*covers->subsets));
		error = covers->subsets ? 0 : -ENOMEM;
		if (!error)
			error = mask_groups_make(&covers->masks, lint, first, end);
		if (!error)
			error = hash_chains_make(&covers->chains, first, end);
		if (!error)
			error = table_covers(covers);
		mask_groups_free(&covers->masks);
		hash_chains_free(&covers->chains);
		free(covers->subsets);
		free(covers);
	}
	return error;
}
