// SPDX-License-Identifier: Apache-2.0
#include "pipeline/trace.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/key_fields.h"
#include "pipeline/observer.h"

#define HEADROOM 128 // as mbufs have it
#define DEPTH_MAX (PIPELINE_RESUBMIT_DEPTH + 2)

// A packet on the heap, with its frame.
struct trace_packet {
	struct packet packet;
	uint8_t buffer[];
};

struct trace {
	struct pipeline_observer observer;
	struct pipeline_sink sink;
	struct pipeline *pipeline;
	const struct trace_request *request;
	const struct packet *original;
	json_t *result, *steps, *outputs;
	size_t omitted; // steps
	size_t outputs_omitted;
	size_t bytes;       // of frames that left
	unsigned explained; // lookups
	unsigned depth;
	// By depth: the action that runs, and the fields before it.
	json_t *open[DEPTH_MAX];
	json_t *before[DEPTH_MAX];
};

static struct trace *trace_of(struct pipeline_observer *observer)
{
	return (struct trace *)((char *)observer - offsetof(struct trace, observer));
}

static struct trace *trace_of_sink(struct pipeline_sink *sink)
{
	return (struct trace *)((char *)sink - offsetof(struct trace, sink));
}

static void step_add(struct trace *trace, json_t *step)
{
	if (json_array_size(trace->steps) < TRACE_STEPS_MAX)
		json_array_append_new(trace->steps, step);
	else {
		trace->omitted++;
		json_decref(step);
	}
}

static json_t *step_new(const struct trace *trace, const char *name)
{
	return json_pack("{s:s, s:i}", "step", name, "depth", (int)trace->depth);
}

// --- Tables ---

static json_t *flow_json(const struct trace *trace, const struct pipeline_flow_stats *stats)
{
	char *text = flow_format(stats->flow, trace->request->names);
	const char *from_priority = text ? strstr(text, "priority=") : NULL;
	char cookie[24];
	json_t *flow;

	snprintf(cookie, sizeof(cookie), "0x%" PRIx64, stats->flow->cookie);
	flow = json_pack("{s:I, s:i, s:s, s:I, s:I, s:I, s:s}", "id", (json_int_t)stats->id,
		"priority", (int)stats->flow->priority, "cookie", cookie, "packets",
		(json_int_t)stats->packets, "bytes", (json_int_t)stats->bytes, "used_ms",
		(json_int_t)stats->used_ms, "text", from_priority ? from_priority : "");
	free(text);
	return flow;
}

struct precedence {
	uint16_t priority;
	const struct match *match;
	uint64_t id;
};

// Which of two flows of a table is asked first; the order of rule_better().
static int precedence_compare(const void *a, const void *b)
{
	const struct precedence *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	return match_compare(x->match, y->match);
}

// The flows of a table that come before the winner: how many, and the first of them in order.
struct contest {
	const struct precedence *winner; // NULL: none
	struct precedence *items;
	size_t count, most;
	size_t total;
};

static bool contest_add(void *context, uint64_t id, const struct flow *flow)
{
	struct contest *contest = context;
	struct precedence item = {flow->priority, &flow->match, id};
	struct precedence *items = contest->items;
	size_t place = contest->count;

	if (contest->winner && precedence_compare(&item, contest->winner) >= 0)
		return true;
	contest->total++;
	while (place > 0 && precedence_compare(&item, &items[place - 1]) < 0)
		place--;
	if (place == contest->most)
		return true;
	if (contest->count < contest->most)
		contest->count++;
	memmove(&items[place + 1], &items[place], (contest->count - place - 1) * sizeof(items[0]));
	items[place] = item;
	return true;
}

static json_t *loser_json(
	const struct trace *trace, const struct precedence *loser, const struct packet_key *key)
{
	struct match_difference difference;
	struct pipeline_flow_stats stats;
	json_t *item;

	if (pipeline_flow_stats(trace->pipeline, loser->id, &stats) != 0)
		return NULL;
	item = flow_json(trace, &stats);
	if (!match_first_difference(loser->match, key, trace->request->names, &difference)) {
		// It should have won. Nothing to explain, but nothing to hide either.
		json_object_set_new(item, "field", json_null());
		return item;
	}
	json_object_set_new(item, "field", json_string(difference.field));
	json_object_set_new(item, "wants", json_string(difference.wants));
	json_object_set_new(
		item, "has", difference.has[0] ? json_string(difference.has) : json_null());
	return item;
}

static void table_explain(const struct trace *trace, json_t *step, uint8_t table,
	const struct packet_key *key, const struct pipeline_flow_stats *winner)
{
	struct precedence best;
	struct contest contest = {0};
	json_t *lost = json_array();

	if (winner) {
		best = (struct precedence){
			winner->flow->priority, &winner->flow->match, winner->id};
		contest.winner = &best;
	}
	contest.most = trace->request->lost_max < TRACE_LOST_MAX ? trace->request->lost_max
								 : TRACE_LOST_MAX;
	contest.items = calloc(contest.most + 1, sizeof(contest.items[0]));
	if (contest.items)
		pipeline_table_each(trace->pipeline, table, contest_add, &contest);
	for (size_t i = 0; i < contest.count; i++)
		json_array_append_new(lost, loser_json(trace, &contest.items[i], key));
	json_object_set_new(step, "lost", lost);
	json_object_set_new(
		step, "lost_omitted", json_integer((json_int_t)(contest.total - contest.count)));
	free(contest.items);
}

static void observe_lookup(struct pipeline_observer *observer, uint8_t table,
	const struct packet_key *key, const uint64_t *flow)
{
	struct trace *trace = trace_of(observer);
	json_t *step = step_new(trace, "table");
	struct pipeline_flow_stats winner;
	bool hit = flow && pipeline_flow_stats(trace->pipeline, *flow, &winner) == 0;

	if (json_array_size(trace->steps) >= TRACE_STEPS_MAX) {
		step_add(trace, step);
		return;
	}
	json_object_set_new(step, "table", json_integer(table));
	if (key->in_port != htobe16(trace->request->in_port))
		json_object_set_new(step, "as_port", json_integer(be16toh(key->in_port)));
	json_object_set_new(step, "flow", hit ? flow_json(trace, &winner) : json_null());
	if (trace->explained++ < TRACE_EXPLAINED_MAX)
		table_explain(trace, step, table, key, hit ? &winner : NULL);
	step_add(trace, step);
}

// --- Actions ---

// A field that one side has not is null there.
static void change_add(json_t *changes, const char *field, json_t *before, json_t *after)
{
	if (before && after && json_equal(before, after))
		return;
	json_array_append_new(changes,
		json_pack("{s:s, s:O?, s:O?}", "field", field, "before", before, "after", after));
}

static json_t *changes_between(json_t *before, json_t *after)
{
	json_t *changes = json_array();
	const char *field;
	json_t *value;

	json_object_foreach (before, field, value)
		change_add(changes, field, value, json_object_get(after, field));
	json_object_foreach (after, field, value)
		if (!json_object_get(before, field))
			change_add(changes, field, NULL, value);
	return changes;
}

static void observe_begin(struct pipeline_observer *observer, const struct action *action,
	const struct packet_key *key)
{
	struct trace *trace = trace_of(observer);
	const struct action_list single = {1, (struct action *)action};
	json_t *step = step_new(trace, "action");
	char *text = actions_format(&single, trace->request->names);

	json_object_set_new(step, "action", json_string(text ? text : ""));
	json_object_set_new(step, "changes", json_array());
	trace->open[trace->depth] = json_incref(step);
	trace->before[trace->depth] = key_fields_json(key, trace->request->names);
	trace->depth++;
	step_add(trace, step);
	free(text);
}

static void observe_end(struct pipeline_observer *observer, const struct action *action,
	const struct packet_key *key, enum drop_reason noted)
{
	struct trace *trace = trace_of(observer);
	json_t *step, *before, *after;

	trace->depth--;
	step = trace->open[trace->depth];
	before = trace->before[trace->depth];
	// What a resubmit or a group led to has been told by the actions there.
	if (action->id != ACTION_RESUBMIT && action->id != ACTION_GROUP) {
		after = key_fields_json(key, trace->request->names);
		json_object_set_new(step, "changes", changes_between(before, after));
		json_decref(after);
		if (noted != DROP_REASON_COUNT)
			json_object_set_new(step, "note", json_string(drop_reason_name(noted)));
	}
	if (noted == DROP_NO_GROUP || noted == DROP_NO_BUCKET)
		json_object_set_new(step, "note", json_string(drop_reason_name(noted)));
	json_decref(step);
	json_decref(before);
}

static void observe_bucket(
	struct pipeline_observer *observer, const struct group *group, unsigned index)
{
	struct trace *trace = trace_of(observer);
	const struct bucket *bucket = &group->buckets[index];
	json_t *step = step_new(trace, "bucket");
	char *text = actions_format(&bucket->actions, trace->request->names);

	json_object_set_new(step, "group", json_integer(group->id));
	json_object_set_new(step, "type", json_string(group_type_name(group->type)));
	json_object_set_new(step, "bucket", json_integer(bucket->id));
	json_object_set_new(step, "actions", json_string(text ? text : ""));
	step_add(trace, step);
	free(text);
}

static json_t *port_or_null(uint16_t port)
{
	return port <= OFPORT_MAX ? json_integer(port) : json_null();
}

static void observe_normal(
	struct pipeline_observer *observer, const struct normal_decision *decision)
{
	struct trace *trace = trace_of(observer);
	json_t *step = step_new(trace, "normal");

	json_object_set_new(step, "depth", json_integer(trace->depth - 1));
	json_object_set_new(step, "vlan", json_integer(decision->vlan));
	json_object_set_new(step, "source_port", port_or_null(decision->source));
	json_object_set_new(step, "learns", json_boolean(decision->learns));
	json_object_set_new(step, "multicast", json_boolean(decision->multicast));
	json_object_set_new(step, "port", port_or_null(decision->port));
	step_add(trace, step);
}

// --- What becomes of packets ---

static struct packet *packet_new(const uint8_t *frame, size_t length, uint16_t in_port)
{
	struct trace_packet *made = malloc(sizeof(*made) + HEADROOM + length);

	if (!made)
		return NULL;
	memcpy(made->buffer + HEADROOM, frame, length);
	made->packet = (struct packet){
		.data = made->buffer + HEADROOM,
		.headroom = HEADROOM,
		.linear = (uint16_t)length,
		.length = (uint32_t)length,
		.in_port = in_port,
	};
	return &made->packet;
}

static json_t *hex_json(const uint8_t *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(2 * length + 1);
	json_t *json;

	if (!text)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	json = json_stringn(text, 2 * length);
	free(text);
	return json;
}

// {"length", "frame", "fields"} of a packet as it is; parsed anew, because a frame that leaves is
// for its receiver what its bytes say.
static json_t *frame_json(
	const struct packet *packet, uint16_t in_port, const struct port_names *names)
{
	struct packet copy = *packet;
	struct packet_key key;
	json_t *json = json_pack("{s:I}", "length", (json_int_t)packet->length);

	copy.in_port = in_port;
	json_object_set_new(json, "frame", hex_json(packet->data, packet->length));
	json_object_set_new(json, "fields",
		packet_parse(&copy, &key, KEY_ALL_LINES) ? key_fields_json(&key, names)
							 : json_object());
	return json;
}

// The next output, with its frame as long as the answer does not grow out of bounds. NULL: too
// many.
static json_t *output_add(struct trace *trace, const struct packet *packet)
{
	json_t *output;

	if (json_array_size(trace->outputs) >= TRACE_OUTPUTS_MAX) {
		trace->outputs_omitted++;
		return NULL;
	}
	trace->bytes += packet->length;
	output = trace->bytes <= TRACE_BYTES_MAX
			 ? frame_json(packet, 0, trace->request->names)
			 : json_pack("{s:I}", "length", (json_int_t)packet->length);
	json_array_append_new(trace->outputs, output);
	return output;
}

static void sink_output(struct pipeline_sink *sink, struct packet *packet, uint16_t port)
{
	struct trace *trace = trace_of_sink(sink);
	json_t *output = output_add(trace, packet);

	json_object_set_new(output, "ofport", json_integer(port));
	free(packet);
}

static void sink_drop(struct pipeline_sink *sink, struct packet *packet, enum drop_reason reason)
{
	struct trace *trace = trace_of_sink(sink);
	json_t *at = trace->result;

	if (packet != trace->original)
		at = output_add(trace, packet);
	// What was left over after its copies were sent was not lost.
	if (packet != trace->original || reason != DROP_CONSUMED) {
		json_object_set_new(at, "drop", json_string(drop_reason_name(reason)));
		json_object_set_new(at, "help", json_string(drop_reason_help(reason)));
	}
	free(packet);
}

static struct packet *sink_copy(struct pipeline_sink *sink, const struct packet *packet)
{
	struct trace *trace = trace_of_sink(sink);
	struct packet *copy = packet_new(packet->data, packet->length, packet->in_port);

	if (!copy)
		json_array_append_new(trace->outputs,
			json_pack("{s:s}", "drop", drop_reason_name(DROP_NO_MEMORY)));
	return copy;
}

static void sink_learn(
	struct pipeline_sink *sink, const uint8_t mac[6], uint16_t vlan, uint16_t port)
{
	// The NORMAL step says it.
}

// An output that goes to no port.
static bool sink_packet_in(
	struct pipeline_sink *sink, const struct packet *packet, const struct packet_in *event)
{
	json_t *output = output_add(trace_of_sink(sink), packet);

	json_object_set_new(
		output, "controller", json_string(packet_in_reason_name(event->reason)));
	json_object_set_new(output, "max_len", json_integer(event->max_len));
	return true;
}

static bool sink_port_live(struct pipeline_sink *sink, uint16_t port)
{
	const struct trace_request *request = trace_of_sink(sink)->request;

	return !request->port_live || request->port_live(request->context, port);
}

json_t *trace_run(struct pipeline *pipeline, const struct trace_request *request)
{
	struct trace trace = {
		.observer = {observe_lookup, observe_begin, observe_end, observe_bucket,
			observe_normal},
		.sink = {sink_output, sink_drop, sink_copy, sink_learn, sink_packet_in,
			sink_port_live},
		.pipeline = pipeline,
		.request = request,
		.result = json_object(),
		.steps = json_array(),
		.outputs = json_array(),
	};
	struct packet *packet = packet_new(request->frame, request->length, request->in_port);

	if (!packet || !trace.result || !trace.steps || !trace.outputs) {
		json_decref(trace.result);
		json_decref(trace.steps);
		json_decref(trace.outputs);
		free(packet);
		return NULL;
	}
	json_object_set_new(
		trace.result, "packet", frame_json(packet, request->in_port, request->names));
	json_object_set_new(trace.result, "steps", trace.steps);
	json_object_set_new(trace.result, "outputs", trace.outputs);
	trace.original = packet;
	pipeline_trace(pipeline, packet, request->now_ms, &trace.sink, &trace.observer);
	json_object_set_new(trace.result, "steps_omitted", json_integer((json_int_t)trace.omitted));
	json_object_set_new(
		trace.result, "outputs_omitted", json_integer((json_int_t)trace.outputs_omitted));
	return trace.result;
}
