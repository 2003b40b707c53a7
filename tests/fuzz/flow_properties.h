// SPDX-License-Identifier: Apache-2.0
#pragma once

// What holds for every flow that a parser let in, and for every error with which it refused one.

#include "pipeline/flow_json.h"
#include "pipeline/flow_text.h"

extern const struct port_names fuzz_ports;

// The flow's exact text, its dump and its JSON read back as the same flow, in the same words.
void flow_must_round_trip(const struct flow *flow);

// `size`: of the text that offsets count in, 0 for JSON.
void flow_error_must_be_good(const struct flow_error *error, size_t size);
void flow_warnings_must_be_good(const struct flow_warnings *warnings, size_t size);
