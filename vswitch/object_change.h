// SPDX-License-Identifier: Apache-2.0
#pragma once

// Adding, modifying and deleting groups and meters by the rules of OpenFlow 1.3.5 (sections 6.4 and
// 6.5), within a transaction. Whatever is named is there afterwards, and no group leads back to
// itself; modifying leaves flows alone, deleting takes the flows along that name what goes.

#include <stdbool.h>
#include <stddef.h>

#include "vswitch/flows.h"

struct object_edit {
	struct vswitch *vs;
	struct flow_owner *owner; // after flows_change()
	enum flow_reference kind;
	bool modify;
	bool may_exist;  // of add: one that is equal is left as it is
	bool may_create; // of modify: one that is not there is added
	int64_t now_ms;

	// What has been done.
	size_t added;
	size_t modified;
	size_t removed;
	size_t flows_removed;
};

// Add or modify the one that `input`, a string or an object, describes. -EINVAL with *error (with a
// place, if `input` is text), and in the same way -EEXIST and -ENOENT, which are about all of it,
// so that error->length is 0; or -ENOMEM.
int object_edit_put(struct object_edit *edit, const json_t *input, struct flow_warnings *warnings,
	struct flow_error *error);

// Is `input` well-formed? For lists in which something was wrong before: what is named is not asked
// for. 0, -EINVAL or -ENOMEM.
int object_edit_judge(struct object_edit *edit, const json_t *input, struct flow_warnings *warnings,
	struct flow_error *error);

// Delete one, or all if `id` is NULL. -ENOENT and -EBUSY (a group that stays names it) with *error,
// or -ENOMEM.
int object_edit_remove(struct object_edit *edit, const uint32_t *id, struct flow_error *error);

// There is no object with that number.
int object_not_there(const struct flow_owner *owner, enum flow_reference kind, uint32_t id,
	struct flow_error *error);
