// SPDX-License-Identifier: Apache-2.0
#pragma once

// What somebody hands in to be sent: a frame, where it is to come from, and what to do with it, as
// ovs-ofctl's packet-out has it:
//   in_port=1,packet=020000000002020000000001080045...,actions=output:2
// in_port is a port's name or number, or "controller" (also "none"), which it is if left out: the
// frame comes from no port. The frame is in hexadecimal without FCS; "data" is another word for
// "packet". actions come last; "table" among them takes the frame through the tables from 0 on, as
// resubmit(,0) does. Pure functions, any thread.

#include <stdint.h>

#include <jansson.h>

#include "pipeline/flow_text.h"

#define PACKET_OUT_MIN 14   // bytes: an Ethernet header
#define PACKET_OUT_MAX 9728 // bytes

struct packet_out_request {
	uint16_t in_port; // a port, or OFPORT_CONTROLLER
	struct action_list actions;
	uint8_t *frame; // owned
	size_t length;
};

// Parse one line; the results are those of flow_request_parse(). On success the caller calls
// packet_out_destroy().
int packet_out_parse(struct packet_out_request *out, const char *text,
	const struct port_names *names, struct flow_warnings *warnings, struct flow_error *error);

// {"in_port": 1, "packet": "0200...", "actions": [...]}; in_port may be left out, and actions are
// those of flows, or their text. The same results; errors have no place, but name the member.
int packet_out_from_json(struct packet_out_request *out, const json_t *json,
	const struct port_names *names, struct flow_warnings *warnings, struct flow_error *error);

// The frame in hexadecimal. A malloc()ed string or NULL.
char *packet_out_hex(const struct packet_out_request *out);

void packet_out_destroy(struct packet_out_request *out); // frees what it owns
