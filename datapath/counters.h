// SPDX-License-Identifier: Apache-2.0
#pragma once

// What is counted of a port, and sums of it.
//
// Each PMD thread adds to counters of its own (one struct port_counters per port and reader slot),
// with plain additions that nobody else makes; whoever asks adds them up. Once traffic has stopped,
// at every port
//   rx_packets + copies == forwarded + sum of the drops but tx_*
// of what came by it, and over all ports of the switch
//   sum of forwarded == sum of tx_packets + sum of the drops tx_*
// hold exactly: every packet, original or copy, was given to one port or is counted under one
// reason where it came from, and what a port was given its transmit queue has accepted or it is
// counted under one reason there.

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "pipeline/drop_reason.h"

struct port_counters {
	uint64_t rx_packets;
	uint64_t rx_bytes;
	uint64_t tx_packets;
	uint64_t tx_bytes;
	uint64_t copies;    // made of what came by the port
	uint64_t forwarded; // of those and of what came, given to a port to send
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

// Of what came by the port and was copied, how much was neither forwarded nor dropped: 0, if the
// threads have ended their rounds and nothing is lost or ended twice.
int64_t port_counters_unaccounted(const struct port_counters *counters);

// {"table_miss": 3, ...}: the reasons that are not zero. A new reference or NULL.
json_t *port_counters_drops(const struct port_counters *counters);
