// SPDX-License-Identifier: Apache-2.0
#pragma once

// The result of flow.trace as text: a paragraph for the packet, one for each table, one for each
// output, and the verdict in the last line. Pure, but for writing to `out`.

#include <stdio.h>

#include <jansson.h>

void trace_print(const json_t *trace, FILE *out);
