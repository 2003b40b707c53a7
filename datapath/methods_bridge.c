// SPDX-License-Identifier: Apache-2.0

// bridge.*

#include "datapath/datapath.h"
#include "rpc/rpc_params.h"

static struct bridge *named_bridge(
	struct datapath *datapath, const json_t *params, struct rpc_error *error)
{
	const char *name = json_string_value(json_object_get(params, "name"));
	struct bridge *bridge = bridge_find(datapath, name);

	if (!bridge)
		rpc_error_set(error, RPC_NOT_FOUND, "there is no bridge \"%s\"", name);
	return bridge;
}

static json_t *add(void *context, json_t *params, struct rpc_error *error)
{
	return bridge_add(context, params, error) ? json_object() : NULL;
}

static json_t *set(void *context, json_t *params, struct rpc_error *error)
{
	struct bridge *bridge = named_bridge(context, params, error);

	return bridge && bridge_set(bridge, params, error) ? json_object() : NULL;
}

static json_t *del(void *context, json_t *params, struct rpc_error *error)
{
	struct bridge *bridge = named_bridge(context, params, error);

	if (!bridge)
		return NULL;
	bridge_delete(bridge);
	return json_object();
}

static const struct rpc_param params_bridge[] = {
	{"name", RPC_STRING, true, "the bridge"},
	{"mac_aging", RPC_INTEGER, false, "seconds until an unseen MAC address is forgotten"},
	{"mac_table_size", RPC_INTEGER, false, "most MAC addresses held"},
	{"controller_rate", RPC_INTEGER, false, "packets per second to the controller"},
	{"controller_burst", RPC_INTEGER, false, "packets to the controller at once"},
	{"mac_learning_rate", RPC_INTEGER, false, "MAC addresses learned per second and port"},
	{"mac_learning_burst", RPC_INTEGER, false, "MAC addresses learned at once per port"},
	{NULL},
};

static const struct rpc_param params_name[] = {
	{"name", RPC_STRING, true, "the bridge"},
	{NULL},
};

const struct rpc_method methods_bridge[] = {
	{"bridge.add", add, params_bridge, 0, "{}", "Add a bridge without ports and flows."},
	{"bridge.set", set, params_bridge, 0, "{}",
		"Change a bridge. The size of its MAC table is fixed."},
	{"bridge.del", del, params_name, 0, "{}", "Delete a bridge with its ports and flows."},
	{NULL},
};
