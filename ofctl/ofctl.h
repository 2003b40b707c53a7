// SPDX-License-Identifier: Apache-2.0
#pragma once

// ofctl: the flow command line, a thin client of vswitchd. Each command is one row of
// ofctl_commands.c and one function, which returns an exit status after it has said what there is
// to say.

#include <stdbool.h>

#include <jansson.h>

#include "rpc/command_line.h"

struct ofctl {
	struct cli cli;
	bool strict;
	bool dry_run;
	bool may_exist;
	bool may_create;
	bool names; // show ports by name
	bool sorted;
	bool reversed;
	const char *sort_field; // NULL: priority
	const char *pcap;       // FILE or FILE:N, or NULL
	unsigned long count;    // packets to wait for; 0: no end
	int argc;               // words behind the name of the command
	const char **argv;
};

struct ofctl_command {
	struct cli_command line;
	int (*run)(struct ofctl *ofctl);
};

const struct cli_command *ofctl_command_get(size_t index); // a cli_command_get

// Connect, call, disconnect. The result or NULL with *error. Steals params.
json_t *ofctl_call(
	struct ofctl *ofctl, const char *method, json_t *params, struct rpc_error *error);

// Say what went wrong; returns the exit status and clears the error.
int ofctl_refused(const struct ofctl *ofctl, struct rpc_error *error);

// A call without more to it: its result as JSON or, by `print`, as text.
int ofctl_call_and_print(struct ofctl *ofctl, const char *method, json_t *params,
	void (*print)(const struct ofctl *ofctl, const json_t *result, FILE *out));

// The same for what was said about one flow that was an argument: with a caret under the place.
int ofctl_flow_refused(struct ofctl *ofctl, const char *flow, struct rpc_error *error);

// Commands about flows (ofctl_flows.c).
int ofctl_add_flow(struct ofctl *ofctl);
int ofctl_add_flows(struct ofctl *ofctl);
int ofctl_mod_flows(struct ofctl *ofctl);
int ofctl_del_flows(struct ofctl *ofctl);
int ofctl_replace_flows(struct ofctl *ofctl);
int ofctl_diff_flows(struct ofctl *ofctl);
int ofctl_dump_flows(struct ofctl *ofctl);
int ofctl_dump_aggregate(struct ofctl *ofctl);

// About groups and meters (ofctl_objects.c).
int ofctl_add_group(struct ofctl *ofctl);
int ofctl_add_groups(struct ofctl *ofctl);
int ofctl_mod_group(struct ofctl *ofctl);
int ofctl_del_groups(struct ofctl *ofctl);
int ofctl_dump_groups(struct ofctl *ofctl);
int ofctl_dump_group_stats(struct ofctl *ofctl);
int ofctl_add_meter(struct ofctl *ofctl);
int ofctl_add_meters(struct ofctl *ofctl);
int ofctl_mod_meter(struct ofctl *ofctl);
int ofctl_del_meters(struct ofctl *ofctl);
int ofctl_dump_meters(struct ofctl *ofctl);
int ofctl_meter_stats(struct ofctl *ofctl);

// Without a daemon (ofctl_parse.c).
int ofctl_parse_flow(struct ofctl *ofctl);
int ofctl_parse_flows(struct ofctl *ofctl);

int ofctl_lint(struct ofctl *ofctl); // (ofctl_lint.c)

// About ports and tables (ofctl_ports.c).
int ofctl_show(struct ofctl *ofctl);
int ofctl_dump_ports(struct ofctl *ofctl);
int ofctl_dump_ports_desc(struct ofctl *ofctl);
int ofctl_dump_tables(struct ofctl *ofctl);

// What would become of a packet (ofctl_trace.c).
int ofctl_trace(struct ofctl *ofctl);

// Packets to the controller (ofctl_monitor.c), and from it (ofctl_packet.c).
int ofctl_monitor(struct ofctl *ofctl);
int ofctl_packet_out(struct ofctl *ofctl);
