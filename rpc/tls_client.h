// SPDX-License-Identifier: Apache-2.0
#pragma once

// The client of rpc_client.h, by TLS to another machine.
//
// The server's certificate has to be for the name or address that was asked for. With TLS 1.3 a
// client learns only after its first call whether the server takes its own certificate; the message
// of that call says so. SIGPIPE is ignored from the first connection on.

#include "rpc/rpc_client.h"
#include "rpc/tls.h"

// `address` is "tls:HOST:PORT" or "tls:[ADDRESS]:PORT". Tries until `timeout_ms` is over (0: once;
// the attempt itself has at least TLS_CONNECT_MS). Messages call the server `peer` and the files as
// `labels` says. NULL with *error.
struct rpc_client *tls_client_connect(const char *address, const char *peer,
	const struct tls_files *files, const struct tls_labels *labels, int timeout_ms,
	struct rpc_error *error);

#define TLS_CONNECT_MS 10000
