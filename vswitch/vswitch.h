// SPDX-License-Identifier: Apache-2.0
#pragma once

// The daemon's parts in one place, for the modules that join them: transaction.c, sync.c, flows.c
// and the method tables. Everything is on the one thread of the event base.
//
//   model, flows   what is wanted, in memory       store   the same, on disk
//   actual         what the datapath has, as far as known: datapath.state at the time of
//                  connecting, and every step since
//
// A request stages its changes in model and flows; transaction.c writes them to the store, has
// sync.c bring the datapath to them, commits, and only then lets the answer out.

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>
#include <jansson.h>

#include "conf/conf.h"
#include "rpc/rpc_server.h"
#include "vswitch/datapath_link.h"
#include "vswitch/model.h"
#include "vswitch/store.h"

struct event_log;
struct flow_owner;

struct vswitch {
	struct event_base *base;
	struct conf *conf;
	const char *rundir;
	struct store *store;
	struct model *model;
	struct flow_owner *owners; // flows, one per bridge (flows.h)
	struct datapath_link *link;
	struct rpc_server *server;
	struct event_log *events; // what clients are told of state, and were
	int64_t started_ms;       // steady clock

	// Of the datapath; NULL while there is no connection.
	json_t *info;   // datapath.info
	json_t *actual; // in the form of datapath.state
	json_t *status; // port.status when threads were planned last

	json_t *failures;      // port -> {"config", "error"}: could not be made or changed
	json_t *unpolled;      // port -> text: queues without thread
	json_t *bridge_errors; // bridge -> text: flows that could not be put in force
	char instance[64];     // of the datapath that was connected last

	struct {
		bool entered; // a method has begun to change something, which is not ended yet
		bool no_wait;
	} transaction;

	struct event *tick;   // each second
	struct event *resync; // something was stored that the datapath has not seen
	struct event *replan; // the queues of some port changed
	int retry_s;          // until failures are tried again
	int retry_interval_s;
	json_int_t auto_lb_s; // since the last look (auto_lb.h)
};

// Open the store and fill model and flows from it; base and resync must be set. False with *error.
bool vswitch_open(struct vswitch *vs, const char *database, struct rpc_error *error);
// Undo that, also where it failed half-way.
void vswitch_close(struct vswitch *vs);

// The program defines the clocks; tests have some that they can set.
int64_t clock_wall_ms(void);
int64_t clock_steady_ms(void);
