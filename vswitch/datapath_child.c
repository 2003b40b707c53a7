// SPDX-License-Identifier: Apache-2.0
#include "vswitch/datapath_child.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child_process.h"

// The last line of the log that says something, for messages: the log itself is in the run
// directory, and this is the line that one would look for.
static void log_tail(const char *log, char *line, size_t size)
{
	FILE *file = fopen(log, "re");
	char buffer[512];

	snprintf(line, size, "its log is empty");
	if (!file)
		return;
	if (fseek(file, -4096, SEEK_END) < 0)
		rewind(file);
	while (fgets(buffer, sizeof(buffer), file)) {
		buffer[strcspn(buffer, "\n")] = '\0';
		if (*buffer)
			snprintf(line, size, "%s", buffer);
	}
	fclose(file);
}

// In the child, between fork and exec.
static void become(char *const command[], const char *const more[], const char *log_path)
{
	int null = open("/dev/null", O_RDWR);
	int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0644);

	dup2(null, STDIN_FILENO);
	dup2(log >= 0 ? log : null, STDOUT_FILENO);
	dup2(log >= 0 ? log : null, STDERR_FILENO);
	close_range(3, ~0u, 0);
	child_become(command[0], command, more);
}

pid_t datapath_child_start(char *const command[], const char *const more[], const char *log)
{
	pid_t pid = fork();

	if (pid == 0)
		become(command, more, log);
	return pid < 0 ? 0 : pid;
}

bool datapath_child_ended(pid_t pid, const char *log, char *problem, size_t size)
{
	char line[512];
	char how[64];
	int status;

	if (waitpid(pid, &status, WNOHANG) != pid)
		return false;
	child_end_text(status, how, sizeof(how));
	log_tail(log, line, sizeof(line));
	snprintf(problem, size, "datapathd %s; the last of %s: %s", how, log, line);
	return true;
}
