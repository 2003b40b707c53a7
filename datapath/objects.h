// SPDX-License-Identifier: Apache-2.0
#pragma once

// Operations of flow.apply on groups and meters; methods_flow.c has those on flows.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/pipeline.h"
#include "rpc/rpc_error.h"

// Within a transaction of the pipeline: `text` is the exact form, NULL for a deletion; `op` is the
// operation's number, for messages. False with *error.
typedef bool object_operation(struct pipeline *pipeline, uint64_t id, const char *text, size_t op,
	struct rpc_error *error);

object_operation object_group_put, object_group_delete, object_meter_put, object_meter_delete;
