// SPDX-License-Identifier: Apache-2.0
#pragma once

// A blocking JSON-RPC 2.0 client on a unix socket, or on what tls_client.h makes: for command
// lines, and for a daemon that wants an answer before it goes on. Notifications that arrive while a
// call waits, or when rpc_client_poll() is called, go to the notification handler, which may not
// make calls on the same client. One thread. Timeouts are in milliseconds; a negative one waits for
// ever.

#include <sys/types.h>

#include <jansson.h>

#include "rpc/rpc_error.h"

struct rpc_client;

typedef void rpc_notification_handler(void *context, const char *method, json_t *params);

// Connects, trying again until `timeout_ms` is over (0: once). NULL with *error set: says which
// socket, and whether there is no such file, nobody listens, or permission is missing.
struct rpc_client *rpc_client_connect(const char *path, int timeout_ms, struct rpc_error *error);
void rpc_client_destroy(struct rpc_client *client);

// What is between a client and its socket, which does not block.
struct rpc_pipe {
	void *context;
	// Up to `size` bytes, as many as there are; `size` is a multiple of 16 KiB. The number, 0
	// at the end, or -errno; -EAGAIN: nothing is there, and nothing is kept either that poll()
	// on the descriptor would not tell of.
	ssize_t (*read)(void *context, char *bytes, size_t size);
	// The number of bytes taken, or -errno; -EAGAIN: none now.
	ssize_t (*write)(void *context, const char *bytes, size_t count);
	// What the last failure was about, in words for people, or NULL.
	const char *(*reason)(void *context);
	void (*close)(void *context);
	int fd; // to wait on; closed by close()
};

// A client of a pipe, which is stolen, also when it fails. Messages call the other side `peer` and
// say that it is at `place`. NULL with *error: no memory.
struct rpc_client *rpc_client_create(
	const struct rpc_pipe *pipe, const char *peer, const char *place, struct rpc_error *error);

void rpc_client_on_notification(
	struct rpc_client *client, rpc_notification_handler *handler, void *context);

// Calls and waits. Steals params (may be NULL). Returns the result as a new reference, or NULL
// with *error: what the server said, or RPC_TIMEOUT, or RPC_DISCONNECTED. After a timeout or a
// disconnect the client is of no more use.
json_t *rpc_client_call(struct rpc_client *client, const char *method, json_t *params,
	int timeout_ms, struct rpc_error *error);

// A batch: `calls` is an array of {"method":..., "params":...}; ids are added. Steals calls.
// Returns an array in the same order of {"result":...} or {"error":...} objects, or NULL.
json_t *rpc_client_batch(
	struct rpc_client *client, json_t *calls, int timeout_ms, struct rpc_error *error);

int rpc_client_fd(const struct rpc_client *client); // to wait on for reading
// Read what is there, up to some megabytes, without blocking, and hand out notifications. The
// socket stays readable if there is more. 0 or -ECONNRESET.
int rpc_client_poll(struct rpc_client *client);
