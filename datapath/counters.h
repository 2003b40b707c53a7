// SPDX-License-Identifier: Apache-2.0
#pragma once

// What is counted of a port, and sums of it.
//
// Each PMD thread adds to counters of its own (one struct port_counters per port and reader slot),
// with plain additions that nobody else makes; whoever asks adds them up. Once traffic has stopped,
//   sum of rx_packets + sum of copies == sum of tx_packets + sum of all drops
// holds exactly over all ports of the switch: every packet, original or copy, was either accepted
// by a transmit queue or is counted under one reason. Reasons tx_* are counted at the port that the
// packet could not leave by, all others at the port that it came from, as are copies.

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "pipeline/drop_reason.h"

struct port_counters {
	uint64_t rx_packets;
	uint64_t rx_bytes;
	uint64_t tx_packets;
	uint64_t tx_bytes;
	uint64_t copies;
	uint64_t drops[DROP_REASON_COUNT];
};

// For the one writer; readers on other threads see whole values.
static inline void counter_add(uint64_t *counter, uint64_t amount)
{
	__atomic_store_n(counter, *counter + amount, __ATOMIC_RELAXED);
}

// Is a packet dropped for this reason counted at the port that it could not leave by?
bool drop_reason_is_transmit(enum drop_reason reason);

void port_counters_add(struct port_counters *sum, const struct port_counters *counters);

// Packets lost on the way in and on the way out. "consumed" is no loss.
uint64_t port_counters_rx_dropped(const struct port_counters *counters);
uint64_t port_counters_tx_dropped(const struct port_counters *counters);

// {"table_miss": 3, ...}: the reasons that are not zero. A new reference or NULL.
json_t *port_counters_drops(const struct port_counters *counters);
