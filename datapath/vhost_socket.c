// SPDX-License-Identifier: Apache-2.0
#include "datapath/vhost_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "rpc/rundir.h"

// Is there somebody who accepts connections on the socket file?
static bool somebody_listens(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool listens;

	if (fd < 0)
		return true;
	listens = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		  errno == EAGAIN;
	close(fd);
	return listens;
}

// The switch is to listen on the path: nobody else may, and a file left behind has to go.
static bool server_path_check(
	const char *path, const struct sockaddr_un *address, struct rpc_error *error)
{
	struct stat status;

	if (lstat(path, &status) != 0)
		return true;
	if (!S_ISSOCK(status.st_mode)) {
		rpc_error_set(error, RPC_REFUSED,
			"path=%s: there is a file of this name that is not a socket; choose "
			"another "
			"path or move it away",
			path);
		return false;
	}
	if (somebody_listens(address)) {
		rpc_error_set(error, RPC_REFUSED,
			"path=%s: another process listens on this socket; choose another path, or "
			"use mode=client if it is the guest that shall listen",
			path);
		return false;
	}
	if (unlink(path) == 0)
		return true;
	rpc_error_set(error, RPC_REFUSED, "path=%s: cannot remove the stale socket file: %s", path,
		strerror(errno));
	return false;
}

static bool directory_check(const char *path, struct rpc_error *error)
{
	char directory[UNIX_SOCKET_PATH_MAX + 1];
	char *slash;
	struct stat status;

	memcpy(directory, path, strlen(path) + 1);
	slash = strrchr(directory, '/');
	if (!slash)
		return true;
	*(slash == directory ? slash + 1 : slash) = '\0';
	if (stat(directory, &status) == 0 && S_ISDIR(status.st_mode))
		return true;
	rpc_error_set(error, RPC_REFUSED, "path=%s: there is no directory %s; create it first",
		path, directory);
	return false;
}

bool vhost_socket_check(const char *path, bool server, struct rpc_error *error)
{
	struct sockaddr_un address;

	if (rundir_socket_address(&address, path, error) != 0 || !directory_check(path, error))
		return false;
	return !server || server_path_check(path, &address, error);
}
