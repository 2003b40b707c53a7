// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the files that read and write meters share; nobody else includes this.
//
// Text and JSON are both cut into the tokens of struct flow_parser, which are judged one by one.
// Functions that return int return 0, -EINVAL with the error filled, or -ENOMEM.

#include "pipeline/flow_parser.h"
#include "pipeline/meter.h"

struct meter_parser {
	struct flow_parser flow;
	struct flow_request request; // that `flow` needs
	struct meter *meter;
	unsigned seen;           // keys of the meter
	unsigned band_seen;      // keys of the last band
	struct flow_token burst; // where the flag is; length 0: nowhere
	struct flow_token band;  // where the last band begins; length 0: nowhere, or JSON
};

void meter_parser_start(struct meter_parser *parser, struct meter *meter, struct flow_error *error);

// "meter=1", "kbps", "burst" and so on.
int meter_key_parse(struct meter_parser *parser, const struct flow_token *token);

// "type=drop", which begins a band, and what is in a band: "rate=1000".
int meter_band_key_parse(struct meter_parser *parser, const struct flow_token *token);

// What has to be there. Returns the final status.
int meter_parser_finish(struct meter_parser *parser, int status);

bool meter_band_key_exists(const char *name, size_t length);

const char *meter_unit_name(bool packets);                   // "pktps" or "kbps"
const char *meter_band_type_name(enum meter_band_type type); // "drop", "dscp_remark"
bool meter_has_bursts(const struct meter *meter);
