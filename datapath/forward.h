// SPDX-License-Identifier: Apache-2.0
#pragma once

// The packet path: one round of a PMD thread's poll loop.
//
// Per queue of the poll list: a burst is received, its packets are described to the pipeline as
// struct packet (on the thread's stack; a copy's description lies in the copy's mbuf), and the
// pipeline hands each back by output or drop. Output is staged per port and sent when the round
// ends, or when PORT_STAGE packets wait. Every packet is counted exactly once on either side, see
// datapath/counters.h.
//
// No locks (but the transmit queues that a port has fewer of than there are threads), no system
// calls (but guest kicks in vhost's transmit), no allocation but mbufs.

#include "datapath/pmd.h"

// Poll all queues of `list` once, send what came of it, and count the cycles. `start` is the time
// stamp of the round's beginning; returns that of its end.
uint64_t forward_round(struct pmd *pmd, struct poll_list *list, uint64_t start);

// Free what the transmit queues have sent of the ports that packets of `list` can go to, and clear
// pmd->reclaim.
void forward_reclaim(struct pmd *pmd, const struct poll_list *list);

// Run and send what pmd->packet_out has, and clear it.
void forward_packet_out(struct pmd *pmd);
