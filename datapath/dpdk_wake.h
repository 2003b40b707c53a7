// SPDX-License-Identifier: Apache-2.0
#pragma once

// What wakes threads that wait for packets of a DPDK device: interrupts of its receive queues,
// where its driver has them, or the descriptor by which a kernel interface brings packets. For
// other drivers there is nothing.

#include <stdbool.h>
#include <stdint.h>

#include "datapath/port.h"

struct dpdk_wake {
	uint16_t id;                  // ethdev port
	bool interrupts;              // are to be switched on and off
	bool edge;                    // as in struct wake_source
	int descriptors[PORT_QUEUES]; // the driver's; -1: none
	uint64_t serial;              // no other device, or start of this one, had it
};

// Control thread. The device has been started; no thread uses it yet.
void dpdk_wake_find(struct dpdk_wake *wake, uint16_t id, uint16_t n_rxq);

// "interrupt", "descriptor" or "timer".
const char *dpdk_wake_name(const struct dpdk_wake *wake);

// PMD threads: see struct port_ops.
void dpdk_wake_arm(const struct dpdk_wake *wake, uint16_t queue, struct wake_source *source);
void dpdk_wake_disarm(const struct dpdk_wake *wake, uint16_t queue);
