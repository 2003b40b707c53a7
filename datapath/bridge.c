// SPDX-License-Identifier: Apache-2.0
#include "datapath/bridge.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/classifier_acl.h"
#include "datapath/clock.h"
#include "datapath/datapath.h"
#include "datapath/metering.h"
#include "datapath/pmd.h"

struct bridge *bridge_find(struct datapath *datapath, const char *name)
{
	for (unsigned i = 0; i < BRIDGES_MAX; i++) {
		if (datapath->bridges[i] && strcmp(datapath->bridges[i]->name, name) == 0)
			return datapath->bridges[i];
	}
	return NULL;
}

struct bridge *bridge_get(struct datapath *datapath, const json_t *params, struct rpc_error *error)
{
	const char *name = json_string_value(json_object_get(params, "bridge"));
	struct bridge *bridge = name ? bridge_find(datapath, name) : NULL;

	if (!bridge)
		rpc_error_set(error, RPC_NOT_FOUND, "there is no bridge \"%s\"", name ? name : "");
	return bridge;
}

// What a config says, or leaves to its defaults.
struct bridge_limits {
	uint32_t aging, size;
	uint32_t controller_rate, controller_burst;
	struct learn_limit learn;
};

static bool limit_get(const json_t *config, const char *name, uint32_t usual, uint32_t max,
	uint32_t *limit, struct rpc_error *error)
{
	const json_t *value = json_object_get(config, name);
	json_int_t number = value ? json_integer_value(value) : usual;

	*limit = (uint32_t)number;
	if (number >= 1 && number <= max)
		return true;
	rpc_error_set(error, RPC_REFUSED, "%s: give a number from 1 to %u", name, max);
	return false;
}

static bool limits_get(const json_t *config, struct bridge_limits *limits, struct rpc_error *error)
{
	return limit_get(
		       config, "mac_aging", MAC_AGING_DEFAULT, INT32_MAX, &limits->aging, error) &&
	       limit_get(config, "mac_table_size", MAC_TABLE_SIZE_DEFAULT, 1048576, &limits->size,
		       error) &&
	       limit_get(config, "controller_rate", CONTROLLER_RATE_DEFAULT, CONTROLLER_RATE_MAX,
		       &limits->controller_rate, error) &&
	       limit_get(config, "controller_burst", CONTROLLER_BURST_DEFAULT, CONTROLLER_RATE_MAX,
		       &limits->controller_burst, error) &&
	       limit_get(config, "mac_learning_rate", LEARN_RATE_DEFAULT, LEARN_RATE_MAX,
		       &limits->learn.rate, error) &&
	       limit_get(config, "mac_learning_burst", LEARN_BURST_DEFAULT, LEARN_RATE_MAX,
		       &limits->learn.burst, error);
}

static void bridge_free(struct bridge *bridge)
{
	pipeline_destroy(bridge->pipeline);
	packet_in_limit_free(bridge);
	json_decref(bridge->config);
	free(bridge);
}

static struct bridge *bridge_create(
	struct datapath *datapath, const char *name, const struct bridge_limits *limits)
{
	struct bridge *bridge = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*bridge));
	struct pipeline_config config = {
		.mac_table_size = limits->size,
		.mac_aging = limits->aging,
		.retirement = rcu_retirement(&datapath->rcu),
		.metering = &datapath_metering,
		.classifier = &classifier_acl,
	};

	if (!bridge)
		return NULL;
	memset(bridge, 0, sizeof(*bridge));
	bridge->datapath = datapath;
	bridge->learn_limit = limits->learn;
	memcpy(bridge->name, name, strlen(name));
	bridge->pipeline = pipeline_create(&config);
	for (unsigned slot = 0; bridge->pipeline && slot < PIPELINE_READERS; slot++) {
		if (datapath->slots_used[slot] &&
			pipeline_reader_add(bridge->pipeline, slot) != 0) {
			bridge_free(bridge);
			return NULL;
		}
	}
	if (bridge->pipeline &&
		packet_in_limit(bridge, limits->controller_rate, limits->controller_burst) == 0)
		return bridge;
	bridge_free(bridge);
	return NULL;
}

struct bridge *bridge_add(struct datapath *datapath, json_t *config, struct rpc_error *error)
{
	const char *name = json_string_value(json_object_get(config, "name"));
	struct bridge_limits limits;
	struct bridge *bridge;
	unsigned index = 0;

	if (!name_check(name, "bridge", error) || !limits_get(config, &limits, error))
		return NULL;
	if (bridge_find(datapath, name)) {
		rpc_error_set(error, RPC_EXISTS, "bridge \"%s\" exists already", name);
		return NULL;
	}
	while (index < BRIDGES_MAX && datapath->bridges[index])
		index++;
	if (index == BRIDGES_MAX) {
		rpc_error_set(error, RPC_REFUSED, "more than %d bridges", BRIDGES_MAX);
		return NULL;
	}
	bridge = bridge_create(datapath, name, &limits);
	if (!bridge) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory for bridge \"%s\"", name);
		return NULL;
	}
	bridge->index = (uint16_t)index;
	bridge->config = json_incref(config);
	datapath->bridges[index] = bridge;
	return bridge;
}

bool bridge_set(struct bridge *bridge, const json_t *changes, struct rpc_error *error)
{
	json_t *merged = json_copy(bridge->config);
	struct mac_table *macs = pipeline_mac_table(bridge->pipeline);
	struct bridge_limits limits;

	json_object_update(merged, (json_t *)changes);
	if (!limits_get(merged, &limits, error)) {
		json_decref(merged);
		return false;
	}
	if (limits.size != mac_table_capacity(macs)) {
		rpc_error_set(error, RPC_REFUSED,
			"the size of a MAC table is fixed (%u entries here); to change it, delete "
			"the bridge and add it again",
			mac_table_capacity(macs));
		json_decref(merged);
		return false;
	}
	if (packet_in_limit(bridge, limits.controller_rate, limits.controller_burst) != 0) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		json_decref(merged);
		return false;
	}
	mac_table_set_aging(macs, limits.aging);
	__atomic_store_n(&bridge->learn_limit.rate, limits.learn.rate, __ATOMIC_RELAXED);
	__atomic_store_n(&bridge->learn_limit.burst, limits.learn.burst, __ATOMIC_RELAXED);
	json_decref(bridge->config);
	bridge->config = merged;
	return true;
}

void bridge_delete(struct bridge *bridge)
{
	struct datapath *datapath = bridge->datapath;

	for (unsigned i = 0; i < PORTS_MAX; i++) {
		if (datapath->ports[i] && datapath->ports[i]->bridge == bridge)
			port_delete(datapath->ports[i]);
	}
	// What threads have learned for this number must not meet the next bridge that gets it.
	learn_drain(datapath);
	packet_in_send(datapath);
	datapath->bridges[bridge->index] = NULL;
	// Retired parts refer to the pipeline until they are freed.
	rcu_wait(&datapath->rcu);
	while (rcu_drain(&datapath->rcu))
		sched_yield();
	bridge_free(bridge);
}

int bridge_readers_add(struct datapath *datapath, unsigned slot)
{
	for (unsigned i = 0; i < BRIDGES_MAX; i++) {
		if (datapath->bridges[i] &&
			pipeline_reader_add(datapath->bridges[i]->pipeline, slot) != 0)
			return -1;
	}
	return 0;
}

// Each table is gone through once a second or so.
void bridges_age(struct datapath *datapath)
{
	uint32_t now = (uint32_t)(clock_ms() / 1000);

	for (unsigned i = 0; i < BRIDGES_MAX; i++) {
		struct mac_table *macs;

		if (!datapath->bridges[i])
			continue;
		macs = pipeline_mac_table(datapath->bridges[i]->pipeline);
		mac_table_age(macs, now, mac_table_capacity(macs) / 8 + 64);
	}
}
