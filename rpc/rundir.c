// SPDX-License-Identifier: Apache-2.0
#include "rpc/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

const char *rundir_resolve(const char *argument)
{
	const char *variable;

	if (argument != NULL && argument[0] != '\0')
		return argument;
	variable = getenv(RUNDIR_VARIABLE);
	return variable != NULL && variable[0] != '\0' ? variable : RUNDIR_DEFAULT;
}

int rundir_path(char *buffer, size_t size, const char *rundir, const char *name)
{
	size_t length = strlen(rundir);
	int needed;

	while (length > 1 && rundir[length - 1] == '/')
		length--;
	needed = snprintf(buffer, size, "%.*s/%s", (int)length, rundir, name);
	if (needed < 0 || (size_t)needed >= size) {
		if (size > 0)
			buffer[0] = '\0';
		return -ENAMETOOLONG;
	}
	return 0;
}

int rundir_socket_address(struct sockaddr_un *address, const char *path, struct rpc_error *error)
{
	size_t length = strlen(path);

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (length > UNIX_SOCKET_PATH_MAX) {
		rpc_error_set(error, RPC_REFUSED,
			"%s: %zu bytes are too long for the path of a unix socket, the "
			"limit is %d: choose a shorter --rundir",
			path, length, UNIX_SOCKET_PATH_MAX);
		return -ENAMETOOLONG;
	}
	memcpy(address->sun_path, path, length + 1);
	return 0;
}

int rundir_create(const char *rundir, struct rpc_error *error)
{
	char path[RUNDIR_PATH_SIZE];
	size_t length = strlen(rundir);
	struct stat status;

	if (length >= sizeof(path)) {
		rpc_error_set(error, RPC_REFUSED,
			"the name of the run directory has %zu bytes; choose a shorter "
			"--rundir (sockets in it allow %d bytes in all)",
			length, UNIX_SOCKET_PATH_MAX);
		return -ENAMETOOLONG;
	}
	memcpy(path, rundir, length + 1);
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		// Failures show below, with the name of the whole.
		(void)mkdir(path, 0755);
		*slash = '/';
	}
	if (mkdir(path, 0755) < 0 && errno != EEXIST) {
		int code = errno;

		rpc_error_set(error, RPC_REFUSED,
			"cannot make the run directory %s: %s; choose another with "
			"--rundir",
			rundir, strerror(code));
		return -code;
	}
	if (stat(path, &status) < 0 || !S_ISDIR(status.st_mode)) {
		rpc_error_set(error, RPC_REFUSED,
			"%s is not a directory; choose another run directory with "
			"--rundir",
			rundir);
		return -ENOTDIR;
	}
	return 0;
}

static pid_t pid_read(int fd)
{
	char text[32];
	ssize_t count = pread(fd, text, sizeof(text) - 1, 0);

	if (count <= 0)
		return 0;
	text[count] = '\0';
	return (pid_t)strtol(text, NULL, 10);
}

// The lock belongs to the open file description (fcntl(2), F_OFD_SETLK): unlike a process's lock it
// survives the closing of another descriptor of the same file.
static struct flock whole_file_lock(void)
{
	return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

// Open and lock. -EAGAIN with *holder: somebody else has it.
static int pid_file_open(const char *path, pid_t *holder)
{
	for (;;) {
		struct flock lock = whole_file_lock();
		struct stat here;
		struct stat there;
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

		if (fd < 0)
			return -errno;
		if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
			int code = errno == EACCES ? EAGAIN : errno;

			*holder = pid_read(fd);
			close(fd);
			return -code;
		}
		// The holder before us removes the file while it still has the lock; what we
		// locked may be that removed file.
		if (fstat(fd, &here) == 0 && stat(path, &there) == 0 &&
			here.st_ino == there.st_ino && here.st_dev == there.st_dev)
			return fd;
		close(fd);
	}
}

int rundir_pid_lock(const char *rundir, const char *name, struct rpc_error *error)
{
	char path[RUNDIR_PATH_SIZE];
	char text[32];
	pid_t holder = 0;
	int count;
	int fd;

	if (rundir_path(path, sizeof(path), rundir, name) < 0) {
		rpc_error_set(error, RPC_REFUSED, "%s/%s: name too long; choose a shorter --rundir",
			rundir, name);
		return -ENAMETOOLONG;
	}
	fd = pid_file_open(path, &holder);
	if (fd == -EAGAIN) {
		rpc_error_set(error, RPC_REFUSED,
			"%s is held by the running process %d: stop that one first, or "
			"choose another --rundir",
			path, (int)holder);
		return -EBUSY;
	}
	if (fd < 0) {
		rpc_error_set(error, RPC_REFUSED,
			"cannot open %s: %s; choose another --rundir or mend its "
			"permissions",
			path, strerror(-fd));
		return fd;
	}
	count = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, count, 0) != count) {
		int code = errno;

		rpc_error_set(error, RPC_REFUSED, "cannot write %s: %s", path, strerror(code));
		close(fd);
		return -code;
	}
	return fd;
}

void rundir_pid_unlock(int fd, const char *rundir, const char *name)
{
	char path[RUNDIR_PATH_SIZE];

	if (fd < 0)
		return;
	if (rundir_path(path, sizeof(path), rundir, name) == 0)
		(void)unlink(path);
	close(fd);
}

pid_t rundir_pid_holder(const char *rundir, const char *name)
{
	char path[RUNDIR_PATH_SIZE];
	struct flock lock = whole_file_lock();
	pid_t holder = 0;
	int fd;

	if (rundir_path(path, sizeof(path), rundir, name) < 0)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	// Asks without taking, so that a daemon that starts at this moment is not turned away.
	if (fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		holder = pid_read(fd);
	close(fd);
	return holder;
}
