// SPDX-License-Identifier: Apache-2.0
#pragma once

// A hash map by mask, for what rules of one mask share. An entry embeds a struct mask_node as its
// first member. Where one mask may be that of different things, their kind, a small number, tells
// them apart.
//
// Entries belong to the map from insert to remove, and are memory that free() takes. One thread.

#include <stddef.h>
#include <stdint.h>

#include "pipeline/packet_key.h"

struct mask_node {
	struct packet_key mask; // this and the kind are set before insert, and stay
	uint32_t kind;
	uint32_t hash;          // the map's
	struct mask_node *next; // in the chain; the map's
};

struct mask_map {
	struct mask_node **chains;
	size_t n_chains; // a power of two
	size_t count;    // of entries
};

// Makes an empty map of a zeroed one. 0 or -ENOMEM, and then it is still zeroed.
int mask_map_init(struct mask_map *map);

// Frees all entries, and what the map has. A zeroed map is left alone.
void mask_map_end(struct mask_map *map);

// The entry, or NULL.
struct mask_node *mask_map_find(
	const struct mask_map *map, const struct packet_key *mask, uint32_t kind);

// There is no such entry yet. Cannot fail: without memory for more chains they get longer.
void mask_map_insert(struct mask_map *map, struct mask_node *node);

// Gives the entry, which is there, back to the caller.
void mask_map_remove(struct mask_map *map, struct mask_node *node);

// All entries, in no order: the first one for NULL, then the one after `node`; NULL: that was all.
// None must come or go meanwhile.
struct mask_node *mask_map_next(const struct mask_map *map, const struct mask_node *node);
