// SPDX-License-Identifier: Apache-2.0
#pragma once

// Grace periods between the threads that change shared state and the PMD threads that read it, on
// rte_rcu_qsbr.
//
// A PMD thread is a reader with a slot number; it reports once per round of its poll loop, between
// bursts and with nothing staged, that it holds no shared pointer. Replaced memory is retired: the
// control thread collects it, and rcu_drain(), called from its loop, frees what every reader has
// let go of. Nobody waits for that. A reader that sleeps has left. rcu_wait() is for the few things
// that cannot be deferred: closing ports, moving queues, ending threads. Any thread but a reader
// may call it.

#include <stdbool.h>
#include <stddef.h>

#include <rte_rcu_qsbr.h>

#include "pipeline/lookup.h"

struct rcu {
	struct rte_rcu_qsbr *readers;
	struct rcu_batch *waiting; // control; oldest first
	struct rcu_batch *filling; // control; or NULL
};

int rcu_init(struct rcu *rcu); // 0 or -ENOMEM
void rcu_end(struct rcu *rcu); // no readers left; frees everything retired

void rcu_reader_start(struct rcu *rcu, unsigned slot); // the reader's thread
void rcu_reader_stop(struct rcu *rcu, unsigned slot);

// The reader's thread. It holds nothing shared until it comes back, and nobody waits for it.
static inline void rcu_reader_leave(struct rcu *rcu, unsigned slot)
{
	rte_rcu_qsbr_thread_offline(rcu->readers, slot);
}

static inline void rcu_reader_return(struct rcu *rcu, unsigned slot)
{
	rte_rcu_qsbr_thread_online(rcu->readers, slot);
}

static inline void rcu_reader_quiescent(struct rcu *rcu, unsigned slot)
{
	rte_rcu_qsbr_quiescent(rcu->readers, slot);
}

// Wait until every reader has reported after now.
void rcu_wait(struct rcu *rcu);

// Control thread. Call free_fn(memory) after a grace period.
void rcu_retire(struct rcu *rcu, void (*free_fn)(void *), void *memory);
// Control thread. True if memory still waits.
bool rcu_drain(struct rcu *rcu);

// rcu_retire() in the form that the pipeline takes.
struct retirement rcu_retirement(struct rcu *rcu);
