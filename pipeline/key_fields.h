// SPDX-License-Identifier: Apache-2.0
#pragma once

// A packet's key in the words of the match fields: what the packet is, and why a match does not
// apply to it. Both follow from the rows of pipeline/fields.def. Pure functions, any thread; all
// lines of a key are read.

#include <stdbool.h>

#include <jansson.h>

#include "pipeline/flow_text.h"
#include "pipeline/match.h"

// The fields of the packet by the names that matches are printed with, each bit of the key told
// once: {"in_port": "1", "dl_src": "02:00:00:00:00:01", "tp_dst": "80"}. What the packet does not
// have is left out, and so are registers and metadata that are zero, in_port if it is 0, and
// nw_frag=no. All values are text as in matches. NULL: out of memory.
json_t *key_fields_json(const struct packet_key *key, const struct port_names *names);

// Why `match` does not apply: the first of its fields, in the order in which it is printed, that
// the packet has not or has otherwise.
struct match_difference {
	const char *field; // name, as in matches
	char wants[128];   // what the match says: "80", "10.0.0.0/8", "1000-1999"
	char has[64];      // the packet's value; "" if the packet has no such field
};

// False: the match applies.
bool match_first_difference(const struct match *match, const struct packet_key *key,
	const struct port_names *names, struct match_difference *difference);
