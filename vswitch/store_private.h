// SPDX-License-Identifier: Apache-2.0
#pragma once

// What store.c (reading and changing) and store_file.c (what kind of file it is) share; nobody else
// includes this.

#include <sqlite3.h>

#include "vswitch/store.h"

enum statement {
	ROW_PUT,
	ROW_REMOVE,
	BRIDGE_FIND,
	BRIDGE_ADD,
	BRIDGE_REMOVE,
	FLOW_PUT,
	FLOW_REMOVE,
	FLOWS_CLEAR,
	OBJECT_PUT,
	OBJECT_REMOVE,
	OBJECTS_CLEAR,
	NEXT_ID_PUT,
	BEGIN,
	COMMIT,
	ROLLBACK,
	STATEMENT_COUNT,
};

struct store {
	sqlite3 *db;
	char *path;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	uint64_t next_flow_id;        // as in the file
	uint64_t next_flow_id_staged; // with the transaction in progress
	// The flow set found last: flows come bridge by bridge.
	char bridge[40];
	int64_t flow_set;
};

// Turn what SQLite says, after `doing` ("read", "written", "opened"), into what the operator has to
// know. A negative errno.
int store_error(const struct store *store, int rc, const char *doing, struct rpc_error *error);

// Run statements without results.
int store_execute(
	struct store *store, const char *text, const char *doing, struct rpc_error *error);

// The first column of the first row; *value stays as it is if there is none.
int store_query_integer(
	struct store *store, const char *text, int64_t *value, struct rpc_error *error);

// Ours, empty, or somebody else's? An empty file gets the schema, one of an older version is
// brought to the present one.
int store_check_file(struct store *store, struct rpc_error *error);
