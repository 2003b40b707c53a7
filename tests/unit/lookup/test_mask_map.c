// SPDX-License-Identifier: Apache-2.0
#include "pipeline/mask_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 5000 // the chains grow nine times
#define HASHED 400000

struct entry {
	struct mask_node node;
	unsigned seen; // by an iteration
};

static struct packet_key mask_of(unsigned number)
{
	return (struct packet_key){.nw_src = number, .nw_dst = number >> 3};
}

static struct entry *put(struct mask_map *map, const struct packet_key *mask, uint32_t kind)
{
	struct entry *entry = aligned_alloc(_Alignof(struct entry), sizeof *entry);

	assert_non_null(entry);
	memset(entry, 0, sizeof *entry);
	entry->node.mask = *mask;
	entry->node.kind = kind;
	mask_map_insert(map, &entry->node);
	return entry;
}

// How many entries there are, each of which is seen once.
static size_t iterate(const struct mask_map *map)
{
	struct mask_node *node = NULL;
	size_t count = 0;

	while ((node = mask_map_next(map, node))) {
		((struct entry *)node)->seen++;
		count++;
	}
	return count;
}

static void empty_map(void **state)
{
	struct packet_key mask = mask_of(1);
	struct mask_map map = {0};

	mask_map_end(&map);
	assert_int_equal(mask_map_init(&map), 0);
	assert_null(mask_map_find(&map, &mask, 0));
	assert_null(mask_map_next(&map, NULL));
	mask_map_end(&map);
	assert_null(map.chains);
}

static void kinds_are_told_apart(void **state)
{
	struct packet_key mask = mask_of(1);
	struct mask_map map = {0};
	struct entry *plain, *other;

	assert_int_equal(mask_map_init(&map), 0);
	plain = put(&map, &mask, 0);
	assert_null(mask_map_find(&map, &mask, 1));
	other = put(&map, &mask, 1);
	assert_ptr_equal(mask_map_find(&map, &mask, 0), plain);
	assert_ptr_equal(mask_map_find(&map, &mask, 1), other);
	mask_map_remove(&map, &plain->node);
	free(plain);
	assert_null(mask_map_find(&map, &mask, 0));
	assert_ptr_equal(mask_map_find(&map, &mask, 1), other);
	assert_int_equal(map.count, 1);
	mask_map_end(&map);
}

// A mask is the same only if all of its bits are.
static void every_bit_matters(void **state)
{
	struct packet_key mask = mask_of(7);
	struct mask_map map = {0};
	struct entry *entry;

	assert_int_equal(mask_map_init(&map), 0);
	entry = put(&map, &mask, 0);
	for (unsigned bit = 0; bit < KEY_WORDS * 64; bit++) {
		uint64_t *word = (uint64_t *)&mask + bit / 64;

		*word ^= UINT64_C(1) << bit % 64;
		assert_null(mask_map_find(&map, &mask, 0));
		*word ^= UINT64_C(1) << bit % 64;
	}
	assert_ptr_equal(mask_map_find(&map, &mask, 0), entry);
	mask_map_end(&map);
}

static int hash_order(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

// Of so many masks, two have the same hash: finds tell them apart by their bits.
static void same_hash_is_not_same_mask(void **state)
{
	uint64_t *hashes = calloc(HASHED, sizeof *hashes); // and below, the numbers of the masks
	struct mask_map map = {0};
	struct mask_node node = {0};
	struct packet_key first, second;
	unsigned at = 1;

	assert_non_null(hashes);
	assert_int_equal(mask_map_init(&map), 0);
	for (unsigned number = 0; number < HASHED; number++) {
		node.mask = mask_of(number);
		mask_map_insert(&map, &node);
		mask_map_remove(&map, &node);
		hashes[number] = (uint64_t)node.hash << 32 | number;
	}
	qsort(hashes, HASHED, sizeof *hashes, hash_order);
	while (at < HASHED && hashes[at - 1] >> 32 != hashes[at] >> 32)
		at++;
	assert_true(at < HASHED);
	first = mask_of((unsigned)hashes[at - 1]);
	second = mask_of((unsigned)hashes[at]);
	node.mask = first;
	mask_map_insert(&map, &node);
	assert_ptr_equal(mask_map_find(&map, &first, 0), &node);
	assert_null(mask_map_find(&map, &second, 0));
	mask_map_remove(&map, &node);
	mask_map_end(&map);
	free(hashes);
}

static void many_come_and_go(void **state)
{
	struct entry **entries = calloc(MANY, sizeof *entries);
	struct mask_map map = {0};

	assert_non_null(entries);
	assert_int_equal(mask_map_init(&map), 0);
	for (unsigned e = 0; e < MANY; e++) {
		struct packet_key mask = mask_of(e);

		entries[e] = put(&map, &mask, e % 2);
		assert_int_equal(map.count, e + 1);
	}
	assert_true(map.n_chains >= MANY);
	assert_int_equal(iterate(&map), MANY);
	for (unsigned e = 0; e < MANY; e++) {
		struct packet_key mask = mask_of(e);

		assert_int_equal(entries[e]->seen, 1);
		assert_ptr_equal(mask_map_find(&map, &mask, e % 2), entries[e]);
		assert_null(mask_map_find(&map, &mask, 2));
	}
	for (unsigned e = 0; e < MANY; e += 3) {
		mask_map_remove(&map, &entries[e]->node);
		free(entries[e]);
	}
	assert_int_equal(iterate(&map), map.count);
	for (unsigned e = 0; e < MANY; e++) {
		struct packet_key mask = mask_of(e);

		if (e % 3 == 0) {
			assert_null(mask_map_find(&map, &mask, e % 2));
			continue;
		}
		assert_ptr_equal(mask_map_find(&map, &mask, e % 2), entries[e]);
		assert_int_equal(entries[e]->seen, 2);
	}
	assert_int_equal(map.count, MANY - (MANY + 2) / 3);
	mask_map_end(&map);
	free(entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_map),
		cmocka_unit_test(kinds_are_told_apart),
		cmocka_unit_test(every_bit_matters),
		cmocka_unit_test(same_hash_is_not_same_mask),
		cmocka_unit_test(many_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
