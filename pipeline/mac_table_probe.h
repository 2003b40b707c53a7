// SPDX-License-Identifier: Apache-2.0
#pragma once

// How addresses lie in a MAC table, and how readers find them: for pipeline/mac_table*.c and for
// the packet path, nobody else.
//
// Every address has two buckets and lies in the first of them if there was room; a bucket is a
// cache line, so nearly always one line is all that is read: `spilled` of the first bucket says
// whether any of its addresses lie in their second ones. When an address was last seen stands in
// the same line. It is written at most once a second, so that other cores keep the line.
//
// The control thread writes. It empties a key, writes the rest of the slot and then the key; a
// reader reads key, port, key. An address that moves to its second bucket is there before it
// leaves the first, which is where readers look first.

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/action.h"
#include "pipeline/byte_order.h"
#include "pipeline/mac_table.h"

#define MAC_SLOTS 4
#define MAC_KEY_VALID (1ULL << 60)

struct mac_slot {
	uint64_t key; // the address and its VLAN, 0 if the slot is empty
	uint16_t port;
	uint16_t spilled; // of a bucket's first slot: addresses of it that lie in another bucket
	uint32_t seen;    // readers and control write, relaxed
};

struct mac_bucket {
	struct mac_slot slots[MAC_SLOTS];
} __attribute__((aligned(64)));

struct mac_table {
	struct mac_bucket *buckets; // readers: ro (but for seen); control: wo
	uint64_t seed;              // set once; keyed so that nobody can aim at one bucket
	uint32_t bucket_count;      // set once; a power of two
	uint8_t shift;              // set once; 64 less the bits of a bucket's number
	uint32_t capacity;          // set once
	// Control.
	uint32_t count;
	uint32_t aging;
	size_t age_cursor;
	uint32_t *by_port;   // addresses at each port
	uint32_t port_bound; // no port of a higher number had any
	uint16_t largest;    // the port with most addresses, if it has `peak` of them
	uint32_t peak;       // no port has more
	struct mac_table_stats stats;
};

// Where to look for an address.
struct mac_probe {
	uint64_t key; // 0: an address that is never in the table
	struct mac_bucket *first;
};

// The address as a number, its first byte lowest. Not by memcpy() into a wider variable: reading
// that back at once costs more than all the rest.
static inline uint64_t mac_number(const uint8_t mac[6])
{
	return load_32(mac) | (uint64_t)load_16(mac + 4) << 32;
}

// The part of a key that is not the address.
static inline uint64_t mac_key_vlan(uint16_t vlan)
{
	return (vlan & 0xfff) | MAC_KEY_VALID;
}

static inline uint64_t mac_key(uint64_t number, uint16_t vlan)
{
	return number << 12 | mac_key_vlan(vlan);
}

// A source of zero or of a group is none.
static inline bool mac_is_learnable(uint64_t number)
{
	return number != 0 && !(number & 1);
}

// A keyed mixer in the manner of the multiply-and-fold hashes: the upper parts of the two halves
// give the two buckets.
static inline uint64_t mac_hash(const struct mac_table *table, uint64_t key)
{
	unsigned __int128 product = (unsigned __int128)(key ^ table->seed) * 0x9e3779b97f4a7c15ULL;
	uint64_t folded = (uint64_t)product ^ (uint64_t)(product >> 64);

	return folded * 0xd6e8feb86659fd93ULL;
}

static inline struct mac_probe mac_probe_of(const struct mac_table *table, uint64_t key)
{
	return (struct mac_probe){key, &table->buckets[mac_hash(table, key) >> table->shift]};
}

// Begin to look for an address: have the line fetched in which it nearly always lies.
static inline struct mac_probe mac_probe_start(const struct mac_table *table, uint64_t key)
{
	struct mac_probe probe = mac_probe_of(table, key);

	__builtin_prefetch(probe.first);
	return probe;
}

static inline struct mac_bucket *mac_probe_second(
	const struct mac_table *table, const struct mac_probe *probe)
{
	uint64_t second = mac_hash(table, probe->key) << 32 >> table->shift;

	return &table->buckets[second] == probe->first ? &table->buckets[second ^ 1]
						       : &table->buckets[second];
}

// The slots are compared without a branch: where in a bucket an address lies is chance, and a wrong
// guess of the processor costs more than the comparisons.
static inline struct mac_slot *mac_bucket_find(struct mac_bucket *bucket, uint64_t key)
{
	struct mac_slot *slot = bucket->slots;
	unsigned at = 0;

#pragma GCC unroll 4
	for (unsigned i = 1; i < MAC_SLOTS; i++)
		at += i *
		      (unsigned)(__atomic_load_n(&bucket->slots[i].key, __ATOMIC_RELAXED) == key);
	slot += at % MAC_SLOTS;
	return __atomic_load_n(&slot->key, __ATOMIC_ACQUIRE) == key ? slot : NULL;
}

// The same where that was not in the first bucket.
static inline struct mac_slot *mac_probe_find_second(
	const struct mac_table *table, const struct mac_probe *probe)
{
	if (!__atomic_load_n(&probe->first->slots[0].spilled, __ATOMIC_ACQUIRE))
		return NULL;
	return mac_bucket_find(mac_probe_second(table, probe), probe->key);
}

// The slot that holds the address, or NULL. A reader has to check the key again after use.
static inline struct mac_slot *mac_probe_find(
	const struct mac_table *table, const struct mac_probe *probe)
{
	struct mac_slot *slot = mac_bucket_find(probe->first, probe->key);

	return __builtin_expect(slot != NULL, 1) ? slot : mac_probe_find_second(table, probe);
}

// The port in `slot`, which may be NULL, if it still holds `key`, else OFPORT_NONE.
static inline uint16_t mac_slot_port(const struct mac_slot *slot, uint64_t key)
{
	uint16_t port;

	if (!slot)
		return OFPORT_NONE;
	port = __atomic_load_n(&slot->port, __ATOMIC_ACQUIRE);
	return __atomic_load_n(&slot->key, __ATOMIC_RELAXED) == key ? port : OFPORT_NONE;
}

// The answer of mac_table_lookup().
static inline uint16_t mac_probe_port(const struct mac_table *table, const struct mac_probe *probe)
{
	struct mac_slot *slot = mac_probe_find(table, probe);
	uint16_t port = mac_slot_port(slot, probe->key);

	// It was there, so maybe it has just moved to its second bucket.
	if (__builtin_expect(slot && port == OFPORT_NONE, 0))
		return mac_slot_port(mac_probe_find(table, probe), probe->key);
	return port;
}

// The answer of mac_table_seen(). An address that moves meanwhile may be taken for one to learn.
static inline bool mac_probe_seen(
	struct mac_table *table, const struct mac_probe *probe, uint16_t port, uint32_t now)
{
	struct mac_slot *slot;

	if (!probe->key)
		return true;
	slot = mac_probe_find(table, probe);
	if (!slot || mac_slot_port(slot, probe->key) != port)
		return false;
	if (__atomic_load_n(&slot->seen, __ATOMIC_RELAXED) != now)
		__atomic_store_n(&slot->seen, now, __ATOMIC_RELAXED);
	return true;
}

// --- Control thread ---

static inline size_t mac_table_slots(const struct mac_table *table)
{
	return (size_t)table->bucket_count * MAC_SLOTS;
}

static inline struct mac_slot *mac_slot_at(const struct mac_table *table, size_t slot)
{
	return &table->buckets[slot / MAC_SLOTS].slots[slot % MAC_SLOTS];
}

// Seconds since the address was last seen. A reader's clock may be a little ahead of the caller's.
static inline uint32_t mac_slot_age(const struct mac_slot *slot, uint32_t now)
{
	int32_t age = (int32_t)(now - __atomic_load_n(&slot->seen, __ATOMIC_RELAXED));

	return age > 0 ? (uint32_t)age : 0;
}

// Forget what is in the slot.
void mac_slot_clear(struct mac_table *table, struct mac_slot *slot);
