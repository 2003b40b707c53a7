// SPDX-License-Identifier: Apache-2.0
#include "rpc/rpc_server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "rpc/json_stream.h"
#include "rpc/json_text.h"
#include "rpc/rpc_dispatch.h"
#include "rpc/rpc_subscriptions.h"
#include "rpc/rundir.h"
#include "rpc/socket_file.h"

#define READ_SIZE (256u << 10)
// No further request of a client is carried out while this part of the output limit waits for it to
// read; it goes on at half of that.
#define OUTPUT_PAUSE(server) ((server)->output_limit / 8)
#define OUTPUT_RESUME(server) ((server)->output_limit / 16)

struct connection {
	LIST_ENTRY(connection) list;
	struct rpc_server *server;
	struct bufferevent *socket;
	struct json_stream *stream;
	struct rpc_subscriptions subscriptions;
	bool busy;    // answering a request: may not be freed
	bool dead;    // to be freed when it is not busy any more
	bool closing; // to be freed when its output has been written
};

struct rpc_server {
	struct event_base *base;
	struct rpc_dispatch *dispatch;
	struct evconnlistener *listener;
	struct event *listen_again; // after running out of file descriptors
	LIST_HEAD(, connection) connections;
	struct rpc_events events;
	size_t output_limit;
	struct sockaddr_un address;
	struct stat socket_status; // of the socket file, to remove only our own
};

static void connection_free(struct connection *connection)
{
	LIST_REMOVE(connection, list);
	bufferevent_free(connection->socket);
	json_stream_destroy(connection->stream);
	rpc_subscriptions_clear(&connection->subscriptions);
	free(connection);
}

// A handler may send notifications, and so drop the very client that it answers.
static void connection_drop(struct connection *connection)
{
	if (connection->busy)
		connection->dead = true;
	else
		connection_free(connection);
}

static size_t connection_waiting(const struct connection *connection)
{
	return evbuffer_get_length(bufferevent_get_output(connection->socket));
}

static void dumped_free(const void *data, size_t size, void *extra)
{
	free((void *)data);
}

// A value, which is stolen, with a newline in place of the 0 at the end. NULL: no memory.
static char *line_dump(json_t *value, size_t *length)
{
	char *text = json_text_write(value, length);

	json_decref(value);
	if (text != NULL)
		text[(*length)++] = '\n';
	return text;
}

// Queue a value, which is stolen, and a newline. False: the client is to be dropped.
static bool connection_send(struct connection *connection, json_t *value)
{
	struct evbuffer *output = bufferevent_get_output(connection->socket);
	size_t length;
	char *text = line_dump(value, &length);

	if (text == NULL)
		return false; // out of memory
	if (evbuffer_add_reference(output, text, length, dumped_free, NULL) < 0) {
		free(text);
		return false;
	}
	return evbuffer_get_length(output) <= connection->server->output_limit;
}

// Carry out the requests that have arrived whole, unless the client does not take its answers.
static void connection_answer(struct connection *connection)
{
	size_t pause = OUTPUT_PAUSE(connection->server);

	connection->busy = true;
	while (!connection->dead && connection_waiting(connection) < pause) {
		const char *error_text;
		json_t *request = json_stream_next(connection->stream, &error_text);
		json_t *answer;

		connection->server->events.client = &connection->subscriptions;
		if (request != NULL)
			answer = rpc_dispatch_answer(connection->server->dispatch, request);
		else if (error_text != NULL)
			answer = rpc_dispatch_parse_error(error_text);
		else
			break;
		json_decref(request);
		if (answer != NULL && !connection_send(connection, answer))
			connection->dead = true;
	}
	connection->busy = false;
	if (json_stream_failed(connection->stream))
		connection->closing = true;
	if (connection->closing)
		bufferevent_disable(connection->socket, EV_READ);
	if (connection->dead || (connection->closing && connection_waiting(connection) == 0))
		connection_free(connection);
	else if (connection_waiting(connection) >= pause)
		bufferevent_disable(connection->socket, EV_READ);
	else if (!connection->closing)
		bufferevent_enable(connection->socket, EV_READ);
}

static void on_read(struct bufferevent *socket, void *context)
{
	struct connection *connection = context;
	struct evbuffer *input = bufferevent_get_input(socket);
	struct evbuffer_iovec piece;

	while (evbuffer_peek(input, -1, NULL, &piece, 1) > 0 && piece.iov_len > 0) {
		// A failure leaves the stream failed, which connection_answer() sees, or is a want
		// of memory.
		if (json_stream_feed(connection->stream, piece.iov_base, piece.iov_len) ==
			-ENOMEM) {
			connection_free(connection);
			return;
		}
		evbuffer_drain(input, piece.iov_len);
	}
	connection_answer(connection);
}

// The output has fallen to OUTPUT_RESUME bytes, or below.
static void on_written(struct bufferevent *socket, void *context)
{
	struct connection *connection = context;

	connection_answer(connection);
}

static void on_event(struct bufferevent *socket, short what, void *context)
{
	struct connection *connection = context;

	if ((what & BEV_EVENT_EOF) == 0 || (what & BEV_EVENT_ERROR) != 0) {
		connection_free(connection);
		return;
	}
	// The client may have closed only its half, and still wait for answers.
	json_stream_end(connection->stream);
	connection->closing = true;
	connection_answer(connection);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer,
	int peer_length, void *context)
{
	struct rpc_server *server = context;
	struct connection *connection = calloc(1, sizeof(*connection));

	if (connection == NULL) {
		close(fd);
		return;
	}
	connection->server = server;
	connection->stream = json_stream_create(RPC_REQUEST_LIMIT);
	connection->socket = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (connection->stream == NULL || connection->socket == NULL) {
		if (connection->socket != NULL)
			bufferevent_free(connection->socket);
		else
			close(fd);
		json_stream_destroy(connection->stream);
		free(connection);
		return;
	}
	LIST_INSERT_HEAD(&server->connections, connection, list);
	bufferevent_setcb(connection->socket, on_read, on_written, on_event, connection);
	bufferevent_setwatermark(connection->socket, EV_WRITE, OUTPUT_RESUME(server), 0);
	bufferevent_set_max_single_read(connection->socket, READ_SIZE);
	bufferevent_set_max_single_write(connection->socket, READ_SIZE);
	bufferevent_enable(connection->socket, EV_READ | EV_WRITE);
}

static void on_listen_again(evutil_socket_t fd, short what, void *context)
{
	struct rpc_server *server = context;

	evconnlistener_enable(server->listener);
}

// Mostly out of file descriptors. The connection still waits in the backlog, so that trying at once
// would only burn the processor.
static void on_accept_error(struct evconnlistener *listener, void *context)
{
	struct rpc_server *server = context;
	struct timeval pause = {.tv_usec = 100000};

	evconnlistener_disable(listener);
	event_add(server->listen_again, &pause);
}

static bool server_listen(struct rpc_server *server, struct rpc_error *error)
{
	int fd = socket_file_listen(&server->address, &server->socket_status, error);

	if (fd < 0)
		return false;
	server->listener = evconnlistener_new(server->base, on_accept, server,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	server->listen_again = event_new(server->base, -1, 0, on_listen_again, server);
	if (server->listener == NULL || server->listen_again == NULL) {
		if (server->listener == NULL)
			close(fd);
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return false;
	}
	evconnlistener_set_error_cb(server->listener, on_accept_error);
	return true;
}

struct rpc_server *rpc_server_create(struct event_base *base, const char *path, const char *title,
	const char *version, const struct rpc_transactions *transactions, void *context,
	struct rpc_error *error)
{
	struct rpc_server *server = calloc(1, sizeof(*server));

	if (server == NULL) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return NULL;
	}
	server->base = base;
	server->events.context = context;
	server->output_limit = RPC_OUTPUT_LIMIT;
	LIST_INIT(&server->connections);
	if (rundir_socket_address(&server->address, path, error) < 0)
		goto fail;
	server->dispatch = rpc_dispatch_create(title, version, transactions, context);
	if (server->dispatch == NULL) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		goto fail;
	}
	if (!server_listen(server, error))
		goto fail;
	// libevent writes without MSG_NOSIGNAL: a client that goes away must not end the daemon.
	signal(SIGPIPE, SIG_IGN);
	return server;
fail:
	rpc_server_destroy(server);
	return NULL;
}

void rpc_server_add_methods(struct rpc_server *server, const struct rpc_method *methods)
{
	rpc_dispatch_add_methods(server->dispatch, methods);
}

// Steals params, which may be NULL.
static json_t *notification_make(const char *name, json_t *params)
{
	json_t *notification = json_pack("{s:s, s:s}", "jsonrpc", "2.0", "method", name);

	if (notification != NULL && params != NULL)
		json_object_set(notification, "params", params);
	json_decref(params);
	return notification;
}

void rpc_server_notify_all(struct rpc_server *server, const char *name, json_t *params)
{
	struct connection *connection;
	struct connection *next;
	json_t *notification = notification_make(name, params);

	for (connection = LIST_FIRST(&server->connections); connection != NULL; connection = next) {
		next = LIST_NEXT(connection, list);
		if (!connection->closing && !connection->dead &&
			!connection_send(connection, json_incref(notification)))
			connection_drop(connection);
	}
	json_decref(notification);
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
	server->events.rows = events;
	rpc_dispatch_set_events(server->dispatch, &server->events);
}

static bool connection_wants(const struct connection *connection, int event, const char *bridge)
{
	return !connection->closing && !connection->dead &&
	       rpc_subscriptions_include(&connection->subscriptions, event, bridge);
}

bool rpc_server_has_subscribers(
	const struct rpc_server *server, const char *event, const char *bridge)
{
	int number = rpc_event_find(server->events.rows, event);
	const struct connection *connection;

	LIST_FOREACH (connection, &server->connections, list)
		if (number >= 0 && connection_wants(connection, number, bridge))
			return true;
	return false;
}

// One event to one subscriber: the line that all get, or one of its own if it missed some. False:
// no memory, so that it missed this one, too.
static bool event_send(struct connection *connection, const char *name, const json_t *params,
	uint64_t missed, const char *line, size_t length)
{
	struct evbuffer *output = bufferevent_get_output(connection->socket);
	json_t *own;
	char *text;
	bool good;

	if (missed == 0)
		return line != NULL && evbuffer_add(output, line, length) == 0;
	own = json_copy((json_t *)params);
	json_object_set_new(own, "missed", json_integer((json_int_t)missed));
	text = line_dump(notification_make(name, own), &length);
	good = text != NULL && evbuffer_add(output, text, length) == 0;
	free(text);
	return good;
}

size_t rpc_server_notify_subscribers(
	struct rpc_server *server, const char *event, const char *bridge, json_t *params)
{
	int number = rpc_event_find(server->events.rows, event);
	struct connection *connection;
	char *line = NULL;
	size_t length = 0;
	size_t served = 0;

	LIST_FOREACH (connection, &server->connections, list) {
		uint64_t *missed;

		if (number < 0 || !connection_wants(connection, number, bridge))
			continue;
		if (line == NULL)
			line = line_dump(notification_make(event, json_incref(params)), &length);
		missed = &connection->subscriptions.missed[number];
		if (connection_waiting(connection) <= RPC_EVENT_LIMIT &&
			event_send(connection, event, params, *missed, line, length)) {
			*missed = 0;
			served++;
		} else {
			(*missed)++;
		}
	}
	free(line);
	json_decref(params);
	return served;
}

void rpc_server_set_output_limit(struct rpc_server *server, size_t bytes)
{
	server->output_limit = bytes;
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
	return rpc_dispatch_describe(server->dispatch);
}

void rpc_server_destroy(struct rpc_server *server)
{
	struct connection *connection;

	if (server == NULL)
		return;
	socket_file_remove(&server->address, &server->socket_status);
	if (server->listen_again != NULL)
		event_free(server->listen_again);
	if (server->listener != NULL)
		evconnlistener_free(server->listener);
	while ((connection = LIST_FIRST(&server->connections)) != NULL) {
		// What fits into the socket is still delivered, such as the answer to the request
		// to exit; nobody is waited for.
		struct evbuffer *output = bufferevent_get_output(connection->socket);

		evbuffer_unfreeze(output, 1);
		(void)evbuffer_write(output, bufferevent_getfd(connection->socket));
		evbuffer_freeze(output, 1);
		connection_free(connection);
	}
	rpc_dispatch_destroy(server->dispatch);
	free(server);
}
