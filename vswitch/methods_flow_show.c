// SPDX-License-Identifier: Apache-2.0
//
// flow.* that show flows: which there are is known here, what they have counted is asked of the
// datapath, once for all flows of a call. Without a datapath flows are shown without counters.

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_json.h"
#include "vswitch/flow_input.h"
#include "vswitch/methods.h"

#define ASK_ALL_ABOVE 1000 // flows: then the counters of all are asked for at once

struct flow_count {
	uint64_t id;
	json_int_t packets;
	json_int_t bytes;
	json_int_t idle_ms;
};

struct flow_counts {
	struct flow_count *items; // sorted by id
	size_t count;
};

static int compare_ids(const void *a, const void *b)
{
	const struct flow_count *x = a;
	const struct flow_count *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static json_t *ids_of(const struct flow_entry **entries, size_t count)
{
	json_t *ids = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(ids, json_integer((json_int_t)entries[i]->id));
	return ids;
}

static struct flow_counts counts_ask(struct vswitch *vs, const struct flow_owner *owner,
	const struct flow_entry **entries, size_t count)
{
	struct flow_counts counts = {0};
	struct rpc_error ignored = {0};
	json_t *params = json_pack("{s:s}", "bridge", owner->name);
	json_t *list;
	size_t n;

	if (!datapath_link_connected(vs->link) || !count) {
		json_decref(params);
		return counts;
	}
	if (count <= ASK_ALL_ABOVE)
		json_object_set_new(params, "ids", ids_of(entries, count));
	list = datapath_link_call(vs->link, "flow.stats", params, &ignored);
	n = json_array_size(list);
	counts.items = calloc(n + 1, sizeof(*counts.items));
	for (size_t i = 0; counts.items && i < n; i++) {
		const json_t *item = json_array_get(list, i);

		counts.items[counts.count++] = (struct flow_count){
			.id = (uint64_t)json_integer_value(json_array_get(item, 0)),
			.packets = json_integer_value(json_array_get(item, 1)),
			.bytes = json_integer_value(json_array_get(item, 2)),
			.idle_ms = json_integer_value(json_array_get(item, 3)),
		};
	}
	if (counts.items)
		qsort(counts.items, counts.count, sizeof(*counts.items), compare_ids);
	json_decref(list);
	rpc_error_clear(&ignored);
	return counts;
}

static const struct flow_count *counts_find(const struct flow_counts *counts, uint64_t id)
{
	struct flow_count key = {.id = id};

	if (!counts->items)
		return NULL;
	return bsearch(&key, counts->items, counts->count, sizeof(key), compare_ids);
}

// --- Showing ---

struct dump {
	const struct port_names *names; // for the text; NULL: numbers
	bool json;
	bool stats;
	int64_t now_ms;
	struct flow_counts counts;
};

static void set_integer(json_t *object, const char *key, json_int_t value)
{
	json_object_set_new_nocheck(object, key, json_integer(value));
}

static void dump_stats(const struct dump *dump, json_t *item, const struct flow_entry *entry)
{
	const struct flow_count *count = counts_find(&dump->counts, entry->id);
	int64_t age = dump->now_ms - entry->created_ms;

	// The clock may have been set back meanwhile.
	age = age < 0 ? 0 : age;
	set_integer(item, "duration_ms", age);
	set_integer(item, "packets", count ? count->packets : 0);
	set_integer(item, "bytes", count ? count->bytes : 0);
	set_integer(item, "idle_ms", count && count->idle_ms >= 0 ? count->idle_ms : age);
}

static json_t *dump_entry(const struct dump *dump, const struct flow_entry *entry)
{
	const struct flow *flow = &entry->flow;
	json_t *item = json_object();
	char *text = flow_format(flow, dump->names);
	const char *behind_table = text ? strstr(text, "priority=") : NULL;
	char cookie[24];

	snprintf(cookie, sizeof(cookie), "0x%" PRIx64, flow->cookie);
	set_integer(item, "table", flow->table);
	set_integer(item, "priority", flow->priority);
	json_object_set_new_nocheck(item, "cookie", json_string_nocheck(cookie));
	if (dump->stats)
		dump_stats(dump, item, entry);
	if (flow->idle_timeout)
		set_integer(item, "idle_timeout", flow->idle_timeout);
	if (flow->hard_timeout)
		set_integer(item, "hard_timeout", flow->hard_timeout);
	if (flow->flags & FLOW_SEND_REMOVED)
		json_object_set_new_nocheck(item, "send_flow_rem", json_true());
	json_object_set_new_nocheck(
		item, "text", json_string_nocheck(behind_table ? behind_table : ""));
	if (dump->json)
		json_object_set_new_nocheck(item, "json", flow_to_json(flow, dump->names));
	free(text);
	return item;
}

// The flows that the parameters select, sorted; *count SIZE_MAX with *error set.
static const struct flow_entry **select_flows(struct vswitch *vs, struct flow_owner *owner,
	const json_t *params, size_t *count, struct rpc_error *error)
{
	const json_t *flow = json_object_get(params, "flow");
	const struct flow_entry **entries;
	struct flow_request request;

	*count = SIZE_MAX;
	if (!flow_input_parse(vs, owner, flow, FLOW_DELETE, &request, NULL, error))
		return NULL;
	if (request.command != FLOW_DELETE) {
		rpc_error_set(error, RPC_FLOW_ERROR,
			"a filter does not begin with a command; write the match only");
		flow_request_destroy(&request);
		return NULL;
	}
	entries = flow_set_select(
		owner->set, &request, json_is_true(json_object_get(params, "strict")), count);
	if (*count == SIZE_MAX)
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
	flow_request_destroy(&request);
	return entries;
}

static json_t *flow_dump(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	struct flow_owner *owner = flow_input_owner(vs, params, error);
	const json_t *stats = json_object_get(params, "stats");
	const struct flow_entry **entries;
	struct dump dump = {
		.json = json_is_true(json_object_get(params, "json")),
		.stats = !stats || json_is_true(stats),
		.now_ms = clock_wall_ms(),
	};
	json_t *flows;
	size_t count;

	if (!owner)
		return NULL;
	entries = select_flows(vs, owner, params, &count, error);
	if (count == SIZE_MAX)
		return NULL;
	if (json_is_true(json_object_get(params, "names")))
		dump.names = flows_port_names(vs, owner);
	if (dump.stats)
		dump.counts = counts_ask(vs, owner, entries, count);
	flows = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(flows, dump_entry(&dump, entries[i]));
	free(entries);
	free(dump.counts.items);
	return json_pack("{s:o}", "flows", flows);
}

static json_t *flow_aggregate(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	struct flow_owner *owner = flow_input_owner(vs, params, error);
	const struct flow_entry **entries;
	struct flow_counts counts;
	json_int_t packets = 0;
	json_int_t bytes = 0;
	size_t count;

	if (!owner)
		return NULL;
	entries = select_flows(vs, owner, params, &count, error);
	if (count == SIZE_MAX)
		return NULL;
	counts = counts_ask(vs, owner, entries, count);
	for (size_t i = 0; i < count; i++) {
		const struct flow_count *item = counts_find(&counts, entries[i]->id);

		packets += item ? item->packets : 0;
		bytes += item ? item->bytes : 0;
	}
	free(entries);
	free(counts.items);
	return json_pack(
		"{s:I, s:I, s:I}", "packets", packets, "bytes", bytes, "flows", (json_int_t)count);
}

static json_t *flow_tables(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	const struct flow_owner *owner = flow_input_owner(vs, params, error);

	if (!owner)
		return NULL;
	return datapath_link_call(
		vs->link, "flow.tables", json_pack("{s:s}", "bridge", owner->name), error);
}

#define PARAM_BRIDGE                                             \
	{                                                        \
		"bridge", RPC_STRING, true, "name of the bridge" \
	}
#define PARAM_FILTER                                                                          \
	{"flow", RPC_ANY, false, "which flows: a match as text or object; all if not given"}, \
	{                                                                                     \
		"strict", RPC_BOOLEAN, false,                                                 \
			"only the flow with exactly this table, priority and match"           \
	}

static const struct rpc_param dump_params[] = {
	PARAM_BRIDGE,
	PARAM_FILTER,
	{"names", RPC_BOOLEAN, false, "write ports by name"},
	{"stats", RPC_BOOLEAN, false, "with counters; true if not given"},
	{"json", RPC_BOOLEAN, false, "each flow in its structured form too"},
	{0},
};

static const struct rpc_param aggregate_params[] = {
	PARAM_BRIDGE,
	PARAM_FILTER,
	{0},
};

static const struct rpc_param tables_params[] = {
	PARAM_BRIDGE,
	{0},
};

const struct rpc_method flow_show_methods[] = {
	{"flow.dump", flow_dump, dump_params, 0,
		"{flows: [{table, priority, cookie, duration_ms, packets, bytes, "
		"idle_ms, idle_timeout?, hard_timeout?, send_flow_rem?, text, json?}]}",
		"Flows by table, then priority downwards. idle_ms of a flow that was "
		"never hit is its age."},
	{"flow.aggregate", flow_aggregate, aggregate_params, 0, "{packets, bytes, flows}",
		"The sums over the flows that are selected."},
	{"flow.tables", flow_tables, tables_params, 0,
		"[{table, flows, lookups, matched, memory, steps, cycles, "
		"hashes?: {count, rules, memory}, blocks?, classifier?}]",
		"The flow tables that are or were in use. hashes, blocks and classifier are the "
		"structures that hold the rules; steps is what no lookup exceeds, in reads of "
		"them, and cycles an estimate of its time."},
	{0},
};
