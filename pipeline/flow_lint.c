// SPDX-License-Identifier: Apache-2.0
// Lint: the list, its order, and what becomes of findings; see flow_lint.h.

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_lint_private.h"

static const struct flow_lint_row rows[FLOW_LINT_KIND_COUNT] = {
#define LINT_KIND(ID, NAME, SEVERITY, HELP) \
	[FLOW_LINT_##ID] = {.name = NAME, .severity = FLOW_LINT_##SEVERITY, .help = HELP},
#include "pipeline/lint_kinds.def"
#undef LINT_KIND
};

const struct flow_lint_row *flow_lint_row(enum flow_lint_kind kind)
{
	return &rows[kind];
}

size_t flow_lint_count(const struct flow_lint *lint, enum flow_lint_severity severity)
{
	size_t count = 0;

	for (int kind = 0; kind < FLOW_LINT_KIND_COUNT; kind++)
		count += rows[kind].severity == severity ? lint->counts[kind] : 0;
	return count;
}

void flow_lint_destroy(struct flow_lint *lint)
{
	if (!lint)
		return;
	for (size_t i = 0; i < lint->count; i++)
		free(lint->findings[i].message);
	free(lint->findings);
	*lint = (struct flow_lint){0};
}

char *flow_lint_replaced(const struct flow *flow, const struct port_names *ports)
{
	char *match = match_format(&flow->match, flow->priority, ports);
	char *text = NULL;

	if (match && asprintf(&text,
			     "\"%s\" in table %u is replaced by a later line with the same table, "
			     "priority and match; remove one of them",
			     match, flow->table) < 0)
		text = NULL;
	free(match);
	return text;
}

// --- Findings ---

void lint_describe(const struct lint *lint, size_t position, char *text, size_t size)
{
	const struct flow *flow = lint->flows[position].flow;
	char *match = match_format(&flow->match, flow->priority, lint->ports);
	int length = snprintf(text, size, "%s", match ? match : "");

	if (length >= (int)size && size > 4)
		memcpy(text + size - 4, "...", 4);
	free(match);
}

int lint_add(struct lint *lint, enum flow_lint_kind kind, size_t flow, size_t other,
	const char *format, ...)
{
	struct flow_lint *result = lint->result;
	char *message = NULL;
	va_list args;
	int length;

	if (result->counts[kind]++ >= FLOW_LINT_FINDINGS || result->count >= FLOW_LINT_FINDINGS)
		return 0;
	if ((result->count & (result->count - 1)) == 0) {
		size_t room = result->count ? result->count * 2 : 1;
		struct flow_finding *more =
			realloc(result->findings, room * sizeof(*result->findings));

		if (!more)
			return -ENOMEM;
		result->findings = more;
	}
	va_start(args, format);
	length = vasprintf(&message, format, args);
	va_end(args);
	if (length < 0)
		return -ENOMEM;
	result->findings[result->count++] = (struct flow_finding){
		.kind = kind,
		.flow = lint->flows[flow].given,
		.other = other == FLOW_LINT_NONE ? other : lint->flows[other].given,
		.message = message,
	};
	return 0;
}

static int compare_findings(const void *a, const void *b)
{
	const struct flow_finding *x = a;
	const struct flow_finding *y = b;

	if (x->flow != y->flow)
		return x->flow < y->flow ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->other < y->other ? -1 : x->other > y->other;
}

// --- The list ---

static int compare_precedence(const void *a, const void *b)
{
	const struct linted_flow *x = a;
	const struct linted_flow *y = b;

	if (x->flow->table != y->flow->table)
		return x->flow->table < y->flow->table ? -1 : 1;
	if (x->flow->priority != y->flow->priority)
		return x->flow->priority > y->flow->priority ? -1 : 1;
	return match_compare(&x->flow->match, &y->flow->match);
}

struct spelled_actions {
	char *text;
	size_t position;
};

static int compare_spelled(const void *a, const void *b)
{
	return strcmp(((const struct spelled_actions *)a)->text,
		((const struct spelled_actions *)b)->text);
}

// Give the same number to actions that are written the same.
static int actions_number(struct lint *lint)
{
	struct spelled_actions *spelled = calloc(lint->count + 1, sizeof(*spelled));
	uint32_t number = 0;
	int error = spelled ? 0 : -ENOMEM;

	for (size_t i = 0; i < lint->count && !error; i++) {
		spelled[i].text = actions_format(&lint->flows[i].flow->actions, NULL);
		spelled[i].position = i;
		error = spelled[i].text ? 0 : -ENOMEM;
	}
	if (!error && lint->count)
		qsort(spelled, lint->count, sizeof(*spelled), compare_spelled);
	for (size_t i = 0; i < lint->count && !error; i++) {
		if (i > 0 && strcmp(spelled[i - 1].text, spelled[i].text) != 0)
			number++;
		lint->flows[spelled[i].position].actions = number;
	}
	for (size_t i = 0; spelled && i < lint->count; i++)
		free(spelled[i].text);
	free(spelled);
	return error;
}

static int lint_begin(struct lint *lint, const struct flow *const flows[], size_t count)
{
	lint->flows = calloc(count + 1, sizeof(*lint->flows));
	if (!lint->flows)
		return -ENOMEM;
	lint->count = count;
	for (size_t i = 0; i < count; i++)
		lint->flows[i] = (struct linted_flow){
			.flow = flows[i],
			.given = i,
			.lasts = !flows[i]->idle_timeout && !flows[i]->hard_timeout,
		};
	if (count)
		qsort(lint->flows, count, sizeof(*lint->flows), compare_precedence);
	for (size_t table = 0, i = 0; table <= LINT_TABLES; table++) {
		while (i < count && lint->flows[i].flow->table < table)
			i++;
		lint->first[table] = i;
	}
	return actions_number(lint);
}

int flow_lint_run(struct flow_lint *result, const struct flow *const flows[], size_t count,
	const struct port_names *ports)
{
	struct lint lint = {.result = result, .ports = ports, .steps = FLOW_LINT_STEPS};
	int error;

	*result = (struct flow_lint){.complete = true};
	error = lint_begin(&lint, flows, count);
	if (!error)
		error = lint_covers(&lint);
	if (!error)
		error = lint_tables(&lint);
	if (!error)
		error = lint_ports(&lint);
	if (!error)
		error = lint_broadcasts(&lint);
	// The last, as it is what runs out of steps.
	if (!error)
		error = lint_overlaps(&lint);
	if (!error && result->count)
		qsort(result->findings, result->count, sizeof(*result->findings), compare_findings);
	free(lint.flows);
	return error;
}
