// SPDX-License-Identifier: Apache-2.0
#include "vswitch/transaction.h"

#include "vswitch/flow_limits.h"
#include "vswitch/flows.h"
#include "vswitch/log.h"
#include "vswitch/model_edit.h"
#include "vswitch/sync.h"

#define WAIT_FOR_DATAPATH_MS 8000 // less than command lines wait for us

// What was stored with no_wait and has not reached the datapath goes ahead of this transaction,
// whose steps and operations say how to get on from there.
static void catch_up(struct vswitch *vs)
{
	if (!event_pending(vs->resync, EV_TIMEOUT, NULL))
		return;
	event_del(vs->resync);
	sync_behind(vs);
}

bool transaction_enter(struct vswitch *vs, const json_t *params, struct rpc_error *error)
{
	bool first = !vs->transaction.entered;

	vs->transaction.entered = true;
	if (json_is_true(json_object_get(params, "no_wait")))
		vs->transaction.no_wait = true;
	if (vs->transaction.no_wait)
		return true;
	if (first && datapath_link_check(vs->link))
		catch_up(vs);
	if (datapath_link_connected(vs->link))
		return true;
	// Nothing has been staged before the first change, so connecting, which brings the
	// datapath to the model, sees a model that was acknowledged.
	if (first && datapath_link_starting(vs->link) &&
		datapath_link_wait(vs->link, WAIT_FOR_DATAPATH_MS))
		return true;
	rpc_error_set(error, RPC_UNAVAILABLE,
		"%s; with --no-wait (no_wait) the change is stored and put in force when "
		"datapathd is back",
		datapath_link_problem(vs->link));
	return false;
}

static bool begin(void *context, struct rpc_error *error)
{
	struct vswitch *vs = context;

	vs->transaction.entered = false;
	vs->transaction.no_wait = false;
	model_begin(vs->model);
	return true;
}

// --- The store ---

static bool stage_rows(struct vswitch *vs, struct rpc_error *error)
{
	const struct model_change *changes;
	size_t count = model_changes(vs->model, &changes);
	int rc = 0;

	for (size_t i = 0; i < count && !rc; i++) {
		const struct model_change *change = &changes[i];

		if (change->removed)
			rc = store_row_remove(vs->store, change->uuid, error);
		else
			rc = store_row_put(vs->store, schema_table_name(change->table),
				change->uuid, model_row(vs->model, change->table, change->uuid),
				error);
	}
	return rc == 0;
}

static bool stage(struct vswitch *vs, struct rpc_error *error)
{
	return store_begin(vs->store, error) == 0 && stage_rows(vs, error) &&
	       flows_stage(vs, error);
}

// --- The datapath ---

// The names of the bridges and ports that this transaction is about.
static json_t *touched_names(struct vswitch *vs)
{
	const struct model_change *changes;
	size_t count = model_changes(vs->model, &changes);
	json_t *names = json_object();

	for (size_t i = 0; i < count; i++) {
		const json_t *row = model_row(vs->model, changes[i].table, changes[i].uuid);
		const char *name = row_string(row ? row : changes[i].old, "name");

		if (*name)
			json_object_set_new(names, name, json_true());
	}
	return names;
}

static bool apply_flows(struct vswitch *vs, struct rpc_error *error)
{
	for (struct flow_owner *owner = vs->owners; owner; owner = owner->next) {
		if (json_array_size(owner->operations) == 0)
			continue;
		if (!datapath_link_apply(
			    vs->link, owner->name, json_incref(owner->operations), error))
			return false;
		owner->applied = true;
	}
	return true;
}

static bool apply(struct vswitch *vs, struct rpc_error *error)
{
	const struct model_change *changes;
	size_t n_changes = model_changes(vs->model, &changes);
	json_t *names = touched_names(vs);
	bool good = true;

	if (n_changes)
		good = sync_rows(vs, names, NULL, error);
	good = good && apply_flows(vs, error);
	if (good && n_changes)
		good = sync_plan(vs, true, error);
	json_decref(names);
	return good;
}

// --- Together ---

static void cancel(struct vswitch *vs)
{
	// The datapath got some of it: these bridges are compared as a whole.
	for (struct flow_owner *owner = vs->owners; owner; owner = owner->next)
		owner->behind = owner->behind || owner->applied;
	model_abort(vs->model);
	flows_abort(vs);
	vs->transaction.entered = false;
}

static void abort_transaction(void *context)
{
	cancel(context);
}

static void keep(struct vswitch *vs)
{
	if (vs->transaction.no_wait) {
		for (struct flow_owner *owner = vs->owners; owner; owner = owner->next)
			owner->behind = owner->behind || owner->changing;
	}
	model_commit(vs->model);
	flows_commit(vs);
	vs->transaction.entered = false;
	if (vs->transaction.no_wait)
		event_active(vs->resync, EV_TIMEOUT, 0);
}

static bool commit(void *context, struct rpc_error *error)
{
	struct vswitch *vs = context;
	const struct model_change *changes;
	bool tried = false;
	bool good;

	if (!edit_validate(vs->model, error)) {
		cancel(vs);
		return false;
	}
	flows_secure(vs);
	if (!flow_limits_check(vs, error)) {
		cancel(vs);
		return false;
	}
	if (model_changes(vs->model, &changes) == 0 && !flows_changed(vs)) {
		cancel(vs); // nothing to keep either
		return true;
	}
	good = stage(vs, error);
	if (good && !vs->transaction.no_wait)
		flow_removals_count(vs);
	good = good && flow_removals_stage(vs, error);
	if (good && !vs->transaction.no_wait) {
		tried = true;
		good = apply(vs, error);
	}
	if (good)
		good = store_commit(vs->store, error) == 0;
	else
		store_rollback(vs->store);
	if (good) {
		keep(vs);
		return true;
	}
	// Before the owners forget that they were to go: a bridge that comes back is empty.
	for (struct flow_owner *owner = vs->owners; owner; owner = owner->next)
		owner->behind = owner->behind || (tried && owner->removed);
	cancel(vs);
	if (tried)
		sync_behind(vs); // bring the datapath back
	return false;
}

const struct rpc_transactions transaction_functions = {
	.begin = begin,
	.commit = commit,
	.abort = abort_transaction,
};
