// SPDX-License-Identifier: Apache-2.0
#pragma once

// Lines of dump-flows: from flow.dump's items to the text that people parse with awk, and sorting
// by any field. Pure.

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

// " cookie=0x0, duration=12.3s, table=0, n_packets=10, n_bytes=600, idle_age=1, priority=..."
void flow_dump_print(const json_t *flow, FILE *out);

// A new array of the same flows, sorted by a field of the match or a statistic (priority, table,
// cookie, n_packets, ...). Flows that do not have the field come first, last if reversed; equal
// ones keep their order.
json_t *flow_dump_sort(const json_t *flows, const char *field, bool reversed);

// Is there anything that flows can be sorted by under this name?
bool flow_dump_sortable(const char *field);
