// SPDX-License-Identifier: Apache-2.0
#pragma once

// How clients reach vswitchd and what they may take: the section "rpc" of the configuration, read
// and judged at the start, so that mistakes end the daemon before it has begun, and the listening
// itself, which comes when there is something to say.

#include "conf/conf.h"
#include "rpc/rpc_server.h"
#include "rpc/tls.h"

struct clients {
	struct rpc_limits limits;
	struct socket_access access;
	const char *tls_address; // of the configuration; "": none
	SSL_CTX *tls;            // owned
	const char **tls_names;  // owned; the names are of the configuration
	size_t tls_name_count;
};

// False with *error, which names the key. The configuration must live longer.
bool clients_configure(struct clients *clients, const struct conf *conf, struct rpc_error *error);

// Set limits, and listen at the socket `path`, and by TLS if that is configured. False with *error.
bool clients_listen(struct clients *clients, struct rpc_server *server, const char *path,
	struct rpc_error *error);

void clients_end(struct clients *clients);
