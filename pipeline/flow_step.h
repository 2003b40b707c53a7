// SPDX-License-Identifier: Apache-2.0
#pragma once

// The short form of an action list that only takes a packet to another table: constants written to
// registers or metadata, then goto_table, or a resubmit of the packet as it is. Nothing of that
// needs the frame or an execution, so whole bursts take such steps at once.
//
// A resubmit that is the last action of a list is a goto_table that may go anywhere, that is
// bounded in number (PIPELINE_RESUBMIT_DEPTH), and after which a miss is no reason to drop.
//
// Made when a flow is installed, and immutable.

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/action.h"
#include "pipeline/packet_key.h"

#define FLOW_STEP_WRITES 3

enum flow_step_kind {
	STEP_NONE, // there is no short form
	STEP_GOTO,
	STEP_RESUBMIT,
};

struct flow_step {
	uint8_t kind; // enum flow_step_kind
	uint8_t table;
	uint8_t count;                   // of writes
	uint8_t words[FLOW_STEP_WRITES]; // of the key, each once
	uint64_t keep[FLOW_STEP_WRITES]; // bits that stay
	uint64_t bits[FLOW_STEP_WRITES]; // the others
};

// STEP_NONE if the list has no short form.
struct flow_step flow_step_of(const struct action_list *actions);

static inline void flow_step_write(const struct flow_step *step, struct packet_key *key)
{
	uint64_t *words = (uint64_t *)key;

	for (unsigned w = 0; w < step->count; w++)
		words[step->words[w]] = (words[step->words[w]] & step->keep[w]) | step->bits[w];
}
