// SPDX-License-Identifier: Apache-2.0
//
// What must hold of rows at the end of a transaction; see model_edit.h.

#include <string.h>

#include "vswitch/affinity.h"
#include "vswitch/interface_types.h"
#include "vswitch/model_edit.h"

static bool validate_port(const json_t *port, struct rpc_error *error)
{
	const char *name = row_string(port, "name");
	const char *mode = row_string(port, "vlan_mode");
	bool tagged = row_integer(port, "tag", -1) >= 0;
	bool trunks = json_array_size(json_object_get(port, "trunks")) > 0;

	if (*mode && strcmp(mode, "trunk") != 0 && !tagged)
		rpc_error_set(error, RPC_REFUSED, "port %s: vlan_mode=%s needs a tag; set tag=VLAN",
			name, mode);
	else if (strcmp(mode, "trunk") == 0 && tagged)
		rpc_error_set(error, RPC_REFUSED,
			"port %s: a trunk has no tag; clear it, or set "
			"vlan_mode=native-untagged for a native VLAN",
			name);
	else if (strcmp(mode, "access") == 0 && trunks)
		rpc_error_set(error, RPC_REFUSED,
			"port %s: an access port has no trunks; clear them, or set "
			"vlan_mode=native-untagged",
			name);
	else if (!*mode && tagged && trunks)
		rpc_error_set(error, RPC_REFUSED,
			"port %s: tag and trunks together need vlan_mode=native-tagged or "
			"native-untagged",
			name);
	else
		return true;
	return false;
}

static bool validate_interface(const json_t *interface, struct rpc_error *error)
{
	const char *name = row_string(interface, "name");
	const char *pins = row_map_get(interface, "other_config", "pmd-rxq-affinity");
	struct affinity_pin parsed[64];
	char reason[512];

	if (!interface_type_check(row_string(interface, "type"), reason, sizeof(reason))) {
		const char *option = json_object_iter_key(
			json_object_iter(json_object_get(interface, "options")));

		// With a misspelt key, "tpye=dpdk", it went into the options.
		if (!*row_string(interface, "type") && option)
			rpc_error_set(error, RPC_REFUSED,
				"port %s: \"%s\" was taken for an option of its type, but %s", name,
				option, reason);
		else
			rpc_error_set(error, RPC_REFUSED, "port %s: %s", name, reason);
		return false;
	}
	return !pins || affinity_pins_parse(pins, parsed, 64, error) >= 0;
}

static bool validate_root(const json_t *root, struct rpc_error *error)
{
	const char *mask = row_map_get(root, "other_config", "pmd-cpu-mask");
	struct core_set set;

	return !mask || core_set_parse(&set, mask, error) == 0;
}

bool edit_validate(const struct model *model, struct rpc_error *error)
{
	const struct model_change *changes;
	size_t count = model_changes(model, &changes);
	bool good = true;

	for (size_t i = 0; i < count && good; i++) {
		const json_t *row = model_row(model, changes[i].table, changes[i].uuid);

		if (changes[i].removed)
			continue;
		if (changes[i].table == TABLE_PORT)
			good = validate_port(row, error);
		else if (changes[i].table == TABLE_INTERFACE)
			good = validate_interface(row, error);
		else if (changes[i].table == TABLE_OPEN_VSWITCH)
			good = validate_root(row, error);
	}
	return good;
}
