// SPDX-License-Identifier: Apache-2.0
#pragma once

// Learning: PMD threads post addresses that are not in a bridge's MAC table, the control thread
// enters them.
//
// Each thread has a ring. What a port may post is limited (datapath/learn_limit.h), or frames with
// ever new sources would fill the ring and keep the control thread busy, at the cost of other
// ports. The limit is held by each thread on its own, so it takes no shared line: a port whose
// queues several threads poll has it several times. What was posted is not posted again for some
// milliseconds, so that a single new sender does not use its port's limit up before it is learned.
//
// The control thread sleeps until the first post after it found nothing; while addresses come, it
// looks at the rings every few milliseconds, and threads wake nobody.
//
// Events can be lost; the next packet brings them again.

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <rte_ring.h>

#include "datapath/learn_limit.h"

#define LEARN_RING 8192
#define LEARN_RECENT 64

struct bridge;
struct datapath;
struct pmd;
struct port_slot;

// Of one PMD thread, which writes it.
struct learner {
	struct rte_ring *ring;         // of struct learn_event
	uint64_t recent[LEARN_RECENT]; // marks of what was posted of late
};

// Control thread. 0 or -ENOMEM.
int learner_init(struct learner *learner);
void learner_end(struct learner *learner);

// PMD thread. `mac` is not in the table of `bridge` at `port`; slot: of the port that it came from.
void learn_post(struct pmd *pmd, struct bridge *bridge, struct port_slot *slot,
	const uint8_t mac[6], uint16_t vlan, uint16_t port);

// Control thread. Enter into the MAC tables what the threads have seen, at most a ring full of
// each. The number of events.
unsigned learn_drain(struct datapath *datapath);

// Control thread. What fdb.stats answers with. A new reference.
json_t *learn_stats(const struct bridge *bridge);
