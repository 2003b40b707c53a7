// SPDX-License-Identifier: Apache-2.0
#include "datapath/learn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_branch_prediction.h>

#include "datapath/clock.h"
#include "datapath/datapath.h"
#include "datapath/event_ring.h"
#include "datapath/pmd.h"

#define LEARN_BATCH 64
#define RECENT_MS_SHIFT 4 // what was posted within these 16 ms is not posted again

// An address that a pipeline has seen at a port and that is not in its MAC table.
struct learn_event {
	uint8_t mac[6];
	uint16_t vlan;
	uint16_t port;
	uint16_t bridge; // index
};

int learner_init(struct learner *learner)
{
	learner->ring = event_ring_create("learn", sizeof(struct learn_event), LEARN_RING);
	return learner->ring ? 0 : -ENOMEM;
}

void learner_end(struct learner *learner)
{
	free(learner->ring);
}

// --- PMD threads ---

// Has the same been posted within these milliseconds? Then it is on its way, or was lost with all
// that came then. A mark that two events have in common delays one of them for as long.
static bool posted_of_late(
	struct learner *learner, const struct learn_event *event, uint64_t now_ms)
{
	uint64_t address = 0, mark;
	uint64_t *recent;

	memcpy(&address, event->mac, 6);
	mark = (address << 16 | event->port) * 0x9e3779b97f4a7c15ULL;
	mark ^= (uint64_t)event->vlan << 48 | (uint64_t)event->bridge << 32;
	mark ^= now_ms >> RECENT_MS_SHIFT;
	mark *= 0xd6e8feb86659fd93ULL;
	recent = &learner->recent[mark >> 58];
	if (*recent == mark)
		return true;
	*recent = mark;
	return false;
}

static void control_wake(struct datapath *datapath)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&datapath->learn_sleeping, __ATOMIC_RELAXED) &&
		__atomic_exchange_n(&datapath->learn_sleeping, false, __ATOMIC_SEQ_CST))
		datapath_wake(datapath);
}

void learn_post(struct pmd *pmd, struct bridge *bridge, struct port_slot *slot,
	const uint8_t mac[6], uint16_t vlan, uint16_t port)
{
	struct learn_event event = {.vlan = vlan, .port = port, .bridge = bridge->index};
	const struct learn_limit *limit = &bridge->learn_limit;

	memcpy(event.mac, mac, sizeof(event.mac));
	// A bucket that is empty is the cheapest to find out, and it is what a flood meets.
	if (slot->learn_budget.credit >= 1000 && posted_of_late(&pmd->learner, &event, pmd->now_ms))
		return;
	if (unlikely(!learn_budget_take(&slot->learn_budget,
		    __atomic_load_n(&limit->rate, __ATOMIC_RELAXED),
		    __atomic_load_n(&limit->burst, __ATOMIC_RELAXED), pmd->now_ms))) {
		counter_add(&slot->learn_limited, 1);
		return;
	}
	if (rte_ring_sp_enqueue_elem(pmd->learner.ring, &event, sizeof(event)) != 0)
		counter_add(&slot->learn_lost, 1);
	control_wake(pmd->datapath);
}

// --- Control thread ---

static void learn_one(struct datapath *datapath, const struct learn_event *event, uint32_t now)
{
	struct bridge *bridge = datapath->bridges[event->bridge];
	struct port *port = bridge ? bridge->ports[event->port] : NULL;

	if (port && !port->paused)
		mac_table_learn(pipeline_mac_table(bridge->pipeline), event->mac, event->vlan,
			event->port, now);
}

static unsigned drain_ring(struct datapath *datapath, struct rte_ring *ring, uint32_t now)
{
	struct learn_event events[LEARN_BATCH];
	unsigned count, sum = 0;

	// At most a ring full, or those who post would keep us here.
	while (sum < LEARN_RING) {
		count = rte_ring_sc_dequeue_burst_elem(
			ring, events, sizeof(events[0]), LEARN_BATCH, NULL);
		if (count == 0)
			break;
		for (unsigned i = 0; i < count; i++)
			learn_one(datapath, &events[i], now);
		sum += count;
	}
	return sum;
}

unsigned learn_drain(struct datapath *datapath)
{
	uint32_t now = (uint32_t)(clock_ms() / 1000);
	unsigned sum = 0;

	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		if (datapath->pmds[slot])
			sum += drain_ring(datapath, datapath->pmds[slot]->learner.ring, now);
	}
	return sum;
}

// --- Statistics ---

static json_t *port_stats(const struct mac_table *macs, const struct port *port)
{
	uint64_t limited = 0, lost = 0;

	for (unsigned i = 0; i < PIPELINE_READERS; i++) {
		const struct port_slot *slot = port->slots[i];

		if (!slot)
			continue;
		limited += __atomic_load_n(&slot->learn_limited, __ATOMIC_RELAXED);
		lost += __atomic_load_n(&slot->learn_lost, __ATOMIC_RELAXED);
	}
	return json_pack("{s:s, s:i, s:I, s:I, s:I}", "port", port->settings.name, "ofport",
		(int)port->number, "count", (json_int_t)mac_table_port_count(macs, port->number),
		"limited", (json_int_t)limited, "lost", (json_int_t)lost);
}

json_t *learn_stats(const struct bridge *bridge)
{
	const struct mac_table *macs = pipeline_mac_table(bridge->pipeline);
	struct mac_table_stats stats = mac_table_stats(macs);
	json_t *ports = json_array();

	for (unsigned number = 0; number <= OFPORT_MAX; number++) {
		if (bridge->ports[number])
			json_array_append_new(ports, port_stats(macs, bridge->ports[number]));
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "count",
		(json_int_t)mac_table_count(macs), "size", (json_int_t)mac_table_capacity(macs),
		"learned", (json_int_t)stats.learned, "moved", (json_int_t)stats.moved, "aged",
		(json_int_t)stats.aged, "evicted", (json_int_t)stats.evicted, "flushed",
		(json_int_t)stats.flushed, "ports", ports);
}
