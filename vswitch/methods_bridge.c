// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "rpc/json_member.h"
#include "vswitch/flows.h"
#include "vswitch/methods.h"
#include "vswitch/model_edit.h"
#include "vswitch/transaction.h"

static json_t *bridge_list(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	json_t *rows = model_sorted(vs->model, TABLE_BRIDGE);
	json_t *names = json_array();
	size_t i;
	json_t *bridge;

	json_array_foreach (rows, i, bridge) {
		json_array_append(names, json_object_get(bridge, "name"));
	}
	json_decref(rows);
	return names;
}

// Parameters that are columns of the bridge, or keys of its other_config.
static bool bridge_settings(
	struct vswitch *vs, const char *uuid, const json_t *params, struct rpc_error *error)
{
	static const struct {
		const char *param;
		const char *key;
	} keys[] = {
		{"mac_aging", "mac-aging-time"},
		{"mac_table_size", "mac-table-size"},
		{"mac_learning_rate", "mac-learning-rate-limit"},
		{"mac_learning_burst", "mac-learning-burst-limit"},
	};
	const json_t *fail_mode = json_object_get(params, "fail_mode");
	bool good = true;

	if (fail_mode)
		good = edit_set(vs->model, TABLE_BRIDGE, uuid, "fail_mode", fail_mode, error);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && good; i++) {
		json_t *value = json_object_get(params, keys[i].param);
		json_t *map = value ? json_pack("{s:O}", keys[i].key, value) : NULL;

		if (map)
			good = edit_set(vs->model, TABLE_BRIDGE, uuid, "other_config", map, error);
		json_decref(map);
	}
	return good;
}

static json_t *bridge_add(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	const char *name = text_of(params, "name");
	const json_t *bridge = model_named(vs->model, TABLE_BRIDGE, name);
	bool present = bridge && json_is_true(json_object_get(params, "may_exist"));
	char uuid[UUID_SIZE];

	if (!transaction_enter(vs, params, error))
		return NULL;
	if (!present) {
		bridge = edit_bridge_add(vs->model, name, error);
		if (!bridge || !flows_bridge_add(vs, bridge, error))
			return NULL;
	}
	snprintf(uuid, sizeof(uuid), "%s", row_uuid(bridge));
	if (!bridge_settings(vs, uuid, params, error))
		return NULL;
	return json_pack("{s:s, s:b}", "uuid", uuid, "added", !present);
}

static json_t *bridge_del(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	const char *name = text_of(params, "name");
	const json_t *bridge = model_named(vs->model, TABLE_BRIDGE, name);

	if (!transaction_enter(vs, params, error))
		return NULL;
	if (!bridge && json_is_true(json_object_get(params, "if_exists")))
		return json_pack("{s:b}", "removed", 0);
	if (bridge)
		flows_bridge_remove(vs, row_uuid(bridge));
	if (!edit_bridge_remove(vs->model, name, error))
		return NULL;
	return json_pack("{s:b}", "removed", 1);
}

static const struct rpc_param add_params[] = {
	{"name", RPC_STRING, true, "name of the bridge, unique in the switch"},
	{"may_exist", RPC_BOOLEAN, false, "it is no error if it is there"},
	{"fail_mode", RPC_STRING, false, "standalone (default) or secure: begin without flows"},
	{"mac_aging", RPC_INTEGER, false, "seconds until an unseen MAC address is forgotten"},
	{"mac_table_size", RPC_INTEGER, false, "most MAC addresses learned"},
	{"mac_learning_rate", RPC_INTEGER, false, "MAC addresses learned per second and port"},
	{"mac_learning_burst", RPC_INTEGER, false, "MAC addresses learned at once per port"},
	PARAM_NO_WAIT,
	{0},
};

static const struct rpc_param del_params[] = {
	{"name", RPC_STRING, true, "name of the bridge"},
	{"if_exists", RPC_BOOLEAN, false, "it is no error if it is not there"},
	PARAM_NO_WAIT,
	{0},
};

const struct rpc_method bridge_methods[] = {
	{"bridge.list", bridge_list, NULL, 0, "[name]", "The names of all bridges."},
	{"bridge.add", bridge_add, add_params, RPC_TRANSACTIONAL, "{uuid, added}",
		"Make a bridge. It begins with the flow priority=0,actions=normal, "
		"unless fail_mode is secure."},
	{"bridge.del", bridge_del, del_params, RPC_TRANSACTIONAL, "{removed}",
		"Delete a bridge with its ports and flows."},
	{0},
};
