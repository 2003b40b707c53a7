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
#include "datapath/learn.h"
#include "datapath/packet_out.h"
#include "datapath/poll_plan.h"

// One queue to poll, with all that is needed for its packets.
struct poll_entry {
	uint16_t (*rx_burst)(
		struct port *port, uint16_t queue, struct rte_mbuf *mbufs[], uint16_t count);
	void (*rx_done)(struct port *port, uint16_t queue); // or NULL
	struct port *port;
	struct port_slot *slot;
	struct bridge *bridge;
	struct pipeline *pipeline;
	struct queue_counters *counters;
	uint16_t queue;
	uint16_t number;        // of the port
	uint32_t round_packets; // of the present round; the thread's own
};

struct poll_list {
	size_t count;
	struct poll_entry entries[] __rte_cache_aligned;
};

struct pmd_counters {
	uint64_t cycles_busy;
	uint64_t cycles_idle;
	uint64_t iterations;
	uint64_t rx_packets;
	uint64_t rx_batches;
	uint64_t tx_packets;
	uint64_t drops;
};

#define PMD_FLUSH_MAX PORTS_MAX

struct pmd {
	// Set once.
	struct datapath *datapath;
	unsigned slot;
	unsigned core;
	int numa;
	pthread_t thread;
	struct rte_ring *packet_ins; // see packet_in.h; to the control thread
	// PMD: ro; control: wo.
	struct poll_list *list __rte_cache_aligned;
	bool stop;
	struct packet_out *packet_out; // control leaves one, the thread clears it
	// The thread's own; control reads the counters.
	struct pmd_counters counters __rte_cache_aligned;
	uint64_t now_ms;
	uint64_t next_ms_tsc; // when now_ms is no longer right
	struct learner learner;
	struct port_slot packet_outs; // stands for the port that they come from: counters only
	unsigned flush_count;
	struct port_slot *flush[PMD_FLUSH_MAX]; // slots with something staged
	// Control only.
	struct poll_plan *plan;
	struct pmd_counters base; // at the last pmd.clear
	int start_result;         // written by the thread before it says that it is up
} __rte_cache_aligned;

// --- Control thread ---

// Start and stop threads and hand out queues so that it is as `wanted` says; takes it over on
// success. False with *error, and then everything is as before.
bool pmd_plan_set(struct datapath *datapath, struct poll_wanted *wanted, struct rpc_error *error);

// Ports or their queues came or went: bring the poll plans up to date. When it returns, no thread
// polls a queue that is not there or paused any more.
void pmd_plans_update(struct datapath *datapath);

// Stop all threads.
void pmd_stop_all(struct datapath *datapath);

// What pmd.stats answers with. A new reference.
json_t *pmd_stats(struct datapath *datapath);
void pmd_stats_clear(struct datapath *datapath);
