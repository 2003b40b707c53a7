// SPDX-License-Identifier: Apache-2.0
#include "rpc/rpc_server.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "rpc/rpc_connection.h"
#include "rpc/rundir.h"

// Descriptors that a process needs for other things than clients.
#define FILES_OTHER (RPC_REFUSED_MAX + 128)

const struct rpc_limits rpc_limits_default = {
	.clients = 1024,
	.request = 256u << 20,
	.decoded = 2ul << 30,
	.answer = 512u << 20,
	.notifications = 64u << 20,
	.memory = 1ul << 30,
};

struct rpc_server {
	struct event_base *base;
	struct rpc_pool pool;
	struct rpc_listener *listeners[RPC_LISTENERS_MAX];
	size_t listener_count;
	struct sockaddr_un address;
	struct stat socket_status; // of the socket file, to remove only our own
};

size_t rpc_open_files_raise(size_t clients)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return clients;
	if (limit.rlim_cur < clients + FILES_OTHER && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
		(void)getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur >= clients + FILES_OTHER)
		return clients;
	return limit.rlim_cur > FILES_OTHER ? limit.rlim_cur - FILES_OTHER : 1;
}

static void on_connected(void *context, struct bufferevent *socket, const struct rpc_wire *wire)
{
	struct rpc_server *server = context;

	rpc_connection_create(&server->pool, socket, wire);
}

struct rpc_server *rpc_server_create(struct event_base *base, const char *title,
	const char *version, const struct rpc_transactions *transactions, void *context)
{
	struct rpc_server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		return NULL;
	server->base = base;
	server->pool.events.context = context;
	server->pool.limits = rpc_limits_default;
	LIST_INIT(&server->pool.connections);
	server->pool.dispatch = rpc_dispatch_create(title, version, transactions, context);
	if (server->pool.dispatch == NULL) {
		free(server);
		return NULL;
	}
	// libevent writes without MSG_NOSIGNAL: a client that goes away must not end the daemon.
	signal(SIGPIPE, SIG_IGN);
	return server;
}

bool rpc_server_listen_on(struct rpc_server *server, int fd, const struct rpc_transport *transport)
{
	struct rpc_listener *listener;

	assert(server->listener_count < RPC_LISTENERS_MAX);
	listener = rpc_listener_create(server->base, fd, transport, on_connected, server);
	if (listener != NULL)
		server->listeners[server->listener_count++] = listener;
	return listener != NULL;
}

bool rpc_server_listen(struct rpc_server *server, const char *path,
	const struct socket_access *access, struct rpc_error *error)
{
	static const struct socket_access usual = {SOCKET_KEEP_OWNER, SOCKET_KEEP_GROUP, 0660};
	int fd;

	if (rundir_socket_address(&server->address, path, error) < 0)
		return false;
	fd = socket_file_listen(
		&server->address, access != NULL ? access : &usual, &server->socket_status, error);
	if (fd < 0)
		return false;
	if (rpc_server_listen_on(server, fd, NULL))
		return true;
	rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
	return false;
}

void rpc_server_add_methods(struct rpc_server *server, const struct rpc_method *methods)
{
	rpc_dispatch_add_methods(server->pool.dispatch, methods);
}

void rpc_server_notify_all(struct rpc_server *server, const char *name, json_t *params)
{
	struct rpc_connection *connection;
	struct rpc_connection *next;
	size_t length = 0;
	char *line = rpc_notification_line(name, params, &length);

	for (connection = LIST_FIRST(&server->pool.connections); connection != NULL;
		connection = next) {
		next = rpc_connection_next(connection);
		rpc_connection_notify(connection, line, length);
	}
	free(line);
	json_decref(params);
}

void rpc_server_set_events(struct rpc_server *server, const struct rpc_event *events)
{
	size_t count = 0;

	while (events[count].name != NULL)
		count++;
	if (count > RPC_EVENTS_MAX) {
		fprintf(stderr, "more than %d events\n", RPC_EVENTS_MAX);
		abort();
	}
	server->pool.events.rows = events;
	rpc_dispatch_set_events(server->pool.dispatch, &server->pool.events);
}

bool rpc_server_has_subscribers(
	const struct rpc_server *server, const char *event, const char *bridge)
{
	int number = rpc_event_find(server->pool.events.rows, event);
	const struct rpc_connection *connection = LIST_FIRST(&server->pool.connections);

	for (; number >= 0 && connection != NULL; connection = rpc_connection_next(connection))
		if (rpc_connection_wants(connection, number, bridge))
			return true;
	return false;
}

size_t rpc_server_notify_subscribers(
	struct rpc_server *server, const char *event, const char *bridge, json_t *params)
{
	int number = rpc_event_find(server->pool.events.rows, event);
	struct rpc_connection *connection = LIST_FIRST(&server->pool.connections);
	char *line = NULL;
	size_t length = 0;
	size_t served = 0;

	for (; number >= 0 && connection != NULL; connection = rpc_connection_next(connection)) {
		if (!rpc_connection_wants(connection, number, bridge))
			continue;
		if (line == NULL)
			line = rpc_notification_line(event, params, &length);
		served += rpc_connection_event(connection, number, event, params, line, length);
	}
	free(line);
	json_decref(params);
	return served;
}

void rpc_server_set_limits(struct rpc_server *server, const struct rpc_limits *limits)
{
	server->pool.limits = *limits;
}

bool rpc_server_move(struct rpc_server *server, const char *path, struct rpc_error *error)
{
	struct sockaddr_un address;

	if (rundir_socket_address(&address, path, error) < 0)
		return false;
	if (rename(server->address.sun_path, path) < 0) {
		rpc_error_set(error, RPC_REFUSED, "cannot rename %s to %s: %s",
			server->address.sun_path, path, strerror(errno));
		return false;
	}
	server->address = address;
	return true;
}

json_t *rpc_server_describe(const struct rpc_server *server)
{
	return rpc_dispatch_describe(server->pool.dispatch);
}

void rpc_server_destroy(struct rpc_server *server)
{
	struct rpc_connection *connection;

	if (server == NULL)
		return;
	socket_file_remove(&server->address, &server->socket_status);
	while (server->listener_count > 0)
		rpc_listener_destroy(server->listeners[--server->listener_count]);
	// What fits into the socket is still delivered, such as the answer to the request to exit;
	// nobody is waited for.
	while ((connection = LIST_FIRST(&server->pool.connections)) != NULL)
		rpc_connection_end(connection);
	rpc_dispatch_destroy(server->pool.dispatch);
	free(server);
}
