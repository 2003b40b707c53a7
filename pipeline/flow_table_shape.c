// SPDX-License-Identifier: Apache-2.0
// What a flow table is made of, and what a lookup in it costs at most. Control thread.

#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_table_private.h"

// No packet passes the filter for more blocks than this.
static unsigned filter_most(const struct filter *filter)
{
	unsigned most = FILTER_BLOCKS;

	for (unsigned c = 0; c < filter->count; c++) {
		unsigned column = 0;

		for (unsigned v = 0; v < 256; v++) {
			unsigned blocks = (unsigned)__builtin_popcountll(filter->rows[c][v]);

			column = blocks > column ? blocks : column;
		}
		most = column < most ? column : most;
	}
	return most;
}

static int cost_order(const void *a, const void *b)
{
	const struct lookup_cost *x = a, *y = b;
	unsigned left = lookup_cost_steps(x), right = lookup_cost_steps(y);

	return left > right ? -1 : left < right;
}

static void structure_note(struct flow_table_shape *shape, const struct lookup *lookup)
{
	struct flow_table_part *part =
		lookup->kind == &lookup_bits ? &shape->blocks : &shape->hashes;
	size_t memory = lookup->kind->memory(lookup);

	part->count++;
	part->rules += lookup->count;
	part->memory += memory;
	shape->memory += memory;
}

// All structures, but of the blocks that a filter tells apart only as many as pass at once. (A packet that
// finds a good rule early is done sooner, but it need not.)
static void structures_shape(const struct flow_table *table, struct flow_table_shape *shape)
{
	struct lookup_cost filtered[FILTER_BLOCKS];
	unsigned count = 0, most = table->filter ? filter_most(table->filter) : 0;

	for (unsigned s = 0; s < table->n_structures; s++) {
		const struct placed *placed = &table->structures[s];
		struct lookup_cost cost = placed->lookup->kind->cost(placed->lookup);

		structure_note(shape, placed->lookup);
		if (table->filter && placed->filter_bit != FILTER_NONE)
			filtered[count++] = cost;
		else
			lookup_cost_add(&shape->worst, &cost);
	}
	qsort(filtered, count, sizeof filtered[0], cost_order);
	for (unsigned b = 0; b < count && b < most; b++)
		lookup_cost_add(&shape->worst, &filtered[b]);
	if (!table->filter)
		return;
	shape->worst.steps[STEP_FILTER] += table->filter->count;
	shape->memory += sizeof *table->filter;
}

// A packet that the classifier knows an answer for that does not count any more asks the blocks as well.
static void classifier_shape(
	const struct accelerator *accelerator, struct flow_table_shape *shape)
{
	struct flow_table_part *part = &shape->classifier;

	part->count = 1;
	part->rules = accelerator->count - accelerator->empty;
	part->memory = sizeof *accelerator + accelerator->count * sizeof accelerator->rules[0] +
		       accelerator->classifier->memory(accelerator->state);
	shape->memory += part->memory;
	shape->worst.steps[STEP_TRIE] += accelerator->classifier->cost(accelerator->state);
	shape->worst.steps[STEP_ENTRY]++;
}

void flow_table_shape(const struct flow_table *table, struct flow_table_shape *shape)
{
	memset(shape, 0, sizeof *shape);
	shape->rules = table->count;
	structures_shape(table, shape);
	if (accelerator_live(table))
		classifier_shape(accelerator_live(table), shape);
	shape->steps = lookup_cost_steps(&shape->worst);
	shape->cycles = lookup_cost_cycles(&shape->worst, shape->memory);
	shape->memory += sizeof *table + table->groups.n_chains * sizeof table->groups.chains[0] +
			 table->groups.count * sizeof(struct group);
}
