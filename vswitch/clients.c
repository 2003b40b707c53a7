// SPDX-License-Identifier: Apache-2.0
#include "vswitch/clients.h"

#include <stdio.h>

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

bool clients_configure(struct clients *clients, const struct conf *conf, struct rpc_error *error)
{
	limits_configure(&clients->limits, conf);
	return access_configure(&clients->access, conf, error);
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

bool clients_listen(struct clients *clients, struct rpc_server *server, const char *path,
	struct rpc_error *error)
{
	raise_open_files(&clients->limits);
	rpc_server_set_limits(server, &clients->limits);
	return rpc_server_listen(server, path, &clients->access, error);
}
