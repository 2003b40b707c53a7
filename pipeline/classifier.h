// SPDX-License-Identifier: Apache-2.0
#pragma once

// Classifiers: compiled forms of many rules that are quick to search and slow to make.
//
// The pipeline has none itself; whoever creates it may give one. A flow table of many rules gets
// one built from copies of its rules, aside, while lookups go on without it, and asks it first from
// then on. What changes in the table afterwards does not change the classifier, see
// pipeline/flow_table_accelerator.c.
//
// The control thread asks a pipeline for a job, gives it to a thread that has time for it, and ends
// it when that is done. A job has copies of all that it needs: it may outlive its table, and the
// thread that runs it touches nothing else.

#include <stddef.h>
#include <stdint.h>

#include "pipeline/packet_key.h"

struct flow_table;

#define CLASSIFIER_RULES_MAX 65534
#define CLASSIFIER_NONE UINT32_MAX

// The rules, best first, as plain data: rule r demands values[r * words + i] under the mask
// masks[r * words + i] of word word[i] of a key, for i < words. All other words are free.
struct classifier_rules {
	uint32_t count; // 1 to CLASSIFIER_RULES_MAX
	unsigned words;
	uint8_t word[KEY_WORDS]; // ascending
	uint64_t *values;
	uint64_t *masks;
};

// All functions may be called by any number of threads at once, for different states.
struct classifier {
	// NULL: these rules do not suit it, for their number, their shape, or what it would cost in
	// time or memory. May take seconds; keeps nothing of `rules`.
	void *(*build)(const struct classifier_rules *rules);
	void (*destroy)(void *state); // NULL is legal
	// Readers, any number at once. results[i] becomes the index of the best rule for keys[i],
	// or CLASSIFIER_NONE. count is at most LOOKUP_BURST.
	void (*classify)(const void *state, const struct packet_key *const keys[], unsigned count,
		uint32_t results[]);
	size_t (*memory)(const void *state); // bytes
	unsigned (*cost)(const void *state); // one lookup's worst case, in nodes of its tries
};

// Building a classifier for one flow table.
struct classifier_job {
	const struct classifier *classifier;
	struct classifier_rules rules; // owned
	void *state;                   // what was built; NULL: nothing
	uint64_t took_ms;              // of processor time, to build it
	struct flow_table *table;      // control only; NULL: nobody wants the result any more
};

// Any one thread.
void classifier_job_run(struct classifier_job *job);
// Control thread, after the job has run: its table uses what was built, if it is still there and
// that suits it still. Frees the job.
void classifier_job_end(struct classifier_job *job, uint64_t now_ms);
