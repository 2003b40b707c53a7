// SPDX-License-Identifier: Apache-2.0
#pragma once

// Running an action list on one packet: the state that run functions of actions work on.
//
// An execution is on the stack of the reader thread that runs it. Output is lazy: an output is
// remembered as pending, and only when another action follows that needs the packet again is a
// copy made and sent; so the common single output costs no copy. A packet that reaches the end
// without a pending output is dropped: as CONSUMED if copies of it were sent, else with the last
// reason that was noted.
//
// The VLAN tag that NORMAL puts on or takes off for a port is part of the pending output, because
// the packet itself goes on without that change.

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/pipeline.h"

#define VLAN_AS_IS 0xffff

struct installed_flow;
struct port_set;
struct pipeline_observer;

// What a packet takes along from table to table.
struct execution_progress {
	uint32_t lookups;        // so far, for PIPELINE_LOOKUP_LIMIT
	uint32_t copies;         // asked for so far, whether or not there was memory
	uint32_t pending_length; // how much of the packet leaves, or UINT32_MAX
	uint16_t pending;        // port that the packet itself will go to, or OFPORT_NONE
	uint16_t pending_vlan;   // how it leaves: VLAN_AS_IS, or a VLAN ID, 0 for untagged
	bool delivered;          // to the controller, so that the packet is not lost
	uint8_t reason;          // enum drop_reason: why, if nothing comes of it
};

struct execution {
	// The same for a whole burst.
	struct pipeline *pipeline;
	struct pipeline_sink *sink;
	const struct port_set *ports; // of the bridge
	uint64_t version;             // of the tables
	uint64_t now_ms;
	struct pipeline_observer *observer; // NULL unless the packet is traced
	unsigned reader;                    // slot
	// Of one packet.
	unsigned depth;     // of resubmits and groups
	bool follows;       // whoever runs the list goes on in next_table, and comes back no more
	int16_t next_table; // goto_table or a resubmit at the end of the list; -1: none
	struct packet *packet;
	struct packet_key *key;
	const struct installed_flow *flow; // whose actions run; NULL: an action list alone
	const struct action *list_end;     // behind the last action of the list that runs
	struct execution_progress progress;
};

// Send to `port` (a real port number) without any check, by way of the pending output.
void execution_emit(struct execution *execution, uint16_t port);

// The same, but tagged with VLAN `vlan`: an outermost tag gets that ID, an untagged packet a tag;
// 0 takes the outermost tag off. The packet itself is not changed.
void execution_emit_vlan(struct execution *execution, uint16_t port, uint16_t vlan);

// The same for the first `length` bytes only.
void execution_emit_truncated(struct execution *execution, uint16_t port, uint32_t length);

// Before the packet is changed: if an output is pending, send a copy as the packet is now.
// False if there was no memory; the pending output is then counted as dropped.
bool execution_settle(struct execution *execution);

// Note a drop reason for a packet of which nothing else comes.
static inline void execution_note(struct execution *execution, enum drop_reason reason)
{
	execution->progress.reason = (uint8_t)reason;
}
