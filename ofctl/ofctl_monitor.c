// SPDX-License-Identifier: Apache-2.0
//
// monitor: what a bridge tells its controller, as it happens: packets of flows with the action
// controller, flows that end, and how much was lost in between.

#include <string.h>

#include "ofctl/ofctl.h"
#include "ofctl/packet_in_print.h"
#include "rpc/watch.h"

struct monitor {
	struct ofctl *ofctl;
	const char *bridge;
	unsigned long left; // packets until the end; only if ofctl->count
	json_int_t lost;    // by the bridge, as far as we have told
	bool lost_known;
	bool done;
};

// --- Printing ---

// {"event": name, ...params}
// What came between the last packet and this one, and is not here.
static void losses_print(struct monitor *monitor, const json_t *params)
{
	json_int_t lost = json_integer_value(json_object_get(params, "lost"));
	json_int_t missed = json_integer_value(json_object_get(params, "missed"));

	// A datapath that began anew counts from 0.
	if (lost < monitor->lost)
		monitor->lost = 0;
	if (monitor->lost_known && lost > monitor->lost)
		printf("lost: %lld packets were over the bridge's controller-rate-limit, or found "
		       "no room\n",
			(long long)(lost - monitor->lost));
	monitor->lost = lost;
	monitor->lost_known = true;
	if (missed > 0)
		printf("missed: %lld packets, because this monitor was too slow\n",
			(long long)missed);
}

static void packet_in(struct monitor *monitor, const json_t *params)
{
	if (monitor->ofctl->cli.json) {
		cli_print_event("packet.in", params);
	} else {
		losses_print(monitor, params);
		packet_in_print(params, monitor->ofctl->names, stdout);
	}
	if (monitor->ofctl->count > 0 && --monitor->left == 0)
		monitor->done = true;
}

static void on_notification(void *context, const char *method, json_t *params)
{
	struct monitor *monitor = context;
	const char *bridge = json_string_value(json_object_get(params, "bridge"));

	if (monitor->done || bridge == NULL || strcmp(bridge, monitor->bridge) != 0)
		return;
	if (strcmp(method, "packet.in") == 0)
		packet_in(monitor, params);
	else if (strcmp(method, "flow.removed") == 0 && monitor->ofctl->cli.json)
		cli_print_event("flow.removed", params);
	else if (strcmp(method, "flow.removed") == 0)
		flow_removed_print(params, stdout);
}

// --- Following ---

// Since when losses are ours to tell. Without a datapath it is since the first packet.
static void losses_begin(struct monitor *monitor, struct rpc_client *client)
{
	struct rpc_error error = {0};
	json_t *stats = rpc_client_call(client, "packet.stats",
		json_pack("{s:s}", "bridge", monitor->bridge), monitor->ofctl->cli.timeout_ms,
		&error);
	const json_t *counters = json_object_get(stats, "packet_in");

	monitor->lost_known = stats != NULL;
	monitor->lost = json_integer_value(json_object_get(counters, "lost_rate")) +
			json_integer_value(json_object_get(counters, "lost_full"));
	json_decref(stats);
	rpc_error_clear(&error);
}

static int watch(struct monitor *monitor, struct rpc_client *client)
{
	const struct cli *cli = &monitor->ofctl->cli;
	int status;

	cli_watch_begin();
	status = cli_watch(cli, client, &monitor->done);
	if (status != CLI_WATCH_LOST)
		return status;
	cli_complain(cli, "the connection to vswitchd was lost");
	return CLI_EXIT_REFUSED;
}

int ofctl_monitor(struct ofctl *ofctl)
{
	struct monitor monitor = {.ofctl = ofctl, .bridge = ofctl->argv[0], .left = ofctl->count};
	struct rpc_error error = {0};
	struct rpc_client *client = cli_connect(&ofctl->cli, "vswitchd.sock", &error);
	json_t *answer;
	int status;

	if (client == NULL)
		return ofctl_refused(ofctl, &error);
	losses_begin(&monitor, client);
	rpc_client_on_notification(client, on_notification, &monitor);
	answer = rpc_client_call(client, "rpc.subscribe",
		json_pack("{s:[s], s:s}", "events", "packet.in", "bridge", monitor.bridge),
		ofctl->cli.timeout_ms, &error);
	status = answer != NULL ? watch(&monitor, client) : ofctl_refused(ofctl, &error);
	json_decref(answer);
	rpc_client_destroy(client);
	return status;
}
