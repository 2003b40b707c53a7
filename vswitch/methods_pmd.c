// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/json_member.h"
#include "vswitch/affinity.h"
#include "vswitch/methods.h"
#include "vswitch/model_edit.h"
#include "vswitch/sync.h"
#include "vswitch/vswitch.h"

static json_int_t percent(json_int_t part, json_int_t whole)
{
	return whole > 0 ? (json_int_t)((double)part * 100.0 / (double)whole + 0.5) : 0;
}

// Does a port pin a queue to this core, and are such cores kept for pinned queues?
static bool core_isolated(struct vswitch *vs, json_int_t core)
{
	const char *uuid;
	json_t *interface;

	if (!row_map_boolean(model_root(vs->model), "other_config", "pmd-rxq-isolate", true))
		return false;
	json_object_foreach ((json_t *)model_rows(vs->model, TABLE_INTERFACE), uuid, interface) {
		const char *text = row_map_get(interface, "other_config", "pmd-rxq-affinity");
		struct rpc_error ignored = {0};
		struct affinity_pin pins[64];
		int count = text ? affinity_pins_parse(text, pins, 64, &ignored) : 0;

		rpc_error_clear(&ignored);
		for (int i = 0; i < count; i++) {
			if (pins[i].core == core)
				return true;
		}
	}
	return false;
}

// Is the port's device, or its guest's memory, on another node?
static bool port_crosses(const struct vswitch *vs, const char *name, json_int_t numa)
{
	size_t i;
	json_t *port;

	json_array_foreach (vs->status, i, port) {
		if (strcmp(name, text_of(port, "name")) == 0)
			return affinity_crosses((int)number_of(port, "numa"), (int)numa);
	}
	return false;
}

static json_t *rxq_thread(struct vswitch *vs, const json_t *thread)
{
	static const char *const copied[] = {"load_5s", "load_60s", "load_300s", "headroom_pps"};
	double in_queues = 0, load = real_of(thread, "load_60s");
	json_t *queues = json_array(), *result;
	size_t i;
	json_t *queue;

	json_array_foreach (json_object_get(thread, "queues"), i, queue) {
		json_t *item = json_copy(queue);

		in_queues += real_of(queue, "load_60s");
		json_object_set_new(item, "usage_percent",
			json_integer((json_int_t)(real_of(queue, "load_60s") + 0.5)));
		json_object_set_new(item, "crosses",
			json_boolean(port_crosses(
				vs, text_of(queue, "port"), number_of(thread, "numa"))));
		json_array_append_new(queues, item);
	}
	result = json_pack("{s:I, s:I, s:b, s:o, s:I}", "core", number_of(thread, "core"), "numa",
		number_of(thread, "numa"), "isolated", core_isolated(vs, number_of(thread, "core")),
		"queues", queues, "overhead_percent",
		(json_int_t)(load > in_queues ? load - in_queues + 0.5 : 0));
	for (size_t c = 0; c < sizeof(copied) / sizeof(copied[0]); c++)
		json_object_set(result, copied[c], json_object_get(thread, copied[c]));
	return result;
}

static int compare_cores(const void *a, const void *b)
{
	json_int_t x = number_of(*(json_t *const *)a, "core");
	json_int_t y = number_of(*(json_t *const *)b, "core");

	return x < y ? -1 : x > y;
}

// What the datapath says of its threads, by core.
static json_t *threads_ask(struct vswitch *vs, struct rpc_error *error)
{
	json_t *list = datapath_link_call(vs->link, "pmd.stats", NULL, error);
	size_t count = json_array_size(list);
	json_t **threads = calloc(count + 1, sizeof(*threads));
	json_t *sorted = list && threads ? json_array() : NULL;

	for (size_t i = 0; sorted && i < count; i++)
		threads[i] = json_array_get(list, i);
	if (sorted)
		qsort(threads, count, sizeof(*threads), compare_cores);
	for (size_t i = 0; sorted && i < count; i++)
		json_array_append(sorted, threads[i]);
	free(threads);
	json_decref(list);
	return sorted;
}

static json_t *pmd_rxq_show(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	json_t *threads = threads_ask(vs, error);
	json_t *list;
	json_t *result;
	size_t i;
	json_t *thread;

	if (!threads)
		return NULL;
	list = json_array();
	json_array_foreach (threads, i, thread) {
		json_array_append_new(list, rxq_thread(vs, thread));
	}
	result = json_pack("{s:o, s:O}", "threads", list, "unpolled", vs->unpolled);
	json_decref(threads);
	return result;
}

// What follows from the counters, next to them.
static json_t *pmd_stats_show(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	json_t *threads = threads_ask(vs, error);
	size_t i;
	json_t *thread;

	json_array_foreach (threads, i, thread) {
		json_int_t busy = number_of(thread, "cycles_busy");
		json_int_t idle = number_of(thread, "cycles_idle");
		json_int_t asleep = number_of(thread, "cycles_asleep");
		json_int_t packets = number_of(thread, "rx_packets");
		json_int_t batches = number_of(thread, "rx_batches");

		json_object_set_new(
			thread, "busy_percent", json_integer(percent(busy, busy + idle + asleep)));
		json_object_set_new(thread, "asleep_percent",
			json_integer(percent(asleep, busy + idle + asleep)));
		if (packets > 0)
			json_object_set_new(thread, "cycles_per_packet",
				json_real((double)busy / (double)packets));
		if (batches > 0)
			json_object_set_new(thread, "packets_per_batch",
				json_real((double)packets / (double)batches));
	}
	return threads;
}

static json_t *pmd_perf_show(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;

	return datapath_link_call(vs->link, "pmd.perf", json_deep_copy(params), error);
}

static json_t *pmd_rebalance(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;

	if (!vs->actual) {
		rpc_error_set(error, RPC_UNAVAILABLE, "%s", datapath_link_problem(vs->link));
		return NULL;
	}
	return sync_rebalance(
		vs, -HUGE_VAL, json_is_true(json_object_get(params, "dry_run")), error);
}

static json_t *pmd_stats_clear(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;

	return datapath_link_call(vs->link, "pmd.clear", NULL, error);
}

static const struct rpc_param rebalance_params[] = {
	{"dry_run", RPC_BOOLEAN, false, "only say what it would do"},
	{0},
};

static const struct rpc_param perf_params[] = {
	{"histograms", RPC_BOOLEAN, false, "false: without them"},
	{"rounds", RPC_INTEGER, false, "how many of the last rounds to tell of; at most 1016"},
	{"milliseconds", RPC_INTEGER, false, "the same for milliseconds"},
	{0},
};

const struct rpc_method pmd_methods[] = {
	{"pmd.rxq_show", pmd_rxq_show, NULL, 0,
		"{threads: [{core, numa, isolated, queues: [{port, queue, enabled, mode, "
		"packets, cycles, load_5s, load_60s, load_300s, usage_percent, crosses}], "
		"overhead_percent, load_5s, load_60s, load_300s, headroom_pps}], unpolled: "
		"{port: why}}",
		"Which thread polls which queue, and what it spends on it; a queue `crosses` if "
		"its "
		"device is on another NUMA node than the thread."},
	{"pmd.stats_show", pmd_stats_show, NULL, 0,
		"[{core, numa, thread, cycles_busy, cycles_idle, cycles_asleep, cycles_hz, "
		"sleeps, iterations, rx_packets, rx_batches, tx_packets, drops, queues, "
		"load_5s, load_60s, load_300s, headroom_pps, busy_percent, asleep_percent, "
		"cycles_per_packet?, packets_per_batch?}]",
		"What packet threads have done since they started or were cleared."},
	{"pmd.perf_show", pmd_perf_show, perf_params, 0,
		"[{core, cycles_hz, rounds, suspicious, histograms: {cycles: [[least, count]], "
		"packets, cycles_per_packet, batch}, last_rounds: [{us_ago, cycles, packets, "
		"batches}], last_milliseconds: [{ms, cycles, rounds, packets, batches}]}]",
		"What rounds with packets were like, if other_config:pmd-perf-metrics is true: how "
		"many of them were in each bin of a histogram, which begins at `least`, and the "
		"last ones, the newest first."},
	{"pmd.rebalance", pmd_rebalance, rebalance_params, 0,
		"{threads: [{core, numa, isolated, load_before, load_after}], moves: [{port, "
		"queue, load, from, to}], before: {highest_percent, variance, crossing}, after, "
		"improvement_percent, applied}",
		"Move queues to other packet threads if these are then loaded more evenly, by the "
		"loads of the last minute, in percent of a core."},
	{"pmd.stats_clear", pmd_stats_clear, NULL, 0, "{}", "Count from zero."},
	{0},
};
