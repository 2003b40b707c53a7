// SPDX-License-Identifier: Apache-2.0

// plan.*, pmd.*

#include "datapath/datapath.h"
#include "datapath/pmd.h"
#include "rpc/rpc_params.h"

static json_t *plan_set(void *context, json_t *params, struct rpc_error *error)
{
	struct poll_wanted *wanted = poll_wanted_parse(json_object_get(params, "threads"), error);

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

static json_t *clear(void *context, json_t *params, struct rpc_error *error)
{
	pmd_stats_clear(context);
	return json_object();
}

static const struct rpc_param params_plan[] = {
	{"threads", RPC_ARRAY, true,
		"[{\"core\": 1, \"queues\": [{\"port\": \"p0\", \"queue\": 0}]}]"},
	{NULL},
};

const struct rpc_method methods_pmd[] = {
	{"plan.set", plan_set, params_plan, 0, "{}",
		"Run exactly these PMD threads, and have them poll exactly these queues, as far as "
		"the "
		"queues exist; others are polled as soon as they do."},
	{"pmd.stats", stats, NULL, 0,
		"[{core, numa, thread, cycles_busy, cycles_idle, cycles_hz, iterations, "
		"rx_packets, "
		"rx_batches, tx_packets, drops, queues: [{port, queue, enabled, packets, "
		"cycles}]}]",
		"What PMD threads have done since they started, or since pmd.clear."},
	{"pmd.clear", clear, NULL, 0, "{}", "Count from zero in pmd.stats."},
	{NULL},
};
