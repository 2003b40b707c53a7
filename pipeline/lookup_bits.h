// SPDX-License-Identifier: Apache-2.0
#pragma once

// What flow tables need of bit-vector blocks beyond the common interface of lookup structures:
// making a full one at once. Control thread.

#include "pipeline/lookup.h"

#define LOOKUP_BITS_RULES 512
// So many it takes in whatever order they come; the others only if they come in order, the best one
// first, or fit between their neighbours.
#define LOOKUP_BITS_CROWDED 384

// A block with `count` (at most LOOKUP_BITS_RULES) rules, best first, which its lookups make use
// of. NULL: out of memory.
struct lookup *lookup_bits_build(
	struct rule *const rules[], unsigned count, struct retirement retirement);

// For tests: blocks that are made from now on are searched without AVX-512, or with it if there is.
void lookup_bits_refuse_avx512(bool refuse);
