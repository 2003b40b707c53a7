// SPDX-License-Identifier: Apache-2.0
#pragma once

// Making a bridge's flows exactly those of a list: what is there already stays as it is, what only
// differs in actions is modified and keeps its counters, the rest is added or removed. Flows are
// found by the hash of their place (table, priority, match); they are put in order only where that
// is seen, in what dry_run tells and in what check_overlap refuses.

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "vswitch/flows.h"

struct flow_replacement {
	struct flow_request *wanted;
	size_t count;
	size_t room;
};

// For flow_input_each(), with a struct flow_replacement as context: takes the request over.
bool flow_replacement_collect(
	void *replacement, struct flow_request *request, struct flow_error *error);

// Change the owner's set (within a transaction), or with `dry_run` only tell. Returns the counts,
// and with dry_run the changes; NULL with *error.
json_t *flow_replacement_apply(struct flow_replacement *replacement, struct flow_owner *owner,
	const struct port_names *names, bool dry_run, struct rpc_error *error);

void flow_replacement_destroy(struct flow_replacement *replacement);
