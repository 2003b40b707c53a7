// SPDX-License-Identifier: Apache-2.0
#pragma once

// A JSON-RPC 2.0 server (https://www.jsonrpc.org/specification), on libevent.
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
// Whatever clients do, they take a bounded amount of memory and of descriptors, struct rpc_limits:
//
//  * A connection beyond the number of clients gets an error object and is closed.
//  * So is one whose request is too long, would take too much memory decoded, or does not fit into
//    what the requests and answers of all clients may wait in. Of that, each client has a part of
//    its own (RPC_CONNECTION_RESERVE), so that small requests are served even when nothing is left.
//  * The request of an answer that is too long gets an error instead. One whose answer does not fit
//    beside those of others gets that error and is closed.
//  * A client that does not read its answers is not served further until it does; one that reads
//    slowly gets all of them. It is dropped when more notifications wait for it than may, or than
//    there is room for.
//
// Codes: RPC_OVERLOADED, or RPC_PARSE_ERROR of what is too long or too deep.
//
// Everything runs on the thread of the event base. A client may close its sending half and still
// gets its answers. SIGPIPE is ignored from the first server on. Do not destroy the server from
// within a handler: leave the event loop, and destroy it then.

#include <stdbool.h>
#include <stddef.h>

#include <event2/event.h>

#include "rpc/rpc_listener.h"
#include "rpc/rpc_params.h"
#include "rpc/socket_file.h"

#define RPC_EVENT_LIMIT (4u << 20)
#define RPC_LISTENERS_MAX 4

// Bytes, unless it says otherwise.
struct rpc_limits {
	size_t clients;       // number
	size_t request;       // one request
	size_t decoded;       // the same as values in memory, see json_stream.h
	size_t answer;        // one answer
	size_t notifications; // that wait for one client
	size_t memory;        // requests that are not whole, and output, that wait for all clients
};

extern const struct rpc_limits rpc_limits_default;

struct rpc_server;

struct rpc_transactions {
	// Each returns false with *error set if it cannot. After abort everything is as before
	// begin.
	bool (*begin)(void *context, struct rpc_error *error);
	bool (*commit)(void *context, struct rpc_error *error); // failing means aborted
	void (*abort)(void *context);
};

// A server that nobody can reach yet. `title` and `version` are for rpc.discover. `transactions`
// may be NULL. NULL: no memory.
struct rpc_server *rpc_server_create(struct event_base *base, const char *title,
	const char *version, const struct rpc_transactions *transactions, void *context);

// Listen on a unix socket, replacing a socket file that nobody listens on any more. `access` NULL:
// mode 0660, and the owner and group of the process. False with *error set (in use by a running
// daemon, no such directory, path too long, ...). Once.
bool rpc_server_listen(struct rpc_server *server, const char *path,
	const struct socket_access *access, struct rpc_error *error);

// Listen on a socket of one's own, too: `fd` listens, `transport` makes bufferevents of what comes
// (NULL: nothing is between). Both are stolen. At most RPC_LISTENERS_MAX in all. False: no memory.
bool rpc_server_listen_on(struct rpc_server *server, int fd, const struct rpc_transport *transport);

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

// Other limits than rpc_limits_default; before the event loop runs.
void rpc_server_set_limits(struct rpc_server *server, const struct rpc_limits *limits);

// Have this process open descriptors for so many clients, by raising RLIMIT_NOFILE up to its hard
// limit if it must be. Returns for how many of them that is enough. At the start of a daemon.
size_t rpc_open_files_raise(size_t clients);

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
