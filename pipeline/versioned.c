// SPDX-License-Identifier: Apache-2.0
#include "pipeline/versioned.h"

#include <errno.h>
#include <stdlib.h>

int versioned_init(struct versioned_set *set)
{
	set->chains = calloc(VERSIONED_CHAINS, sizeof(set->chains[0]));
	return set->chains ? 0 : -ENOMEM;
}

void versioned_end(struct versioned_set *set)
{
	for (unsigned chain = 0; set->chains && chain < VERSIONED_CHAINS; chain++) {
		while (set->chains[chain]) {
			struct versioned *item = set->chains[chain];

			set->chains[chain] = item->next;
			set->leave(item);
			set->destroy(item);
		}
	}
	free(set->chains);
	free(set->journal);
}

struct versioned *versioned_current(const struct versioned_set *set, uint32_t id)
{
	struct versioned *item = set->chains[versioned_chain(id)];

	while (item && (item->id != id || item->died != VERSION_NEVER))
		item = item->next;
	return item;
}

void versioned_each(const struct versioned_set *set,
	void (*fn)(void *context, struct versioned *item), void *context)
{
	for (unsigned chain = 0; chain < VERSIONED_CHAINS; chain++) {
		for (struct versioned *item = set->chains[chain]; item; item = item->next) {
			if (item->died == VERSION_NEVER)
				fn(context, item);
		}
	}
}

static int journal_reserve(struct versioned_set *set)
{
	size_t space = set->journal_space ? set->journal_space * 2 : 16;
	struct versioned_change *larger;

	if (set->journal_count < set->journal_space)
		return 0;
	larger = realloc(set->journal, space * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	set->journal = larger;
	set->journal_space = space;
	return 0;
}

static void die(struct versioned *item, uint64_t version)
{
	__atomic_store_n(&item->died, version, __ATOMIC_RELEASE);
}

int versioned_put(struct versioned_set *set, struct versioned *item, uint64_t version)
{
	struct versioned **chain = &set->chains[versioned_chain(item->id)];
	struct versioned *old = versioned_current(set, item->id);
	int error = journal_reserve(set);

	if (error)
		return error;
	item->set = set;
	item->born = version;
	item->died = VERSION_NEVER;
	item->next = *chain;
	__atomic_store_n(chain, item, __ATOMIC_RELEASE);
	if (old)
		die(old, version);
	else
		set->count++;
	set->journal[set->journal_count++] = (struct versioned_change){item, old};
	return 0;
}

int versioned_remove(struct versioned_set *set, uint32_t id, uint64_t version)
{
	struct versioned *old = versioned_current(set, id);
	int error = old ? journal_reserve(set) : -ENOENT;

	if (error)
		return error;
	die(old, version);
	set->count--;
	set->journal[set->journal_count++] = (struct versioned_change){NULL, old};
	return 0;
}

// No reader can ask for it any more. One may still be walking past it, so it is destroyed later.
static void item_leave(void *memory)
{
	struct versioned *item = memory;
	struct versioned_set *set = item->set;
	struct versioned **place = &set->chains[versioned_chain(item->id)];

	while (*place != item)
		place = &(*place)->next;
	__atomic_store_n(place, item->next, __ATOMIC_RELEASE);
	set->leave(item);
	set->retirement.retire(set->retirement.context, set->destroy, item);
}

static void item_retire(struct versioned_set *set, struct versioned *item)
{
	set->retirement.retire(set->retirement.context, item_leave, item);
}

void versioned_commit(struct versioned_set *set)
{
	size_t count = set->journal_count;

	set->journal_count = 0;
	for (size_t i = 0; i < count; i++) {
		if (set->journal[i].removed)
			item_retire(set, set->journal[i].removed);
	}
}

void versioned_abort(struct versioned_set *set)
{
	while (set->journal_count > 0) {
		struct versioned_change *change = &set->journal[--set->journal_count];

		if (change->added) {
			// Its version number will be used again; it must not be seen then.
			die(change->added, 0);
			item_retire(set, change->added);
		}
		if (change->removed)
			die(change->removed, VERSION_NEVER);
		set->count += (change->removed != NULL) - (change->added != NULL);
	}
}
