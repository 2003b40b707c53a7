// SPDX-License-Identifier: Apache-2.0
#pragma once

// A JSON-RPC 2.0 server on a unix socket (https://www.jsonrpc.org/specification), on libevent.
//
// Requests are answered in order, each before the next is begun; a batch is answered as one array.
// The transactional calls of a batch are one transaction by way of `struct rpc_transactions`: if
// any call of the batch fails, a malformed one or one of an unknown method included, none of them
// has an effect, and those without an error of their own answer RPC_ABORTED. So do other calls
// that ran while the transaction was open, since what they saw never came to be. A single
// transactional call is a transaction of its own. Built-in methods: rpc.discover (all rows, for
// programs and for the reference page) and, if there are events, rpc.subscribe and
// rpc.unsubscribe, which are no part of transactions.
//
// Notifications are of two kinds: those to every client, and events, to those who subscribed.
// Of events there may be a flood. When more than RPC_EVENT_LIMIT bytes wait for a subscriber, the
// event is skipped for it, and the next one that it gets says how many it missed: "missed": N.
//
// Everything runs on the thread of the event base. A client that does not read its answers is not
// served further until it does, and is dropped when notifications make more than RPC_OUTPUT_LIMIT
// bytes wait for it. A client may close its sending half and still gets its answers. SIGPIPE is
// ignored from the first server on. Do not destroy the server from within a handler: leave the
// event loop, and destroy it then.

#include <stdbool.h>

#include <event2/event.h>

#include "rpc/rpc_params.h"

#define RPC_REQUEST_LIMIT (256u << 20) // bytes of one request
#define RPC_OUTPUT_LIMIT (512u << 20)
#define RPC_EVENT_LIMIT (4u << 20)

struct rpc_server;

struct rpc_transactions {
	// Each returns false with *error set if it cannot. After abort everything is as before
	// begin.
	bool (*begin)(void *context, struct rpc_error *error);
	bool (*commit)(void *context, struct rpc_error *error); // failing means aborted
	void (*abort)(void *context);
};

// Listens on `path` with mode 0660, replacing a socket file that nobody listens on any more. NULL
// with *error set (in use by a running daemon, no such directory, path too long, ...).
// `title` and `version` are for rpc.discover. `transactions` may be NULL.
struct rpc_server *rpc_server_create(struct event_base *base, const char *path, const char *title,
	const char *version, const struct rpc_transactions *transactions, void *context,
	struct rpc_error *error);

// Add a table of rows that ends with a NULL name. The rows must outlive the server. Names are
// unique over all tables; a second one aborts (a mistake of the program).
void rpc_server_add_methods(struct rpc_server *server, const struct rpc_method *methods);

// Send {"method":name,"params":params} without id to every connected client. Steals params.
void rpc_server_notify_all(struct rpc_server *server, const char *name, json_t *params);

// Declare what clients can subscribe to: a table that ends with a NULL name, of at most
// RPC_EVENTS_MAX rows (more abort). Once, before the event loop runs. The rows must outlive the
// server.
void rpc_server_set_events(struct rpc_server *server, const struct rpc_event *events);

// Would rpc_server_notify_subscribers() reach anybody? For those who have work to do before.
bool rpc_server_has_subscribers(
	const struct rpc_server *server, const char *event, const char *bridge);

// Send a declared event to those who subscribed to it for all bridges or for this one; `bridge`
// NULL: it is of no bridge. `params` is an object, which is stolen. Returns how many got it, or
// will when they read. May be called by handlers.
size_t rpc_server_notify_subscribers(
	struct rpc_server *server, const char *event, const char *bridge, json_t *params);

// Another limit than RPC_OUTPUT_LIMIT, for tests.
void rpc_server_set_output_limit(struct rpc_server *server, size_t bytes);

// Have the socket file at `path` from now on, in place of what may be there; clients stay connected.
// False with *error.
bool rpc_server_move(struct rpc_server *server, const char *path, struct rpc_error *error);

// What rpc.discover answers; a new reference.
json_t *rpc_server_describe(const struct rpc_server *server);

// The same of tables that no server serves, for reference pages; `events` may be NULL. NULL: no
// memory.
json_t *rpc_methods_describe(const char *title, const char *version,
	const struct rpc_method *const tables[], size_t count, const struct rpc_event *events);

void rpc_server_destroy(struct rpc_server *server); // closes connections, removes the socket
