// SPDX-License-Identifier: Apache-2.0
#include "vswitch/methods.h"
#include "vswitch/model_edit.h"
#include "vswitch/vswitch.h"

// The datapath's method of the same name has the same parameters.
static json_t *forward(
	struct vswitch *vs, const char *method, json_t *params, struct rpc_error *error)
{
	const char *bridge = json_string_value(json_object_get(params, "bridge"));

	if (!model_bridge(vs->model, bridge, error))
		return NULL;
	return datapath_link_call(vs->link, method, json_incref(params), error);
}

static json_t *fdb_show(void *context, json_t *params, struct rpc_error *error)
{
	return forward(context, "fdb.show", params, error);
}

static json_t *fdb_stats(void *context, json_t *params, struct rpc_error *error)
{
	return forward(context, "fdb.stats", params, error);
}

static json_t *fdb_flush(void *context, json_t *params, struct rpc_error *error)
{
	return forward(context, "fdb.flush", params, error);
}

static const struct rpc_param show_params[] = {
	{"bridge", RPC_STRING, true, "name of the bridge"},
	{0},
};

static const struct rpc_param flush_params[] = {
	{"bridge", RPC_STRING, true, "name of the bridge"},
	{"port", RPC_STRING, false, "only addresses at this port"},
	{"vlan", RPC_INTEGER, false, "only addresses in this VLAN"},
	{0},
};

const struct rpc_method fdb_methods[] = {
	{"fdb.show", fdb_show, show_params, 0, "[{port, ofport, vlan, mac, age}]",
		"The MAC addresses that a bridge has learned; age in seconds."},
	{"fdb.stats", fdb_stats, show_params, 0,
		"{count, size, learned, moved, aged, evicted, flushed, ports: [{port, ofport, "
		"count, limited, lost}]}",
		"A bridge's MAC table: addresses in it and most that it holds; addresses learned, "
		"moved to another port, forgotten for their age, evicted to make room and flushed "
		"since it was made. Of each port, addresses that are there now, and how often one "
		"was not learned because the port was over the bridge's mac-learning-rate-limit, "
		"or there was no room on the way (lost)."},
	{"fdb.flush", fdb_flush, flush_params, 0, "{flushed}", "Forget learned MAC addresses."},
	{0},
};
