// SPDX-License-Identifier: Apache-2.0
#pragma once

// What one client of a server has asked to be told of, and the methods rpc.subscribe and
// rpc.unsubscribe by which it asks. Knows no sockets: the server sets whose subscriptions are
// meant before it carries out a request, and does the sending.
//
// A subscription is an event and a bridge, or all bridges. One thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "rpc/rpc_params.h"

#define RPC_EVENTS_MAX 32         // of one server
#define RPC_SUBSCRIPTIONS_MAX 256 // bridges that one client can name

struct rpc_subscription;

// All zero: none. Owned by the client's connection.
struct rpc_subscriptions {
	struct rpc_subscription *items; // owned
	size_t count;
	uint64_t *missed; // owned; one per event: skipped since the last that went through
};

// The context of the methods.
struct rpc_events {
	const struct rpc_event *rows;     // NULL: the server has none
	void *context;                    // of rpc_event.check
	struct rpc_subscriptions *client; // whose request is carried out
};

// rpc.subscribe and rpc.unsubscribe; their context is a struct rpc_events.
extern const struct rpc_method rpc_subscription_methods[];

// The number of the row, -1 if there is none of that name.
int rpc_event_find(const struct rpc_event *rows, const char *name);

// [{"name", "params", "help"}]; a new reference.
json_t *rpc_events_describe(const struct rpc_event *rows);

// Has the client asked for this event of this bridge? `bridge` NULL: of no bridge in particular,
// which is for those who asked for all.
bool rpc_subscriptions_include(
	const struct rpc_subscriptions *subscriptions, int event, const char *bridge);

void rpc_subscriptions_clear(struct rpc_subscriptions *subscriptions);
