// SPDX-License-Identifier: Apache-2.0
#pragma once

// vsctl's commands, one row each: how it is written, the JSON-RPC calls that it stands for, and
// how their results are printed. Several commands of one command line become the calls of one
// batch, and so one transaction. Nothing here talks to a daemon: preparing turns words into calls,
// printing turns results into text.

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "rpc/command_line.h"

struct vsctl_request {
	const struct vsctl_command *command;
	int argc; // words behind the name of the command
	const char **argv;
	bool may_exist;
	bool if_exists;
	bool no_wait;
	bool dry_run;
	bool no_histograms;
	const char *rounds, *milliseconds; // how many; NULL: none
	const char *columns;               // NULL: all
	const char *count;                 // of events; NULL: no end
	json_t *calls;                     // [{"method":..., "params":...}, ...]
};

struct vsctl_command {
	struct cli_command line;
	// Append to request->calls. False with *error: wrong usage.
	bool (*prepare)(struct vsctl_request *request, struct rpc_error *error);
	// `results` are those of the calls, in their order. Returns the exit status. NULL: a
	// command that says nothing when it is done.
	int (*print)(const struct vsctl_request *request, const json_t *results, FILE *out);
	// A command that stands alone, and is more than calls and their results: does all of it.
	// Returns the exit status. NULL: the others.
	int (*run)(const struct cli *cli, const struct vsctl_request *request);
	// What it waits for an answer if no --timeout is given; 0: as all do.
	int answer_ms;
};

// Append a call to the request; steals params. Always true.
bool vsctl_call_add(struct vsctl_request *request, const char *method, json_t *params);
// One that changes something, so that --no-wait applies.
bool vsctl_change_add(struct vsctl_request *request, const char *method, json_t *params);

const struct cli_command *vsctl_command_get(size_t index); // a cli_command_get

// A command line with its commands taken apart.
struct vsctl_line {
	size_t count;
	struct vsctl_request *requests;
};

// Read the command line into requests with their calls. Returns CLI_END, CLI_HELP or CLI_VERSION
// (nothing else is to be done then), or CLI_WRONG with *error. Destroy *line in any case.
enum cli_item vsctl_line_read(struct cli *cli, struct vsctl_line *line, struct rpc_error *error);
void vsctl_line_destroy(struct vsctl_line *line);
