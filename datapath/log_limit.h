// SPDX-License-Identifier: Apache-2.0
#pragma once

// How many lines may be logged of what others bring about: a guest can make the vhost library
// complain thousands of times a second, and logs are on disks. A token bucket; values only, the
// caller brings the time.

#include <stdbool.h>
#include <stdint.h>

#define LOG_LIMIT_BURST 200 // lines at once
#define LOG_LIMIT_PER_SECOND 5

struct log_limit {
	int64_t filled_ms; // until when tokens have been counted
	uint32_t taken;    // of LOG_LIMIT_BURST; all zero: none
	uint64_t left_out; // lines since the last one that was taken
};

// May a line be written? Then *left_out is how many were not, before it.
static inline bool log_limit_take(struct log_limit *limit, int64_t now_ms, uint64_t *left_out)
{
	int64_t more = (now_ms - limit->filled_ms) * LOG_LIMIT_PER_SECOND / 1000;

	if (more > 0) {
		limit->taken -= more < limit->taken ? (uint32_t)more : limit->taken;
		limit->filled_ms = now_ms;
	}
	if (limit->taken >= LOG_LIMIT_BURST) {
		limit->left_out++;
		return false;
	}
	limit->taken++;
	*left_out = limit->left_out;
	limit->left_out = 0;
	return true;
}
