// SPDX-License-Identifier: Apache-2.0
#include "pipeline/group.h"

#include <errno.h>
#include <stdlib.h>

#include "pipeline/name_search.h"

static const struct {
	const char *name;
	const char *aliases;
} types[] = {
	[GROUP_ALL] = {"all", ""},
	[GROUP_SELECT] = {"select", ""},
	[GROUP_INDIRECT] = {"indirect", ""},
	[GROUP_FAST_FAILOVER] = {"ff", "fast_failover"},
};

const char *group_type_name(enum group_type type)
{
	return types[type].name;
}

bool group_type_find(const char *name, size_t length, enum group_type *type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (name_equal_any_case(types[i].name, name, length) ||
			name_in_list_any_case(types[i].aliases, name, length)) {
			*type = (enum group_type)i;
			return true;
		}
	}
	return false;
}

int group_copy(struct group *copy, const struct group *group)
{
	*copy = *group;
	copy->count = 0;
	copy->buckets = calloc(group->count + 1, sizeof(*copy->buckets));
	if (!copy->buckets)
		return -ENOMEM;
	for (size_t i = 0; i < group->count; i++) {
		struct bucket *bucket = &copy->buckets[i];

		*bucket = group->buckets[i];
		if (action_list_copy(&bucket->actions, &group->buckets[i].actions) != 0) {
			group_destroy(copy);
			return -ENOMEM;
		}
		copy->count++;
	}
	return 0;
}

static bool bucket_equal(const struct bucket *a, const struct bucket *b)
{
	return a->id == b->id && a->weight == b->weight && a->watch_port == b->watch_port &&
	       a->watch_group == b->watch_group && action_list_equal(&a->actions, &b->actions);
}

bool group_equal(const struct group *a, const struct group *b)
{
	if (a->id != b->id || a->type != b->type || a->hash_fields != b->hash_fields ||
		a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (!bucket_equal(&a->buckets[i], &b->buckets[i]))
			return false;
	}
	return true;
}

void group_destroy(struct group *group)
{
	if (!group)
		return;
	for (size_t i = 0; i < group->count; i++)
		action_list_destroy(&group->buckets[i].actions);
	free(group->buckets);
	*group = (struct group){0};
}

bool actions_refer_to_group(const struct action_list *actions, uint32_t id)
{
	for (size_t i = 0; i < actions->count; i++) {
		if (actions->items[i].id == ACTION_GROUP && actions->items[i].group == id)
			return true;
	}
	return false;
}

bool actions_refer_to_meter(const struct action_list *actions, uint32_t id)
{
	for (size_t i = 0; i < actions->count; i++) {
		if (actions->items[i].id == ACTION_METER && actions->items[i].meter == id)
			return true;
	}
	return false;
}

bool group_refers_to_group(const struct group *group, uint32_t id)
{
	for (size_t i = 0; i < group->count; i++) {
		if (group->buckets[i].watch_group == id ||
			actions_refer_to_group(&group->buckets[i].actions, id))
			return true;
	}
	return false;
}

bool group_refers_to_meter(const struct group *group, uint32_t id)
{
	for (size_t i = 0; i < group->count; i++) {
		if (actions_refer_to_meter(&group->buckets[i].actions, id))
			return true;
	}
	return false;
}
