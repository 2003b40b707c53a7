// SPDX-License-Identifier: Apache-2.0

// plan.*, pmd.*

#include "datapath/datapath.h"
#include "datapath/pmd.h"
#include "rpc/rpc_params.h"

static json_t *plan_set(void *context, json_t *params, struct rpc_error *error)
{
	struct poll_wanted *wanted = poll_wanted_parse(params, error);

	if (!wanted)
		return NULL;
	if (!pmd_plan_set(context, wanted, error)) {
		poll_wanted_destroy(wanted);
		return NULL;
	}
	return json_object();
}

static json_t *stats(void *context, json_t *params, struct rpc_error *error)
{
	return pmd_stats(context);
}

static unsigned count_of(const json_t *params, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(params, name));

	return value < 0 ? 0 : value > PERF_HISTORY ? PERF_HISTORY : (unsigned)value;
}

static json_t *perf(void *context, json_t *params, struct rpc_error *error)
{
	return pmd_perf_json(context, !json_is_false(json_object_get(params, "histograms")),
		count_of(params, "rounds"), count_of(params, "milliseconds"));
}

static json_t *clear(void *context, json_t *params, struct rpc_error *error)
{
	pmd_stats_clear(context);
	return json_object();
}

static const struct rpc_param params_plan[] = {
	{"threads", RPC_ARRAY, true,
		"[{\"core\": 1, \"queues\": [{\"port\": \"p0\", \"queue\": 0, \"mode\": "
		"\"adaptive\"}]}]; mode, which need not be there, is adaptive, polling or "
		"interrupt"},
	{"idle_us", RPC_INTEGER, false,
		"microseconds without a packet until a thread of adaptive queues sleeps; 1000 if "
		"not "
		"given"},
	{"sleep_max_us", RPC_INTEGER, false,
		"microseconds that a thread sleeps at most if it polls a queue whose driver wakes "
		"nobody; 0: it never does; 100 if not given"},
	{"perf", RPC_BOOLEAN, false, "measure single rounds, for pmd.perf"},
	{"perf_log_us", RPC_INTEGER, false,
		"log rounds that take so many microseconds, if they are measured; 0: none"},
	{NULL},
};

static const struct rpc_param params_perf[] = {
	{"histograms", RPC_BOOLEAN, false, "false: without them"},
	{"rounds", RPC_INTEGER, false, "how many of the last rounds to tell of; at most 1016"},
	{"milliseconds", RPC_INTEGER, false, "the same for milliseconds"},
	{NULL},
};

const struct rpc_method methods_pmd[] = {
	{"plan.set", plan_set, params_plan, 0, "{}",
		"Run exactly these PMD threads, and have them poll exactly these queues, as far as "
		"the "
		"queues exist; others are polled as soon as they do."},
	{"pmd.stats", stats, NULL, 0,
		"[{core, numa, thread, cycles_busy, cycles_idle, cycles_asleep, cycles_hz, "
		"sleeps, iterations, rx_packets, rx_batches, tx_packets, drops, queues: [{port, "
		"queue, enabled, mode, packets, cycles}]}]",
		"What PMD threads have done since they started, or since pmd.clear."},
	{"pmd.perf", perf, params_perf, 0,
		"[{core, cycles_hz, rounds, suspicious, histograms: {cycles: [[least, count]], "
		"packets, cycles_per_packet, batch}, last_rounds: [{us_ago, cycles, packets, "
		"batches}], last_milliseconds: [{ms, cycles, rounds, packets, batches}]}]",
		"What rounds with packets were like, of threads where they are measured: how many "
		"of them were in each bin of a histogram, which begins at `least`, and the last "
		"ones, the newest first."},
	{"pmd.clear", clear, NULL, 0, "{}", "Count from zero in pmd.stats."},
	{NULL},
};
