// SPDX-License-Identifier: Apache-2.0
#pragma once

// One flow table: the rules of one table number, spread over lookup structures.
//
// The writer decides where a rule goes: a mask that many rules share gets a hash of its own, as
// long as there are few such masks; everything else goes into bit-vector blocks. Readers see an
// immutable list of structures, ordered by the highest priority in each, that is replaced as a
// whole. The result of a lookup does not depend on the layout.

#include "pipeline/classifier.h"
#include "pipeline/lookup.h"

struct flow_table;

struct flow_table *flow_table_create(struct retirement retirement); // NULL: out of memory
void flow_table_destroy(struct flow_table *table); // no readers left; rules are the caller's

// Control thread. 0 or -ENOMEM. Between the call and removal, *rule stays where it is.
int flow_table_insert(struct flow_table *table, struct rule *rule);
// Control thread, after the grace period of the rule's death. Frees nothing of the rule.
void flow_table_remove(struct flow_table *table, struct rule *rule);

// Any thread that takes part in the grace periods. best[i] becomes the best rule visible at
// `version` for keys[i], or NULL, for every bit i of `wanted`.
void flow_table_find(const struct flow_table *table, uint64_t version,
	const struct packet_key *const keys[], uint32_t wanted, unsigned count,
	const struct rule *best[]);

// Key lines that lookups in this table read. Any thread.
unsigned flow_table_lines(const struct flow_table *table);

// Lookup structures of one kind.
struct flow_table_part {
	unsigned count;
	size_t rules;
	size_t memory; // bytes
};

struct flow_table_shape {
	size_t rules;
	size_t memory; // bytes, of everything
	struct flow_table_part hashes, blocks;
	struct flow_table_part classifier; // the one in use; its rules are in blocks, too
	// What no packet's lookup exceeds, see pipeline/lookup_cost.h.
	struct lookup_cost worst;
	unsigned steps, cycles;
};

// Control thread.
void flow_table_shape(const struct flow_table *table, struct flow_table_shape *shape);

// Control thread, asked several times a second. A job to build a classifier for this table, if it
// is time for that: the table is large, and has no classifier or one that is out of date, and does not
// change so fast that it would be for nothing. NULL: nothing to do, or no memory. There is one job
// for a table at a time. `now_ms` is any steady clock.
struct classifier_job *flow_table_job(
	struct flow_table *table, const struct classifier *classifier, uint64_t now_ms);
// For tests: classifiers for small tables too, at once.
void flow_table_job_eagerly(bool eagerly);
