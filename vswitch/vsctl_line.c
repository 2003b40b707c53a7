// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "vswitch/vsctl_commands.h"

static struct vsctl_request *request_append(struct vsctl_line *line, int words)
{
	struct vsctl_request *requests;
	struct vsctl_request *request;

	requests = reallocarray(line->requests, line->count + 1, sizeof(*requests));
	if (requests == NULL)
		return NULL;
	line->requests = requests;
	request = &requests[line->count++];
	memset(request, 0, sizeof(*request));
	request->argv = calloc(words + 1, sizeof(*request->argv));
	request->calls = json_array();
	return request->argv != NULL ? request : NULL;
}

static void option_apply(struct vsctl_request *request, const struct cli_token *token)
{
	const char *name = token->option->name;

	if (strcmp(name, "may-exist") == 0)
		request->may_exist = true;
	else if (strcmp(name, "if-exists") == 0)
		request->if_exists = true;
	else if (strcmp(name, "no-wait") == 0)
		request->no_wait = true;
	else if (strcmp(name, "dry-run") == 0)
		request->dry_run = true;
	else if (strcmp(name, "nh") == 0)
		request->no_histograms = true;
	else if (strcmp(name, "it") == 0)
		request->rounds = token->value;
	else if (strcmp(name, "ms") == 0)
		request->milliseconds = token->value;
	else if (strcmp(name, "columns") == 0)
		request->columns = token->value;
	else if (strcmp(name, "count") == 0)
		request->count = token->value;
}

// Words and options up to the separator or the end. The name of the command is argv[0] for now.
static enum cli_item request_read(
	struct cli *cli, struct vsctl_request *request, struct rpc_error *error)
{
	struct cli_token token;
	enum cli_item item;

	for (;;) {
		item = cli_next(cli, &token);
		switch (item) {
		case CLI_WORD:
			request->argv[request->argc++] = token.word;
			break;
		case CLI_OPTION:
			option_apply(request, &token);
			break;
		case CLI_WRONG:
			rpc_error_set(error, RPC_INVALID_PARAMS, "%s", token.message);
			return item;
		default:
			return item;
		}
	}
}

static bool request_prepare(struct vsctl_request *request, struct rpc_error *error)
{
	const struct cli_command *command;

	command = cli_command_find(vsctl_command_get, request->argv[0], error);
	if (command == NULL)
		return false;
	request->argc--;
	memmove(request->argv, request->argv + 1, request->argc * sizeof(*request->argv));
	request->argv[request->argc] = NULL;
	if (!cli_command_fits(command, request->argc, error))
		return false;
	// The cli_command is the first member of its row.
	request->command = (const struct vsctl_command *)command;
	return request->command->prepare(request, error);
}

// What goes on is no part of a transaction.
static bool stands_alone(const struct vsctl_line *line, struct rpc_error *error)
{
	for (size_t i = 0; i < line->count && line->count > 1; i++) {
		if (line->requests[i].command->run != NULL) {
			rpc_error_set(error, RPC_INVALID_PARAMS,
				"%s goes on until it is ended; give it without other commands",
				line->requests[i].command->line.name);
			return false;
		}
	}
	return true;
}

enum cli_item vsctl_line_read(struct cli *cli, struct vsctl_line *line, struct rpc_error *error)
{
	struct vsctl_request *request;
	enum cli_item item;
	bool no_wait = false;

	memset(line, 0, sizeof(*line));
	do {
		request = request_append(line, cli->argc);
		if (request == NULL) {
			rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
			return CLI_WRONG;
		}
		item = request_read(cli, request, error);
		if (item != CLI_SEPARATOR && item != CLI_END)
			return item;
		no_wait |= request->no_wait;
		request->no_wait = no_wait;
		// "vsctl --no-wait -- COMMAND" is usual: options of all, then nothing.
		if (request->argc == 0) {
			json_decref(request->calls);
			free(request->argv);
			line->count--;
		} else if (!request_prepare(request, error)) {
			return CLI_WRONG;
		}
	} while (item == CLI_SEPARATOR);
	if (line->count == 0) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"which command? --help lists all, \"show\" is a good first one");
		return CLI_WRONG;
	}
	return stands_alone(line, error) ? CLI_END : CLI_WRONG;
}

void vsctl_line_destroy(struct vsctl_line *line)
{
	for (size_t i = 0; i < line->count; i++) {
		free(line->requests[i].argv);
		json_decref(line->requests[i].calls);
	}
	free(line->requests);
	memset(line, 0, sizeof(*line));
}
