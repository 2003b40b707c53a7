// SPDX-License-Identifier: Apache-2.0
#pragma once

// Programs started to outlive who started them, and how they ended.

#include <stddef.h>

// In the child of fork(): become `program`, looked for in PATH if it has no slash, with its
// `arguments`, from its name on, and `more`; both lists end with a NULL. In a session of its own,
// so that what ends ours, or a terminal's programs, does not end it; no signal is blocked, and none
// ignored that daemons ignore. Open descriptors are the caller's affair. If it cannot be executed,
// standard error says why, and the status is 127.
_Noreturn void child_become(const char *program, char *const arguments[], const char *const more[]);

// "ended with status 1", from what waitpid() says.
void child_end_text(int status, char *text, size_t size);
