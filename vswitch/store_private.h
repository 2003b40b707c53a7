// SPDX-License-Identifier: Apache-2.0
#pragma once

// What store.c (reading and changing), store_events.c (the journal) and store_file.c (what kind of
// file it is) share; nobody else includes this.

#include <sys/types.h>

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
	EVENT_PUT,
	EVENTS_OLDEST,
	EVENTS_REMOVE,
	EVENTS_NEXT,
	EVENT_COUNTERS_PUT,
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
	struct store_events events, events_staged; // the same of the journal
	// The flow set found last: flows come bridge by bridge.
	char bridge[40];
	int64_t flow_set;
	ino_t log_inode; // of the log that is written to; 0: not seen yet (store_place.c)
};

// Turn what SQLite says, after `doing` ("read", "written", "opened"), into what the operator has to
// know. A negative errno.
int store_error(const struct store *store, int rc, const char *doing, struct rpc_error *error);

// Run statements without results.
int store_execute(
	struct store *store, const char *text, const char *doing, struct rpc_error *error);

// Run a prepared statement whose parameters are bound.
int store_run(struct store *store, enum statement which, struct rpc_error *error);

// The first column of the first row; *value stays as it is if there is none.
int store_query_integer(
	struct store *store, const char *text, int64_t *value, struct rpc_error *error);

// What the journal holds, and what is to be written of that at the end of a transaction.
// (store_events.c)
int store_events_open(struct store *store, struct rpc_error *error);
int store_events_commit(struct store *store, struct rpc_error *error);

// Ours and whole, or somebody else's? One of an older version is brought to the present one.
int store_check_file(struct store *store, struct rpc_error *error);

// Give an empty database the schema.
int store_make_schema(struct store *store, struct rpc_error *error);

// Before the file is opened: refuse what would be taken for an empty switch but is not one, and a
// log that is of another file. Makes the file if there is none. (store_place.c)
int store_prepare_place(const char *path, struct rpc_error *error);

// Is what is open still what the next vswitchd will find?
int store_check_place(struct store *store, struct rpc_error *error);
