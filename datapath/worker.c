// SPDX-License-Identifier: Apache-2.0
#include "datapath/worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/child_process.h"

#define MORE_MAX 8

bool worker_program(char *path, size_t size)
{
	static const char deleted[] = " (deleted)";
	size_t tail = sizeof(deleted) - 1;
	ssize_t length = readlink("/proc/self/exe", path, size - 1);

	if (length <= 0)
		return false;
	path[length] = '\0';
	// Replaced between our start and now.
	if ((size_t)length > tail && strcmp(path + length - tail, deleted) == 0)
		path[length - tail] = '\0';
	return true;
}

// In the child. The copy of the socket is inherited by the program, and by this one alone.
static void become(
	const char *program, char *const arguments[], const char *const more[], int socket)
{
	const char *all[MORE_MAX + 3];
	char number[16];
	size_t n = 0;

	while (n < MORE_MAX && more[n]) {
		all[n] = more[n];
		n++;
	}
	snprintf(number, sizeof(number), "%d", dup(socket));
	all[n++] = "--supervisor";
	all[n++] = number;
	all[n] = NULL;
	child_become(program, arguments, all);
}

bool worker_start(struct worker *worker, const char *program, char *const arguments[],
	const char *const more[])
{
	int ends[2], code;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	pid = fork();
	if (pid == 0)
		become(program, arguments, more, ends[1]);
	code = errno;
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		errno = code;
		return false;
	}
	worker->pid = pid;
	worker->socket = ends[0];
	return true;
}

void worker_clear(struct worker *worker)
{
	if (worker->pid && worker->socket >= 0)
		close(worker->socket);
	*worker = (struct worker){.socket = -1};
}
