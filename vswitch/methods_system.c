// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <unistd.h>

#include "rpc/json_member.h"
#include "vswitch/handover.h"
#include "vswitch/live.h"
#include "vswitch/methods.h"
#include "vswitch/model_edit.h"
#include "vswitch/vswitch.h"

#define WAIT_MS_MAX 60000

static json_t *system_info(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	bool connected = datapath_link_connected(vs->link);
	json_t *datapath = vs->info ? json_copy(vs->info) : json_object();

	json_object_set_new(datapath, "connected", json_boolean(connected));
	if (!connected)
		json_object_set_new(
			datapath, "problem", json_string(datapath_link_problem(vs->link)));
	return json_pack("{s:s, s:i, s:I, s:o, s:s, s:s, s:i}", "version", TURNOUT_VERSION, "pid",
		(int)getpid(), "uptime_ms", (json_int_t)(clock_steady_ms() - vs->started_ms),
		"datapath", datapath, "db", store_path(vs->store), "rundir", vs->rundir,
		"failed_ports", (int)json_object_size(vs->failures));
}

static json_t *show_interface(struct vswitch *vs, const json_t *interface, const json_t *ports)
{
	const char *name = row_string(interface, "name");
	const json_t *status = json_object_get(ports, name);
	const char *error = live_error(vs, name, status);
	json_t *result = json_pack("{s:s, s:s, s:O, s:O}", "name", name, "type",
		row_string(interface, "type"), "ofport", json_object_get(interface, "ofport"),
		"options", json_object_get(interface, "options"));

	// Without a datapath all have the same, which is said once, as the problem of the whole.
	if (*error && datapath_link_connected(vs->link))
		json_object_set_new(result, "error", json_string(error));
	if (status) {
		json_object_set(result, "state", json_object_get(status, "state"));
		json_object_set(result, "status", json_object_get(status, "status"));
	}
	return result;
}

static json_t *show_port(struct vswitch *vs, const json_t *port, const json_t *ports)
{
	json_t *result = json_pack("{s:s}", "name", row_string(port, "name"));
	const json_t *interface = model_interface_of(vs->model, port);

	if (row_integer(port, "tag", -1) >= 0)
		json_object_set(result, "tag", json_object_get(port, "tag"));
	if (json_array_size(json_object_get(port, "trunks")))
		json_object_set(result, "trunks", json_object_get(port, "trunks"));
	if (*row_string(port, "vlan_mode"))
		json_object_set(result, "vlan_mode", json_object_get(port, "vlan_mode"));
	json_object_set_new(result, "interfaces",
		interface ? json_pack("[o]", show_interface(vs, interface, ports)) : json_array());
	return result;
}

static json_t *show_bridge(struct vswitch *vs, const json_t *bridge, const json_t *ports)
{
	json_t *list = json_array();
	json_t *result;
	size_t i;
	json_t *uuid;

	json_array_foreach (json_object_get(bridge, "ports"), i, uuid) {
		const json_t *port = model_row(vs->model, TABLE_PORT, json_string_value(uuid));

		json_array_append_new(list, show_port(vs, port, ports));
	}
	result = json_pack("{s:s, s:o}", "name", row_string(bridge, "name"), "ports", list);
	if (*row_string(bridge, "fail_mode"))
		json_object_set(result, "fail_mode", json_object_get(bridge, "fail_mode"));
	if (json_object_get(vs->bridge_errors, row_string(bridge, "name")))
		json_object_set(result, "error",
			json_object_get(vs->bridge_errors, row_string(bridge, "name")));
	return result;
}

static json_t *system_show(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	json_t *ports = live_ports(vs, NULL);
	json_t *rows = model_sorted(vs->model, TABLE_BRIDGE);
	json_t *bridges = json_array();
	json_t *result;
	size_t i;
	json_t *bridge;

	json_array_foreach (rows, i, bridge) {
		json_array_append_new(bridges, show_bridge(vs, bridge, ports));
	}
	json_decref(rows);
	result = json_pack("{s:s, s:s, s:o}", "uuid", row_uuid(edit_root(vs->model)), "version",
		TURNOUT_VERSION, "bridges", bridges);
	if (!datapath_link_connected(vs->link))
		json_object_set_new(
			result, "problem", json_string(datapath_link_problem(vs->link)));
	json_decref(ports);
	return result;
}

static json_t *system_exit(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	struct timeval soon = {0, 20000};

	if (json_is_true(json_object_get(params, "datapath"))) {
		json_t *result;

		datapath_link_stop_starting(vs->link);
		result = datapath_link_call(vs->link, "system.exit", NULL, error);
		if (!result && error->code != RPC_UNAVAILABLE)
			return NULL;
		rpc_error_clear(error);
		json_decref(result);
	}
	// The answer goes out before the end.
	event_base_loopexit(vs->base, &soon);
	return json_object();
}

static json_t *datapath_restart(void *context, json_t *params, struct rpc_error *error)
{
	json_int_t wait_ms = number_or(params, "wait_ms", HANDOVER_WAIT_MS);

	if (wait_ms < 0 || wait_ms > WAIT_MS_MAX) {
		rpc_error_set(
			error, RPC_INVALID_PARAMS, "wait_ms is a number from 0 to %d", WAIT_MS_MAX);
		return NULL;
	}
	return handover_run(context, (int)wait_ms, error);
}

static const struct rpc_param restart_params[] = {
	{"wait_ms", RPC_INTEGER, false,
		"how long frames wait in guests' rings, at most, for all ports to be up again; "
		"100 if not given"},
	{0},
};

static const struct rpc_param exit_params[] = {
	{"datapath", RPC_BOOLEAN, false, "stop datapathd too; otherwise it goes on forwarding"},
	{0},
};

const struct rpc_method system_methods[] = {
	{"system.info", system_info, NULL, 0,
		"{version, pid, uptime_ms, datapath: {connected, version, instance, "
		"hugepages, cpus, problem?}, db, rundir, failed_ports}",
		"State of both daemons."},
	{"system.show", system_show, NULL, 0,
		"{uuid, version, problem?, bridges: [{name, fail_mode?, error?, ports: "
		"[{name, tag?, trunks?, vlan_mode?, interfaces: [{name, type, ofport, "
		"options, state?, status?, error?}]}]}]}",
		"All bridges with their ports and interfaces."},
	{"datapath.restart", datapath_restart, restart_params, 0,
		"{gap_ms, pid, version, old_pid, old_version, ports, late: [name]}",
		"Have a new datapathd take over from the one that runs, such as one of another "
		"version. It is started and given everything before the old one lets go of its "
		"ports. gap_ms: from when the old one took no packet any more until the new one "
		"did; late are ports that were up, and were not again by then. Counters begin "
		"anew."},
	{"system.exit", system_exit, exit_params, 0, "{}",
		"End vswitchd. datapathd goes on forwarding unless it is to end too."},
	{0},
};
