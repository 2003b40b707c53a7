// SPDX-License-Identifier: Apache-2.0
#include "vswitch/store_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const statement_texts[STATEMENT_COUNT] = {
	[ROW_PUT] = "INSERT INTO rows(uuid, name, columns) VALUES(?1, ?2, ?3) "
		    "ON CONFLICT(uuid) DO UPDATE SET columns = ?3",
	[ROW_REMOVE] = "DELETE FROM rows WHERE uuid = ?1",
	[BRIDGE_FIND] = "SELECT id FROM flow_sets WHERE bridge = ?1",
	[BRIDGE_ADD] = "INSERT INTO flow_sets(bridge) VALUES(?1)",
	[BRIDGE_REMOVE] = "DELETE FROM flow_sets WHERE bridge = ?1",
	[FLOW_PUT] = "INSERT INTO flows(flow_set, id, created_ms, flow) "
		     "VALUES(?1, ?2, ?3, ?4) "
		     "ON CONFLICT(flow_set, id) DO UPDATE SET flow = ?4",
	[FLOW_REMOVE] = "DELETE FROM flows WHERE flow_set = ?1 AND id = ?2",
	[FLOWS_CLEAR] = "DELETE FROM flows WHERE flow_set = ?1",
	[OBJECT_PUT] = "INSERT INTO objects(flow_set, kind, id, created_ms, object) "
		       "VALUES(?1, ?2, ?3, ?4, ?5) "
		       "ON CONFLICT(flow_set, kind, id) DO UPDATE SET object = ?5",
	[OBJECT_REMOVE] = "DELETE FROM objects WHERE flow_set = ?1 AND kind = ?2 AND id = ?3",
	[OBJECTS_CLEAR] = "DELETE FROM objects WHERE flow_set = ?1",
	[NEXT_ID_PUT] = "UPDATE counters SET value = ?1 WHERE name = 'next_flow_id'",
	[EVENT_PUT] = "INSERT INTO events(seq, name, params) VALUES(?1, ?2, ?3)",
	[EVENTS_OLDEST] = "SELECT seq, length(CAST(params AS BLOB)) FROM events ORDER BY seq",
	[EVENTS_REMOVE] = "DELETE FROM events WHERE seq <= ?1",
	[EVENTS_NEXT] = "SELECT seq, name, params FROM events WHERE seq > ?1 ORDER BY seq",
	[EVENT_COUNTERS_PUT] = "INSERT INTO counters(name, value) "
			       "VALUES('events_lost', ?1), ('event_numbers', ?2) "
			       "ON CONFLICT(name) DO UPDATE SET value = excluded.value",
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
};

static int prepare_all(struct store *store, struct rpc_error *error)
{
	for (int i = 0; i < STATEMENT_COUNT; i++) {
		int rc = sqlite3_prepare_v3(store->db, statement_texts[i], -1,
			SQLITE_PREPARE_PERSISTENT, &store->statements[i], NULL);

		if (rc != SQLITE_OK)
			return store_error(store, rc, "read", error);
	}
	return 0;
}

// Make the directories that lead to `path`.
static int make_directories(const char *path, struct rpc_error *error)
{
	char *copy = strdup(path);
	int rc = copy ? 0 : -ENOMEM;

	for (char *slash = copy ? strchr(copy + 1, '/') : NULL; slash && !rc;
		slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST) {
			rc = -errno;
			rpc_error_set(error, RPC_INTERNAL_ERROR,
				"%s: the directory %s cannot be made: %s", path, copy,
				strerror(errno));
		}
		*slash = '/';
	}
	free(copy);
	return rc;
}

struct store *store_open(const char *path, struct rpc_error *error)
{
	struct store *store = calloc(1, sizeof(*store));
	int64_t next = 1;
	int rc;

	if (!store || !(store->path = strdup(path))) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		free(store);
		return NULL;
	}
	if (make_directories(path, error) < 0 || store_prepare_place(path, error) < 0)
		goto fail;
	rc = sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE, NULL);
	if (rc != SQLITE_OK) {
		store_error(store, rc, "opened", error);
		goto fail;
	}
	sqlite3_busy_timeout(store->db, 500);
	if (store_execute(store,
		    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;"
		    "PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;"
		    "PRAGMA cache_size=-65536; BEGIN IMMEDIATE; COMMIT;",
		    "opened", error) < 0 ||
		store_check_file(store, error) < 0 || prepare_all(store, error) < 0 ||
		store_query_integer(store, "SELECT value FROM counters WHERE name = 'next_flow_id'",
			&next, error) < 0 ||
		store_events_open(store, error) < 0)
		goto fail;
	store->next_flow_id = store->next_flow_id_staged = (uint64_t)next;
	return store;
fail:
	store_close(store);
	return NULL;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(store->statements[i]);
	sqlite3_close(store->db);
	free(store->path);
	free(store);
}

const char *store_path(const struct store *store)
{
	return store->path;
}

uint64_t store_next_flow_id(const struct store *store)
{
	return store->next_flow_id;
}

// --- Reading ---

static int read_rows(
	struct store *store, const struct store_reader *reader, struct rpc_error *error)
{
	sqlite3_stmt *statement = NULL;
	bool good = true;
	int rc = sqlite3_prepare_v2(
		store->db, "SELECT name, uuid, columns FROM rows", -1, &statement, NULL);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		const char *text;
		json_t *columns;

		rc = sqlite3_step(statement);
		if (rc != SQLITE_ROW)
			break;
		text = (const char *)sqlite3_column_text(statement, 2);
		columns = text ? json_loads(text, 0, NULL) : NULL;
		if (!columns)
			rpc_error_set(error, RPC_INTERNAL_ERROR,
				"%s: row %s is damaged; put a backup in the file's place",
				store->path, sqlite3_column_text(statement, 1));
		good = columns &&
		       reader->row(reader->context, (const char *)sqlite3_column_text(statement, 0),
			       (const char *)sqlite3_column_text(statement, 1), columns, error);
		json_decref(columns);
		if (!good)
			break;
	}
	sqlite3_finalize(statement);
	if (!good)
		return -EINVAL;
	return rc == SQLITE_DONE ? 0 : store_error(store, rc, "read", error);
}

static int read_flows(
	struct store *store, const struct store_reader *reader, struct rpc_error *error)
{
	sqlite3_stmt *statement = NULL;
	bool good = true;
	int rc = sqlite3_prepare_v2(store->db,
		"SELECT bridge, flows.id, created_ms, flow FROM flows "
		"JOIN flow_sets ON flow_sets.id = flow_set ORDER BY flow_set, flows.id",
		-1, &statement, NULL);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(statement);
		if (rc != SQLITE_ROW)
			break;
		good = reader->flow(reader->context,
			(const char *)sqlite3_column_text(statement, 0),
			(uint64_t)sqlite3_column_int64(statement, 1),
			sqlite3_column_int64(statement, 2),
			(const char *)sqlite3_column_text(statement, 3), error);
		if (!good)
			break;
	}
	sqlite3_finalize(statement);
	if (!good)
		return -EINVAL;
	return rc == SQLITE_DONE ? 0 : store_error(store, rc, "read", error);
}

static int read_objects(
	struct store *store, const struct store_reader *reader, struct rpc_error *error)
{
	sqlite3_stmt *statement = NULL;
	bool good = true;
	int rc = sqlite3_prepare_v2(store->db,
		"SELECT bridge, kind, objects.id, created_ms, object FROM objects "
		"JOIN flow_sets ON flow_sets.id = flow_set ORDER BY flow_set, kind, objects.id",
		-1, &statement, NULL);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(statement);
		if (rc != SQLITE_ROW)
			break;
		good = reader->object(reader->context,
			(const char *)sqlite3_column_text(statement, 0),
			(const char *)sqlite3_column_text(statement, 1),
			(uint32_t)sqlite3_column_int64(statement, 2),
			sqlite3_column_int64(statement, 3),
			(const char *)sqlite3_column_text(statement, 4), error);
		if (!good)
			break;
	}
	sqlite3_finalize(statement);
	if (!good)
		return -EINVAL;
	return rc == SQLITE_DONE ? 0 : store_error(store, rc, "read", error);
}

int store_read(struct store *store, const struct store_reader *reader, struct rpc_error *error)
{
	int rc = read_rows(store, reader, error);

	if (!rc)
		rc = read_objects(store, reader, error);
	return rc ? rc : read_flows(store, reader, error);
}

// --- Changes ---

int store_run(struct store *store, enum statement which, struct rpc_error *error)
{
	sqlite3_stmt *statement = store->statements[which];
	int rc = sqlite3_step(statement);

	rc = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : store_error(store, rc, "written", error);
	sqlite3_reset(statement);
	return rc;
}

static void bind_text(struct store *store, enum statement which, int index, const char *text)
{
	// Static: the statement is run and reset before the caller's text goes away.
	sqlite3_bind_text(store->statements[which], index, text, -1, SQLITE_STATIC);
}

static void bind_integer(struct store *store, enum statement which, int index, int64_t value)
{
	sqlite3_bind_int64(store->statements[which], index, value);
}

int store_begin(struct store *store, struct rpc_error *error)
{
	store->bridge[0] = '\0';
	store->next_flow_id_staged = store->next_flow_id;
	store->events_staged = store->events;
	if (store_check_place(store, error) < 0)
		return -ENOENT;
	return store_run(store, BEGIN, error);
}

int store_row_put(struct store *store, const char *table, const char *uuid, const json_t *columns,
	struct rpc_error *error)
{
	char *text = json_dumps(columns, JSON_COMPACT);
	int rc;

	if (!text) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return -ENOMEM;
	}
	bind_text(store, ROW_PUT, 1, uuid);
	bind_text(store, ROW_PUT, 2, table);
	bind_text(store, ROW_PUT, 3, text);
	rc = store_run(store, ROW_PUT, error);
	free(text);
	return rc;
}

int store_row_remove(struct store *store, const char *uuid, struct rpc_error *error)
{
	bind_text(store, ROW_REMOVE, 1, uuid);
	return store_run(store, ROW_REMOVE, error);
}

// The number that what a bridge has is kept under; made if `add`, otherwise 0 if unknown.
static int flow_set_number(
	struct store *store, const char *bridge, bool add, int64_t *number, struct rpc_error *error)
{
	sqlite3_stmt *find = store->statements[BRIDGE_FIND];
	int rc;

	*number = store->flow_set;
	if (store->bridge[0] && strcmp(store->bridge, bridge) == 0)
		return 0;
	bind_text(store, BRIDGE_FIND, 1, bridge);
	rc = sqlite3_step(find);
	*number = rc == SQLITE_ROW ? sqlite3_column_int64(find, 0) : 0;
	sqlite3_reset(find);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return store_error(store, rc, "read", error);
	if (!*number && add) {
		bind_text(store, BRIDGE_ADD, 1, bridge);
		rc = store_run(store, BRIDGE_ADD, error);
		if (rc)
			return rc;
		*number = sqlite3_last_insert_rowid(store->db);
	}
	if (*number) {
		snprintf(store->bridge, sizeof(store->bridge), "%s", bridge);
		store->flow_set = *number;
	}
	return 0;
}

int store_flow_put(struct store *store, const char *bridge_uuid, uint64_t id, int64_t created_ms,
	const char *text, struct rpc_error *error)
{
	int64_t number;
	int rc = flow_set_number(store, bridge_uuid, true, &number, error);

	if (rc)
		return rc;
	bind_integer(store, FLOW_PUT, 1, number);
	bind_integer(store, FLOW_PUT, 2, (int64_t)id);
	bind_integer(store, FLOW_PUT, 3, created_ms);
	bind_text(store, FLOW_PUT, 4, text);
	if (id >= store->next_flow_id_staged)
		store->next_flow_id_staged = id + 1;
	return store_run(store, FLOW_PUT, error);
}

int store_flow_remove(
	struct store *store, const char *bridge_uuid, uint64_t id, struct rpc_error *error)
{
	int64_t number;
	int rc = flow_set_number(store, bridge_uuid, false, &number, error);

	if (rc || !number)
		return rc;
	bind_integer(store, FLOW_REMOVE, 1, number);
	bind_integer(store, FLOW_REMOVE, 2, (int64_t)id);
	return store_run(store, FLOW_REMOVE, error);
}

int store_object_put(struct store *store, const char *bridge_uuid, const char *kind, uint32_t id,
	int64_t created_ms, const char *text, struct rpc_error *error)
{
	int64_t number;
	int rc = flow_set_number(store, bridge_uuid, true, &number, error);

	if (rc)
		return rc;
	bind_integer(store, OBJECT_PUT, 1, number);
	bind_text(store, OBJECT_PUT, 2, kind);
	bind_integer(store, OBJECT_PUT, 3, id);
	bind_integer(store, OBJECT_PUT, 4, created_ms);
	bind_text(store, OBJECT_PUT, 5, text);
	return store_run(store, OBJECT_PUT, error);
}

int store_object_remove(struct store *store, const char *bridge_uuid, const char *kind, uint32_t id,
	struct rpc_error *error)
{
	int64_t number;
	int rc = flow_set_number(store, bridge_uuid, false, &number, error);

	if (rc || !number)
		return rc;
	bind_integer(store, OBJECT_REMOVE, 1, number);
	bind_text(store, OBJECT_REMOVE, 2, kind);
	bind_integer(store, OBJECT_REMOVE, 3, id);
	return store_run(store, OBJECT_REMOVE, error);
}

int store_bridge_clear(struct store *store, const char *bridge_uuid, struct rpc_error *error)
{
	int64_t number;
	int rc = flow_set_number(store, bridge_uuid, false, &number, error);

	if (rc || !number)
		return rc;
	bind_integer(store, FLOWS_CLEAR, 1, number);
	rc = store_run(store, FLOWS_CLEAR, error);
	if (rc)
		return rc;
	bind_integer(store, OBJECTS_CLEAR, 1, number);
	rc = store_run(store, OBJECTS_CLEAR, error);
	if (rc)
		return rc;
	store->bridge[0] = '\0';
	bind_text(store, BRIDGE_REMOVE, 1, bridge_uuid);
	return store_run(store, BRIDGE_REMOVE, error);
}

int store_commit(struct store *store, struct rpc_error *error)
{
	int rc = 0;

	if (store->next_flow_id_staged != store->next_flow_id) {
		bind_integer(store, NEXT_ID_PUT, 1, (int64_t)store->next_flow_id_staged);
		rc = store_run(store, NEXT_ID_PUT, error);
	}
	if (!rc)
		rc = store_events_commit(store, error);
	if (!rc)
		rc = store_run(store, COMMIT, error);
	if (rc) {
		store_rollback(store);
		return rc;
	}
	store->next_flow_id = store->next_flow_id_staged;
	store->events = store->events_staged;
	return 0;
}

void store_rollback(struct store *store)
{
	struct rpc_error ignored = {0};

	store->bridge[0] = '\0';
	// Some errors of SQLite have already ended the transaction.
	if (!sqlite3_get_autocommit(store->db))
		store_run(store, ROLLBACK, &ignored);
	rpc_error_clear(&ignored);
	store->next_flow_id_staged = store->next_flow_id;
}
