// SPDX-License-Identifier: Apache-2.0
#pragma once

// The text and JSON forms of groups, as ovs-ofctl writes them:
//   group_id=1,type=select,selection_method=hash,fields(ip_src,ip_dst),
//     bucket=bucket_id:0,weight:100,watch_port:2,actions=output:2,bucket=...
// As strict as the parser of flows. Pure functions, any thread.

#include <jansson.h>

#include "pipeline/flow_text.h"
#include "pipeline/group.h"

// Parse one line (a trailing comment is allowed); buckets without an identifier get the lowest
// that is free. `names` may be NULL: then only numbers are ports, and what groups and meters there
// are is not asked. 0, -EINVAL with *error, or -ENOMEM. On success the caller calls
// group_destroy().
int group_parse(struct group *group, const char *text, const struct port_names *names,
	struct flow_warnings *warnings, struct flow_error *error);

// {"group_id": 1, "type": "select", "selection_method": "hash", "fields": ["ip_src"],
//  "buckets": [{"bucket_id": 0, "weight": 100, "watch_port": 2, "actions": [...]}]}; actions as
// those of flows, or as their text. The same results.
int group_from_json(struct group *group, const json_t *json, const struct port_names *names,
	struct flow_warnings *warnings, struct flow_error *error);

// As dumps show it, which group_parse() reads back to an equal group. With `names` NULL this is
// the exact form, that is stored and goes over the wire. A malloc()ed string or NULL.
char *group_format(const struct group *group, const struct port_names *names);

json_t *group_to_json(const struct group *group, const struct port_names *names); // or NULL

// What a delete names: "group_id=N", "N", "all", "group_id=all", or nothing at all. *all or *id is
// set. 0 or -EINVAL with *error.
int group_selection_parse(const char *text, bool *all, uint32_t *id, struct flow_error *error);
