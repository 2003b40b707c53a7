// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the command lines have in common: reading options and words in any order, the options that
// all of them take (--rundir, --connect, --timeout, --format, --help, ...), commands as rows of a
// table from which help and messages follow, exit statuses, and the connection to a daemon.
//
// Options may stand before or behind the command, as "--name value", "--name=value", "-n value" or
// "-nvalue". "--" ends one command of several (CLI_SEPARATOR). A lone "-", and a minus before a
// digit, begin words.

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "rpc/rpc_client.h"
#include "rpc/rpc_error.h"
#include "rpc/tls.h"

enum cli_exit {
	CLI_EXIT_OK = 0,
	CLI_EXIT_REFUSED = 1,
	CLI_EXIT_USAGE = 2,
};

struct cli_option {
	const char *name;     // without dashes; NULL ends the rows
	char letter;          // or 0
	const char *argument; // what it takes, for help; NULL: nothing
	bool optional;        // the argument may be left out, and comes as "--name=value" only
	const char *help;
};

// The part of a command's row that is for reading and help.
struct cli_command {
	const char *name;
	const char *arguments; // "BRIDGE PORT [KEY=VALUE...]"
	int minimum;           // number of arguments
	int maximum;           // -1: any number
	const char *help;
};

struct cli {
	// Set by the program.
	const char *program;              // "vsctl", begins all messages
	const char *description;          // one line
	const struct cli_option *options; // of this program only
	// Set by reading.
	const char *rundir;
	const char *connect;    // "tls:HOST:PORT", NULL or "": the socket in the run directory
	struct tls_files files; // for it
	int timeout_ms;         // of calls; -1: none
	int connect_timeout_ms; // 0: try once
	bool timeout_given;     // and not the usual one
	bool json;
	// Progress.
	int argc;
	char **argv;
	int at;
};

enum cli_item { CLI_END, CLI_WORD, CLI_OPTION, CLI_SEPARATOR, CLI_HELP, CLI_VERSION, CLI_WRONG };

struct cli_token {
	const char *word;                // CLI_WORD
	const struct cli_option *option; // CLI_OPTION, of the program's rows
	const char *value;               // CLI_OPTION, NULL if there is none
	char message[256];               // CLI_WRONG
};

void cli_init(struct cli *cli, int argc, char **argv);

// The next item of the command line; common options are taken care of and not handed out.
enum cli_item cli_next(struct cli *cli, struct cli_token *token);

// `get(context, index)` is the index-th command or NULL behind the last: programs keep rows of
// their own that contain a cli_command.
typedef const struct cli_command *cli_command_get(size_t index);

// NULL with *error (RPC_INVALID_PARAMS), which says what comes near.
const struct cli_command *cli_command_find(
	cli_command_get *get, const char *name, struct rpc_error *error);
// Does the number of arguments fit? False with *error, which shows the shape.
bool cli_command_fits(const struct cli_command *command, int count, struct rpc_error *error);

void cli_print_help(const struct cli *cli, cli_command_get *get, FILE *out);
void cli_print_version(const struct cli *cli, FILE *out);
// "program: message" on stderr.
void cli_complain(const struct cli *cli, const char *message);

// Connect to RUNDIR/socket_name, or to where --connect says.
struct rpc_client *cli_connect(
	const struct cli *cli, const char *socket_name, struct rpc_error *error);

// One line of compact JSON.
void cli_print_json(const json_t *value, FILE *out);
