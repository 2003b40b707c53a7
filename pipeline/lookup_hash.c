// SPDX-License-Identifier: Apache-2.0
// Exact-match hash for rules that share one mask.
//
// Keys are compared by the 8-byte words that the mask touches. Each different match is one entry
// with its packed masked words; rules of the same match (other priorities, other versions) are
// chained to it, the better one first. Entries hang in buckets of one cache line: six 16-bit tags,
// six pointers and a count of the entries that wanted to be here and went on to a later bucket. A
// reader looks at the next bucket only if that count is not zero, so removals leave no tombstones.
//
// Each array of buckets draws the keys of its hash (pipeline/key_words.h) anew.
//
// No entry lies further than REACH_MAX buckets behind its home. Where chance would have it so, the
// rules move to an array of twice the size with other keys. So a lookup has a bound that is known.
//
// Memory ordering. Pointers (buckets, slots, chain links) are stored with release after what they
// point to is complete, and loaded with acquire. Tags and overflow counts are hints stored relaxed:
// a reader may see them older than the pointer beside them, which can only make it miss an entry
// that is being inserted or find one that is being removed. Neither is visible to it: a rule's
// version is published, with release, after its insertion, and by then all of these stores are.
// The six tags and the count are loaded as one vector, which may tear between tags.
// What a reader may still hold (entries, bucket arrays) is freed through `retire`.

#include <emmintrin.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "pipeline/key_words.h"
#include "pipeline/lookup.h"

#define BUCKET_SLOTS 6
#define BUCKETS_MIN 4u
#define REACH_MAX 15u
#define TRIES 8 // to find an array without longer ways; one nearly always suffices
#define CACHE_LINE 64

struct hash_entry {
	struct rule *rule;
	struct hash_entry *next; // same match, not better; atomic
	uint64_t hash;
	uint64_t words[]; // of the match, masked
};

struct bucket {
	uint16_t tags[BUCKET_SLOTS]; // 0: free
	uint32_t overflow;           // entries that hash to here or before, and lie behind
	struct hash_entry *entries[BUCKET_SLOTS];
} __attribute__((aligned(CACHE_LINE)));

static_assert(sizeof(struct bucket) == CACHE_LINE, "a bucket is a cache line");

struct bucket_array {
	struct bucket *buckets;
	uint32_t index_mask; // number of buckets - 1
	uint32_t reach;      // readers: relaxed; control raises it: no entry lies further from home
	uint64_t keys[KEY_WORDS + 1]; // set once
};

struct hash {
	struct lookup lookup;
	struct bucket_array *array; // readers: acquire; control: replaced as a whole
	struct hash_entry *only;    // readers: acquire; the only head of a chain, NULL if not one
	uint8_t n_words;            // set once, from here on
	uint8_t word_index[KEY_WORDS];
	uint64_t word_mask[KEY_WORDS];
	struct retirement retirement;
	size_t matches; // control: entries that are heads of chains
};

static struct hash *hash_of(struct lookup *lookup)
{
	return (struct hash *)lookup;
}

// --- Hash values ---

static inline __attribute__((always_inline)) void pack_words(
	const struct hash *hash, const struct packet_key *key, uint64_t *words, unsigned n)
{
	const uint64_t *from = (const uint64_t *)key;

	for (unsigned w = 0; w < n; w++)
		words[w] = from[hash->word_index[w]] & hash->word_mask[w];
}

static inline uint16_t hash_tag(uint64_t hash)
{
	uint16_t tag = (uint16_t)(hash >> 48);

	return tag ? tag : 1;
}

// --- Readers ---

// Slots of `bucket` with `tag`, as bits 0, 2, 4, ...
static inline unsigned bucket_tag_hits(const struct bucket *bucket, uint16_t tag)
{
#ifdef __SANITIZE_THREAD__ // which does not know about vectors that may tear
	const uint64_t *halves = (const uint64_t *)bucket->tags;
	__m128i tags = _mm_set_epi64x((long long)__atomic_load_n(&halves[1], __ATOMIC_RELAXED),
		(long long)__atomic_load_n(&halves[0], __ATOMIC_RELAXED));
#else
	__m128i tags = _mm_load_si128((const __m128i *)bucket->tags);
#endif
	__m128i equal = _mm_cmpeq_epi16(tags, _mm_set1_epi16((short)tag));

	return (unsigned)_mm_movemask_epi8(equal) & 0x555;
}

static inline struct hash_entry *bucket_entry(const struct bucket *bucket, unsigned slot)
{
	return __atomic_load_n(&bucket->entries[slot], __ATOMIC_ACQUIRE);
}

static inline __attribute__((always_inline)) const struct hash_entry *entry_find(
	const struct bucket_array *array, uint64_t hash, const uint64_t *words, unsigned n)
{
	uint32_t reach = __atomic_load_n(&array->reach, __ATOMIC_RELAXED);
	uint16_t tag = hash_tag(hash);

	for (uint32_t step = 0; step <= reach; step++) {
		const struct bucket *bucket =
			&array->buckets[((uint32_t)hash + step) & array->index_mask];

		LOOKUP_COUNT(1);
		for (unsigned hits = bucket_tag_hits(bucket, tag); hits; hits &= hits - 1) {
			const struct hash_entry *entry =
				bucket_entry(bucket, (unsigned)__builtin_ctz(hits) / 2);

			LOOKUP_COUNT(1);
			if (entry && words_equal(entry->words, words, n))
				return entry;
		}
		if (__atomic_load_n(&bucket->overflow, __ATOMIC_RELAXED) == 0)
			break;
	}
	return NULL;
}

static inline void entry_offer(
	const struct hash_entry *entry, uint64_t version, const struct rule **best)
{
	for (; entry; entry = __atomic_load_n(&entry->next, __ATOMIC_ACQUIRE)) {
		LOOKUP_COUNT(1);
		if (*best && entry->rule->priority < (*best)->priority)
			return;
		if (rule_visible(entry->rule, version)) {
			if (rule_better(entry->rule, *best))
				*best = entry->rule;
			return;
		}
	}
}

struct hash_probe {
	uint64_t hash;
	const struct hash_entry *entry;
};

// There is one match only: comparing with it is cheaper than hashing.
static inline __attribute__((always_inline)) void find_only(const struct hash *hash,
	const struct hash_entry *only, uint64_t version, const struct packet_key *const keys[],
	uint32_t wanted, const struct rule *best[], unsigned n)
{
	for (uint32_t left = wanted; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left);
		uint64_t words[KEY_WORDS];

		LOOKUP_COUNT(1);
		pack_words(hash, keys[i], words, n);
		if (words_equal(only->words, words, n))
			entry_offer(only, version, &best[i]);
	}
}

// In stages over the burst, so that the cache misses of all packets overlap: bucket, then entry,
// then rule.
static inline __attribute__((always_inline)) void find_n(const struct hash *hash, uint64_t version,
	const struct packet_key *const keys[], uint32_t wanted, const struct rule *best[],
	unsigned n)
{
	const struct bucket_array *array = __atomic_load_n(&hash->array, __ATOMIC_ACQUIRE);
	const struct hash_entry *only = __atomic_load_n(&hash->only, __ATOMIC_ACQUIRE);
	struct hash_probe probes[LOOKUP_BURST];
	uint64_t words[LOOKUP_BURST * KEY_WORDS]; // n for each packet

	if (only) {
		find_only(hash, only, version, keys, wanted, best, n);
		return;
	}
	for (uint32_t left = wanted; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left);

		pack_words(hash, keys[i], &words[i * n], n);
		probes[i].hash = hash_words(array->keys, &words[i * n], n);
		__builtin_prefetch(&array->buckets[(uint32_t)probes[i].hash & array->index_mask]);
	}
	for (uint32_t left = wanted; left; left &= left - 1) {
		struct hash_probe *probe = &probes[__builtin_ctz(left)];
		const struct bucket *bucket =
			&array->buckets[(uint32_t)probe->hash & array->index_mask];
		unsigned hits = bucket_tag_hits(bucket, hash_tag(probe->hash));

		LOOKUP_COUNT(1);
		probe->entry = NULL;
		if (hits) {
			probe->entry = bucket_entry(bucket, (unsigned)__builtin_ctz(hits) / 2);
			__builtin_prefetch(probe->entry);
		} else if (__atomic_load_n(&bucket->overflow, __ATOMIC_RELAXED) == 0) {
			wanted &= ~(left & -left);
		}
	}
	for (uint32_t left = wanted; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left);
		struct hash_probe *probe = &probes[i];

		LOOKUP_COUNT(probe->entry != NULL);
		// The first candidate is the right one but for one time in thousands.
		if (!probe->entry || !words_equal(probe->entry->words, &words[i * n], n))
			probe->entry = entry_find(array, probe->hash, &words[i * n], n);
		if (probe->entry)
			__builtin_prefetch(probe->entry->rule);
		else
			wanted &= ~(left & -left);
	}
	for (uint32_t left = wanted; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left);

		entry_offer(probes[i].entry, version, &best[i]);
	}
}

static void find_all(
	const struct hash *hash, uint64_t version, uint32_t wanted, const struct rule *best[])
{
	const struct bucket_array *array = __atomic_load_n(&hash->array, __ATOMIC_ACQUIRE);
	const struct hash_entry *entry = entry_find(array, 0, NULL, 0);

	for (; wanted; wanted &= wanted - 1)
		entry_offer(entry, version, &best[__builtin_ctz(wanted)]);
}

// The number of words is constant in each of these, which unrolls their loops.
static void hash_find(const struct lookup *lookup, uint64_t version,
	const struct packet_key *const keys[], uint32_t wanted, unsigned count,
	const struct rule *best[])
{
	const struct hash *hash = (const struct hash *)lookup;

	if (count < LOOKUP_BURST)
		wanted &= (1u << count) - 1;
	switch (hash->n_words) {
	case 0:
		find_all(hash, version, wanted, best);
		break;
	case 1:
		find_n(hash, version, keys, wanted, best, 1);
		break;
	case 2:
		find_n(hash, version, keys, wanted, best, 2);
		break;
	case 3:
		find_n(hash, version, keys, wanted, best, 3);
		break;
	case 4:
		find_n(hash, version, keys, wanted, best, 4);
		break;
	case 5:
		find_n(hash, version, keys, wanted, best, 5);
		break;
	default:
		find_n(hash, version, keys, wanted, best, hash->n_words);
	}
}

// --- Control thread ---

static void bucket_array_free(void *memory)
{
	struct bucket_array *array = memory;

	if (array)
		free(array->buckets);
	free(array);
}

static struct bucket_array *bucket_array_create(uint32_t count)
{
	struct bucket_array *array = calloc(1, sizeof *array);

	if (!array)
		return NULL;
	array->buckets = aligned_alloc(CACHE_LINE, count * sizeof(struct bucket));
	array->index_mask = count - 1;
	if (!array->buckets ||
		getrandom(array->keys, sizeof array->keys, 0) != sizeof array->keys) {
		bucket_array_free(array);
		errno = ENOMEM;
		return NULL;
	}
	for (unsigned k = 0; k < KEY_WORDS + 1; k++)
		array->keys[k] |= 1;
	memset(array->buckets, 0, count * sizeof(struct bucket));
	return array;
}

static struct bucket *array_bucket(struct bucket_array *array, uint64_t hash, uint32_t step)
{
	return &array->buckets[((uint32_t)hash + step) & array->index_mask];
}

// How many buckets behind its home a new entry finds a free slot; more than REACH_MAX: too many.
static uint32_t array_way(struct bucket_array *array, uint64_t hash)
{
	uint32_t step = 0;

	for (; step <= REACH_MAX && step <= array->index_mask; step++) {
		const struct bucket *bucket = array_bucket(array, hash, step);

		for (unsigned slot = 0; slot < BUCKET_SLOTS; slot++) {
			if (!bucket->entries[slot])
				return step;
		}
	}
	return UINT32_MAX;
}

// Puts a new head of chain, whose hash was made with the array's keys, into the first free slot from
// its home on. False: it would lie too far away.
static bool array_insert(struct bucket_array *array, struct hash_entry *entry, uint64_t hash)
{
	uint32_t way = array_way(array, hash);
	struct bucket *bucket;
	unsigned slot = 0;

	if (way > REACH_MAX)
		return false;
	for (uint32_t step = 0; step < way; step++) {
		bucket = array_bucket(array, hash, step);
		__atomic_store_n(&bucket->overflow, bucket->overflow + 1, __ATOMIC_RELAXED);
	}
	if (way > array->reach)
		__atomic_store_n(&array->reach, way, __ATOMIC_RELAXED);
	bucket = array_bucket(array, hash, way);
	while (bucket->entries[slot])
		slot++;
	__atomic_store_n(&bucket->entries[slot], entry, __ATOMIC_RELEASE);
	__atomic_store_n(&bucket->tags[slot], hash_tag(hash), __ATOMIC_RELEASE);
	return true;
}

// The slot that holds `head`, which is in the array.
static struct hash_entry **array_slot(struct bucket_array *array, const struct hash_entry *head,
	struct bucket **bucket, uint32_t *steps)
{
	for (uint32_t step = 0;; step++) {
		*bucket = array_bucket(array, head->hash, step);
		*steps = step;
		for (unsigned slot = 0; slot < BUCKET_SLOTS; slot++) {
			if ((*bucket)->entries[slot] == head)
				return &(*bucket)->entries[slot];
		}
	}
}

static void array_remove(struct bucket_array *array, const struct hash_entry *head)
{
	struct bucket *bucket;
	uint32_t steps;
	struct hash_entry **slot = array_slot(array, head, &bucket, &steps);

	__atomic_store_n(&bucket->tags[slot - bucket->entries], 0, __ATOMIC_RELAXED);
	__atomic_store_n(slot, NULL, __ATOMIC_RELEASE);
	for (uint32_t step = 0; step < steps; step++) {
		bucket = array_bucket(array, head->hash, step);
		__atomic_store_n(&bucket->overflow, bucket->overflow - 1, __ATOMIC_RELAXED);
	}
}

static bool array_fill(
	struct bucket_array *array, const struct bucket_array *from, unsigned n_words)
{
	for (uint32_t b = 0; b <= from->index_mask; b++) {
		for (unsigned slot = 0; slot < BUCKET_SLOTS; slot++) {
			struct hash_entry *head = from->buckets[b].entries[slot];

			if (head && !array_insert(array, head,
					    hash_words(array->keys, head->words, n_words)))
				return false;
		}
	}
	return true;
}

static void hashes_update(struct hash *hash)
{
	const struct bucket_array *array = hash->array;

	for (uint32_t b = 0; b <= array->index_mask; b++) {
		for (unsigned slot = 0; slot < BUCKET_SLOTS; slot++) {
			struct hash_entry *entry = array->buckets[b].entries[slot];

			if (entry)
				entry->hash = hash_words(array->keys, entry->words, hash->n_words);
		}
	}
}

// An array of at least `count` buckets, with new keys. Readers that are in the old one stay right: what
// is inserted from now on they do not see, and what is removed from now on they may find, but its
// rule is dead to them. They never look at entry->hash.
static int hash_resize(struct hash *hash, uint32_t count)
{
	struct bucket_array *old = hash->array, *array = NULL;

	for (unsigned try = 0; try < TRIES && !array; try++, count *= 2) {
		array = bucket_array_create(count);
		if (!array)
			return -ENOMEM;
		if (!array_fill(array, old, hash->n_words)) {
			bucket_array_free(array);
			array = NULL;
		}
	}
	if (!array)
		return -ENOMEM;
	__atomic_store_n(&hash->array, array, __ATOMIC_RELEASE);
	hashes_update(hash);
	hash->retirement.retire(hash->retirement.context, bucket_array_free, old);
	return 0;
}

static struct lookup *hash_create(const struct packet_key *mask, struct retirement retirement)
{
	const uint64_t *words = (const uint64_t *)mask;
	struct hash *hash = calloc(1, sizeof *hash);

	if (!hash)
		return NULL;
	hash->lookup.kind = &lookup_hash;
	hash->retirement = retirement;
	for (unsigned w = 0; w < KEY_WORDS; w++) {
		if (words[w] == 0)
			continue;
		hash->word_index[hash->n_words] = (uint8_t)w;
		hash->word_mask[hash->n_words++] = words[w];
		hash->lookup.lines |= (uint8_t)(1u << (w * 8 / KEY_LINE_SIZE));
	}
	hash->array = bucket_array_create(BUCKETS_MIN);
	if (!hash->array) {
		free(hash);
		errno = ENOMEM;
		return NULL;
	}
	return &hash->lookup;
}

static void hash_destroy(struct lookup *lookup)
{
	struct hash *hash = hash_of(lookup);

	if (!lookup)
		return;
	for (uint32_t b = 0; b <= hash->array->index_mask; b++) {
		for (unsigned slot = 0; slot < BUCKET_SLOTS; slot++) {
			struct hash_entry *entry = hash->array->buckets[b].entries[slot];

			while (entry) {
				struct hash_entry *next = entry->next;

				free(entry);
				entry = next;
			}
		}
	}
	bucket_array_free(hash->array);
	free(hash);
}

static bool hash_serves(const struct hash *hash, const struct packet_key *mask)
{
	const uint64_t *words = (const uint64_t *)mask;
	unsigned next = 0;

	for (unsigned w = 0; w < KEY_WORDS; w++) {
		if (words[w] == 0)
			continue;
		if (next == hash->n_words || hash->word_index[next] != w ||
			hash->word_mask[next] != words[w])
			return false;
		next++;
	}
	return next == hash->n_words;
}

// Links `entry` into the chain of `head`, in front of the first that is not better.
static void chain_insert(struct hash *hash, struct hash_entry *head, struct hash_entry *entry)
{
	struct hash_entry *before = NULL, *after = head;
	struct bucket *bucket;
	uint32_t steps;

	while (after && rule_better(after->rule, entry->rule)) {
		before = after;
		after = after->next;
	}
	entry->next = after;
	__atomic_store_n(before ? &before->next : array_slot(hash->array, head, &bucket, &steps),
		entry, __ATOMIC_RELEASE);
}

// After a change.
static void only_update(struct hash *hash)
{
	const struct bucket_array *array = hash->array;
	struct hash_entry *only = NULL;

	for (uint32_t b = 0; hash->matches == 1 && b <= array->index_mask && !only; b++) {
		for (unsigned slot = 0; slot < BUCKET_SLOTS && !only; slot++)
			only = array->buckets[b].entries[slot];
	}
	__atomic_store_n(&hash->only, only, __ATOMIC_RELEASE);
}

// A match that is not there yet. 0 or -ENOMEM.
static int head_insert(struct hash *hash, struct hash_entry *entry)
{
	uint32_t buckets = hash->array->index_mask + 1;

	// Three and a half of six slots: few buckets overflow.
	if (hash->matches * 2 >= buckets * 7 && hash_resize(hash, buckets * 2) != 0)
		return -ENOMEM;
	for (unsigned try = 0; try < TRIES; try++) {
		entry->hash = hash_words(hash->array->keys, entry->words, hash->n_words);
		if (array_insert(hash->array, entry, entry->hash)) {
			hash->matches++;
			return 0;
		}
		if (hash_resize(hash, (hash->array->index_mask + 1) * 2) != 0)
			return -ENOMEM;
	}
	return -ENOMEM;
}

static int hash_insert(struct lookup *lookup, struct rule *rule)
{
	struct hash *hash = hash_of(lookup);
	struct hash_entry *head, *entry;

	if (!hash_serves(hash, &rule->mask))
		return -ENOSPC;
	entry = malloc(sizeof *entry + hash->n_words * sizeof entry->words[0]);
	if (!entry)
		return -ENOMEM;
	entry->rule = rule;
	entry->next = NULL;
	pack_words(hash, &rule->value, entry->words, hash->n_words);
	entry->hash = hash_words(hash->array->keys, entry->words, hash->n_words);

	head = (struct hash_entry *)entry_find(
		hash->array, entry->hash, entry->words, hash->n_words);
	if (head) {
		chain_insert(hash, head, entry);
	} else if (head_insert(hash, entry) != 0) {
		free(entry);
		return -ENOMEM;
	}
	only_update(hash);
	lookup->count++;
	if (lookup->count == 1 || rule->priority > lookup->max_priority)
		lookup->max_priority = rule->priority;
	return 0;
}

static void hash_remove(struct lookup *lookup, struct rule *rule)
{
	struct hash *hash = hash_of(lookup);
	struct hash_entry *head, *before = NULL, *entry;
	uint64_t words[KEY_WORDS];
	uint32_t buckets = hash->array->index_mask + 1;

	pack_words(hash, &rule->value, words, hash->n_words);
	head = (struct hash_entry *)entry_find(
		hash->array, hash_words(hash->array->keys, words, hash->n_words), words,
		hash->n_words);
	for (entry = head; entry && entry->rule != rule; entry = entry->next)
		before = entry;
	if (!entry)
		return;
	if (before) {
		__atomic_store_n(&before->next, entry->next, __ATOMIC_RELEASE);
	} else if (entry->next) {
		struct bucket *bucket;
		uint32_t steps;

		entry->next->hash = entry->hash;
		__atomic_store_n(array_slot(hash->array, head, &bucket, &steps), entry->next,
			__ATOMIC_RELEASE);
	} else {
		array_remove(hash->array, head);
		hash->matches--;
	}
	only_update(hash);
	lookup->count--;
	hash->retirement.retire(hash->retirement.context, free, entry);
	// Shrinking is a courtesy; without memory for it the large array just stays.
	if (buckets > BUCKETS_MIN && hash->matches * 4 < buckets)
		(void)hash_resize(hash, buckets / 2);
}

static size_t hash_memory(const struct lookup *lookup)
{
	const struct hash *hash = (const struct hash *)lookup;
	size_t entry = sizeof(struct hash_entry) + hash->n_words * sizeof(uint64_t);

	return sizeof *hash + sizeof *hash->array +
	       (hash->array->index_mask + 1) * sizeof(struct bucket) + lookup->count * entry;
}

// Of the entries that a lookup from bucket `home` on may meet, the most that have one tag.
static unsigned tags_alike(const struct bucket_array *array, uint32_t home, unsigned way)
{
	uint16_t tags[(REACH_MAX + 1) * BUCKET_SLOTS];
	unsigned count = 0, most = 0;

	for (unsigned step = 0; step < way; step++) {
		const struct bucket *bucket = &array->buckets[(home + step) & array->index_mask];

		for (unsigned slot = 0; slot < BUCKET_SLOTS; slot++) {
			unsigned alike = 1;

			if (!bucket->entries[slot])
				continue;
			for (unsigned t = 0; t < count; t++)
				alike += tags[t] == bucket->tags[slot];
			tags[count++] = bucket->tags[slot];
			most = alike > most ? alike : most;
		}
	}
	return most;
}

// The worst home bucket. A first look at the bucket and at an entry tells most packets, the others
// begin anew.
static struct lookup_cost hash_cost(const struct lookup *lookup)
{
	const struct hash *hash = (const struct hash *)lookup;
	const struct bucket_array *array = hash->array;
	unsigned buckets = 0, entries = 0;

	if (hash->n_words == 0 || hash->only)
		return (struct lookup_cost){{[STEP_ENTRY] = 2, [STEP_BUCKET] = hash->n_words == 0}};
	for (uint32_t home = 0; home <= array->index_mask; home++) {
		unsigned way = 1, alike;

		while (way <= array->reach &&
			array->buckets[(home + way - 1) & array->index_mask].overflow > 0)
			way++;
		alike = tags_alike(array, home, way);
		if (way + alike > buckets + entries) {
			buckets = way;
			entries = alike;
		}
	}
	// And the rule.
	return (struct lookup_cost){{[STEP_BUCKET] = buckets + 1, [STEP_ENTRY] = entries + 2}};
}

const struct lookup_kind lookup_hash = {
	.name = "hash",
	.create = hash_create,
	.destroy = hash_destroy,
	.insert = hash_insert,
	.remove = hash_remove,
	.find = hash_find,
	.cost = hash_cost,
	.memory = hash_memory,
};
