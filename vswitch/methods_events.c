// SPDX-License-Identifier: Apache-2.0
//
// events.*: resuming where one was.

#include "vswitch/event_log.h"
#include "vswitch/methods.h"
#include "vswitch/vswitch.h"

static json_t *events_since(void *context, json_t *params, struct rpc_error *error)
{
	struct vswitch *vs = context;
	const json_t *since = json_object_get(params, "since");

	if (since && json_integer_value(since) < 0) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"since is the number of the last event that was seen, its seq");
		return NULL;
	}
	if (vs->transaction.entered) {
		rpc_error_set(error, RPC_REFUSED,
			"events.since cannot be part of a batch with changes; call it alone");
		return NULL;
	}
	return event_log_since(vs->events, since ? json_integer_value(since) : -1, error);
}

static const struct rpc_param since_params[] = {
	{"since", RPC_INTEGER, false,
		"the seq of the last event that was seen; not given: answer no events, just the "
		"present number"},
	{0},
};

const struct rpc_method events_methods[] = {
	{"events.since", events_since, since_params, 0,
		"{events: [{method, params}], seq, complete}",
		"All notifications of state with a larger number than since, in order, and the "
		"newest number. What was sent before the answer has a number up to seq; what comes "
		"after it has a larger one, so that nothing is missing and nothing comes twice. If "
		"complete is false, some of them are not kept any more, or never were (the disk "
		"was full): subscribe by this answer first, then read the state anew. Call it "
		"alone, not in a batch with changes."},
	{0},
};
