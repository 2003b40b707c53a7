// SPDX-License-Identifier: Apache-2.0
#pragma once

// The live columns: rows of the model with what the datapath says about them. One answer of
// port.status serves any number of rows.

#include <stdbool.h>

#include <jansson.h>

#include "vswitch/vswitch.h"

// Does the table have live columns that need the datapath? `column` NULL: any column.
bool live_needed(enum schema_table_id table, const char *column);

// port -> its item of port.status; new reference, never NULL. `port` NULL: all ports. Without a
// datapath it is empty.
json_t *live_ports(struct vswitch *vs, const char *port);

// A copy of the row with its live columns; new reference.
json_t *live_row(
	struct vswitch *vs, enum schema_table_id table, const json_t *row, const json_t *ports);

// What is wrong with a port; "" if nothing is.
const char *live_error(struct vswitch *vs, const char *name, const json_t *status);
