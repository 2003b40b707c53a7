// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a delete or a dump of groups or meters names: one of them by its number, or all. Pure, any
// thread.

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/flow_error.h"

// "KEY=N", "N", "all", "KEY=all" or nothing, with a comment behind or without; *all or *id (0 with
// *all) is set. 0 or -EINVAL with *error.
int selection_parse(const char *key, uint32_t max, const char *text, bool *all, uint32_t *id,
	struct flow_error *error);
