// SPDX-License-Identifier: Apache-2.0
#pragma once

// The desired state in memory: the rows of the tables of schema.def, found by uuid or name, and
// changed in transactions that can be undone.
//
// A row is a JSON object of its stored columns (not the live ones) plus "_uuid". Rows that are
// handed out belong to the model and are good until the next change. A change is only legal
// between model_begin() and model_commit() or model_abort(). Values are taken as they are: rules
// about them are in schema.h (one column) and model_edit.h (the whole). One thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "vswitch/schema.h"

#define UUID_SIZE 37

struct model;

struct model_change {
	enum schema_table_id table;
	char uuid[UUID_SIZE];
	json_t *old;  // as it was at begin; NULL: it was not there
	bool removed; // otherwise model_row() has it
};

struct model *model_create(void); // empty; NULL: out of memory
void model_destroy(struct model *model);

// Put in a row that was stored. Columns the row does not have get their defaults, columns that
// the schema does not have are dropped. Outside of transactions. 0, -EEXIST, -ENOMEM.
int model_load(
	struct model *model, enum schema_table_id table, const char *uuid, const json_t *columns);

void model_begin(struct model *model);
void model_commit(struct model *model);
void model_abort(struct model *model);

// The rows touched since model_begin(), first touched first, each once. Valid until the next
// change.
size_t model_changes(const struct model *model, const struct model_change **changes);

// Goes up with every change, commit and abort: for caches.
uint64_t model_version(const struct model *model);

// A new row with all defaults; `name` may be NULL for tables without that column. Returns the row,
// NULL if the name is taken (EEXIST) or memory ran out (ENOMEM).
const json_t *model_insert(struct model *model, enum schema_table_id table, const char *name);
int model_remove(struct model *model, enum schema_table_id table, const char *uuid); // 0, -ENOENT

// Steals value. 0 or -ENOENT.
int model_set(struct model *model, enum schema_table_id table, const char *uuid, const char *column,
	json_t *value);

const json_t *model_row(const struct model *model, enum schema_table_id table, const char *uuid);
const json_t *model_named(const struct model *model, enum schema_table_id table, const char *name);

// All rows of a table: an object uuid -> row.
const json_t *model_rows(const struct model *model, enum schema_table_id table);

// The same as a new array, by name: an order that does not depend on history.
json_t *model_sorted(const struct model *model, enum schema_table_id table);

// The row of Open_vSwitch, which has one at most. NULL: there is none yet.
const json_t *model_root(const struct model *model);

// By name, uuid, or "." if the table has exactly one row. NULL with *error.
const json_t *model_record(const struct model *model, enum schema_table_id table,
	const char *record, struct rpc_error *error);

// Shorthands on rows.
const char *row_uuid(const json_t *row);
const char *row_string(const json_t *row, const char *column); // "" if not set
json_int_t row_integer(const json_t *row, const char *column, json_int_t unset);
const char *row_map_get(const json_t *row, const char *column, const char *key); // NULL: not set
// Of keys that the schema has numbers and booleans for.
json_int_t row_map_integer(
	const json_t *row, const char *column, const char *key, json_int_t unset);
bool row_map_boolean(const json_t *row, const char *column, const char *key, bool unset);

// Random, version 4 (RFC 9562, section 5.4).
void uuid_create(char uuid[UUID_SIZE]);
