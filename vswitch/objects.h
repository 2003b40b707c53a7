// SPDX-License-Identifier: Apache-2.0
#pragma once

// What flows name by a number: groups and meters, here both called objects. One set per bridge,
// which knows nothing but which objects there are; how they may change is in object_change.h, who
// names whom in object_references.h.
//
// Kinds are rows of a table (object_kind.c): how one is read and written, what it is called in the
// store, on the wire and in messages. Everything else is written once for all of them.
//
// A set is changed within a transaction: object_set_put() and object_set_remove() at any time,
// object_set_changes() for the net of it, and then all is kept or undone. An object is never
// changed in place, so pointers to it are valid until it is replaced or removed and the transaction
// has ended. One thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "pipeline/flow_text.h"
#include "pipeline/group.h"
#include "pipeline/meter.h"

#define OBJECT_KINDS 2
#define OBJECTS_MAX 65536 // of a kind, on a bridge

union object_value {
	struct group group;
	struct meter meter;
};

struct object {
	uint32_t id;
	enum flow_reference kind;
	int64_t created_ms; // wall clock
	char *text;         // exact form
	union object_value value;

	// For searches; each sets them before it looks at them.
	unsigned search;
	const struct object *found_from;
	size_t flows;
	const void *last_flow;
};

struct object_kind {
	const char *name;      // begins names of methods; the operation that puts; the store's word
	const char *remove;    // the operation that removes
	const char *list;      // methods of the datapath
	const char *stats;     // "
	const char *id_key;    // how its number is called in dumps
	const char *dump;      // how a list of them is called
	const char *count_key; // in dumps: how many flows name it
	const char *parts;     // in dumps: what has counters of its own
	enum flow_error_kind missing;

	// 0, -EINVAL with *error, -ENOMEM. `input` is a string or an object.
	int (*read)(union object_value *value, const json_t *input, const struct port_names *names,
		struct flow_warnings *warnings, struct flow_error *error);
	char *(*format)(const union object_value *value, const struct port_names *names);
	json_t *(*to_json)(const union object_value *value, const struct port_names *names);
	// What a delete or dump is about.
	int (*select)(const char *text, bool *all, uint32_t *id, struct flow_error *error);
	uint32_t (*id)(const union object_value *value);
	size_t (*part_count)(const union object_value *value);
	uint32_t (*part_id)(const union object_value *value, size_t index); // NULL: they have none
	void (*describe)(const union object_value *value, json_t *item); // more for dumps; or NULL
	void (*destroy)(union object_value *value);
};

const struct object_kind *object_kind_get(enum flow_reference kind);
bool object_kind_find(const char *name, enum flow_reference *kind); // by name

// Read one. Ports by name need `names`, and what it refers to must be there if they say what is. 0
// with *object, -EINVAL with *error, -ENOMEM.
int object_create(struct object **object, enum flow_reference kind, const json_t *input,
	const struct port_names *names, struct flow_warnings *warnings, struct flow_error *error);
void object_destroy(struct object *object);

struct object_set;

struct object_set *object_set_create(void); // NULL: out of memory
void object_set_destroy(struct object_set *set);

// For reading the store; takes the object over if it succeeds. 0, -EEXIST, -ENOMEM.
int object_set_load(struct object_set *set, struct object *object);

// NULL: there is none.
struct object *object_set_find(const struct object_set *set, enum flow_reference kind, uint32_t id);
size_t object_set_count(const struct object_set *set, enum flow_reference kind);

// All of a kind, by number. A malloc()ed array, NULL: out of memory.
struct object **object_set_list(
	const struct object_set *set, enum flow_reference kind, size_t *count);

// Put an object where none or another one was; takes it over if it succeeds. It gets the time of
// creation of the one that it replaces, or that stood there when the transaction began: the
// datapath sees no difference, and counts on. 0 or -ENOMEM.
int object_set_put(struct object_set *set, struct object *object);
int object_set_remove(struct object_set *set, enum flow_reference kind, uint32_t id); // or -ENOENT

// What the transaction has come to so far: exactly one of the two is NULL, or they differ.
struct object_change {
	const struct object *before;
	const struct object *after;
};
// A malloc()ed array, NULL if there are none, or out of memory (then *count is SIZE_MAX).
struct object_change *object_set_changes(const struct object_set *set, size_t *count);
bool object_set_changed(const struct object_set *set);

void object_set_commit(struct object_set *set);
void object_set_abort(struct object_set *set);
