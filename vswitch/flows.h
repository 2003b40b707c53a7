// SPDX-License-Identifier: Apache-2.0
#pragma once

// The flows of all bridges, and the groups and meters that they name: a flow_set and an object_set
// per bridge, what a transaction changes in them, timeouts, and what flows may name.
//
// Within a transaction flows_change() must come before one of the sets is changed. flows_stage()
// then turns the changes into rows of the store and operations of flow.apply; flows_commit() keeps,
// and flows_abort() undoes what happened in all sets, bridges that came and went included.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "pipeline/flow_set.h"
#include "vswitch/flow_removal.h"
#include "vswitch/objects.h"
#include "vswitch/reconcile.h"
#include "vswitch/vswitch.h"

struct flow_owner {
	struct flow_owner *next;
	char bridge[UUID_SIZE];
	char name[64];
	struct flow_set *set;
	struct object_set *objects;

	// Of the transaction in progress.
	bool changing;         // flow_set_begin() was called
	bool added;            // the bridge is new
	bool removed;          // the bridge is gone
	uint64_t default_flow; // that a new bridge began with, 0: none
	json_t *operations;    // for flow.apply, made by flows_stage()
	bool applied;          // the datapath has done them
	struct flow_removals removals;

	bool behind;         // the datapath does not have all of it: needs sync_flows()
	int64_t replayed_ms; // when a datapath got all flows anew: idle times begin there

	uint64_t *timed; // identifiers of flows with timeouts; may name some that are gone
	size_t n_timed;
	size_t timed_room;

	struct port_names names;
	uint64_t names_version; // of the model that they were made from
};

// The owner of a bridge's flows; NULL if there is none or it is being removed.
struct flow_owner *flows_find(struct vswitch *vs, const char *bridge_uuid);

// For reading the store. `text` in exact form. False with *error.
bool flows_load(struct vswitch *vs, const char *bridge_uuid, uint64_t id, int64_t created_ms,
	const char *text, struct rpc_error *error);
bool flows_load_object(struct vswitch *vs, const char *bridge_uuid, const char *kind, uint32_t id,
	int64_t created_ms, const char *text, struct rpc_error *error);
// After that: an owner for every bridge, identifiers from the store's next one on.
bool flows_loaded(struct vswitch *vs, struct rpc_error *error);

// A bridge comes (with the flow "priority=0,actions=normal") or goes, within a transaction.
bool flows_bridge_add(struct vswitch *vs, const json_t *bridge, struct rpc_error *error);
void flows_bridge_remove(struct vswitch *vs, const char *bridge_uuid);
// Take the first flow out of new bridges that turned out to be fail_mode=secure.
void flows_secure(struct vswitch *vs);

void flows_change(struct flow_owner *owner);

bool flows_stage(struct vswitch *vs, struct rpc_error *error);
bool flows_changed(const struct vswitch *vs);
void flows_commit(struct vswitch *vs);
void flows_abort(struct vswitch *vs);

// Valid until the model changes. Which groups and meters there are is asked at the time of use.
const struct port_names *flows_port_names(struct vswitch *vs, struct flow_owner *owner);
void flow_names_clear(struct flow_owner *owner);

// All flows in exact form, sorted by id; free with flow_records_free(). NULL: out of memory.
struct flow_record *flows_records(const struct flow_owner *owner, size_t *count);
void flow_records_free(struct flow_record *records, size_t count);

// Remove what has timed out, as a transaction of its own.
void flows_expire(struct vswitch *vs);

void flows_destroy(struct vswitch *vs);
