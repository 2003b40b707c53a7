// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which structures the rules of a flow table get: what those who lay it out and those who tell beforehand
// what it will cost (pipeline/lookup_budget.h) have to agree on.

#include <stddef.h>

#include "pipeline/lookup_bits.h"

#define FLOW_TABLE_FEW_MASKS 4
#define HASHES_MAX 8 // of a table

// Rules of one mask that are worth a hash of their own, in a table of so many masks. A hash is one more
// structure to ask, which a few rules in a block with others are not; a block's rows get wider.
static inline size_t hash_worth(size_t masks)
{
	return masks <= 1 ? 1 : masks <= FLOW_TABLE_FEW_MASKS ? 64 : 512;
}

// So many blocks are faster without a filter.
#ifndef FILTER_MIN_BLOCKS
#define FILTER_MIN_BLOCKS 2
#endif
#define FILTER_COLUMNS 8

// Most blocks for so many rules: any two that follow each other have more rules than one can hold.
#define BLOCKS_MAX(count) (2 * (count) / LOOKUP_BITS_RULES + 1)

// Changes in place, less those that were taken back, until a table with so many rules in blocks is laid
// out anew.
static inline size_t changes_before_reshape(size_t in_blocks)
{
	return 16 + in_blocks / 8;
}
