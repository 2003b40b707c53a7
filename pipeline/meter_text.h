// SPDX-License-Identifier: Apache-2.0
#pragma once

// The text and JSON forms of meters, as ovs-ofctl writes them:
//   meter=1,kbps,burst,stats,bands=type=drop,rate=1000,burst_size=100
// Commas and blanks both separate. As strict as the parser of flows. Pure functions, any thread.

#include <jansson.h>

#include "pipeline/flow_error.h"
#include "pipeline/meter.h"

// Parse one line (a trailing comment is allowed). 0 or -EINVAL with *error.
int meter_parse(struct meter *meter, const char *text, struct flow_error *error);

// {"meter": 1, "unit": "kbps"|"pktps", "bands": [{"type": "drop", "rate": 1000, "burst_size":
// 100, "prec_level": 1}]}
int meter_from_json(struct meter *meter, const json_t *json, struct flow_error *error);

// On one line, as meter_parse() reads it back to an equal meter: also the form that is stored and
// goes over the wire. A malloc()ed string or NULL.
char *meter_format(const struct meter *meter);

json_t *meter_to_json(const struct meter *meter); // or NULL

// What a delete or dump names: "meter=N", "N", "all", "meter=all", or nothing at all. *all or *id
// is set. 0 or -EINVAL with *error.
int meter_selection_parse(const char *text, bool *all, uint32_t *id, struct flow_error *error);
