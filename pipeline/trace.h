// SPDX-License-Identifier: Apache-2.0
#pragma once

// One frame through the pipeline, told as JSON: which tables were looked up, which flows won and
// why those before them lost, what each action changed, and what came of the packet.
//
//   {"packet": {"length": 60, "fields": {"in_port": "1", ...}},
//    "steps": [
//      {"step": "table", "depth": 0, "table": 0, "flow": FLOW or null,
//       "lost": [FLOW with {"field": "tp_dst", "wants": "443", "has": "80" or null}],
//       "lost_omitted": 0},
//      {"step": "action", "depth": 0, "action": "mod_dl_dst:02:00:00:00:00:09",
//       "changes": [{"field": "dl_dst", "before": "...", "after": "..."}], "note"?: "no_port"},
//      {"step": "normal", "depth": 0, "vlan": 10, "source_port": 3 or null, "learns": true,
//       "port": 2 or null, "multicast": false},
//      {"step": "bucket", "depth": 1, "group": 5, "type": "select", "bucket": 0,
//       "actions": "output:2"}],
//    "steps_omitted": 0,
//    "outputs": [{"ofport": 2, "length": 60, "frame": "hex", "fields": {...}},
//      {"controller": "action", "max_len": 128, "length": 60, ...}],
//    "outputs_omitted": 0,
//    "drop"?: "table_miss", "help"?: "no flow of the table matched"}
//
// FLOW is {"id", "priority", "cookie", "packets", "bytes", "used_ms", "text"}. "before" or "after"
// is null where the packet did not have the field, or has it no more. "outputs" are in the order in
// which they leave; one that fails on its way has "drop" instead of "ofport". "drop" beside them is
// the end of the packet itself.
//
// A program that runs in circles makes no answer without bounds: steps and outputs are counted
// beyond a limit, only the first lookups say which flows lost, and outputs beyond some megabytes
// come without their frames.
//
// The packet runs through pipeline_trace(), so nothing of the pipeline is changed. Control thread,
// not within a transaction.

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "pipeline/flow_text.h"
#include "pipeline/pipeline.h"

#define TRACE_FRAME_MAX 16384
#define TRACE_STEPS_MAX 1000
#define TRACE_EXPLAINED_MAX 32 // lookups with "lost" and "lost_omitted"
#define TRACE_OUTPUTS_MAX 2000
#define TRACE_BYTES_MAX (2u << 20) // of frames in outputs
#define TRACE_LOST_DEFAULT 100
#define TRACE_LOST_MAX 1000 // whatever is asked for

struct trace_request {
	const uint8_t *frame; // from the Ethernet header on, no FCS
	size_t length;        // at most TRACE_FRAME_MAX
	uint16_t in_port;
	const struct port_names *names; // NULL: ports by number
	size_t lost_max;                // flows listed as lost, per table; the rest are counted
	// Would a packet leave by that port at present? For groups; NULL: always.
	bool (*port_live)(void *context, uint16_t port);
	void *context;
	uint64_t now_ms; // as for pipeline_run()
};

// NULL: out of memory.
json_t *trace_run(struct pipeline *pipeline, const struct trace_request *request);
