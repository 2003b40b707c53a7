// SPDX-License-Identifier: Apache-2.0

// fdb.*: the MAC tables of bridges.

#include <stdio.h>

#include "datapath/clock.h"
#include "datapath/datapath.h"
#include "datapath/pmd.h"
#include "rpc/rpc_params.h"

#define LIST_BATCH 256

static json_t *entry_json(const struct bridge *bridge, const struct mac_entry *entry)
{
	const struct port *port = bridge->ports[entry->port];
	const uint8_t *mac = entry->mac;
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
	return json_pack("{s:s, s:i, s:i, s:s, s:I}", "port", port ? port->settings.name : "",
		"ofport", (int)entry->port, "vlan", (int)entry->vlan, "mac", text, "age",
		(json_int_t)entry->age);
}

static json_t *show(void *context, json_t *params, struct rpc_error *error)
{
	struct bridge *bridge = bridge_get(context, params, error);
	struct mac_entry entries[LIST_BATCH];
	size_t cursor = 0, count;
	json_t *all;

	if (!bridge)
		return NULL;
	learn_drain(context);
	all = json_array();
	do {
		count = mac_table_list(pipeline_mac_table(bridge->pipeline),
			(uint32_t)(clock_ms() / 1000), &cursor, entries, LIST_BATCH);
		for (size_t i = 0; i < count; i++)
			json_array_append_new(all, entry_json(bridge, &entries[i]));
	} while (count > 0);
	return all;
}

static json_t *flush(void *context, json_t *params, struct rpc_error *error)
{
	struct bridge *bridge = bridge_get(context, params, error);
	const char *name = json_string_value(json_object_get(params, "port"));
	const json_t *vlan = json_object_get(params, "vlan");
	const struct port *port = name ? ports_find(context, name) : NULL;
	size_t count;

	if (!bridge)
		return NULL;
	if (name && (!port || port->bridge != bridge)) {
		rpc_error_set(error, RPC_NOT_FOUND, "bridge \"%s\" has no port \"%s\"",
			bridge->name, name);
		return NULL;
	}
	if (vlan && (json_integer_value(vlan) < 0 || json_integer_value(vlan) > 4095)) {
		rpc_error_set(error, RPC_REFUSED, "vlan: give a number from 0 to 4095");
		return NULL;
	}
	// What was seen before now is forgotten too.
	learn_drain(context);
	count = mac_table_flush(pipeline_mac_table(bridge->pipeline),
		port ? port->number : OFPORT_NONE, vlan ? (int)json_integer_value(vlan) : -1);
	return json_pack("{s:I}", "flushed", (json_int_t)count);
}

static json_t *stats(void *context, json_t *params, struct rpc_error *error)
{
	struct bridge *bridge = bridge_get(context, params, error);

	if (!bridge)
		return NULL;
	learn_drain(context);
	return learn_stats(bridge);
}

static const struct rpc_param params_show[] = {
	{"bridge", RPC_STRING, true, "the bridge"},
	{NULL},
};

static const struct rpc_param params_flush[] = {
	{"bridge", RPC_STRING, true, "the bridge"},
	{"port", RPC_STRING, false, "only addresses at this port"},
	{"vlan", RPC_INTEGER, false, "only addresses in this VLAN"},
	{NULL},
};

const struct rpc_method methods_fdb[] = {
	{"fdb.show", show, params_show, 0, "[{port, ofport, vlan, mac, age}]",
		"The MAC addresses that a bridge has learned; age in seconds."},
	{"fdb.stats", stats, params_show, 0,
		"{count, size, learned, moved, aged, evicted, flushed, ports: [{port, ofport, "
		"count, limited, lost}]}",
		"A MAC table: addresses in it and most that it holds; addresses learned, moved to "
		"another port, forgotten for their age, evicted to make room and flushed. Of each "
		"port, addresses that are there now, and how often one was not learned because the "
		"port was over mac_learning_rate, or there was no room on the way (lost)."},
	{"fdb.flush", flush, params_flush, 0, "{flushed}", "Forget learned MAC addresses."},
	{NULL},
};
