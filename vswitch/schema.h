// SPDX-License-Identifier: Apache-2.0
#pragma once

// What tables, columns and keys the model has: one row of vswitch/schema.def each, from which
// checking, defaults, messages, db.schema and the reference page follow.
//
// Values are JSON: strings, integers, booleans; a set is an array (integers sorted, each once); a
// map is an object whose values are strings; an optional column that is not set is the empty
// array, as in Open vSwitch. Everything here is pure; errors are for people and name table, column
// and remedy.

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "rpc/rpc_error.h"

enum schema_table_id {
#define SCHEMA_TABLE(ID, NAME, HELP) TABLE_##ID,
#include "vswitch/schema.def"
	TABLE_COUNT,
};

enum column_type { COLUMN_STRING, COLUMN_INTEGER, COLUMN_BOOLEAN, COLUMN_UUID, COLUMN_MAP };

enum column_flags {
	COLUMN_OPTIONAL = 1,
	COLUMN_SET = 2,
	COLUMN_READ_ONLY = 4, // written by vswitchd only, and stored
	COLUMN_LIVE = 8,      // read from the datapath when asked for, never stored
};

struct schema_column {
	enum schema_table_id table;
	const char *name;
	enum column_type type;
	unsigned flags;
	json_int_t lowest;
	json_int_t highest; // both 0: unbounded
	const char *choices;
	const char *initial; // JSON
	const char *help;
};

// The name of a table, as written in messages.
const char *schema_table_name(enum schema_table_id table);

// By name, in any case; an unambiguous beginning will do. 0 with *table set, or -ENOENT with
// *error.
int schema_table_find(const char *name, enum schema_table_id *table, struct rpc_error *error);

// NULL with *error, which names what comes near.
const struct schema_column *schema_column_find(
	enum schema_table_id table, const char *name, struct rpc_error *error);

// The columns of a table one by one: start with NULL, ends with NULL.
const struct schema_column *schema_column_next(
	enum schema_table_id table, const struct schema_column *previous);

json_t *schema_default(const struct schema_column *column); // new reference

// The form in which `value` is kept in `column`, as a new reference: numbers and booleans may have
// been given as text, sets as one value or as "1,2,3". NULL with *error.
json_t *schema_value(
	const struct schema_column *column, const json_t *value, struct rpc_error *error);

// All of db.schema's answer; new reference.
json_t *schema_describe(void);
