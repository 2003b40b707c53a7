// SPDX-License-Identifier: Apache-2.0
#pragma once

// What keeps one queue from taking the time of the others that a thread polls. Queues are asked in
// turn, for as many packets each; but packets of one may cost a hundred times what those of another
// do (floods to many ports, long ways through tables). So time is what is shared: of each round in
// which several queues had all that they were asked for, each of these is entitled to the same
// part. Who takes more is in debt, by so many cycles, and who is far in debt is passed over until
// others have had as much. It is deficit round robin (Shreedhar and Varghese, 1995) with cycles,
// known afterwards, in place of bytes: bursts stay long, and queues that are not full, or alone,
// are never held back.
//
// A burst that takes very long is followed by shorter ones, so that nobody waits much longer than
// FAIR_BURST_CYCLES for another's.
//
// Values only; on one thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/pipeline.h"

#define FAIR_BURST_CYCLES 250000 // 100 us, more or less
// What a burst counts at most: the rest was probably the system's, which ran something else.
#define FAIR_CYCLES_MAX (2 * FAIR_BURST_CYCLES)
#define FAIR_DEBT_SHARES 4 // that one may be in debt

// All zero but for `burst`, which is PIPELINE_BURST.
struct fair_queue {
	int64_t debt;
	uint64_t cycles; // of `round`
	uint32_t round;  // the last one in which it had packets, or was passed over
	uint16_t burst;  // packets to ask for
	bool full;       // it had as many in that round, or was passed over
};

// All zero at first.
struct fair_thread {
	int64_t limit;
	uint32_t round;
	unsigned
		full; // queues that had in this round what they were asked for, or were passed over
	bool owed;    // there are debts
};

static inline void fair_round_begin(struct fair_thread *thread)
{
	thread->round++;
	thread->full = 0;
}

// Shall the queue be passed over in this round?
static inline bool fair_pass_over(struct fair_thread *thread, struct fair_queue *queue)
{
	if (__builtin_expect(queue->debt <= thread->limit, 1))
		return false;
	queue->round = thread->round;
	queue->full = true;
	queue->cycles = 0;
	thread->full++;
	return true;
}

// It had `count` packets, not 0, which took `cycles`.
static inline void fair_took(
	struct fair_thread *thread, struct fair_queue *queue, uint16_t count, uint64_t cycles)
{
	queue->round = thread->round;
	queue->full = count == queue->burst;
	thread->full += queue->full;
	queue->cycles = cycles;
	if (__builtin_expect(cycles > FAIR_BURST_CYCLES, 0))
		queue->burst = queue->burst > 1 ? queue->burst / 2 : 1;
	else if (__builtin_expect(queue->burst < PIPELINE_BURST, 0) &&
		 cycles < FAIR_BURST_CYCLES / 4)
		queue->burst *= 2;
}

static inline bool fair_competes(const struct fair_thread *thread, const struct fair_queue *queue)
{
	return queue->full && queue->round == thread->round;
}

// The round is over. Where is the queue of an item: `first`, and `stride` bytes on the next.
static inline void fair_round_end(
	struct fair_thread *thread, struct fair_queue *first, size_t stride, size_t count)
{
	uint64_t total = 0;
	int64_t share;

	if (__builtin_expect(thread->full < 2 && !thread->owed, 1))
		return;

#define FAIR_QUEUE(I) ((struct fair_queue *)((char *)first + (I)*stride))
	for (size_t i = 0; i < count; i++) {
		struct fair_queue *queue = FAIR_QUEUE(i);

		if (!fair_competes(thread, queue))
			continue;
		if (queue->cycles > FAIR_CYCLES_MAX)
			queue->cycles = FAIR_CYCLES_MAX;
		total += queue->cycles;
	}
	// Alone, or all others were passed over: nobody is in anybody's way.
	thread->owed = thread->full > 1 && total > 0;
	share = thread->owed ? (int64_t)(total / thread->full) : 0;
	thread->limit = FAIR_DEBT_SHARES * share;
	for (size_t i = 0; i < count; i++) {
		struct fair_queue *queue = FAIR_QUEUE(i);

		queue->debt = thread->owed && fair_competes(thread, queue)
				      ? queue->debt + (int64_t)queue->cycles - share
				      : 0;
	}
#undef FAIR_QUEUE
}
