// SPDX-License-Identifier: Apache-2.0
#pragma once

// Changes of the model that keep its rules: names, references between rows, OpenFlow port
// numbers, what a column may be set to. Methods change the model through these only, within a
// transaction. At its end edit_validate() judges what only makes sense as a whole, so that a row
// may be incomplete between two commands of one transaction.
//
// False (or NULL) with *error set means refused; the transaction is then to be aborted.

#include <stdbool.h>
#include <stdint.h>

#include "vswitch/model.h"

#define NAME_LENGTH_MAX 63

// The only row of Open_vSwitch; made if it is not there.
const json_t *edit_root(struct model *model);

const json_t *edit_bridge_add(struct model *model, const char *name, struct rpc_error *error);
bool edit_bridge_remove(struct model *model, const char *name, struct rpc_error *error);

// Makes the rows of the port and its interface and gives it the lowest free OpenFlow number.
// Returns the port's row.
const json_t *edit_port_add(
	struct model *model, const char *bridge, const char *name, struct rpc_error *error);
// `bridge` may be NULL: any.
bool edit_port_remove(
	struct model *model, const char *bridge, const char *name, struct rpc_error *error);

// Set a column as a user may: the keys of a map are merged into it, other values replace the old
// one.
bool edit_set(struct model *model, enum schema_table_id table, const char *uuid, const char *column,
	const json_t *value, struct rpc_error *error);
// Back to the default.
bool edit_clear(struct model *model, enum schema_table_id table, const char *uuid,
	const char *column, struct rpc_error *error);
// Take keys out of a map, or values out of a set. What is not there is no error.
bool edit_remove(struct model *model, enum schema_table_id table, const char *uuid,
	const char *column, const json_t *values, struct rpc_error *error);

bool edit_validate(const struct model *model, struct rpc_error *error);

// --- Questions ---

const json_t *model_bridge(const struct model *model, const char *name, struct rpc_error *error);
// The bridge row that a port row belongs to, and the interface row of a port row.
const json_t *model_bridge_of(const struct model *model, const json_t *port);
const json_t *model_interface_of(const struct model *model, const json_t *port);
