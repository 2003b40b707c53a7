// SPDX-License-Identifier: Apache-2.0
//
// lint: flows of a file or of a bridge as pipeline/flow_lint.h sees them. A file is read as if it
// were added to an empty bridge, its modify and delete lines included; a bridge is dumped and
// looked at here. Findings are the output, like the messages of a compiler.
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ofctl/flow_message.h"
#include "ofctl/input_file.h"
#include "ofctl/ofctl.h"
#include "pipeline/flow_lint.h"
#include "pipeline/flow_set.h"

#define DUMP_TIMEOUT_MS 120000

struct linting {
	struct ofctl *ofctl;
	const char *file;   // NULL: the flows of a bridge
	const char *bridge; // NULL: a file without one
	struct port_names names;
	json_t *ports; // that the names are in; NULL: not known
	struct flow_set *set;
	size_t line;
	bool failed;
	bool wants_names; // a line names a port, and there is no bridge that would know it
	json_t *findings;
	size_t replaced;
};

static const char *severity_name(enum flow_lint_severity severity)
{
	return severity == FLOW_LINT_ERROR ? "error" : "warning";
}

static const struct port_names *names_of(const struct linting *linting)
{
	return linting->ports ? &linting->names : NULL;
}

static int refuse(struct linting *linting, int error)
{
	struct rpc_error out = {0};

	rpc_error_set(&out, RPC_REFUSED, "cannot lint: %s", strerror(-error));
	linting->failed = true;
	return ofctl_refused(linting->ofctl, &out);
}

// --- Findings ---

// A flow as JSON; identifiers of flows of a file are their lines.
static json_t *flow_json(const struct linting *linting, const struct flow_entry *entry)
{
	char *text = flow_format(&entry->flow, names_of(linting));
	json_t *json = json_pack("{s:i, s:i, s:s}", "table", entry->flow.table, "priority",
		entry->flow.priority, "flow", text ? text : "");

	if (linting->file)
		json_object_set_new(json, "line", json_integer((json_int_t)entry->id));
	free(text);
	return json;
}

static void finding_add(struct linting *linting, enum flow_lint_kind kind,
	const struct flow_entry *entry, const struct flow_entry *other, const char *message)
{
	const struct flow_lint_row *row = flow_lint_row(kind);
	json_t *finding = json_pack("{s:s, s:s, s:s}", "kind", row->name, "severity",
		severity_name(row->severity), "message", message ? message : row->help);

	json_object_update_new(finding, flow_json(linting, entry));
	if (other)
		json_object_set_new(finding, "other", flow_json(linting, other));
	json_array_append_new(linting->findings, finding);
}

static int compare_lines(const void *a, const void *b)
{
	json_int_t x = json_integer_value(json_object_get(*(json_t *const *)a, "line"));
	json_int_t y = json_integer_value(json_object_get(*(json_t *const *)b, "line"));

	return (x > y) - (x < y);
}

// By line; those of a bridge are in the order of a dump already.
static void findings_sort(struct linting *linting)
{
	size_t count = json_array_size(linting->findings);
	json_t **items = calloc(count + 1, sizeof(*items));
	json_t *sorted = json_array();

	for (size_t i = 0; items && i < count; i++)
		items[i] = json_array_get(linting->findings, i);
	if (items && linting->file)
		qsort(items, count, sizeof(*items), compare_lines);
	for (size_t i = 0; items && i < count; i++)
		json_array_append(sorted, items[i]);
	if (items) {
		json_decref(linting->findings);
		linting->findings = sorted;
	} else {
		json_decref(sorted);
	}
	free(items);
}

static void place_print(const struct linting *linting, const json_t *flow)
{
	printf("%s: %s:", linting->ofctl->cli.program,
		linting->file ? linting->file : linting->bridge);
	if (linting->file)
		printf("%lld:", json_integer_value(json_object_get(flow, "line")));
}

static void findings_print(const struct linting *linting)
{
	size_t index;
	json_t *finding;

	json_array_foreach (linting->findings, index, finding) {
		const json_t *other = json_object_get(finding, "other");

		place_print(linting, finding);
		printf(" %s: %s [%s]\n", json_string_value(json_object_get(finding, "severity")),
			json_string_value(json_object_get(finding, "message")),
			json_string_value(json_object_get(finding, "kind")));
		if (!other)
			continue;
		place_print(linting, other);
		printf(" note: the other flow is \"%s\"\n",
			json_string_value(json_object_get(other, "flow")));
	}
}

// What was not looked at or not told.
static void limits_print(
	const struct linting *linting, const struct flow_lint *lint, size_t left_out)
{
	const char *program = linting->ofctl->cli.program;
	const char *source = linting->file ? linting->file : linting->bridge;

	if (!lint->complete)
		printf("%s: %s: note: there are too many flows of too many different masks to "
		       "compare all; some shadowed and overlapping flows may not be told\n",
			program, source);
	if (left_out > 0)
		printf("%s: %s: note: %zu more findings are not shown\n", program, source,
			left_out);
}

static int findings_show(struct linting *linting, const struct flow_lint *lint)
{
	size_t errors = flow_lint_count(lint, FLOW_LINT_ERROR);
	size_t warnings = flow_lint_count(lint, FLOW_LINT_WARNING) + linting->replaced;
	size_t left_out = errors + warnings - json_array_size(linting->findings);

	if (linting->ofctl->cli.json) {
		json_t *result = json_pack("{s:I, s:I, s:I, s:b, s:I, s:O}", "flows",
			(json_int_t)flow_set_count(linting->set), "errors", (json_int_t)errors,
			"warnings", (json_int_t)warnings, "complete", lint->complete, "left_out",
			(json_int_t)left_out, "findings", linting->findings);

		cli_print_json(result, stdout);
		json_decref(result);
	} else {
		findings_print(linting);
		limits_print(linting, lint, left_out);
	}
	return errors > 0 ? CLI_EXIT_REFUSED : CLI_EXIT_OK;
}

static int set_lint(struct linting *linting)
{
	struct flow_request all = {
		.command = FLOW_DELETE, .filter = {.out_port = OFPORT_NONE, .any_table = true}};
	const struct flow_entry **entries;
	const struct flow **flows;
	struct flow_lint lint = {0};
	size_t count;
	int status;

	flow_init(&all.flow);
	entries = flow_set_select(linting->set, &all, false, &count);
	if (count == SIZE_MAX)
		return refuse(linting, -ENOMEM);
	flows = calloc(count + 1, sizeof(*flows));
	for (size_t i = 0; flows && i < count; i++)
		flows[i] = &entries[i]->flow;
	if (!flows || flow_lint_run(&lint, flows, count, names_of(linting)) < 0) {
		status = refuse(linting, -ENOMEM);
	} else {
		for (size_t i = 0; i < lint.count; i++) {
			const struct flow_finding *finding = &lint.findings[i];

			finding_add(linting, finding->kind, entries[finding->flow],
				finding->other == FLOW_LINT_NONE ? NULL : entries[finding->other],
				finding->message);
		}
		findings_sort(linting);
		status = findings_show(linting, &lint);
	}
	flow_lint_destroy(&lint);
	free(flows);
	free(entries);
	return status;
}

// --- Reading ---

// A flow that stands where the line's flow will is gone for good: tell of it while it is there.
static int replaced_note(struct linting *linting, const struct flow_request *request)
{
	struct flow_request place = {
		.command = FLOW_DELETE_STRICT,
		.flow = request->flow,
		.filter = {.out_port = OFPORT_NONE},
	};
	const struct flow_entry **entries;
	struct flow_entry later = {.id = linting->line, .flow = request->flow};
	size_t count;
	char *message;

	if (request->command != FLOW_ADD)
		return 0;
	entries = flow_set_select(linting->set, &place, true, &count);
	if (count == SIZE_MAX)
		return -ENOMEM;
	if (count > 0) {
		message = flow_lint_replaced(&entries[0]->flow, names_of(linting));
		finding_add(linting, FLOW_LINT_REPLACED, entries[0], &later, message);
		linting->replaced++;
		free(message);
	}
	free(entries);
	return 0;
}

static void line_read(struct linting *linting, const char *text)
{
	struct flow_warnings warnings = {0};
	struct flow_error error = {0};
	struct flow_request request;
	int status;

	if (flow_text_is_blank(text))
		return;
	status = flow_request_parse(&request, text, FLOW_ADD, names_of(linting), &warnings, &error);
	if (status == 0) {
		for (unsigned i = 0; i < warnings.count; i++)
			flow_error_show(linting->ofctl->cli.program, linting->file, linting->line,
				"warning", &warnings.items[i], text);
		// Lines become the identifiers of what they add.
		flow_set_next_id(linting->set, linting->line);
		status = replaced_note(linting, &request);
		if (status == 0)
			status = flow_set_apply(linting->set, &request, 0, NULL, &error);
		flow_request_destroy(&request);
	}
	if (status == -ENOMEM)
		flow_error_set(&error, FLOW_ERROR_SYNTAX, NULL, "out of memory");
	if (status != 0) {
		flow_error_show(linting->ofctl->cli.program, linting->file, linting->line, "error",
			&error, text);
		linting->failed = true;
		linting->wants_names |=
			error.kind == FLOW_ERROR_NO_SUCH_PORT && linting->bridge == NULL;
	}
}

static int file_lint(struct linting *linting, const char *path)
{
	struct rpc_error error = {0};
	char *lines = input_file_read(path, &error);
	char *rest = lines;
	char *line;

	if (lines == NULL)
		return ofctl_refused(linting->ofctl, &error);
	linting->file = input_file_name(path);
	while ((line = strsep(&rest, "\n")) != NULL) {
		linting->line++;
		line[strcspn(line, "\r")] = '\0';
		line_read(linting, line);
	}
	free(lines);
	if (linting->wants_names)
		fprintf(stderr,
			"%s: note: names of ports are known with their bridge: lint BRIDGE %s\n",
			linting->ofctl->cli.program, path);
	if (linting->failed)
		return CLI_EXIT_REFUSED;
	return set_lint(linting);
}

// --- A bridge ---

static int compare_numbers(const void *a, const void *b)
{
	const struct port_name *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

// False after having said why.
static bool ports_read(struct linting *linting)
{
	struct rpc_error error = {0};
	struct port_name *items;
	size_t index;
	json_t *port;

	linting->ports = ofctl_call(linting->ofctl, "port.names",
		json_pack("{s:s}", "bridge", linting->bridge), &error);
	if (linting->ports == NULL) {
		ofctl_refused(linting->ofctl, &error);
		return false;
	}
	items = calloc(json_array_size(linting->ports) + 1, sizeof(*items));
	if (items == NULL) {
		refuse(linting, -ENOMEM);
		return false;
	}
	json_array_foreach (linting->ports, index, port) {
		items[index].name = json_string_value(json_object_get(port, "name"));
		items[index].number = (uint16_t)json_integer_value(json_object_get(port, "ofport"));
	}
	qsort(items, json_array_size(linting->ports), sizeof(*items), compare_numbers);
	linting->names = (struct port_names){
		.bridge = linting->bridge,
		.count = json_array_size(linting->ports),
		.items = items,
	};
	return true;
}

// One of flow.dump's flows, with ports by number, as a line of text.
static char *dumped_line(const json_t *flow)
{
	const char *text = json_string_value(json_object_get(flow, "text"));
	char *line;

	if (asprintf(&line, "table=%lld,idle_timeout=%lld,hard_timeout=%lld,%s",
		    json_integer_value(json_object_get(flow, "table")),
		    json_integer_value(json_object_get(flow, "idle_timeout")),
		    json_integer_value(json_object_get(flow, "hard_timeout")),
		    text != NULL ? text : "") < 0)
		return NULL;
	return line;
}

static int bridge_lint(struct linting *linting)
{
	struct ofctl *ofctl = linting->ofctl;
	struct rpc_error error = {0};
	size_t index;
	json_t *dump;
	json_t *flow;

	if (ofctl->cli.connect_timeout_ms == 0)
		ofctl->cli.timeout_ms = DUMP_TIMEOUT_MS;
	dump = ofctl_call(ofctl, "flow.dump",
		json_pack("{s:s, s:b, s:b}", "bridge", linting->bridge, "names", 0, "stats", 0),
		&error);
	if (dump == NULL)
		return ofctl_refused(ofctl, &error);
	json_array_foreach (json_object_get(dump, "flows"), index, flow) {
		char *line = dumped_line(flow);

		linting->line++;
		if (line == NULL)
			linting->failed = true;
		else
			line_read(linting, line);
		free(line);
	}
	json_decref(dump);
	if (linting->failed)
		return CLI_EXIT_REFUSED;
	return set_lint(linting);
}

int ofctl_lint(struct ofctl *ofctl)
{
	const char *last = ofctl->argv[ofctl->argc - 1];
	// A lone word is a file if there is one of that name.
	bool is_file = ofctl->argc > 1 || strcmp(last, "-") == 0 || strchr(last, '/') != NULL ||
		       access(last, F_OK) == 0;
	struct linting linting = {
		.ofctl = ofctl,
		.bridge = ofctl->argc > 1 || !is_file ? ofctl->argv[0] : NULL,
		.set = flow_set_create(),
		.findings = json_array(),
	};
	int status;

	if (linting.set == NULL)
		status = refuse(&linting, -ENOMEM);
	else if (linting.bridge != NULL && !ports_read(&linting))
		status = CLI_EXIT_REFUSED;
	else {
		flow_set_begin(linting.set);
		status = is_file ? file_lint(&linting, last) : bridge_lint(&linting);
	}
	flow_set_destroy(linting.set);
	free((void *)linting.names.items);
	json_decref(linting.ports);
	json_decref(linting.findings);
	return status;
}
