// SPDX-License-Identifier: Apache-2.0
#include "datapath/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "datapath/log.h"

#define ARGUMENTS_MAX 128

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

// In the child.
static void become(
	const char *program, char *const arguments[], const char *const more[], int socket)
{
	char *all[ARGUMENTS_MAX + 1], number[16];
	sigset_t none;
	size_t n = 0;

	for (; *arguments && n < ARGUMENTS_MAX - 2; arguments++)
		all[n++] = *arguments;
	for (; *more && n < ARGUMENTS_MAX - 2; more++)
		all[n++] = (char *)*more;
	snprintf(number, sizeof(number), "%d", socket);
	all[n++] = "--supervisor";
	all[n++] = number;
	all[n] = NULL;
	// What ends our session, or a terminal's programs, does not end packets.
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(program, all);
	log_error("cannot execute %s: %s", program, strerror(errno));
	_exit(127);
}

bool worker_start(struct worker *worker, const char *program, char *const arguments[],
	const char *const more[])
{
	int ends[2], code;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	pid = fork();
	// A copy is inherited by the program, and by this one alone.
	if (pid == 0)
		become(program, arguments, more, dup(ends[1]));
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

void worker_end_text(int status, char *text, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(text, size, "was killed by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		snprintf(text, size, "ended with status %d", WEXITSTATUS(status));
}
