// SPDX-License-Identifier: Apache-2.0
#pragma once

// Packets that flows send to the controller: from the PMD threads, through a bounded ring each, to
// the control thread, which makes `packet.in` notifications of them.
//
// A bridge has a rate (token bucket), so that a flood costs the threads no more than a look at it;
// what is over the rate, or finds the ring full, is counted as lost.

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <rte_common.h>

#include "pipeline/pipeline.h"
#include "rpc/rpc_params.h"

#define CONTROLLER_RATE_DEFAULT 1000 // packets per second
#define CONTROLLER_BURST_DEFAULT 250 // packets
#define CONTROLLER_RATE_MAX 1000000
#define PACKET_IN_RING 256
#define PACKET_IN_FRAME 9728 // longest part of a frame that an event holds

struct bridge;
struct datapath;
struct pmd;
struct rte_mbuf;
struct rte_ring;

// Of one bridge and one PMD thread, which alone writes it.
struct packet_in_counters {
	uint64_t sent;
	uint64_t lost_rate; // over the bridge's rate
	uint64_t lost_full; // no room in the ring, or on the way to the client
} __rte_cache_aligned;

// Control thread. The ring of one PMD thread: free() it; NULL: no memory.
struct rte_ring *packet_in_ring_create(void);

// Control thread. Set the bridge's rate. 0 or -ENOMEM.
int packet_in_limit(struct bridge *bridge, uint32_t rate, uint32_t burst);
void packet_in_limit_free(struct bridge *bridge); // no PMD thread knows the bridge any more

// PMD thread. The frame is in `mbuf`; false: lost, and counted.
bool packet_in_post(struct pmd *pmd, struct bridge *bridge, struct rte_mbuf *mbuf, uint16_t in_port,
	const struct packet_in *event);

// Control thread. Send what the rings hold.
void packet_in_send(struct datapath *datapath);

// For rpc_server_set_events(): packet.in.
extern const struct rpc_event packet_in_events[];

// An event that the client was too slow for is lost_full, not sent.
struct packet_in_counters packet_in_counters_get(const struct bridge *bridge);
