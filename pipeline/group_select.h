// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which bucket of a select group a packet gets: weighted rendezvous hashing (Thaler and
// Ravishankar, "Using name-based mappings to increase hit rates", 1998; weights as by Schindelhauer
// and Schomaker, 2005). Every slot ranks all buckets by a score of its own, so that a bucket that
// comes, goes or dies moves only the packets that it wins or had, and packets spread by weight.
//
// A packet's hash picks one of GROUP_SLOTS slots, whose winner is computed when the group is
// installed; only if that bucket is dead are scores computed for a packet. Pure functions.

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/group.h"
#include "pipeline/packet_key.h"

#define GROUP_SLOTS 1024
#define GROUP_NO_BUCKET 0xffff

// Of IP packets the addresses, the protocol and, but for fragments, the ports; of others the
// Ethernet addresses, type and VLAN. Needs lines 0 and 1 of the key.
uint32_t packet_flow_hash(const struct packet_key *key);

// Of the group's hash_fields, as they are in the key; without any: packet_flow_hash().
uint32_t group_hash(const struct group *group, const struct packet_key *key);

static inline unsigned group_slot(uint32_t hash)
{
	return hash & (GROUP_SLOTS - 1);
}

// The bucket (its index) with the best score of those that `live` (NULL: all) does not exclude, or
// GROUP_NO_BUCKET.
unsigned group_slot_winner(const struct group *group, unsigned slot,
	bool (*live)(void *context, const struct bucket *bucket), void *context);
