// SPDX-License-Identifier: Apache-2.0
//
// The store as a file: whose it is, whether it is whole, and its schema with the way to it from
// older versions.

#include "vswitch/store_private.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define STORE_APPLICATION_ID 0x54524e54 // "TRNT"

// What brings a file from the version of its index to the next one; the first makes it. A bridge's
// flows, groups and meters are kept under a small number, which is shorter than a uuid in every
// row.
static const char *const steps[] = {
	"CREATE TABLE rows(uuid TEXT PRIMARY KEY, name TEXT NOT NULL,"
	"  columns TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE flow_sets(id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  bridge TEXT NOT NULL UNIQUE);"
	"CREATE TABLE flows(flow_set INTEGER NOT NULL, id INTEGER NOT NULL,"
	"  created_ms INTEGER NOT NULL, flow TEXT NOT NULL,"
	"  PRIMARY KEY(flow_set, id)) WITHOUT ROWID;"
	"CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL);"
	"INSERT INTO counters VALUES('next_flow_id', 1);"
	"PRAGMA application_id = 1414680148;"
	"PRAGMA user_version = 1;",

	"CREATE TABLE objects(flow_set INTEGER NOT NULL, kind TEXT NOT NULL,"
	"  id INTEGER NOT NULL, created_ms INTEGER NOT NULL, object TEXT NOT NULL,"
	"  PRIMARY KEY(flow_set, kind, id)) WITHOUT ROWID;"
	"PRAGMA user_version = 2;",

	"CREATE TABLE events(seq INTEGER PRIMARY KEY, name TEXT NOT NULL, params TEXT NOT NULL);"
	"PRAGMA user_version = 3;",
};
#define STORE_VERSION ((int)(sizeof(steps) / sizeof(steps[0])))
_Static_assert(STORE_APPLICATION_ID == 1414680148 && STORE_VERSION == 3, "the numbers in steps");

// What the system said of the last input or output, of the file or of its log; 0: nothing.
static int system_error(const struct store *store)
{
	sqlite3_file *log = NULL;
	int number = sqlite3_system_errno(store->db);

	if (!number)
		sqlite3_file_control(store->db, NULL, SQLITE_FCNTL_LAST_ERRNO, &number);
	if (!number)
		sqlite3_file_control(store->db, NULL, SQLITE_FCNTL_JOURNAL_POINTER, &log);
	if (log && log->pMethods)
		log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &number);
	return number;
}

int store_error(const struct store *store, int rc, const char *doing, struct rpc_error *error)
{
	const char *path = store->path;

	switch (rc & 0xff) {
	case SQLITE_NOTADB:
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s is not a database; name another file (database.path), put a backup in "
			"its place, or move it away to begin with an empty switch",
			path);
		return -EINVAL;
	case SQLITE_CORRUPT:
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s is damaged (%s); put a backup in its place, or move it and its log "
			"(-wal) away to begin with an empty switch",
			path, sqlite3_errmsg(store->db));
		return -EIO;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s is in use by another process; is a vswitchd already running on "
			"it? (fuser %s tells)",
			path, path);
		return -EBUSY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s cannot be %s (%s); check that the file and its directory are "
			"writable for this user",
			path, doing, sqlite3_errmsg(store->db));
		return -EACCES;
	case SQLITE_FULL:
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s cannot be %s: the disk is full; nothing was changed; make room and "
			"try again",
			path, doing);
		return -ENOSPC;
	case SQLITE_NOMEM:
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return -ENOMEM;
	default:
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s cannot be %s (%s%s%s); look after the disk, the kernel's log may say "
			"more, and try again",
			path, doing, sqlite3_errmsg(store->db), system_error(store) ? ": " : "",
			system_error(store) ? strerror(system_error(store)) : "");
		return -EIO;
	}
}

int store_execute(struct store *store, const char *text, const char *doing, struct rpc_error *error)
{
	int rc = sqlite3_exec(store->db, text, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : store_error(store, rc, doing, error);
}

int store_query_integer(
	struct store *store, const char *text, int64_t *value, struct rpc_error *error)
{
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_prepare_v2(store->db, text, -1, &statement, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		return 0;
	return store_error(store, rc, "read", error);
}

// All of it, indexes against tables too: 25 ms with 100,000 flows, no more than quick_check.
static int check_integrity(struct store *store, struct rpc_error *error)
{
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_prepare_v2(store->db, "PRAGMA integrity_check(1)", -1, &statement, NULL);
	const char *text = "";
	const char *line = NULL;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		text = (const char *)sqlite3_column_text(statement, 0);
	// In front of some there is "*** in database main ***".
	line = text && *text == '*' ? strchr(text, '\n') : NULL;
	line = line ? line + 1 : text ? text : "?";
	if (rc != SQLITE_ROW) {
		rc = store_error(store, rc, "read", error);
	} else if (!text || strcmp(text, "ok") != 0) {
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s is damaged (%.*s); put a backup in its place, or move it and its log "
			"(-wal) away to begin with an empty switch",
			store->path, (int)strcspn(line, "\n"), line);
		rc = -EIO;
	} else {
		rc = 0;
	}
	sqlite3_finalize(statement);
	return rc;
}

// All the steps from `version` on, or none of them.
static int upgrade(struct store *store, int64_t version, struct rpc_error *error)
{
	int rc = store_execute(store, "BEGIN IMMEDIATE", "written", error);

	for (; !rc && version < STORE_VERSION; version++)
		rc = store_execute(store, steps[version], "written", error);
	if (!rc)
		rc = store_execute(store, "COMMIT", "written", error);
	if (rc && !sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int store_make_schema(struct store *store, struct rpc_error *error)
{
	return upgrade(store, 0, error);
}

int store_check_file(struct store *store, struct rpc_error *error)
{
	int64_t application = 0;
	int64_t version = 0;
	int64_t tables = 0;
	int rc = store_query_integer(store, "PRAGMA application_id", &application, error);

	if (!rc)
		rc = store_query_integer(store, "PRAGMA user_version", &version, error);
	if (!rc)
		rc = store_query_integer(
			store, "SELECT count(*) FROM sqlite_schema", &tables, error);
	if (rc)
		return rc;
	if (application == 0 && tables == 0) {
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s is damaged (nothing is in it; its log may be lost); put a backup in "
			"its place, or move it away to begin with an empty switch",
			store->path);
		return -EIO;
	}
	if (application != STORE_APPLICATION_ID) {
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s is a database of another program; name another file "
			"(database.path)",
			store->path);
		return -EINVAL;
	}
	if (version > STORE_VERSION) {
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s was written by a newer version (format %" PRId64
			", this program knows %d); upgrade vswitchd, or put a backup from before "
			"in its place",
			store->path, version, STORE_VERSION);
		return -EINVAL;
	}
	rc = check_integrity(store, error);
	if (!rc && version < 1) {
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s is damaged (no version in it); put a backup in its place, or move it "
			"away to begin with an empty switch",
			store->path);
		rc = -EINVAL;
	}
	return rc || version == STORE_VERSION ? rc : upgrade(store, version, error);
}
