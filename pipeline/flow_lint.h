// SPDX-License-Identifier: Apache-2.0
#pragma once

// Lint: what is suspicious about flows that are right one by one; the kinds are the rows of
// pipeline/lint_kinds.def. A pure function from a list of flows to a list of findings. Any thread.
//
// What is said is true of every packet, with two kinds of restraint, both of which leave findings
// out and never make one up:
// - `shadowed` looks for one flow that covers another. Flows that only together cover it, and
//   flows with a timeout, which will be gone, do not count.
// - `drops_arp` and `drops_rarp` follow broadcasts through the tables with what is known of them
//   (type, port, registers), and speak up only if no way leads out for any such packet.
//
// Cost. Flows are grouped by mask and found by hash, so that comparing n flows of m masks takes
// about n * m steps; where masks are many or matches with port ranges fall together, it goes
// towards n * n. Work stops after FLOW_LINT_STEPS, and `complete` says so. At most
// FLOW_LINT_FINDINGS findings are told, all are counted.

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/flow_text.h"

#define FLOW_LINT_STEPS 200000000 // a few seconds
#define FLOW_LINT_FINDINGS 10000
#define FLOW_LINT_NONE SIZE_MAX

enum flow_lint_severity { FLOW_LINT_WARNING, FLOW_LINT_ERROR };

enum flow_lint_kind {
#define LINT_KIND(ID, NAME, SEVERITY, HELP) FLOW_LINT_##ID,
#include "pipeline/lint_kinds.def"
#undef LINT_KIND
	FLOW_LINT_KIND_COUNT,
};

struct flow_lint_row {
	const char *name;
	enum flow_lint_severity severity;
	const char *help;
};

struct flow_finding {
	enum flow_lint_kind kind;
	size_t flow;   // position in the list
	size_t other;  // position of the flow that it is about too, or FLOW_LINT_NONE
	char *message; // what is wrong and what to do; owned
};

struct flow_lint {
	struct flow_finding *findings; // by flow, then kind
	size_t count;
	size_t counts[FLOW_LINT_KIND_COUNT]; // those that are not told included
	bool complete;
};

const struct flow_lint_row *flow_lint_row(enum flow_lint_kind kind);

// `flows` in any order, no two in the same place. `ports` are the bridge's, NULL if they are not
// known; then `no_port` is not looked for. 0 or -ENOMEM; flow_lint_destroy() in either case.
int flow_lint_run(struct flow_lint *lint, const struct flow *const flows[], size_t count,
	const struct port_names *ports);
void flow_lint_destroy(struct flow_lint *lint); // frees what it owns

// The number of findings of a severity, those that are not told included.
size_t flow_lint_count(const struct flow_lint *lint, enum flow_lint_severity severity);

// For who reads a list: `flow` is replaced by a later one in the same place. A malloc()ed sentence
// or NULL.
char *flow_lint_replaced(const struct flow *flow, const struct port_names *ports);
