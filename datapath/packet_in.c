// SPDX-License-Identifier: Apache-2.0
#include "datapath/packet_in.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_ring_peek_zc.h>

#include "datapath/bridge.h"
#include "datapath/datapath.h"
#include "datapath/event_ring.h"
#include "datapath/mbuf_tail.h"
#include "datapath/metering.h"
#include "datapath/pmd.h"

struct packet_in_event {
	uint64_t cookie;
	uint64_t metadata;
	uint32_t length;   // of the frame
	uint32_t captured; // bytes of it in frame[]
	uint16_t bridge;   // index
	uint16_t in_port;
	uint8_t table;
	uint8_t reason;
	uint8_t frame[PACKET_IN_FRAME];
};

static_assert(sizeof(struct packet_in_event) % 4 == 0, "as rte_ring wants its elements");

struct rte_ring *packet_in_ring_create(void)
{
	return event_ring_create("packet_in", sizeof(struct packet_in_event), PACKET_IN_RING);
}

int packet_in_limit(struct bridge *bridge, uint32_t rate, uint32_t burst)
{
	struct meter meter = {
		.packets = true,
		.count = 1,
		.bands = {{.type = METER_DROP, .rate = rate, .burst = burst}},
	};
	void *old = bridge->controller_limit;
	void *limit = datapath_metering.create(&meter);

	if (!limit)
		return -ENOMEM;
	__atomic_store_n(&bridge->controller_limit, limit, __ATOMIC_RELEASE);
	if (old)
		rcu_retire(&bridge->datapath->rcu, datapath_metering.destroy, old);
	return 0;
}

void packet_in_limit_free(struct bridge *bridge)
{
	if (bridge->controller_limit)
		datapath_metering.destroy(bridge->controller_limit);
	bridge->controller_limit = NULL;
}

// --- PMD threads ---

static void event_fill(struct packet_in_event *event, const struct bridge *bridge,
	struct rte_mbuf *mbuf, uint16_t in_port, const struct packet_in *info)
{
	uint32_t wanted = mbuf->pkt_len;
	const void *frame;

	if (info->max_len != CONTROLLER_WHOLE && wanted > info->max_len)
		wanted = info->max_len;
	if (wanted > PACKET_IN_FRAME)
		wanted = PACKET_IN_FRAME;
	event->cookie = info->cookie;
	event->metadata = info->metadata;
	event->length = mbuf->pkt_len;
	event->captured = wanted;
	event->bridge = bridge->index;
	event->in_port = in_port;
	event->table = info->table;
	event->reason = (uint8_t)info->reason;
	// Copies only what lies in several buffers; otherwise it says where it is.
	frame = mbuf_tail_read(mbuf, wanted, event->frame);
	if (frame != event->frame)
		memcpy(event->frame, frame, wanted);
}

bool packet_in_post(struct pmd *pmd, struct bridge *bridge, struct rte_mbuf *mbuf, uint16_t in_port,
	const struct packet_in *info)
{
	struct packet_in_counters *counters = &bridge->packet_ins[pmd->slot];
	void *limit = __atomic_load_n(&bridge->controller_limit, __ATOMIC_ACQUIRE);
	struct datapath *datapath = pmd->datapath;
	struct rte_ring_zc_data place;

	if (datapath_metering.charge(limit, mbuf->pkt_len) != 0) {
		counter_add(&counters->lost_rate, 1);
		return false;
	}
	if (rte_ring_enqueue_zc_bulk_elem_start(
		    pmd->packet_ins, sizeof(struct packet_in_event), 1, &place, NULL) == 0) {
		counter_add(&counters->lost_full, 1);
		return false;
	}
	event_fill(place.ptr1, bridge, mbuf, in_port, info);
	rte_ring_enqueue_zc_elem_finish(pmd->packet_ins, 1);
	counter_add(&counters->sent, 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&datapath->packet_in_sleeping, __ATOMIC_RELAXED) &&
		__atomic_exchange_n(&datapath->packet_in_sleeping, false, __ATOMIC_SEQ_CST))
		datapath_wake(datapath);
	return true;
}

// --- Control thread ---

struct packet_in_counters packet_in_counters_get(const struct bridge *bridge)
{
	struct packet_in_counters sum = {0};

	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		const struct packet_in_counters *part = &bridge->packet_ins[slot];

		sum.sent += __atomic_load_n(&part->sent, __ATOMIC_RELAXED);
		sum.lost_rate += __atomic_load_n(&part->lost_rate, __ATOMIC_RELAXED);
		sum.lost_full += __atomic_load_n(&part->lost_full, __ATOMIC_RELAXED);
	}
	sum.sent -= bridge->packet_ins_unsent;
	sum.lost_full += bridge->packet_ins_unsent;
	return sum;
}

const struct rpc_event packet_in_events[] = {
	{"packet.in",
		"{bridge, in_port, table?, cookie, reason, length, frame, metadata, lost, missed?}",
		"A flow sent a packet to the controller; see vswitchd's event of that name. lost "
		"has missed in it.",
		NULL},
	{0},
};

static json_t *hex_number(uint64_t number)
{
	return json_sprintf("0x%llx", (unsigned long long)number);
}

static json_t *frame_json(const struct packet_in_event *event)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * PACKET_IN_FRAME];

	for (uint32_t i = 0; i < event->captured; i++) {
		text[2 * i] = digits[event->frame[i] >> 4];
		text[2 * i + 1] = digits[event->frame[i] & 15];
	}
	return json_stringn(text, 2 * event->captured);
}

static void event_send(struct datapath *datapath, const struct packet_in_event *event)
{
	struct bridge *bridge = datapath->bridges[event->bridge];
	struct packet_in_counters counters;
	json_t *params;

	if (!bridge)
		return;
	if (!datapath->server ||
		!rpc_server_has_subscribers(datapath->server, "packet.in", bridge->name)) {
		bridge->packet_ins_unsent++;
		return;
	}
	counters = packet_in_counters_get(bridge);
	params = json_pack("{s:s, s:i, s:o, s:s, s:I, s:o, s:o, s:I}", "bridge", bridge->name,
		"in_port", event->in_port <= OFPORT_MAX ? (int)event->in_port : 0, "cookie",
		hex_number(event->cookie), "reason", packet_in_reason_name(event->reason), "length",
		(json_int_t)event->length, "frame", frame_json(event), "metadata",
		hex_number(event->metadata), "lost",
		(json_int_t)(counters.lost_rate + counters.lost_full));
	// An action list that somebody handed in stands in no table.
	if (event->table != CONTROLLER_NO_TABLE)
		json_object_set_new(params, "table", json_integer(event->table));
	if (rpc_server_notify_subscribers(datapath->server, "packet.in", bridge->name, params) == 0)
		bridge->packet_ins_unsent++;
}

static bool ring_send(struct datapath *datapath, struct rte_ring *ring)
{
	struct rte_ring_zc_data place;
	bool any = false;

	// At most a ring full, so that a flood cannot keep us here.
	for (unsigned i = 0; i < PACKET_IN_RING; i++) {
		if (rte_ring_dequeue_zc_bulk_elem_start(
			    ring, sizeof(struct packet_in_event), 1, &place, NULL) == 0)
			break;
		event_send(datapath, place.ptr1);
		rte_ring_dequeue_zc_elem_finish(ring, 1);
		any = true;
	}
	return any;
}

static bool rings_send(struct datapath *datapath)
{
	bool any = false;

	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		if (datapath->pmds[slot] && ring_send(datapath, datapath->pmds[slot]->packet_ins))
			any = true;
	}
	return any;
}

// Threads wake us only while we say that we sleep; one that posts just before that is seen by the
// second look.
void packet_in_send(struct datapath *datapath)
{
	rings_send(datapath);
	__atomic_store_n(&datapath->packet_in_sleeping, true, __ATOMIC_SEQ_CST);
	if (rings_send(datapath) &&
		__atomic_exchange_n(&datapath->packet_in_sleeping, false, __ATOMIC_SEQ_CST))
		datapath_wake(datapath);
}
