// SPDX-License-Identifier: Apache-2.0
#include "rpc/command_line.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/closest_word.h"
#include "rpc/rundir.h"
#include "rpc/tls_client.h"

#define DEFAULT_TIMEOUT_MS 10000

enum common {
	COMMON_RUNDIR,
	COMMON_CONNECT,
	COMMON_CERTIFICATE,
	COMMON_PRIVATE_KEY,
	COMMON_CA,
	COMMON_TIMEOUT,
	COMMON_FORMAT,
	COMMON_HELP,
	COMMON_VERSION,
};

static const struct cli_option common_options[] = {
	{"rundir", 0, "DIR", false,
		"run directory of the switch (otherwise $TURNOUT_RUNDIR, " RUNDIR_DEFAULT ")"},
	{"connect", 0, "tls:HOST:PORT", false,
		"reach the switch by TLS, with the three files below (otherwise $TURNOUT_CONNECT, "
		"or "
		"the socket in the run directory)"},
	{"certificate", 0, "FILE", false, "certificate to show (otherwise $TURNOUT_CERTIFICATE)"},
	{"private-key", 0, "FILE", false, "its key (otherwise $TURNOUT_PRIVATE_KEY)"},
	{"ca", 0, "FILE", false, "CA of the switch's certificate (otherwise $TURNOUT_CA)"},
	{"timeout", 't', "SECONDS", false,
		"wait so long for a starting daemon and for answers (otherwise: do "
		"not wait for a start, 10 s for answers, and longer for what takes longer; 0: for "
		"ever)"},
	{"format", 'f', "FORMAT", false, "print \"table\" (for people) or \"json\""},
	{"help", 'h', NULL, false, "print this and exit"},
	{"version", 'V', NULL, false, "print the version and exit"},
	{0},
};

void cli_init(struct cli *cli, int argc, char **argv)
{
	cli->rundir = rundir_resolve(NULL);
	cli->connect = getenv("TURNOUT_CONNECT");
	cli->files = (struct tls_files){.certificate = getenv("TURNOUT_CERTIFICATE"),
		.private_key = getenv("TURNOUT_PRIVATE_KEY"),
		.ca = getenv("TURNOUT_CA")};
	cli->timeout_ms = DEFAULT_TIMEOUT_MS;
	cli->connect_timeout_ms = 0;
	cli->timeout_given = false;
	cli->json = false;
	cli->argc = argc;
	cli->argv = argv;
	cli->at = 1;
}

static enum cli_item wrong(struct cli_token *token, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static enum cli_item wrong(struct cli_token *token, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(token->message, sizeof(token->message), format, arguments);
	va_end(arguments);
	return CLI_WRONG;
}

static bool timeout_parse(struct cli *cli, const char *text)
{
	char *end;
	double seconds;

	errno = 0;
	seconds = strtod(text, &end);
	if (end == text || *end != '\0' || errno != 0 || !(seconds >= 0))
		return false;
	if (seconds == 0 || seconds > INT_MAX / 1000)
		cli->timeout_ms = -1;
	else
		cli->timeout_ms = (int)(seconds * 1000 + 0.5);
	cli->connect_timeout_ms = cli->timeout_ms;
	cli->timeout_given = true;
	return true;
}

static enum cli_item common_option(struct cli *cli, struct cli_token *token,
	const struct cli_option *option, const char *value)
{
	switch ((enum common)(option - common_options)) {
	case COMMON_RUNDIR:
		cli->rundir = rundir_resolve(value);
		return CLI_OPTION;
	case COMMON_CONNECT:
		cli->connect = value;
		return CLI_OPTION;
	case COMMON_CERTIFICATE:
		cli->files.certificate = value;
		return CLI_OPTION;
	case COMMON_PRIVATE_KEY:
		cli->files.private_key = value;
		return CLI_OPTION;
	case COMMON_CA:
		cli->files.ca = value;
		return CLI_OPTION;
	case COMMON_TIMEOUT:
		if (!timeout_parse(cli, value))
			return wrong(token, "--timeout is a number of seconds, not \"%s\"", value);
		return CLI_OPTION;
	case COMMON_FORMAT:
		if (strcmp(value, "json") != 0 && strcmp(value, "table") != 0)
			return wrong(token, "--format is \"table\" or \"json\", not \"%s\"", value);
		cli->json = value[0] == 'j';
		return CLI_OPTION;
	case COMMON_HELP:
		return CLI_HELP;
	default:
		return CLI_VERSION;
	}
}

// By name of `length` bytes, or by letter if `name` is NULL.
static const struct cli_option *option_find(
	const struct cli_option *rows, const char *name, size_t length, char letter)
{
	for (; rows != NULL && rows->name != NULL; rows++) {
		if (name == NULL && rows->letter == letter)
			return rows;
		if (name != NULL && strlen(rows->name) == length &&
			strncmp(rows->name, name, length) == 0)
			return rows;
	}
	return NULL;
}

static enum cli_item option_unknown(
	const struct cli *cli, struct cli_token *token, const char *text)
{
	const struct cli_option *const tables[] = {common_options, cli->options};
	struct closest_word closest;
	char name[64];

	snprintf(name, sizeof(name), "%s", text + strspn(text, "-"));
	name[strcspn(name, "=")] = '\0';
	closest_word_begin(&closest, name);
	for (size_t i = 0; i < 2; i++)
		for (const struct cli_option *row = tables[i]; row != NULL && row->name != NULL;
			row++)
			closest_word_consider(&closest, row->name);
	if (closest.best != NULL && strncmp(text, "--", 2) == 0)
		return wrong(
			token, "unknown option \"%.64s\"; did you mean --%s?", text, closest.best);
	return wrong(token, "unknown option \"%.64s\"; --help lists all", text);
}

// An option in `text`, which starts with a dash; sets its value and moves on.
static enum cli_item option_read(struct cli *cli, struct cli_token *token, const char *text)
{
	bool is_long = text[1] == '-';
	const char *name = is_long ? text + 2 : text + 1;
	size_t length = strcspn(name, "=");
	const struct cli_option *option;
	const char *value = NULL;
	bool common;

	// Some have but one dash in Open vSwitch: pmd-perf-show -nh -it 5.
	is_long |= length > 1 && option_find(cli->options, name, length, 0) != NULL;
	if (!is_long)
		name = NULL;
	option = option_find(common_options, name, length, text[1]);
	common = option != NULL;

	if (option == NULL)
		option = option_find(cli->options, name, length, text[1]);
	if (option == NULL)
		return option_unknown(cli, token, text);
	if (is_long && name[length] == '=')
		value = name + length + 1;
	else if (!is_long && text[2] != '\0')
		value = text + 2;
	if (option->argument == NULL && value != NULL)
		return wrong(token, "--%s takes no argument, so that \"%s\" is too much",
			option->name, value);
	if (option->argument != NULL && value == NULL && !option->optional) {
		if (cli->at >= cli->argc)
			return wrong(token, "--%s needs an argument: %s", option->name,
				option->argument);
		value = cli->argv[cli->at++];
	}
	token->option = option;
	token->value = value;
	return common ? common_option(cli, token, option, value) : CLI_OPTION;
}

enum cli_item cli_next(struct cli *cli, struct cli_token *token)
{
	while (cli->at < cli->argc) {
		const char *text = cli->argv[cli->at++];
		enum cli_item item;

		memset(token, 0, sizeof(*token));
		if (text[0] != '-' || text[1] == '\0' || isdigit((unsigned char)text[1])) {
			token->word = text;
			return CLI_WORD;
		}
		if (strcmp(text, "--") == 0)
			return CLI_SEPARATOR;
		item = option_read(cli, token, text);
		if (item != CLI_OPTION || option_find(common_options, token->option->name,
						  strlen(token->option->name), 0) == NULL)
			return item;
	}
	return CLI_END;
}

const struct cli_command *cli_command_find(
	cli_command_get *get, const char *name, struct rpc_error *error)
{
	const struct cli_command *command;
	struct closest_word closest;

	closest_word_begin(&closest, name);
	for (size_t i = 0; (command = get(i)) != NULL; i++) {
		if (strcmp(command->name, name) == 0)
			return command;
		closest_word_consider(&closest, command->name);
	}
	if (closest.best != NULL)
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"unknown command \"%s\"; did you mean \"%s\"?", name, closest.best);
	else
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"unknown command \"%s\"; --help lists all commands", name);
	return NULL;
}

bool cli_command_fits(const struct cli_command *command, int count, struct rpc_error *error)
{
	if (count >= command->minimum && (command->maximum < 0 || count <= command->maximum))
		return true;
	rpc_error_set(error, RPC_INVALID_PARAMS, "%s has too %s arguments; it is written: %s %s",
		command->name, count < command->minimum ? "few" : "many", command->name,
		command->arguments);
	return false;
}

static void print_options(const struct cli_option *row, FILE *out)
{
	for (; row != NULL && row->name != NULL; row++) {
		char left[64];
		char letter[8] = "    ";

		if (row->letter != 0)
			snprintf(letter, sizeof(letter), "-%c, ", row->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s%s", letter, row->name,
			row->optional           ? "[="
			: row->argument != NULL ? "="
						: "",
			row->argument != NULL ? row->argument : "", row->optional ? "]" : "");
		fprintf(out, "  %-26s %s\n", left, row->help);
	}
}

void cli_print_help(const struct cli *cli, cli_command_get *get, FILE *out)
{
	const struct cli_command *command;

	fprintf(out, "%s: %s\n\nUsage: %s [OPTION...] COMMAND [ARGUMENT...]\n\nCommands:\n",
		cli->program, cli->description, cli->program);
	for (size_t i = 0; (command = get(i)) != NULL; i++) {
		fprintf(out, "  %s%s%s\n", command->name, command->arguments[0] != '\0' ? " " : "",
			command->arguments);
		fprintf(out, "        %s\n", command->help);
	}
	fprintf(out, "\nOptions, before or behind the command:\n");
	print_options(cli->options, out);
	print_options(common_options, out);
	fprintf(out, "\nExit status: 0 done, 1 refused (the message says why), 2 wrong usage.\n");
}

void cli_print_version(const struct cli *cli, FILE *out)
{
	fprintf(out, "%s (Turnout) %s\n", cli->program, TURNOUT_VERSION);
}

void cli_complain(const struct cli *cli, const char *message)
{
	fprintf(stderr, "%s: %s\n", cli->program, message);
}

struct rpc_client *cli_connect(
	const struct cli *cli, const char *socket_name, struct rpc_error *error)
{
	static const struct tls_labels labels = {"--certificate", "--private-key", "--ca"};
	char path[RUNDIR_PATH_SIZE];

	if (cli->connect != NULL && cli->connect[0] != '\0')
		return tls_client_connect(cli->connect, "vswitchd", &cli->files, &labels,
			cli->connect_timeout_ms, error);
	if (rundir_path(path, sizeof(path), cli->rundir, socket_name) < 0) {
		rpc_error_set(error, RPC_REFUSED,
			"%.64s...: the path of a socket has at most %d bytes: choose a "
			"shorter --rundir",
			cli->rundir, UNIX_SOCKET_PATH_MAX);
		return NULL;
	}
	return rpc_client_connect(path, cli->connect_timeout_ms, error);
}

void cli_print_json(const json_t *value, FILE *out)
{
	json_dumpf(value, out, JSON_COMPACT | JSON_ENCODE_ANY);
	putc('\n', out);
}
