// SPDX-License-Identifier: Apache-2.0
#pragma once

// Clients by TCP, each of which proves by a certificate who it is before a byte of JSON-RPC is
// looked at. Until then it has TLS_HANDSHAKE_MS; it does not count as a client of the server, and
// when more than TLS_HANDSHAKES_MAX are at it, the one that has been for longest has to go. Who
// fails gets an alert of TLS at most, and is told of by `log` with the reason.

#include "rpc/rpc_listener.h"
#include "rpc/tls.h"

#define TLS_HANDSHAKE_MS 5000
#define TLS_HANDSHAKES_MAX 256

struct tls_listener_config {
	SSL_CTX *context; // stolen, also when it fails
	// Subject CN or DNS names of those who may connect; copied. None: everybody whom the CA
	// signed.
	const char *const *names;
	size_t name_count;
	void (*log)(const char *text); // one line; called a few times per second at most
};

// A transport for rpc_server_listen_on(). False: no memory.
bool tls_transport_create(
	struct rpc_transport *transport, const struct tls_listener_config *config);

// A listening socket for "ADDRESS:PORT", port 0 for any. The descriptor with where it listens in
// `name`, or -errno with *error.
int tls_socket_listen(const char *address, char *name, size_t size, struct rpc_error *error);
