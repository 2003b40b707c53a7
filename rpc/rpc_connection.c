// SPDX-License-Identifier: Apache-2.0
#include "rpc/rpc_connection.h"

#include <stdlib.h>

#include <event2/buffer.h>

#include "rpc/json_stream.h"
#include "rpc/json_text.h"

#define READ_SIZE (256u << 10)
// Lines up to this are copied one behind the other; a chain of their own would cost more.
#define COPY_SIZE 4096
// No further request of a client is carried out while so much waits for it to read; it goes on at
// half of that.
#define OUTPUT_PAUSE(pool) ((pool)->limits.notifications / 8)
#define OUTPUT_RESUME(pool) ((pool)->limits.notifications / 16)

struct rpc_connection {
	LIST_ENTRY(rpc_connection) list;
	struct rpc_pool *pool;
	struct bufferevent *socket;
	const struct rpc_wire *wire;
	struct evbuffer_cb_entry *output_watch;
	struct json_stream *stream;
	struct event *refused_end; // NULL: served
	struct rpc_subscriptions subscriptions;
	size_t held;     // its part of the pool's
	size_t notified; // at most so many of the waiting bytes are notifications
	bool busy;       // answering a request: may not be freed
	bool dead;       // to be freed when it is not busy any more
	bool closing;    // to be freed when its output has been written
	bool ended;      // the client sends nothing any more
};

static void connection_free(struct rpc_connection *connection)
{
	struct rpc_pool *pool = connection->pool;

	LIST_REMOVE(connection, list);
	pool->held -= connection->held;
	if (connection->refused_end != NULL) {
		pool->refused--;
		event_free(connection->refused_end);
	} else {
		pool->clients--;
	}
	evbuffer_remove_cb_entry(
		bufferevent_get_output(connection->socket), connection->output_watch);
	bufferevent_free(connection->socket);
	json_stream_destroy(connection->stream);
	rpc_subscriptions_clear(&connection->subscriptions);
	free(connection);
}

// A handler may send notifications, and so drop the very client that it answers.
static void connection_drop(struct rpc_connection *connection)
{
	if (connection->busy)
		connection->dead = true;
	else
		connection_free(connection);
}

static size_t connection_waiting(const struct rpc_connection *connection)
{
	return evbuffer_get_length(bufferevent_get_output(connection->socket));
}

static void connection_account(struct rpc_connection *connection)
{
	size_t held = connection_waiting(connection) + json_stream_held(connection->stream);

	held -= held < RPC_CONNECTION_RESERVE ? held : RPC_CONNECTION_RESERVE;
	connection->pool->held += held - connection->held;
	connection->held = held;
}

static void on_output(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *context)
{
	connection_account(context);
}

// Would so many more bytes waiting for this client be more than all may have?
static bool connection_fits(const struct rpc_connection *connection, size_t length)
{
	const struct rpc_pool *pool = connection->pool;
	size_t own = connection_waiting(connection) + json_stream_held(connection->stream);

	return own + length <= RPC_CONNECTION_RESERVE ||
	       (pool->held <= pool->limits.memory && length <= pool->limits.memory - pool->held);
}

static void line_free(const void *data, size_t size, void *extra)
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

// Steals the line. False: no memory.
static bool line_queue(struct rpc_connection *connection, char *line, size_t length)
{
	struct evbuffer *output = bufferevent_get_output(connection->socket);
	bool good;

	if (line != NULL && length > COPY_SIZE) {
		good = evbuffer_add_reference(output, line, length, line_free, NULL) == 0;
		if (!good)
			free(line);
		return good;
	}
	good = line != NULL && evbuffer_add(output, line, length) == 0;
	free(line);
	return good;
}

static void on_refused_end(evutil_socket_t fd, short what, void *context)
{
	connection_free(context);
}

// Take nothing from this client any more; it is gone when it hangs up, or after so long. False: no
// memory.
static bool connection_end_in(struct rpc_connection *connection, int ms)
{
	struct event_base *base = bufferevent_get_base(connection->socket);
	struct timeval wait = {ms / 1000, ms % 1000 * 1000};

	connection->refused_end = event_new(base, -1, 0, on_refused_end, connection);
	if (connection->refused_end == NULL || event_add(connection->refused_end, &wait) < 0) {
		if (connection->refused_end != NULL)
			event_free(connection->refused_end);
		connection->refused_end = NULL;
		return false;
	}
	connection->pool->clients--;
	connection->pool->refused++;
	connection->closing = true;
	json_stream_abandon(connection->stream);
	rpc_subscriptions_clear(&connection->subscriptions);
	connection_account(connection);
	return true;
}

// Say why, as the last thing that this client hears. False: no memory.
static bool connection_refuse(struct rpc_connection *connection, json_t *answer)
{
	size_t length;
	char *line = line_dump(answer, &length);

	if (!connection_end_in(connection, RPC_REFUSED_MS)) {
		free(line);
		return false;
	}
	return line_queue(connection, line, length);
}

static bool connection_refuse_memory(
	struct rpc_connection *connection, const json_t *id, const char *what)
{
	return connection_refuse(connection,
		rpc_dispatch_refusal(id,
			"%s does not fit into the %zu MiB that requests and answers of all clients "
			"may wait in; the connection is closed: ask for less at a time, or again "
			"when the other clients have read theirs",
			what, connection->pool->limits.memory >> 20));
}

// Queue an answer, which is stolen, or what there is to say instead. False: the client is to be
// dropped.
static bool connection_answer(
	struct rpc_connection *connection, const json_t *request, json_t *answer)
{
	const struct rpc_limits *limits = &connection->pool->limits;
	const json_t *id = json_object_get(request, "id");
	size_t length;
	char *line = line_dump(answer, &length);

	if (line != NULL && length > limits->answer) {
		free(line);
		line = line_dump(rpc_dispatch_refusal(id,
					 "the request was carried out, but its answer of %zu bytes "
					 "is over the limit of %zu: ask for a part of it",
					 length, limits->answer),
			&length);
	} else if (line != NULL && !connection_fits(connection, length)) {
		free(line);
		return connection_refuse_memory(
			connection, id, "the request was carried out, but its answer");
	}
	return line_queue(connection, line, length);
}

// Carry out the requests that have arrived whole, unless the client does not take its answers.
static void connection_work(struct rpc_connection *connection)
{
	struct rpc_pool *pool = connection->pool;

	connection->busy = true;
	while (!connection->dead && connection_waiting(connection) < OUTPUT_PAUSE(pool)) {
		const char *error_text;
		json_t *request = json_stream_next(connection->stream, &error_text);
		json_t *answer;

		pool->events.client = &connection->subscriptions;
		if (request != NULL)
			answer = rpc_dispatch_answer(pool->dispatch, request);
		else if (error_text != NULL)
			answer = rpc_dispatch_parse_error(error_text);
		else
			break;
		if (answer == NULL) {
			// A notification wants none.
		} else if (request == NULL && json_stream_failed(connection->stream)) {
			connection->dead |= !connection_refuse(connection, answer);
		} else {
			connection->dead |= !connection_answer(connection, request, answer);
		}
		json_decref(request);
	}
	connection->busy = false;
	connection->closing |= json_stream_failed(connection->stream);
	connection_account(connection);
}

// Free it if that is due, or read on if it may.
static void connection_settle(struct rpc_connection *connection)
{
	size_t waiting = connection_waiting(connection);
	bool refused = connection->refused_end != NULL;

	if (connection->dead || (connection->closing && waiting == 0 && !refused) ||
		(connection->ended && waiting == 0))
		connection_free(connection);
	else if (connection->ended || (connection->closing && !refused) ||
		 (waiting >= OUTPUT_PAUSE(connection->pool) && !refused))
		bufferevent_disable(connection->socket, EV_READ);
	else
		bufferevent_enable(connection->socket, EV_READ);
}

static void on_read(struct bufferevent *socket, void *context)
{
	struct rpc_connection *connection = context;
	struct evbuffer *input = bufferevent_get_input(socket);
	struct evbuffer_iovec piece;

	while (evbuffer_peek(input, -1, NULL, &piece, 1) > 0 && piece.iov_len > 0) {
		// A stream that has failed does not want them. It says so itself.
		if (connection->refused_end == NULL &&
			json_stream_feed(connection->stream, piece.iov_base, piece.iov_len) ==
				-ENOMEM) {
			connection_free(connection);
			return;
		}
		evbuffer_drain(input, piece.iov_len);
	}
	if (connection->refused_end != NULL)
		return;
	connection_work(connection);
	if (!connection->dead && !connection->closing && connection->held > 0 &&
		connection->pool->held > connection->pool->limits.memory)
		connection->dead = !connection_refuse_memory(connection, NULL, "the request");
	connection_settle(connection);
}

// The output has fallen to OUTPUT_RESUME bytes, or below.
static void on_written(struct bufferevent *socket, void *context)
{
	struct rpc_connection *connection = context;

	if (connection->refused_end == NULL)
		connection_work(connection);
	else if (connection_waiting(connection) == 0)
		connection->wire->finish(socket);
	connection_settle(connection);
}

static void on_event(struct bufferevent *socket, short what, void *context)
{
	struct rpc_connection *connection = context;

	if ((what & BEV_EVENT_EOF) == 0 || (what & BEV_EVENT_ERROR) != 0) {
		connection_free(connection);
		return;
	}
	// The client may have closed only its half, and still wait for answers.
	connection->ended = true;
	connection->closing = true;
	if (connection->refused_end == NULL) {
		json_stream_end(connection->stream);
		connection_work(connection);
	}
	connection_settle(connection);
}

static struct rpc_connection *connection_make(struct rpc_pool *pool, struct bufferevent *socket)
{
	struct rpc_connection *connection = calloc(1, sizeof(*connection));

	if (connection == NULL)
		return NULL;
	connection->pool = pool;
	connection->socket = socket;
	connection->stream = json_stream_create(pool->limits.request);
	connection->output_watch =
		connection->stream == NULL
			? NULL
			: evbuffer_add_cb(bufferevent_get_output(socket), on_output, connection);
	if (connection->output_watch == NULL) {
		json_stream_destroy(connection->stream);
		free(connection);
		return NULL;
	}
	json_stream_limit_decoded(connection->stream, pool->limits.decoded);
	return connection;
}

struct rpc_connection *rpc_connection_create(
	struct rpc_pool *pool, struct bufferevent *socket, const struct rpc_wire *wire)
{
	bool full = pool->clients >= pool->limits.clients;
	struct rpc_connection *connection = NULL;

	// Also those that were refused later count, or descriptors would run out.
	if (pool->clients + pool->refused < pool->limits.clients + RPC_REFUSED_MAX)
		connection = connection_make(pool, socket);
	if (connection == NULL) {
		bufferevent_free(socket);
		return NULL;
	}
	connection->wire = wire;
	LIST_INSERT_HEAD(&pool->connections, connection, list);
	pool->clients++;
	if (full && !connection_refuse(connection,
			    rpc_dispatch_refusal(NULL,
				    "the server has %zu clients already, which is its limit: close "
				    "connections that are not needed, or raise rpc.max_clients in "
				    "vswitchd's configuration",
				    pool->limits.clients))) {
		connection_free(connection);
		return NULL;
	}
	bufferevent_setcb(socket, on_read, on_written, on_event, connection);
	bufferevent_setwatermark(socket, EV_WRITE, OUTPUT_RESUME(pool), 0);
	bufferevent_set_max_single_read(socket, READ_SIZE);
	bufferevent_set_max_single_write(socket, READ_SIZE);
	bufferevent_enable(socket, EV_READ | EV_WRITE);
	// A transport may have read already.
	if (evbuffer_get_length(bufferevent_get_input(socket)) > 0)
		bufferevent_trigger(socket, EV_READ, BEV_OPT_DEFER_CALLBACKS);
	return connection;
}

struct rpc_connection *rpc_connection_next(const struct rpc_connection *connection)
{
	return LIST_NEXT(connection, list);
}

void rpc_connection_end(struct rpc_connection *connection)
{
	connection->wire->flush(connection->socket);
	connection_free(connection);
}

// --- Notifications ---

char *rpc_notification_line(const char *name, json_t *params, size_t *length)
{
	json_t *notification = json_pack("{s:s, s:s}", "jsonrpc", "2.0", "method", name);

	if (notification != NULL && params != NULL)
		json_object_set(notification, "params", params);
	return line_dump(notification, length);
}

// The connection that holds most, of those that are served.
static struct rpc_connection *connection_largest(const struct rpc_pool *pool)
{
	struct rpc_connection *largest = NULL, *connection;

	LIST_FOREACH (connection, &pool->connections, list) {
		if (!connection->closing && !connection->dead &&
			(largest == NULL || connection->held > largest->held))
			largest = connection;
	}
	return largest;
}

// Let go of what it holds at once, and of it soon. False: no memory.
static bool connection_evict(struct rpc_connection *connection)
{
	struct evbuffer *output = bufferevent_get_output(connection->socket);

	if (!connection_end_in(connection, 0))
		return false;
	evbuffer_unfreeze(output, 1);
	evbuffer_drain(output, evbuffer_get_length(output));
	evbuffer_freeze(output, 1);
	connection_account(connection);
	return true;
}

// Notifications go to whoever is there, so it is not for the one that comes to be next to make
// room, but for the one that takes most of it.
static bool connection_make_room(struct rpc_connection *connection, size_t length)
{
	while (!connection_fits(connection, length)) {
		struct rpc_connection *largest = connection_largest(connection->pool);

		if (largest == NULL || largest == connection || !connection_evict(largest))
			return false;
	}
	return true;
}

void rpc_connection_notify(struct rpc_connection *connection, const char *line, size_t length)
{
	size_t waiting = connection_waiting(connection);

	if (connection->closing || connection->dead)
		return;
	// What was written went first in, first out: more than what waits cannot be notifications.
	if (connection->notified > waiting)
		connection->notified = waiting;
	connection->notified += length;
	if (connection->notified > connection->pool->limits.notifications || line == NULL ||
		!connection_make_room(connection, length) ||
		evbuffer_add(bufferevent_get_output(connection->socket), line, length) < 0)
		connection_drop(connection);
}

bool rpc_connection_wants(const struct rpc_connection *connection, int event, const char *bridge)
{
	return !connection->closing && !connection->dead &&
	       rpc_subscriptions_include(&connection->subscriptions, event, bridge);
}

// The line that all get, or one of its own if it missed some. False: no memory.
static bool event_queue(struct rpc_connection *connection, const char *name, const json_t *params,
	uint64_t missed, const char *line, size_t length)
{
	json_t *own;

	if (missed == 0)
		return line != NULL &&
		       evbuffer_add(bufferevent_get_output(connection->socket), line, length) == 0;
	own = json_copy((json_t *)params);
	json_object_set_new(own, "missed", json_integer((json_int_t)missed));
	line = rpc_notification_line(name, own, &length);
	json_decref(own);
	return line_queue(connection, (char *)line, length);
}

bool rpc_connection_event(struct rpc_connection *connection, int event, const char *name,
	const json_t *params, const char *line, size_t length)
{
	uint64_t *missed = &connection->subscriptions.missed[event];

	if (connection_waiting(connection) > RPC_EVENT_LIMIT ||
		!connection_fits(connection, length) ||
		!event_queue(connection, name, params, *missed, line, length)) {
		(*missed)++;
		return false;
	}
	*missed = 0;
	return true;
}
