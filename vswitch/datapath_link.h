// SPDX-License-Identifier: Apache-2.0
#pragma once

// The connection to datapathd, and its life: a datapathd that answers in the run directory is
// adopted; if none does and starting is allowed, one is started, in a session of its own so that
// it outlives this process. When the connection is lost it is made again; a datapathd that has died
// is started anew at once, and one that keeps dying at growing intervals (restart_pause.h).
//
// Calls are synchronous, with a deadline. One that meets a lost connection or misses its deadline
// fails with RPC_UNAVAILABLE, and the connection is given up: what the datapath did is then
// unknown, and `connected` will be called anew. Everything runs on the thread of the event base.
// `connected` and `port_changed` come from the event loop and from datapath_link_wait();
// `disconnected` may come in the middle of a call and must do no more than take note; `packet_in`
// may too, so that a flood is not gathered here, and must do no more than pass it on.

#include <stdbool.h>

#include <event2/event.h>
#include <jansson.h>

#include "rpc/rpc_error.h"

struct datapath_link;

struct datapath_link_config {
	struct event_base *base;
	const char *rundir;
	char *const *command; // program and arguments, ends with NULL; NULL: never start one
	int start_timeout_ms; // until a started datapathd has to answer
	int call_timeout_ms;
	void *context;
	// A connection stands; bring the datapath up to date. The link may be lost again meanwhile.
	void (*connected)(void *context);
	void (*disconnected)(void *context);
	void (*port_changed)(void *context, const char *name);
	// A packet.in notification; params are lent.
	void (*packet_in)(void *context, const json_t *params);
	// A pmd.overload notification; the same. May be NULL.
	void (*pmd_overload)(void *context, const json_t *params);
};

// Copies what it needs of `config` but the context. NULL: out of memory. Nothing happens before
// datapath_link_start().
struct datapath_link *datapath_link_create(const struct datapath_link_config *config);
void datapath_link_start(struct datapath_link *link);
void datapath_link_destroy(struct datapath_link *link); // leaves datapathd running

bool datapath_link_connected(const struct datapath_link *link);

// The same after a look at the socket: a datapathd that has died since is noticed.
bool datapath_link_check(struct datapath_link *link);

// Work on the connection until it stands or the time is over. True if it stands.
bool datapath_link_wait(struct datapath_link *link, int timeout_ms);

// Is there hope that waiting helps: has a datapathd been started, or will be, and they have not all
// died lately?
bool datapath_link_starting(const struct datapath_link *link);

// Why there is no connection, and what happens next, for people; "" if there is one. Good until
// the next call.
const char *datapath_link_problem(struct datapath_link *link);

// Steals params (may be NULL). A new reference, or NULL with *error.
json_t *datapath_link_call(
	struct datapath_link *link, const char *method, json_t *params, struct rpc_error *error);

// flow.apply on a bridge, with a deadline that is later by five milliseconds for each operation,
// since a hundred thousand on a busy machine take their time. Steals operations. False with *error.
bool datapath_link_apply(struct datapath_link *link, const char *bridge, json_t *operations,
	struct rpc_error *error);

// Wait until datapathd tells something, or the time is over.
void datapath_link_listen(struct datapath_link *link, int timeout_ms);

// --- A successor (handover.h) ---

// A link to a datapathd that is to take over from the one of `link`, with huge pages if the old one
// has them; its callbacks do nothing. It starts it once; where vswitchd does not start any, the
// supervisor of the old one is asked to, by datapath.successor. NULL with *error.
struct datapath_link *datapath_link_successor(
	struct datapath_link *link, bool huge_pages, struct rpc_error *error);

// The successor has the names and the callbacks of `old` from now on, which is destroyed.
void datapath_link_succeed(struct datapath_link *next, struct datapath_link *old);

// End the datapathd that this link has started, or had started, if any, and wait until it is gone.
void datapath_link_kill(struct datapath_link *link);

int datapath_link_start_timeout_ms(const struct datapath_link *link);

// Never start one again, for when it is about to be told to exit.
void datapath_link_stop_starting(struct datapath_link *link);
