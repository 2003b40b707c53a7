// SPDX-License-Identifier: Apache-2.0
#include "rpc/rpc_listener.h"

#include <stdlib.h>
#include <unistd.h>

#include <event2/listener.h>

struct rpc_listener {
	struct event_base *base;
	struct evconnlistener *socket;
	struct event *again; // after running out of file descriptors
	rpc_listener_connected *connected;
	void *context;
};

static void on_accept(struct evconnlistener *socket, evutil_socket_t fd, struct sockaddr *peer,
	int peer_length, void *context)
{
	struct rpc_listener *listener = context;
	struct bufferevent *connection =
		bufferevent_socket_new(listener->base, fd, BEV_OPT_CLOSE_ON_FREE);

	if (connection != NULL)
		listener->connected(listener->context, connection);
	else
		close(fd);
}

static void on_again(evutil_socket_t fd, short what, void *context)
{
	struct rpc_listener *listener = context;

	evconnlistener_enable(listener->socket);
}

// The connection still waits in the backlog, so that trying at once would only burn the processor.
static void on_accept_error(struct evconnlistener *socket, void *context)
{
	struct rpc_listener *listener = context;
	struct timeval pause = {.tv_usec = 100000};

	evconnlistener_disable(socket);
	event_add(listener->again, &pause);
}

struct rpc_listener *rpc_listener_create(
	struct event_base *base, int fd, rpc_listener_connected *connected, void *context)
{
	struct rpc_listener *listener = calloc(1, sizeof(*listener));

	if (listener == NULL) {
		close(fd);
		return NULL;
	}
	listener->base = base;
	listener->connected = connected;
	listener->context = context;
	listener->socket = evconnlistener_new(
		base, on_accept, listener, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	listener->again = event_new(base, -1, 0, on_again, listener);
	if (listener->socket == NULL || listener->again == NULL) {
		if (listener->socket == NULL)
			close(fd);
		rpc_listener_destroy(listener);
		return NULL;
	}
	evconnlistener_set_error_cb(listener->socket, on_accept_error);
	return listener;
}

void rpc_listener_destroy(struct rpc_listener *listener)
{
	if (listener == NULL)
		return;
	if (listener->again != NULL)
		event_free(listener->again);
	if (listener->socket != NULL)
		evconnlistener_free(listener->socket);
	free(listener);
}
