// SPDX-License-Identifier: Apache-2.0
#pragma once

// PMD threads: each polls receive queues on a core of its own and does everything with the packets
// that come (datapath/forward.h).
//
// The control thread starts, stops and steers them. A thread has a slot number, which is its reader
// slot in pipelines, RCU and port slots, and a poll list: an immutable array made from its poll
// plan, exchanged as a whole and freed after a grace period. Everything else that a running thread
// writes is its own.

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <rte_common.h>
#include <rte_ring.h>

#include "datapath/datapath.h"
#include "datapath/fair_share.h"
#include "datapath/learn.h"
#include "datapath/load_history.h"
#include "datapath/packet_out.h"
#include "datapath/pmd_perf.h"
#include "datapath/poll_plan.h"
#include "datapath/sleeper.h"

// One queue to poll, with all that is needed for its packets.
struct poll_entry {
	uint16_t (*rx_burst)(
		struct port *port, uint16_t queue, struct rte_mbuf *mbufs[], uint16_t count);
	void (*rx_done)(struct port *port, uint16_t queue);                            // or NULL
	void (*rx_arm)(struct port *port, uint16_t queue, struct wake_source *source); // or NULL
	void (*rx_disarm)(struct port *port, uint16_t queue);                          // or NULL
	struct port *port;
	struct port_slot *slot;
	struct bridge *bridge;
	struct pipeline *pipeline;
	struct queue_counters *counters;
	uint16_t queue;
	uint16_t number; // of the port
	// The thread's own.
	uint32_t round_packets; // of the present round
	struct fair_queue fair;
	struct wake_source source; // of the last time that it was armed
	bool silent;               // nothing wakes the thread
};

struct poll_list {
	size_t count;
	uint64_t serial;       // no other list has it
	uint64_t idle_cycles;  // without a packet, until the thread sleeps; UINT64_MAX: never
	uint64_t sleep_max_ns; // if there is a queue that wakes nobody
	struct poll_entry entries[] __rte_cache_aligned;
};

struct pmd_counters {
	uint64_t cycles_busy;
	uint64_t cycles_idle;
	uint64_t cycles_asleep;
	uint64_t sleeps;
	uint64_t iterations;
	uint64_t rx_packets;
	uint64_t rx_batches;
	uint64_t tx_packets;
	uint64_t drops;
};

#define PMD_FLUSH_MAX PORTS_MAX
#define PMD_NAP_MIN_NS 10000 // the first timed sleep; doubled each time that it was in vain

struct pmd {
	// Set once.
	struct datapath *datapath;
	unsigned slot;
	unsigned core;
	int numa;
	pthread_t thread;
	struct rte_ring *packet_ins; // see packet_in.h; to the control thread
	struct sleeper sleeper;      // any thread may wake it
	// PMD: ro; control: wo.
	struct poll_list *list __rte_cache_aligned;
	bool stop;
	struct packet_out *packet_out; // control leaves one, the thread clears it
	bool reclaim;                  // control sets, the thread clears: see pmd_reclaim_all()
	struct pmd_perf *perf;         // the thread's, or NULL: not measured
	// The thread's own; control reads the counters.
	struct pmd_counters counters __rte_cache_aligned;
	uint64_t now_ms;
	uint64_t next_ms_tsc; // when now_ms is no longer right
	uint64_t busy_tsc;    // end of the last round with packets
	uint64_t list_serial; // of the list that it polls, whose sources are disarmed
	uint64_t watched;     // serial of the list whose sources are watched
	uint64_t nap_ns;      // next timed sleep
	uint64_t asleep_tsc;  // since when it sleeps, 0: it does not; control reads it
	struct fair_thread fair;
	struct learner learner;
	struct port_slot packet_outs; // stands for the port that they come from: counters only
	unsigned flush_count;
	struct port_slot *flush[PMD_FLUSH_MAX]; // slots with something staged
	// Control only.
	struct poll_plan *plan;
	struct poll_sleep sleep; // as in the list
	struct poll_perf perf_wanted;
	struct pmd_counters base; // at the last pmd.clear
	struct load_history load;
	bool overloaded;  // as clients were told
	int start_result; // written by the thread before it says that it is up
} __rte_cache_aligned;

// --- Control thread ---

// Start and stop threads and hand out queues so that it is as `wanted` says; takes it over on
// success. False with *error, and then everything is as before.
bool pmd_plan_set(struct datapath *datapath, struct poll_wanted *wanted, struct rpc_error *error);

// A thread that sleeps comes round: it has a new list, something to send, or has to end.
void pmd_wake(const struct pmd *pmd);
// All of them: what they wait for may have changed.
void pmd_wake_all(const struct datapath *datapath);

// Packet buffers are short: have all threads free what their transmit queues have sent, and look at
// their queues.
void pmd_reclaim_all(struct datapath *datapath);

// Ports or their queues came or went: bring the poll plans up to date. When it returns, no thread
// polls a queue that is not there or paused any more.
void pmd_plans_update(struct datapath *datapath);

// Stop all threads.
void pmd_stop_all(struct datapath *datapath);

// --- The thread (pmd_sleep.c) ---

// The list is another one, or the thread has slept: it polls, and wants to hear of nothing.
void pmd_disarm(struct pmd *pmd, struct poll_list *list);
// There was nothing for a while. Look once more, and sleep until there is something, which the next
// round finds. `tsc`: now; returns what it is then. Nothing shared may be held: it lets go of
// `list`, too.
uint64_t pmd_doze(struct pmd *pmd, struct poll_list *list, uint64_t tsc);

// --- Statistics (control thread) ---

// What pmd.stats answers with. A new reference.
json_t *pmd_stats(struct datapath *datapath);
void pmd_stats_clear(struct datapath *datapath);

// Every LOAD_SAMPLE_S seconds: note what threads and queues have done, and tell clients of threads
// that have become overloaded, or are not any more.
void pmd_loads_sample(struct datapath *datapath);

// --- Single rounds (pmd_perf_stats.c; control thread) ---

// Measure them as the plan has it, and begin anew.
void pmd_perf_update(struct pmd *pmd);
void pmd_perf_clear(struct pmd *pmd);

// What pmd.perf answers with. A new reference.
json_t *pmd_perf_json(
	struct datapath *datapath, bool histograms, unsigned rounds, unsigned milliseconds);

// Once a second: log suspicious rounds.
void pmd_perf_log(struct datapath *datapath);
