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

// What a thread does that has found nothing in its queues. It goes by the most wakeful of them.
enum rx_mode {
	RX_ADAPTIVE,  // looks again for a while, and then sleeps
	RX_POLLING,   // looks again for ever
	RX_INTERRUPT, // sleeps
	RX_MODES,
};

const char *rx_mode_name(enum rx_mode mode);

// How threads sleep.
struct poll_sleep {
	uint32_t idle_us; // without a packet, until a thread of adaptive queues does
	uint32_t max_us;  // at once, if it has a queue that wakes nobody; 0: then it never does
};

#define POLL_SLEEP_IDLE_US 1000
#define POLL_SLEEP_MAX_US 100
#define POLL_SLEEP_US_MOST 1000000

// What is measured of single rounds (datapath/pmd_perf.h).
struct poll_perf {
	bool on;
	uint32_t log_us; // rounds that take so long are logged; 0: none
};

struct poll_wanted_queue {
	const char *port; // belongs to the JSON
	uint16_t queue;
	enum rx_mode mode;
};

struct poll_wanted_thread {
	unsigned core;
	size_t count;
	struct poll_wanted_queue *queues;
};

struct poll_wanted {
	json_t *json; // a reference to what it came from
	struct poll_sleep sleep;
	struct poll_perf perf;
	size_t count;
	struct poll_wanted_thread threads[];
};

// From {"threads": [{"core": 1, "queues": [{"port": "p0", "queue": 0, "mode": "adaptive"}]}],
// "idle_us": 1000, "sleep_max_us": 100, "perf": false, "perf_log_us": 0}; all but threads, core,
// port and queue may be missing, and are then as here. NULL with *error: a core named twice, a
// queue given to two threads, a member missing or of the wrong type.
struct poll_wanted *poll_wanted_parse(json_t *params, struct rpc_error *error);
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
		enum rx_mode mode;
	} items[];
};

// In the order wanted; what does not exist is left out. NULL: out of memory. free() it.
struct poll_plan *poll_plan_build(const struct poll_wanted_thread *thread,
	const struct poll_source *sources, size_t source_count);

// The items of `to` that are in `from` too (which may be NULL). NULL: out of memory.
struct poll_plan *poll_plan_common(const struct poll_plan *from, const struct poll_plan *to);

// Modes count here, and nowhere else.
bool poll_plan_equal(const struct poll_plan *a, const struct poll_plan *b);

// Of the most wakeful queue. Microseconds; UINT64_MAX: never.
uint64_t poll_plan_idle_us(const struct poll_plan *plan, const struct poll_sleep *sleep);
bool poll_plan_has(const struct poll_plan *plan, const void *port, uint16_t queue);
