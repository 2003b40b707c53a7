// SPDX-License-Identifier: Apache-2.0
#pragma once

// What lookups in the tables of a bridge will cost at most, told from the shapes of its flows alone.
//
// Who decides whether flows may be installed has no tables; this keeps, for each table, how many rules
// have which mask, and says what the flow table made of them would cost, in the steps of
// pipeline/lookup_cost.h: never less than that table itself says once it has been laid out, which knows
// better how full its blocks are and which of them a packet can need. Keeping it costs each flow a look
// into a hash table of masks; asking costs next to nothing, however many flows there are. One thread.

#include <stddef.h>
#include <stdint.h>

#include "pipeline/match.h"

struct lookup_budget;
struct budget_mask; // of the flows of one table that share a mask

struct lookup_estimate {
	size_t steps;
	size_t rules;  // flows, and one more for each further prefix that a port range needs
	size_t masks;  // different ones
	size_t hashes; // for rules that share one of a few masks
	size_t blocks; // for the others
	size_t bytes;  // of a packet's header that they look at
};

struct lookup_budget *lookup_budget_create(void); // NULL: out of memory
void lookup_budget_destroy(struct lookup_budget *budget);

// The mask of a flow with this match, to be given back with leave(). NULL: out of memory. It does not
// count yet.
struct budget_mask *lookup_budget_enter(
	struct lookup_budget *budget, uint8_t table, const struct match *match);
void lookup_budget_leave(struct lookup_budget *budget, uint8_t table, struct budget_mask *mask);

// A flow of this mask, with so many rules, comes (or, `rules` being negative, goes).
void lookup_budget_count(
	struct lookup_budget *budget, uint8_t table, struct budget_mask *mask, long rules);

// All zero if there are no flows.
void lookup_budget_estimate(
	const struct lookup_budget *budget, uint8_t table, struct lookup_estimate *estimate);
