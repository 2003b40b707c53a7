// SPDX-License-Identifier: Apache-2.0
#include "vswitch/reconcile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "rpc/json_member.h"

#define MTU_DEFAULT 1500

static json_t *find_named(const json_t *array, const char *name)
{
	size_t i;
	json_t *item;

	json_array_foreach ((json_t *)array, i, item) {
		if (strcmp(text_of(item, "name"), name) == 0)
			return item;
	}
	return NULL;
}

// name -> item, for arrays that are searched often.
static json_t *index_by_name(const json_t *array)
{
	json_t *index = json_object();
	size_t i;
	json_t *item;

	json_array_foreach ((json_t *)array, i, item) {
		json_object_set(index, text_of(item, "name"), item);
	}
	return index;
}

static void step_add(json_t *steps, const char *method, json_t *params)
{
	json_array_append_new(steps, json_pack("{s:s, s:o}", "method", method, "params", params));
}

// --- Comparing, with defaults filled in ---

// What bridge.set can change, and what it means if a config leaves it out.
static const struct bridge_setting {
	const char *name;
	json_int_t unset;
} bridge_settings[] = {
	{"mac_aging", 300},
	{"mac_table_size", 8192},
	{"controller_rate", 1000},
	{"controller_burst", 250},
	{"mac_learning_rate", 10000},
	{"mac_learning_burst", 2000},
};

#define BRIDGE_SETTINGS (sizeof(bridge_settings) / sizeof(bridge_settings[0]))

static bool setting_equal(const struct bridge_setting *setting, const json_t *a, const json_t *b)
{
	return number_or(a, setting->name, setting->unset) ==
	       number_or(b, setting->name, setting->unset);
}

static bool bridge_equal(const json_t *a, const json_t *b)
{
	for (size_t i = 0; i < BRIDGE_SETTINGS; i++) {
		if (!setting_equal(&bridge_settings[i], a, b))
			return false;
	}
	return true;
}

// Options that port.set can change. Of a type that does not have them, both sides have none.
static const char *const live_options[] = {"n_rxq", "n_txq", "n_rxq_desc", "n_txq_desc"};

static bool options_equal(const json_t *a, const json_t *b)
{
	size_t n_a = json_object_size(a);

	return n_a == json_object_size(b) && (n_a == 0 || json_equal(a, b));
}

static json_t *fixed_options(const json_t *config)
{
	json_t *options = json_copy(json_object_get(config, "options"));

	for (size_t i = 0; options && i < sizeof(live_options) / sizeof(live_options[0]); i++)
		json_object_del(options, live_options[i]);
	return options;
}

// What can only be changed by making the port anew.
static bool port_same_device(const json_t *a, const json_t *b)
{
	json_t *options_a = fixed_options(a), *options_b = fixed_options(b);
	bool same = strcmp(text_of(a, "bridge"), text_of(b, "bridge")) == 0 &&
		    strcmp(text_of(a, "type"), text_of(b, "type")) == 0 &&
		    number_or(a, "ofport", 0) == number_or(b, "ofport", 0) &&
		    options_equal(options_a, options_b);

	json_decref(options_a);
	json_decref(options_b);
	return same;
}

static const char *vlan_mode(const json_t *config)
{
	const char *mode = text_of(config, "vlan_mode");

	if (*mode)
		return mode;
	return json_is_integer(json_object_get(config, "tag")) ? "access" : "trunk";
}

static const char *tx_steering(const json_t *config)
{
	const char *steering = text_of(config, "tx_steering");

	return *steering ? steering : "thread";
}

static bool trunks_equal(const json_t *a, const json_t *b)
{
	const json_t *trunks_a = json_object_get(a, "trunks");
	const json_t *trunks_b = json_object_get(b, "trunks");
	size_t n_a = json_array_size(trunks_a);

	return n_a == json_array_size(trunks_b) && (n_a == 0 || json_equal(trunks_a, trunks_b));
}

// What port.set can change. A trunk has no tag and an access port no trunks, whatever is written.
static bool port_same_settings(const json_t *a, const json_t *b)
{
	const char *mode = vlan_mode(a);

	if (strcmp(mode, vlan_mode(b)) != 0 ||
		number_or(a, "mtu", MTU_DEFAULT) != number_or(b, "mtu", MTU_DEFAULT) ||
		strcmp(tx_steering(a), tx_steering(b)) != 0 ||
		!options_equal(json_object_get(a, "options"), json_object_get(b, "options")))
		return false;
	if (strcmp(mode, "trunk") != 0 && number_or(a, "tag", 0) != number_or(b, "tag", 0))
		return false;
	return strcmp(mode, "access") == 0 || trunks_equal(a, b);
}

// A port's config with its name and bridge in it, wherever the state keeps them.
static json_t *port_config(const json_t *port)
{
	json_t *config = json_copy(json_object_get(port, "config"));

	if (!config)
		config = json_object();
	json_object_set(config, "name", json_object_get(port, "name"));
	json_object_set(config, "bridge", json_object_get(port, "bridge"));
	return config;
}

static json_t *bridge_config(const json_t *bridge)
{
	json_t *config = json_copy(json_object_get(bridge, "config"));

	if (!config)
		config = json_object();
	json_object_set(config, "name", json_object_get(bridge, "name"));
	return config;
}

// All settings in full: what port.set leaves out stays as it was.
static json_t *port_settings(const json_t *desired, const json_t *actual)
{
	const char *mode = vlan_mode(desired);
	json_t *params =
		json_pack("{s:s, s:s}", "name", text_of(desired, "name"), "vlan_mode", mode);
	json_int_t mtu = number_or(desired, "mtu", MTU_DEFAULT);
	const json_t *trunks = json_object_get(desired, "trunks");
	const json_t *options = json_object_get(desired, "options");

	if (strcmp(mode, "trunk") != 0)
		json_object_set_new(params, "tag", json_integer(number_or(desired, "tag", 0)));
	if (strcmp(mode, "access") != 0)
		json_object_set_new(
			params, "trunks", trunks ? json_deep_copy(trunks) : json_array());
	if (mtu != number_or(actual, "mtu", MTU_DEFAULT))
		json_object_set_new(params, "mtu", json_integer(mtu));
	if (strcmp(tx_steering(desired), tx_steering(actual)) != 0)
		json_object_set_new(params, "tx_steering", json_string(tx_steering(desired)));
	if (!options_equal(options, json_object_get(actual, "options")))
		json_object_set_new(
			params, "options", options ? json_deep_copy(options) : json_object());
	return params;
}

// What differs only: the size of a table cannot be named without being refused.
static json_t *bridge_changes(const json_t *desired, const json_t *actual)
{
	json_t *params = json_pack("{s:s}", "name", text_of(desired, "name"));

	for (size_t i = 0; i < BRIDGE_SETTINGS; i++) {
		const struct bridge_setting *setting = &bridge_settings[i];

		if (!setting_equal(setting, desired, actual))
			json_object_set_new(params, setting->name,
				json_integer(number_or(desired, setting->name, setting->unset)));
	}
	return params;
}

// --- Steps ---

struct planning {
	json_t *steps;
	json_t *adds; // ports to add and to set, behind the bridges
	json_t *wanted_bridges;
	json_t *wanted_ports;
	json_t *present_bridges;
	json_t *present_ports;
};

// Ports that must go: unwanted ones, and those that have to be made anew. The ports of a bridge
// that goes are deleted by it.
static void plan_removals(struct planning *planning, const json_t *actual)
{
	size_t i;
	json_t *item;

	json_array_foreach (json_object_get(actual, "ports"), i, item) {
		const char *name = text_of(item, "name");
		json_t *wanted = json_object_get(planning->wanted_ports, name);
		json_t *want = wanted ? port_config(wanted) : NULL;
		json_t *have = port_config(item);

		if (json_object_get(planning->wanted_bridges, text_of(item, "bridge")) &&
			(!want || !port_same_device(want, have)))
			step_add(planning->steps, "port.del", json_pack("{s:s}", "name", name));
		json_decref(want);
		json_decref(have);
	}
	json_array_foreach (json_object_get(actual, "bridges"), i, item) {
		const char *name = text_of(item, "name");

		if (!json_object_get(planning->wanted_bridges, name))
			step_add(planning->steps, "bridge.del", json_pack("{s:s}", "name", name));
	}
}

static void plan_bridges(struct planning *planning, const json_t *desired)
{
	size_t i;
	json_t *item;

	json_array_foreach (json_object_get(desired, "bridges"), i, item) {
		json_t *present = json_object_get(planning->present_bridges, text_of(item, "name"));
		json_t *want = bridge_config(item);
		json_t *have = present ? bridge_config(present) : NULL;

		if (!have)
			step_add(planning->steps, "bridge.add", json_incref(want));
		else if (!bridge_equal(want, have))
			step_add(planning->steps, "bridge.set", bridge_changes(want, have));
		json_decref(want);
		json_decref(have);
	}
}

static void plan_ports(struct planning *planning, const json_t *desired)
{
	size_t i;
	json_t *item;

	json_array_foreach (json_object_get(desired, "ports"), i, item) {
		json_t *present = json_object_get(planning->present_ports, text_of(item, "name"));
		json_t *want = port_config(item);
		json_t *have = present ? port_config(present) : NULL;

		if (!have || !port_same_device(want, have))
			step_add(planning->steps, "port.add", json_incref(want));
		else if (!port_same_settings(want, have))
			step_add(planning->steps, "port.set", port_settings(want, have));
		json_decref(want);
		json_decref(have);
	}
}

static bool plan_is_empty(const json_t *plan)
{
	return json_array_size(json_object_get(plan, "threads")) == 0;
}

json_t *reconcile_steps(const json_t *desired, const json_t *actual)
{
	struct planning planning = {
		.steps = json_array(),
		.wanted_bridges = index_by_name(json_object_get(desired, "bridges")),
		.wanted_ports = index_by_name(json_object_get(desired, "ports")),
		.present_bridges = index_by_name(json_object_get(actual, "bridges")),
		.present_ports = index_by_name(json_object_get(actual, "ports")),
	};
	json_t *plan = json_object_get(desired, "plan");
	json_t *present_plan = json_object_get(actual, "plan");

	if (planning.steps && planning.wanted_bridges && planning.wanted_ports &&
		planning.present_bridges && planning.present_ports) {
		plan_removals(&planning, actual);
		plan_bridges(&planning, desired);
		plan_ports(&planning, desired);
		if (plan && !(plan_is_empty(plan) && plan_is_empty(present_plan)) &&
			!json_equal(plan, present_plan))
			step_add(planning.steps, "plan.set", json_incref(plan));
	}
	json_decref(planning.wanted_bridges);
	json_decref(planning.wanted_ports);
	json_decref(planning.present_bridges);
	json_decref(planning.present_ports);
	return planning.steps;
}

// --- What a step does ---

json_t *reconcile_empty_state(void)
{
	return json_pack("{s:[], s:[], s:{s:[]}}", "bridges", "ports", "plan", "threads");
}

static void array_remove(json_t *array, const char *member, const char *value)
{
	for (size_t i = json_array_size(array); i-- > 0;) {
		if (strcmp(text_of(json_array_get(array, i), member), value) == 0)
			json_array_remove(array, i);
	}
}

// The config of an object as a call leaves it.
static int config_update(json_t *array, const json_t *params)
{
	json_t *item = find_named(array, text_of(params, "name"));
	json_t *copy = json_deep_copy(params);

	json_object_del(copy, "name");
	if (item)
		json_object_update(json_object_get(item, "config"), copy);
	json_decref(copy);
	return item ? 0 : -EINVAL;
}

int reconcile_apply(json_t *state, const json_t *step)
{
	const char *method = text_of(step, "method");
	const json_t *params = json_object_get(step, "params");
	json_t *bridges = json_object_get(state, "bridges");
	json_t *ports = json_object_get(state, "ports");
	const char *name = text_of(params, "name");

	if (strcmp(method, "bridge.add") == 0)
		return json_array_append_new(bridges,
			json_pack("{s:s, s:o}", "name", name, "config", json_deep_copy(params)));
	if (strcmp(method, "port.add") == 0)
		return json_array_append_new(ports,
			json_pack("{s:s, s:s, s:o}", "name", name, "bridge",
				text_of(params, "bridge"), "config", json_deep_copy(params)));
	if (strcmp(method, "bridge.set") == 0)
		return config_update(bridges, params);
	if (strcmp(method, "port.set") == 0)
		return config_update(ports, params);
	if (strcmp(method, "port.del") == 0) {
		array_remove(ports, "name", name);
		return 0;
	}
	if (strcmp(method, "bridge.del") == 0) {
		array_remove(ports, "bridge", name);
		array_remove(bridges, "name", name);
		return 0;
	}
	if (strcmp(method, "plan.set") == 0)
		return json_object_set_new(state, "plan", json_deep_copy(params));
	return -EINVAL;
}

// --- Flows ---

// What a modify may change besides the actions.
static bool key_is_changeable(const char *key)
{
	static const char *const keys[] = {"cookie=", "idle_timeout=", "hard_timeout=",
		"send_flow_rem", "check_overlap", "reset_counts"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strncmp(key, keys[i], strlen(keys[i])) == 0)
			return true;
	}
	return false;
}

// The next key of the exact form that tells flows apart, NULL at the actions. Moves *text.
static const char *next_key(const char **text, size_t *length)
{
	while (**text && strncmp(*text, "actions=", 8) != 0) {
		const char *key = *text;

		*length = strcspn(key, ",");
		*text += *length + (key[*length] == ',');
		if (!key_is_changeable(key))
			return key;
	}
	return NULL;
}

// Do both stand in the same table, with the same priority and match?
static bool same_place(const char *a, const char *b)
{
	const char *key_a;
	const char *key_b;
	size_t length_a = 0;
	size_t length_b = 0;

	do {
		key_a = next_key(&a, &length_a);
		key_b = next_key(&b, &length_b);
		if (!key_a || !key_b)
			return key_a == key_b;
	} while (length_a == length_b && memcmp(key_a, key_b, length_a) == 0);
	return false;
}

static json_t *operation(const char *what, const struct flow_record *record)
{
	if (*what == 'd')
		return json_pack("[s, I]", what, (json_int_t)record->id);
	return json_pack("[s, I, s]", what, (json_int_t)record->id, record->text);
}

json_t *reconcile_flows(const struct flow_record *desired, size_t n_desired,
	const struct flow_record *actual, size_t n_actual, json_t **before)
{
	json_t *removals = json_array();
	json_t *others = json_array();
	json_t *conflicts = json_array();
	size_t d = 0;
	size_t a = 0;

	while (d < n_desired || a < n_actual) {
		if (d == n_desired || (a < n_actual && actual[a].id < desired[d].id)) {
			json_array_append_new(removals, operation("del", &actual[a++]));
			continue;
		}
		if (a == n_actual || desired[d].id < actual[a].id) {
			json_array_append_new(others, operation("add", &desired[d++]));
			continue;
		}
		if (strcmp(desired[d].text, actual[a].text) != 0) {
			bool same = same_place(desired[d].text, actual[a].text);

			if (!same)
				json_array_append_new(conflicts, operation("del", &actual[a]));
			json_array_append_new(others, operation(same ? "mod" : "add", &desired[d]));
		}
		d++;
		a++;
	}
	json_array_extend(removals, others);
	json_decref(others);
	*before = json_array_size(conflicts) ? conflicts : NULL;
	if (!*before)
		json_decref(conflicts);
	return removals;
}

// --- Groups and meters ---

void reconcile_objects(json_t *operations, const char *put, const char *remove,
	const struct object_record *desired, size_t n_desired, const struct object_record *actual,
	size_t n_actual)
{
	size_t d = 0;
	size_t a = 0;

	while (d < n_desired || a < n_actual) {
		bool gone = d == n_desired || (a < n_actual && actual[a].id < desired[d].id);
		bool there = d < n_desired && a < n_actual && desired[d].id == actual[a].id;

		if (gone)
			json_array_append_new(
				operations, json_pack("[s, I]", remove, (json_int_t)actual[a].id));
		else if (!there || strcmp(desired[d].text, actual[a].text) != 0)
			json_array_append_new(
				operations, json_pack("[s, I, s]", put, (json_int_t)desired[d].id,
						    desired[d].text));
		a += gone || there;
		d += !gone;
	}
}
