// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a lookup costs at most.
//
// The unit is the step: one read of a lookup structure at a place that the packet's key decides. That is
// a bucket of a hash, an entry or a rule that is compared, a row of a block or of a filter, or a node of
// a classifier's trie. Steps are counted from the structures as they are, for the worst packet that
// there can be, and tests hold the number against the reads that lookups make (LOOKUP_COUNT). Only
// rules of a transaction that is not yet in force, or that died moments ago, may add to it.
//
// Cycles are an estimate made of them: what a step took with tests/bench's lookup_bench and
// classifier_bench, on the machine that docs/architecture.md names, in structures that fit into the
// second level cache or do not.

#include <stddef.h>
#include <stdint.h>

enum lookup_step { STEP_BUCKET, STEP_ENTRY, STEP_ROW, STEP_FILTER, STEP_TRIE, STEP_KINDS };

struct lookup_cost {
	unsigned steps[STEP_KINDS];
};

unsigned lookup_cost_steps(const struct lookup_cost *cost);
// `memory`: bytes of the table's structures.
unsigned lookup_cost_cycles(const struct lookup_cost *cost, size_t memory);

static inline void lookup_cost_add(struct lookup_cost *to, const struct lookup_cost *cost)
{
	for (unsigned kind = 0; kind < STEP_KINDS; kind++)
		to->steps[kind] += cost->steps[kind];
}

// In builds for a test of the above, readers count their steps.
#ifdef LOOKUP_COUNTED
extern uint64_t lookup_counted;
#define LOOKUP_COUNT(steps) (lookup_counted += (steps))
#else
#define LOOKUP_COUNT(steps) ((void)0)
#endif
