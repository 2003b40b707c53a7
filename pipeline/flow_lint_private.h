// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the files of lint share; nobody else includes this. Flows stand in the order in which the
// datapath prefers them, table by table, so that of two flows of a table the one with the lower
// position wins.

#include <stdint.h>

#include "pipeline/flow_lint.h"

#define LINT_TABLES (FLOW_MAX_TABLE + 1)

struct linted_flow {
	const struct flow *flow;
	size_t given;     // position in the caller's list
	uint32_t actions; // the same number for the same actions
	bool lasts;       // no timeout
	bool hidden;      // never matches
};

struct lint {
	struct flow_lint *result;
	const struct port_names *ports;
	struct linted_flow *flows;
	size_t count;
	size_t first[LINT_TABLES + 1]; // of each table; first[table + 1] is its end
	uint64_t steps;                // left
};

// Is there work left? Counts `steps` of it.
static inline bool lint_step(struct lint *lint, uint64_t steps)
{
	if (lint->steps < steps) {
		lint->steps = 0;
		lint->result->complete = false;
		return false;
	}
	lint->steps -= steps;
	return true;
}

// The steps of comparing it with another one: ranges take longer.
static inline unsigned match_steps(const struct match *match)
{
	return match->tp_src.last || match->tp_dst.last ? 6 : 1;
}

// Positions are of lint->flows, `other` may be FLOW_LINT_NONE. 0 or -ENOMEM.
int lint_add(struct lint *lint, enum flow_lint_kind kind, size_t flow, size_t other,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

// "priority=1,ip" into `text`, cut to size.
void lint_describe(const struct lint *lint, size_t flow, char *text, size_t size);

// Each: 0 or -ENOMEM. lint_covers() sets `hidden`, which the others read.
int lint_covers(struct lint *lint);
int lint_overlaps(struct lint *lint);
int lint_tables(struct lint *lint);
int lint_ports(struct lint *lint);
int lint_broadcasts(struct lint *lint);
