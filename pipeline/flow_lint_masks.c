// SPDX-License-Identifier: Apache-2.0
// Lint: flows grouped by mask; see flow_lint_masks.h.

#include "pipeline/flow_lint_masks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint32_t mask_words(const struct packet_key *mask)
{
	const uint64_t *m = (const uint64_t *)mask;
	uint32_t words = 0;

	for (unsigned w = 0; w < KEY_WORDS; w++)
		words |= (uint32_t)(m[w] != 0) << w;
	return words;
}

uint64_t mask_hash(const struct packet_key *value, const struct packet_key *mask, uint32_t words)
{
	const uint64_t *v = (const uint64_t *)value, *m = (const uint64_t *)mask;
	uint64_t sum = words;

	for (; words; words &= words - 1) {
		unsigned w = (unsigned)__builtin_ctz(words);

		// Both halves of the product, as what differs may be in the highest byte.
		unsigned __int128 product =
			(unsigned __int128)(sum ^ (v[w] & m[w])) * UINT64_C(0x9e3779b97f4a7c15);

		sum = (uint64_t)product ^ (uint64_t)(product >> 64);
	}
	return sum;
}

// --- Groups ---

struct masked {
	const struct packet_key *mask;
	size_t position;
};

static int compare_masked(const void *a, const void *b)
{
	const struct masked *x = a, *y = b;
	int order = memcmp(x->mask, y->mask, sizeof(*x->mask));

	return order ? order : (x->position > y->position) - (x->position < y->position);
}

int mask_groups_make(struct mask_groups *masks, const struct lint *lint, size_t first, size_t end)
{
	size_t count = end - first;
	struct masked *sorted = calloc(count + 1, sizeof(*sorted));

	*masks = (struct mask_groups){
		.groups = calloc(count + 1, sizeof(*masks->groups)),
		.members = calloc(count + 1, sizeof(*masks->members)),
		.n_members = count,
	};
	if (!sorted || !masks->groups || !masks->members) {
		free(sorted);
		mask_groups_free(masks);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		sorted[i] = (struct masked){&lint->flows[first + i].flow->match.mask, first + i};
	if (count)
		qsort(sorted, count, sizeof(*sorted), compare_masked);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || memcmp(sorted[i - 1].mask, sorted[i].mask, sizeof(struct packet_key)))
			masks->groups[masks->count++] = (struct mask_group){
				.mask = sorted[i].mask,
				.words = mask_words(sorted[i].mask),
				.first = i,
			};
		masks->groups[masks->count - 1].count++;
		masks->members[i] = sorted[i].position;
	}
	free(sorted);
	return 0;
}

void mask_groups_free(struct mask_groups *masks)
{
	free(masks->groups);
	free(masks->members);
	*masks = (struct mask_groups){0};
}

// --- Chains ---

int hash_chains_make(struct hash_chains *chains, size_t first, size_t end)
{
	uint64_t size = 16;

	while (size < (end - first) * 2)
		size *= 2;
	*chains = (struct hash_chains){
		.heads = calloc(size, sizeof(*chains->heads)),
		.next = calloc(end - first + 1, sizeof(*chains->next)),
		.first = first,
		.mask = size - 1,
	};
	if (chains->heads && chains->next)
		return 0;
	hash_chains_free(chains);
	return -ENOMEM;
}

void hash_chains_free(struct hash_chains *chains)
{
	free(chains->heads);
	free(chains->next);
	*chains = (struct hash_chains){0};
}
