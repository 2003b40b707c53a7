// SPDX-License-Identifier: Apache-2.0
#pragma once

// What flow_set.c (entries, transactions) and flow_set_apply.c (requests) share; nobody else
// includes this.
//
// Entries are found by identifier and by place (table, priority and match) in hash tables, and
// stand in one list in the order in which they came, which loose operations go through. What a
// transaction touches is in a second list. An entry remembers its contents from before the
// transaction, so abort restores the beginning without going back through the steps. Removed
// entries leave the hash tables at once, the list and the memory at the end of the transaction.

#include <sys/queue.h>

#include "pipeline/flow_set.h"

// What modify changes.
struct contents {
	struct action_list actions;
	uint64_t cookie;
	unsigned flags;
	int64_t modified_ms;
};

struct set_entry {
	struct flow_entry public;
	uint64_t place_hash;
	struct set_entry *next_by_id;
	struct set_entry *next_by_place;
	TAILQ_ENTRY(set_entry) all;
	TAILQ_ENTRY(set_entry) touched;
	struct budget_mask *mask; // in the set's budget
	uint32_t rules;           // that the flow needs
	bool is_touched; // by the transaction, like the rest
	bool is_added;
	bool is_removed;
	struct contents *before; // if modified
};

TAILQ_HEAD(entry_list, set_entry);

struct flow_set {
	struct set_entry **by_id;
	struct set_entry **by_place;
	size_t n_buckets; // of each, a power of two
	size_t count;
	size_t table_counts[UINT8_MAX + 1];
	struct lookup_budget *budget;
	size_t steps_before[UINT8_MAX + 1]; // of lookups, before the transaction
	uint64_t next_id;
	struct entry_list all;
	struct entry_list touched;
	size_t n_touched;
	struct flow_change *changes; // room for n_touched
	size_t changes_space;
	size_t n_changes;
	bool changes_are_listed; // so far, they are asked for several times
};

// The entry of the same table, priority and match, or NULL.
struct set_entry *flow_set_place_find(const struct flow_set *set, const struct flow *flow);

// Within a transaction. 0 or -ENOMEM. Adding takes over the contents of `flow` if it succeeds;
// nothing of its place may be there. Modifying takes the actions, the cookie if the request
// sets one, and the flag reset_counts.
int flow_set_entry_add(struct flow_set *set, struct flow *flow, int64_t now_ms);
int flow_set_entry_remove(struct flow_set *set, struct set_entry *entry);
int flow_set_entry_modify(struct flow_set *set, struct set_entry *entry,
	const struct flow_request *request, int64_t now_ms);
