// SPDX-License-Identifier: Apache-2.0
#include "datapath/forward.h"

#include <assert.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "datapath/clock.h"
#include "datapath/mbuf_pool.h"
#include "datapath/mbuf_tail.h"
#include "datapath/packet_in.h"

// A packet as the pipeline knows it, and its buffer.
struct forward_packet {
	struct packet packet; // first: the pipeline hands back pointers to it
	struct rte_mbuf *mbuf;
};

static_assert(sizeof(struct forward_packet) <= MBUF_PRIVATE_SIZE, "a copy's lies in its mbuf");

// The sink of one burst.
struct forward_sink {
	struct pipeline_sink sink; // first
	struct pmd *pmd;
	struct bridge *bridge;
	struct port_slot *ingress;
	struct port_slot *last; // slot of the port last sent to, or NULL
	uint16_t last_number;
	bool chained;     // a packet of the burst lies in several buffers
	bool tails;       // one has a tail
	uint32_t longest; // packet of the burst
};

// --- Drops ---

static void drop_packet(
	struct pmd *pmd, struct port_slot *slot, struct rte_mbuf *mbuf, enum drop_reason reason)
{
	counter_add(&slot->counters.drops[reason], 1);
	if (reason != DROP_CONSUMED)
		counter_add(&pmd->counters.drops, 1);
	rte_pktmbuf_free(mbuf);
}

static __attribute__((cold, noinline)) void drop_all(struct pmd *pmd, struct port_slot *slot,
	struct rte_mbuf *mbufs[], uint16_t count, enum drop_reason reason)
{
	for (unsigned i = 0; i < count; i++)
		drop_packet(pmd, slot, mbufs[i], reason);
}

static void sink_drop(struct pipeline_sink *base, struct packet *packet, enum drop_reason reason)
{
	struct forward_sink *sink = (struct forward_sink *)base;

	drop_packet(sink->pmd, sink->ingress, ((struct forward_packet *)packet)->mbuf, reason);
}

// --- Sending ---

// Send what is staged; what the port does not take is dropped.
static void slot_flush(struct pmd *pmd, struct port_slot *slot)
{
	struct port *port = slot->port;
	uint16_t count = slot->staged, sent;
	uint32_t bytes = slot->staged_bytes;

	slot->staged = 0;
	slot->staged_bytes = 0;
	sent = port->ops->tx_burst(port, pmd->slot, slot->mbufs, count);
	if (unlikely(sent < count)) {
		bool up = __atomic_load_n(&port->up, __ATOMIC_RELAXED);

		for (uint16_t i = sent; i < count; i++)
			bytes -= slot->mbufs[i]->pkt_len;
		counter_add(&slot->counters.drops[up ? DROP_TX_FULL : DROP_TX_DOWN], count - sent);
		counter_add(&pmd->counters.drops, count - sent);
		rte_pktmbuf_free_bulk(slot->mbufs + sent, count - sent);
	}
	counter_add(&slot->counters.tx_packets, sent);
	counter_add(&slot->counters.tx_bytes, bytes);
	counter_add(&pmd->counters.tx_packets, sent);
}

static void flush_all(struct pmd *pmd)
{
	for (unsigned i = 0; i < pmd->flush_count; i++) {
		struct port_slot *slot = pmd->flush[i];
		struct port *port = slot->port;

		slot->listed = false;
		if (slot->staged > 0)
			slot_flush(pmd, slot);
		if (port->ops->tx_done)
			port->ops->tx_done(port, pmd->slot);
	}
	pmd->flush_count = 0;
}

static inline void stage_plain(struct pmd *pmd, struct port_slot *slot, struct rte_mbuf *mbuf)
{
	if (unlikely(!slot->listed)) {
		slot->listed = true;
		pmd->flush[pmd->flush_count++] = slot;
	}
	slot->mbufs[slot->staged++] = mbuf;
	slot->staged_bytes += mbuf->pkt_len;
	if (unlikely(slot->staged == PORT_STAGE))
		slot_flush(pmd, slot);
}

// A packet that is not in one buffer, for a port that may want it to be. Its tail is fetched, and
// if the port cannot send chains, a chain is copied into one buffer of the port's own pool, which
// is made for its MTU.
static __attribute__((noinline)) void stage_parts(
	struct pmd *pmd, struct port_slot *slot, struct rte_mbuf *mbuf)
{
	struct rte_mbuf *flat;

	if (!slot->port->takes_tails && !mbuf_tail_fetch(mbuf)) {
		drop_packet(pmd, slot, mbuf, DROP_TX_FULL);
		return;
	}
	if (mbuf->nb_segs == 1 || slot->port->multi_segment) {
		stage_plain(pmd, slot, mbuf);
		return;
	}
	flat = rte_pktmbuf_copy(mbuf, slot->port->pool, 0, UINT32_MAX);
	if (flat && flat->nb_segs == 1) {
		rte_pktmbuf_free(mbuf);
		stage_plain(pmd, slot, flat);
		return;
	}
	rte_pktmbuf_free(flat);
	drop_packet(pmd, slot, mbuf, flat ? DROP_TX_TOO_LONG : DROP_TX_FULL);
}

static inline void stage(struct pmd *pmd, struct port_slot *slot, struct rte_mbuf *mbuf)
{
	if (unlikely(mbuf->data_len != mbuf->pkt_len))
		stage_parts(pmd, slot, mbuf);
	else
		stage_plain(pmd, slot, mbuf);
}

// Stage up to PIPELINE_BURST packets, none of which is a chain, with one addition to what the slot
// holds instead of one each, which would wait for one another.
static inline void stage_run(struct pmd *pmd, struct port_slot *slot, struct rte_mbuf *mbufs[],
	unsigned count, bool tails)
{
	uint32_t bytes = 0;

	static_assert(PIPELINE_BURST <= PORT_STAGE, "a burst has room in what was flushed");
	if (unlikely(tails && !slot->port->takes_tails)) {
		for (unsigned i = 0; i < count; i++)
			stage(pmd, slot, mbufs[i]);
		return;
	}
	if (unlikely(slot->staged + count > PORT_STAGE))
		slot_flush(pmd, slot);
	if (unlikely(!slot->listed)) {
		slot->listed = true;
		pmd->flush[pmd->flush_count++] = slot;
	}
	for (unsigned i = 0; i < count; i++) {
		slot->mbufs[slot->staged + i] = mbufs[i];
		bytes += mbufs[i]->pkt_len;
	}
	slot->staged += count;
	slot->staged_bytes += bytes;
	if (unlikely(slot->staged == PORT_STAGE))
		slot_flush(pmd, slot);
}

// Pushed and popped tags have moved the frame's start.
static inline void mbuf_update(struct rte_mbuf *mbuf, const struct packet *packet)
{
	if (packet->data == rte_pktmbuf_mtod(mbuf, uint8_t *))
		return;
	mbuf->data_off = (uint16_t)(packet->data - (uint8_t *)mbuf->buf_addr);
	mbuf->data_len = packet->linear;
	mbuf->pkt_len = packet->length;
}

// Only the first `length` bytes are to be sent, maybe: what a chain has behind them goes.
static __attribute__((noinline)) void mbuf_truncate(struct rte_mbuf *mbuf, uint32_t length)
{
	struct rte_mbuf *last = mbuf;
	uint32_t left = length;
	uint16_t segments = 1;

	while (last->next && left > last->data_len) {
		left -= last->data_len;
		last = last->next;
		segments++;
	}
	if (left < last->data_len)
		last->data_len = (uint16_t)left;
	rte_pktmbuf_free(last->next);
	last->next = NULL;
	mbuf->nb_segs = segments;
	mbuf->pkt_len = length;
}

static struct port_slot *slot_find(struct forward_sink *sink, uint16_t number)
{
	struct port *port = __atomic_load_n(&sink->bridge->ports[number], __ATOMIC_ACQUIRE);

	if (unlikely(!port))
		return NULL;
	sink->last = port->slots[sink->pmd->slot];
	sink->last_number = number;
	return sink->last;
}

// The slot of the port to send to, or NULL.
static inline struct port_slot *slot_of(struct forward_sink *sink, uint16_t number)
{
	if (likely(sink->last && sink->last_number == number))
		return sink->last;
	return number <= OFPORT_MAX ? slot_find(sink, number) : NULL;
}

static void sink_output(struct pipeline_sink *base, struct packet *packet, uint16_t number)
{
	struct forward_sink *sink = (struct forward_sink *)base;
	struct rte_mbuf *mbuf = ((struct forward_packet *)packet)->mbuf;
	struct port_slot *slot = slot_of(sink, number);

	if (unlikely(!slot)) {
		drop_packet(sink->pmd, sink->ingress, mbuf, DROP_NO_PORT);
		return;
	}
	counter_add(&sink->ingress->counters.forwarded, 1);
	if (unlikely(packet->length > slot->max_frame)) {
		drop_packet(sink->pmd, slot, mbuf, DROP_TX_TOO_LONG);
		return;
	}
	mbuf_update(mbuf, packet);
	if (unlikely(mbuf->nb_segs > 1 || packet->length < mbuf->pkt_len))
		mbuf_truncate(mbuf, packet->length);
	stage(sink->pmd, slot, mbuf);
}

// Packets that are as they came: what holds for the burst as a whole need not be looked at again.
static void sink_output_run(
	struct pipeline_sink *base, struct packet *packets[], unsigned count, uint16_t number)
{
	struct forward_sink *sink = (struct forward_sink *)base;
	struct port_slot *slot = slot_of(sink, number);
	struct rte_mbuf *mbufs[PIPELINE_BURST];

	if (unlikely(!slot || sink->chained || sink->longest > slot->max_frame)) {
		for (unsigned i = 0; i < count; i++)
			sink_output(base, packets[i], number);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		mbufs[i] = ((struct forward_packet *)packets[i])->mbuf;
	counter_add(&sink->ingress->counters.forwarded, count);
	stage_run(sink->pmd, slot, mbufs, count, sink->tails);
}

// --- Copies ---

static inline void packet_describe(
	struct forward_packet *forward, struct rte_mbuf *mbuf, uint16_t in_port)
{
	forward->mbuf = mbuf;
	forward->packet.data = rte_pktmbuf_mtod(mbuf, uint8_t *);
	forward->packet.headroom = mbuf->data_off;
	forward->packet.linear = mbuf->data_len;
	forward->packet.length = mbuf->pkt_len;
	forward->packet.in_port = in_port;
}

// A copy of what may have a tail. The pipeline, which sees the same bytes as before, goes on with
// more of them in the buffer.
static struct rte_mbuf *copy_whole(struct forward_packet *from)
{
	struct rte_mbuf *mbuf = from->mbuf;

	if (!mbuf_tail_fetch(mbuf))
		return NULL;
	from->packet.linear = mbuf->data_len;
	return rte_pktmbuf_copy(mbuf, mbuf->pool, 0, UINT32_MAX);
}

static struct packet *sink_copy(struct pipeline_sink *base, const struct packet *packet)
{
	struct forward_sink *sink = (struct forward_sink *)base;
	struct forward_packet *forward = (struct forward_packet *)packet; // ours
	struct rte_mbuf *mbuf = forward->mbuf, *copy;

	mbuf_update(mbuf, packet);
	copy = unlikely(mbuf_has_tail(mbuf)) ? copy_whole(forward)
					     : rte_pktmbuf_copy(mbuf, mbuf->pool, 0, UINT32_MAX);
	counter_add(&sink->ingress->counters.copies, 1);
	if (unlikely(!copy)) {
		// A copy that was due and never came to be is counted as one that was dropped.
		counter_add(&sink->ingress->counters.drops[DROP_NO_MEMORY], 1);
		counter_add(&sink->pmd->counters.drops, 1);
		return NULL;
	}
	forward = rte_mbuf_to_priv(copy);
	packet_describe(forward, copy, packet->in_port);
	return &forward->packet;
}

// --- Learning ---

static void sink_learn(
	struct pipeline_sink *base, const uint8_t mac[6], uint16_t vlan, uint16_t port)
{
	struct forward_sink *sink = (struct forward_sink *)base;

	learn_post(sink->pmd, sink->bridge, sink->ingress, mac, vlan, port);
}

// --- To the controller, and what groups ask ---

static bool sink_packet_in(
	struct pipeline_sink *base, const struct packet *packet, const struct packet_in *event)
{
	struct forward_sink *sink = (struct forward_sink *)base;
	struct rte_mbuf *mbuf = ((const struct forward_packet *)packet)->mbuf;

	mbuf_update(mbuf, packet);
	return packet_in_post(sink->pmd, sink->bridge, mbuf, packet->in_port, event);
}

static bool sink_port_live(struct pipeline_sink *base, uint16_t number)
{
	const struct forward_sink *sink = (struct forward_sink *)base;
	const struct port *port = __atomic_load_n(&sink->bridge->ports[number], __ATOMIC_ACQUIRE);

	return port && __atomic_load_n(&port->up, __ATOMIC_RELAXED);
}

// --- Receiving ---

// The parser reads headers in the first mbuf of a chain.
static bool chain_straighten(struct rte_mbuf *mbuf)
{
	if (mbuf->data_len >= PACKET_LINEAR_MIN)
		return true;
	return rte_pktmbuf_linearize(mbuf) == 0;
}

// What has to be known of a burst as a whole.
struct burst_sums {
	uint64_t bytes;
	uint32_t longest;
	uint16_t shortest; // readable part of a frame
	bool chained;      // a frame lies in several buffers
	bool tails;        // one has a tail
};

static inline struct burst_sums burst_sum(struct rte_mbuf *const mbufs[], uint16_t count)
{
	struct burst_sums sums = {.shortest = UINT16_MAX};

	for (unsigned i = 0; i < count; i++) {
		const struct rte_mbuf *mbuf = mbufs[i];

		sums.bytes += mbuf->pkt_len;
		sums.longest = RTE_MAX(sums.longest, mbuf->pkt_len);
		sums.shortest = RTE_MIN(sums.shortest, mbuf->data_len);
		sums.chained |= mbuf->nb_segs > 1;
		sums.tails |= mbuf->data_len != mbuf->pkt_len;
	}
	return sums;
}

// Stage all for one port, where some may be too long for it.
static __attribute__((cold, noinline)) void burst_stage_checked(
	struct pmd *pmd, struct port_slot *slot, struct rte_mbuf *mbufs[], uint16_t count)
{
	for (unsigned i = 0; i < count; i++) {
		if (mbufs[i]->pkt_len > slot->max_frame)
			drop_packet(pmd, slot, mbufs[i], DROP_TX_TOO_LONG);
		else
			stage(pmd, slot, mbufs[i]);
	}
}

// Does nothing in the frames decide where they go? Then they are sent without a look at them.
static bool burst_run_alike(struct pmd *pmd, struct poll_entry *entry, struct rte_mbuf *mbufs[],
	uint16_t count, const struct burst_sums *sums)
{
	struct port *port;
	uint16_t number;

	if (sums->chained || sums->shortest < PACKET_NEVER_MALFORMED ||
		!pipeline_run_alike(entry->pipeline, pmd->slot, entry->number, count, sums->bytes,
			pmd->now_ms, &number))
		return false;
	port = __atomic_load_n(&entry->bridge->ports[number], __ATOMIC_ACQUIRE);
	if (unlikely(!port)) {
		drop_all(pmd, entry->slot, mbufs, count, DROP_NO_PORT);
		return true;
	}
	counter_add(&entry->slot->counters.forwarded, count);
	if (unlikely(sums->longest > port->slots[pmd->slot]->max_frame))
		burst_stage_checked(pmd, port->slots[pmd->slot], mbufs, count);
	else
		stage_run(pmd, port->slots[pmd->slot], mbufs, count, sums->tails);
	return true;
}

static void burst_run(
	struct pmd *pmd, struct poll_entry *entry, struct rte_mbuf *mbufs[], uint16_t count)
{
	struct forward_packet storage[PIPELINE_BURST];
	struct packet *packets[PIPELINE_BURST];
	struct burst_sums sums = burst_sum(mbufs, count);
	struct forward_sink sink = {
		.sink = {sink_output, sink_drop, sink_copy, sink_learn, sink_packet_in,
			sink_port_live, sink_output_run},
		.pmd = pmd,
		.bridge = entry->bridge,
		.ingress = entry->slot,
		.chained = sums.chained,
		.tails = sums.tails,
		.longest = sums.longest,
	};
	unsigned ready = 0;

	counter_add(&entry->slot->counters.rx_packets, count);
	counter_add(&entry->slot->counters.rx_bytes, sums.bytes);
	counter_add(&entry->counters->packets, count);
	if (burst_run_alike(pmd, entry, mbufs, count, &sums))
		return;
	for (unsigned i = 0; i < count; i++) {
		struct rte_mbuf *mbuf = mbufs[i];

		rte_prefetch0(rte_pktmbuf_mtod(mbuf, void *));
		if (unlikely(mbuf->nb_segs > 1 && !chain_straighten(mbuf))) {
			drop_packet(pmd, entry->slot, mbuf, DROP_NO_MEMORY);
			continue;
		}
		packet_describe(&storage[ready], mbuf, entry->number);
		packets[ready] = &storage[ready].packet;
		ready++;
	}
	if (likely(ready > 0))
		pipeline_run(entry->pipeline, pmd->slot, packets, ready, pmd->now_ms, &sink.sink);
}

void forward_packet_out(struct pmd *pmd)
{
	struct packet_out *out = pmd->packet_out;
	struct port_slot *slot = &pmd->packet_outs;
	struct forward_packet storage;
	struct forward_sink sink = {
		.sink = {sink_output, sink_drop, sink_copy, sink_learn, sink_packet_in,
			sink_port_live, sink_output_run},
		.pmd = pmd,
		.bridge = out->bridge,
		.ingress = slot,
		.chained = true, // as far as we know
	};

	packet_describe(&storage, out->mbuf, out->in_port);
	counter_add(&slot->counters.rx_packets, 1);
	counter_add(&slot->counters.rx_bytes, out->mbuf->pkt_len);
	pipeline_packet_out(out->bridge->pipeline, pmd->slot, &storage.packet, &out->actions,
		pmd->now_ms, &sink.sink);
	flush_all(pmd);
	__atomic_store_n(&pmd->packet_out, NULL, __ATOMIC_RELEASE);
}

static void bridge_reclaim(struct pmd *pmd, const struct bridge *bridge)
{
	for (unsigned number = 0; number <= OFPORT_MAX; number++) {
		struct port *port = __atomic_load_n(&bridge->ports[number], __ATOMIC_ACQUIRE);

		if (port && port->ops->tx_reclaim)
			port->ops->tx_reclaim(port, pmd->slot);
	}
}

void forward_reclaim(struct pmd *pmd, const struct poll_list *list)
{
	__atomic_store_n(&pmd->reclaim, false, __ATOMIC_RELAXED);
	for (size_t i = 0; i < list->count; i++) {
		const struct bridge *bridge = list->entries[i].bridge;
		bool done = false;

		for (size_t before = 0; before < i && !done; before++)
			done = list->entries[before].bridge == bridge;
		if (!done)
			bridge_reclaim(pmd, bridge);
	}
}

// Cycles of the flush belong to the queues whose packets it sent, by their share.
static void flush_account(struct poll_list *list, uint64_t cycles, uint64_t packets)
{
	for (size_t i = 0; i < list->count; i++) {
		struct poll_entry *entry = &list->entries[i];
		uint64_t share = cycles;

		if (entry->round_packets == 0)
			continue;
		if (entry->round_packets != packets)
			share = cycles * entry->round_packets / packets;
		counter_add(&entry->counters->cycles, share);
		entry->fair.cycles += share;
		entry->round_packets = 0;
	}
}

// All packets of the round have left, so what their senders still have of them may go back.
static inline void rx_done_all(struct poll_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct poll_entry *entry = &list->entries[i];

		if (entry->rx_done && entry->round_packets > 0)
			entry->rx_done(entry->port, entry->queue);
	}
}

static inline void fairness_update(struct pmd *pmd, struct poll_list *list)
{
	if (list->count > 0)
		fair_round_end(
			&pmd->fair, &list->entries[0].fair, sizeof(list->entries[0]), list->count);
}

static inline void time_update(struct pmd *pmd, uint64_t tsc)
{
	if (likely(tsc < pmd->next_ms_tsc))
		return;
	pmd->now_ms = clock_ms_of(tsc);
	pmd->next_ms_tsc = tsc + clock_base.per_ms / 2;
}

uint64_t forward_round(struct pmd *pmd, struct poll_list *list, uint64_t start)
{
	struct rte_mbuf *mbufs[PIPELINE_BURST];
	uint64_t last = start, end;
	unsigned packets = 0, batches = 0;
	struct pmd_perf *perf;

	time_update(pmd, start);
	fair_round_begin(&pmd->fair);
	for (size_t i = 0; i < list->count; i++) {
		struct poll_entry *entry = &list->entries[i];
		uint16_t count;
		uint64_t now;

		if (unlikely(fair_pass_over(&pmd->fair, &entry->fair)))
			continue;
		count = entry->rx_burst(entry->port, entry->queue, mbufs, entry->fair.burst);
		if (count == 0)
			continue;
		burst_run(pmd, entry, mbufs, count);
		entry->round_packets = count;
		packets += count;
		batches++;
		now = rte_rdtsc();
		counter_add(&entry->counters->cycles, now - last);
		fair_took(&pmd->fair, &entry->fair, count, now - last);
		last = now;
	}
	if (pmd->flush_count > 0)
		flush_all(pmd);
	if (packets > 0)
		rx_done_all(list);
	end = rte_rdtsc();
	counter_add(&pmd->counters.iterations, 1);
	if (packets == 0) {
		fairness_update(pmd, list);
		counter_add(&pmd->counters.cycles_idle, end - start);
		return end;
	}
	perf = __atomic_load_n(&pmd->perf, __ATOMIC_ACQUIRE);
	if (unlikely(perf))
		perf_add(
			perf, (struct perf_round){end, end - start, packets, batches}, pmd->now_ms);
	pmd->busy_tsc = end;
	pmd->nap_ns = PMD_NAP_MIN_NS;
	flush_account(list, end - last, packets);
	fairness_update(pmd, list);
	counter_add(&pmd->counters.cycles_busy, end - start);
	counter_add(&pmd->counters.rx_packets, packets);
	counter_add(&pmd->counters.rx_batches, batches);
	return end;
}
