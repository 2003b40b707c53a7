// SPDX-License-Identifier: Apache-2.0
//
// The store's place on disk: what must not be taken for its file, how a new one comes to be there
// whole, whether it still is, and backups.
//
// A log (the file's name with "-wal") holds what has not been moved into the file. SQLite reads one
// that is there without asking whose it is, so one that is left of another file would make a mess
// of a backup that is put in that file's place. A backup shows by its header that it never had a
// log.

#include "vswitch/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vswitch/store_log.h"

#define SUFFIX_SIZE 16
#define HEADER_WRITE_VERSION 18 // of the file format, "Database File Format" in SQLite's documents
#define WITHOUT_LOG 1

// path with a suffix; malloc()ed, NULL with *error.
static char *path_with(const char *path, const char *suffix, struct rpc_error *error)
{
	char *result = malloc(strlen(path) + SUFFIX_SIZE);

	if (result)
		sprintf(result, "%s%.*s", path, SUFFIX_SIZE - 1, suffix);
	else
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
	return result;
}

static bool has_content(const char *path)
{
	struct stat about;

	return stat(path, &about) == 0 && about.st_size > 0;
}

// Make what was renamed or linked in the file's directory last.
static int sync_directory(const char *path)
{
	char *directory = strdup(path);
	char *slash = directory ? strrchr(directory, '/') : NULL;
	int file, rc;

	if (!directory)
		return -ENOMEM;
	if (slash)
		slash[slash == directory] = '\0';
	file = open(slash ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = file < 0 || fsync(file) < 0 ? -errno : 0;
	if (file >= 0)
		close(file);
	free(directory);
	// Some file systems cannot do it, and then have no need of it.
	return rc == -EINVAL ? 0 : rc;
}

static int place_error(const char *path, const char *what, int rc, struct rpc_error *error)
{
	rpc_error_set(error, RPC_INTERNAL_ERROR, "%s cannot be %s: %s%s", path, what, strerror(-rc),
		rc == -ENOSPC   ? "; make room on the disk and try again"
		: rc == -EEXIST ? "; it is not replaced: give another name, or remove it"
				: "");
	return rc;
}

// --- Before it is opened ---

// Has the file never had a log?
static bool is_without_log(const char *path)
{
	unsigned char header[HEADER_WRITE_VERSION + 1] = {0};
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = file < 0 ? -1 : pread(file, header, sizeof(header), 0);

	if (file >= 0)
		close(file);
	return got == (ssize_t)sizeof(header) && header[HEADER_WRITE_VERSION] == WITHOUT_LOG;
}

// All bytes of a file, read() so that a disk that cannot is an error; malloc()ed, NULL with errno.
static uint8_t *read_all(const char *path, size_t *size)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *bytes = NULL;
	struct stat about;
	ssize_t got = 1;

	*size = 0;
	if (file >= 0 && fstat(file, &about) == 0)
		bytes = malloc((size_t)about.st_size);
	while (bytes && *size < (size_t)about.st_size && got > 0) {
		got = read(file, bytes + *size, (size_t)about.st_size - *size);
		if (got > 0)
			*size += (size_t)got;
	}
	if (got < 0) {
		free(bytes);
		bytes = NULL;
	}
	if (file >= 0)
		close(file);
	return bytes;
}

// Is there nothing in the log that SQLite would not find?
static int check_log_content(const char *path, const char *log, struct rpc_error *error)
{
	size_t size;
	uint8_t *bytes = read_all(log, &size);
	bool whole = bytes && store_log_is_whole(bytes, size);

	if (!bytes)
		return place_error(log, "read", -errno, error);
	free(bytes);
	if (whole)
		return 0;
	rpc_error_set(error, RPC_INTERNAL_ERROR,
		"%s is damaged (its log %s is, and not by an end in the middle of writing); put a "
		"backup in its place and move the log away, or move both away to begin with an "
		"empty switch",
		path, log);
	return -EIO;
}

static int check_log(const char *path, bool there, struct rpc_error *error)
{
	char *log = path_with(path, "-wal", error);
	int rc = log ? 0 : -ENOMEM;

	if (log && !there && has_content(log)) {
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s is not there, but its log %s is; put the file back, or move the log "
			"away too to begin with an empty switch",
			path, log);
		rc = -ENOENT;
	} else if (log && has_content(log) && is_without_log(path)) {
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s is a backup, and the log %s is of the file that was there before; "
			"move the log away",
			path, log);
		rc = -EINVAL;
	} else if (log && has_content(log)) {
		rc = check_log_content(path, log, error);
	}
	free(log);
	return rc;
}

// A file in its place with the schema, as a whole or not at all.
static int make_file(const char *path, struct rpc_error *error)
{
	struct store store = {.path = path_with(path, ".new", error)};
	int rc = store.path ? 0 : -ENOMEM;

	if (!rc) {
		unlink(store.path); // of one that was killed here
		rc = sqlite3_open_v2(
			store.path, &store.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
		rc = rc == SQLITE_OK ? store_make_schema(&store, error)
				     : store_error(&store, rc, "made", error);
	}
	sqlite3_close(store.db);
	// Not rename(): somebody else's file that came there meanwhile stays.
	if (!rc && link(store.path, path) < 0 && errno != EEXIST)
		rc = place_error(path, "made", -errno, error);
	if (!rc) {
		rc = sync_directory(path);
		if (rc)
			place_error(path, "made", rc, error);
	}
	if (store.path)
		unlink(store.path);
	free(store.path);
	return rc;
}

// SQLite would open it for reading, and fail later with less to say.
static int check_writable(const char *path, struct rpc_error *error)
{
	if (access(path, W_OK) == 0)
		return 0;
	rpc_error_set(error, RPC_INTERNAL_ERROR,
		"%s cannot be written (%s); check that the file and its directory are writable for "
		"this user",
		path, strerror(errno));
	return -EACCES;
}

int store_prepare_place(const char *path, struct rpc_error *error)
{
	struct stat about;
	bool there = stat(path, &about) == 0;
	int rc;

	if (!there && errno != ENOENT)
		return 0; // SQLite says what is wrong
	rc = check_log(path, there, error);
	if (rc)
		return rc;
	if (!there)
		return make_file(path, error);
	if (S_ISREG(about.st_mode) && about.st_size == 0) {
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s is damaged (it is empty); put a backup in its place, or move it away "
			"to begin with an empty switch",
			path);
		return -EIO;
	}
	return check_writable(path, error);
}

// --- While it is open ---

// The log is remembered when it is seen first: SQLite makes it when it writes, and it stays for as
// long as the file is open.
static bool log_is_in_place(struct store *store)
{
	char *log = path_with(store->path, "-wal", &(struct rpc_error){0});
	struct stat about;
	bool there = log && stat(log, &about) == 0;
	bool good = !store->log_inode || (there && about.st_ino == store->log_inode);

	if (there && !store->log_inode)
		store->log_inode = about.st_ino;
	free(log);
	return good;
}

int store_check_place(struct store *store, struct rpc_error *error)
{
	int has_moved = 0;

	sqlite3_file_control(store->db, NULL, SQLITE_FCNTL_HAS_MOVED, &has_moved);
	if (!has_moved && log_is_in_place(store))
		return 0;
	rpc_error_set(error, RPC_INTERNAL_ERROR,
		"%s%s was moved away or replaced while it was in use, and what is written would be "
		"lost; put it back, or restart vswitchd to begin with what is there now",
		store->path, has_moved ? "" : "-wal");
	return -ENOENT;
}

// --- Backups ---

// Write all of the database into a file that is not there yet.
static int copy_into(struct store *store, const char *path, struct rpc_error *error)
{
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_prepare_v2(store->db, "VACUUM INTO ?1", -1, &statement, NULL);

	if (rc == SQLITE_OK) {
		sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
		rc = sqlite3_step(statement);
	}
	sqlite3_finalize(statement);
	if (rc == SQLITE_DONE)
		return 0;
	// It is the file read that can be damaged, and the one written that the rest is about.
	if ((rc & 0xff) == SQLITE_CORRUPT)
		return store_error(store, rc, "read", error);
	if ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY) {
		rpc_error_set(error, RPC_INTERNAL_ERROR,
			"%s cannot be written (%s): vswitchd itself writes it, as its user and "
			"with what "
			"its unit allows; name a file in the directory of %s, and copy it from "
			"there",
			path, sqlite3_errmsg(store->db), store->path);
		return -EACCES;
	}
	return store_error(
		&(struct store){.db = store->db, .path = (char *)path}, rc, "written", error);
}

static int sync_file(const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	int rc = file < 0 || fsync(file) < 0 ? -errno : 0;

	if (file >= 0)
		close(file);
	return rc;
}

int store_backup(struct store *store, const char *path, struct rpc_error *error)
{
	char *part = path_with(path, ".part", error);
	int rc;

	if (!part)
		return -ENOMEM;
	unlink(part); // of one that was killed here
	rc = copy_into(store, part, error);
	if (!rc) {
		rc = sync_file(part);
		if (!rc && link(part, path) < 0)
			rc = -errno;
		if (!rc)
			rc = sync_directory(path);
		if (rc)
			place_error(path, "written", rc, error);
	}
	unlink(part);
	free(part);
	return rc;
}
