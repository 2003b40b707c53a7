// SPDX-License-Identifier: Apache-2.0
#pragma once

// Who names whom: flows name groups and meters, the buckets of groups name groups and meters, and a
// bucket may watch a group. What is named must be there, and no group may come back to itself.
//
// Searches leave marks in the objects; between them nobody relies on those, except where said.

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/flow_set.h"
#include "vswitch/objects.h"

// Who keeps an object from being removed.
struct object_naming {
	const struct object *named;
	const struct object *group;
	const struct bucket *bucket; // of the group
	bool watches;                // it is the bucket's watch_group, not one of its actions
};

// Does any group that is not in the list name any object of it? The list is of one kind and in the
// set. False: no.
bool objects_named(const struct object_set *set, struct object *const *list, size_t length,
	struct object_naming *naming);

// Would a packet that enters `group`, which may not be in the set yet, come to it again? Takes the
// groups of the set as they are, in the place of one with the same number. *first is the number of
// the first group on the way, which is written into `way` as "1 -> 2 -> 1", as far as it fits.
bool group_loop_find(const struct object_set *set, const struct object *group, uint32_t *first,
	char *way, size_t room);

// Count the flows that name each object into object->flows, which is good until the next count.
void object_flows_count(const struct object_set *set, const struct flow_set *flows);

// The identifiers of all flows that name any object of the list, which are all of one kind and in
// the set. A malloc()ed array, NULL if there are none or out of memory (then *count is SIZE_MAX).
uint64_t *object_flows_find(const struct object_set *set, const struct flow_set *flows,
	struct object *const *list, size_t length, size_t *count);

// What is named and is not there.
struct object_missing {
	const struct flow_entry *flow; // who names it, this
	const struct object *group;    // or this
	enum flow_reference kind;
	uint32_t id;
};

// The first of them in groups, then flows. False: there is none.
bool object_missing_find(
	const struct object_set *set, const struct flow_set *flows, struct object_missing *missing);
