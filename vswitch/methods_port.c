// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "rpc/json_member.h"
#include "vswitch/flows.h"
#include "vswitch/methods.h"
#include "vswitch/model_edit.h"
#include "vswitch/transaction.h"

static json_t *port_list(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	const json_t *bridge = model_bridge(vs->model, text_of(params, "bridge"), error);
	json_t *names;
	size_t i;
	json_t *uuid;

	if (!bridge)
		return NULL;
	names = json_array();
	json_array_foreach (json_object_get(bridge, "ports"), i, uuid) {
		const json_t *port = model_row(vs->model, TABLE_PORT, json_string_value(uuid));

		json_array_append(names, json_object_get(port, "name"));
	}
	return names;
}

static json_t *port_to_bridge(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	const json_t *port = model_record(vs->model, TABLE_PORT, text_of(params, "name"), error);
	const json_t *bridge = port ? model_bridge_of(vs->model, port) : NULL;

	return bridge ? json_string(row_string(bridge, "name")) : NULL;
}

// In the order in which dumps show them: by number.
static json_t *port_names(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	const json_t *bridge = model_bridge(vs->model, text_of(params, "bridge"), error);
	struct flow_owner *owner = bridge ? flows_find(vs, row_uuid(bridge)) : NULL;
	const struct port_names *names;
	json_t *result;

	if (!owner)
		return NULL;
	names = flows_port_names(vs, owner);
	result = json_array();
	for (size_t i = 0; i < names->count; i++)
		json_array_append_new(result, json_pack("{s:s, s:i}", "name", names->items[i].name,
						      "ofport", (int)names->items[i].number));
	return result;
}

// Parameters that are columns of the port or its interface.
static bool port_settings(
	struct vswitch *vs, const json_t *port, const json_t *params, struct rpc_error *error)
{
	static const struct {
		const char *param;
		enum schema_table_id table;
		const char *column;
	} settings[] = {
		{"type", TABLE_INTERFACE, "type"},
		{"ofport", TABLE_INTERFACE, "ofport_request"},
		{"mtu", TABLE_INTERFACE, "mtu_request"},
		{"options", TABLE_INTERFACE, "options"},
		{"tag", TABLE_PORT, "tag"},
		{"trunks", TABLE_PORT, "trunks"},
		{"vlan_mode", TABLE_PORT, "vlan_mode"},
	};
	const json_t *interface = model_interface_of(vs->model, port);
	char port_uuid[UUID_SIZE];
	char interface_uuid[UUID_SIZE];

	snprintf(port_uuid, sizeof(port_uuid), "%s", row_uuid(port));
	snprintf(interface_uuid, sizeof(interface_uuid), "%s", row_uuid(interface));
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const json_t *value = json_object_get(params, settings[i].param);
		const char *uuid = settings[i].table == TABLE_PORT ? port_uuid : interface_uuid;

		if (value && !edit_set(vs->model, settings[i].table, uuid, settings[i].column,
				     value, error))
			return false;
	}
	return true;
}

// True if a port of that name is on that bridge and that is no error.
static bool port_present(struct vswitch *vs, const json_t *params)
{
	const json_t *port = model_named(vs->model, TABLE_PORT, text_of(params, "name"));
	const json_t *bridge = port ? model_bridge_of(vs->model, port) : NULL;

	return bridge && json_is_true(json_object_get(params, "may_exist")) &&
	       strcmp(row_string(bridge, "name"), text_of(params, "bridge")) == 0;
}

static json_t *port_add(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	const char *name = text_of(params, "name");
	bool present = port_present(vs, params);
	const json_t *port;

	if (!transaction_enter(vs, params, error))
		return NULL;
	if (!present && !edit_port_add(vs->model, text_of(params, "bridge"), name, error))
		return NULL;
	port = model_named(vs->model, TABLE_PORT, name);
	if (!port_settings(vs, port, params, error))
		return NULL;
	return json_pack("{s:s, s:O, s:b}", "uuid", row_uuid(port), "ofport",
		json_object_get(model_interface_of(vs->model, port), "ofport"), "added", !present);
}

static json_t *port_del(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	const char *name = text_of(params, "name");
	const char *bridge = json_string_value(json_object_get(params, "bridge"));

	if (!transaction_enter(vs, params, error))
		return NULL;
	if (!model_named(vs->model, TABLE_PORT, name) &&
		json_is_true(json_object_get(params, "if_exists")))
		return json_pack("{s:b}", "removed", 0);
	if (!edit_port_remove(vs->model, bridge, name, error))
		return NULL;
	return json_pack("{s:b}", "removed", 1);
}

static const struct rpc_param list_params[] = {
	{"bridge", RPC_STRING, true, "name of the bridge"},
	{0},
};

static const struct rpc_param name_params[] = {
	{"name", RPC_STRING, true, "name of the port"},
	{0},
};

static const struct rpc_param add_params[] = {
	{"bridge", RPC_STRING, true, "name of the bridge"},
	{"name", RPC_STRING, true, "name of the port, unique in the switch"},
	{"may_exist", RPC_BOOLEAN, false,
		"it is no error if that bridge has it; what is given is set"},
	{"type", RPC_STRING, false,
		"see port.types, or Open vSwitch's name of one; needed by the end of the "
		"transaction"},
	{"ofport", RPC_INTEGER, false, "OpenFlow number; the lowest free one if not given"},
	{"tag", RPC_INTEGER, false, "VLAN of an access port, or native VLAN"},
	{"trunks", RPC_ANY, false, "VLANs that a trunk carries: [1, 2] or \"1,2\""},
	{"vlan_mode", RPC_STRING, false, "access, trunk, native-tagged or native-untagged"},
	{"mtu", RPC_INTEGER, false, "MTU wanted"},
	{"options", RPC_OBJECT, false,
		"options of the type, such as {\"path\": \"/run/vhu0.sock\"}"},
	PARAM_NO_WAIT,
	{0},
};

static const struct rpc_param del_params[] = {
	{"name", RPC_STRING, true, "name of the port"},
	{"bridge", RPC_STRING, false, "refuse if it is on another bridge"},
	{"if_exists", RPC_BOOLEAN, false, "it is no error if it is not there"},
	PARAM_NO_WAIT,
	{0},
};

static json_t *port_types(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;

	return datapath_link_call(vs->link, "port.types", NULL, error);
}

const struct rpc_method port_methods[] = {
	{"port.list", port_list, list_params, 0, "[name]", "The ports of a bridge."},
	{"port.types", port_types, NULL, 0,
		"[{type, aliases, help, options: [{name, type, default, help}]}]",
		"The port types that datapathd has, with their options."},
	{"port.to_bridge", port_to_bridge, name_params, 0, "name", "The bridge that a port is on."},
	{"port.names", port_names, list_params, 0, "[{name, ofport}]",
		"Names and OpenFlow numbers of a bridge's ports, by number."},
	{"port.add", port_add, add_params, RPC_TRANSACTIONAL, "{uuid, ofport, added}",
		"Add a port to a bridge. Answered when the datapath has it."},
	{"port.del", port_del, del_params, RPC_TRANSACTIONAL, "{removed}",
		"Delete a port. Flows that name its number stay."},
	{0},
};
