// SPDX-License-Identifier: Apache-2.0
#pragma once

// A datapathd as a child process: in a session of its own, so that it outlives this process, and
// with its output at the end of a log file.

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// Start `command` with `more` arguments, both ended by a NULL. 0 with errno if there is no process
// to be had; what goes wrong later is in the log.
pid_t datapath_child_start(char *const command[], const char *const more[], const char *log);

// Has the child ended? Then *problem says how, with the last line of its log.
bool datapath_child_ended(pid_t pid, const char *log, char *problem, size_t size);
