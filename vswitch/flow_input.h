// SPDX-License-Identifier: Apache-2.0
#pragma once

// Flows as clients send them, one or a file full of them: parsing with the bridge's port names,
// and collecting all that is wrong with where it is. Shared by the methods that change flows and
// those that show them.

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "vswitch/flows.h"
#include "vswitch/line_input.h"

// The bridge of the parameters. NULL with *error.
struct flow_owner *flow_input_owner(
	struct vswitch *vs, const json_t *params, struct rpc_error *error);

// Parse a parameter that is text or a JSON object; NULL stands for "all flows", for deleting and
// dumping. False with *error (RPC_FLOW_ERROR). Warnings are appended to `warnings` (may be NULL).
// On success the caller calls flow_request_destroy().
bool flow_input_parse(struct vswitch *vs, struct flow_owner *owner, const json_t *flow,
	enum flow_command command, struct flow_request *request, json_t *warnings,
	struct rpc_error *error);

// A text of many lines, or an array of flows.
struct flow_input {
	struct vswitch *vs;
	struct flow_owner *owner;
	enum flow_command command;
	struct line_input lines;
};

// Call `use` for every flow of the input that parses, until the first error; parse the rest all the
// same, to tell all errors at once. `use` owns the request and returns false with *error. False
// with *error (RPC_FLOW_ERROR, data {errors, warnings}) if anything was wrong.
bool flow_input_each(struct flow_input *input, const json_t *params,
	bool (*use)(void *context, struct flow_request *request, struct flow_error *error),
	void *context, struct rpc_error *error);
void flow_input_destroy(struct flow_input *input); // frees what it owns
