// SPDX-License-Identifier: Apache-2.0
#include "rpc/socket_file.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

	// The socket file gets its mode from this, less the umask, in the moment that it appears;
	// chmod() then gives back what the umask took.
	(void)fchmod(fd, 0660);
	for (int attempt = 0; attempt < 2; attempt++) {
		if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0) {
			(void)chmod(path, 0660);
			return 0;
		}
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

int socket_file_listen(
	const struct sockaddr_un *address, struct stat *status, struct rpc_error *error)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int code;

	if (fd < 0) {
		code = -errno;
		rpc_error_set(error, RPC_REFUSED, "cannot make a unix socket: %s", strerror(-code));
		return code;
	}
	code = socket_bind(fd, address, error);
	if (code < 0) {
		close(fd);
		return code;
	}
	if (listen(fd, SOMAXCONN) < 0 || stat(address->sun_path, status) < 0) {
		code = -errno;
		rpc_error_set(error, RPC_REFUSED, "cannot listen on %s: %s", address->sun_path,
			strerror(-code));
		close(fd);
		return code;
	}
	return fd;
}

void socket_file_remove(const struct sockaddr_un *address, const struct stat *status)
{
	struct stat now;

	if (status->st_ino != 0 && stat(address->sun_path, &now) == 0 &&
		now.st_ino == status->st_ino && now.st_dev == status->st_dev)
		(void)unlink(address->sun_path);
}
