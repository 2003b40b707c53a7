// SPDX-License-Identifier: Apache-2.0
// What a sender could do who knew the keys of a hash, and why it does not help to know those of another
// one. The file is included to get at its keys.

#include "rules.h"

#include "pipeline/lookup_hash.c"

enum { COUNT = 200, BUCKETS = 64 };

static struct packet_key mask_dst(void)
{
	return (struct packet_key){.nw_dst = 0xffffffff};
}

static uint64_t hash_of_dst(const struct hash *hash, uint32_t address)
{
	struct packet_key key = {.nw_dst = htonl(address)};
	uint64_t words[KEY_WORDS];

	pack_words(hash, &key, words, hash->n_words);
	return hash_words(hash->array->keys, words, hash->n_words);
}

// COUNT rules for addresses whose home, in `known` with BUCKETS buckets, is bucket 0.
static struct rule *rules_for(const struct hash *known)
{
	struct rule *rules = rules_make(COUNT);
	uint32_t address = 0;

	for (unsigned r = 0; r < COUNT; address++) {
		if (hash_of_dst(known, address) % BUCKETS == 0)
			rule_dst(&rules[r++], address, 32);
	}
	return rules;
}

static unsigned homes_used(const struct hash *hash, const struct rule rules[])
{
	bool used[BUCKETS] = {false};
	unsigned count = 0;

	for (unsigned r = 0; r < COUNT; r++)
		used[hash_of_dst(hash, ntohl(rules[r].value.nw_dst)) % BUCKETS] = true;
	for (unsigned b = 0; b < BUCKETS; b++)
		count += used[b];
	return count;
}

static void test_other_keys(void **state)
{
	struct packet_key mask = mask_dst();
	struct lookup *known = lookup_hash.create(&mask, later);
	unsigned sum = 0;

	for (unsigned round = 0; round < 20; round++) {
		struct lookup *other = lookup_hash.create(&mask, later);
		struct rule *rules = rules_for(hash_of(known));

		assert_int_equal(homes_used(hash_of(known), rules), 1);
		sum += homes_used(hash_of(other), rules);
		lookup_hash.destroy(known);
		known = other;
		free(rules);
	}
	lookup_hash.destroy(known);
	// 200 balls into 64 bins leave about 3 empty. Not with all keys: about one pair in 400 leaves more
	// than 24 empty.
	assert_in_range(sum / 20, 50, BUCKETS);
}

// Rules that all have one home do not make a long chain: the array grows, with keys of its own.
static void test_bound(void **state)
{
	struct packet_key mask = mask_dst();
	struct lookup *lookup = lookup_hash.create(&mask, later);
	struct hash *hash = hash_of(lookup);
	struct rule *rules;

	assert_int_equal(hash_resize(hash, BUCKETS), 0);
	rules = rules_for(hash);
	for (unsigned r = 0; r < COUNT; r++) {
		struct lookup_cost cost;

		assert_int_equal(lookup_hash.insert(lookup, &rules[r]), 0);
		cost = lookup_hash.cost(lookup);
		assert_true(hash->array->reach <= REACH_MAX);
		assert_in_range(cost.steps[STEP_BUCKET], 0, REACH_MAX + 2);
	}
	// (REACH_MAX + 1) * BUCKET_SLOTS of them fit, and no more.
	assert_true(hash->array->index_mask + 1 > BUCKETS);
	for (unsigned r = 0; r < COUNT; r++)
		assert_ptr_equal(find_dst(lookup, 1, ntohl(rules[r].value.nw_dst)), &rules[r]);
	for (unsigned r = 0; r < COUNT; r++)
		lookup_hash.remove(lookup, &rules[r]);
	assert_int_equal(lookup->count, 0);
	lookup_hash.destroy(lookup);
	free_retired();
	free(rules);
}

// Rules of one match that change places as heads of their chain, while the array gets other keys.
static void test_chain_moves(void **state)
{
	struct packet_key mask = mask_dst();
	struct lookup *lookup = lookup_hash.create(&mask, later);
	struct rule *rules = rules_make(3);

	for (unsigned r = 0; r < 3; r++) {
		rule_dst(&rules[r], 7, 32);
		rules[r].priority = (uint16_t)r;
		assert_int_equal(lookup_hash.insert(lookup, &rules[r]), 0);
		assert_int_equal(hash_resize(hash_of(lookup), BUCKETS << r), 0);
		assert_ptr_equal(find_dst(lookup, 1, 7), &rules[r]);
	}
	for (unsigned r = 3; r-- > 0;) {
		assert_ptr_equal(find_dst(lookup, 1, 7), &rules[r]);
		lookup_hash.remove(lookup, &rules[r]);
		assert_int_equal(hash_resize(hash_of(lookup), BUCKETS), 0);
	}
	assert_null(find_dst(lookup, 1, 7));
	lookup_hash.destroy(lookup);
	free_retired();
	free(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_keys),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_chain_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
