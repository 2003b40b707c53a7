// SPDX-License-Identifier: Apache-2.0
#include "base/child_process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 128
#define STATUS_NOT_EXECUTED 127 // as shells say it

_Noreturn void child_become(const char *program, char *const arguments[], const char *const more[])
{
	char *all[ARGUMENTS_MAX + 1];
	sigset_t none;
	size_t n = 0;

	for (; *arguments && n < ARGUMENTS_MAX; arguments++)
		all[n++] = *arguments;
	for (; *more && n < ARGUMENTS_MAX; more++)
		all[n++] = (char *)*more;
	all[n] = NULL;
	if (*arguments || *more) {
		dprintf(STDERR_FILENO, "cannot execute %s: more than %d arguments\n", program,
			ARGUMENTS_MAX);
		_exit(STATUS_NOT_EXECUTED);
	}
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	execvp(program, all);
	dprintf(STDERR_FILENO, "cannot execute %s: %s\n", program, strerror(errno));
	_exit(STATUS_NOT_EXECUTED);
}

void child_end_text(int status, char *text, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(text, size, "was killed by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		snprintf(text, size, "ended with status %d", WEXITSTATUS(status));
}
