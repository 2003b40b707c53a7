// SPDX-License-Identifier: Apache-2.0
#include "datapath/port_settings.h"

#include <string.h>

#include "pipeline/action.h"

static const char *const vlan_mode_names[] = {
	[VLAN_TRUNK] = "trunk",
	[VLAN_ACCESS] = "access",
	[VLAN_NATIVE_TAGGED] = "native-tagged",
	[VLAN_NATIVE_UNTAGGED] = "native-untagged",
};

bool name_check(const char *name, const char *what, struct rpc_error *error)
{
	size_t length = strlen(name);
	bool good = length > 0 && length < PORT_NAME_SIZE;

	for (size_t i = 0; i < length && good; i++) {
		unsigned char c = (unsigned char)name[i];

		good = c > ' ' && c != 0x7f && c != '/';
	}
	if (!good)
		rpc_error_set(error, RPC_REFUSED,
			"the name of a %s has 1 to %d characters, without blanks and slashes", what,
			PORT_NAME_SIZE - 1);
	return good;
}

// An optional integer member within bounds; *value stays as it is if there is none.
static bool integer_member(const json_t *config, const char *name, json_int_t least,
	json_int_t most, json_int_t *value, struct rpc_error *error)
{
	const json_t *member = json_object_get(config, name);

	if (!member || json_is_null(member))
		return true;
	if (!json_is_integer(member) || json_integer_value(member) < least ||
		json_integer_value(member) > most) {
		rpc_error_set(error, RPC_REFUSED, "%s: give a number from %lld to %lld", name,
			(long long)least, (long long)most);
		return false;
	}
	*value = json_integer_value(member);
	return true;
}

static bool trunks_parse(const json_t *trunks, uint64_t bitmap[64], struct rpc_error *error)
{
	size_t i;
	json_t *vlan;

	if (!trunks || json_is_null(trunks))
		return true;
	if (!json_is_array(trunks)) {
		rpc_error_set(error, RPC_REFUSED, "trunks: give a list of VLANs from 0 to 4095");
		return false;
	}
	json_array_foreach ((json_t *)trunks, i, vlan) {
		json_int_t number = json_integer_value(vlan);

		if (!json_is_integer(vlan) || number < 0 || number > 4095) {
			rpc_error_set(error, RPC_REFUSED,
				"trunks: item %zu is not a VLAN from 0 to 4095", i + 1);
			return false;
		}
		bitmap[number / 64] |= UINT64_C(1) << (number % 64);
	}
	return true;
}

// An unset mode follows from the tag, as in Open vSwitch: with one an access port, else a trunk.
static bool vlan_mode_parse(
	const json_t *mode, bool tagged, struct pipeline_port *port, struct rpc_error *error)
{
	const char *name = json_string_value(mode);

	port->vlan_mode = tagged ? VLAN_ACCESS : VLAN_TRUNK;
	if (!mode || json_is_null(mode) || (name && name[0] == '\0'))
		return true;
	for (int i = 0; i < 4; i++) {
		if (!name || strcmp(name, vlan_mode_names[i]) != 0)
			continue;
		port->vlan_mode = i;
		if (i == VLAN_TRUNK || tagged)
			return true;
		rpc_error_set(error, RPC_REFUSED, "vlan_mode=%s needs a tag", name);
		return false;
	}
	rpc_error_set(error, RPC_REFUSED,
		"vlan_mode: give access, trunk, native-tagged or native-untagged%s",
		name && strcmp(name, "dot1q-tunnel") == 0 ? "; dot1q-tunnel is not supported" : "");
	return false;
}

static const char *const tx_steering_names[] = {
	[TX_STEERING_THREAD] = "thread",
	[TX_STEERING_HASH] = "hash",
};

const char *tx_steering_name(enum tx_steering steering)
{
	return tx_steering_names[steering];
}

static bool tx_steering_parse(
	const json_t *member, enum tx_steering *steering, struct rpc_error *error)
{
	const char *name = json_string_value(member);

	if (!member || json_is_null(member))
		return true;
	for (unsigned i = 0; name && i < sizeof(tx_steering_names) / sizeof(char *); i++) {
		if (strcmp(name, tx_steering_names[i]) == 0) {
			*steering = i;
			return true;
		}
	}
	rpc_error_set(error, RPC_REFUSED, "tx_steering: give thread or hash");
	return false;
}

bool port_settings_parse(
	const json_t *config, struct port_settings *settings, struct rpc_error *error)
{
	const char *name = json_string_value(json_object_get(config, "name"));
	json_int_t number = 0, tag = -1, mtu = PORT_MTU_DEFAULT;

	memset(settings, 0, sizeof(*settings));
	if (!name_check(name ? name : "", "port", error) ||
		!integer_member(config, "ofport", 1, OFPORT_MAX, &number, error) ||
		!integer_member(config, "tag", 0, 4095, &tag, error) ||
		!integer_member(config, "mtu", PORT_MTU_MIN, PORT_MTU_MAX, &mtu, error) ||
		!trunks_parse(json_object_get(config, "trunks"), settings->vlan.trunks, error) ||
		!vlan_mode_parse(
			json_object_get(config, "vlan_mode"), tag >= 0, &settings->vlan, error) ||
		!tx_steering_parse(
			json_object_get(config, "tx_steering"), &settings->tx_steering, error))
		return false;
	if (number == 0) {
		rpc_error_set(error, RPC_REFUSED, "ofport: give a number from 1 to %d", OFPORT_MAX);
		return false;
	}
	memcpy(settings->name, name, strlen(name));
	settings->mtu = (uint16_t)mtu;
	settings->mtu_given = json_is_integer(json_object_get(config, "mtu"));
	settings->vlan.number = (uint16_t)number;
	settings->vlan.tag = tag >= 0 ? (uint16_t)tag : 0;
	return true;
}

json_t *port_config_merge(const json_t *config, const json_t *changes)
{
	static const char *const names[] = {
		"vlan_mode", "tag", "trunks", "mtu", "tx_steering", "options"};
	json_t *merged = json_copy((json_t *)config);

	for (size_t i = 0; merged && i < sizeof(names) / sizeof(names[0]); i++) {
		json_t *value = json_object_get(changes, names[i]);

		if (json_is_null(value))
			json_object_del(merged, names[i]);
		else if (value)
			json_object_set(merged, names[i], value);
	}
	return merged;
}
