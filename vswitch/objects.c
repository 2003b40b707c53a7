// SPDX-License-Identifier: Apache-2.0
//
// A slot stands for a number. It holds the object that is there now and, once the transaction has
// touched it, the one that was there at its beginning; between transactions every slot has an
// object.

#include "vswitch/objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define BUCKETS_MIN 64

struct slot {
	uint32_t id;
	struct object *now;    // NULL: none
	struct object *before; // if touched; NULL: none
	bool touched;
	struct slot *next;         // with the same hash
	TAILQ_ENTRY(slot) touches; // in the order in which they were touched first
	enum flow_reference kind;
};

struct table {
	struct slot **buckets;
	size_t n_buckets; // a power of two
	size_t n_slots;
	size_t count; // of objects
};

struct object_set {
	struct table tables[OBJECT_KINDS];
	TAILQ_HEAD(touches, slot) touched;
	size_t n_touched;
};

// --- Slots ---

static struct slot **bucket_of(const struct table *table, uint32_t id)
{
	return &table->buckets[(id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (table->n_buckets - 1)];
}

static struct slot *slot_find(const struct table *table, uint32_t id)
{
	struct slot *slot = *bucket_of(table, id);

	while (slot && slot->id != id)
		slot = slot->next;
	return slot;
}

static void table_grow(struct table *table)
{
	struct table larger = {.n_buckets = table->n_buckets * 2};

	larger.buckets = calloc(larger.n_buckets, sizeof(struct slot *));
	if (!larger.buckets)
		return; // slower, no more
	for (size_t i = 0; i < table->n_buckets; i++) {
		struct slot *next;

		for (struct slot *slot = table->buckets[i]; slot; slot = next) {
			struct slot **bucket = bucket_of(&larger, slot->id);

			next = slot->next;
			slot->next = *bucket;
			*bucket = slot;
		}
	}
	free(table->buckets);
	table->buckets = larger.buckets;
	table->n_buckets = larger.n_buckets;
}

// Found or made, NULL if out of memory.
static struct slot *slot_get(struct table *table, enum flow_reference kind, uint32_t id)
{
	struct slot *slot = slot_find(table, id);
	struct slot **bucket;

	if (slot)
		return slot;
	slot = calloc(1, sizeof(*slot));
	if (!slot)
		return NULL;
	if (table->n_slots >= table->n_buckets)
		table_grow(table);
	bucket = bucket_of(table, id);
	slot->id = id;
	slot->kind = kind;
	slot->next = *bucket;
	*bucket = slot;
	table->n_slots++;
	return slot;
}

static void slot_free(struct table *table, struct slot *slot)
{
	struct slot **link = bucket_of(table, slot->id);

	while (*link != slot)
		link = &(*link)->next;
	*link = slot->next;
	table->n_slots--;
	free(slot);
}

static void slot_set(struct table *table, struct slot *slot, struct object *object)
{
	table->count += (object != NULL) - (slot->now != NULL);
	slot->now = object;
}

// --- The set ---

struct object_set *object_set_create(void)
{
	struct object_set *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	TAILQ_INIT(&set->touched);
	for (int kind = 0; kind < OBJECT_KINDS; kind++) {
		struct table *table = &set->tables[kind];

		table->n_buckets = BUCKETS_MIN;
		table->buckets = calloc(BUCKETS_MIN, sizeof(struct slot *));
		if (!table->buckets) {
			object_set_destroy(set);
			return NULL;
		}
	}
	return set;
}

void object_set_destroy(struct object_set *set)
{
	if (!set)
		return;
	object_set_abort(set);
	for (int kind = 0; kind < OBJECT_KINDS; kind++) {
		struct table *table = &set->tables[kind];

		for (size_t i = 0; table->buckets && i < table->n_buckets; i++) {
			while (table->buckets[i]) {
				object_destroy(table->buckets[i]->now);
				slot_free(table, table->buckets[i]);
			}
		}
		free(table->buckets);
	}
	free(set);
}

int object_set_load(struct object_set *set, struct object *object)
{
	struct table *table = &set->tables[object->kind];
	struct slot *slot = slot_get(table, object->kind, object->id);

	if (!slot)
		return -ENOMEM;
	if (slot->now)
		return -EEXIST;
	slot_set(table, slot, object);
	return 0;
}

struct object *object_set_find(const struct object_set *set, enum flow_reference kind, uint32_t id)
{
	const struct slot *slot = slot_find(&set->tables[kind], id);

	return slot ? slot->now : NULL;
}

size_t object_set_count(const struct object_set *set, enum flow_reference kind)
{
	return set->tables[kind].count;
}

static int compare_objects(const void *a, const void *b)
{
	const struct object *x = *(struct object *const *)a;
	const struct object *y = *(struct object *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

struct object **object_set_list(
	const struct object_set *set, enum flow_reference kind, size_t *count)
{
	const struct table *table = &set->tables[kind];
	struct object **list = calloc(table->count + 1, sizeof(struct object *));

	*count = 0;
	for (size_t i = 0; list && i < table->n_buckets; i++) {
		for (const struct slot *slot = table->buckets[i]; slot; slot = slot->next) {
			if (slot->now)
				list[(*count)++] = slot->now;
		}
	}
	if (list)
		qsort(list, *count, sizeof(struct object *), compare_objects);
	return list;
}

// --- Transactions ---

static void touch(struct object_set *set, struct slot *slot)
{
	if (slot->touched)
		return;
	slot->touched = true;
	slot->before = slot->now;
	TAILQ_INSERT_TAIL(&set->touched, slot, touches);
	set->n_touched++;
}

// What is in a touched slot now, and was not at the beginning, goes.
static void drop_now(struct slot *slot)
{
	if (slot->now != slot->before)
		object_destroy(slot->now);
}

int object_set_put(struct object_set *set, struct object *object)
{
	struct table *table = &set->tables[object->kind];
	struct slot *slot = slot_get(table, object->kind, object->id);

	if (!slot)
		return -ENOMEM;
	touch(set, slot);
	if (slot->now || slot->before)
		object->created_ms = (slot->now ? slot->now : slot->before)->created_ms;
	drop_now(slot);
	slot_set(table, slot, object);
	return 0;
}

int object_set_remove(struct object_set *set, enum flow_reference kind, uint32_t id)
{
	struct table *table = &set->tables[kind];
	struct slot *slot = slot_find(table, id);

	if (!slot || !slot->now)
		return -ENOENT;
	touch(set, slot);
	drop_now(slot);
	slot_set(table, slot, NULL);
	return 0;
}

static bool slot_changed(const struct slot *slot)
{
	if (!slot->now || !slot->before)
		return slot->now != slot->before;
	return strcmp(slot->now->text, slot->before->text) != 0;
}

struct object_change *object_set_changes(const struct object_set *set, size_t *count)
{
	struct object_change *changes = NULL;
	const struct slot *slot;

	*count = 0;
	TAILQ_FOREACH (slot, &set->touched, touches) {
		if (!slot_changed(slot))
			continue;
		if (!changes)
			changes = calloc(set->n_touched, sizeof(*changes));
		if (!changes) {
			*count = SIZE_MAX;
			return NULL;
		}
		changes[(*count)++] =
			(struct object_change){.before = slot->before, .after = slot->now};
	}
	return changes;
}

bool object_set_changed(const struct object_set *set)
{
	const struct slot *slot;

	TAILQ_FOREACH (slot, &set->touched, touches) {
		if (slot_changed(slot))
			return true;
	}
	return false;
}

static void untouch(struct object_set *set, struct slot *slot)
{
	TAILQ_REMOVE(&set->touched, slot, touches);
	set->n_touched--;
	slot->touched = false;
	slot->before = NULL;
	if (!slot->now)
		slot_free(&set->tables[slot->kind], slot);
}

void object_set_commit(struct object_set *set)
{
	struct slot *slot;

	while ((slot = TAILQ_FIRST(&set->touched))) {
		if (slot->before != slot->now)
			object_destroy(slot->before);
		untouch(set, slot);
	}
}

void object_set_abort(struct object_set *set)
{
	struct slot *slot;

	while ((slot = TAILQ_FIRST(&set->touched))) {
		drop_now(slot);
		slot_set(&set->tables[slot->kind], slot, slot->before);
		untouch(set, slot);
	}
}
