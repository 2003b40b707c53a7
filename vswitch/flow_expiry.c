// SPDX-License-Identifier: Apache-2.0
//
// Timeouts of flows. Hard timeouts count from creation, on the wall clock, which goes on while
// nobody runs. Idle times are the datapath's; where it has seen no packet they count from creation
// or from when the datapath got its flows anew, whichever is later.

#include <stdlib.h>
#include <string.h>

#include "vswitch/flows.h"
#include "vswitch/log.h"

static bool hard_expired(const struct flow_entry *entry, int64_t now)
{
	return entry->flow.hard_timeout &&
	       now - entry->created_ms >= (int64_t)entry->flow.hard_timeout * 1000;
}

// Could it have idled out, going by its age alone? Then the datapath is asked.
static bool idle_possible(
	const struct flow_owner *owner, const struct flow_entry *entry, int64_t now)
{
	int64_t since =
		entry->created_ms > owner->replayed_ms ? entry->created_ms : owner->replayed_ms;

	return entry->flow.idle_timeout && now - since >= (int64_t)entry->flow.idle_timeout * 1000;
}

static json_t *expired_item(const struct flow_entry *entry, enum flow_removal_reason reason)
{
	return json_pack("[I, i]", (json_int_t)entry->id, (int)reason);
}

// Identifiers whose time is over go to `expired`, with the reason; those that may have idled out to
// `asked`. Forgets identifiers of flows that are gone.
static void look_through(struct flow_owner *owner, int64_t now, json_t *expired, json_t *asked)
{
	size_t kept = 0;

	for (size_t i = 0; i < owner->n_timed; i++) {
		const struct flow_entry *entry = flow_set_find(owner->set, owner->timed[i]);

		if (!entry)
			continue;
		owner->timed[kept++] = owner->timed[i];
		if (hard_expired(entry, now))
			json_array_append_new(expired, expired_item(entry, REMOVAL_HARD_TIMEOUT));
		else if (idle_possible(owner, entry, now))
			json_array_append_new(asked, json_integer((json_int_t)entry->id));
	}
	owner->n_timed = kept;
}

static void ask_idle(struct vswitch *vs, struct flow_owner *owner, json_t *asked, json_t *expired)
{
	struct rpc_error error = {0};
	json_t *stats = NULL;
	size_t i;
	json_t *item;

	if (json_array_size(asked) && datapath_link_connected(vs->link))
		stats = datapath_link_call(vs->link, "flow.stats",
			json_pack("{s:s, s:O}", "bridge", owner->name, "ids", asked), &error);
	json_array_foreach (stats, i, item) {
		json_int_t id = json_integer_value(json_array_get(item, 0));
		json_int_t idle = json_integer_value(json_array_get(item, 3));
		const struct flow_entry *entry = flow_set_find(owner->set, (uint64_t)id);

		if (entry && entry->flow.idle_timeout &&
			(idle < 0 || idle >= (json_int_t)entry->flow.idle_timeout * 1000))
			json_array_append_new(expired, expired_item(entry, REMOVAL_IDLE_TIMEOUT));
	}
	json_decref(stats);
	rpc_error_clear(&error);
}

// The store first, then the datapath: a flow that is gone from the store but not from a datapath
// that does not answer goes when the two are compared again.
static void expire(struct vswitch *vs, struct flow_owner *owner, const json_t *expired)
{
	struct rpc_error error = {0};
	json_t *result;
	size_t i;
	json_t *item;

	flows_change(owner);
	json_array_foreach ((json_t *)expired, i, item) {
		flow_remove(owner, (uint64_t)json_integer_value(json_array_get(item, 0)),
			(int)json_integer_value(json_array_get(item, 1)));
	}
	flow_removals_count(vs);
	if (store_begin(vs->store, &error) < 0 || !flows_stage(vs, &error) ||
		!flow_removals_stage(vs, &error) || store_commit(vs->store, &error) < 0) {
		log_error("flows of bridge %s cannot time out: %s", owner->name, error.message);
		store_rollback(vs->store);
		flows_abort(vs);
		rpc_error_clear(&error);
		return;
	}
	result = datapath_link_call(vs->link, "flow.apply",
		json_pack("{s:s, s:O}", "bridge", owner->name, "ops", owner->operations), &error);
	if (!result && !owner->behind) {
		owner->behind = true;
		event_active(vs->resync, EV_TIMEOUT, 0);
	}
	json_decref(result);
	log_debug("bridge %s: %zu flows timed out", owner->name, json_array_size(expired));
	flows_commit(vs);
	rpc_error_clear(&error);
}

void flows_expire(struct vswitch *vs)
{
	int64_t now = clock_wall_ms();

	for (struct flow_owner *owner = vs->owners; owner; owner = owner->next) {
		json_t *expired;
		json_t *asked;

		if (!owner->n_timed)
			continue;
		expired = json_array();
		asked = json_array();
		look_through(owner, now, expired, asked);
		ask_idle(vs, owner, asked, expired);
		if (json_array_size(expired))
			expire(vs, owner, expired);
		json_decref(expired);
		json_decref(asked);
	}
}
