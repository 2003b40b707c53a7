// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where connections come from: a listening socket whose connections are handed on as bufferevents,
// at once or, if there is a transport between, when that has made sure of the client. One that
// cannot be accepted, mostly for want of file descriptors, waits in the backlog, and is tried again
// a moment later. On the thread of the event base.

#include <event2/bufferevent.h>
#include <event2/event.h>

struct rpc_listener;

// What a server has to do to a connection besides reading and writing.
struct rpc_wire {
	// Write at once what can be, since the connection will be freed.
	void (*flush)(struct bufferevent *socket);
	// Everything was written and nothing will be: tell the client.
	void (*finish)(struct bufferevent *socket);
};

extern const struct rpc_wire rpc_wire_plain;

// `socket` is stolen.
typedef void rpc_listener_connected(
	void *context, struct bufferevent *socket, const struct rpc_wire *wire);

// What comes before a connection is served.
struct rpc_transport {
	void *context;
	// Steals fd; calls `connected` when and if the client may be served.
	void (*accept)(void *context, struct event_base *base, int fd, const struct sockaddr *peer,
		rpc_listener_connected *connected, void *connected_context);
	// No connection is to be handed on any more; frees the context.
	void (*destroy)(void *context);
};

// Steals `fd`, which listens, and what is in the transport; NULL: none. NULL: no memory; both are
// gone then, too.
struct rpc_listener *rpc_listener_create(struct event_base *base, int fd,
	const struct rpc_transport *transport, rpc_listener_connected *connected, void *context);
void rpc_listener_destroy(struct rpc_listener *listener);
