// SPDX-License-Identifier: Apache-2.0
#pragma once

// The queue planner: which core polls which receive queue. Pure functions from values to values,
// so that the same code does it, says what it would do, and is tested on machines that do not
// exist.
//
// Pinned queues go to their core first. With `isolate`, a core that has pinned queues takes no
// others. Each of the rest goes to a core of its own NUMA node if there is one to be had, else to
// any, and is then marked as crossing. Equal inputs give equal plans.
//
// Loads are those of the past. What a queue costs can depend on the core that it is on (its cache,
// a sibling on the same processor), which nobody knows before.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/rpc_error.h"

#define AFFINITY_CORES_MAX 1024
#define AFFINITY_UNPOLLED UINT32_MAX

struct affinity_core {
	uint32_t id;
	int numa; // negative: unknown
};

// A set of cores by number.
struct core_set {
	uint64_t words[AFFINITY_CORES_MAX / 64];
};

bool core_set_has(const struct core_set *set, uint32_t core);
size_t core_set_count(const struct core_set *set);

// "0x3c", "3c" (hexadecimal masks, as Open vSwitch writes them) or "2-5,8" (a list). A number
// without "0x" and without "," or "-" is a mask. 0, or -EINVAL with *error.
int core_set_parse(struct core_set *set, const char *text, struct rpc_error *error);

// One core of each NUMA node: the lowest, but not core 0 if the node has another one.
void core_set_default(struct core_set *set, const struct affinity_core *cores, size_t n_cores);

// Which of `set` are not among `cores`? False with *error naming the first, true if there is none.
bool core_set_check(const struct core_set *set, const struct affinity_core *cores, size_t n_cores,
	struct rpc_error *error);

struct affinity_pin {
	uint32_t queue;
	uint32_t core;
};

// "0:3,1:7" into at most `limit` pins. The number of pins, or -EINVAL with *error.
int affinity_pins_parse(
	const char *text, struct affinity_pin *pins, size_t limit, struct rpc_error *error);

enum affinity_policy {
	AFFINITY_GROUP,      // busiest first, each to the core with the least load so far
	AFFINITY_CYCLES,     // busiest first, to and fro over the cores
	AFFINITY_ROUNDROBIN, // in order, one core after the other
};

// By that name; NULL and others: group.
enum affinity_policy affinity_policy_find(const char *name);

struct affinity_queue {
	const char *port;
	uint32_t queue;
	int numa;        // of the device; negative: any
	uint64_t load;   // of late, in a unit of the caller's that is the same for all
	int64_t pinned;  // core, or negative
	int64_t present; // core that polls it now, or negative
	uint32_t core;   // out: AFFINITY_UNPOLLED if nobody does
	bool crosses;    // out: polled from another NUMA node
};

// Does a queue of a device on one NUMA node have to cross to a thread on another? Negative:
// unknown.
static inline bool affinity_crosses(int device, int thread)
{
	return device >= 0 && thread >= 0 && device != thread;
}

struct affinity_thread {
	uint32_t core;
	int numa;
	bool isolated;     // out
	uint64_t load;     // out: sum over its queues
	uint32_t n_queues; // out
};

// How much a plan may change.
enum affinity_pace {
	AFFINITY_FRESH, // as if no queue were polled yet
	AFFINITY_KEEP,  // a queue stays where it is, if it may be there
	AFFINITY_FILL,  // the same, but threads that would have none get some
};

struct affinity_rules {
	enum affinity_policy policy;
	enum affinity_pace pace;
	bool isolate; // threads that queues are pinned to have no others
};

// Spread `queues` over `threads`. A pin to a core without thread, and a queue for which isolation
// leaves no thread, end as AFFINITY_UNPOLLED.
void affinity_plan(struct affinity_thread *threads, size_t n_threads, struct affinity_queue *queues,
	size_t n_queues, struct affinity_rules rules);

// How evenly threads that are not isolated are loaded.
struct affinity_balance {
	size_t crossing;  // queues polled from another NUMA node
	double variance;  // of the loads, node by node
	uint64_t highest; // load of a thread
};

// Plan anew, by the policy, whatever the pace. If that is more even than what is, or has fewer
// queues cross, the plan is it, with as few queues moved as its groups of queues allow. Else the
// plan is what is (as with AFFINITY_KEEP), and false is returned. `before` and `after` are the
// present balance and that of the plan.
bool affinity_rebalance(struct affinity_thread *threads, size_t n_threads,
	struct affinity_queue *queues, size_t n_queues, struct affinity_rules rules,
	struct affinity_balance *before, struct affinity_balance *after);
