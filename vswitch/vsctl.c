// SPDX-License-Identifier: Apache-2.0
//
// vsctl: bridges, ports, settings and live state of the switch from the command line. A thin
// client: it turns the command line into one JSON-RPC batch for vswitchd, and results into text.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswitch/vsctl_commands.h"

static const struct cli_option options[] = {
	{"may-exist", 0, NULL, false, "adding what is there already is no error"},
	{"if-exists", 0, NULL, false, "what is not there is no error"},
	{"no-wait", 0, NULL, false, "store the change without waiting for the datapath to have it"},
	{"dry-run", 0, NULL, false, "of \"pmd-rxq-rebalance\": change nothing"},
	{"nh", 0, NULL, false, "of \"pmd-perf-show\": no histograms"},
	{"it", 0, "N", false, "of \"pmd-perf-show\": the last N rounds"},
	{"ms", 0, "N", false, "of \"pmd-perf-show\": the last N milliseconds"},
	{"count", 'c', "N", false, "of \"monitor\": end after N events"},
	{"columns", 0, "COLUMNS", false, "of \"list\": only these, separated by commas"},
	{0},
};

// Find the answer that says why nothing was done: not one that only failed along with it. Returns
// its index; the number of answers if there is none, or if all failed for the same reason (which
// is then one of the transaction as a whole).
static size_t failure_find(const json_t *answers, struct rpc_error *error)
{
	size_t found = json_array_size(answers);
	bool common = false;
	size_t index;
	json_t *answer;

	json_array_foreach ((json_t *)answers, index, answer) {
		json_t *object = json_object_get(answer, "error");
		const char *message = json_string_value(json_object_get(object, "message"));

		if (object == NULL)
			continue;
		if (error->code == 0 || error->code == RPC_ABORTED) {
			rpc_error_clear(error);
			rpc_error_from_json(error, object);
			found = index;
		} else if (message != NULL && strcmp(message, error->message) == 0) {
			common = true;
		}
	}
	return common ? json_array_size(answers) : found;
}

// Which command made a call; NULL if none did.
static const struct vsctl_request *request_of(const struct vsctl_line *line, size_t call)
{
	size_t first = 0;

	for (size_t i = 0; i < line->count; i++) {
		first += json_array_size(line->requests[i].calls);
		if (call < first)
			return &line->requests[i];
	}
	return NULL;
}

// Of several commands, the message names the one that failed.
static int complain(const struct cli *cli, const struct vsctl_line *line, size_t call,
	const struct rpc_error *error)
{
	const struct vsctl_request *request = line->count > 1 ? request_of(line, call) : NULL;
	char message[sizeof(error->message) + 64];

	snprintf(message, sizeof(message), "%s%s%s",
		request != NULL ? request->command->line.name : "", request != NULL ? ": " : "",
		error->message);
	cli_complain(cli, message);
	return CLI_EXIT_REFUSED;
}

static json_t *results_of(const json_t *answers, size_t first, size_t count)
{
	json_t *results = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append(
			results, json_object_get(json_array_get(answers, first + i), "result"));
	return results;
}

static int request_print(
	const struct cli *cli, const struct vsctl_request *request, const json_t *results)
{
	int status = CLI_EXIT_OK;

	if (!cli->json) {
		if (request->command->print != NULL)
			status = request->command->print(request, results, stdout);
		return status;
	}
	cli_print_json(
		json_array_size(results) == 1 ? json_array_get(results, 0) : results, stdout);
	return strcmp(request->command->line.name, "br-exists") == 0
		       ? request->command->print(request, results, stdout)
		       : status;
}

static int answers_print(
	const struct cli *cli, const struct vsctl_line *line, const json_t *answers)
{
	struct rpc_error error = {0};
	int status = CLI_EXIT_OK;
	size_t failed = failure_find(answers, &error);
	size_t first = 0;

	if (error.code != 0) {
		status = complain(cli, line, failed, &error);
		rpc_error_clear(&error);
		return status;
	}
	for (size_t i = 0; i < line->count; i++) {
		size_t count = json_array_size(line->requests[i].calls);
		json_t *results = results_of(answers, first, count);
		int one = request_print(cli, &line->requests[i], results);

		status = one > status ? one : status;
		json_decref(results);
		first += count;
	}
	return status;
}

static int answer_ms(const struct cli *cli, const struct vsctl_line *line)
{
	int most = cli->timeout_ms;

	if (cli->timeout_given)
		return most;
	for (size_t i = 0; i < line->count; i++) {
		int wanted = line->requests[i].command->answer_ms;

		most = wanted > most ? wanted : most;
	}
	return most;
}

static int line_run(const struct cli *cli, const struct vsctl_line *line)
{
	struct rpc_error error = {0};
	struct rpc_client *client;
	json_t *answers = NULL;
	json_t *calls;
	int status;

	client = cli_connect(cli, "vswitchd.sock", &error);
	if (client != NULL) {
		calls = json_array();
		for (size_t i = 0; i < line->count; i++)
			json_array_extend(calls, line->requests[i].calls);
		answers = rpc_client_batch(client, calls, answer_ms(cli, line), &error);
	}
	if (answers != NULL) {
		status = answers_print(cli, line, answers);
	} else {
		cli_complain(cli, error.message);
		status = CLI_EXIT_REFUSED;
	}
	json_decref(answers);
	rpc_error_clear(&error);
	rpc_client_destroy(client);
	return status;
}

int main(int argc, char **argv)
{
	struct cli cli = {
		.program = "vsctl",
		.description = "bridges, ports, settings and live state of the switch; "
			       "commands joined by \" -- \" are one transaction",
		.options = options,
	};
	struct rpc_error error = {0};
	struct vsctl_line line;
	int status = CLI_EXIT_OK;

	cli_init(&cli, argc, argv);
	switch (vsctl_line_read(&cli, &line, &error)) {
	case CLI_HELP:
		cli_print_help(&cli, vsctl_command_get, stdout);
		break;
	case CLI_VERSION:
		cli_print_version(&cli, stdout);
		break;
	case CLI_WRONG:
		cli_complain(&cli, error.message);
		status = CLI_EXIT_USAGE;
		break;
	default:
		if (line.requests[0].command->run != NULL)
			status = line.requests[0].command->run(&cli, &line.requests[0]);
		else
			status = line_run(&cli, &line);
		break;
	}
	vsctl_line_destroy(&line);
	rpc_error_clear(&error);
	if (fflush(stdout) != 0 && status == CLI_EXIT_OK) {
		cli_complain(&cli, "cannot write the output");
		status = CLI_EXIT_REFUSED;
	}
	return status;
}
