// SPDX-License-Identifier: Apache-2.0
#include "rpc/rpc_client.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/steady_clock.h"
#include "rpc/json_stream.h"
#include "rpc/json_text.h"
#include "rpc/rundir.h"

#define ANSWER_LIMIT (1u << 30)
#define READ_SIZE (256u << 10)
#define CONNECT_INTERVAL_MS 20
// A server may send faster than we take it in; the caller has other things to do.
#define READS_PER_POLL 16

struct rpc_client {
	struct rpc_pipe pipe;
	char *peer;
	char *place;
	struct json_stream *stream;
	char *read_buffer;
	json_int_t last_id;
	rpc_notification_handler *handler;
	void *handler_context;
};

// One exchange: what is to be sent, and the answer that ends it.
struct exchange {
	const char *bytes;
	size_t count;
	json_int_t first_id; // of the call, or of the first call of a batch
	json_t *answer;
};

// Milliseconds until `deadline` for poll(); negative deadlines never come.
static int remaining_ms(int64_t deadline)
{
	int64_t left;

	if (deadline < 0)
		return -1;
	left = deadline - steady_ms();
	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static int64_t deadline_after(int timeout_ms)
{
	return timeout_ms < 0 ? -1 : steady_ms() + timeout_ms;
}

// "vswitchd" of ".../vswitchd.sock": sockets are named after who listens on them.
static const char *peer_name(const char *path, char *buffer, size_t size)
{
	const char *base = strrchr(path, '/');
	char *dot;

	snprintf(buffer, size, "%s", base != NULL ? base + 1 : path);
	dot = strrchr(buffer, '.');
	if (dot != NULL && dot != buffer)
		*dot = '\0';
	return buffer;
}

static void connect_failed(struct rpc_error *error, const char *path, int code)
{
	char peer[64];

	peer_name(path, peer, sizeof(peer));
	switch (code) {
	case ENOENT:
		rpc_error_set(error, RPC_DISCONNECTED,
			"cannot reach %s: there is no socket %s; start %s, or say with "
			"--rundir where it runs",
			peer, path, peer);
		break;
	case ECONNREFUSED:
		rpc_error_set(error, RPC_DISCONNECTED,
			"cannot reach %s: nobody listens on %s any more; start %s again", peer,
			path, peer);
		break;
	case EACCES:
	case EPERM:
		rpc_error_set(error, RPC_DISCONNECTED,
			"cannot reach %s: no permission for %s; run this as root or as "
			"the owner of the socket",
			peer, path);
		break;
	default:
		rpc_error_set(error, RPC_DISCONNECTED, "cannot reach %s on %s: %s", peer, path,
			strerror(code));
	}
}

// A connected socket or -errno.
static int connect_once(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int code;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return fd;
	code = -errno;
	close(fd);
	return code;
}

static int connect_until(const struct sockaddr_un *address, int timeout_ms)
{
	// A full backlog (EAGAIN) means a busy daemon, not an absent one: worth a moment anyhow.
	int64_t busy_deadline = deadline_after(timeout_ms < 1000 ? 1000 : timeout_ms);
	int64_t deadline = deadline_after(timeout_ms);
	int fd;

	for (;;) {
		struct timespec pause = {.tv_nsec = CONNECT_INTERVAL_MS * 1000000};

		fd = connect_once(address);
		if (fd != -EAGAIN && fd != -ENOENT && fd != -ECONNREFUSED)
			return fd;
		if (remaining_ms(fd == -EAGAIN ? busy_deadline : deadline) == 0)
			return fd;
		nanosleep(&pause, NULL);
	}
}

// --- The unix socket as a pipe; its context is the descriptor ---

static ssize_t socket_read(void *context, char *bytes, size_t size)
{
	ssize_t count = recv((int)(intptr_t)context, bytes, size, MSG_DONTWAIT);

	return count >= 0 ? count : -errno;
}

static ssize_t socket_write(void *context, const char *bytes, size_t count)
{
	ssize_t sent = send((int)(intptr_t)context, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);

	return sent >= 0 ? sent : -errno;
}

static const char *socket_reason(void *context)
{
	return NULL;
}

static void socket_close(void *context)
{
	close((int)(intptr_t)context);
}

// --- Life ---

struct rpc_client *rpc_client_create(
	const struct rpc_pipe *pipe, const char *peer, const char *place, struct rpc_error *error)
{
	struct rpc_client *client = calloc(1, sizeof(*client));

	if (client == NULL) {
		pipe->close(pipe->context);
	} else {
		client->pipe = *pipe;
		client->peer = strdup(peer);
		client->place = strdup(place);
		client->stream = json_stream_create(ANSWER_LIMIT);
		client->read_buffer = malloc(READ_SIZE);
	}
	if (client != NULL && client->peer != NULL && client->place != NULL &&
		client->stream != NULL && client->read_buffer != NULL)
		return client;
	rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
	rpc_client_destroy(client);
	return NULL;
}

struct rpc_client *rpc_client_connect(const char *path, int timeout_ms, struct rpc_error *error)
{
	struct rpc_pipe pipe = {
		.read = socket_read,
		.write = socket_write,
		.reason = socket_reason,
		.close = socket_close,
	};
	struct sockaddr_un address;
	char peer[64];
	int fd;

	if (rundir_socket_address(&address, path, error) < 0)
		return NULL;
	fd = connect_until(&address, timeout_ms < 0 ? INT_MAX : timeout_ms);
	if (fd < 0) {
		connect_failed(error, path, -fd);
		return NULL;
	}
	pipe.context = (void *)(intptr_t)fd;
	pipe.fd = fd;
	return rpc_client_create(&pipe, peer_name(path, peer, sizeof(peer)), path, error);
}

void rpc_client_destroy(struct rpc_client *client)
{
	if (client == NULL)
		return;
	client->pipe.close(client->pipe.context);
	json_stream_destroy(client->stream);
	free(client->read_buffer);
	free(client->peer);
	free(client->place);
	free(client);
}

void rpc_client_on_notification(
	struct rpc_client *client, rpc_notification_handler *handler, void *context)
{
	client->handler = handler;
	client->handler_context = context;
}

int rpc_client_fd(const struct rpc_client *client)
{
	return client->pipe.fd;
}

// Is this what the exchange waits for? A batch is answered as an array, but a server that could
// not even read the request answers with one error object without an id.
static bool is_awaited(const struct exchange *exchange, const json_t *message)
{
	const json_t *id = json_object_get(message, "id");

	if (json_is_array(message))
		return true;
	if (json_is_null(id))
		return json_object_get(message, "error") != NULL;
	return json_is_integer(id) && json_integer_value(id) == exchange->first_id;
}

// Hand out what has been read. 0 or -EPROTO. `exchange` may be NULL.
static int messages_take(struct rpc_client *client, struct exchange *exchange)
{
	const char *error_text;
	json_t *message;

	while ((message = json_stream_next(client->stream, &error_text)) != NULL) {
		const char *method = json_string_value(json_object_get(message, "method"));

		if (method != NULL && json_object_get(message, "id") == NULL) {
			if (client->handler != NULL)
				client->handler(client->handler_context, method,
					json_object_get(message, "params"));
		} else if (exchange != NULL && exchange->answer == NULL &&
			   is_awaited(exchange, message)) {
			exchange->answer = json_incref(message);
		}
		json_decref(message);
	}
	return error_text != NULL ? -EPROTO : 0;
}

// Read what is there. The number of bytes, 0 if there is nothing now, or -errno.
static ssize_t bytes_read(struct rpc_client *client)
{
	ssize_t count = client->pipe.read(client->pipe.context, client->read_buffer, READ_SIZE);
	int code;

	if (count == 0)
		return -ECONNRESET;
	if (count < 0)
		return count == -EAGAIN || count == -EINTR ? 0 : count;
	code = json_stream_feed(client->stream, client->read_buffer, count);
	return code < 0 ? code : count;
}

// 0 or -errno; a server that closes may have said why before, so that is for reading to find out.
static int bytes_write(struct rpc_client *client, struct exchange *exchange)
{
	ssize_t count = client->pipe.write(client->pipe.context, exchange->bytes, exchange->count);

	if (count >= 0) {
		exchange->bytes += count;
		exchange->count -= count;
	} else if (count == -EPIPE || count == -ECONNRESET) {
		exchange->count = 0;
	} else if (count != -EAGAIN && count != -EINTR) {
		return (int)count;
	}
	return 0;
}

// Send and wait for the answer. 0, -ETIMEDOUT or another -errno. It reads while it sends, so that
// neither side waits for the other.
static int exchange_run(struct rpc_client *client, struct exchange *exchange, int timeout_ms)
{
	int64_t deadline = deadline_after(timeout_ms);

	while (exchange->answer == NULL) {
		struct pollfd wait = {.fd = client->pipe.fd,
			.events = POLLIN | (exchange->count > 0 ? POLLOUT : 0)};
		int ready = poll(&wait, 1, remaining_ms(deadline));
		int code = 0;

		if (ready == 0)
			return -ETIMEDOUT;
		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready < 0)
			continue;
		if ((wait.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
			ssize_t count = bytes_read(client);

			code = messages_take(client, exchange);
			if (count < 0 && exchange->answer == NULL)
				return (int)count;
		}
		if (code == 0 && exchange->count > 0 && (wait.revents & POLLOUT) != 0)
			code = bytes_write(client, exchange);
		if (code < 0 && exchange->answer == NULL)
			return code;
	}
	return 0;
}

static void exchange_failed(struct rpc_client *client, int code, const char *what, int timeout_ms,
	struct rpc_error *error)
{
	const char *reason = client->pipe.reason(client->pipe.context);
	const char *peer = client->peer;

	if (code == -ETIMEDOUT)
		rpc_error_set(error, RPC_TIMEOUT,
			"%s did not answer %s within %d.%03d s; it may still be at work "
			"on it",
			peer, what, timeout_ms / 1000, timeout_ms % 1000);
	else if (code == -EPROTO || code == -EMSGSIZE)
		rpc_error_set(error, RPC_DISCONNECTED,
			"what %s answered to %s is not JSON or too long; is it the daemon "
			"that listens on %s?",
			peer, what, client->place);
	else
		rpc_error_set(error, RPC_DISCONNECTED,
			"%s closed the connection before it answered %s (%s)", peer, what,
			reason != NULL ? reason : strerror(-code));
}

// Send `request`, which is stolen. The whole answer or NULL with *error.
static json_t *request_send(struct rpc_client *client, json_t *request, json_int_t first_id,
	const char *what, int timeout_ms, struct rpc_error *error)
{
	size_t length;
	char *text = json_text_write(request, &length);
	struct exchange exchange = {.bytes = text, .first_id = first_id};
	int code;

	json_decref(request);
	if (text == NULL) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "%s: out of memory", what);
		return NULL;
	}
	text[length] = '\n';
	exchange.count = length + 1;
	code = exchange_run(client, &exchange, timeout_ms);
	free(text);
	if (code < 0) {
		exchange_failed(client, code, what, timeout_ms, error);
		json_decref(exchange.answer);
		return NULL;
	}
	return exchange.answer;
}

static json_t *request_make(json_int_t id, const char *method, json_t *params)
{
	json_t *request =
		json_pack("{s:s, s:I, s:s}", "jsonrpc", "2.0", "id", id, "method", method);

	if (request != NULL && params != NULL)
		json_object_set(request, "params", params);
	return request;
}

json_t *rpc_client_call(struct rpc_client *client, const char *method, json_t *params,
	int timeout_ms, struct rpc_error *error)
{
	json_int_t id = ++client->last_id;
	json_t *answer;
	json_t *result;

	answer = request_send(
		client, request_make(id, method, params), id, method, timeout_ms, error);
	json_decref(params);
	if (answer == NULL)
		return NULL;
	result = json_incref(json_object_get(answer, "result"));
	if (result == NULL)
		rpc_error_from_json(error, json_object_get(answer, "error"));
	json_decref(answer);
	return result;
}

// The answers of a batch come in any order.
static json_t *batch_sort(json_t *answers, json_int_t first_id, size_t count)
{
	json_t *sorted = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(sorted, json_null());
	for (size_t i = 0; i < json_array_size(answers); i++) {
		json_t *answer = json_array_get(answers, i);
		json_int_t id = json_integer_value(json_object_get(answer, "id"));

		if (id >= first_id && id < first_id + (json_int_t)count)
			json_array_set(sorted, id - first_id, answer);
	}
	for (size_t i = 0; i < count; i++)
		if (json_is_null(json_array_get(sorted, i)))
			json_array_set_new(sorted, i,
				json_pack("{s:{s:i, s:s}}", "error", "code", RPC_INTERNAL_ERROR,
					"message", "the call was not answered"));
	return sorted;
}

json_t *rpc_client_batch(
	struct rpc_client *client, json_t *calls, int timeout_ms, struct rpc_error *error)
{
	size_t count = json_array_size(calls);
	json_int_t first_id = client->last_id + 1;
	json_t *requests;
	json_t *answers;
	json_t *sorted;

	if (count == 0) {
		json_decref(calls);
		return json_array();
	}
	requests = json_array();
	for (size_t i = 0; i < count; i++) {
		json_t *call = json_array_get(calls, i);
		const char *method = json_string_value(json_object_get(call, "method"));

		json_array_append_new(
			requests, request_make(++client->last_id, method != NULL ? method : "",
					  json_object_get(call, "params")));
	}
	json_decref(calls);
	answers = request_send(client, requests, first_id, "a batch", timeout_ms, error);
	if (answers == NULL)
		return NULL;
	if (!json_is_array(answers)) {
		rpc_error_from_json(error, json_object_get(answers, "error"));
		json_decref(answers);
		return NULL;
	}
	sorted = batch_sort(answers, first_id, count);
	json_decref(answers);
	return sorted;
}

int rpc_client_poll(struct rpc_client *client)
{
	ssize_t count = 1;

	for (int round = 0; round < READS_PER_POLL && count > 0; round++) {
		count = bytes_read(client);
		if (messages_take(client, NULL) < 0)
			return -ECONNRESET;
	}
	return count < 0 ? -ECONNRESET : 0;
}
