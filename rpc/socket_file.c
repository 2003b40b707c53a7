// SPDX-License-Identifier: Apache-2.0
#include "rpc/socket_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ID_MAX 0xfffffffeul

// A number that is an identifier of a user or group, or -1.
static long id_parse(const char *text)
{
	char *end;
	unsigned long id;

	errno = 0;
	id = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || id > ID_MAX)
		return -1;
	return (long)id;
}

bool socket_owner_parse(const char *text, uid_t *owner, struct rpc_error *error)
{
	long id = id_parse(text);
	const struct passwd *user = *text != '\0' && id < 0 ? getpwnam(text) : NULL;

	*owner = user != NULL ? user->pw_uid : id >= 0 ? (uid_t)id : SOCKET_KEEP_OWNER;
	if (*text == '\0' || id >= 0 || user != NULL)
		return true;
	rpc_error_set(error, RPC_INVALID_PARAMS,
		"there is no user \"%.64s\": make it (useradd --system %.64s), or give the name or "
		"number of another",
		text, text);
	return false;
}

bool socket_group_parse(const char *text, gid_t *group, struct rpc_error *error)
{
	long id = id_parse(text);
	const struct group *found = *text != '\0' && id < 0 ? getgrnam(text) : NULL;

	*group = found != NULL ? found->gr_gid : id >= 0 ? (gid_t)id : SOCKET_KEEP_GROUP;
	if (*text == '\0' || id >= 0 || found != NULL)
		return true;
	rpc_error_set(error, RPC_INVALID_PARAMS,
		"there is no group \"%.64s\": make it (groupadd --system %.64s), or give the name "
		"or "
		"number of another",
		text, text);
	return false;
}

bool socket_mode_parse(const char *text, mode_t *mode, struct rpc_error *error)
{
	size_t length = strlen(text);
	unsigned long value = strtoul(text, NULL, 8);

	*mode = (mode_t)value;
	if (length >= 3 && length <= 4 && strspn(text, "01234567") == length && value <= 0777 &&
		(value & 0600) == 0600)
		return true;
	rpc_error_set(error, RPC_INVALID_PARAMS,
		"\"%.32s\" is no mode of a socket: give octal digits such as 0600 (its owner), "
		"0660 "
		"(its group, too) or 0666 (everybody)",
		text);
	return false;
}

// Does nobody listen on the socket file any more?
static bool socket_is_stale(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool stale;

	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
		errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int socket_bind(int fd, const struct sockaddr_un *address, struct rpc_error *error)
{
	const char *path = address->sun_path;
	struct stat status;
	int code;

	// The socket file gets its mode from this, less the umask, in the moment that it appears.
	(void)fchmod(fd, 0);
	for (int attempt = 0; attempt < 2; attempt++) {
		if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
			return 0;
		code = errno;
		if (code != EADDRINUSE)
			break;
		if (lstat(path, &status) == 0 && !S_ISSOCK(status.st_mode)) {
			rpc_error_set(error, RPC_REFUSED,
				"%s exists and is not a socket: remove it, or choose "
				"another --rundir",
				path);
			return -EEXIST;
		}
		if (!socket_is_stale(address)) {
			rpc_error_set(error, RPC_REFUSED,
				"%s is in use by a running daemon: stop that one first, "
				"or choose another --rundir",
				path);
			return -EADDRINUSE;
		}
		(void)unlink(path);
	}
	rpc_error_set(error, RPC_REFUSED, "cannot listen on %s: %s", path, strerror(code));
	return -code;
}

// Give the file of `path`, whatever it was replaced by, its owner and mode. 0 or -errno.
static int file_give(const char *path, const struct socket_access *access, struct stat *status)
{
	int file = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char link[64];
	int code = 0;

	if (file < 0)
		return -errno;
	// A descriptor of this kind takes no fchmod(), and chmod() would follow the path again.
	snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
	if (fchownat(file, "", access->owner, access->group, AT_EMPTY_PATH) < 0 ||
		chmod(link, access->mode) < 0 || fstat(file, status) < 0)
		code = -errno;
	close(file);
	return code;
}

static int socket_give(const char *path, const struct socket_access *access, struct stat *status,
	struct rpc_error *error)
{
	int code = file_give(path, access, status);

	if (code == -EPERM)
		rpc_error_set(error, RPC_REFUSED,
			"%s cannot be given to user %d and group %d: run this as root, or name a "
			"group that it belongs to (-1: as it is)",
			path, (int)access->owner, (int)access->group);
	else if (code < 0)
		rpc_error_set(error, RPC_REFUSED, "cannot set owner and mode of %s: %s", path,
			strerror(-code));
	if (code < 0)
		(void)unlink(path);
	return code;
}

int socket_file_listen(const struct sockaddr_un *address, const struct socket_access *access,
	struct stat *status, struct rpc_error *error)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int code;

	if (fd < 0) {
		code = -errno;
		rpc_error_set(error, RPC_REFUSED, "cannot make a unix socket: %s", strerror(-code));
		return code;
	}
	code = socket_bind(fd, address, error);
	if (code == 0)
		code = socket_give(address->sun_path, access, status, error);
	if (code == 0 && listen(fd, SOMAXCONN) < 0) {
		code = -errno;
		rpc_error_set(error, RPC_REFUSED, "cannot listen on %s: %s", address->sun_path,
			strerror(-code));
	}
	if (code == 0)
		return fd;
	close(fd);
	return code;
}

void socket_file_remove(const struct sockaddr_un *address, const struct stat *status)
{
	struct stat now;

	if (status->st_ino != 0 && stat(address->sun_path, &now) == 0 &&
		now.st_ino == status->st_ino && now.st_dev == status->st_dev)
		(void)unlink(address->sun_path);
}
