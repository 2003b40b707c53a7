// SPDX-License-Identifier: Apache-2.0
#pragma once

// Looking on while the pipeline runs a packet: what `ofctl trace` is made of.
//
// pipeline_trace() runs one packet through the same functions as pipeline_run(), compiled a second
// time with the calls below in them, so the packet path carries neither the calls nor a test for
// them in its burst. It changes nothing that can be seen from outside: no counter is counted up, no
// MAC address is refreshed, and what becomes of the packet is up to the sink, whose learn() is told
// what would be learned.
//
// Thread: the control thread, or a reader that takes part in the grace periods. Everything that
// the callbacks get is valid during the call only.

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/action.h"
#include "pipeline/drop_reason.h"
#include "pipeline/packet.h"
#include "pipeline/pipeline.h"

// What NORMAL found out before it sent anything.
struct normal_decision {
	uint16_t vlan;   // that the packet belongs to, 0: none
	bool multicast;  // no destination that could be learned
	bool learns;     // the source is new, or was at another port
	uint16_t source; // where the table has the source address: a port, or OFPORT_NONE
	uint16_t port;   // where it has the destination; OFPORT_NONE: the packet is flooded
};

struct pipeline_observer {
	// A table was looked up with `key`. *flow is the flow that won, NULL a miss.
	void (*lookup)(struct pipeline_observer *observer, uint8_t table,
		const struct packet_key *key, const uint64_t *flow);
	// An action is about to run, and has run. `noted` is why it did not do what it says, or
	// DROP_REASON_COUNT. What a resubmit does comes between the two calls.
	void (*begin)(struct pipeline_observer *observer, const struct action *action,
		const struct packet_key *key);
	void (*end)(struct pipeline_observer *observer, const struct action *action,
		const struct packet_key *key, enum drop_reason noted);
	// Between the two, before a bucket of a group runs.
	void (*bucket)(struct pipeline_observer *observer, const struct group *group,
		unsigned index);
	// Between the two, for each NORMAL that got so far.
	void (*normal)(struct pipeline_observer *observer, const struct normal_decision *decision);
};

// As pipeline_run() with a single packet, observed. All callbacks are required. The key is parsed
// whole, not only the lines that flows use.
__attribute__((cold)) void pipeline_trace(struct pipeline *pipeline, struct packet *packet,
	uint64_t now_ms, struct pipeline_sink *sink, struct pipeline_observer *observer);
