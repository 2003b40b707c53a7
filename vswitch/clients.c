// SPDX-License-Identifier: Apache-2.0
#include "vswitch/clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rpc/tls_listener.h"
#include "vswitch/log.h"

static void limits_configure(struct rpc_limits *limits, const struct conf *conf)
{
	*limits = rpc_limits_default;
	limits->memory = (size_t)conf_integer(conf, CONF_RPC_MEMORY) << 20;
	limits->decoded = 2 * limits->memory;
	limits->clients = (size_t)conf_integer(conf, CONF_RPC_MAX_CLIENTS);
}

// The error once more, with the key in front. Returns false.
static bool wrong_key(struct rpc_error *error, enum conf_id id)
{
	char message[sizeof(error->message)];

	snprintf(message, sizeof(message), "%s", error->message);
	rpc_error_set(error, error->code, "%s: %s", conf_key_get(id)->path, message);
	return false;
}

static bool access_configure(
	struct socket_access *access, const struct conf *conf, struct rpc_error *error)
{
	if (!socket_owner_parse(conf_string(conf, CONF_RPC_SOCKET_OWNER), &access->owner, error))
		return wrong_key(error, CONF_RPC_SOCKET_OWNER);
	if (!socket_group_parse(conf_string(conf, CONF_RPC_SOCKET_GROUP), &access->group, error))
		return wrong_key(error, CONF_RPC_SOCKET_GROUP);
	if (!socket_mode_parse(conf_string(conf, CONF_RPC_SOCKET_MODE), &access->mode, error))
		return wrong_key(error, CONF_RPC_SOCKET_MODE);
	return true;
}

static bool names_configure(
	struct clients *clients, const struct conf *conf, struct rpc_error *error)
{
	size_t count = conf_list_count(conf, CONF_RPC_TLS_ALLOWED_NAMES);

	clients->tls_names = calloc(count + 1, sizeof(*clients->tls_names));
	if (clients->tls_names == NULL) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		const char *name = conf_list_item(conf, CONF_RPC_TLS_ALLOWED_NAMES, i);

		// OpenSSL would take a dot in front for all names below.
		if (name[0] == '\0' || name[0] == '.' || strchr(name, '*') != NULL) {
			rpc_error_set(error, RPC_INVALID_PARAMS,
				"\"%s\" is no name: give each in full, as the CN or a DNS name of "
				"a certificate, without wildcards",
				name);
			return wrong_key(error, CONF_RPC_TLS_ALLOWED_NAMES);
		}
		clients->tls_names[clients->tls_name_count++] = name;
	}
	return true;
}

static bool tls_configure(struct clients *clients, const struct conf *conf, struct rpc_error *error)
{
	const struct tls_files files = {
		.certificate = conf_string(conf, CONF_RPC_TLS_CERTIFICATE),
		.private_key = conf_string(conf, CONF_RPC_TLS_PRIVATE_KEY),
		.ca = conf_string(conf, CONF_RPC_TLS_CA),
	};
	const struct tls_labels labels = {
		.certificate = conf_key_get(CONF_RPC_TLS_CERTIFICATE)->path,
		.private_key = conf_key_get(CONF_RPC_TLS_PRIVATE_KEY)->path,
		.ca = conf_key_get(CONF_RPC_TLS_CA)->path,
	};
	char host[256];
	char port[8];

	clients->tls_address = conf_string(conf, CONF_RPC_TLS_LISTEN);
	if (*clients->tls_address == '\0')
		return true;
	if (!tls_address_split(clients->tls_address, host, sizeof(host), port, sizeof(port))) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"\"%s\" is no address to listen on: write it as 192.0.2.1:6653, or as "
			"[2001:db8::1]:6653",
			clients->tls_address);
		return wrong_key(error, CONF_RPC_TLS_LISTEN);
	}
	clients->tls = tls_context_create(true, &files, &labels, error);
	return clients->tls != NULL && names_configure(clients, conf, error);
}

bool clients_configure(struct clients *clients, const struct conf *conf, struct rpc_error *error)
{
	limits_configure(&clients->limits, conf);
	return access_configure(&clients->access, conf, error) &&
	       tls_configure(clients, conf, error);
}

// As many clients as there may be descriptors for.
static void raise_open_files(struct rpc_limits *limits)
{
	size_t clients = rpc_open_files_raise(limits->clients);

	if (clients < limits->clients)
		log_warning("descriptors suffice for %zu clients, not for %zu as rpc.max_clients "
			    "says: raise the hard limit of open files (ulimit -Hn, or LimitNOFILE "
			    "of the unit)",
			clients, limits->clients);
	limits->clients = clients;
}

static void tls_log(const char *text)
{
	log_warning("%s", text);
}

static bool tls_listen(struct clients *clients, struct rpc_server *server, struct rpc_error *error)
{
	struct tls_listener_config config = {
		.context = clients->tls,
		.names = clients->tls_names,
		.name_count = clients->tls_name_count,
		.log = tls_log,
	};
	struct rpc_transport transport;
	char name[128] = "";
	int fd = tls_socket_listen(clients->tls_address, name, sizeof(name), error);

	if (fd < 0)
		return wrong_key(error, CONF_RPC_TLS_LISTEN);
	clients->tls = NULL;
	if (!tls_transport_create(&transport, &config)) {
		close(fd);
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return false;
	}
	if (!rpc_server_listen_on(server, fd, &transport)) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return false;
	}
	log_info("listening for clients by TLS at tls:%s", name);
	return true;
}

bool clients_listen(struct clients *clients, struct rpc_server *server, const char *path,
	struct rpc_error *error)
{
	raise_open_files(&clients->limits);
	rpc_server_set_limits(server, &clients->limits);
	return rpc_server_listen(server, path, &clients->access, error) &&
	       (clients->tls == NULL || tls_listen(clients, server, error));
}

void clients_end(struct clients *clients)
{
	SSL_CTX_free(clients->tls);
	free(clients->tls_names);
}
