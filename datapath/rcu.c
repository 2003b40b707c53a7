// SPDX-License-Identifier: Apache-2.0
#include "datapath/rcu.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "pipeline/pipeline.h"

// Memory is retired in batches that share one token: a token is an atomic addition to a cache line
// that all PMD threads read, and a big transaction retires a hundred thousand pieces.
#define BATCH_ITEMS 4096

struct rcu_batch {
	struct rcu_batch *next;
	uint64_t token;
	size_t count;
	struct {
		void (*free_fn)(void *);
		void *memory;
	} items[BATCH_ITEMS];
};

int rcu_init(struct rcu *rcu)
{
	size_t size = rte_rcu_qsbr_get_memsize(PIPELINE_READERS);

	*rcu = (struct rcu){NULL};
	rcu->readers = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(size, RTE_CACHE_LINE_SIZE));
	if (!rcu->readers)
		return -ENOMEM;
	return rte_rcu_qsbr_init(rcu->readers, PIPELINE_READERS) == 0 ? 0 : -EINVAL;
}

void rcu_reader_start(struct rcu *rcu, unsigned slot)
{
	rte_rcu_qsbr_thread_register(rcu->readers, slot);
	rte_rcu_qsbr_thread_online(rcu->readers, slot);
}

void rcu_reader_stop(struct rcu *rcu, unsigned slot)
{
	rte_rcu_qsbr_thread_offline(rcu->readers, slot);
	rte_rcu_qsbr_thread_unregister(rcu->readers, slot);
}

void rcu_wait(struct rcu *rcu)
{
	uint64_t token = rte_rcu_qsbr_start(rcu->readers);

	// A reader may share our core: let it run.
	while (rte_rcu_qsbr_check(rcu->readers, token, false) != 1)
		sched_yield();
}

static void batch_free(struct rcu_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		batch->items[i].free_fn(batch->items[i].memory);
	free(batch);
}

// Give the batch that was being filled a token and put it behind the waiting ones.
static void batch_seal(struct rcu *rcu)
{
	struct rcu_batch **end = &rcu->waiting;

	if (!rcu->filling)
		return;
	while (*end)
		end = &(*end)->next;
	*end = rcu->filling;
	rcu->filling->token = rte_rcu_qsbr_start(rcu->readers);
	rcu->filling = NULL;
}

void rcu_retire(struct rcu *rcu, void (*free_fn)(void *), void *memory)
{
	if (rcu->filling && rcu->filling->count == BATCH_ITEMS)
		batch_seal(rcu);
	if (!rcu->filling) {
		rcu->filling = malloc(sizeof(*rcu->filling));
		if (!rcu->filling) {
			rcu_wait(rcu);
			free_fn(memory);
			return;
		}
		rcu->filling->next = NULL;
		rcu->filling->count = 0;
	}
	rcu->filling->items[rcu->filling->count].free_fn = free_fn;
	rcu->filling->items[rcu->filling->count++].memory = memory;
}

bool rcu_drain(struct rcu *rcu)
{
	batch_seal(rcu);
	while (rcu->waiting && rte_rcu_qsbr_check(rcu->readers, rcu->waiting->token, false) == 1) {
		struct rcu_batch *batch = rcu->waiting;

		rcu->waiting = batch->next;
		batch_free(batch);
	}
	return rcu->waiting != NULL || rcu->filling != NULL;
}

static void retire(void *context, void (*free_fn)(void *), void *memory)
{
	rcu_retire(context, free_fn, memory);
}

struct retirement rcu_retirement(struct rcu *rcu)
{
	return (struct retirement){.retire = retire, .context = rcu};
}

void rcu_end(struct rcu *rcu)
{
	if (!rcu->readers)
		return;
	while (rcu_drain(rcu))
		sched_yield();
	free(rcu->readers);
	rcu->readers = NULL;
}
