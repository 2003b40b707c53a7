// SPDX-License-Identifier: Apache-2.0

// flow.*: flows of a bridge by the identifiers that their owner gave them.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/clock.h"
#include "datapath/datapath.h"
#include "datapath/frame_hex.h"
#include "datapath/objects.h"
#include "datapath/pmd.h"
#include "pipeline/flow_json.h"
#include "pipeline/flow_text.h"
#include "pipeline/trace.h"
#include "rpc/rpc_params.h"

static void flow_refused(
	struct rpc_error *error, const struct flow_error *flow_error, size_t op, const char *text)
{
	rpc_error_set(error, RPC_FLOW_ERROR, "operation %zu: %s", op, flow_error->message);
	error->data = flow_error_to_json(flow_error);
	if (error->data) {
		json_object_set_new(error->data, "op", json_integer((json_int_t)op));
		json_object_set_new(error->data, "text", json_string(text));
	}
}

static bool flow_put(struct pipeline *pipeline, bool add, uint64_t id, const char *text, size_t op,
	struct rpc_error *error)
{
	struct flow_request request;
	struct flow_warnings warnings = {0};
	struct flow_error flow_error;
	struct flow flow;
	int result = flow_request_parse(&request, text, FLOW_ADD, NULL, &warnings, &flow_error);

	if (result == -EINVAL)
		flow_refused(error, &flow_error, op, text);
	else if (result != 0)
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
	if (result != 0)
		return false;
	flow = request.flow;
	flow_init(&request.flow);
	result = add ? pipeline_flow_add(pipeline, id, &flow)
		     : pipeline_flow_modify(pipeline, id, &flow);
	flow_request_destroy(&request);
	if (result == -EEXIST)
		rpc_error_set(error, RPC_EXISTS, "operation %zu: there is a flow %llu already", op,
			(unsigned long long)id);
	else if (result == -ENOENT)
		rpc_error_set(error, RPC_NOT_FOUND, "operation %zu: there is no flow %llu", op,
			(unsigned long long)id);
	else if (result != 0)
		rpc_error_set(
			error, RPC_INTERNAL_ERROR, "operation %zu: %s", op, strerror(-result));
	return result == 0;
}

static bool flow_add(struct pipeline *pipeline, uint64_t id, const char *text, size_t op,
	struct rpc_error *error)
{
	return flow_put(pipeline, true, id, text, op, error);
}

static bool flow_modify(struct pipeline *pipeline, uint64_t id, const char *text, size_t op,
	struct rpc_error *error)
{
	return flow_put(pipeline, false, id, text, op, error);
}

static bool flow_delete(struct pipeline *pipeline, uint64_t id, const char *text, size_t op,
	struct rpc_error *error)
{
	if (pipeline_flow_remove(pipeline, id) == 0)
		return true;
	rpc_error_set(error, RPC_NOT_FOUND, "operation %zu: there is no flow %llu", op,
		(unsigned long long)id);
	return false;
}

static const struct operation {
	const char *verb;
	bool has_text;
	object_operation *run;
} operations[] = {
	{"add", true, flow_add},
	{"mod", true, flow_modify},
	{"del", false, flow_delete},
	{"group", true, object_group_put},
	{"group_del", false, object_group_delete},
	{"meter", true, object_meter_put},
	{"meter_del", false, object_meter_delete},
};

// [verb, id, "text"] or [verb, id]
static bool op_apply(
	struct pipeline *pipeline, const json_t *op, size_t number, struct rpc_error *error)
{
	const char *verb = json_string_value(json_array_get(op, 0));
	const json_t *id = json_array_get(op, 1);
	const char *text = json_string_value(json_array_get(op, 2));

	for (size_t i = 0; verb && i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (strcmp(verb, operations[i].verb) != 0 || !json_is_integer(id) ||
			operations[i].has_text != (text != NULL))
			continue;
		return operations[i].run(
			pipeline, (uint64_t)json_integer_value(id), text, number, error);
	}
	rpc_error_set(error, RPC_INVALID_PARAMS,
		"operation %zu: give [\"add\"|\"mod\"|\"group\"|\"meter\", id, \"text\"] or "
		"[\"del\"|\"group_del\"|\"meter_del\", id]",
		number);
	return false;
}

static json_t *apply(void *context, json_t *params, struct rpc_error *error)
{
	struct datapath *datapath = context;
	struct bridge *bridge = bridge_get(datapath, params, error);
	json_t *ops = json_object_get(params, "ops");
	json_t *op;
	size_t i;

	if (!bridge)
		return NULL;
	pipeline_begin(bridge->pipeline);
	json_array_foreach (ops, i, op) {
		if (!op_apply(bridge->pipeline, op, i, error)) {
			pipeline_abort(bridge->pipeline);
			datapath_tidy(datapath);
			return NULL;
		}
	}
	pipeline_commit(bridge->pipeline);
	datapath_tidy(datapath);
	return json_object();
}

static bool list_one(void *context, const struct pipeline_flow_stats *stats)
{
	char *text = flow_format_exact(stats->flow);

	json_array_append_new(context, json_pack("[I, s]", (json_int_t)stats->id, text));
	free(text);
	return true;
}

static json_t *list(void *context, json_t *params, struct rpc_error *error)
{
	struct bridge *bridge = bridge_get(context, params, error);
	json_t *flows;

	if (!bridge)
		return NULL;
	flows = json_array();
	pipeline_flow_each(bridge->pipeline, list_one, flows);
	return flows;
}

static bool stats_one(void *context, const struct pipeline_flow_stats *stats)
{
	json_int_t idle = -1;

	if (stats->used_ms != 0) {
		idle = (json_int_t)(clock_ms() - stats->used_ms);
		idle = idle < 0 ? 0 : idle;
	}
	json_array_append_new(
		context, json_pack("[I, I, I, I]", (json_int_t)stats->id,
				 (json_int_t)stats->packets, (json_int_t)stats->bytes, idle));
	return true;
}

static json_t *stats(void *context, json_t *params, struct rpc_error *error)
{
	struct bridge *bridge = bridge_get(context, params, error);
	json_t *ids = json_object_get(params, "ids");
	json_t *flows, *id;
	size_t i;

	if (!bridge)
		return NULL;
	flows = json_array();
	if (!ids) {
		pipeline_flow_each(bridge->pipeline, stats_one, flows);
		return flows;
	}
	json_array_foreach (ids, i, id) {
		struct pipeline_flow_stats one;

		if (pipeline_flow_stats(bridge->pipeline, (uint64_t)json_integer_value(id), &one) ==
			0)
			stats_one(flows, &one);
	}
	return flows;
}

static void part_add(json_t *table, const char *name, const struct flow_table_part *part)
{
	if (part->count > 0)
		json_object_set_new(table, name,
			json_pack("{s:i, s:I, s:I}", "count", (int)part->count, "rules",
				(json_int_t)part->rules, "memory", (json_int_t)part->memory));
}

static json_t *table_stats(int number, const struct pipeline_table_stats *stats)
{
	const struct flow_table_shape *shape = &stats->shape;
	json_t *table = json_pack("{s:i, s:I, s:I, s:I, s:I, s:i, s:i}", "table", number, "flows",
		(json_int_t)stats->flows, "lookups", (json_int_t)stats->lookups, "matched",
		(json_int_t)stats->matched, "memory", (json_int_t)shape->memory, "steps",
		(int)shape->steps, "cycles", (int)shape->cycles);

	part_add(table, "hashes", &shape->hashes);
	part_add(table, "blocks", &shape->blocks);
	part_add(table, "classifier", &shape->classifier);
	return table;
}

static json_t *tables(void *context, json_t *params, struct rpc_error *error)
{
	struct bridge *bridge = bridge_get(context, params, error);
	json_t *all;

	if (!bridge)
		return NULL;
	all = json_array();
	for (int number = 0; number < PIPELINE_TABLES; number++) {
		struct pipeline_table_stats one;

		pipeline_table_stats(bridge->pipeline, (uint8_t)number, &one);
		if (one.flows == 0 && one.lookups == 0)
			continue;
		json_array_append_new(all, table_stats(number, &one));
	}
	return all;
}

// --- Tracing ---

// Ports of the bridge by number, for texts. items is malloc()ed.
static bool names_of(const struct bridge *bridge, struct port_names *names)
{
	struct port_name *items = calloc(PORTS_MAX, sizeof(*items));

	*names = (struct port_names){.bridge = bridge->name, .items = items};
	for (unsigned number = 1; items && number <= OFPORT_MAX && names->count < PORTS_MAX;
		number++) {
		const struct port *port = bridge->ports[number];

		if (port)
			items[names->count++] =
				(struct port_name){port->settings.name, (uint16_t)number};
	}
	return items != NULL;
}

// What the ports would do with the frames: sink_output() and slot_flush() of forward.c.
static void outputs_judge(const struct bridge *bridge, json_t *outputs)
{
	json_t *output;
	size_t i;

	json_array_foreach (outputs, i, output) {
		json_int_t number = json_integer_value(json_object_get(output, "ofport"));
		const struct port *port =
			number > 0 && number <= OFPORT_MAX ? bridge->ports[number] : NULL;
		enum drop_reason reason = DROP_REASON_COUNT;

		if (number == 0)
			continue;
		if (!port)
			reason = DROP_NO_PORT;
		else if (json_integer_value(json_object_get(output, "length")) >
			 port_max_frame(port->settings.mtu))
			reason = DROP_TX_TOO_LONG;
		else if (!__atomic_load_n(&port->up, __ATOMIC_RELAXED))
			reason = DROP_TX_DOWN;
		if (port)
			json_object_set_new(output, "port", json_string(port->settings.name));
		if (reason == DROP_REASON_COUNT)
			continue;
		json_object_set_new(output, "drop", json_string(drop_reason_name(reason)));
		json_object_set_new(output, "help", json_string(drop_reason_help(reason)));
	}
}

static bool port_live(void *context, uint16_t number)
{
	const struct bridge *bridge = context;
	const struct port *port = bridge->ports[number];

	return port && __atomic_load_n(&port->up, __ATOMIC_RELAXED);
}

static json_t *trace(void *context, json_t *params, struct rpc_error *error)
{
	struct bridge *bridge = bridge_get(context, params, error);
	json_int_t in_port = json_integer_value(json_object_get(params, "in_port"));
	const json_t *lost = json_object_get(params, "lost");
	struct trace_request request = {
		.port_live = port_live,
		.context = bridge,
		.in_port = (uint16_t)in_port,
		.lost_max = lost ? (size_t)json_integer_value(lost) : TRACE_LOST_DEFAULT,
		.now_ms = clock_ms(),
	};
	struct port_names names = {0};
	uint8_t *frame;
	json_t *result;

	if (!bridge)
		return NULL;
	if (in_port < 1 || in_port > OFPORT_MAX || !bridge->ports[in_port]) {
		rpc_error_set(error, RPC_NOT_FOUND,
			"bridge %s has no port %lld that a packet could come from", bridge->name,
			(long long)in_port);
		return NULL;
	}
	frame = frame_from_hex(
		json_string_value(json_object_get(params, "frame")), &request.length, error);
	if (!frame)
		return NULL;
	request.frame = frame;
	if (json_is_true(json_object_get(params, "names")) && names_of(bridge, &names))
		request.names = &names;
	// What the threads have seen so far is part of the answer.
	learn_drain(context);
	result = trace_run(bridge->pipeline, &request);
	if (result)
		outputs_judge(bridge, json_object_get(result, "outputs"));
	else
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
	free((void *)names.items);
	free(frame);
	return result;
}

static const struct rpc_param params_apply[] = {
	{"bridge", RPC_STRING, true, "the bridge"},
	{"ops", RPC_ARRAY, true,
		"[\"add\", id, \"flow\"], [\"mod\", id, \"flow\"], [\"del\", id]; [\"group\", id, "
		"\"group\"] and [\"meter\", id, \"meter\"] add or replace, [\"group_del\", id], "
		"[\"meter_del\", id]"},
	{NULL},
};

static const struct rpc_param params_bridge[] = {
	{"bridge", RPC_STRING, true, "the bridge"},
	{NULL},
};

static const struct rpc_param params_stats[] = {
	{"bridge", RPC_STRING, true, "the bridge"},
	{"ids", RPC_ARRAY, false, "identifiers; default: all. Unknown ones are left out"},
	{NULL},
};

static const struct rpc_param params_trace[] = {
	{"bridge", RPC_STRING, true, "the bridge"},
	{"in_port", RPC_INTEGER, true, "number of the port that the packet comes from"},
	{"frame", RPC_STRING, true, "the frame in hexadecimal, without FCS"},
	{"names", RPC_BOOLEAN, false, "write ports by name"},
	{"lost", RPC_INTEGER, false,
		"most flows listed as lost in each table, up to 1000; default 100"},
	{NULL},
};

const struct rpc_method methods_flow[] = {
	{"flow.apply", apply, params_apply, 0, "{}",
		"Carry out all operations or none. When answered, every packet received later sees "
		"them."},
	{"flow.list", list, params_bridge, 0, "[[id, \"flow\"]]", "The flows of a bridge."},
	{"flow.stats", stats, params_stats, 0, "[[id, packets, bytes, idle_ms]]",
		"Counters of flows; idle_ms is -1 if no packet has ever hit."},
	{"flow.tables", tables, params_bridge, 0,
		"[{table, flows, lookups, matched, memory, steps, cycles, "
		"hashes?: {count, rules, memory}, blocks?, classifier?}]",
		"The flow tables that are or were in use. hashes, blocks and classifier are the "
		"structures that hold the rules; steps is what no lookup exceeds, in reads of "
		"them, and cycles an estimate of its time."},
	{"flow.trace", trace, params_trace, 0,
		"{packet, steps, steps_omitted, outputs, outputs_omitted, drop?, help?}",
		"What would become of a frame, and why. Nothing is changed, counted or sent."},
	{NULL},
};
