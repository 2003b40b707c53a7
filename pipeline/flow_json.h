// SPDX-License-Identifier: Apache-2.0
#pragma once

// The structured JSON form of a flow:
//   {"table": 0, "priority": 100, "cookie": "0x1", "idle_timeout": 0,
//    "match": {"in_port": 1, "dl_type": "0x0800", "nw_dst": "10.0.0.0/24"},
//    "actions": [{"set_field": {"field": "dl_dst", "value": "00:00:00:00:00:02"}},
//                {"output": 2}, "strip_vlan"]}
// Values may be numbers or strings of the text form; unknown members are refused. The JSON is
// judged by the rows and the checks of the text parser, so both accept and refuse the same.

#include <jansson.h>

#include "pipeline/flow_text.h"

// As flow_request_parse(); error->offset is 0 and error->field names the member.
int flow_request_from_json(struct flow_request *request, const json_t *json,
		enum flow_command default_command, const struct port_names *names,
		struct flow_warnings *warnings, struct flow_error *error);

// A new reference, or NULL if out of memory.
json_t *flow_to_json(const struct flow *flow, const struct port_names *names);
json_t *actions_to_json(const struct action_list *actions, const struct port_names *names);
json_t *flow_error_to_json(const struct flow_error *error);
