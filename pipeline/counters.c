// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/pipeline_private.h"

// Counters of a pipeline: each reader slot has its own of every flow and table, so counting costs
// no atomic operation; sums are made when somebody asks. A flow's counters are found by an index
// into chunks that control allocates in every slot before the flow can be seen.

static int chunk_add(struct pipeline *pipeline, unsigned chunk)
{
	for (unsigned r = 0; r < PIPELINE_READERS; r++) {
		struct pipeline_reader *reader = pipeline->readers[r];

		if (!reader || reader->chunks[chunk])
			continue;
		reader->chunks[chunk] = calloc(COUNTER_CHUNK, sizeof(struct flow_counters));
		if (!reader->chunks[chunk])
			return -ENOMEM;
	}
	return 0;
}

int counter_take(struct pipeline *pipeline, uint32_t *counter)
{
	struct counter_pool *pool = &pipeline->counters;

	if (pool->unused_count > 0) {
		*counter = pool->unused[--pool->unused_count];
		return 0;
	}
	if (pool->next >= COUNTER_CHUNKS * COUNTER_CHUNK)
		return -ENOSPC;
	if (pool->unused_space <= pool->next) {
		// Room to give every index back, so that giving back cannot fail.
		size_t space = pool->unused_space ? pool->unused_space * 2 : COUNTER_CHUNK;
		uint32_t *larger = realloc(pool->unused, space * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		pool->unused = larger;
		pool->unused_space = space;
	}
	if (chunk_add(pipeline, pool->next >> COUNTER_CHUNK_SHIFT))
		return -ENOMEM;
	*counter = pool->next++;
	return 0;
}

// No reader counts there any more.
void counter_give(struct pipeline *pipeline, uint32_t counter)
{
	for (unsigned r = 0; r < PIPELINE_READERS; r++)
		if (pipeline->readers[r])
			*flow_counters_of(pipeline->readers[r], counter) =
				(struct flow_counters){0};
	pipeline->counters.unused[pipeline->counters.unused_count++] = counter;
}

struct flow_counters counter_sum(const struct pipeline *pipeline, uint32_t counter)
{
	struct flow_counters sum = {0};

	for (unsigned r = 0; r < PIPELINE_READERS; r++) {
		const struct flow_counters *part;
		uint64_t used;

		if (!pipeline->readers[r])
			continue;
		part = flow_counters_of(pipeline->readers[r], counter);
		sum.packets += __atomic_load_n(&part->packets, __ATOMIC_RELAXED);
		sum.bytes += __atomic_load_n(&part->bytes, __ATOMIC_RELAXED);
		used = __atomic_load_n(&part->used_ms, __ATOMIC_RELAXED);
		if (used > sum.used_ms)
			sum.used_ms = used;
	}
	return sum;
}

struct counter_share *counter_share_new(struct pipeline *pipeline)
{
	struct counter_share *share = calloc(1, sizeof(*share));

	if (share && counter_take(pipeline, &share->counter) != 0) {
		free(share);
		return NULL;
	}
	if (share)
		share->users = 1;
	return share;
}

void counter_share_drop(struct pipeline *pipeline, struct counter_share *share)
{
	if (!share || --share->users > 0)
		return;
	counter_give(pipeline, share->counter);
	free(share);
}

static void reader_free(struct pipeline_reader *reader)
{
	for (unsigned c = 0; reader && c < COUNTER_CHUNKS; c++)
		free(reader->chunks[c]);
	if (reader)
		cache_destroy(reader->cache);
	free(reader);
}

int pipeline_reader_add(struct pipeline *pipeline, unsigned slot)
{
	struct pipeline_reader *reader = pipeline->readers[slot];
	unsigned chunks = (pipeline->counters.next + COUNTER_CHUNK - 1) >> COUNTER_CHUNK_SHIFT;
	int error = 0;

	if (reader)
		return 0;
	reader = aligned_alloc(64, (sizeof(*reader) + 63) / 64 * 64);
	if (!reader)
		return -ENOMEM;
	memset(reader, 0, sizeof(*reader));
	pipeline->readers[slot] = reader;
	for (unsigned c = 0; c < chunks && !error; c++)
		error = chunk_add(pipeline, c);
	if (error) {
		pipeline->readers[slot] = NULL;
		reader_free(reader);
		return error;
	}
	cache_note_reader(pipeline, reader);
	return 0;
}

void counters_destroy(struct pipeline *pipeline)
{
	for (unsigned r = 0; r < PIPELINE_READERS; r++)
		reader_free(pipeline->readers[r]);
	free(pipeline->counters.unused);
}

void pipeline_table_stats(
	const struct pipeline *pipeline, uint8_t number, struct pipeline_table_stats *stats)
{
	const struct flow_table *table = pipeline->tables[number];

	memset(stats, 0, sizeof(*stats));
	for (unsigned r = 0; r < PIPELINE_READERS; r++) {
		const struct table_counters *part;

		if (!pipeline->readers[r])
			continue;
		part = &pipeline->readers[r]->tables[number];
		stats->lookups += __atomic_load_n(&part->lookups, __ATOMIC_RELAXED);
		stats->matched += __atomic_load_n(&part->matched, __ATOMIC_RELAXED);
	}
	if (!table)
		return;
	flow_table_shape(table, &stats->shape);
	stats->flows = stats->shape.rules;
}
