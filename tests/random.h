// SPDX-License-Identifier: Apache-2.0
#pragma once

// Numbers for tests and benchmarks that look random, and are the same each time for the same start.

#include <stdint.h>

// splitmix64 of Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014). Any
// *state will do to start with.
static inline uint64_t random_next(uint64_t *state)
{
	uint64_t bits = *state += UINT64_C(0x9e3779b97f4a7c15);

	bits = (bits ^ bits >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	bits = (bits ^ bits >> 27) * UINT64_C(0x94d049bb133111eb);
	return bits ^ bits >> 31;
}
