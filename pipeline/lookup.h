// SPDX-License-Identifier: Apache-2.0
#pragma once

// Lookup structures: given packet keys, the best of a set of rules.
//
// A rule is one masked match of an installed flow; the flow's port ranges are expanded before. A
// flow table keeps its rules in one or more lookup structures of the kinds below, asks them in
// order of the highest priority that each holds, and stops when no remaining one can hold a better
// rule (pipeline/flow_table.h).
//
// Threads. One control thread inserts and removes; readers look up meanwhile, without locks. A
// reader names the version that it wants to see: rules are visible from `born` until before
// `died`. So a rule is inserted before the version that it belongs to is published, and removed
// from the structure only when no reader can want a version older than its death. Memory that a
// reader may still hold goes through `retire`.
//
// Every kind is held against the naive oracle by tests/model.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/lookup_cost.h"
#include "pipeline/match.h"

#define LOOKUP_BURST 32
#define VERSION_NEVER UINT64_MAX

struct installed_flow;

// Readers may look at a rule that they do not want, so its memory outlives its removal from the
// structures by a grace period: the owner passes it to `retire` after the removal.
struct rule {
	struct installed_flow *flow;
	uint64_t born; // first version that sees it; written before insertion
	uint64_t died; // first version that does not; written once, atomically, by the writer
	// The whole match of the flow if it has port ranges; may be NULL if not, because value and
	// mask then say the same. Decides between rules of one priority.
	const struct match *origin;
	// Control: where its flow table keeps it, and its neighbours among the rules of one mask.
	struct lookup *home;
	struct rule *next, *previous;
	uint16_t priority;
	bool settled;      // control: its place is where a new layout of the table would have it
	uint16_t slots[2]; // control: in its table's accelerators
	struct packet_key value;
	struct packet_key mask;
};

// Of two rules of one priority, does `a` come first in the fixed order of match_compare()?
bool rule_precedes(const struct rule *a, const struct rule *b);

// Is `a` to be preferred to `b` (which may be NULL)? Higher priority first, then the fixed order of
// match_compare() of the flows' matches.
static inline bool rule_better(const struct rule *a, const struct rule *b)
{
	if (!b)
		return true;
	if (a->priority != b->priority)
		return a->priority > b->priority;
	return a != b && rule_precedes(a, b);
}

static inline bool rule_visible(const struct rule *rule, uint64_t version)
{
	// `born` was published with the rule. `died` may be written meanwhile, but only with a
	// version that is not published yet: old and new value mean the same to any reader.
	return rule->born <= version && version < __atomic_load_n(&rule->died, __ATOMIC_RELAXED);
}

// How memory gets freed while readers run: call `free_fn(memory)` after a grace period. Tests
// without concurrent readers may call it at once. retire() must not run what else is waiting, such
// as something that removes rules: it is called in the middle of insertions and removals.
struct retirement {
	void (*retire)(void *context, void (*free_fn)(void *), void *memory);
	void *context;
};

struct lookup; // one structure; each kind embeds it first

struct lookup_kind {
	const char *name;
	// NULL with errno. `mask` is the common mask for kinds that serve only one, else ignored.
	struct lookup *(*create)(const struct packet_key *mask, struct retirement retirement);
	// Control thread, when no reader is left.
	void (*destroy)(struct lookup *lookup);
	// Control thread. 0, -ENOSPC if this structure can hold no more (or not this one), -ENOMEM.
	int (*insert)(struct lookup *lookup, struct rule *rule);
	void (*remove)(struct lookup *lookup, struct rule *rule);
	// For each key i < count whose bit in `wanted` is set: if a visible rule matches that is
	// better than best[i], put it into best[i]. count is at most LOOKUP_BURST.
	void (*find)(const struct lookup *lookup, uint64_t version,
		const struct packet_key *const keys[], uint32_t wanted, unsigned count,
		const struct rule *best[]);
	// Control thread. The worst case of one lookup in the structure as it is.
	struct lookup_cost (*cost)(const struct lookup *lookup);
	size_t (*memory)(const struct lookup *lookup); // bytes
};

struct lookup {
	const struct lookup_kind *kind;
	uint32_t count;        // rules in it
	uint16_t max_priority; // of the rules in it; may be higher after removals
	uint8_t lines;         // key lines that find() reads, bit 1 << line
};

extern const struct lookup_kind lookup_hash; // rules that share one mask
extern const struct lookup_kind lookup_bits; // up to 512 rules of any shape
