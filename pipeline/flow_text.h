// SPDX-License-Identifier: Apache-2.0
#pragma once

// The text form of flows, matches and actions: what people type and what dumps print.
//
// The parser is strict: what it accepts means exactly what is printed back by the formatter, and
// what Open vSwitch silently misreads it refuses with the remedy. Pure functions, any thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "pipeline/flow.h"
#include "pipeline/flow_error.h"

// What a flow may name by a number besides ports.
enum flow_reference { FLOW_GROUP, FLOW_METER };

// What flows of one bridge may name: its ports, both ways, and which groups and meters there are.
// Lives as long as the caller says; never kept.
struct port_names {
	const char *bridge; // for messages
	size_t count;
	const struct port_name {
		const char *name;
		uint16_t number;
	} *items; // sorted by number
	// Is there one with that number? NULL: it is not asked.
	bool (*exists)(const struct port_names *names, enum flow_reference kind, uint32_t id);
	void *context; // of exists()
};

// What a line asks for; "add" unless the line begins with another word.
enum flow_command {
	FLOW_ADD,
	FLOW_MODIFY,
	FLOW_MODIFY_STRICT,
	FLOW_DELETE,
	FLOW_DELETE_STRICT,
};

// What else modify, delete and dump requests carry.
struct flow_filter {
	uint64_t cookie;
	uint64_t cookie_mask; // 0: any
	uint16_t out_port;    // OFPORT_NONE: any
	bool any_table;	      // no table= was given
};

struct flow_request {
	enum flow_command command;
	struct flow flow; // of delete and dump: without actions
	bool sets_cookie; // cookie=V was given and is not a filter; modify keeps cookies otherwise
	struct flow_filter filter;
};

// Parse one line (a trailing comment is allowed). `default_command` holds if the line names none.
// For FLOW_DELETE*, actions are refused; otherwise "actions=" is required. `names` may be NULL:
// then only numbers are ports. 0, or -EINVAL with *error, or -ENOMEM. On success the caller calls
// flow_request_destroy().
int flow_request_parse(struct flow_request *request, const char *text,
		enum flow_command default_command, const struct port_names *names,
		struct flow_warnings *warnings, struct flow_error *error);
void flow_request_destroy(struct flow_request *request);

// Is there nothing on the line but blanks and a comment?
bool flow_text_is_blank(const char *text);

// The flow in canonical form, "table=0, priority=100,in_port=1 actions=output:2" as dumps show it
// after their statistics: priority always, table always, cookie and timeouts never. `names` may be
// NULL. A malloc()ed string or NULL.
char *flow_format(const struct flow *flow, const struct port_names *names);

// All of the flow, so that flow_request_parse() gives an equal flow back: numbers only, one line.
// This is the form that is stored and that goes over the wire. A malloc()ed string or NULL.
char *flow_format_exact(const struct flow *flow);

// An action list on its own, without a match: "output:1,strip_vlan". What actions need of the
// packet is not asked; one whose field a packet does not have does nothing to it. goto_table is
// refused, because there is no table that it could be above of. `what` begins messages about
// that ("a bucket"). Offsets count from `text`. Results as those of flow_request_parse(); *list is
// freed by action_list_destroy().
int actions_parse_alone(struct action_list *list, const char *what, const char *text,
		const struct port_names *names, struct flow_warnings *warnings,
		struct flow_error *error);

char *match_format(const struct match *match, uint16_t priority, const struct port_names *names);
char *actions_format(const struct action_list *actions, const struct port_names *names);
