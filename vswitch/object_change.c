// SPDX-License-Identifier: Apache-2.0
#include "vswitch/object_change.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswitch/object_references.h"

// --- Refusals ---

static int refuse_existing(
	const struct object_edit *edit, const struct object *old, struct flow_error *error)
{
	const char *kind = object_kind_get(edit->kind)->name;

	flow_error_set(error, FLOW_ERROR_CONFLICT, NULL,
		"%s %u of bridge %s is there already%s; change it with ofctl mod-%s, or give this "
		"one another number",
		kind, old->id, edit->owner->name, edit->may_exist ? ", and it is not equal" : "",
		kind);
	return -EEXIST;
}

int object_not_there(const struct flow_owner *owner, enum flow_reference kind, uint32_t id,
	struct flow_error *error)
{
	const struct object_kind *row = object_kind_get(kind);

	flow_error_set(error, row->missing, NULL,
		"bridge %s has no %s %u; ofctl dump-%s %s lists those that there are", owner->name,
		row->name, id, row->dump, owner->name);
	return -ENOENT;
}

static int refuse_missing(const struct object_edit *edit, uint32_t id, struct flow_error *error)
{
	const struct object_kind *kind = object_kind_get(edit->kind);

	flow_error_set(error, kind->missing, NULL,
		"bridge %s has no %s %u to modify; add it with ofctl add-%s, or say --may-create "
		"(may_create)",
		edit->owner->name, kind->name, id, kind->name);
	return -ENOENT;
}

static int refuse_more(const struct object_edit *edit, struct flow_error *error)
{
	const struct object_kind *kind = object_kind_get(edit->kind);

	return flow_error_set(error, FLOW_ERROR_TABLE_FULL, NULL,
		"bridge %s has %d %s, and no more fit; delete some that are no longer needed: "
		"ofctl del-%s %s N",
		edit->owner->name, OBJECTS_MAX, kind->dump, kind->dump, edit->owner->name);
}

// Where a text first names a group, for the caret.
static void place_group(struct flow_error *error, const json_t *input, uint32_t id)
{
	const char *text = json_string_value(input);
	char word[24];
	size_t length = (size_t)snprintf(word, sizeof(word), "group:%u", id);

	for (const char *at = text; at && (at = strstr(at, word)); at += length) {
		if (isdigit((unsigned char)at[length]))
			continue;
		error->offset = (size_t)(at - text);
		error->length = length;
		return;
	}
}

// Would a packet run in circles? *first, where the circle leaves the group, is for the caret.
static int check_loop(const struct object_edit *edit, const struct object *group,
	const json_t *input, struct flow_error *error)
{
	char way[256];
	uint32_t first;

	if (!group_loop_find(edit->owner->objects, group, &first, way, sizeof(way)))
		return 0;
	flow_error_set(error, FLOW_ERROR_CONFLICT, "group",
		"group %u would lead back to itself: %s; leave one of these steps out", group->id,
		way);
	place_group(error, input, first);
	return -EINVAL;
}

// --- Adding and modifying ---

static int check_put(const struct object_edit *edit, const struct object *object,
	const struct object *old, const json_t *input, struct flow_error *error)
{
	if (old && !edit->modify)
		return refuse_existing(edit, old, error);
	if (!old && edit->modify && !edit->may_create)
		return refuse_missing(edit, object->id, error);
	if (!old && object_set_count(edit->owner->objects, edit->kind) >= OBJECTS_MAX)
		return refuse_more(edit, error);
	return edit->kind == FLOW_GROUP ? check_loop(edit, object, input, error) : 0;
}

int object_edit_put(struct object_edit *edit, const json_t *input, struct flow_warnings *warnings,
	struct flow_error *error)
{
	struct object_set *set = edit->owner->objects;
	struct object *object = NULL;
	const struct object *old;
	int rc = object_create(&object, edit->kind, input, flows_port_names(edit->vs, edit->owner),
		warnings, error);

	if (rc)
		return rc;
	old = object_set_find(set, edit->kind, object->id);
	if (old && strcmp(old->text, object->text) == 0 && (edit->modify || edit->may_exist)) {
		object_destroy(object);
		return 0;
	}
	object->created_ms = edit->now_ms;
	rc = check_put(edit, object, old, input, error);
	if (!rc)
		rc = object_set_put(set, object);
	if (rc) {
		object_destroy(object);
		return rc;
	}
	edit->modified += old != NULL;
	edit->added += old == NULL;
	return 0;
}

int object_edit_judge(struct object_edit *edit, const json_t *input, struct flow_warnings *warnings,
	struct flow_error *error)
{
	struct port_names names = *flows_port_names(edit->vs, edit->owner);
	struct object *object = NULL;
	int rc;

	names.exists = NULL;
	rc = object_create(&object, edit->kind, input, &names, warnings, error);
	object_destroy(object);
	return rc;
}

// --- Deleting ---

static int refuse_named(const struct object_naming *naming, struct flow_error *error)
{
	flow_error_set(error, FLOW_ERROR_CONFLICT, NULL,
		"%s %u is %s by bucket %u of group %u; change or delete group %u first",
		object_kind_get(naming->named->kind)->name, naming->named->id,
		naming->watches ? "watched" : "named", naming->bucket->id, naming->group->id,
		naming->group->id);
	return -EBUSY;
}

static int remove_listed(struct object_edit *edit, struct object *const *list, size_t length,
	struct flow_error *error)
{
	struct flow_owner *owner = edit->owner;
	enum flow_removal_reason reason =
		edit->kind == FLOW_GROUP ? REMOVAL_GROUP_DELETE : REMOVAL_METER_DELETE;
	struct object_naming naming;
	uint64_t *flows;
	size_t count;

	if (objects_named(owner->objects, list, length, &naming))
		return refuse_named(&naming, error);
	flows = object_flows_find(owner->objects, owner->set, list, length, &count);
	if (count == SIZE_MAX)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		flow_remove(owner, flows[i], reason);
	free(flows);
	for (size_t i = 0; i < length; i++)
		object_set_remove(owner->objects, edit->kind, list[i]->id);
	edit->flows_removed += count;
	edit->removed += length;
	return 0;
}

int object_edit_remove(struct object_edit *edit, const uint32_t *id, struct flow_error *error)
{
	struct object *one;
	struct object **all;
	size_t count;
	int rc;

	if (id) {
		one = object_set_find(edit->owner->objects, edit->kind, *id);
		return one ? remove_listed(edit, &one, 1, error)
			   : object_not_there(edit->owner, edit->kind, *id, error);
	}
	all = object_set_list(edit->owner->objects, edit->kind, &count);
	rc = all ? remove_listed(edit, all, count, error) : -ENOMEM;
	free(all);
	return rc;
}
