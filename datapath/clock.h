// SPDX-License-Identifier: Apache-2.0
#pragma once

// The switch's steady clock, in milliseconds: made from the time-stamp counter, so that PMD threads
// read it without a call, and the same for all threads. It starts at a second, because 0 means
// "never" where times are kept. Any thread, after clock_start().

#include <stdint.h>

#include <rte_cycles.h>

#define CLOCK_START_MS 1000

struct clock_base {
	uint64_t start;  // TSC
	uint64_t per_ms; // cycles
};

extern struct clock_base clock_base; // set once, before any other thread is started

void clock_start(void);

static inline uint64_t clock_ms_of(uint64_t tsc)
{
	return CLOCK_START_MS + (tsc - clock_base.start) / clock_base.per_ms;
}

static inline uint64_t clock_ms(void)
{
	return clock_ms_of(rte_rdtsc());
}
