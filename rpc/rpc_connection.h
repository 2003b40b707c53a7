// SPDX-License-Identifier: Apache-2.0
#pragma once

// One client of a server: the bytes that come from it, cut into requests, and those that wait for
// it to read. It knows a bufferevent and not what is below, a unix socket or TLS.
//
// Connections of a server share a pool, which counts them and what they hold: bytes of requests
// that are not whole yet, and of answers and notifications that were not read yet. The first
// RPC_CONNECTION_RESERVE bytes of each are its own and not counted, so that small requests are
// served whatever the others do. The rest is from one budget; the connection that wants more than
// is left of it is told so and closed. A connection that is closed with such a message goes on to
// be read for a moment, without looking, since bytes that nobody reads would have TCP throw the
// message away; it is gone when the client closes, or after RPC_REFUSED_MS.
//
// One thread, that of the event base. A connection frees itself when its client has gone.

#include <stdbool.h>
#include <sys/queue.h>

#include <event2/bufferevent.h>

#include "rpc/rpc_dispatch.h"
#include "rpc/rpc_listener.h"

#define RPC_CONNECTION_RESERVE (128u << 10)
#define RPC_REFUSED_MS 5000
// So many connections are told at the same time that there are too many; more are just closed.
#define RPC_REFUSED_MAX 256

struct rpc_connection;

struct rpc_pool {
	struct rpc_dispatch *dispatch;
	struct rpc_events events;
	struct rpc_limits limits;
	LIST_HEAD(, rpc_connection) connections;
	size_t clients; // connections that are served
	size_t refused; // connections that are told why they are not
	size_t held;    // bytes, without the reserves
};

// Serve a client; steals `socket`. If the pool is full, it is refused. NULL: no memory, or too many
// are being refused; the socket is closed.
struct rpc_connection *rpc_connection_create(
	struct rpc_pool *pool, struct bufferevent *socket, const struct rpc_wire *wire);

// For lists of them that may lose this one.
struct rpc_connection *rpc_connection_next(const struct rpc_connection *connection);

// Queue a line. The connection may be gone afterwards: it is dropped if more than the limit of
// notifications wait for it, or if there is no room for one more, and it is the one that holds most;
// else that one is.
void rpc_connection_notify(struct rpc_connection *connection, const char *line, size_t length);

// Is it served, and has it subscribed to this?
bool rpc_connection_wants(const struct rpc_connection *connection, int event, const char *bridge);

// Queue an event unless too much waits; says whether it did. Counts what the client missed, and
// tells it with the next one. `line` is the event for those who missed none, or NULL if there is no
// memory; `name` and `params` are for the others.
bool rpc_connection_event(struct rpc_connection *connection, int event, const char *name,
	const json_t *params, const char *line, size_t length);

// Deliver what fits at once, and free.
void rpc_connection_end(struct rpc_connection *connection);

// A notification as a line with a newline at the end, malloc()ed; `params` may be NULL. NULL: no
// memory.
char *rpc_notification_line(const char *name, json_t *params, size_t *length);
