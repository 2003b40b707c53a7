// SPDX-License-Identifier: Apache-2.0
//
// parse-flow and parse-flows: what a flow means, without a daemon. Ports are numbers here, as
// nobody knows the names of a bridge's ports.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ofctl/flow_message.h"
#include "ofctl/input_file.h"
#include "ofctl/ofctl.h"
#include "pipeline/flow_json.h"
#include "pipeline/flow_text.h"

struct parsing {
	struct ofctl *ofctl;
	const char *file; // NULL: the flow is an argument
	size_t line;
	json_t *flows; // if JSON is wanted
	bool failed;
};

static const char *command_word(enum flow_command command)
{
	switch (command) {
	case FLOW_ADD:
		return "";
	case FLOW_MODIFY:
		return "modify ";
	case FLOW_MODIFY_STRICT:
		return "modify_strict ";
	case FLOW_DELETE:
		return "delete ";
	case FLOW_DELETE_STRICT:
		return "delete_strict ";
	}
	return "";
}

// Deleting has no actions; formatters show those of a flow that has none.
static char *request_format(const struct flow_request *request)
{
	bool deletes = request->command == FLOW_DELETE || request->command == FLOW_DELETE_STRICT;

	return deletes ? match_format(&request->flow.match, request->flow.priority, NULL)
		       : flow_format_exact(&request->flow);
}

static void request_show(struct parsing *parsing, const struct flow_request *request)
{
	char *text;

	if (parsing->ofctl->cli.json) {
		json_array_append_new(parsing->flows, flow_to_json(&request->flow, NULL));
		return;
	}
	text = request_format(request);
	printf("%s%s\n", command_word(request->command), text != NULL ? text : "");
	free(text);
}

static void line_parse(struct parsing *parsing, const char *text)
{
	struct flow_warnings warnings = {0};
	struct flow_error error = {0};
	struct flow_request request;

	if (parsing->file != NULL && flow_text_is_blank(text))
		return;
	if (flow_request_parse(&request, text, FLOW_ADD, NULL, &warnings, &error) < 0) {
		flow_error_show(parsing->ofctl->cli.program, parsing->file, parsing->line, "error",
			&error, text);
		parsing->failed = true;
		return;
	}
	for (unsigned i = 0; i < warnings.count; i++)
		flow_error_show(parsing->ofctl->cli.program, parsing->file, parsing->line,
			"warning", &warnings.items[i], text);
	request_show(parsing, &request);
	flow_request_destroy(&request);
}

static int parsing_end(struct parsing *parsing)
{
	if (parsing->ofctl->cli.json && !parsing->failed)
		cli_print_json(
			parsing->file != NULL ? parsing->flows : json_array_get(parsing->flows, 0),
			stdout);
	json_decref(parsing->flows);
	return parsing->failed ? CLI_EXIT_REFUSED : CLI_EXIT_OK;
}

int ofctl_parse_flow(struct ofctl *ofctl)
{
	struct parsing parsing = {.ofctl = ofctl, .flows = json_array()};

	line_parse(&parsing, ofctl->argv[0]);
	return parsing_end(&parsing);
}

int ofctl_parse_flows(struct ofctl *ofctl)
{
	struct parsing parsing = {.ofctl = ofctl, .flows = json_array()};
	struct rpc_error error = {0};
	char *lines = input_file_read(ofctl->argv[0], &error);
	char *rest = lines;
	char *line;

	if (lines == NULL) {
		json_decref(parsing.flows);
		return ofctl_refused(ofctl, &error);
	}
	parsing.file = input_file_name(ofctl->argv[0]);
	while ((line = strsep(&rest, "\n")) != NULL) {
		parsing.line++;
		line_parse(&parsing, line);
	}
	free(lines);
	return parsing_end(&parsing);
}
