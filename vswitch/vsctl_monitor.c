// SPDX-License-Identifier: Apache-2.0
#include "vswitch/vsctl_monitor.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/watch.h"

#define RECONNECT_MS 100

struct monitor {
	const struct cli *cli;
	json_int_t last;    // the number of the last event printed; -1: from now on
	unsigned long left; // events until the end; 0: no end
	bool resuming;      // what comes now is in the answer to come, too
	bool done;
};

// --- The command line ---

// A number of at least `least`, -1 if it is none.
static json_int_t number_parse(const char *text, json_int_t least)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || number < least)
		return -1;
	return number;
}

bool vsctl_prepare_monitor(struct vsctl_request *request, struct rpc_error *error)
{
	if (request->argc > 0 && number_parse(request->argv[0], 0) < 0)
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"monitor: \"%.64s\" is no number of an event; without one, it prints from "
			"now on",
			request->argv[0]);
	else if (request->count != NULL && number_parse(request->count, 1) < 0)
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"--count is a number of events from 1 on, not \"%.64s\"", request->count);
	return error->code == 0;
}

// --- Printing ---

// Text in quotes if it is not one word.
static void print_value(const json_t *value)
{
	const char *text = json_string_value(value);

	if (text != NULL && text[0] != '\0' && strpbrk(text, " \t\n\"\\=") == NULL)
		fputs(text, stdout);
	else
		json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
}

static void print_text(const char *name, const json_t *params)
{
	const json_t *seq = json_object_get(params, "seq");
	const char *key;
	json_t *value;

	if (seq != NULL)
		printf("%lld ", (long long)json_integer_value(seq));
	fputs(name, stdout);
	json_object_foreach ((json_t *)params, key, value) {
		if (value == seq)
			continue;
		printf(" %s=", key);
		print_value(value);
	}
	putchar('\n');
}

// {"event": name, ...params}
static void event_print(struct monitor *monitor, const char *name, const json_t *params)
{
	const json_t *seq = json_object_get(params, "seq");

	// A packet.in is told by ofctl monitor.
	if (monitor->done || strcmp(name, "packet.in") == 0)
		return;
	if (monitor->cli->json)
		cli_print_event(name, params);
	else
		print_text(name, params);
	if (seq != NULL)
		monitor->last = json_integer_value(seq);
	monitor->done = monitor->left > 0 && --monitor->left == 0;
}

static void missed_print(const struct monitor *monitor, json_int_t seq)
{
	if (monitor->cli->json)
		printf("{\"event\":\"missed\",\"since\":%lld,\"seq\":%lld}\n",
			(long long)monitor->last, (long long)seq);
	else
		printf("missed: some events after %lld are not kept any more; read the state "
		       "anew\n",
			(long long)monitor->last);
}

// --- Following ---

static void on_notification(void *context, const char *method, json_t *params)
{
	struct monitor *monitor = context;

	if (!monitor->resuming)
		event_print(monitor, method, params);
}

static json_t *resume_ask(
	struct monitor *monitor, struct rpc_client *client, struct rpc_error *error)
{
	json_t *params = json_object();
	json_t *answer;

	if (monitor->last >= 0)
		json_object_set_new(params, "since", json_integer(monitor->last));
	monitor->resuming = true;
	answer = rpc_client_call(client, "events.since", params, monitor->cli->timeout_ms, error);
	monitor->resuming = false;
	return answer;
}

// Print what was missed. From here on events come by themselves.
static bool resume(struct monitor *monitor, struct rpc_client *client, struct rpc_error *error)
{
	json_t *answer = resume_ask(monitor, client, error);
	json_int_t seq = json_integer_value(json_object_get(answer, "seq"));
	size_t i;
	json_t *event;

	if (answer == NULL)
		return false;
	if (json_is_false(json_object_get(answer, "complete")))
		missed_print(monitor, seq);
	json_array_foreach (json_object_get(answer, "events"), i, event) {
		event_print(monitor, json_string_value(json_object_get(event, "method")),
			json_object_get(event, "params"));
	}
	if (!monitor->done)
		monitor->last = seq;
	json_decref(answer);
	return true;
}

static struct rpc_client *follow(struct monitor *monitor, struct rpc_error *error)
{
	struct rpc_client *client = cli_connect(monitor->cli, "vswitchd.sock", error);

	if (client == NULL)
		return NULL;
	rpc_client_on_notification(client, on_notification, monitor);
	if (resume(monitor, client, error))
		return client;
	rpc_client_destroy(client);
	return NULL;
}

// vswitchd has gone: wait for it. NULL with the exit status if that is ended.
static struct rpc_client *follow_again(struct monitor *monitor, int *status)
{
	struct rpc_client *client = NULL;

	cli_complain(monitor->cli, "the connection to vswitchd was lost; waiting for it");
	while (client == NULL &&
		(*status = cli_watch_pause(monitor->cli, RECONNECT_MS)) == CLI_WATCH_ON) {
		struct rpc_error error = {0};

		client = follow(monitor, &error);
		// One that answers, but refuses, does so the next time, too.
		if (client == NULL && error.code != RPC_DISCONNECTED && error.code != RPC_TIMEOUT &&
			error.code != RPC_OVERLOADED) {
			cli_complain(monitor->cli, error.message);
			*status = CLI_EXIT_REFUSED;
			rpc_error_clear(&error);
			return NULL;
		}
		rpc_error_clear(&error);
	}
	return client;
}

int vsctl_monitor(const struct cli *cli, const struct vsctl_request *request)
{
	struct monitor monitor = {
		.cli = cli,
		.last = request->argc > 0 ? number_parse(request->argv[0], 0) : -1,
		.left = request->count != NULL ? (unsigned long)number_parse(request->count, 1) : 0,
	};
	struct rpc_error error = {0};
	struct rpc_client *client = follow(&monitor, &error);
	int status = CLI_WATCH_LOST;

	if (client == NULL) {
		cli_complain(cli, error.message);
		rpc_error_clear(&error);
		return CLI_EXIT_REFUSED;
	}
	cli_watch_begin();
	while (client != NULL) {
		status = cli_watch(cli, client, &monitor.done);
		rpc_client_destroy(client);
		client = status == CLI_WATCH_LOST ? follow_again(&monitor, &status) : NULL;
	}
	return status;
}
