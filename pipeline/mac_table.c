// SPDX-License-Identifier: Apache-2.0
#include "pipeline/mac_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "pipeline/action.h"
#include "pipeline/byte_order.h"

#define SLOTS 4
#define KEY_VALID (1ULL << 60)
#define SIZE_MAX_ENTRIES (1u << 20)
#define EVICT_SAMPLE 16 // the oldest of so many is rarely among the younger half

// key: the address and its VLAN, 0 if the slot is empty; data: the port.
// The writer empties the key, writes the data and then the key; a reader reads key, data, key.
struct mac_slot {
	uint64_t key;
	uint64_t data;
};

struct mac_bucket {
	struct mac_slot slots[SLOTS];
} __attribute__((aligned(64)));

struct mac_table {
	struct mac_bucket *buckets; // readers: ro; control: wo
	uint32_t *seen;             // by slot; readers and control write, relaxed
	uint64_t seed;              // set once; keyed so that nobody can aim at one bucket
	uint32_t bucket_mask;       // set once
	uint32_t capacity;          // set once
	uint32_t count;             // control
	uint32_t aging;             // control
	size_t age_cursor;          // control
};

// The address as a number, its first byte lowest. Not by memcpy() into a wider variable: reading
// that back at once costs more than all the rest.
static inline uint64_t mac_number(const uint8_t mac[6])
{
	return load_32(mac) | (uint64_t)load_16(mac + 4) << 32;
}

static uint64_t mac_key(const uint8_t mac[6], uint16_t vlan)
{
	return mac_number(mac) << 12 | (vlan & 0xfff) | KEY_VALID;
}

static bool key_is_learnable(const uint8_t mac[6])
{
	uint64_t number = mac_number(mac);

	return number != 0 && !(number & 1);
}

// A keyed mixer in the manner of the multiply-and-fold hashes: the two products of the halves give
// the two buckets.
static void buckets_of(
	const struct mac_table *table, uint64_t key, uint32_t *first, uint32_t *second)
{
	unsigned __int128 product = (unsigned __int128)(key ^ table->seed) * 0x9e3779b97f4a7c15ULL;
	uint64_t hash = (uint64_t)product ^ (uint64_t)(product >> 64);

	hash *= 0xd6e8feb86659fd93ULL;
	hash ^= hash >> 32;
	*first = (hash >> 8) & table->bucket_mask;
	*second = (hash >> 36) & table->bucket_mask;
	if (*second == *first)
		*second ^= 1;
}

struct mac_table *mac_table_create(uint32_t size, uint32_t aging)
{
	struct mac_table *table;
	uint32_t buckets = 2;

	if (size == 0 || size > SIZE_MAX_ENTRIES) {
		errno = EINVAL;
		return NULL;
	}
	// Two choices of four slots fill to more than three quarters before a bucket pair is full.
	while ((uint64_t)buckets * SLOTS * 3 / 4 < size)
		buckets *= 2;
	table = calloc(1, sizeof(*table));
	if (!table)
		return NULL;
	table->buckets = aligned_alloc(64, buckets * sizeof(struct mac_bucket));
	table->seen = calloc((size_t)buckets * SLOTS, sizeof(uint32_t));
	if (!table->buckets || !table->seen) {
		mac_table_destroy(table);
		errno = ENOMEM;
		return NULL;
	}
	memset(table->buckets, 0, buckets * sizeof(struct mac_bucket));
	if (getrandom(&table->seed, sizeof(table->seed), GRND_NONBLOCK) < 0)
		table->seed = (uintptr_t)table;
	table->bucket_mask = buckets - 1;
	table->capacity = size;
	table->aging = aging;
	return table;
}

void mac_table_destroy(struct mac_table *table)
{
	if (!table)
		return;
	free(table->buckets);
	free(table->seen);
	free(table);
}

// The slot of the two buckets that holds `key`, or -1. For the writer, and for readers, who check
// again after use.
//
// All eight slots are compared without a branch: where an address lies is chance, and a wrong guess
// of the processor costs more than the comparisons.
static inline int64_t find_slot_in(
	const struct mac_table *table, const uint32_t pair[2], uint64_t key)
{
	unsigned hits = 0, hit;

#pragma GCC unroll 8
	for (unsigned i = 0; i < 2 * SLOTS; i++) {
		const struct mac_slot *slot = &table->buckets[pair[i / SLOTS]].slots[i % SLOTS];

		hits |= (unsigned)(__atomic_load_n(&slot->key, __ATOMIC_ACQUIRE) == key) << i;
	}
	if (!hits)
		return -1;
	hit = (unsigned)__builtin_ctz(hits);
	return (int64_t)pair[hit / SLOTS] * SLOTS + hit % SLOTS;
}

static int64_t find_slot(const struct mac_table *table, uint64_t key)
{
	uint32_t pair[2];

	buckets_of(table, key, &pair[0], &pair[1]);
	return find_slot_in(table, pair, key);
}

static struct mac_slot *slot_at(const struct mac_table *table, int64_t slot)
{
	return &table->buckets[slot / SLOTS].slots[slot % SLOTS];
}

// The port in `slot` if it still holds `key`, else OFPORT_NONE.
static uint16_t slot_port(const struct mac_table *table, int64_t slot, uint64_t key)
{
	const struct mac_slot *at = slot_at(table, slot);
	uint64_t data = __atomic_load_n(&at->data, __ATOMIC_ACQUIRE);

	if (__atomic_load_n(&at->key, __ATOMIC_RELAXED) != key)
		return OFPORT_NONE;
	return (uint16_t)data;
}

uint16_t mac_table_lookup(const struct mac_table *table, const uint8_t mac[6], uint16_t vlan)
{
	uint64_t key = mac_key(mac, vlan);
	int64_t slot = find_slot(table, key);

	return slot < 0 ? OFPORT_NONE : slot_port(table, slot, key);
}

bool mac_table_seen(
	struct mac_table *table, const uint8_t mac[6], uint16_t vlan, uint16_t port, uint32_t now)
{
	uint64_t key;
	int64_t slot;

	if (!key_is_learnable(mac))
		return true;
	key = mac_key(mac, vlan);
	slot = find_slot(table, key);
	if (slot < 0 || slot_port(table, slot, key) != port)
		return false;
	if (__atomic_load_n(&table->seen[slot], __ATOMIC_RELAXED) != now)
		__atomic_store_n(&table->seen[slot], now, __ATOMIC_RELAXED);
	return true;
}

bool mac_table_knows(
	const struct mac_table *table, const uint8_t mac[6], uint16_t vlan, uint16_t port)
{
	uint64_t key = mac_key(mac, vlan);
	int64_t slot;

	if (!key_is_learnable(mac))
		return true;
	slot = find_slot(table, key);
	return slot >= 0 && slot_port(table, slot, key) == port;
}

void mac_table_prefetch(const struct mac_table *table, const uint8_t mac[6], uint16_t vlan)
{
	uint32_t first, second;

	buckets_of(table, mac_key(mac, vlan), &first, &second);
	__builtin_prefetch(&table->buckets[first]);
	__builtin_prefetch(&table->buckets[second]);
}

struct mac_probe mac_probe_start(const struct mac_table *table, const uint8_t mac[6], uint16_t vlan)
{
	struct mac_probe probe = {0};

	if (!key_is_learnable(mac))
		return probe;
	probe.key = mac_key(mac, vlan);
	buckets_of(table, probe.key, &probe.buckets[0], &probe.buckets[1]);
	__builtin_prefetch(&table->buckets[probe.buckets[0]]);
	__builtin_prefetch(&table->buckets[probe.buckets[1]]);
	return probe;
}

uint16_t mac_probe_port(const struct mac_table *table, const struct mac_probe *probe)
{
	int64_t slot = probe->key ? find_slot_in(table, probe->buckets, probe->key) : -1;

	return slot < 0 ? OFPORT_NONE : slot_port(table, slot, probe->key);
}

bool mac_probe_seen(
	struct mac_table *table, const struct mac_probe *probe, uint16_t port, uint32_t now)
{
	int64_t slot;

	if (!probe->key)
		return true;
	slot = find_slot_in(table, probe->buckets, probe->key);
	if (slot < 0 || slot_port(table, slot, probe->key) != port)
		return false;
	if (__atomic_load_n(&table->seen[slot], __ATOMIC_RELAXED) != now)
		__atomic_store_n(&table->seen[slot], now, __ATOMIC_RELAXED);
	return true;
}

static void slot_clear(struct mac_table *table, int64_t slot)
{
	__atomic_store_n(&slot_at(table, slot)->key, 0, __ATOMIC_RELEASE);
	table->count--;
}

// Seconds since `slot` was last seen. A reader's clock may be a little ahead of the caller's.
static uint32_t slot_age(const struct mac_table *table, int64_t slot, uint32_t now)
{
	int32_t age = (int32_t)(now - __atomic_load_n(&table->seen[slot], __ATOMIC_RELAXED));

	return age > 0 ? age : 0;
}

// Of one bucket: how many slots are empty, one of them, and the slot unseen for longest.
struct bucket_view {
	unsigned empty;
	int64_t empty_slot, oldest_slot;
};

static struct bucket_view bucket_look(const struct mac_table *table, uint32_t bucket, uint32_t now)
{
	struct bucket_view view = {0, -1, (int64_t)bucket * SLOTS};

	for (int64_t slot = (int64_t)bucket * SLOTS; slot < (int64_t)(bucket + 1) * SLOTS; slot++) {
		if (slot_at(table, slot)->key == 0) {
			view.empty++;
			view.empty_slot = slot;
		} else if (slot_age(table, slot, now) > slot_age(table, view.oldest_slot, now)) {
			view.oldest_slot = slot;
		}
	}
	return view;
}

// Make room for one entry in a table that holds `capacity`: forget the one unseen for longest
// among EVICT_SAMPLE entries near `bucket`.
static void evict_near(struct mac_table *table, uint32_t bucket, uint32_t now)
{
	int64_t slots = ((int64_t)table->bucket_mask + 1) * SLOTS;
	int64_t slot = (int64_t)bucket * SLOTS;
	int64_t oldest = -1;
	unsigned sampled = 0;

	for (int64_t step = 0; step < slots && sampled < EVICT_SAMPLE; step++) {
		if (slot_at(table, slot)->key != 0) {
			if (oldest < 0 || slot_age(table, slot, now) > slot_age(table, oldest, now))
				oldest = slot;
			sampled++;
		}
		slot = slot + 1 < slots ? slot + 1 : 0;
	}
	if (oldest >= 0)
		slot_clear(table, oldest);
}

// The emptier of the two buckets: that keeps pairs of full ones rare (Azar et al., "Balanced
// Allocations", 1999).
static int64_t slot_for_new(struct mac_table *table, uint64_t key, uint32_t now)
{
	struct bucket_view one, other;
	uint32_t first, second;

	buckets_of(table, key, &first, &second);
	one = bucket_look(table, first, now);
	other = bucket_look(table, second, now);
	if (one.empty > 0 || other.empty > 0)
		return one.empty >= other.empty ? one.empty_slot : other.empty_slot;
	return slot_age(table, other.oldest_slot, now) > slot_age(table, one.oldest_slot, now)
		       ? other.oldest_slot
		       : one.oldest_slot;
}

bool mac_table_learn(
	struct mac_table *table, const uint8_t mac[6], uint16_t vlan, uint16_t port, uint32_t now)
{
	uint64_t key;
	int64_t slot;
	struct mac_slot *at;

	if (!key_is_learnable(mac))
		return false;
	key = mac_key(mac, vlan);
	slot = find_slot(table, key);
	if (slot >= 0) {
		at = slot_at(table, slot);
		__atomic_store_n(&table->seen[slot], now, __ATOMIC_RELAXED);
		if (at->data == port)
			return false;
		__atomic_store_n(&at->data, port, __ATOMIC_RELEASE);
		return true;
	}
	slot = slot_for_new(table, key, now);
	at = slot_at(table, slot);
	if (at->key != 0)
		slot_clear(table, slot);
	else if (table->count >= table->capacity)
		evict_near(table, slot / SLOTS, now);
	// Release: a reader that sees the new port sees that the old key is gone.
	__atomic_store_n(&at->data, port, __ATOMIC_RELEASE);
	__atomic_store_n(&table->seen[slot], now, __ATOMIC_RELAXED);
	__atomic_store_n(&at->key, key, __ATOMIC_RELEASE);
	table->count++;
	return true;
}

size_t mac_table_age(struct mac_table *table, uint32_t now, size_t budget)
{
	size_t slots = ((size_t)table->bucket_mask + 1) * SLOTS;
	size_t forgotten = 0;

	if (budget > slots)
		budget = slots;
	while (budget-- > 0) {
		size_t slot = table->age_cursor;

		table->age_cursor = slot + 1 < slots ? slot + 1 : 0;
		if (slot_at(table, slot)->key == 0)
			continue;
		if (slot_age(table, slot, now) > table->aging) {
			slot_clear(table, slot);
			forgotten++;
		}
	}
	return forgotten;
}

size_t mac_table_flush(struct mac_table *table, uint16_t port, int vlan)
{
	size_t slots = ((size_t)table->bucket_mask + 1) * SLOTS;
	size_t forgotten = 0;

	for (size_t slot = 0; slot < slots; slot++) {
		const struct mac_slot *at = slot_at(table, slot);

		if (at->key == 0 || (port != OFPORT_NONE && at->data != port) ||
			(vlan >= 0 && (at->key & 0xfff) != (unsigned)vlan))
			continue;
		slot_clear(table, slot);
		forgotten++;
	}
	return forgotten;
}

void mac_table_set_aging(struct mac_table *table, uint32_t aging)
{
	table->aging = aging;
}

size_t mac_table_count(const struct mac_table *table)
{
	return table->count;
}

uint32_t mac_table_capacity(const struct mac_table *table)
{
	return table->capacity;
}

size_t mac_table_list(const struct mac_table *table, uint32_t now, size_t *cursor,
	struct mac_entry *entries, size_t limit)
{
	size_t slots = ((size_t)table->bucket_mask + 1) * SLOTS;
	size_t count = 0;

	while (*cursor < slots && count < limit) {
		size_t slot = (*cursor)++;
		const struct mac_slot *at = slot_at(table, slot);
		uint64_t high = (at->key & ~KEY_VALID) >> 12;

		if (at->key == 0)
			continue;
		memcpy(entries[count].mac, &high, 6);
		entries[count].vlan = at->key & 0xfff;
		entries[count].port = at->data;
		entries[count].age = slot_age(table, slot, now);
		count++;
	}
	return count;
}
