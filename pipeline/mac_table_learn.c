// SPDX-License-Identifier: Apache-2.0
#include "pipeline/mac_table_probe.h"

// The control thread's part of a MAC table: where a new address goes, and what goes for it.

#define EVICT_SAMPLE 16 // the oldest of so many is rarely among the younger half
#define EVICT_STEPS 512 // slots to look at for them, once there is one

// --- Who has how many ---

static void port_add(struct mac_table *table, uint16_t port)
{
	uint32_t count = ++table->by_port[port];

	if (port >= table->port_bound)
		table->port_bound = port + 1u;
	if (count < table->peak)
		return;
	table->largest = port;
	table->peak = count;
}

static uint16_t port_largest(struct mac_table *table)
{
	if (table->by_port[table->largest] >= table->peak)
		return table->largest;
	for (unsigned port = 0; port < table->port_bound; port++) {
		if (table->by_port[port] > table->by_port[table->largest])
			table->largest = (uint16_t)port;
	}
	table->peak = table->by_port[table->largest];
	return table->largest;
}

// --- Slots ---

static struct mac_bucket *bucket_of(const struct mac_table *table, const struct mac_slot *slot)
{
	return &table->buckets[((uintptr_t)slot - (uintptr_t)table->buckets) /
			       sizeof(struct mac_bucket)];
}

// Addresses of `bucket` that lie elsewhere: one more or one less.
static void spilled_change(struct mac_bucket *bucket, int by)
{
	uint16_t *spilled = &bucket->slots[0].spilled;

	__atomic_store_n(spilled, (uint16_t)(*spilled + by), __ATOMIC_RELEASE);
}

void mac_slot_clear(struct mac_table *table, struct mac_slot *slot)
{
	struct mac_bucket *first = mac_probe_of(table, slot->key).first;

	__atomic_store_n(&slot->key, 0, __ATOMIC_RELEASE);
	if (bucket_of(table, slot) != first)
		spilled_change(first, -1);
	table->by_port[slot->port]--;
	table->count--;
}

// An empty slot, or NULL.
static struct mac_slot *bucket_room(struct mac_bucket *bucket)
{
	for (unsigned i = 0; i < MAC_SLOTS; i++) {
		if (bucket->slots[i].key == 0)
			return &bucket->slots[i];
	}
	return NULL;
}

// Fill an empty slot. Release: a reader that sees the new port sees that the old key is gone.
static void slot_fill(struct mac_slot *slot, uint64_t key, uint16_t port, uint32_t seen)
{
	__atomic_store_n(&slot->port, port, __ATOMIC_RELEASE);
	__atomic_store_n(&slot->seen, seen, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->key, key, __ATOMIC_RELEASE);
}

// --- Room ---

// Move one of the bucket's own addresses to its second bucket. The slot that it leaves, or NULL.
static struct mac_slot *bucket_push(struct mac_table *table, struct mac_bucket *bucket)
{
	for (unsigned i = 0; i < MAC_SLOTS; i++) {
		struct mac_slot *slot = &bucket->slots[i], *room;
		struct mac_probe probe = mac_probe_of(table, slot->key);

		if (probe.first != bucket)
			continue;
		room = bucket_room(mac_probe_second(table, &probe));
		if (!room)
			continue;
		slot_fill(room, slot->key, slot->port,
			__atomic_load_n(&slot->seen, __ATOMIC_RELAXED));
		spilled_change(bucket, 1);
		__atomic_store_n(&slot->key, 0, __ATOMIC_RELEASE);
		return slot;
	}
	return NULL;
}

// Which of two addresses goes: of ports with unequally many, the one of the port that has more.
static struct mac_slot *worse(
	const struct mac_table *table, struct mac_slot *one, struct mac_slot *other, uint32_t now)
{
	uint32_t ones = one ? table->by_port[one->port] : 0;
	uint32_t others = table->by_port[other->port];

	if (!one || others > ones)
		return other;
	if (others == ones && mac_slot_age(other, now) > mac_slot_age(one, now))
		return other;
	return one;
}

// Both buckets are full, and so are those that their addresses could go to. Rare, and it can hit
// anybody, but an address of a large port rather than one of a small port.
static struct mac_slot *evict_from_pair(
	struct mac_table *table, const struct mac_probe *probe, uint32_t now)
{
	struct mac_bucket *pair[2] = {probe->first, mac_probe_second(table, probe)};
	struct mac_slot *found = NULL;

	for (unsigned i = 0; i < 2 * MAC_SLOTS; i++)
		found = worse(table, found, &pair[i / MAC_SLOTS]->slots[i % MAC_SLOTS], now);
	mac_slot_clear(table, found);
	table->stats.evicted++;
	return found;
}

// The table holds its capacity: of the port that has most, forget the one unseen for longest among
// EVICT_SAMPLE that come after `bucket`, which is any.
static void evict_from_largest(
	struct mac_table *table, const struct mac_bucket *bucket, uint32_t now)
{
	uint16_t port = port_largest(table);
	size_t slots = mac_table_slots(table);
	size_t at = (size_t)(bucket - table->buckets) * MAC_SLOTS;
	struct mac_slot *oldest = NULL;
	unsigned sampled = 0;

	for (size_t step = 0; step < slots && sampled < EVICT_SAMPLE; step++) {
		struct mac_slot *slot = mac_slot_at(table, at);

		at = at + 1 < slots ? at + 1 : 0;
		if (step >= EVICT_STEPS && oldest)
			break;
		if (slot->key == 0 || slot->port != port)
			continue;
		if (!oldest || mac_slot_age(slot, now) > mac_slot_age(oldest, now))
			oldest = slot;
		sampled++;
	}
	if (!oldest)
		return;
	mac_slot_clear(table, oldest);
	table->stats.evicted++;
}

// An empty slot in one of the two buckets; if need be, what is there moves on or goes.
static struct mac_slot *slot_for_new(
	struct mac_table *table, const struct mac_probe *probe, uint32_t now)
{
	struct mac_bucket *pair[2] = {probe->first, mac_probe_second(table, probe)};
	struct mac_slot *slot = NULL;

	for (unsigned i = 0; i < 2 && !slot; i++)
		slot = bucket_room(pair[i]);
	for (unsigned i = 0; i < 2 && !slot; i++)
		slot = bucket_push(table, pair[i]);
	return slot ? slot : evict_from_pair(table, probe, now);
}

// --- Learning ---

static bool learn_known(struct mac_table *table, struct mac_slot *slot, uint16_t port, uint32_t now)
{
	__atomic_store_n(&slot->seen, now, __ATOMIC_RELAXED);
	if (slot->port == port)
		return false;
	table->by_port[slot->port]--;
	port_add(table, port);
	__atomic_store_n(&slot->port, port, __ATOMIC_RELEASE);
	table->stats.moved++;
	return true;
}

bool mac_table_learn(
	struct mac_table *table, const uint8_t mac[6], uint16_t vlan, uint16_t port, uint32_t now)
{
	struct mac_probe probe;
	struct mac_slot *slot;

	if (!mac_is_learnable(mac_number(mac)))
		return false;
	probe = mac_probe_of(table, mac_key(mac_number(mac), vlan));
	slot = mac_probe_find(table, &probe);
	if (slot)
		return learn_known(table, slot, port, now);
	if (table->count >= table->capacity)
		evict_from_largest(table, probe.first, now);
	slot = slot_for_new(table, &probe, now);
	slot_fill(slot, probe.key, port, now);
	if (bucket_of(table, slot) != probe.first)
		spilled_change(probe.first, 1);
	port_add(table, port);
	table->count++;
	table->stats.learned++;
	return true;
}
