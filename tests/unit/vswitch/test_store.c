// SPDX-License-Identifier: Apache-2.0
#include "store_fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

static int setup(void **state)
{
	return store_setup(state, "a/b/t.db");
}

// What was read, as JSON: {"rows": {uuid: [table, columns]}, "flows": [[bridge, id, ms, text]],
// "objects": [[bridge, kind, id, ms, text]]}, the last only if there are any.
static bool read_row(void *context, const char *table, const char *uuid, json_t *columns,
	struct rpc_error *error)
{
	json_object_set_new(
		json_object_get(context, "rows"), uuid, json_pack("[s, O]", table, columns));
	return true;
}

static bool read_flow(void *context, const char *bridge, uint64_t id, int64_t created_ms,
	const char *text, struct rpc_error *error)
{
	json_array_append_new(json_object_get(context, "flows"),
		json_pack("[s, I, I, s]", bridge, (json_int_t)id, (json_int_t)created_ms, text));
	return true;
}

static bool read_object(void *context, const char *bridge, const char *kind, uint32_t id,
	int64_t created_ms, const char *text, struct rpc_error *error)
{
	if (!json_object_get(context, "objects"))
		json_object_set_new(context, "objects", json_array());
	json_array_append_new(json_object_get(context, "objects"),
		json_pack("[s, s, I, I, s]", bridge, kind, (json_int_t)id, (json_int_t)created_ms,
			text));
	return true;
}

static json_t *read_all(struct fixture *f, struct store *store)
{
	json_t *all = json_pack("{s:{}, s:[]}", "rows", "flows");
	struct store_reader reader = {
		.context = all, .row = read_row, .flow = read_flow, .object = read_object};

	if (store_read(store, &reader, &f->error) < 0)
		fail_msg("%s", f->error.message);
	return all;
}

static void assert_content(struct fixture *f, struct store *store, const char *expected)
{
	json_t *all = read_all(f, store);
	char *text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);

	assert_string_equal(text, expected);
	free(text);
	json_decref(all);
}

static void put_row(struct fixture *f, struct store *store, const char *uuid, int value)
{
	json_t *columns = json_pack("{s:i}", "v", value);

	assert_int_equal(store_row_put(store, "Port", uuid, columns, &f->error), 0);
	json_decref(columns);
}

static void test_round_trip(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_good(f);

	assert_content(f, store, "{\"flows\":[],\"rows\":{}}");
	assert_int_equal(store_next_flow_id(store), 1);
	assert_int_equal(store_begin(store, &f->error), 0);
	put_row(f, store, "u1", 1);
	put_row(f, store, "u2", 2);
	put_row(f, store, "u1", 3);
	assert_int_equal(store_flow_put(store, "b1", 7, 1000, "one", &f->error), 0);
	assert_int_equal(store_flow_put(store, "b2", 7, 1001, "two", &f->error), 0);
	assert_int_equal(store_flow_put(store, "b1", 9, 1002, "three", &f->error), 0);
	assert_int_equal(store_commit(store, &f->error), 0);
	assert_int_equal(store_next_flow_id(store), 10);
	store_close(store);

	store = open_good(f);
	assert_int_equal(store_next_flow_id(store), 10);
	assert_content(f, store,
		"{\"flows\":[[\"b1\",7,1000,\"one\"],[\"b1\",9,1002,\"three\"],"
		"[\"b2\",7,1001,\"two\"]],"
		"\"rows\":{\"u1\":[\"Port\",{\"v\":3}],\"u2\":[\"Port\",{\"v\":2}]}}");
	assert_int_equal(store_begin(store, &f->error), 0);
	assert_int_equal(store_row_remove(store, "u2", &f->error), 0);
	assert_int_equal(store_flow_remove(store, "b1", 7, &f->error), 0);
	assert_int_equal(store_flow_remove(store, "nobody", 7, &f->error), 0);
	// A changed flow keeps the time of its creation.
	assert_int_equal(store_flow_put(store, "b1", 9, 5000, "other", &f->error), 0);
	assert_int_equal(store_bridge_clear(store, "b2", &f->error), 0);
	assert_int_equal(store_commit(store, &f->error), 0);
	assert_content(f, store,
		"{\"flows\":[[\"b1\",9,1002,\"other\"]],\"rows\":{\"u1\":[\"Port\",{\"v\":3}]}}");
	store_close(store);
}

static void test_rollback(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_good(f);

	assert_int_equal(store_begin(store, &f->error), 0);
	put_row(f, store, "u1", 1);
	assert_int_equal(store_flow_put(store, "b1", 5, 1, "one", &f->error), 0);
	store_rollback(store);
	assert_content(f, store, "{\"flows\":[],\"rows\":{}}");
	assert_int_equal(store_next_flow_id(store), 1);
	// And the flow set that was rolled back with it is made again.
	assert_int_equal(store_begin(store, &f->error), 0);
	assert_int_equal(store_flow_put(store, "b1", 5, 1, "one", &f->error), 0);
	assert_int_equal(store_commit(store, &f->error), 0);
	assert_content(f, store, "{\"flows\":[[\"b1\",5,1,\"one\"]],\"rows\":{}}");
	store_rollback(store); // nothing to do
	store_close(store);
}

// A bridge that goes and one that comes with the same uuid are no hindrance to each other.
static void test_clear_and_put(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_good(f);

	for (int i = 0; i < 3; i++) {
		assert_int_equal(store_begin(store, &f->error), 0);
		assert_int_equal(store_bridge_clear(store, "b1", &f->error), 0);
		assert_int_equal(store_flow_put(store, "b1", 1, 1, "one", &f->error), 0);
		assert_int_equal(store_commit(store, &f->error), 0);
	}
	assert_content(f, store, "{\"flows\":[[\"b1\",1,1,\"one\"]],\"rows\":{}}");
	store_close(store);
}

static void put_object(
	struct fixture *f, struct store *store, const char *bridge, const char *kind, uint32_t id)
{
	assert_int_equal(
		store_object_put(store, bridge, kind, id, 1000 + (int64_t)id, kind, &f->error), 0);
}

// Kinds, bridges and flows are numbered apart.
static void test_objects(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_good(f);

	assert_int_equal(store_begin(store, &f->error), 0);
	put_object(f, store, "b1", "meter", 1);
	put_object(f, store, "b1", "group", 4294967040u);
	put_object(f, store, "b1", "group", 1);
	put_object(f, store, "b2", "group", 1);
	assert_int_equal(store_flow_put(store, "b1", 1, 1, "one", &f->error), 0);
	assert_int_equal(store_commit(store, &f->error), 0);
	store_close(store);
	store = open_good(f);
	assert_content(f, store,
		"{\"flows\":[[\"b1\",1,1,\"one\"]],"
		"\"objects\":[[\"b1\",\"group\",1,1001,\"group\"],"
		"[\"b1\",\"group\",4294967040,4294968040,\"group\"],"
		"[\"b1\",\"meter\",1,1001,\"meter\"],[\"b2\",\"group\",1,1001,\"group\"]],"
		"\"rows\":{}}");
	assert_int_equal(store_begin(store, &f->error), 0);
	assert_int_equal(store_object_remove(store, "b1", "group", 1, &f->error), 0);
	assert_int_equal(store_object_remove(store, "b1", "group", 7, &f->error), 0);
	assert_int_equal(store_object_remove(store, "nobody", "group", 1, &f->error), 0);
	// A changed object keeps the time of its creation.
	assert_int_equal(store_object_put(store, "b1", "meter", 1, 5000, "new", &f->error), 0);
	assert_int_equal(store_bridge_clear(store, "b2", &f->error), 0);
	assert_int_equal(store_commit(store, &f->error), 0);
	assert_content(f, store,
		"{\"flows\":[[\"b1\",1,1,\"one\"]],"
		"\"objects\":[[\"b1\",\"group\",4294967040,4294968040,\"group\"],"
		"[\"b1\",\"meter\",1,1001,\"new\"]],\"rows\":{}}");
	assert_int_equal(store_begin(store, &f->error), 0);
	put_object(f, store, "b1", "group", 8);
	store_rollback(store);
	assert_int_equal(store_begin(store, &f->error), 0);
	assert_int_equal(store_bridge_clear(store, "b1", &f->error), 0);
	assert_int_equal(store_commit(store, &f->error), 0);
	assert_content(f, store, "{\"flows\":[],\"rows\":{}}");
	store_close(store);
}

static void run_sql(struct fixture *f, const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

// As version 1 wrote it, before there were objects.
static void make_version_1(struct fixture *f)
{
	snprintf(f->path, sizeof(f->path), "%s/version1.db", f->dir);
	run_sql(f, "CREATE TABLE rows(uuid TEXT PRIMARY KEY, name TEXT NOT NULL,"
		   "  columns TEXT NOT NULL) WITHOUT ROWID;"
		   "CREATE TABLE flow_sets(id INTEGER PRIMARY KEY AUTOINCREMENT,"
		   "  bridge TEXT NOT NULL UNIQUE);"
		   "CREATE TABLE flows(flow_set INTEGER NOT NULL, id INTEGER NOT NULL,"
		   "  created_ms INTEGER NOT NULL, flow TEXT NOT NULL,"
		   "  PRIMARY KEY(flow_set, id)) WITHOUT ROWID;"
		   "CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL);"
		   "INSERT INTO counters VALUES('next_flow_id', 8);"
		   "INSERT INTO rows VALUES('u1', 'Port', '{\"v\":3}');"
		   "INSERT INTO flow_sets VALUES(1, 'b1');"
		   "INSERT INTO flows VALUES(1, 7, 1000, 'one');"
		   "PRAGMA application_id = 1414680148; PRAGMA user_version = 1");
}

static void test_version_1(void **state)
{
	struct fixture *f = *state;
	struct store *store;

	make_version_1(f);
	store = open_good(f);
	assert_int_equal(store_next_flow_id(store), 8);
	assert_content(f, store,
		"{\"flows\":[[\"b1\",7,1000,\"one\"]],\"rows\":{\"u1\":[\"Port\",{\"v\":3}]}}");
	assert_int_equal(store_begin(store, &f->error), 0);
	put_object(f, store, "b1", "group", 1);
	assert_int_equal(store_commit(store, &f->error), 0);
	store_close(store);
	// The second time it is of the present version.
	store = open_good(f);
	assert_content(f, store,
		"{\"flows\":[[\"b1\",7,1000,\"one\"]],"
		"\"objects\":[[\"b1\",\"group\",1,1001,\"group\"]],"
		"\"rows\":{\"u1\":[\"Port\",{\"v\":3}]}}");
	store_close(store);
}

// An upgrade that cannot be finished leaves the file as it was.
static void test_upgrade_fails(void **state)
{
	struct fixture *f = *state;
	sqlite3_stmt *statement;
	sqlite3 *db;

	make_version_1(f);
	run_sql(f, "CREATE VIEW objects AS SELECT 1");
	assert_refused(f, "cannot be written");
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(statement, 0), 1);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	run_sql(f, "DROP VIEW objects; PRAGMA user_version = 0");
	assert_refused(f, "no version in it");
	run_sql(f, "PRAGMA user_version = 4");
	assert_refused(f, "format 4, this program knows 3");
}

static void test_locked(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_good(f);

	assert_refused(f, "in use by another process");
	store_close(store);
	store_close(open_good(f));
}

static void write_file(const char *path, const char *text, size_t size)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fwrite(text, 1, size, file);
	fclose(file);
}

static void test_foreign_files(void **state)
{
	struct fixture *f = *state;
	static const char text[] =
		"this is no database, but long enough to be looked at as one ....."
		".............................................................";
	sqlite3 *db;

	snprintf(f->path, sizeof(f->path), "%s/text", f->dir);
	write_file(f->path, text, sizeof(text));
	assert_refused(f, "is not a database");

	snprintf(f->path, sizeof(f->path), "%s/other.db", f->dir);
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	sqlite3_exec(db, "CREATE TABLE songs(title)", NULL, NULL, NULL);
	sqlite3_close(db);
	assert_refused(f, "database of another program");

	snprintf(f->path, sizeof(f->path), "%s/newer.db", f->dir);
	store_close(open_good(f));
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL);
	sqlite3_close(db);
	assert_refused(f, "newer version");

	snprintf(f->path, sizeof(f->path), "%s", f->dir);
	assert_refused(f, "cannot be opened");
	snprintf(f->path, sizeof(f->path), "%s/text/t.db", f->dir);
	assert_refused(f, "cannot be opened");
}

// A page in the middle is garbage: said, not loaded.
static void test_damaged(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_good(f);
	char garbage[4096];
	FILE *file;

	assert_int_equal(store_begin(store, &f->error), 0);
	for (int i = 0; i < 3000; i++)
		assert_int_equal(store_flow_put(store, "b1", (uint64_t)i + 1, 1,
					 "priority=1,actions=output:1", &f->error),
			0);
	assert_int_equal(store_commit(store, &f->error), 0);
	store_close(store); // also moves the log into the file
	memset(garbage, 0xa5, sizeof(garbage));
	file = fopen(f->path, "r+");
	assert_non_null(file);
	for (int page = 4; page < 12; page++) {
		fseek(file, page * 4096L, SEEK_SET);
		fwrite(garbage, 1, sizeof(garbage), file);
	}
	fclose(file);
	assert_refused(f, "is damaged");
}

static void test_unwritable(void **state)
{
	struct fixture *f = *state;

	if (geteuid() == 0)
		snprintf(f->path, sizeof(f->path), "/proc/turnout/t.db");
	else
		snprintf(f->path, sizeof(f->path), "/turnout-test/t.db");
	assert_refused(f, "cannot be made");
}

// In a child: commit numbered transactions and say each one's number after it was acknowledged,
// until killed.
static void commit_forever(const char *path, int out)
{
	struct rpc_error error = {0};
	struct store *store = store_open(path, &error);

	for (uint64_t i = 1; store; i++) {
		json_t *columns = json_pack("{s:I}", "v", (json_int_t)i);
		bool good = store_begin(store, &error) == 0;

		good = good && store_row_put(store, "Port", "u1", columns, &error) == 0;
		for (uint64_t k = 0; k < 5; k++)
			good = good && store_flow_put(store, "b1", i * 5 + k, (int64_t)i, "flow",
					       &error) == 0;
		good = good && store_commit(store, &error) == 0;
		json_decref(columns);
		if (!good || write(out, &i, sizeof(i)) != sizeof(i))
			break;
	}
	_exit(1);
}

// Killed anywhere, the file has everything that was acknowledged and nothing by halves.
static void test_killed(void **state)
{
	struct fixture *f = *state;
	uint64_t acknowledged = 0;

	for (int round = 0; round < 8; round++) {
		struct store *store;
		uint64_t number;
		json_t *all;
		json_t *row;
		int channel[2];
		pid_t child;

		snprintf(f->path, sizeof(f->path), "%s/%d.db", f->dir, round);
		assert_int_equal(pipe(channel), 0);
		child = fork();
		if (child == 0) {
			close(channel[0]);
			commit_forever(f->path, channel[1]);
		}
		close(channel[1]);
		for (int i = 0; i < 5 + round * 7; i++)
			assert_int_equal(read(channel[0], &number, sizeof(number)), sizeof(number));
		kill(child, SIGKILL);
		acknowledged = number;
		while (read(channel[0], &number, sizeof(number)) == sizeof(number))
			acknowledged = number;
		assert_int_equal(waitpid(child, NULL, 0), child);
		close(channel[0]);

		store = open_good(f);
		all = read_all(f, store);
		row = json_array_get(json_object_get(json_object_get(all, "rows"), "u1"), 1);
		number = (uint64_t)json_integer_value(json_object_get(row, "v"));
		// The one that was in the making may have got through.
		assert_true(number == acknowledged || number == acknowledged + 1);
		assert_int_equal(json_array_size(json_object_get(all, "flows")), number * 5);
		assert_int_equal(store_next_flow_id(store), number * 5 + 5);
		json_decref(all);
		store_close(store);
	}
}

int main(void)
{
#define TEST(FN) cmocka_unit_test_setup_teardown(FN, setup, store_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip),
		TEST(test_rollback),
		TEST(test_clear_and_put),
		TEST(test_objects),
		TEST(test_version_1),
		TEST(test_upgrade_fails),
		TEST(test_locked),
		TEST(test_foreign_files),
		TEST(test_damaged),
		TEST(test_unwritable),
		TEST(test_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
