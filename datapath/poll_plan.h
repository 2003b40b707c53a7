// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which thread polls which receive queue.
//
// What is wanted comes from plan.set: cores, and for each the queues (port name and number) that
// its thread shall poll, whether they exist or not. What there is are the ports with the queues
// that can be polled now. A poll plan is what follows from both for one thread: an immutable list.
//
// A receive queue must never be polled by two threads. So whoever brings new plans into force goes
// by way of poll_plan_common(): first every thread gets what is in both its old and its new plan,
// then all threads let go of the old one, and only then the new plans are handed out.
//
// Pure functions from values to values. Ports are opaque here.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "rpc/rpc_error.h"

#define POLL_QUEUES 64 // receive queues per port, at most

struct poll_wanted_queue {
	const char *port; // belongs to the JSON
	uint16_t queue;
};

struct poll_wanted_thread {
	unsigned core;
	size_t count;
	struct poll_wanted_queue *queues;
};

struct poll_wanted {
	json_t *json; // a reference to the list that it came from
	size_t count;
	struct poll_wanted_thread threads[];
};

// From [{"core": 1, "queues": [{"port": "p0", "queue": 0}]}]. NULL with *error: a core named
// twice, a queue given to two threads, a member missing or of the wrong type.
struct poll_wanted *poll_wanted_parse(json_t *threads, struct rpc_error *error);
void poll_wanted_destroy(struct poll_wanted *wanted);

// The wanted thread of a core, or NULL.
const struct poll_wanted_thread *poll_wanted_find(const struct poll_wanted *wanted, unsigned core);

struct poll_source {
	const char *name;
	void *port;
	uint64_t queues; // bit per queue that can be polled
};

struct poll_plan {
	size_t count;
	struct poll_item {
		void *port;
		uint16_t queue;
	} items[];
};

// In the order wanted; what does not exist is left out. NULL: out of memory. free() it.
struct poll_plan *poll_plan_build(const struct poll_wanted_thread *thread,
	const struct poll_source *sources, size_t source_count);

// The items of `to` that are in `from` too (which may be NULL). NULL: out of memory.
struct poll_plan *poll_plan_common(const struct poll_plan *from, const struct poll_plan *to);

bool poll_plan_equal(const struct poll_plan *a, const struct poll_plan *b);
bool poll_plan_has(const struct poll_plan *plan, const void *port, uint16_t queue);
