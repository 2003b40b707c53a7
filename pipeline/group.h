// SPDX-License-Identifier: Apache-2.0
#pragma once

// A group: what several flows do in common, or a choice among ways for a packet (OpenFlow 1.3.5,
// section 5.6). Flows name it by its identifier, so changing it changes no flow. Plain data but for
// the buckets and their action lists, which it owns.
//
// The actions of a bucket run in the order in which they are written, on the packet as it came to
// the group; behind the group it is as it was before.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/action.h"

#define GROUP_ID_MAX 0xffffff00u
#define GROUP_NONE 0xffffffffu // watch_group: none
#define BUCKET_ID_MAX 0xffffff00u
#define GROUP_BUCKETS_MAX 1024
#define GROUP_DEPTH 16 // groups within groups

enum group_type {
	GROUP_ALL,           // every bucket gets a copy
	GROUP_SELECT,        // one of the live buckets, by a hash of the packet and their weights
	GROUP_INDIRECT,      // the only bucket
	GROUP_FAST_FAILOVER, // the first live bucket
};

struct bucket {
	uint32_t id;          // unique in the group
	uint16_t weight;      // of select: 0 is never chosen
	uint16_t watch_port;  // live while that port is; OFPORT_NONE: not asked
	uint32_t watch_group; // live while that group has a live bucket; GROUP_NONE: not asked
	struct action_list actions;
};

struct group {
	uint32_t id;
	enum group_type type;
	uint64_t hash_fields; // of select: bit 1 << enum field_id each; 0: what group_hash() says
	size_t count;
	struct bucket *buckets; // owned, in the order given
};

const char *group_type_name(enum group_type type); // "all", "select", "indirect", "ff"
bool group_type_find(const char *name, size_t length, enum group_type *type); // and "fast_failover"

int group_copy(struct group *copy, const struct group *group); // 0 or -ENOMEM
bool group_equal(const struct group *a, const struct group *b);
void group_destroy(struct group *group); // frees what it owns, not the struct

// Does any bucket's action name `id` as a group, or any bucket watch it?
bool group_refers_to_group(const struct group *group, uint32_t id);
bool group_refers_to_meter(const struct group *group, uint32_t id);
// The same for an action list.
bool actions_refer_to_group(const struct action_list *actions, uint32_t id);
bool actions_refer_to_meter(const struct action_list *actions, uint32_t id);
