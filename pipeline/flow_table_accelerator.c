// SPDX-License-Identifier: Apache-2.0
// Accelerators of flow tables: when they are built, and when they are taken out.
//
// A job begins with a snapshot: the rules that are in blocks get slots, in order, and copies of
// what they match go to whoever builds the classifier. From then on new rules go into new blocks,
// and reshaping keeps those with slots apart from those without (rule_covered()). So when the
// classifier comes back, the covered blocks hold rules of the snapshot and no others, and readers
// get the whole in one new view. While one accelerator is in use the next may be under
// construction: rules have two slots.
//
// A lookup gives the best rule of the snapshot. If the reader can see it, no other rule of the
// snapshot is better. If it cannot, because the rule is dead, is yet to be born, or is gone and its
// slot empty, the packet looks into the covered blocks, as it would without an accelerator. All
// other blocks and the hashes are asked in any case. So changes are in force at once, and what an
// accelerator knows may be as old as it likes.
//
// Builds take milliseconds to seconds of a processor. They are put off while the table changes
// fast, and a pause of BUILD_PAUSE times the build follows each, so a steady rate of changes costs
// the builder a bounded share. An accelerator that half of the table has left goes.

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/flow_table_private.h"

#define RULES_MIN (LOOKUP_BITS_RULES + 1) // to build for; one block is fast enough
#define RULES_FEW (LOOKUP_BITS_RULES / 2) // to keep it for
#define BUILD_PAUSE 10
#define WAIT_MS 2000   // for a few changes to be followed by more
#define WAIT_BUILDS 50 // the same in builds, if these are long
#define BURST_LEAST 4  // packets for which a classifier is asked; for fewer it is slower

static bool eager; // by a test

void flow_table_job_eagerly(bool eagerly)
{
	eager = eagerly;
}

// --- Readers ---

uint32_t accelerator_find(const struct accelerator *accelerator, uint64_t version,
	const struct packet_key *const keys[], uint32_t wanted, const struct rule *best[])
{
	const struct packet_key *asked[LOOKUP_BURST];
	uint32_t results[LOOKUP_BURST], slow = 0;
	unsigned count = 0;

	asked[0] = keys[0];
	for (uint32_t left = wanted; left; left &= left - 1)
		asked[count++] = keys[__builtin_ctz(left)];
	accelerator->classifier->classify(accelerator->state, asked, count, results);
	count = 0;
	for (uint32_t left = wanted; left; left &= left - 1) {
		uint32_t result = results[count++];
		const struct rule *rule;

		if (result == CLASSIFIER_NONE)
			continue;
		rule = __atomic_load_n(&accelerator->rules[result], __ATOMIC_ACQUIRE);
		if (rule && rule_visible(rule, version))
			best[__builtin_ctz(left)] = rule;
		else
			slow |= left & -left;
	}
	return slow;
}

// --- Taking out (control thread) ---

static void accelerator_free(void *memory)
{
	struct accelerator *accelerator = memory;

	if (accelerator->state)
		accelerator->classifier->destroy(accelerator->state);
	free(accelerator);
}

// Readers may be in it, but the view does not have it any more.
static void accelerator_forget(
	struct flow_table *table, struct accelerator *accelerator, unsigned which)
{
	for (uint32_t s = 0; s < accelerator->count; s++) {
		if (accelerator->rules[s])
			accelerator->rules[s]->slots[which] = ACCELERATOR_NONE;
	}
	for (unsigned s = 0; s < table->n_structures; s++)
		table->structures[s].covered &= (uint8_t) ~(1u << which);
	table->retirement.retire(table->retirement.context, accelerator_free, accelerator);
}

// Without memory it stays, and is out of date, but never wrong.
static void accelerator_drop_live(struct flow_table *table)
{
	struct accelerator *accelerator = accelerator_live(table);

	table->accelerators[table->live] = NULL;
	if (flow_table_publish(table) != 0)
		table->accelerators[table->live] = accelerator;
	else
		accelerator_forget(table, accelerator, table->live);
}

// The one under construction. The job goes on for nobody.
static void accelerator_drop_next(struct flow_table *table)
{
	unsigned next = table->live ^ 1;
	struct accelerator *accelerator = table->accelerators[next];

	table->accelerators[next] = NULL;
	accelerator_forget(table, accelerator, next);
	if (table->job)
		table->job->table = NULL;
	table->job = NULL;
}

static bool has_outlived(const struct flow_table *table, const struct accelerator *accelerator)
{
	size_t there = accelerator->count - accelerator->empty;

	if (accelerator->empty > accelerator->count / 2 || there < table->in_blocks / 2)
		return true;
	return table->in_blocks < RULES_FEW && !eager;
}

static void accelerators_review(struct flow_table *table)
{
	table->build.changes++;
	if (table->job && has_outlived(table, table->accelerators[table->live ^ 1]))
		accelerator_drop_next(table);
	if (accelerator_live(table) && has_outlived(table, accelerator_live(table)))
		accelerator_drop_live(table);
}

void accelerator_note_insert(struct flow_table *table, struct rule *rule)
{
	rule->slots[0] = rule->slots[1] = ACCELERATOR_NONE;
	accelerators_review(table);
}

void accelerator_note_remove(struct flow_table *table, struct rule *rule)
{
	for (unsigned which = 0; which < 2; which++) {
		struct accelerator *accelerator = table->accelerators[which];

		if (rule->slots[which] == ACCELERATOR_NONE)
			continue;
		__atomic_store_n(&accelerator->rules[rule->slots[which]], NULL, __ATOMIC_RELEASE);
		accelerator->empty++;
		rule->slots[which] = ACCELERATOR_NONE;
	}
	accelerators_review(table);
}

void accelerator_end(struct flow_table *table)
{
	if (table->job)
		table->job->table = NULL;
	for (unsigned which = 0; which < 2; which++) {
		if (table->accelerators[which])
			accelerator_free(table->accelerators[which]);
	}
}

// --- Building (control thread, but for classifier_job_run) ---

// Is it time? `changed`: changes since it was last asked.
static bool is_due(struct flow_table *table, uint64_t changed, uint64_t now_ms)
{
	const struct accelerator *live = accelerator_live(table);
	size_t many = 64 + table->in_blocks / 64;

	if (eager)
		return table->in_blocks > 0;
	if (table->in_blocks < RULES_MIN || table->in_blocks > CLASSIFIER_RULES_MAX)
		return false;
	if (changed > many || now_ms < table->build.next_ms)
		return false;
	if (table->build.refused &&
		table->build.changes - table->build.refused < table->in_blocks / 2)
		return false;
	if (!live)
		return true;
	if (live->empty == 0 && live->count >= table->in_blocks)
		return false;
	return table->build.changes - table->build.snapshot >= many ||
	       now_ms - table->build.changed_ms >= table->build.wait_ms;
}

static struct accelerator *accelerator_make(const struct flow_table *table)
{
	struct accelerator *accelerator =
		calloc(1, sizeof *accelerator + table->in_blocks * sizeof accelerator->rules[0]);
	const struct mask_node *node = NULL;

	if (!accelerator)
		return NULL;
	while ((node = mask_map_next(&table->groups, node))) {
		struct rule *rule = ((const struct group *)node)->rules;

		for (; rule; rule = rule->next) {
			if (rule->home->kind == &lookup_bits)
				accelerator->rules[accelerator->count++] = rule;
		}
	}
	qsort(accelerator->rules, accelerator->count, sizeof accelerator->rules[0], rule_order);
	return accelerator;
}

static void rules_words(struct classifier_rules *rules, const struct accelerator *accelerator)
{
	struct packet_key any = {0};
	uint64_t *bits = (uint64_t *)&any;

	for (uint32_t r = 0; r < accelerator->count; r++) {
		for (unsigned w = 0; w < KEY_WORDS; w++)
			bits[w] |= ((const uint64_t *)&accelerator->rules[r]->mask)[w];
	}
	for (unsigned w = 0; w < KEY_WORDS; w++) {
		if (bits[w])
			rules->word[rules->words++] = (uint8_t)w;
	}
}

static void rules_copy(struct classifier_rules *rules, const struct accelerator *accelerator)
{
	size_t at = 0;

	for (uint32_t r = 0; r < accelerator->count; r++) {
		const struct rule *rule = accelerator->rules[r];

		for (unsigned w = 0; w < rules->words; w++, at++) {
			rules->values[at] = ((const uint64_t *)&rule->value)[rules->word[w]];
			rules->masks[at] = ((const uint64_t *)&rule->mask)[rules->word[w]];
		}
	}
}

static void job_free(struct classifier_job *job)
{
	free(job->rules.values);
	free(job->rules.masks);
	free(job);
}

static struct classifier_job *job_make(
	const struct classifier *classifier, const struct accelerator *accelerator)
{
	struct classifier_job *job = calloc(1, sizeof *job);
	size_t size;

	if (!job)
		return NULL;
	job->classifier = classifier;
	job->rules.count = accelerator->count;
	rules_words(&job->rules, accelerator);
	size = ((size_t)accelerator->count * job->rules.words + 1) * sizeof(uint64_t);
	job->rules.values = malloc(size);
	job->rules.masks = malloc(size);
	if (!job->rules.values || !job->rules.masks) {
		job_free(job);
		return NULL;
	}
	rules_copy(&job->rules, accelerator);
	return job;
}

// From now on the rules of the snapshot know that they are in it.
static void snapshot_settle(struct flow_table *table, struct accelerator *accelerator)
{
	unsigned next = table->live ^ 1;

	table->accelerators[next] = accelerator;
	for (uint32_t s = 0; s < accelerator->count; s++)
		accelerator->rules[s]->slots[next] = (uint16_t)s;
	for (unsigned s = 0; s < table->n_structures; s++) {
		if (table->structures[s].lookup->kind == &lookup_bits)
			table->structures[s].covered |= (uint8_t)(1u << next);
	}
	table->open = NULL;
	accelerator->least = eager ? 1 : BURST_LEAST;
	table->build.snapshot = table->build.changes;
}

struct classifier_job *flow_table_job(
	struct flow_table *table, const struct classifier *classifier, uint64_t now_ms)
{
	uint64_t changed = table->build.changes - table->build.seen;
	struct accelerator *accelerator;

	table->build.seen = table->build.changes;
	if (changed > 0)
		table->build.changed_ms = now_ms;
	if (table->job || !is_due(table, changed, now_ms))
		return NULL;
	accelerator = accelerator_make(table);
	table->job = accelerator ? job_make(classifier, accelerator) : NULL;
	if (!table->job) {
		free(accelerator);
		return NULL;
	}
	accelerator->classifier = classifier;
	snapshot_settle(table, accelerator);
	table->job->table = table;
	return table->job;
}

// What others leave of the processor to a thread that builds says nothing of what building costs.
static uint64_t thread_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

void classifier_job_run(struct classifier_job *job)
{
	uint64_t before = thread_ms();

	job->state = job->classifier->build(&job->rules);
	job->took_ms = thread_ms() - before;
}

// Makes the one that was built the one in use.
static void accelerator_switch(struct flow_table *table, void *state)
{
	struct accelerator *old = accelerator_live(table);
	struct accelerator *next = table->accelerators[table->live ^ 1];

	next->state = state;
	table->live ^= 1;
	if (flow_table_publish(table) != 0) {
		table->live ^= 1;
		accelerator_drop_next(table);
		return;
	}
	table->accelerators[table->live ^ 1] = NULL;
	if (old)
		accelerator_forget(table, old, table->live ^ 1);
}

void classifier_job_end(struct classifier_job *job, uint64_t now_ms)
{
	struct flow_table *table = job->table;
	uint64_t took = job->took_ms;

	if (table) {
		table->job = NULL;
		table->build.next_ms = now_ms + BUILD_PAUSE * took;
		table->build.wait_ms = took * WAIT_BUILDS > WAIT_MS ? took * WAIT_BUILDS : WAIT_MS;
		table->build.refused = job->state ? 0 : table->build.changes;
		if (job->state)
			accelerator_switch(table, job->state);
		else
			accelerator_drop_next(table);
	} else if (job->state) {
		job->classifier->destroy(job->state);
	}
	job_free(job);
}
