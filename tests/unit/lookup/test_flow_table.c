// SPDX-License-Identifier: Apache-2.0
#include "rules.h"

#include <pthread.h>

// How a flow table lays itself out, and that readers never miss what is there while it does so.

static struct flow_table_shape shape_of(const struct flow_table *table)
{
	struct flow_table_shape shape;

	flow_table_shape(table, &shape);
	return shape;
}

// Rules of many masks and shapes.
static void rule_random(struct rule *rule, uint64_t *seed)
{
	rule_dst(rule, (uint32_t)random_next(seed), 16 + (unsigned)(random_next(seed) % 17));
	rule->mask.nw_src = htonl(0xffffffffu << (random_next(seed) % 25));
	rule->value.nw_src = (uint32_t)random_next(seed) & rule->mask.nw_src;
	rule->priority = (uint16_t)random_next(seed);
	if (random_next(seed) % 2) {
		rule->mask.tp_dst = 0xffff;
		rule->value.tp_dst = htons((uint16_t)(random_next(seed) % 100));
	}
}

static void key_random(struct packet_key *key, const struct rule *rule, uint64_t *seed)
{
	*key = (struct packet_key){
		.nw_src = rule->value.nw_src | (~rule->mask.nw_src & (uint32_t)random_next(seed)),
		.nw_dst = rule->value.nw_dst | (~rule->mask.nw_dst & (uint32_t)random_next(seed)),
		.tp_dst = rule->value.tp_dst,
	};
}

static const struct rule *naive(
	const struct rule *rules, size_t count, const struct packet_key *key)
{
	const struct rule *best = NULL;

	for (size_t r = 0; r < count; r++) {
		const struct rule *rule = &rules[r];

		if (rule->home && (key->nw_dst & rule->mask.nw_dst) == rule->value.nw_dst &&
			(key->nw_src & rule->mask.nw_src) == rule->value.nw_src &&
			(key->tp_dst & rule->mask.tp_dst) == rule->value.tp_dst &&
			rule_better(rule, best))
			best = rule;
	}
	return best;
}

static void test_empty(void **state)
{
	struct flow_table *table = flow_table_create(later);
	struct packet_key key = {0};

	assert_null(table_find(table, 1, &key));
	assert_int_equal(flow_table_lines(table), 0);
	assert_int_equal(shape_of(table).rules, 0);
	assert_int_equal(shape_of(table).steps, 0);
	flow_table_destroy(table);
	flow_table_destroy(NULL);
}

static void test_one_mask_is_one_hash(void **state)
{
	enum { COUNT = 3000 };
	struct flow_table *table = flow_table_create(later);
	struct rule *rules = rules_make(COUNT);

	for (uint32_t r = 0; r < COUNT; r++) {
		rule_dst(&rules[r], r, 32);
		rules[r].priority = (uint16_t)(r % 3);
		assert_int_equal(flow_table_insert(table, &rules[r]), 0);
		assert_int_equal(shape_of(table).hashes.count, 1);
		assert_int_equal(shape_of(table).blocks.count, 0);
	}
	assert_int_equal(shape_of(table).rules, COUNT);
	for (uint32_t r = 0; r < COUNT; r++)
		flow_table_remove(table, &rules[r]);
	assert_int_equal(shape_of(table).hashes.count, 0);
	assert_int_equal(shape_of(table).rules, 0);
	flow_table_destroy(table);
	free_retired();
	free(rules);
}

// Many masks go into blocks, one with many rules gets a hash, and when it is empty that goes.
static void test_large_mask_gets_a_hash(void **state)
{
	enum { MASKS = 12, LARGE = 2000 };
	struct flow_table *table = flow_table_create(later);
	struct rule *small = rules_make(MASKS), *large = rules_make(LARGE);
	struct packet_key key = {.nw_dst = htonl(0x01010101)};

	for (unsigned r = 0; r < MASKS; r++) {
		rule_dst(&small[r], 0x01010101, r + 4);
		assert_int_equal(flow_table_insert(table, &small[r]), 0);
	}
	assert_int_equal(shape_of(table).hashes.count, 0);
	assert_int_equal(shape_of(table).blocks.count, 1);
	assert_ptr_equal(table_find(table, 1, &key), &small[MASKS - 1]);
	for (uint32_t r = 0; r < LARGE; r++) {
		large[r].mask.metadata = UINT64_MAX;
		large[r].value.metadata = r;
		large[r].priority = 1;
		assert_int_equal(flow_table_insert(table, &large[r]), 0);
	}
	assert_int_equal(shape_of(table).hashes.count, 1);
	assert_int_equal(shape_of(table).blocks.count, 1);
	key.metadata = LARGE - 1;
	assert_ptr_equal(table_find(table, 1, &key), &large[LARGE - 1]);
	for (uint32_t r = 0; r < LARGE; r++)
		flow_table_remove(table, &large[r]);
	assert_int_equal(shape_of(table).hashes.count, 0);
	assert_int_equal(shape_of(table).blocks.count, 1);
	assert_ptr_equal(table_find(table, 1, &key), &small[MASKS - 1]);
	for (unsigned r = 0; r < MASKS; r++)
		flow_table_remove(table, &small[r]);
	assert_int_equal(shape_of(table).blocks.count, 0);
	flow_table_destroy(table);
	free_retired();
	free(small);
	free(large);
}

// More rules than the filter has bits for blocks, against the naive search; then most of them go,
// and so do their blocks.
static void test_very_many(void **state)
{
	enum { COUNT = 40000, KEEP = 300 };
	struct flow_table *table = flow_table_create(later);
	struct rule *rules = rules_make(COUNT);
	struct packet_key key;
	uint64_t seed = 5;

	for (unsigned r = 0; r < COUNT; r++) {
		rule_random(&rules[r], &seed);
		assert_int_equal(flow_table_insert(table, &rules[r]), 0);
		if (r % 1000 == 0)
			free_retired();
	}
	assert_true(shape_of(table).blocks.count > 64);
	for (unsigned round = 0; round < 400; round++) {
		key_random(&key, &rules[random_next(&seed) % COUNT], &seed);
		assert_ptr_equal(table_find(table, 1, &key), naive(rules, COUNT, &key));
	}
	for (unsigned r = KEEP; r < COUNT; r++) {
		flow_table_remove(table, &rules[r]);
		if (r % 1000 == 0)
			free_retired();
	}
	assert_int_equal(shape_of(table).rules, KEEP);
	assert_true(shape_of(table).blocks.count <= 2);
	for (unsigned round = 0; round < 400; round++) {
		key_random(&key, &rules[random_next(&seed) % KEEP], &seed);
		assert_ptr_equal(table_find(table, 1, &key), naive(rules, COUNT, &key));
	}
	flow_table_destroy(table);
	free_retired();
	free(rules);
}

// A rule for everything half way down an access list: what is behind it must be told apart from
// what is before it, and stay findable when the rule goes.
static void test_catch_all_in_the_middle(void **state)
{
	enum { COUNT = 6000, MIDDLE = COUNT / 2 };
	struct flow_table *table = flow_table_create(later);
	struct rule *rules = rules_make(COUNT);
	struct packet_key key;
	uint64_t seed = 6;

	for (unsigned r = 0; r < COUNT; r++) {
		rule_random(&rules[r], &seed);
		if (r == MIDDLE)
			rules[r].value = rules[r].mask = (struct packet_key){0};
		rules[r].priority = (uint16_t)(COUNT - r);
		assert_int_equal(flow_table_insert(table, &rules[r]), 0);
	}
	for (unsigned round = 0; round < 1000; round++) {
		key_random(&key, &rules[random_next(&seed) % COUNT], &seed);
		assert_ptr_equal(table_find(table, 1, &key), naive(rules, COUNT, &key));
	}
	flow_table_remove(table, &rules[MIDDLE]);
	for (unsigned round = 0; round < 1000; round++) {
		key_random(&key, &rules[random_next(&seed) % COUNT], &seed);
		assert_ptr_equal(table_find(table, 1, &key), naive(rules, COUNT, &key));
	}
	flow_table_destroy(table);
	free_retired();
	free(rules);
}

// Of the structures that there are: a hash, and a block beside it.
static void test_lines(void **state)
{
	enum { COUNT = 100 };
	struct flow_table *table = flow_table_create(later);
	struct rule *rules = rules_make(COUNT + 1);

	for (unsigned r = 0; r < COUNT; r++) {
		rules[r].mask.in_port = 0xffff;
		rules[r].value.in_port = (uint16_t)r;
		flow_table_insert(table, &rules[r]);
		assert_int_equal(flow_table_lines(table), 1);
	}
	rules[COUNT].mask.ipv6_src[0] = 0xff;
	flow_table_insert(table, &rules[COUNT]);
	assert_int_equal(flow_table_lines(table), 3);
	for (unsigned r = 0; r < COUNT; r++)
		flow_table_remove(table, &rules[r]);
	flow_table_remove(table, &rules[COUNT]);
	assert_int_equal(flow_table_lines(table), 0);
	flow_table_insert(table, &rules[COUNT]);
	assert_int_equal(flow_table_lines(table), 2);
	flow_table_destroy(table);
	free_retired();
	free(rules);
}

// Hashes and blocks by the number of masks: a few rules are not worth a hash of their own, many are.
static void test_few_masks(void **state)
{
	enum { COUNT = 3 * 80 };
	struct flow_table *table = flow_table_create(later);
	struct rule *rules = rules_make(COUNT);

	for (unsigned r = 0; r < COUNT; r++) {
		if (r % 3 == 0)
			rules[r].mask.in_port = rules[r].value.in_port = 0xffff;
		if (r % 3 == 1)
			rule_dst(&rules[r], r, 32);
		if (r % 3 == 2)
			rules[r].mask.metadata = UINT64_MAX;
		rules[r].value.metadata = r % 3 == 2 ? r : 0;
		rules[r].priority = (uint16_t)r;
	}
	flow_table_insert(table, &rules[0]);
	assert_int_equal(shape_of(table).hashes.count, 1);
	flow_table_insert(table, &rules[1]);
	assert_int_equal(shape_of(table).hashes.count, 0);
	assert_int_equal(shape_of(table).blocks.count, 1);
	for (unsigned r = 2; r < COUNT; r++)
		flow_table_insert(table, &rules[r]);
	// More changes, and the table is laid out anew.
	for (unsigned round = 0; round < 50; round++) {
		flow_table_remove(table, &rules[5]);
		flow_table_insert(table, &rules[5]);
	}
	assert_int_equal(shape_of(table).hashes.count, 3);
	assert_int_equal(shape_of(table).blocks.count, 0);
	for (unsigned r = 0; r < COUNT; r++)
		flow_table_remove(table, &rules[r]);
	assert_int_equal(shape_of(table).hashes.count + shape_of(table).blocks.count, 0);
	flow_table_destroy(table);
	free_retired();
	free(rules);
}

// --- One writer and one reader at the same time ---

#define STABLE 600
#define CHURN 1500

struct race {
	struct flow_table *table;
	struct rule *stable, *churn;
	uint64_t version; // atomic
	uint64_t bursts;  // atomic: of the reader, so far
	bool stop;        // atomic
	uint64_t wrong;
};

// The reader asks for stable rules, which have the best priorities, in bursts.
static void *reader_run(void *context)
{
	struct race *race = context;
	struct packet_key keys[LOOKUP_BURST];
	const struct packet_key *pointers[LOOKUP_BURST];
	const struct rule *best[LOOKUP_BURST];
	uint64_t seed = 8;

	while (!__atomic_load_n(&race->stop, __ATOMIC_ACQUIRE)) {
		uint64_t version = __atomic_load_n(&race->version, __ATOMIC_ACQUIRE);
		unsigned asked[LOOKUP_BURST];

		for (unsigned i = 0; i < LOOKUP_BURST; i++) {
			asked[i] = (unsigned)(random_next(&seed) % STABLE);
			key_random(&keys[i], &race->stable[asked[i]], &seed);
			pointers[i] = &keys[i];
		}
		flow_table_find(race->table, version, pointers, UINT32_MAX, LOOKUP_BURST, best);
		for (unsigned i = 0; i < LOOKUP_BURST; i++)
			race->wrong += !best[i] || rule_better(&race->stable[asked[i]], best[i]) ||
				       !rule_visible(best[i], version);
		__atomic_store_n(&race->bursts, race->bursts + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

// Two bursts later no reader can be in what was there before.
static void grace_period(struct race *race)
{
	uint64_t bursts = __atomic_load_n(&race->bursts, __ATOMIC_ACQUIRE);

	while (__atomic_load_n(&race->bursts, __ATOMIC_ACQUIRE) < bursts + 2)
		sched_yield();
}

// In each round a part of the other rules dies, is taken out and comes back.
static void writer_round(struct race *race, uint64_t *seed)
{
	uint64_t next = race->version + 1;
	unsigned from = (unsigned)(random_next(seed) % CHURN);
	unsigned count = 1 + (unsigned)(random_next(seed) % (CHURN - from));

	for (unsigned r = from; r < from + count; r++)
		__atomic_store_n(&race->churn[r].died, next, __ATOMIC_RELEASE);
	__atomic_store_n(&race->version, next, __ATOMIC_SEQ_CST);
	grace_period(race);
	for (unsigned r = from; r < from + count; r++)
		flow_table_remove(race->table, &race->churn[r]);
	grace_period(race);
	free_retired();
	for (unsigned r = from; r < from + count; r++) {
		race->churn[r].born = next + 1;
		race->churn[r].died = VERSION_NEVER;
		assert_int_equal(flow_table_insert(race->table, &race->churn[r]), 0);
	}
	__atomic_store_n(&race->version, next + 1, __ATOMIC_SEQ_CST);
	grace_period(race);
	free_retired();
}

static void test_readers_miss_nothing(void **state)
{
	struct race race = {
		.table = flow_table_create(later),
		.stable = rules_make(STABLE),
		.churn = rules_make(CHURN),
		.version = 1,
	};
	pthread_t reader;
	uint64_t seed = 7;

	for (unsigned r = 0; r < STABLE; r++) {
		rule_random(&race.stable[r], &seed);
		race.stable[r].priority |= 0x8000;
		assert_int_equal(flow_table_insert(race.table, &race.stable[r]), 0);
	}
	for (unsigned r = 0; r < CHURN; r++) {
		rule_random(&race.churn[r], &seed);
		race.churn[r].priority &= 0x7fff;
		if (r % 2)
			race.churn[r].mask = race.stable[0].mask;
		for (unsigned w = 0; w < KEY_WORDS; w++)
			((uint64_t *)&race.churn[r].value)[w] &=
				((uint64_t *)&race.churn[r].mask)[w];
		assert_int_equal(flow_table_insert(race.table, &race.churn[r]), 0);
	}
	assert_int_equal(pthread_create(&reader, NULL, reader_run, &race), 0);
	for (unsigned round = 0; round < 60; round++)
		writer_round(&race, &seed);
	__atomic_store_n(&race.stop, true, __ATOMIC_RELEASE);
	pthread_join(reader, NULL);
	assert_int_equal(race.wrong, 0);
	flow_table_destroy(race.table);
	free_retired();
	free(race.stable);
	free(race.churn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_one_mask_is_one_hash),
		cmocka_unit_test(test_large_mask_gets_a_hash),
		cmocka_unit_test(test_very_many),
		cmocka_unit_test(test_catch_all_in_the_middle),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_few_masks),
		cmocka_unit_test(test_readers_miss_nothing),
	};

	return cmocka_run_group_tests_name("flow_table", tests, NULL, NULL);
}
