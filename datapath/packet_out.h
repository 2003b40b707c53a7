// SPDX-License-Identifier: Apache-2.0
#pragma once

// Packets that a client hands in with an action list of their own. A PMD thread runs them, because
// only those send: control leaves the packet in the thread's mailbox, and waits for the end of its
// round.

#include <stdbool.h>

#include <jansson.h>

#include "datapath/bridge.h"
#include "rpc/rpc_error.h"

struct rte_mbuf;

struct packet_out {
	struct bridge *bridge;
	struct rte_mbuf *mbuf; // the PMD thread's
	uint16_t in_port;      // or OFPORT_CONTROLLER
	struct action_list actions;
};

// Control thread. `frame` without FCS. When it returns true the frame was sent or counted as
// dropped. False with *error: no PMD thread runs, no buffer, frame too long.
bool packet_out_send(struct bridge *bridge, uint16_t in_port, const struct action_list *actions,
	const uint8_t *frame, size_t length, struct rpc_error *error);

// Counted like a port that only receives; what PMD threads that are gone have counted included.
void packet_out_counters(const struct datapath *datapath, struct port_counters *sum);
