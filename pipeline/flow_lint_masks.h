// SPDX-License-Identifier: Apache-2.0
#pragma once

// Flows of one table grouped by mask, for the parts of lint that compare matches. Within a group,
// flows are the same in what they match on, so that a hash of the value finds those that can
// cover or overlap. A range of ports is not in the mask: it is left to match_covers() and
// match_overlaps().

#include "pipeline/flow_lint_private.h"

struct mask_group {
	const struct packet_key *mask;
	uint32_t words; // bit w: word w of the mask is not zero
	size_t first;   // of masks->members
	size_t count;
};

struct mask_groups {
	struct mask_group *groups;
	size_t count;
	size_t *members; // positions, group by group, better flows first within a group
	size_t n_members;
};

// Of the flows from position `first` to `end` - 1. 0 or -ENOMEM; mask_groups_free() if 0.
int mask_groups_make(struct mask_groups *masks, const struct lint *lint, size_t first, size_t end);
void mask_groups_free(struct mask_groups *masks);

uint32_t mask_words(const struct packet_key *mask);

// A hash of value & mask, where `words` are the words of the mask that are not zero.
uint64_t mask_hash(const struct packet_key *value, const struct packet_key *mask, uint32_t words);

// Chains of positions by hash. Those that were put in last come first.
struct hash_chains {
	size_t *heads; // position + 1, 0 ends
	size_t *next;  // by position - first
	size_t first;
	uint64_t mask;
};

// For positions from `first` to `end` - 1. 0 or -ENOMEM.
int hash_chains_make(struct hash_chains *chains, size_t first, size_t end);
void hash_chains_free(struct hash_chains *chains);

static inline void hash_chains_put(struct hash_chains *chains, uint64_t hash, size_t position)
{
	chains->next[position - chains->first] = chains->heads[hash & chains->mask];
	chains->heads[hash & chains->mask] = position + 1;
}
