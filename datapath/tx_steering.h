// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which of a guest's receive queues a frame goes to, where that is decided by its flow: a hash of
// the frame picks one of STEERING_SLOTS slots, and a table says which queue a slot has. Frames of
// one flow are in one slot, so they stay in order for as long as the table stays. Pure functions.

#include <stdint.h>

#include "pipeline/group_select.h"

#define STEERING_SLOTS 256

// Deal the slots out to the queues that have a bit in `queues`, as evenly as can be; all to queue 0
// if there is none. Other threads may be reading the table.
void steering_table_build(uint8_t table[STEERING_SLOTS], uint64_t queues);

// Of a frame whose first `linear` bytes of `length` are at `data`: as many of them as a frame has
// to have for the pipeline (PACKET_LINEAR_MIN).
unsigned steering_slot(const uint8_t *data, uint16_t linear, uint32_t length);
