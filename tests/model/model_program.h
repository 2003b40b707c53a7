// SPDX-License-Identifier: Apache-2.0
#pragma once

// A random program of flows, installed in a pipeline and known to the oracle, with random ports.

#include "pipeline/flow_text.h"
#include "pipeline/pipeline.h"
#include "tests/model/model_random.h"
#include "tests/model/oracle.h"

#define PROGRAM_FLOWS 28

struct program_flow {
	uint64_t id;
	unsigned priority;
	struct model_match match;
	char text[2 * MODEL_TEXT];
	struct flow flow; // for the oracle
};

struct program {
	uint64_t seed;
	struct model_random random;
	struct pipeline *pipeline;
	struct pipeline_port ports[MODEL_PORTS];
	struct program_flow flows[PROGRAM_FLOWS];
	size_t flow_count;
	uint64_t next_id;
	struct oracle oracle;
	struct oracle_flow oracle_flows[PROGRAM_FLOWS];
	bool has_normal;            // the order of packets matters
	unsigned accepted, refused; // texts, by the flow parser
};

void program_open(struct program *program, uint64_t seed);
void program_close(struct program *program);

// Change the settings of a port; take some flows away, give others different actions, and add
// some, in one transaction.
void program_change(struct program *program);

// Has every flow been hit as often as the oracle says? Prints those that have not.
bool program_hits_agree(const struct program *program);

// Ports, flows and learned addresses.
void program_print(const struct program *program);
