// SPDX-License-Identifier: Apache-2.0
#include "vswitch/auto_lb.h"

#include "rpc/json_member.h"
#include "vswitch/event_log.h"
#include "vswitch/log.h"
#include "vswitch/sync.h"

#define INTERVAL_MIN 1
#define LOAD_PERCENT 95
#define IMPROVEMENT_PERCENT 25

static json_int_t setting_of(const struct vswitch *vs, const char *key, json_int_t unset)
{
	return row_map_integer(model_root(vs->model), "other_config", key, unset);
}

static bool any_overloaded(const json_t *threads, double threshold)
{
	size_t i;
	json_t *thread;

	json_array_foreach ((json_t *)threads, i, thread) {
		if (real_of(thread, "load_60s") >= threshold)
			return true;
	}
	return false;
}

static void rebalance(struct vswitch *vs)
{
	json_int_t least = setting_of(vs, "pmd-auto-lb-improvement-threshold", IMPROVEMENT_PERCENT);
	struct rpc_error error = {0};
	json_t *report = sync_rebalance(vs, (double)least, false, &error);
	double gain = real_of(report, "improvement_percent");
	size_t moves = json_array_size(json_object_get(report, "moves"));

	if (!report) {
		log_warning("pmd-auto-lb: %s", error.message);
	} else if (json_is_true(json_object_get(report, "applied"))) {
		log_info("pmd-auto-lb: %zu queues moved; the variance of the loads improves by "
			 "%.0f %%",
			moves, gain);
		event_log_note(vs->events, "pmd.rebalanced", NULL, json_incref(report));
	} else {
		log_debug("pmd-auto-lb: a packet thread is overloaded, but moving queues would "
			  "improve the variance of the loads by %.0f %% only",
			gain);
	}
	json_decref(report);
	rpc_error_clear(&error);
}

void auto_lb_step(struct vswitch *vs)
{
	bool wanted = row_map_boolean(model_root(vs->model), "other_config", "pmd-auto-lb", false);
	struct rpc_error error = {0};
	json_t *threads;

	if (!wanted || !vs->actual) {
		vs->auto_lb_s = 0;
		return;
	}
	if (++vs->auto_lb_s < 60 * setting_of(vs, "pmd-auto-lb-rebal-interval", INTERVAL_MIN))
		return;
	vs->auto_lb_s = 0;
	threads = datapath_link_call(vs->link, "pmd.stats", NULL, &error);
	if (json_array_size(threads) > 1 &&
		any_overloaded(threads,
			(double)setting_of(vs, "pmd-auto-lb-load-threshold", LOAD_PERCENT)))
		rebalance(vs);
	json_decref(threads);
	rpc_error_clear(&error);
}
