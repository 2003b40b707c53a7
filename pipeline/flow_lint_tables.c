// SPDX-License-Identifier: Apache-2.0
// Lint: where flows lead, tables and ports; see flow_lint.h. What many flows have in common is told
// of the first and counted for the rest.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/flow_lint_private.h"

// " (and 3 more flows)" or nothing.
static const char *others(size_t count, const char *what, char *text, size_t size)
{
	text[0] = '\0';
	if (count > 1)
		snprintf(text, size, " (and %zu more %s%s)", count - 1, what, count > 2 ? "s" : "");
	return text;
}

static bool action_target(const struct action *action, uint8_t *table)
{
	if (action->id == ACTION_GOTO_TABLE)
		*table = action->table;
	else if (action->id == ACTION_RESUBMIT)
		*table = action->resubmit.table;
	else
		return false;
	return true;
}

static bool table_is_empty(const struct lint *lint, unsigned table)
{
	return lint->first[table] == lint->first[table + 1];
}

// --- Tables that are led to but have no flows ---

struct dead_end {
	size_t flow; // the first of the list
	size_t last; // that was counted
	size_t count;
};

static void dead_end_count(const struct lint *lint, struct dead_end *end, size_t flow)
{
	if (end->count && end->last == flow)
		return;
	if (end->count++ == 0 || lint->flows[flow].given < lint->flows[end->flow].given)
		end->flow = flow;
	end->last = flow;
}

// Of the flows of one table.
static int table_dead_ends(struct lint *lint, unsigned table)
{
	struct dead_end ends[LINT_TABLES] = {0};

	for (size_t i = lint->first[table]; i < lint->first[table + 1]; i++) {
		const struct action_list *actions = &lint->flows[i].flow->actions;
		uint8_t target;

		for (size_t a = 0; a < actions->count; a++) {
			if (!action_target(&actions->items[a], &target) ||
				!table_is_empty(lint, target))
				continue;
			dead_end_count(lint, &ends[target], i);
		}
	}
	for (unsigned target = 0; target < LINT_TABLES; target++) {
		char text[200], more[64];

		if (!ends[target].count)
			continue;
		lint_describe(lint, ends[target].flow, text, sizeof(text));
		if (lint_add(lint, FLOW_LINT_MISSING_TABLE, ends[target].flow, FLOW_LINT_NONE,
			    "\"%s\" in table %u%s goes to table %u, which has no flows: packets "
			    "find nothing there; add flows with table=%u, or go to another",
			    text, table, others(ends[target].count, "flow", more, sizeof(more)),
			    target, target))
			return -ENOMEM;
	}
	return 0;
}

// --- Tables with flows that nothing leads to ---

struct reach {
	bool reached[LINT_TABLES];
	uint8_t waiting[LINT_TABLES]; // each table comes once
	size_t count;
};

static void reach_add(struct reach *reach, unsigned table)
{
	if (reach->reached[table])
		return;
	reach->reached[table] = true;
	reach->waiting[reach->count++] = (uint8_t)table;
}

// A group is not told to lint, so its buckets may resubmit to any table.
static void reach_action(struct reach *reach, const struct action *action)
{
	uint8_t target;

	if (action_target(action, &target))
		reach_add(reach, target);
	for (unsigned table = 0; action->id == ACTION_GROUP && table < LINT_TABLES; table++)
		reach_add(reach, table);
}

static void tables_reach(const struct lint *lint, struct reach *reach)
{
	reach_add(reach, 0);
	while (reach->count > 0) {
		unsigned table = reach->waiting[--reach->count];

		for (size_t i = lint->first[table]; i < lint->first[table + 1]; i++) {
			const struct action_list *actions = &lint->flows[i].flow->actions;

			for (size_t a = 0; a < actions->count && !lint->flows[i].hidden; a++)
				reach_action(reach, &actions->items[a]);
		}
	}
}

int lint_tables(struct lint *lint)
{
	struct reach reach = {0};
	int error = 0;

	tables_reach(lint, &reach);
	for (unsigned table = 0; table < LINT_TABLES && !error; table++) {
		size_t count = lint->first[table + 1] - lint->first[table];

		if (count > 0 && !reach.reached[table])
			error = lint_add(lint, FLOW_LINT_UNREACHABLE, lint->first[table],
				FLOW_LINT_NONE,
				"table %u (%zu flow%s) is never looked up: no flow that can match "
				"leads to it; add goto_table:%u or resubmit(,%u) to one that "
				"should, or delete its flows",
				table, count, count > 1 ? "s" : "", table, table);
		if (!error && count > 0)
			error = table_dead_ends(lint, table);
	}
	return error;
}

// --- Ports that are not there ---

static bool port_exists(const struct port_names *ports, uint16_t port)
{
	for (size_t i = 0; i < ports->count; i++) {
		if (ports->items[i].number == port)
			return true;
	}
	return false;
}

static void ports_collect(const struct lint *lint, struct dead_end *ends)
{
	for (size_t i = 0; i < lint->count; i++) {
		const struct action_list *actions = &lint->flows[i].flow->actions;

		for (size_t a = 0; a < actions->count; a++) {
			const struct action *action = &actions->items[a];

			if (action->id == ACTION_OUTPUT && action->port <= OFPORT_MAX)
				dead_end_count(lint, &ends[action->port], i);
			else if (action->id == ACTION_OUTPUT_TRUNCATED &&
				 action->truncated.port <= OFPORT_MAX)
				dead_end_count(lint, &ends[action->truncated.port], i);
		}
	}
}

int lint_ports(struct lint *lint)
{
	struct dead_end *ends;
	int error = 0;

	if (!lint->ports)
		return 0;
	ends = calloc(OFPORT_MAX + 1, sizeof(*ends));
	if (!ends)
		return -ENOMEM;
	ports_collect(lint, ends);
	for (unsigned port = 0; port <= OFPORT_MAX && !error; port++) {
		char text[200], more[64];

		if (!ends[port].count || port_exists(lint->ports, (uint16_t)port))
			continue;
		lint_describe(lint, ends[port].flow, text, sizeof(text));
		error = lint_add(lint, FLOW_LINT_NO_PORT, ends[port].flow, FLOW_LINT_NONE,
			"\"%s\" in table %u outputs to port %u%s, which %s does not have; add the "
			"port (ofport=%u), or output to another",
			text, lint->flows[ends[port].flow].flow->table, port,
			others(ends[port].count, "flow", more, sizeof(more)),
			lint->ports->bridge ? lint->ports->bridge : "the bridge", port);
	}
	free(ends);
	return error;
}
