// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "rpc/json_member.h"
#include "vswitch/methods.h"
#include "vswitch/model_edit.h"
#include "vswitch/sync.h"

static json_t *stats_ports(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	const char *bridge = json_string_value(json_object_get(params, "bridge"));
	const char *port = json_string_value(json_object_get(params, "port"));
	json_t *list;
	json_t *result;
	size_t i;
	json_t *item;

	if (bridge && !model_bridge(vs->model, bridge, error))
		return NULL;
	if (port && !model_record(vs->model, TABLE_PORT, port, error))
		return NULL;
	list = sync_port_status(vs, port, error);
	if (!list)
		return NULL;
	result = json_array();
	json_array_foreach (list, i, item) {
		if (!bridge || strcmp(text_of(item, "bridge"), bridge) == 0)
			json_array_append(result, item);
	}
	json_decref(list);
	return result;
}

// Add the counters of `drops` to those in `total`.
static void add_up(json_t *total, const json_t *drops)
{
	const char *reason;
	json_t *count;

	json_object_foreach ((json_t *)drops, reason, count) {
		json_int_t sum = json_integer_value(json_object_get(total, reason)) +
				 json_integer_value(count);

		json_object_set_new(total, reason, json_integer(sum));
	}
}

static json_t *stats_drops(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	json_t *list = sync_port_status(vs, NULL, error);
	json_t *info = list ? datapath_link_call(vs->link, "datapath.info", NULL, error) : NULL;
	const json_t *removed = json_object_get(json_object_get(info, "removed"), "drops");
	json_t *ports = json_array();
	json_t *total = json_object();
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item) {
		add_up(total, json_object_get(item, "drops"));
		json_array_append_new(ports,
			json_pack("{s:s, s:s, s:O}", "name", text_of(item, "name"), "bridge",
				text_of(item, "bridge"), "drops", json_object_get(item, "drops")));
	}
	add_up(total, removed);
	item = info ? json_pack("{s:O, s:O, s:O}", "total", total, "ports", ports, "removed",
			      removed ? removed : json_object())
		    : NULL;
	json_decref(total);
	json_decref(ports);
	json_decref(list);
	json_decref(info);
	return item;
}

static const struct rpc_param ports_params[] = {
	{"bridge", RPC_STRING, false, "only ports of this bridge"},
	{"port", RPC_STRING, false, "only this port"},
	{0},
};

const struct rpc_method stats_methods[] = {
	{"stats.ports", stats_ports, ports_params, 0,
		"[{name, bridge, type, ofport, state, error, link, speed, mac, mtu, "
		"numa, n_rxq, n_txq, features, status, statistics, drops, copies, forwarded, "
		"ready_us}]",
		"State and counters of ports."},
	{"stats.drops", stats_drops, NULL, 0,
		"{total: {reason: count}, ports: [{name, bridge, drops}], removed}",
		"Dropped packets by reason, with those of ports that are gone."},
	{0},
};
