// SPDX-License-Identifier: Apache-2.0
#pragma once

// The ring through which one PMD thread, and no other, tells the control thread of what happens:
// addresses to learn, packets for the controller. It is on the heap; DPDK would put it into its own
// memory, under a name that no other ring has.

#include <rte_ring.h>

// A ring for one producer and one consumer, with room for `count` - 1 events of `size` bytes.
// `count` is a power of two, `size` a multiple of 4. NULL: no memory. free() it.
struct rte_ring *event_ring_create(const char *name, unsigned size, unsigned count);
