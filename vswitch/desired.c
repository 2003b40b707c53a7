// SPDX-License-Identifier: Apache-2.0
#include "vswitch/desired.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/json_member.h"
#include "vswitch/interface_types.h"
#include "vswitch/model_edit.h"

// --- Bridges and ports ---

static json_t *bridge_config(const json_t *bridge)
{
	static const struct {
		const char *key;
		const char *member;
	} settings[] = {
		{"mac-aging-time", "mac_aging"},
		{"mac-table-size", "mac_table_size"},
		{"controller-rate-limit", "controller_rate"},
		{"controller-burst-limit", "controller_burst"},
		{"mac-learning-rate-limit", "mac_learning_rate"},
		{"mac-learning-burst-limit", "mac_learning_burst"},
	};
	json_t *config = json_pack("{s:s}", "name", row_string(bridge, "name"));

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const char *value = row_map_get(bridge, "other_config", settings[i].key);

		// The schema has made sure that it is a number.
		if (value)
			json_object_set_new(config, settings[i].member, json_integer(atoll(value)));
	}
	return config;
}

json_t *desired_port_config(const struct model *model, const json_t *bridge, const json_t *port)
{
	const json_t *interface = model_interface_of(model, port);
	const char *type = row_string(interface, "type");
	const char *mode = row_string(port, "vlan_mode");
	const json_t *trunks = json_object_get(port, "trunks");
	json_int_t tag = row_integer(port, "tag", -1);
	json_int_t mtu = row_integer(interface, "mtu_request", -1);
	const char *steering = row_map_get(interface, "other_config", "tx-steering");
	json_t *config = json_pack("{s:s, s:s, s:s, s:I, s:o}", "bridge",
		row_string(bridge, "name"), "name", row_string(port, "name"), "type",
		interface_type_resolve(type), "ofport", row_integer(interface, "ofport", 0),
		"options", interface_options_resolve(type, json_object_get(interface, "options")));

	if (!*mode)
		mode = tag >= 0 ? "access" : "trunk";
	json_object_set_new(config, "vlan_mode", json_string(mode));
	if (tag >= 0)
		json_object_set_new(config, "tag", json_integer(tag));
	if (json_array_size(trunks))
		json_object_set_new(config, "trunks", json_deep_copy(trunks));
	if (mtu >= 0)
		json_object_set_new(config, "mtu", json_integer(mtu));
	if (steering)
		json_object_set_new(config, "tx_steering", json_string(steering));
	return config;
}

json_t *desired_state(const struct model *model, const json_t *failures)
{
	json_t *bridges = json_array();
	json_t *ports = json_array();
	const char *uuid;
	json_t *bridge;

	json_object_foreach ((json_t *)model_rows(model, TABLE_BRIDGE), uuid, bridge) {
		size_t i;
		json_t *port_uuid;

		json_array_append_new(
			bridges, json_pack("{s:s, s:o}", "name", row_string(bridge, "name"),
					 "config", bridge_config(bridge)));
		json_array_foreach (json_object_get(bridge, "ports"), i, port_uuid) {
			const json_t *port =
				model_row(model, TABLE_PORT, json_string_value(port_uuid));
			json_t *config = desired_port_config(model, bridge, port);
			const json_t *failure = json_object_get(failures, text_of(config, "name"));

			if (failure && json_equal(json_object_get(failure, "config"), config)) {
				json_decref(config);
				continue;
			}
			json_array_append_new(ports,
				json_pack("{s:s, s:s, s:o}", "name", text_of(config, "name"),
					"bridge", row_string(bridge, "name"), "config", config));
		}
	}
	return json_pack("{s:o, s:o}", "bridges", bridges, "ports", ports);
}
