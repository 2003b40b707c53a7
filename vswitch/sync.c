// SPDX-License-Identifier: Apache-2.0
#include "vswitch/sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/json_member.h"
#include "vswitch/affinity.h"
#include "vswitch/desired.h"
#include "vswitch/log.h"
#include "vswitch/reconcile.h"

#define RETRY_FIRST_S 5
#define RETRY_LAST_S 60

static json_t *call(struct vswitch *vs, const char *method, json_t *params, struct rpc_error *error)
{
	return datapath_link_call(vs->link, method, params, error);
}

void sync_retry_soon(struct vswitch *vs)
{
	if (!vs->retry_interval_s)
		vs->retry_interval_s = vs->retry_s = RETRY_FIRST_S;
}

json_t *sync_port_status(struct vswitch *vs, const char *port, struct rpc_error *error)
{
	return call(vs, "port.status", port ? json_pack("{s:s}", "name", port) : NULL, error);
}

// --- Bridges and ports ---

// Note that a step for `name` was refused. The config is kept for port.add alone: a port that is
// there, but not as wanted, must not be taken away for that.
static void note_failure(
	struct vswitch *vs, const json_t *step, const char *name, const struct rpc_error *error)
{
	const char *method = text_of(step, "method");
	json_t *failure = json_pack("{s:s}", "error", error->message);

	if (strcmp(method, "port.add") == 0)
		json_object_set_new(
			failure, "config", json_deep_copy(json_object_get(step, "params")));
	json_object_set_new(vs->failures, name, failure);
	log_warning("%s %s: %s", method, name, error->message);
	sync_retry_soon(vs);
}

// Do one step. False if the work has to end.
static bool do_step(
	struct vswitch *vs, const json_t *step, const json_t *strict, struct rpc_error *error)
{
	const char *name = text_of(json_object_get(step, "params"), "name");
	struct rpc_error reason = {0};
	json_t *result = call(vs, text_of(step, "method"),
		json_deep_copy(json_object_get(step, "params")), &reason);

	if (result) {
		json_decref(result);
		reconcile_apply(vs->actual, step);
		json_object_del(vs->failures, name);
		return true;
	}
	if (reason.code == RPC_UNAVAILABLE || json_object_get(strict, name)) {
		// The name helps when several ports are added at once.
		bool named = strncmp(text_of(step, "method"), "port.", 5) != 0 ||
			     strstr(reason.message, name);

		rpc_error_set(error, reason.code, "%s%s%s%s", named ? "" : "port ",
			named ? "" : name, named ? "" : ": ", reason.message);
		error->data = reason.data;
		return false;
	}
	note_failure(vs, step, name, &reason);
	rpc_error_clear(&reason);
	return true;
}

// Failures of ports that are not wanted any more, or are wanted in another form.
static void forget_failures(struct vswitch *vs, const json_t *strict)
{
	const char *name;
	json_t *failure;
	void *next;

	json_object_foreach_safe(vs->failures, next, name, failure)
	{
		bool wanted = model_named(vs->model, TABLE_PORT, name) ||
			      model_named(vs->model, TABLE_BRIDGE, name);

		// Who touches a port wants it tried again.
		if (!wanted || json_object_get(strict, name))
			json_object_del(vs->failures, name);
	}
}

// *changed, if not NULL, tells whether there was anything to do.
static bool do_steps(struct vswitch *vs, const json_t *desired, const json_t *strict, bool *changed,
	struct rpc_error *error)
{
	json_t *steps = reconcile_steps(desired, vs->actual);
	bool good = true;
	size_t i;
	json_t *step;

	if (changed)
		*changed = json_array_size(steps) > 0;
	json_array_foreach (steps, i, step) {
		good = do_step(vs, step, strict, error);
		if (!good)
			break;
	}
	json_decref(steps);
	return good;
}

bool sync_rows(struct vswitch *vs, const json_t *strict, bool *changed, struct rpc_error *error)
{
	json_t *desired;
	bool good;

	if (!vs->actual) {
		rpc_error_set(error, RPC_UNAVAILABLE, "%s", datapath_link_problem(vs->link));
		return false;
	}
	forget_failures(vs, strict);
	desired = desired_state(vs->model, vs->failures);
	good = do_steps(vs, desired, strict, changed, error);
	json_decref(desired);
	return good;
}

// --- Threads ---

bool sync_set_plan(struct vswitch *vs, const json_t *plan, struct rpc_error *error)
{
	json_t *desired =
		json_pack("{s:O, s:O, s:O}", "bridges", json_object_get(vs->actual, "bridges"),
			"ports", json_object_get(vs->actual, "ports"), "plan", (json_t *)plan);
	json_t *steps = reconcile_steps(desired, vs->actual);
	const json_t *step = json_array_get(steps, 0);
	bool good = true;

	if (step) {
		json_t *result = call(vs, text_of(step, "method"),
			json_deep_copy(json_object_get(step, "params")), error);

		good = result != NULL;
		json_decref(result);
		if (good)
			reconcile_apply(vs->actual, step);
	}
	json_decref(steps);
	json_decref(desired);
	return good;
}

// New reference; NULL with *error, or without while there is no datapath.
static json_t *plan_make(struct vswitch *vs, bool strict, bool rebalance, struct plan_extra *extra,
	struct rpc_error *error)
{
	struct plan_input input = {
		.mask = conf_string(vs->conf, CONF_PMD_CPU_MASK),
		.lenient = !strict,
		.rebalance = rebalance,
	};
	json_t *status = sync_port_status(vs, NULL, error);
	json_t *load = status ? call(vs, "pmd.stats", NULL, error) : NULL;
	const json_t *present = json_object_get(vs->actual, "plan");
	json_t *plan = NULL;

	if (status) {
		json_decref(vs->status);
		vs->status = status;
	}
	// Without loads, queues can be placed, too.
	if (status && !load && error->code != RPC_UNAVAILABLE)
		rpc_error_clear(error);
	if (status && vs->info && datapath_link_connected(vs->link)) {
		input.cpus = json_object_get(vs->info, "cpus");
		input.status = vs->status;
		input.threads = load ? load : json_object_get(present, "threads");
		plan = desired_plan(vs->model, &input, extra, error);
	}
	json_decref(load);
	return plan;
}

bool sync_plan(struct vswitch *vs, bool strict, struct rpc_error *error)
{
	struct plan_extra extra = {0};
	json_t *plan = plan_make(vs, strict, false, &extra, error);
	bool good = false;

	if (plan) {
		if (error->code)
			log_warning("%s", error->message); // cores left out, being lenient
		rpc_error_clear(error);
		json_decref(vs->unpolled);
		vs->unpolled = extra.problems ? extra.problems : json_object();
		good = sync_set_plan(vs, plan, error);
	}
	json_decref(plan);
	if (!good && !strict && error->code != RPC_UNAVAILABLE) {
		log_error("packet threads: %s", error->message);
		rpc_error_clear(error);
		good = true;
	}
	return good;
}

json_t *sync_rebalance(
	struct vswitch *vs, double least_percent, bool dry_run, struct rpc_error *error)
{
	struct plan_extra extra = {0};
	json_t *plan = plan_make(vs, false, true, &extra, error);
	bool wanted = real_of(extra.report, "improvement_percent") >= least_percent;
	bool done = plan && !dry_run && wanted &&
		    json_array_size(json_object_get(extra.report, "moves")) > 0;

	if (plan)
		rpc_error_clear(error);
	if (done && !sync_set_plan(vs, plan, error)) {
		json_decref(extra.report);
		extra.report = NULL;
	}
	json_object_set_new(extra.report, "applied", json_boolean(done));
	json_decref(extra.problems);
	json_decref(plan);
	return extra.report;
}

// --- All ---

void sync_forget(struct vswitch *vs)
{
	json_decref(vs->info);
	json_decref(vs->actual);
	json_decref(vs->status);
	vs->info = vs->actual = vs->status = NULL;
	json_object_clear(vs->failures);
	json_object_clear(vs->unpolled);
	json_object_clear(vs->bridge_errors);
	vs->retry_s = vs->retry_interval_s = 0;
	for (struct flow_owner *owner = vs->owners; owner; owner = owner->next)
		owner->behind = true;
}

static bool sync_flows_behind(struct vswitch *vs, struct rpc_error *error)
{
	for (struct flow_owner *owner = vs->owners; owner; owner = owner->next) {
		if (owner->behind && !owner->removed && !owner->added &&
			!sync_flows(vs, owner, error))
			return false;
	}
	return true;
}

static bool bring_up_to_date(struct vswitch *vs, struct rpc_error *error)
{
	// Flows come before threads: a fresh datapath moves no packet before it has all its flows.
	return sync_rows(vs, NULL, NULL, error) && sync_flows_behind(vs, error) &&
	       sync_plan(vs, false, error);
}

static bool learn_state(struct vswitch *vs, struct rpc_error *error)
{
	sync_forget(vs);
	vs->info = call(vs, "datapath.info", NULL, error);
	if (vs->info)
		vs->actual = call(vs, "datapath.state", NULL, error);
	return vs->actual != NULL;
}

static bool prepare_ports(struct vswitch *vs, const json_t *ports, struct rpc_error *error)
{
	json_t *configs = json_array();
	json_t *result;
	size_t i;
	json_t *port;

	json_array_foreach (ports, i, port) {
		json_array_append(configs, json_object_get(port, "config"));
	}
	result = call(vs, "datapath.prepare", json_pack("{s:o}", "ports", configs), error);
	json_decref(result);
	return result != NULL;
}

// The same threads, without queues. A new reference.
static json_t *plan_idle(const json_t *plan)
{
	json_t *idle = json_deep_copy(plan);
	size_t i;
	json_t *thread;

	json_array_foreach (json_object_get(idle, "threads"), i, thread) {
		json_object_set_new(thread, "queues", json_array());
	}
	return idle;
}

bool sync_prepare(struct vswitch *vs, const json_t *plan, struct rpc_error *error)
{
	json_t *idle, *desired, *ports;
	bool good;

	if (!learn_state(vs, error))
		return false;
	idle = plan_idle(plan);
	desired = desired_state(vs->model, NULL);
	ports = json_incref(json_object_get(desired, "ports"));
	json_object_set_new(desired, "ports", json_array());
	good = do_steps(vs, desired, NULL, NULL, error) && sync_flows_behind(vs, error) &&
	       sync_set_plan(vs, idle, error) && prepare_ports(vs, ports, error);
	json_decref(ports);
	json_decref(desired);
	json_decref(idle);
	return good;
}

bool sync_ports(struct vswitch *vs, struct rpc_error *error)
{
	if (!sync_rows(vs, NULL, NULL, error))
		return false;
	snprintf(vs->instance, sizeof(vs->instance), "%s", text_of(vs->info, "instance"));
	return true;
}

void sync_all(struct vswitch *vs)
{
	struct rpc_error error = {0};
	int64_t begin = clock_steady_ms();

	if (learn_state(vs, &error) && bring_up_to_date(vs, &error)) {
		const char *instance = text_of(vs->info, "instance");

		log_info("datapathd %s (pid %lld%s) is up to date after %lld ms",
			text_of(vs->info, "version"),
			(long long)json_integer_value(json_object_get(vs->info, "pid")),
			!*vs->instance                        ? ""
			: strcmp(instance, vs->instance) == 0 ? ", the same as before"
							      : ", a new one",
			(long long)(clock_steady_ms() - begin));
		snprintf(vs->instance, sizeof(vs->instance), "%s", instance);
		if (json_object_size(vs->failures))
			log_warning("%zu ports could not be made; see vsctl show",
				json_object_size(vs->failures));
	} else {
		log_error("datapathd cannot be brought up to date: %s", error.message);
	}
	rpc_error_clear(&error);
}

void sync_behind(struct vswitch *vs)
{
	struct rpc_error error = {0};

	if (vs->actual && datapath_link_connected(vs->link))
		bring_up_to_date(vs, &error);
	rpc_error_clear(&error);
}

void sync_retry(struct vswitch *vs)
{
	if (!vs->retry_interval_s || !datapath_link_connected(vs->link))
		return;
	if (json_object_size(vs->failures) == 0 && json_object_size(vs->bridge_errors) == 0) {
		vs->retry_s = vs->retry_interval_s = 0;
		return;
	}
	if (--vs->retry_s > 0)
		return;
	vs->retry_interval_s *= 2;
	if (vs->retry_interval_s > RETRY_LAST_S)
		vs->retry_interval_s = RETRY_LAST_S;
	vs->retry_s = vs->retry_interval_s;
	// Without their configs the failures do not keep anything out of the desired state.
	const char *name;
	json_t *failure;

	json_object_foreach (vs->failures, name, failure) {
		json_object_del(failure, "config");
	}
	sync_behind(vs);
}
