// SPDX-License-Identifier: Apache-2.0
#pragma once

// The set of flows of one bridge as its owner wants it: OpenFlow's add, modify and delete on it,
// as transactions, without any lookup structure. Each flow has an identifier that never changes
// while the flow lives and is never used again, so that other places (the store, the datapath)
// can be told what changed.
//
// A transaction is begun, changed with flow_set_apply(), looked at as a list of changes, and then
// kept or undone as a whole. One thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/flow_text.h"
#include "pipeline/lookup_budget.h"

struct flow_set;

struct flow_entry {
	uint64_t id;
	struct flow flow;
	int64_t created_ms;  // wall clock, for duration=
	int64_t modified_ms; // of the actions
};

// One flow that a transaction touched. ADDED: entry is new. REMOVED: entry is the old flow, valid
// until commit or abort. MODIFIED: same id, other actions, cookie or flags.
struct flow_change {
	enum { FLOW_ADDED, FLOW_REMOVED, FLOW_MODIFIED } kind;
	const struct flow_entry *entry;
};

struct flow_set *flow_set_create(void); // NULL: out of memory
void flow_set_destroy(struct flow_set *set);

// Identifiers are given from `next` upwards; for a set that is loaded from a store.
void flow_set_next_id(struct flow_set *set, uint64_t next);

// Put a flow in with the identifier that it had; takes over flow's contents. 0, -EEXIST, -ENOMEM.
// Not within a transaction.
int flow_set_load(struct flow_set *set, uint64_t id, struct flow *flow, int64_t created_ms);

void flow_set_begin(struct flow_set *set);

// Apply one request; takes over the contents of request->flow. Adding where a flow of the same
// table, priority and match stands replaces it (the old one is REMOVED). MODIFY changes the
// actions of all covered flows and keeps their identifiers; the filter holds for modify and
// delete. `affected`, if not NULL, gets the number of flows. 0, -EINVAL with *error (overlap with
// check_overlap), -ENOMEM. After an error the transaction must be aborted.
int flow_set_apply(struct flow_set *set, struct flow_request *request, int64_t now_ms,
	size_t *affected, struct flow_error *error);

// Remove by identifier, within a transaction. 0 or -ENOENT.
int flow_set_remove(struct flow_set *set, uint64_t id);

// The net changes so far: a flow added and removed again within the transaction is not in it, and
// removals come first. Valid until the next call on the set.
size_t flow_set_changes(struct flow_set *set, const struct flow_change **changes);

void flow_set_commit(struct flow_set *set);
void flow_set_abort(struct flow_set *set);

size_t flow_set_count(const struct flow_set *set);
size_t flow_set_table_count(const struct flow_set *set, uint8_t table);

// What a lookup in `table` will cost at most. Returns the steps that it was before the transaction.
size_t flow_set_lookup_estimate(
	const struct flow_set *set, uint8_t table, struct lookup_estimate *estimate);

const struct flow_entry *flow_set_find(const struct flow_set *set, uint64_t id);
// That of the same table, priority and match, or NULL.
const struct flow_entry *flow_set_find_place(const struct flow_set *set, const struct flow *flow);

// Equal for flows of the same table, priority and match, and rarely for others.
uint64_t flow_place_hash(const struct flow *flow);

// Call `use` for every flow, in no particular order; it must not change the set.
void flow_set_each(const struct flow_set *set,
	void (*use)(void *context, const struct flow_entry *entry), void *context);

// All flows that `request` (as parsed for a delete) selects, sorted by table, then priority
// downwards, then match_compare(). Returns a malloc()ed array, NULL if there are none or memory
// ran out (then *count is SIZE_MAX).
const struct flow_entry **flow_set_select(
	const struct flow_set *set, const struct flow_request *request, bool strict, size_t *count);
