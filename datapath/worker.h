// SPDX-License-Identifier: Apache-2.0
#pragma once

// A datapathd as the child of a supervisor (supervise.h), and the socket between the two.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct worker {
	pid_t pid;    // 0: none
	int socket;   // our end; negative: none, or the worker has closed its own
	bool standby; // and has not been seen in charge
	int64_t started_ms;
};

// The program that we are, by its path, so that after an upgrade the new one is started. False
// with errno.
bool worker_program(char *path, size_t size);

// Start one with its arguments, from its name on, and up to eight of `more`; each list ends with
// NULL. Sets pid and socket. False with errno if there is no process to be had; a program that
// cannot be executed ends with status 127 (base/child_process.h).
bool worker_start(struct worker *worker, const char *program, char *const arguments[],
	const char *const more[]);

// None any more.
void worker_clear(struct worker *worker);
