// SPDX-License-Identifier: Apache-2.0
// Lint: flows of one priority that share packets; see flow_lint.h.
//
// Two masks are compared at a time: flows can only overlap where they agree on the bits that both
// masks have, so one group is hashed by those and the other looked up.

#include <errno.h>
#include <stdlib.h>

#include "pipeline/flow_lint_masks.h"

#define PAIRS_DIRECT 64 // up to this many, comparing all with all is quicker than hashing

struct overlaps {
	struct lint *lint;
	struct mask_groups masks;
	struct hash_chains chains; // of no use between two pairs of groups
	size_t first;
	size_t *winners; // by position - first: the first flow that was found to overlap it
};

static void flows_compare(struct overlaps *overlaps, size_t a, size_t b)
{
	const struct linted_flow *flows = overlaps->lint->flows;
	size_t winner = a < b ? a : b, loser = a < b ? b : a;
	size_t *found = &overlaps->winners[loser - overlaps->first];

	if (flows[a].actions == flows[b].actions || winner >= *found || flows[winner].hidden ||
		flows[loser].hidden)
		return;
	if (match_overlaps(&flows[a].flow->match, &flows[b].flow->match))
		*found = winner;
}

static void groups_compare_all(
	struct overlaps *overlaps, const struct mask_group *x, const struct mask_group *y)
{
	const size_t *members = overlaps->masks.members;

	if (!lint_step(overlaps->lint, x->count * y->count))
		return;
	for (size_t i = 0; i < x->count; i++) {
		for (size_t j = 0; j < y->count; j++)
			flows_compare(overlaps, members[x->first + i], members[y->first + j]);
	}
}

static void groups_compare_hashed(
	struct overlaps *overlaps, const struct mask_group *x, const struct mask_group *y)
{
	const struct linted_flow *flows = overlaps->lint->flows;
	struct hash_chains *chains = &overlaps->chains;
	const size_t *members = overlaps->masks.members;
	struct packet_key common = *x->mask;
	uint64_t *c = (uint64_t *)&common;
	uint32_t words;

	for (unsigned w = 0; w < KEY_WORDS; w++)
		c[w] &= ((const uint64_t *)y->mask)[w];
	words = mask_words(&common);
	if (!lint_step(overlaps->lint, x->count + y->count))
		return;
	for (size_t i = 0; i < x->count; i++) {
		size_t position = members[x->first + i];

		hash_chains_put(chains,
			mask_hash(&flows[position].flow->match.value, &common, words), position);
	}
	for (size_t j = 0; j < y->count; j++) {
		size_t position = members[y->first + j];
		uint64_t hash = mask_hash(&flows[position].flow->match.value, &common, words);
		size_t at = chains->heads[hash & chains->mask];

		for (; at && lint_step(overlaps->lint, 1);
			at = chains->next[at - 1 - chains->first])
			flows_compare(overlaps, at - 1, position);
	}
	for (size_t i = 0; i < x->count; i++) {
		uint64_t hash =
			mask_hash(&flows[members[x->first + i]].flow->match.value, &common, words);

		chains->heads[hash & chains->mask] = 0;
	}
}

static bool group_has_ranges(const struct overlaps *overlaps, const struct mask_group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct match *match =
			&overlaps->lint->flows[overlaps->masks.members[group->first + i]]
				 .flow->match;

		if (match_steps(match) > 1)
			return true;
	}
	return false;
}

static void groups_compare(struct overlaps *overlaps)
{
	for (size_t g = 0; g < overlaps->masks.count && overlaps->lint->steps; g++) {
		const struct mask_group *x = &overlaps->masks.groups[g];

		// Flows of one mask are apart, unless it is the ranges that differ.
		if (x->count > 1 && group_has_ranges(overlaps, x))
			groups_compare_hashed(overlaps, x, x);
		for (size_t h = g + 1; h < overlaps->masks.count; h++) {
			const struct mask_group *y = &overlaps->masks.groups[h];

			if (x->count * y->count <= PAIRS_DIRECT)
				groups_compare_all(overlaps, x, y);
			else if (x->count < y->count)
				groups_compare_hashed(overlaps, x, y);
			else
				groups_compare_hashed(overlaps, y, x);
		}
	}
}

static int overlaps_tell(struct overlaps *overlaps, size_t end)
{
	struct lint *lint = overlaps->lint;

	for (size_t loser = overlaps->first; loser < end; loser++) {
		size_t winner = overlaps->winners[loser - overlaps->first];
		char text[200], winner_text[200];

		if (winner == FLOW_LINT_NONE)
			continue;
		lint_describe(lint, loser, text, sizeof(text));
		lint_describe(lint, winner, winner_text, sizeof(winner_text));
		if (lint_add(lint, FLOW_LINT_OVERLAP, loser, winner,
			    "\"%s\" in table %u overlaps \"%s\" of the same priority: where both "
			    "match, the "
			    "latter goes first, by the fixed order of masks and values; give the "
			    "one "
			    "that should go first the higher priority",
			    text, lint->flows[loser].flow->table, winner_text))
			return -ENOMEM;
	}
	return 0;
}

// The flows from `first` to `end` - 1, which are of one table and priority.
static int priority_overlaps(struct lint *lint, size_t first, size_t end)
{
	struct overlaps overlaps = {.lint = lint, .first = first};
	int error = mask_groups_make(&overlaps.masks, lint, first, end);

	if (error)
		return error;
	overlaps.winners = malloc((end - first) * sizeof(*overlaps.winners));
	error = overlaps.winners ? hash_chains_make(&overlaps.chains, first, end) : -ENOMEM;
	if (!error) {
		for (size_t i = 0; i < end - first; i++)
			overlaps.winners[i] = FLOW_LINT_NONE;
		groups_compare(&overlaps);
		error = overlaps_tell(&overlaps, end);
	}
	hash_chains_free(&overlaps.chains);
	free(overlaps.winners);
	mask_groups_free(&overlaps.masks);
	return error;
}

int lint_overlaps(struct lint *lint)
{
	int error = 0;

	for (size_t first = 0, end; first < lint->count && !error; first = end) {
		const struct flow *flow = lint->flows[first].flow;

		for (end = first + 1; end < lint->count; end++) {
			if (lint->flows[end].flow->table != flow->table ||
				lint->flows[end].flow->priority != flow->priority)
				break;
		}
		if (end - first > 1)
			error = priority_overlaps(lint, first, end);
	}
	return error;
}
