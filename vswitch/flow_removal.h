// SPDX-License-Identifier: Apache-2.0
#pragma once

// Telling clients of flows that went, if they were added with send_flow_rem: the notification
// flow.removed says why a flow went and what it had counted. It is written in the transaction that
// removes the flow (event_log.h), so that both are or neither is.
//
// Whoever removes flows for another reason than a client's wish does it by flow_remove(). Before
// the datapath removes them flow_removals_count() asks it for their counters, once for each
// bridge, and not at all where no such flow goes; packets between that and the removal are in no
// notification. Everything is of the transaction in progress and on its thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/rpc_error.h"

struct flow_owner;
struct vswitch;

enum flow_removal_reason {
	REMOVAL_DELETE, // or replaced
	REMOVAL_IDLE_TIMEOUT,
	REMOVAL_HARD_TIMEOUT,
	REMOVAL_GROUP_DELETE,
	REMOVAL_METER_DELETE,
};

struct flow_removal;

struct flow_removals {
	struct flow_removal *items; // by identifier, once they were counted
	size_t count;
	size_t room;
};

// flow_set_remove() with a reason.
void flow_remove(struct flow_owner *owner, uint64_t id, enum flow_removal_reason reason);

// Without an answer of the datapath, notifications have no counters.
void flow_removals_count(struct vswitch *vs);

// Write the events of all flows that go, in the transaction of the store. False with *error.
bool flow_removals_stage(struct vswitch *vs, struct rpc_error *error);

void flow_removals_clear(struct flow_removals *removals);
