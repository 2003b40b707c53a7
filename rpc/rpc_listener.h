// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where connections come from: a listening socket whose connections are handed on as bufferevents.
// One that cannot be accepted, mostly for want of file descriptors, waits in the backlog, and is
// tried again a moment later. On the thread of the event base.

#include <event2/bufferevent.h>
#include <event2/event.h>

struct rpc_listener;

// `socket` is stolen.
typedef void rpc_listener_connected(void *context, struct bufferevent *socket);

// Steals `fd`, which listens. NULL: no memory; `fd` is closed.
struct rpc_listener *rpc_listener_create(
	struct event_base *base, int fd, rpc_listener_connected *connected, void *context);
void rpc_listener_destroy(struct rpc_listener *listener);
