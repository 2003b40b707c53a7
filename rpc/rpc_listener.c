// SPDX-License-Identifier: Apache-2.0
#include "rpc/rpc_listener.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/listener.h>

struct rpc_listener {
	struct event_base *base;
	struct evconnlistener *socket;
	struct event *again; // after running out of file descriptors
	rpc_listener_connected *connected;
	void *context;
	struct rpc_transport transport; // accept is NULL: none
};

// --- Without a transport ---

static void plain_flush(struct bufferevent *socket)
{
	struct evbuffer *output = bufferevent_get_output(socket);

	evbuffer_unfreeze(output, 1);
	(void)evbuffer_write(output, bufferevent_getfd(socket));
	evbuffer_freeze(output, 1);
}

static void plain_finish(struct bufferevent *socket)
{
	(void)shutdown(bufferevent_getfd(socket), SHUT_WR);
}

const struct rpc_wire rpc_wire_plain = {plain_flush, plain_finish};

// --- Accepting ---

static void on_accept(struct evconnlistener *socket, evutil_socket_t fd, struct sockaddr *peer,
	int peer_length, void *context)
{
	struct rpc_listener *listener = context;
	struct bufferevent *connection;

	if (listener->transport.accept != NULL) {
		listener->transport.accept(listener->transport.context, listener->base, fd, peer,
			listener->connected, listener->context);
		return;
	}
	connection = bufferevent_socket_new(listener->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (connection != NULL)
		listener->connected(listener->context, connection, &rpc_wire_plain);
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

struct rpc_listener *rpc_listener_create(struct event_base *base, int fd,
	const struct rpc_transport *transport, rpc_listener_connected *connected, void *context)
{
	struct rpc_listener *listener = calloc(1, sizeof(*listener));

	if (listener == NULL) {
		if (transport != NULL)
			transport->destroy(transport->context);
		close(fd);
		return NULL;
	}
	if (transport != NULL)
		listener->transport = *transport;
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
	if (listener->transport.destroy != NULL)
		listener->transport.destroy(listener->transport.context);
	free(listener);
}
