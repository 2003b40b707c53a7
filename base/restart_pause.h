// SPDX-License-Identifier: Apache-2.0
#pragma once

// How long a process that ends again and again is held back: the first start, and the first after a
// good run, are at once; from then on there are 0.1, 0.2, 0.4 s and so on up to 10 s between one
// start and the next. Values only; the caller brings the time, in milliseconds.

#include <stddef.h>
#include <stdint.h>

#define RESTART_STABLE_MS 10000 // a run of this length was a good one

// All zero: not started yet.
struct restart_pause {
	unsigned starts; // since the last good run
	int64_t last_start_ms;
};

// The time before which it shall not be started.
int64_t restart_pause_end(const struct restart_pause *pause);

void restart_pause_started(struct restart_pause *pause, int64_t now_ms);

// "was started 3 times and ...": why it is not started yet, for a log.
void restart_pause_text(const struct restart_pause *pause, int64_t now_ms, char *text, size_t size);

// It has ended after it worked for so long.
void restart_pause_ran(struct restart_pause *pause, int64_t ran_ms);
