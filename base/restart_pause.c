// SPDX-License-Identifier: Apache-2.0
#include "base/restart_pause.h"

#include <stdio.h>

#define FIRST_MS 100
#define LAST_MS 10000
#define DOUBLINGS_MAX 7 // more than it takes from the first to the last

int64_t restart_pause_end(const struct restart_pause *pause)
{
	unsigned doublings;
	int64_t length;

	// Once may be an accident.
	if (pause->starts < 2)
		return pause->last_start_ms;
	doublings = pause->starts - 2 < DOUBLINGS_MAX ? pause->starts - 2 : DOUBLINGS_MAX;
	length = (int64_t)FIRST_MS << doublings;
	return pause->last_start_ms + (length < LAST_MS ? length : LAST_MS);
}

void restart_pause_text(const struct restart_pause *pause, int64_t now_ms, char *text, size_t size)
{
	snprintf(text, size,
		"was started %u times and has not run for %d s since; the next start is in %.1f s",
		pause->starts, RESTART_STABLE_MS / 1000,
		(double)(restart_pause_end(pause) - now_ms) / 1000);
}

void restart_pause_started(struct restart_pause *pause, int64_t now_ms)
{
	pause->starts++;
	pause->last_start_ms = now_ms;
}

void restart_pause_ran(struct restart_pause *pause, int64_t ran_ms)
{
	if (ran_ms >= RESTART_STABLE_MS)
		pause->starts = 0;
}
