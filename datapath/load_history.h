// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a receive queue or a thread has done in the last minutes: where its counters stood every few
// seconds. Pure.

#include <stdint.h>

#define LOAD_SAMPLE_S 5
#define LOAD_SAMPLES (300 / LOAD_SAMPLE_S + 1)

// Counters that only grow, at a time.
struct load_sample {
	uint64_t tsc;
	uint64_t cycles; // busy ones
	uint64_t packets;
};

struct load_history {
	unsigned count, next;
	struct load_sample samples[LOAD_SAMPLES];
};

// Of counters that are 0 at that time.
void load_history_begin(struct load_history *history, uint64_t tsc);

void load_history_add(struct load_history *history, struct load_sample sample);

// From the sample nearest to `cycles` (of time) before `now` until `now`. All zero without a
// sample. `history` may be NULL.
struct load_sample load_history_since(
	const struct load_history *history, struct load_sample now, uint64_t cycles);

// The part of the time that was busy, in percent.
double load_percent(struct load_sample span);

// Packets per second that fit in besides those that came, if they cost as much. 0 if none came.
double load_headroom(struct load_sample span, uint64_t hz);
