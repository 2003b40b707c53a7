// SPDX-License-Identifier: Apache-2.0
#pragma once

// A flow as its author means it: where it stands, what it matches, what it does. Plain data but
// for the action list that it owns. The text form is in flow_text.h, JSON in flow_json.h; the
// same three meet in one model, so that a dump loads back to an equal flow.

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/action.h"
#include "pipeline/match.h"

#define FLOW_DEFAULT_PRIORITY 32768
#define FLOW_MAX_TABLE 254

enum flow_flags {
	FLOW_CHECK_OVERLAP = 1,
	FLOW_SEND_REMOVED = 2,
	FLOW_RESET_COUNTS = 4,
};

struct flow {
	uint8_t table;
	uint16_t priority;
	uint16_t idle_timeout; // seconds, 0 never
	uint16_t hard_timeout;
	uint64_t cookie;
	unsigned flags;
	struct match match;
	struct action_list actions;
};

void flow_init(struct flow *flow);    // table 0, default priority, matches all, no actions
void flow_destroy(struct flow *flow); // frees what it owns, not the struct
int flow_copy(struct flow *copy, const struct flow *flow); // 0 or -ENOMEM

// Same table, priority and match: OpenFlow's identity of a flow.
bool flow_same_place(const struct flow *a, const struct flow *b);

// Same in everything that flow_format() prints.
bool flow_equal(const struct flow *a, const struct flow *b);

// Does any action output to `port` by number (for out_port= filters)?
bool flow_outputs_to(const struct flow *flow, uint16_t port);
