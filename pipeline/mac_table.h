// SPDX-License-Identifier: Apache-2.0
#pragma once

// The MAC table of a bridge: (VLAN, MAC) -> port, bounded and ageing.
//
// One control thread writes; any number of threads look up without locks. A lookup that runs
// beside a write sees the old or the new entry, never a mixture. Readers refresh an entry's
// last-seen time with one relaxed store, at most once a second.
//
// A full table makes room at the port that has most addresses in it, where of some the one unseen
// for longest goes. So a port can only lose addresses to others while none of them has more: a
// flood of addresses at one port pushes out nothing but itself.
//
// Time is in whole seconds from any fixed start and is passed in.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mac_table;

struct mac_entry {
	uint8_t mac[6];
	uint16_t vlan;
	uint16_t port;
	uint32_t age; // seconds since last seen
};

// What has happened since the table was made.
struct mac_table_stats {
	uint64_t learned; // new addresses
	uint64_t moved;   // to another port
	uint64_t aged;    // forgotten because unseen for the ageing time
	uint64_t evicted; // forgotten to make room
	uint64_t flushed;
};

#define MAC_AGING_DEFAULT 300
#define MAC_TABLE_SIZE_DEFAULT 8192

// `size`: most entries held, 1..1048576. `aging`: seconds. NULL with errno.
struct mac_table *mac_table_create(uint32_t size, uint32_t aging);
void mac_table_destroy(struct mac_table *table);

// Any thread. The port, or OFPORT_NONE.
uint16_t mac_table_lookup(const struct mac_table *table, const uint8_t mac[6], uint16_t vlan);

// Any thread. Refresh the entry if it is there with this port; true if there is nothing to learn.
// Multicast and zero source addresses are never learned: true.
bool mac_table_seen(struct mac_table *table, const uint8_t mac[6], uint16_t vlan, uint16_t port,
		uint32_t now);

// Any thread. The answer of mac_table_seen(), without refreshing anything.
bool mac_table_knows(
	const struct mac_table *table, const uint8_t mac[6], uint16_t vlan, uint16_t port);

// Control thread. True if the table changed (new, or moved to another port).
bool mac_table_learn(struct mac_table *table, const uint8_t mac[6], uint16_t vlan, uint16_t port,
		uint32_t now);

// Control thread. Forget entries unseen for longer than the ageing time; at most `budget` slots
// are looked at per call, going round. Returns the number forgotten.
size_t mac_table_age(struct mac_table *table, uint32_t now, size_t budget);

// Control thread. Forget all entries of `port` (OFPORT_NONE: any) and `vlan` (-1: any).
size_t mac_table_flush(struct mac_table *table, uint16_t port, int vlan);

void mac_table_set_aging(struct mac_table *table, uint32_t aging);
size_t mac_table_count(const struct mac_table *table);
uint32_t mac_table_capacity(const struct mac_table *table);
// Control thread.
struct mac_table_stats mac_table_stats(const struct mac_table *table);
uint32_t mac_table_port_count(const struct mac_table *table, uint16_t port);

// Control thread. Up to `limit` entries from slot *cursor on; advances *cursor; 0 at the end.
size_t mac_table_list(const struct mac_table *table, uint32_t now, size_t *cursor,
		struct mac_entry *entries, size_t limit);
