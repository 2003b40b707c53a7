// SPDX-License-Identifier: Apache-2.0

// The database, as others or a failing disk may have left it. The first byte says what the others
// are: the file itself, its log, edits of a good file or of a good file with its log, or rows of a
// good file. vswitchd opens it, and if it does, works with it: whatever is in it, it ends in an
// error that names the file, or with a switch that can be changed.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "tests/fuzz/fuzz.h"
#include "vswitch/desired.h"
#include "vswitch/flows.h"
#include "vswitch/model_edit.h"
#include "vswitch/transaction.h"
#include "vswitch/vswitch.h"

#define PATH_SIZE 80
#define EDIT_SIZE 4 // which file and how many bytes, where

struct content {
	uint8_t *bytes;
	size_t size;
};

static char directory[PATH_SIZE / 2];
static char path[PATH_SIZE];
static char log_path[PATH_SIZE];
static struct content closed;       // a file without a log
static struct content open_file[2]; // one with its log, and that
static struct event_base *base;

int64_t clock_wall_ms(void)
{
	return 1700000000000;
}

int64_t clock_steady_ms(void)
{
	return 1000;
}

// --- Files ---

static struct content read_file(const char *name)
{
	int file = open(name, O_RDONLY);
	struct stat about;
	struct content content;

	fuzz_must(file >= 0 && fstat(file, &about) == 0, "%s", name);
	content.size = (size_t)about.st_size;
	content.bytes = malloc(content.size);
	fuzz_must(read(file, content.bytes, content.size) == about.st_size, "%s", name);
	close(file);
	return content;
}

static void write_file(const char *name, const void *bytes, size_t size)
{
	int file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	fuzz_must(file >= 0 && write(file, bytes, size) == (ssize_t)size, "%s", name);
	close(file);
}

static void remove_files(void)
{
	char name[PATH_SIZE + 16];
	static const char *const suffixes[] = {"", "-wal", "-journal", "-shm", ".new"};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
}

static void remove_all(void)
{
	remove_files();
	rmdir(directory);
}

// --- A switch ---

static void on_resync(evutil_socket_t fd, short what, void *context)
{
}

// Calls as one transaction, stored only. Whether they were accepted.
static bool commit_change(
	struct vswitch *vs, void (*change)(struct vswitch *vs), struct rpc_error *error)
{
	bool good = transaction_functions.begin(vs, error);

	vs->transaction.no_wait = true;
	if (good)
		change(vs);
	return good && transaction_functions.commit(vs, error);
}

static void error_must_be_good(const struct rpc_error *error)
{
	fuzz_must(error->code != 0 && error->message[0], "%d", error->code);
	fuzz_must(!strchr(error->message, '\n'), "%s", error->message);
	fuzz_must(strstr(error->message, path) != NULL, "%s", error->message);
}

static bool open_switch(struct vswitch *vs, struct rpc_error *error)
{
	*vs = (struct vswitch){.base = base};
	vs->resync = event_new(base, -1, 0, on_resync, vs);
	fuzz_must(vs->resync != NULL, "no memory");
	return vswitch_open(vs, path, error);
}

static void close_switch(struct vswitch *vs)
{
	vswitch_close(vs);
	event_free(vs->resync);
}

static void add_more(struct vswitch *vs)
{
	const json_t *root = edit_root(vs->model);
	struct rpc_error error = {0};
	char uuid[UUID_SIZE];
	json_t *ids = json_pack("{s:s}", "fuzz", "yes");

	snprintf(uuid, sizeof(uuid), "%s", row_uuid(root));
	edit_set(vs->model, TABLE_OPEN_VSWITCH, uuid, "external_ids", ids, &error);
	json_decref(ids);
	rpc_error_clear(&error);
}

// Everything there is, for what follows references.
static void look_around(struct vswitch *vs)
{
	json_decref(desired_state(vs->model, vs->failures));
	for (int table = 0; table < TABLE_COUNT; table++)
		json_decref(model_sorted(vs->model, (enum schema_table_id)table));
	for (struct flow_owner *owner = vs->owners; owner; owner = owner->next) {
		size_t count;
		struct flow_record *records = flows_records(owner, &count);

		flow_records_free(records, count);
	}
}

static void open_must_end_well(void)
{
	struct rpc_error error = {0};
	struct vswitch vs;

	if (!open_switch(&vs, &error)) {
		error_must_be_good(&error);
	} else {
		look_around(&vs);
		if (!commit_change(&vs, add_more, &error))
			fuzz_must(error.message[0] != '\0', "%d", error.code);
	}
	rpc_error_clear(&error);
	close_switch(&vs);
}

// --- What to begin with ---

static const char rows[] =
	"INSERT INTO rows VALUES('00000000-0000-0000-0000-000000000001', 'Bridge', "
	"'{\"name\":\"br0\","
	"\"ports\":[\"00000000-0000-0000-0000-000000000002\"],\"other_config\":{}}');"
	"INSERT INTO rows VALUES('00000000-0000-0000-0000-000000000002', 'Port', '{\"name\":\"p0\","
	"\"tag\":5,\"interfaces\":[\"00000000-0000-0000-0000-000000000003\"]}');"
	"INSERT INTO rows VALUES('00000000-0000-0000-0000-000000000003', 'Interface', "
	"'{\"name\":\"p0\",\"type\":\"dpdk\",\"ofport\":1,\"options\":{\"devargs\":\"x\"}}');"
	"INSERT INTO flow_sets(id, bridge) VALUES(1, '00000000-0000-0000-0000-000000000001');"
	"INSERT INTO objects VALUES(1, 'group', 5, 1, "
	"'group_id=5,type=all,bucket=actions=output:1');"
	"INSERT INTO objects VALUES(1, 'meter', 1, 1, 'meter=1,kbps,bands=type=drop,rate=1000');"
	"INSERT INTO flows VALUES(1, 1, 1, 'priority=5,ip,nw_dst=10.0.0.1,actions=group:5');"
	"INSERT INTO flows VALUES(1, 2, 1, 'table=1,actions=meter:1,output:1');"
	"UPDATE counters SET value = 3;";

// Without the program between: what it would never write, too.
static void execute(const char *text)
{
	sqlite3 *db;

	fuzz_must(sqlite3_open(path, &db) == SQLITE_OK, "%s", path);
	fuzz_must(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct rpc_error error = {0};
	struct vswitch vs;

	snprintf(directory, sizeof(directory), "%s/turnout-fuzz-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	fuzz_must(mkdtemp(directory) != NULL, "%s", directory);
	snprintf(path, sizeof(path), "%s/t.db", directory);
	snprintf(log_path, sizeof(log_path), "%s-wal", path);
	atexit(remove_all);
	base = event_base_new();
	fuzz_must(open_switch(&vs, &error), "%s", error.message);
	close_switch(&vs);
	execute(rows);
	closed = read_file(path);
	fuzz_must(open_switch(&vs, &error), "%s", error.message);
	fuzz_must(commit_change(&vs, add_more, &error), "%s", error.message);
	open_file[0] = read_file(path);
	open_file[1] = read_file(log_path);
	close_switch(&vs);
	return 0;
}

// --- Inputs ---

// Edits: a byte with the file (high bit) and how many bytes, three with the place, and the bytes.
static void edit(struct content *files, size_t n_files, const uint8_t *data, size_t size)
{
	while (size > EDIT_SIZE) {
		struct content *file = &files[(data[0] >> 7) % n_files];
		size_t count = (data[0] & 31u) + 1;
		size_t at = ((size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3]) % file->size;

		data += EDIT_SIZE;
		size -= EDIT_SIZE;
		if (count > size)
			count = size;
		if (count > file->size - at)
			count = file->size - at;
		memcpy(file->bytes + at, data, count);
		data += count;
		size -= count;
	}
}

static void write_edited(
	const struct content *files, size_t n_files, const uint8_t *data, size_t size)
{
	struct content copies[2];

	for (size_t i = 0; i < n_files; i++) {
		copies[i].size = files[i].size;
		copies[i].bytes = malloc(files[i].size);
		memcpy(copies[i].bytes, files[i].bytes, files[i].size);
	}
	edit(copies, n_files, data, size);
	for (size_t i = 0; i < n_files; i++) {
		write_file(i ? log_path : path, copies[i].bytes, copies[i].size);
		free(copies[i].bytes);
	}
}

// Lines: what it is, a letter that says where, and the text. Texts with a quote in them end there.
static void write_rows(const uint8_t *data, size_t size)
{
	static const char *const forms[] = {
		"UPDATE rows SET columns = '%s' WHERE name = 'Bridge'",
		"UPDATE rows SET columns = '%s' WHERE name = 'Port'",
		"UPDATE rows SET columns = '%s' WHERE name = 'Interface'",
		"UPDATE rows SET columns = '%s' WHERE name = 'Open_vSwitch'",
		"UPDATE rows SET name = '%s' WHERE name = 'Port'",
		"INSERT OR REPLACE INTO rows VALUES('x', 'Bridge', '%s')",
		"UPDATE flows SET flow = '%s' WHERE id = 1",
		"UPDATE objects SET object = '%s' WHERE kind = 'group'",
		"UPDATE objects SET object = '%s' WHERE kind = 'meter'",
		"UPDATE objects SET kind = '%s' WHERE kind = 'meter'",
		"UPDATE flow_sets SET bridge = '%s'",
		"UPDATE counters SET value = '%s'",
		"UPDATE OR REPLACE flows SET id = '%s' WHERE id = 2",
		"UPDATE OR REPLACE objects SET id = '%s' WHERE kind = 'group'",
		"UPDATE flows SET created_ms = '%s'",
		"DELETE FROM counters; DELETE FROM flows WHERE flow = '%s'",
	};
	char *text = fuzz_string(data, size);
	char *rest = text;
	sqlite3 *db;

	fuzz_must(sqlite3_open(path, &db) == SQLITE_OK, "%s", path);
	sqlite3_exec(db, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", NULL, NULL, NULL);
	for (char *line; (line = strsep(&rest, "\n"));) {
		char *statement = NULL;

		if (!*line || strlen(line) > 2000)
			continue;
		statement = malloc(strlen(line) + 200);
		line[strcspn(line, "'")] = '\0';
		if (*line) {
			sprintf(statement, forms[(uint8_t)*line % 16], line + 1);
			sqlite3_exec(db, statement, NULL, NULL, NULL); // constraints may refuse it
		}
		free(statement);
	}
	sqlite3_close(db);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned kind = size ? data[0] % 5 : 0;

	if (!size)
		return 0;
	remove_files();
	data++;
	size--;
	if (kind != 0)
		write_file(path, closed.bytes, closed.size);
	if (kind == 0)
		write_file(path, data, size);
	else if (kind == 1)
		write_file(log_path, data, size);
	else if (kind == 2)
		write_edited(&closed, 1, data, size);
	else if (kind == 3)
		write_edited(open_file, 2, data, size);
	else
		write_rows(data, size);
	open_must_end_well();
	return 0;
}
