// SPDX-License-Identifier: Apache-2.0
#pragma once

// Things that flows name by a number, in versions: groups, meters.
//
// As with rules (lookup.h), what the control thread adds in a transaction is born in a version that
// is not published yet, and what it takes out dies in it, while readers find what their version
// has. Changing a thing adds another of the same number; nothing that names it is touched.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/lookup.h"

#define VERSIONED_CHAINS 4096

struct versioned {
	uint32_t id;
	uint64_t born, died;    // as those of a rule
	struct versioned *next; // in its chain
	struct versioned_set *set;
};

struct versioned_set {
	// Set once. Both are called by the control thread: when no reader can find the item any
	// more, and later, when none can hold it.
	void (*leave)(struct versioned *item);
	void (*destroy)(void *item);
	struct retirement retirement;
	struct versioned **chains; // readers: ro; VERSIONED_CHAINS of them
	size_t count;              // control: alive after the open transaction
	struct versioned_change {
		struct versioned *added, *removed; // either may be NULL
	} * journal;                               // of the open transaction
	size_t journal_count, journal_space;
};

// Fill a zeroed set whose leave, destroy and retirement are there. 0 or -ENOMEM.
int versioned_init(struct versioned_set *set);
void versioned_end(struct versioned_set *set); // no readers left; destroys all items

// Control thread, within a transaction whose version will be `version`. put replaces the one of
// the same number. 0, -ENOMEM; remove: also -ENOENT. A put that fails has not taken the item over.
int versioned_put(struct versioned_set *set, struct versioned *item, uint64_t version);
int versioned_remove(struct versioned_set *set, uint32_t id, uint64_t version);
void versioned_commit(struct versioned_set *set); // after the version was published
void versioned_abort(struct versioned_set *set);

// Control thread: the one that is alive after the open transaction, or NULL.
struct versioned *versioned_current(const struct versioned_set *set, uint32_t id);
void versioned_each(const struct versioned_set *set,
	void (*fn)(void *context, struct versioned *item), void *context);

static inline unsigned versioned_chain(uint32_t id)
{
	return (id ^ id >> 12 ^ id >> 24) & (VERSIONED_CHAINS - 1);
}

// Readers. NULL: there is none in this version.
static inline const struct versioned *versioned_find(
	const struct versioned_set *set, uint32_t id, uint64_t version)
{
	const struct versioned *item =
		__atomic_load_n(&set->chains[versioned_chain(id)], __ATOMIC_ACQUIRE);

	for (; item; item = __atomic_load_n(&item->next, __ATOMIC_ACQUIRE)) {
		if (item->id == id && item->born <= version &&
			version < __atomic_load_n(&item->died, __ATOMIC_RELAXED))
			return item;
	}
	return NULL;
}
