// SPDX-License-Identifier: Apache-2.0
#pragma once

// The state of one datapathd, and its event loop's regular work.
//
// Threads. The control thread runs the event loop, the JSON-RPC server and every function here; it
// is the only writer of what PMD threads read. PMD threads (datapath/pmd.h) read bridges, ports and
// poll lists under RCU. The vhost library's thread changes the state of vhost ports as
// datapath/port_vhost.c says, and wakes the control thread by datapath_wake().

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>
#include <jansson.h>

#include "datapath/bridge.h"
#include "datapath/eal.h"
#include "datapath/poll_plan.h"
#include "datapath/port.h"
#include "datapath/rcu.h"
#include "rpc/rpc_server.h"

struct builder;
struct pmd;

struct datapath {
	// Set once.
	const char *rundir;
	struct eal eal;
	char instance[33]; // random, says whether this is the process that one talked to before
	int64_t start_ms;  // wall clock
	bool standby;      // control: until it is promoted (datapath/standby.h)
	int pid_fd;        // the lock on our pid file
	int supervisor;    // a socket (datapath/successor.h); -1: none
	struct event_base *base;
	struct rpc_server *server;
	// Control only.
	struct bridge *bridges[BRIDGES_MAX];
	struct port *ports[PORTS_MAX];
	struct pmd *pmds[PIPELINE_READERS];      // by slot; NULL: no such thread now
	bool slots_used[PIPELINE_READERS];       // a thread had or has it: readers and slots exist
	struct poll_wanted *wanted;              // NULL: no plan was set
	struct port_counters removed;            // of ports that are gone
	unsigned unbalanced;                     // how many of them left packets unaccounted for
	struct port_counters packet_outs_before; // of PMD threads that are gone
	struct builder *builder;                 // of classifiers
	struct event *wake_event;                // wake_fd
	struct event *tick_event, *learn_event;  // timers
	unsigned ticks;
	bool mbufs_low; // at the last tick
	bool exiting;
	// Shared.
	struct rcu rcu;
	int wake_fd;
	bool ports_changed;      // any thread sets, control clears
	bool packet_in_sleeping; // control: no PMD has woken us since we sent all events
	bool learn_sleeping;     // control: no PMD has woken us since we found nothing to learn
};

// False with *error. `datapath` is zero but for what is set once; the server comes later.
bool datapath_init(struct datapath *datapath, struct rpc_error *error);
// Ends PMD threads, closes ports, frees everything.
void datapath_end(struct datapath *datapath);

// Any thread: have the control thread's loop come round.
void datapath_wake(struct datapath *datapath);

// After changes: free what is due.
void datapath_tidy(struct datapath *datapath);

// Method tables, each ended by a NULL name. Their context is the struct datapath.
extern const struct rpc_method methods_datapath[];
extern const struct rpc_method methods_bridge[];
extern const struct rpc_method methods_port[];
extern const struct rpc_method methods_flow[];
extern const struct rpc_method methods_object[];
extern const struct rpc_method methods_packet[];
extern const struct rpc_method methods_pmd[];
extern const struct rpc_method methods_fdb[];
