// SPDX-License-Identifier: Apache-2.0
//
// The store's files as others may have left them: cut off, damaged, moved, of other files.
#include "store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

static int setup(void **state)
{
	return store_setup(state, "t.db");
}

static void put_flows(struct fixture *f, struct store *store, uint64_t first, uint64_t count)
{
	assert_int_equal(store_begin(store, &f->error), 0);
	for (uint64_t id = first; id < first + count; id++)
		assert_int_equal(store_flow_put(store, "b1", id, 1, "priority=1,actions=output:1",
					 &f->error),
			0);
	assert_int_equal(store_commit(store, &f->error), 0);
}

static bool count_flow(void *context, const char *bridge, uint64_t id, int64_t created_ms,
	const char *text, struct rpc_error *error)
{
	++*(size_t *)context;
	return true;
}

static size_t flows_in(struct fixture *f, struct store *store)
{
	size_t count = 0;
	struct store_reader reader = {.context = &count, .flow = count_flow};

	assert_int_equal(store_read(store, &reader, &f->error), 0);
	return count;
}

static size_t flows_found(struct fixture *f)
{
	struct store *store = open_good(f);
	size_t count = flows_in(f, store);

	store_close(store);
	return count;
}

static void copy(const char *from, const char *to)
{
	char command[400];

	snprintf(command, sizeof(command), "cp '%s' '%s'", from, to);
	assert_int_equal(system(command), 0);
}

static void overwrite(const char *path, long at, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "r+");

	assert_non_null(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

static long size_of(const char *path)
{
	struct stat about;

	return stat(path, &about) == 0 ? about.st_size : -1;
}

// As a process that was killed leaves them: the file and its log, in f->path. `transactions` of
// ten flows each.
static void leave_log(struct fixture *f, unsigned transactions)
{
	char kept[160], kept_log[170];
	struct store *store;

	unlink(f->path);
	unlink(f->log);
	store = open_good(f);
	for (unsigned i = 0; i < transactions; i++)
		put_flows(f, store, 1 + 10 * i, 10);
	snprintf(kept, sizeof(kept), "%s/kept", f->dir);
	snprintf(kept_log, sizeof(kept_log), "%s/kept-log", f->dir);
	copy(f->path, kept);
	copy(f->log, kept_log);
	store_close(store);
	assert_int_equal(rename(kept, f->path), 0);
	assert_int_equal(rename(kept_log, f->log), 0);
}

static void test_empty_file(void **state)
{
	struct fixture *f = *state;

	store_close(open_good(f));
	assert_int_equal(truncate(f->path, 0), 0);
	assert_refused(f, "put a backup in its place");
	assert_int_equal(size_of(f->path), 0); // as it was
	unlink(f->path);
	assert_int_equal(flows_found(f), 0);
}

// What a process that was killed while it made the first file has left is of no effect.
static void test_made_whole(void **state)
{
	struct fixture *f = *state;
	char path[160];

	snprintf(path, sizeof(path), "%s.new", f->path);
	copy("/dev/null", path);
	overwrite(path, 0, "garbage", 7);
	assert_int_equal(flows_found(f), 0);
	assert_int_equal(size_of(path), -1);
}

static void test_cut_off(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_good(f);

	put_flows(f, store, 1, 3000);
	store_close(store);
	for (long size = size_of(f->path) - 4096; size > 100; size /= 3) {
		assert_int_equal(truncate(f->path, size), 0);
		assert_null(store_open(f->path, &f->error));
		assert_true(strstr(f->error.message, "is damaged") ||
			    strstr(f->error.message, "is not a database"));
		assert_error(f, "put a backup in its place");
	}
}

// The index of a table that differs from it, in a file whose pages are as they should be.
static void test_index_damaged(void **state)
{
	static const char key[] = "00000000-1111-2222-3333-444444444444";
	struct fixture *f = *state;
	struct store *store = open_good(f);
	static char bytes[1 << 20];
	int found = 0;
	long size;
	FILE *file;

	assert_int_equal(store_begin(store, &f->error), 0);
	assert_int_equal(store_flow_put(store, key, 1, 1, "actions=drop", &f->error), 0);
	assert_int_equal(store_commit(store, &f->error), 0);
	store_close(store);
	file = fopen(f->path, "r");
	assert_non_null(file);
	size = (long)fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	for (long at = size - (long)sizeof(key); at >= 0 && !found; at--) {
		if (memcmp(bytes + at, key, sizeof(key) - 1) == 0) {
			overwrite(f->path, at, "f", 1);
			found++;
		}
	}
	assert_int_equal(found, 1);
	assert_refused(f, "is damaged (");
}

static void test_log_kept(void **state)
{
	struct fixture *f = *state;

	leave_log(f, 5);
	assert_int_equal(flows_found(f), 50);
}

// Whatever is at the end of a log, it was never acknowledged, or cannot be told from that.
static void test_log_unfinished(void **state)
{
	static const char zeros[64];
	struct fixture *f = *state;
	size_t found;

	leave_log(f, 5);
	assert_int_equal(truncate(f->log, size_of(f->log) - 10), 0);
	found = flows_found(f);
	assert_int_equal(found, 40);
	// Its size is on disk, its beginning is not.
	leave_log(f, 5);
	overwrite(f->log, 0, zeros, sizeof(zeros));
	store_close(open_good(f));
}

static void test_log_damaged(void **state)
{
	struct fixture *f = *state;

	for (int at = 0; at < 32; at += 5) {
		leave_log(f, 5);
		overwrite(f->log, at, "\xa5\xa5", 2);
		assert_refused(f, "its log");
	}
	// In the first frame, and in the page of it, with acknowledged ones behind.
	for (int at = 32; at < 32 + 24 + 4096; at += 500) {
		leave_log(f, 5);
		overwrite(f->log, at, "\xa5\x5a", 2);
		assert_refused(f, "move both away");
	}
	// Moved away together, they are no more.
	assert_int_equal(unlink(f->path), 0);
	assert_refused(f, "is not there, but its log");
	assert_int_equal(unlink(f->log), 0);
	assert_int_equal(flows_found(f), 0);
}

// The file without its log, as if it had been lost at once.
static void test_log_lost(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	sqlite3_exec(db, "PRAGMA journal_mode=WAL; VACUUM", NULL, NULL, NULL);
	sqlite3_close(db);
	assert_true(size_of(f->path) > 0);
	assert_refused(f, "its log may be lost");
}

static void test_moved(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_good(f);
	char away[160];

	put_flows(f, store, 1, 10);
	snprintf(away, sizeof(away), "%s/away", f->dir);
	assert_int_equal(rename(f->path, away), 0);
	assert_int_equal(store_begin(store, &f->error), -ENOENT);
	assert_error(f, "was moved away or replaced");
	copy(away, f->path); // not the same
	assert_int_equal(store_begin(store, &f->error), -ENOENT);
	assert_error(f, "put it back, or restart vswitchd");
	assert_int_equal(rename(away, f->path), 0);
	put_flows(f, store, 11, 10);
	assert_int_equal(rename(f->log, away), 0);
	assert_int_equal(store_begin(store, &f->error), -ENOENT);
	assert_error(f, "-wal was moved away");
	assert_int_equal(rename(away, f->log), 0);
	put_flows(f, store, 21, 10);
	store_close(store);
	assert_int_equal(flows_found(f), 30);
}

static void test_backup(void **state)
{
	struct fixture *f = *state;
	struct store *store = open_good(f);
	char backup[160], part[170];

	snprintf(backup, sizeof(backup), "%s/backup", f->dir);
	snprintf(part, sizeof(part), "%s.part", backup);
	put_flows(f, store, 1, 100);
	copy("/dev/null", part); // of one that was killed
	assert_int_equal(store_backup(store, backup, &f->error), 0);
	assert_int_equal(size_of(part), -1);
	put_flows(f, store, 101, 100);
	// It takes nothing away, neither a backup nor what is elsewhere.
	assert_int_equal(store_backup(store, backup, &f->error), -EEXIST);
	assert_non_null(strstr(f->error.message, backup));
	rpc_error_clear(&f->error);
	assert_true(store_backup(store, "/nowhere/backup", &f->error) < 0);
	assert_non_null(strstr(f->error.message, "/nowhere/backup"));
	rpc_error_clear(&f->error);
	assert_int_equal(store_next_flow_id(store), 201);
	store_close(store);
	assert_int_equal(flows_found(f), 200);

	// In the file's place with the log of that one still there, and then alone.
	leave_log(f, 2);
	copy(backup, f->path);
	assert_refused(f, "move the log away");
	assert_int_equal(unlink(f->log), 0);
	assert_int_equal(flows_found(f), 100);
	assert_int_equal(flows_found(f), 100);
}

int main(void)
{
#define TEST(FN) cmocka_unit_test_setup_teardown(FN, setup, store_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_empty_file),
		TEST(test_made_whole),
		TEST(test_cut_off),
		TEST(test_index_damaged),
		TEST(test_log_kept),
		TEST(test_log_unfinished),
		TEST(test_log_damaged),
		TEST(test_log_lost),
		TEST(test_moved),
		TEST(test_backup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
