// SPDX-License-Identifier: Apache-2.0
#pragma once

// How columns and values are written on vsctl's command line, as in Open vSwitch: COLUMN,
// COLUMN:KEY, COLUMN=VALUE, COLUMN:KEY=VALUE, sets [1,2], maps {a=b,"c d"=e}, strings bare or
// quoted as in JSON. What is read becomes JSON: sets arrays, maps objects, and every atom a
// string, because only the daemon knows the types of columns. Pure.

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "rpc/rpc_error.h"

struct vsctl_column {
	char *column;
	char *key;     // NULL: none was given
	json_t *value; // NULL: none was given; owned
};

void vsctl_column_destroy(struct vsctl_column *column);

// COLUMN[:KEY]. False with *error; on success the caller destroys *column.
bool vsctl_column_parse(const char *text, struct vsctl_column *column, struct rpc_error *error);

// COLUMN[:KEY]=VALUE. With a key, all of VALUE is one atom, so that commas need no quotes.
bool vsctl_assignment_parse(const char *text, struct vsctl_column *column, struct rpc_error *error);

// A set, a map or an atom; a new reference or NULL with *error.
json_t *vsctl_value_parse(const char *text, struct rpc_error *error);

// KEY=VALUE with either part quoted or bare. NULL for both with *error.
bool vsctl_pair_parse(const char *text, char **key, char **value, struct rpc_error *error);

// As ovs-vsctl prints: atoms bare unless they need quotes, sets in [], maps in {}, sorted by key.
void vsctl_value_print(const json_t *value, FILE *out);
