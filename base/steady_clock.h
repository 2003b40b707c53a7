// SPDX-License-Identifier: Apache-2.0
#pragma once

// The time since some moment before, which no one sets, and which all processes of a machine share
// (CLOCK_MONOTONIC).

#include <stdint.h>
#include <time.h>

static inline int64_t steady_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t steady_ms(void)
{
	return steady_us() / 1000;
}
