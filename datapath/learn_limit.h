// SPDX-License-Identifier: Apache-2.0
#pragma once

// How much a PMD thread may have learned at one port: a token bucket, a token for each address that
// it posts to the control thread (datapath/learn.h). Pure: time is given.
//
// The bucket holds thousandths of tokens, so that a rate per second needs no division by the
// milliseconds that time comes in.

#include <stdbool.h>
#include <stdint.h>

#define LEARN_RATE_DEFAULT 10000
#define LEARN_BURST_DEFAULT 2000
#define LEARN_RATE_MAX 1000000

struct learn_limit {
	uint32_t rate;  // addresses per second, 1..LEARN_RATE_MAX
	uint32_t burst; // at once, 1..LEARN_RATE_MAX
};

// All zero is a full bucket: time does not begin at 0.
struct learn_budget {
	uint64_t now_ms; // when tokens were last added
	uint64_t credit; // thousandths of tokens
};

// Draw a token. False: there is none. `now_ms` never goes back.
static inline bool learn_budget_take(
	struct learn_budget *budget, uint32_t rate, uint32_t burst, uint64_t now_ms)
{
	uint64_t full = burst * 1000ULL;

	// After a day any bucket is full, and the product stays within 64 bits.
	if (now_ms != budget->now_ms) {
		uint64_t elapsed = now_ms - budget->now_ms;

		budget->credit += (elapsed < 86400000 ? elapsed : 86400000) * rate;
		if (budget->now_ms == 0 || budget->credit > full)
			budget->credit = full;
		budget->now_ms = now_ms;
	}
	if (budget->credit < 1000)
		return false;
	budget->credit -= 1000;
	return true;
}
