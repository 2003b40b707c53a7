// SPDX-License-Identifier: Apache-2.0
#pragma once

// What flow_table.c (finding, inserting, removing) and flow_table_layout.c (which rules live
// where) share; nobody else includes this.
//
// Rules of one mask form a group. A group has a hash of its own, or its rules are in the blocks.
// Changes go in place: into the group's hash, or into the open block, which is the one that takes
// rules. From time to time, so rarely that it costs each change a constant, and only for changes that
// have not taken each other back since, the table is reshaped:
// groups that have become large get a hash, hashes that have become small lose it, and the rules
// of all others are sorted and packed into new blocks. Then one new view replaces the old.
//
// One or two blocks are filled in order of the rules, and a packet that finds a good rule in the
// first does not look into the second. With more, each is filled with rules that are alike, and a
// filter tells which of them a packet has to look into. But rules that are hidden behind one that
// matches nearly everything are kept apart from those before it.
//
// A table of many rules may have an accelerator: a classifier for the rules that were in blocks at
// some time. They still are, in blocks that are called covered. A packet asks the accelerator first,
// and looks into covered blocks only if the rule that was best then does not count any more.
//
// Fields say who touches them: control (the one writer), readers, or both.

#include "pipeline/flow_table.h"
#include "pipeline/flow_table_policy.h"
#include "pipeline/lookup_bits.h"
#include "pipeline/mask_map.h"

struct group {
	struct mask_node node; // of kind 0
	struct rule *rules;    // list
	size_t count;
	struct lookup *hash;     // or NULL: in blocks
	struct lookup *new_hash; // while reshaping
};

// Tells for a packet which blocks can hold a rule for it: the AND over a few bytes of the key of a
// row of 64 bits, one for each block. Bits are only ever added, so it may say too much.
#define FILTER_BLOCKS 64
#define FILTER_NONE 0xff // no bit: the structure is always asked
struct filter {
	unsigned count;    // of columns
	unsigned next_bit; // control
	uint8_t bytes[FILTER_COLUMNS];
	uint64_t rows[FILTER_COLUMNS][256]; // readers: relaxed; control adds bits
};

struct placed {
	struct lookup *lookup;
	uint16_t max_priority; // for readers; control may raise it in place
	uint8_t filter_bit;
	// A block all of whose rules are in the accelerator. In the table: bit 1 << a for accelerator
	// a; in a view: for the one in use.
	uint8_t covered;
};

#define ACCELERATOR_NONE UINT16_MAX // the rule is not in it

// A classifier and what its results mean.
struct accelerator {
	const struct classifier *classifier;
	void *state;         // of classifier; NULL while it is being built
	unsigned least;      // packets, for which it is worth while
	uint32_t count;      // slots
	uint32_t empty;      // control: of them, those whose rules were removed
	struct rule *rules[]; // readers: acquire; control empties slots
};

// What readers see. Structures are sorted by max_priority, highest first.
struct view {
	const struct filter *filter; // or NULL
	const struct accelerator *accelerator; // or NULL
	unsigned open_blocks;                  // those that are not covered
	unsigned count;
	struct placed entries[];
};

struct flow_table {
	struct view *view; // readers: acquire; control: replaced as a whole
	struct retirement retirement;
	// Control, from here on.
	struct mask_map groups;
	struct placed *structures; // those of the view
	unsigned n_structures;
	struct filter *filter; // of the view
	struct lookup *open;   // block, or NULL
	size_t count;          // rules
	size_t in_blocks;      // of them
	size_t changes; // rules in blocks that are not settled, and settled ones that went
	// The one in use is accelerators[live], the one that is being built the other; each or NULL.
	struct accelerator *accelerators[2];
	unsigned live;
	struct classifier_job *job;
	struct {
		uint64_t changes;    // of the table, ever
		uint64_t seen;       // of them, when a job was last asked for
		uint64_t snapshot;   // and when a job last began
		uint64_t refused;    // and when nothing could be built; 0: never
		uint64_t changed_ms; // when changes were last noticed
		uint64_t wait_ms;    // how long a change may wait
		uint64_t next_ms;    // no job before
	} build;
};

// Makes readers see table->structures. 0 or -ENOMEM.
int flow_table_publish(struct flow_table *table);

// Frees a structure when no reader is left in it.
void flow_table_retire(struct flow_table *table, struct lookup *lookup);

// A filter for blocks of which block b holds rules[first[b]] to rules[first[b + 1] - 1], and has
// bit b, if that is below FILTER_BLOCKS. NULL: out of memory.
struct filter *filter_build(struct rule *const rules[], const size_t first[], unsigned n_blocks);

// The block with `bit` has got a rule: readers of the next version find it.
void filter_add(struct filter *filter, unsigned bit, const struct rule *rule);

// Divides rules[from] to rules[to - 1] into blocks of similar ones: puts them in order and sets
// first[b] to the first of block b, and one more to `to`. Returns the number of blocks, at most
// BLOCKS_MAX(to - from).
unsigned rules_cluster(struct rule *rules[], size_t from, size_t to, size_t first[]);

// rule_better() for qsort() of pointers to rules.
int rule_order(const void *a, const void *b);

// Which accelerators is the rule in? Bits as in struct placed.
static inline uint8_t rule_covered(const struct rule *rule)
{
	return (uint8_t)((rule->slots[0] != ACCELERATOR_NONE) |
			 (rule->slots[1] != ACCELERATOR_NONE) << 1);
}

// The accelerator that readers use; NULL: none.
static inline struct accelerator *accelerator_live(const struct flow_table *table)
{
	return table->accelerators[table->live];
}

// Fills in best[] as far as the accelerator knows, and returns the packets that have to look into
// covered blocks because it does not.
uint32_t accelerator_find(const struct accelerator *accelerator, uint64_t version,
	const struct packet_key *const keys[], uint32_t wanted, const struct rule *best[]);

// A rule has come or, before it forgets where it was, goes.
void accelerator_note_insert(struct flow_table *table, struct rule *rule);
void accelerator_note_remove(struct flow_table *table, struct rule *rule);

// With the table: no readers are left, and the rules may be gone.
void accelerator_end(struct flow_table *table);

// Lay the table out anew for the rules that are in it. 0, or -ENOMEM and nothing has changed.
int flow_table_reshape(struct flow_table *table);
