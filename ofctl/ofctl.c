// SPDX-License-Identifier: Apache-2.0
//
// ofctl: shows and changes flows, in the language of Open vSwitch, by JSON-RPC calls to vswitchd.

#include "ofctl/ofctl.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ofctl/flow_dump.h"

static const struct cli_option options[] = {
	{"strict", 0, NULL, false, "of mod-flows and del-flows: exactly this match and priority"},
	{"dry-run", 0, NULL, false, "of replace-flows: change nothing"},
	{"may-exist", 0, NULL, false,
		"of add-group and add-meter: no error if it is there and equal"},
	{"may-create", 0, NULL, false, "of mod-group and mod-meter: add it if it is not there"},
	{"names", 0, NULL, false, "show ports by name (usual on a terminal)"},
	{"no-names", 0, NULL, false, "show ports by number (usual otherwise)"},
	{"sort", 0, "FIELD", true, "dump flows sorted by a field, priority if none is given"},
	{"rsort", 0, "FIELD", true, "the same, backwards"},
	{"pcap", 0, "FILE[:N]", false,
		"of trace: the N-th frame of a pcap file, the first if no N"},
	{"count", 'c', "N", false, "of monitor: end after N packets"},
	{"bundle", 0, NULL, false, "all or nothing, as always; for scripts that say so"},
	{0},
};

json_t *ofctl_call(struct ofctl *ofctl, const char *method, json_t *params, struct rpc_error *error)
{
	struct rpc_client *client = cli_connect(&ofctl->cli, "vswitchd.sock", error);
	json_t *result;

	if (client == NULL) {
		json_decref(params);
		return NULL;
	}
	result = rpc_client_call(client, method, params, ofctl->cli.timeout_ms, error);
	rpc_client_destroy(client);
	return result;
}

int ofctl_refused(const struct ofctl *ofctl, struct rpc_error *error)
{
	cli_complain(&ofctl->cli, error->message);
	rpc_error_clear(error);
	return CLI_EXIT_REFUSED;
}

int ofctl_call_and_print(struct ofctl *ofctl, const char *method, json_t *params,
	void (*print)(const struct ofctl *ofctl, const json_t *result, FILE *out))
{
	struct rpc_error error = {0};
	json_t *result = ofctl_call(ofctl, method, params, &error);

	if (result == NULL)
		return ofctl_refused(ofctl, &error);
	if (ofctl->cli.json)
		cli_print_json(result, stdout);
	else
		print(ofctl, result, stdout);
	json_decref(result);
	return CLI_EXIT_OK;
}

static bool count_parse(struct ofctl *ofctl, struct cli_token *token)
{
	char *end;

	errno = 0;
	ofctl->count = strtoul(token->value, &end, 10);
	if (isdigit((unsigned char)token->value[0]) && *end == '\0' && errno == 0 &&
		ofctl->count > 0)
		return true;
	snprintf(token->message, sizeof(token->message),
		"--count is a number of packets from 1 on, not \"%.64s\"", token->value);
	return false;
}

// False with *token's message.
static bool option_apply(struct ofctl *ofctl, struct cli_token *token)
{
	const char *name = token->option->name;

	if (strcmp(name, "strict") == 0)
		ofctl->strict = true;
	else if (strcmp(name, "dry-run") == 0)
		ofctl->dry_run = true;
	else if (strcmp(name, "may-exist") == 0)
		ofctl->may_exist = true;
	else if (strcmp(name, "may-create") == 0)
		ofctl->may_create = true;
	else if (strcmp(name, "names") == 0)
		ofctl->names = true;
	else if (strcmp(name, "no-names") == 0)
		ofctl->names = false;
	else if (strcmp(name, "pcap") == 0)
		ofctl->pcap = token->value;
	else if (strcmp(name, "count") == 0)
		return count_parse(ofctl, token);
	else if (strcmp(name, "sort") == 0 || strcmp(name, "rsort") == 0) {
		ofctl->sorted = true;
		ofctl->reversed = name[0] == 'r';
		ofctl->sort_field = token->value;
		if (token->value != NULL && !flow_dump_sortable(token->value)) {
			snprintf(token->message, sizeof(token->message),
				"--%s: there is no field \"%.64s\" to sort by", name, token->value);
			return false;
		}
	}
	return true;
}

// Words into ofctl->argv, the command's name first.
static enum cli_item line_read(struct ofctl *ofctl, struct cli_token *token)
{
	for (;;) {
		enum cli_item item = cli_next(&ofctl->cli, token);

		switch (item) {
		case CLI_WORD:
			ofctl->argv[ofctl->argc++] = token->word;
			break;
		case CLI_OPTION:
			if (!option_apply(ofctl, token))
				return CLI_WRONG;
			break;
		case CLI_SEPARATOR:
			break; // what follows are words anyhow
		default:
			return item;
		}
	}
}

static int usage(const struct ofctl *ofctl, const char *message)
{
	cli_complain(&ofctl->cli, message);
	return CLI_EXIT_USAGE;
}

static int command_run(struct ofctl *ofctl)
{
	const struct cli_command *command;
	struct rpc_error error = {0};

	if (ofctl->argc == 0)
		return usage(ofctl, "which command? --help lists all");
	command = cli_command_find(ofctl_command_get, ofctl->argv[0], &error);
	if (command == NULL || !cli_command_fits(command, ofctl->argc - 1, &error))
		return usage(ofctl, error.message);
	ofctl->argc--;
	ofctl->argv++;
	// The cli_command is the first member of its row.
	return ((const struct ofctl_command *)command)->run(ofctl);
}

int main(int argc, char **argv)
{
	struct ofctl ofctl = {
		.cli = {.program = "ofctl",
			.description = "the flows of the switch's bridges",
			.options = options},
		.names = isatty(STDOUT_FILENO),
	};
	const char **words = calloc(argc + 1, sizeof(*words));
	struct cli_token token;
	int status = CLI_EXIT_OK;

	if (words == NULL)
		return CLI_EXIT_REFUSED;
	ofctl.argv = words;
	cli_init(&ofctl.cli, argc, argv);
	switch (line_read(&ofctl, &token)) {
	case CLI_HELP:
		cli_print_help(&ofctl.cli, ofctl_command_get, stdout);
		break;
	case CLI_VERSION:
		cli_print_version(&ofctl.cli, stdout);
		break;
	case CLI_WRONG:
		status = usage(&ofctl, token.message);
		break;
	default:
		status = command_run(&ofctl);
		break;
	}
	free(words);
	if (fflush(stdout) != 0 && status == CLI_EXIT_OK) {
		cli_complain(&ofctl.cli, "cannot write the output");
		status = CLI_EXIT_REFUSED;
	}
	return status;
}
