// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the tests of lookup structures share: rules, a retirement that can be watched, and single
// lookups. Everything is static; a test includes it once.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "pipeline/flow_table.h"
#include "pipeline/lookup_bits.h"
#include "tests/random.h"

// Memory that was retired; it is freed by free_retired(), so that a use after free is found by the
// sanitizers as late as it would happen.
struct retired {
	struct retired *next;
	void (*free_fn)(void *);
	void *memory;
};

static struct retired *retired_list;

static void retire(void *context, void (*free_fn)(void *), void *memory)
{
	struct retired *retired = malloc(sizeof *retired);

	(void)context;
	assert_non_null(retired);
	*retired = (struct retired){retired_list, free_fn, memory};
	retired_list = retired;
}

static inline size_t free_retired(void)
{
	size_t count = 0;

	for (; retired_list; count++) {
		struct retired *retired = retired_list;

		retired_list = retired->next;
		retired->free_fn(retired->memory);
		free(retired);
	}
	return count;
}

static const struct retirement later = {.retire = retire};

static inline struct rule *rules_make(size_t count)
{
	struct rule *rules = aligned_alloc(64, count * sizeof *rules);

	assert_non_null(rules);
	memset(rules, 0, count * sizeof *rules);
	for (size_t r = 0; r < count; r++) {
		rules[r].born = 1;
		rules[r].died = VERSION_NEVER;
	}
	return rules;
}

static inline void rule_dst(struct rule *rule, uint32_t address, unsigned bits)
{
	rule->mask.nw_dst = bits ? htonl(0xffffffffu << (32 - bits)) : 0;
	rule->value.nw_dst = htonl(address) & rule->mask.nw_dst;
}

static inline const struct rule *find_one(
	const struct lookup *lookup, uint64_t version, const struct packet_key *key)
{
	const struct rule *best = NULL;

	lookup->kind->find(lookup, version, &key, 1, 1, &best);
	return best;
}

static inline const struct rule *find_dst(
	const struct lookup *lookup, uint64_t version, uint32_t address)
{
	struct packet_key key = {.nw_dst = htonl(address)};

	return find_one(lookup, version, &key);
}

static inline const struct rule *table_find(
	const struct flow_table *table, uint64_t version, const struct packet_key *key)
{
	const struct rule *best = NULL;

	flow_table_find(table, version, &key, 1, 1, &best);
	return best;
}
