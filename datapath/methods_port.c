// SPDX-License-Identifier: Apache-2.0

// port.*

#include <stdio.h>

#include "datapath/datapath.h"
#include "rpc/rpc_params.h"

static struct port *named_port(
	struct datapath *datapath, const json_t *params, struct rpc_error *error)
{
	const char *name = json_string_value(json_object_get(params, "name"));
	struct port *port = ports_find(datapath, name);

	if (!port)
		rpc_error_set(error, RPC_NOT_FOUND, "there is no port \"%s\"", name);
	return port;
}

static json_t *types(void *context, json_t *params, struct rpc_error *error)
{
	return port_types_describe();
}

static json_t *add(void *context, json_t *params, struct rpc_error *error)
{
	struct port *port = port_add(context, params, error);
	struct port_view view = {0};
	char mac[18];

	if (!port)
		return NULL;
	port->ops->view(port, &view);
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", view.mac[0], view.mac[1],
		view.mac[2], view.mac[3], view.mac[4], view.mac[5]);
	return json_pack("{s:i, s:i, s:s, s:i, s:i}", "n_rxq", (int)view.n_rxq, "n_txq",
		(int)view.n_txq, "mac", mac, "mtu", (int)port->settings.mtu, "numa", view.numa);
}

static json_t *set(void *context, json_t *params, struct rpc_error *error)
{
	struct port *port = named_port(context, params, error);

	return port && port_set(port, params, error) ? json_object() : NULL;
}

static json_t *del(void *context, json_t *params, struct rpc_error *error)
{
	struct port *port = named_port(context, params, error);

	if (!port)
		return NULL;
	port_delete(port);
	return json_object();
}

static json_t *status(void *context, json_t *params, struct rpc_error *error)
{
	struct port *only = NULL;

	if (json_object_get(params, "name")) {
		only = named_port(context, params, error);
		if (!only)
			return NULL;
	}
	return ports_status(context, only);
}

#define SETTINGS                                                                              \
	{"vlan_mode", RPC_ANY, false, "access, trunk, native-tagged or native-untagged"},     \
		{"tag", RPC_ANY, false, "access or native VLAN"},                             \
		{"trunks", RPC_ANY, false, "list of VLANs that a trunk carries; empty: all"}, \
		{"mtu", RPC_ANY, false, "longest payload of a frame"},                        \
	{                                                                                     \
		"tx_steering", RPC_ANY, false,                                                \
			"what decides about a frame's transmit queue: thread (the one that "  \
			"sends it; the default) or hash (of its flow; vhostuser only)"        \
	}

static const struct rpc_param params_add[] = {
	{"bridge", RPC_STRING, true, "the bridge"},
	{"name", RPC_STRING, true, "the port; unique over all bridges"},
	{"type", RPC_STRING, true, "see port.types"},
	{"ofport", RPC_INTEGER, true, "OpenFlow number, unique on the bridge"},
	{"options", RPC_OBJECT, false, "of the type, strings; see port.types"},
	SETTINGS,
	{NULL},
};

static const struct rpc_param params_set[] = {
	{"name", RPC_STRING, true, "the port"},
	{"options", RPC_OBJECT, false,
		"all of them, as in port.add; only numbers of queues and descriptors may differ"},
	SETTINGS,
	{NULL},
};

static const struct rpc_param params_del[] = {
	{"name", RPC_STRING, true, "the port"},
	{NULL},
};

static const struct rpc_param params_status[] = {
	{"name", RPC_STRING, false, "one port; default: all"},
	{NULL},
};

const struct rpc_method methods_port[] = {
	{"port.types", types, NULL, 0, "[{type, aliases, help, options: [...]}]",
		"The port types and their options."},
	{"port.add", add, params_add, 0, "{n_rxq, n_txq, mac, mtu, numa}",
		"Open a port and connect it to a bridge. If that is refused, nothing is left "
		"behind."},
	{"port.set", set, params_set, 0, "{}",
		"Change VLANs, MTU, steering or numbers of queues of a port; null takes a setting "
		"back."},
	{"port.del", del, params_del, 0, "{}", "Close a port; the others lose nothing."},
	{"port.status", status, params_status, 0,
		"[{name, bridge, type, ofport, state, error, link, speed, mac, mtu, numa, n_rxq, "
		"n_txq, "
		"features, status, statistics, drops, copies, forwarded, ready_us}]",
		"State and counters of ports."},
	{NULL},
};
