// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the files of the oracle that run a program share.

#include "tests/model/oracle.h"

#define MAX_DEPTH 16     // nested resubmits and groups
#define MAX_LOOKUPS 4096 // per packet
#define ORACLE_FRAME (12 + 4 * ORACLE_TAGS + ORACLE_REST)

struct run {
	struct oracle *oracle;
	struct oracle_packet packet;
	struct oracle_outcome *outcome;
	const struct flow *flow; // whose actions run
	unsigned emitted;        // sent, or dropped on the way out, or given to a bucket
	bool delivered;          // became an event
	unsigned lookups, depth;
	enum drop_reason reason; // noted last
	int next_table;
};

const struct pipeline_port *run_port(const struct run *run, unsigned number); // NULL: none

void run_emit(struct run *run, const struct oracle_packet *packet, uint16_t port);
void run_normal(struct run *run);

// Count the packet as it is.
void run_count(const struct run *run, struct oracle_count *count);

// Note what stops a packet; false if it is DROP_REASON_COUNT, nothing.
bool run_stopped_by(struct run *run, enum drop_reason reason);

// These return false where the packet ends.
bool run_list(struct run *run, const struct action_list *actions);
bool run_group(struct run *run, uint32_t id, bool is_all_that_follows);
bool run_meter(struct run *run, uint32_t id);

// The packet has come to the end of everything: count it if nothing came of it.
void run_end(struct run *run);
