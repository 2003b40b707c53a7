// SPDX-License-Identifier: Apache-2.0
#include "vswitch/flow_limits.h"

#include <stdio.h>
#include <stdlib.h>

#include "pipeline/flow_json.h"
#include "vswitch/flows.h"

#define TABLES (FLOW_MAX_TABLE + 1)
#define LOOKUP_KEY "flow-lookup-limit"
#define LOOKUP_DEFAULT 8192

// How many flows the transaction has brought, by table and in all; negative: taken away.
struct growth {
	long tables[TABLES];
	long all;
};

static void growth_measure(struct growth *growth, struct flow_set *set)
{
	const struct flow_change *changes;
	size_t count = flow_set_changes(set, &changes);

	*growth = (struct growth){0};
	for (size_t i = 0; i < count; i++) {
		int change = changes[i].kind == FLOW_ADDED     ? 1
			     : changes[i].kind == FLOW_REMOVED ? -1
							       : 0;

		growth->tables[changes[i].entry->flow.table] += change;
		growth->all += change;
	}
}

// `table` is negative for the bridge as a whole. Its limit is exceeded by `count` of `what`.
static void refusal_set(struct rpc_error *error, const struct flow_error *reason,
	const struct flow_owner *owner, int table, size_t limit, const char *what, size_t count)
{
	rpc_error_set(error, RPC_FLOW_ERROR, "%s", reason->message);
	error->data = flow_error_to_json(reason);
	// It is about no place of a text.
	json_object_del(error->data, "offset");
	json_object_del(error->data, "length");
	json_object_set_new(error->data, "bridge", json_string(owner->name));
	if (table >= 0)
		json_object_set_new(error->data, "table", json_integer(table));
	json_object_set_new(error->data, "limit", json_integer((json_int_t)limit));
	json_object_set_new(error->data, what, json_integer((json_int_t)count));
}

static void refuse(const struct flow_owner *owner, int table, const char *key, size_t flows,
	size_t limit, struct rpc_error *error)
{
	struct flow_error reason;
	char where[24] = "";

	if (table >= 0)
		snprintf(where, sizeof(where), "table %d of ", table);
	flow_error_set(&reason, FLOW_ERROR_TABLE_FULL, NULL,
		"%sbridge %s would have %zu flows, and its limit is %zu; delete flows that are no "
		"longer needed, or raise the limit: vsctl set Bridge %s other_config:%s=%zu",
		where, owner->name, flows, limit, owner->name, key, flows);
	refusal_set(error, &reason, owner, table, limit, "flows", flows);
}

static void refuse_lookup(const struct flow_owner *owner, unsigned table,
	const struct lookup_estimate *estimate, size_t limit, struct rpc_error *error)
{
	struct flow_error reason;
	size_t flows = flow_set_table_count(owner->set, (uint8_t)table);

	flow_error_set(&reason, FLOW_ERROR_LOOKUP_BUDGET, NULL,
		"a lookup in table %u of bridge %s could take %zu steps, and the limit is %zu: %zu "
		"flows%s of %zu masks on %zu bytes need %zu blocks; let many flows share a mask, %s"
		"match fewer fields, divide them among tables, or raise the limit: vsctl set "
		"Bridge "
		"%s other_config:" LOOKUP_KEY "=%zu",
		table, owner->name, estimate->steps, limit, flows,
		estimate->rules > flows ? " with their port ranges" : "", estimate->masks,
		estimate->bytes, estimate->blocks,
		estimate->rules > flows ? "match single ports, " : "", owner->name,
		estimate->steps);
	refusal_set(error, &reason, owner, (int)table, limit, "steps", estimate->steps);
}

static size_t limit_of(struct vswitch *vs, const struct flow_owner *owner, const char *key)
{
	const json_t *bridge = model_row(vs->model, TABLE_BRIDGE, owner->bridge);

	return (size_t)row_map_integer(bridge, "other_config", key, 0);
}

// Tables where lookups become slower than they may, and than they were.
static bool lookups_check(
	struct vswitch *vs, const struct flow_owner *owner, struct rpc_error *error)
{
	size_t limit = limit_of(vs, owner, LOOKUP_KEY);

	limit = limit ? limit : LOOKUP_DEFAULT;
	for (unsigned table = 0; table < TABLES; table++) {
		struct lookup_estimate estimate;
		size_t before = flow_set_lookup_estimate(owner->set, (uint8_t)table, &estimate);

		if (estimate.steps <= limit || estimate.steps <= before)
			continue;
		refuse_lookup(owner, table, &estimate, limit, error);
		return false;
	}
	return true;
}

static bool owner_check(struct vswitch *vs, const struct flow_owner *owner, struct rpc_error *error)
{
	static const char table_key[] = "flow-table-limit", bridge_key[] = "flow-bridge-limit";
	size_t table_limit = limit_of(vs, owner, table_key);
	size_t bridge_limit = limit_of(vs, owner, bridge_key);
	size_t all = flow_set_count(owner->set);
	struct growth growth;

	if (!lookups_check(vs, owner, error))
		return false;
	if (!table_limit && !bridge_limit)
		return true;
	growth_measure(&growth, owner->set);
	for (unsigned table = 0; table < TABLES && table_limit; table++) {
		size_t count = flow_set_table_count(owner->set, (uint8_t)table);

		if (growth.tables[table] <= 0 || count <= table_limit)
			continue;
		refuse(owner, (int)table, table_key, count, table_limit, error);
		return false;
	}
	if (bridge_limit && growth.all > 0 && all > bridge_limit) {
		refuse(owner, -1, bridge_key, all, bridge_limit, error);
		return false;
	}
	return true;
}

bool flow_limits_check(struct vswitch *vs, struct rpc_error *error)
{
	for (struct flow_owner *owner = vs->owners; owner; owner = owner->next) {
		if (owner->changing && !owner->removed && !owner_check(vs, owner, error))
			return false;
	}
	return true;
}
