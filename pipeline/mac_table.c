// SPDX-License-Identifier: Apache-2.0
#include "pipeline/mac_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "pipeline/mac_table_probe.h"

#define SIZE_MAX_ENTRIES (1u << 20)
#define HUGE_PAGE (2u << 20)

// Addresses are looked for all over the table, so each page of a large one would cost a miss in
// the processor's cache of translations: have it in huge pages where the system gives them.
static struct mac_bucket *buckets_create(size_t count)
{
	size_t size = count * sizeof(struct mac_bucket);
	bool huge = size >= HUGE_PAGE;
	struct mac_bucket *buckets =
		aligned_alloc(huge ? HUGE_PAGE : sizeof(struct mac_bucket), size);

	if (!buckets)
		return NULL;
	if (huge)
		madvise(buckets, size, MADV_HUGEPAGE);
	memset(buckets, 0, size);
	return buckets;
}

struct mac_table *mac_table_create(uint32_t size, uint32_t aging)
{
	struct mac_table *table;
	uint32_t buckets = 2;

	if (size == 0 || size > SIZE_MAX_ENTRIES) {
		errno = EINVAL;
		return NULL;
	}
	// At most three quarters full, so that few addresses lie in their second bucket.
	while ((uint64_t)buckets * MAC_SLOTS * 3 / 4 < size)
		buckets *= 2;
	table = calloc(1, sizeof(*table));
	if (!table)
		return NULL;
	table->buckets = buckets_create(buckets);
	table->by_port = calloc(UINT16_MAX + 1, sizeof(uint32_t));
	if (!table->buckets || !table->by_port) {
		mac_table_destroy(table);
		errno = ENOMEM;
		return NULL;
	}
	if (getrandom(&table->seed, sizeof(table->seed), GRND_NONBLOCK) < 0)
		table->seed = (uintptr_t)table;
	table->bucket_count = buckets;
	table->shift = (uint8_t)(64 - __builtin_ctz(buckets));
	table->capacity = size;
	table->aging = aging;
	return table;
}

void mac_table_destroy(struct mac_table *table)
{
	if (!table)
		return;
	free(table->buckets);
	free(table->by_port);
	free(table);
}

uint16_t mac_table_lookup(const struct mac_table *table, const uint8_t mac[6], uint16_t vlan)
{
	struct mac_probe probe = mac_probe_of(table, mac_key(mac_number(mac), vlan));

	return mac_probe_port(table, &probe);
}

bool mac_table_seen(
	struct mac_table *table, const uint8_t mac[6], uint16_t vlan, uint16_t port, uint32_t now)
{
	struct mac_probe probe;

	if (!mac_is_learnable(mac_number(mac)))
		return true;
	probe = mac_probe_of(table, mac_key(mac_number(mac), vlan));
	return mac_probe_seen(table, &probe, port, now);
}

bool mac_table_knows(
	const struct mac_table *table, const uint8_t mac[6], uint16_t vlan, uint16_t port)
{
	return !mac_is_learnable(mac_number(mac)) || mac_table_lookup(table, mac, vlan) == port;
}

size_t mac_table_age(struct mac_table *table, uint32_t now, size_t budget)
{
	size_t slots = mac_table_slots(table);
	size_t forgotten = 0;

	if (budget > slots)
		budget = slots;
	while (budget-- > 0) {
		struct mac_slot *slot = mac_slot_at(table, table->age_cursor);

		table->age_cursor = table->age_cursor + 1 < slots ? table->age_cursor + 1 : 0;
		if (slot->key != 0 && mac_slot_age(slot, now) > table->aging) {
			mac_slot_clear(table, slot);
			forgotten++;
		}
	}
	table->stats.aged += forgotten;
	return forgotten;
}

size_t mac_table_flush(struct mac_table *table, uint16_t port, int vlan)
{
	size_t slots = mac_table_slots(table);
	size_t forgotten = 0;

	for (size_t i = 0; i < slots; i++) {
		struct mac_slot *slot = mac_slot_at(table, i);

		if (slot->key == 0 || (port != OFPORT_NONE && slot->port != port) ||
			(vlan >= 0 && (slot->key & 0xfff) != (unsigned)vlan))
			continue;
		mac_slot_clear(table, slot);
		forgotten++;
	}
	table->stats.flushed += forgotten;
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

struct mac_table_stats mac_table_stats(const struct mac_table *table)
{
	return table->stats;
}

uint32_t mac_table_port_count(const struct mac_table *table, uint16_t port)
{
	return table->by_port[port];
}

size_t mac_table_list(const struct mac_table *table, uint32_t now, size_t *cursor,
	struct mac_entry *entries, size_t limit)
{
	size_t slots = mac_table_slots(table);
	size_t count = 0;

	while (*cursor < slots && count < limit) {
		const struct mac_slot *slot = mac_slot_at(table, (*cursor)++);
		uint64_t number = (slot->key & ~MAC_KEY_VALID) >> 12;

		if (slot->key == 0)
			continue;
		memcpy(entries[count].mac, &number, 6);
		entries[count].vlan = slot->key & 0xfff;
		entries[count].port = slot->port;
		entries[count].age = mac_slot_age(slot, now);
		count++;
	}
	return count;
}
