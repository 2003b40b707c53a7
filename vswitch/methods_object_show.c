// SPDX-License-Identifier: Apache-2.0
//
// group.dump and meter.dump: which there are is known here, what they have counted is asked of the
// datapath, once for all of a call. Without a datapath the counters are zero.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_json.h"
#include "vswitch/flow_input.h"
#include "vswitch/methods.h"
#include "vswitch/object_change.h"
#include "vswitch/object_references.h"

// --- Counters ---

struct count {
	uint32_t id;
	const json_t *item; // [id, packets, bytes, parts]
};

struct counts {
	json_t *list;        // what the datapath said
	struct count *items; // sorted by id
	size_t count;
};

static int compare_ids(const void *a, const void *b)
{
	const struct count *x = a;
	const struct count *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static struct counts counts_ask(
	struct vswitch *vs, const struct flow_owner *owner, const struct object_kind *kind)
{
	struct counts counts = {0};
	struct rpc_error ignored = {0};
	size_t n;

	if (!datapath_link_connected(vs->link))
		return counts;
	counts.list = datapath_link_call(
		vs->link, kind->stats, json_pack("{s:s}", "bridge", owner->name), &ignored);
	rpc_error_clear(&ignored);
	n = json_array_size(counts.list);
	counts.items = calloc(n + 1, sizeof(*counts.items));
	for (size_t i = 0; counts.items && i < n; i++) {
		const json_t *item = json_array_get(counts.list, i);

		counts.items[counts.count++] = (struct count){
			.id = (uint32_t)json_integer_value(json_array_get(item, 0)), .item = item};
	}
	if (counts.items)
		qsort(counts.items, counts.count, sizeof(*counts.items), compare_ids);
	return counts;
}

// NULL: the datapath said nothing of it.
static const json_t *counts_find(const struct counts *counts, uint32_t id)
{
	struct count key = {.id = id};
	const struct count *found = counts->items ? bsearch(&key, counts->items, counts->count,
							    sizeof(key), compare_ids)
						  : NULL;

	return found ? found->item : NULL;
}

static void counts_free(struct counts *counts)
{
	free(counts->items);
	json_decref(counts->list);
}

// --- Showing ---

struct dump {
	const struct object_kind *kind;
	const struct port_names *names; // for the text; NULL: numbers
	bool stats;
	int64_t now_ms;
	struct counts counts;
};

// What the datapath says of a part: found by its number, if parts have numbers, otherwise by its
// place. [number?, packets, bytes]
static const json_t *part_counts(
	const struct dump *dump, const struct object *object, size_t index, const json_t *parts)
{
	if (!dump->kind->part_id)
		return json_array_get(parts, index);
	for (size_t i = 0; i < json_array_size(parts); i++) {
		const json_t *part = json_array_get(parts, i);

		if (json_integer_value(json_array_get(part, 0)) ==
			dump->kind->part_id(&object->value, index))
			return part;
	}
	return NULL;
}

static json_t *dump_parts(
	const struct dump *dump, const struct object *object, const json_t *counted)
{
	const struct object_kind *kind = dump->kind;
	size_t behind_id = kind->part_id ? 1 : 0;
	json_t *list = json_array();

	for (size_t i = 0; i < kind->part_count(&object->value); i++) {
		const json_t *part = part_counts(dump, object, i, counted);
		json_t *item = json_object();

		if (kind->part_id)
			json_object_set_new(
				item, "bucket_id", json_integer(kind->part_id(&object->value, i)));
		json_object_set_new(item, "packets",
			json_integer(json_integer_value(json_array_get(part, behind_id))));
		json_object_set_new(item, "bytes",
			json_integer(json_integer_value(json_array_get(part, behind_id + 1))));
		json_array_append_new(list, item);
	}
	return list;
}

static void dump_stats(const struct dump *dump, json_t *item, const struct object *object)
{
	const json_t *counted = counts_find(&dump->counts, object->id);
	int64_t age = dump->now_ms - object->created_ms;

	// The clock may have been set back meanwhile.
	json_object_set_new(item, "duration_ms", json_integer(age < 0 ? 0 : age));
	json_object_set_new(item, dump->kind->count_key, json_integer((json_int_t)object->flows));
	json_object_set_new(
		item, "packets", json_integer(json_integer_value(json_array_get(counted, 1))));
	json_object_set_new(
		item, "bytes", json_integer(json_integer_value(json_array_get(counted, 2))));
	json_object_set_new(
		item, dump->kind->parts, dump_parts(dump, object, json_array_get(counted, 3)));
}

static json_t *dump_object(const struct dump *dump, const struct object *object)
{
	const struct object_kind *kind = dump->kind;
	char *text = kind->format(&object->value, dump->names);
	json_t *item = json_object();

	json_object_set_new(item, kind->id_key, json_integer(object->id));
	if (kind->describe)
		kind->describe(&object->value, item);
	json_object_set_new(item, "text", json_string(text ? text : ""));
	json_object_set_new(item, kind->name, kind->to_json(&object->value, dump->names));
	free(text);
	if (dump->stats)
		dump_stats(dump, item, object);
	return item;
}

// Those that the parameter selects: a malloc()ed array, or NULL with *error.
static struct object **select_objects(const struct flow_owner *owner, enum flow_reference kind,
	const json_t *params, size_t *count, struct rpc_error *error)
{
	const struct object_kind *row = object_kind_get(kind);
	json_t *which = json_object_get(params, row->name);
	const char *text = json_string_value(which);
	struct flow_error reason = {0};
	struct object **list;
	bool all = false;
	uint32_t id = 0;

	if (row->select(text ? text : "", &all, &id, &reason) < 0) {
		rpc_error_set(error, RPC_FLOW_ERROR, "%s", reason.message);
		error->data = flow_error_to_json(&reason);
		json_object_set(error->data, "text", which);
		return NULL;
	}
	if (!all && !object_set_find(owner->objects, kind, id)) {
		object_not_there(owner, kind, id, &reason);
		rpc_error_set(error, RPC_NOT_FOUND, "%s", reason.message);
		return NULL;
	}
	list = object_set_list(owner->objects, kind, count);
	if (!list)
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
	if (list && !all) {
		list[0] = object_set_find(owner->objects, kind, id);
		*count = 1;
	}
	return list;
}

static json_t *dump_all(
	struct vswitch *vs, enum flow_reference kind, const json_t *params, struct rpc_error *error)
{
	const json_t *stats = json_object_get(params, "stats");
	struct flow_owner *owner = flow_input_owner(vs, params, error);
	struct dump dump = {
		.kind = object_kind_get(kind),
		.stats = !stats || json_is_true(stats),
		.now_ms = clock_wall_ms(),
	};
	struct object **list;
	json_t *result;
	size_t count;

	list = owner ? select_objects(owner, kind, params, &count, error) : NULL;
	if (!list)
		return NULL;
	if (json_is_true(json_object_get(params, "names")))
		dump.names = flows_port_names(vs, owner);
	if (dump.stats && count > 0) {
		dump.counts = counts_ask(vs, owner, dump.kind);
		object_flows_count(owner->objects, owner->set);
	}
	result = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(result, dump_object(&dump, list[i]));
	counts_free(&dump.counts);
	free(list);
	return json_pack("{s:o}", dump.kind->dump, result);
}

static json_t *group_dump(void *context, json_t *params, struct rpc_error *error)
{
	return dump_all(context, FLOW_GROUP, params, error);
}

static json_t *meter_dump(void *context, json_t *params, struct rpc_error *error)
{
	return dump_all(context, FLOW_METER, params, error);
}

// --- Rows ---

#define PARAM_BRIDGE                                             \
	{                                                        \
		"bridge", RPC_STRING, true, "name of the bridge" \
	}
#define PARAMS_SHOW                                                                           \
	{"names", RPC_BOOLEAN, false, "write ports by name"},                                 \
	{                                                                                     \
		"stats", RPC_BOOLEAN, false,                                                  \
			"with duration, counters and the number of flows that name it; true " \
			"if not given"                                                        \
	}

static const struct rpc_param group_dump_params[] = {
	PARAM_BRIDGE,
	{"group", RPC_STRING, false, "\"group_id=5\" or \"all\"; all if not given"},
	PARAMS_SHOW,
	{0},
};

static const struct rpc_param meter_dump_params[] = {
	PARAM_BRIDGE,
	{"meter", RPC_STRING, false, "\"meter=5\" or \"all\"; all if not given"},
	PARAMS_SHOW,
	{0},
};

const struct rpc_method object_show_methods[] = {
	{"group.dump", group_dump, group_dump_params, 0,
		"{groups: [{group_id, type, text, group, duration_ms, ref_count, packets, bytes, "
		"buckets: [{bucket_id, packets, bytes}]}]}",
		"Groups by number; ref_count is how many flows name one."},
	{"meter.dump", meter_dump, meter_dump_params, 0,
		"{meters: [{meter_id, text, meter, duration_ms, flow_count, packets, bytes, "
		"bands: [{packets, bytes}]}]}",
		"Meters by number, with what came to them, and what exceeded each band."},
	{0},
};
