// SPDX-License-Identifier: Apache-2.0
#include "datapath/port_vhost.h"

#include <string.h>

#include <rte_arp.h>
#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

#include "datapath/mbuf_tail.h"

#define TX_RETRIES 8 // while the guest makes room
#define RARP_LENGTH (sizeof(struct rte_ether_hdr) + sizeof(struct rte_arp_hdr))
#define TX_ASIDE 4 // times that long packets make way for shorter ones, in one burst

// What a guest that has moved here would say itself if it could: at which port its address is.
static __attribute__((cold, noinline)) uint16_t announce_receive(
	struct port_vhost *vhost, struct rte_mbuf *mbufs[])
{
	struct rte_ether_addr mac;

	memcpy(mac.addr_bytes, vhost->announce_mac, sizeof(mac.addr_bytes));
	if (!__atomic_exchange_n(&vhost->announce, false, __ATOMIC_ACQ_REL))
		return 0;
	mbufs[0] = rte_net_make_rarp_packet(vhost->port.pool, &mac);
	if (!mbufs[0])
		return 0;
	// Which leaves in its padding what was in the buffer before: another guest's frame.
	memset(rte_pktmbuf_mtod_offset(mbufs[0], void *, RARP_LENGTH), 0,
		mbufs[0]->data_len - RARP_LENGTH);
	return 1;
}

// --- Packets, by the library ---

// What the library notes of the buffers that it uses in one call has room for as many as the ring
// has, and a guest that lies about its index makes it use more (seen in 22.11). So it is never
// asked for more frames than that; and one frame that may take several buffers is sent at a time.
static uint16_t library_burst(const struct port_vhost *vhost, uint16_t ring, uint16_t count)
{
	uint16_t size = __atomic_load_n(&vhost->sizes.rings[ring].size, __ATOMIC_RELAXED);

	return RTE_MIN(count, size);
}

// With packed rings, this library version takes and gives back as many buffers as are asked for
// even if the ring is empty. So we ask for few when the ring was empty, and then for the rest.
static __attribute__((noinline)) uint16_t library_receive(
	struct port_vhost *vhost, uint16_t queue, struct rte_mbuf *mbufs[], uint16_t count)
{
	struct vhost_rx_queue *rx = &vhost->rx_queues[queue];
	int library = __atomic_load_n(&vhost->library, __ATOMIC_ACQUIRE);
	uint16_t ring = vhost_receive_ring(queue), ask, got;

	if (library < 0)
		return 0;
	count = library_burst(vhost, ring, count);
	ask = RTE_MIN(count, rx->burst);
	if (ask == 0)
		return 0;
	if (unlikely(__atomic_load_n(&vhost->announce, __ATOMIC_ACQUIRE)))
		return announce_receive(vhost, mbufs);
	if (unlikely(!__atomic_load_n(&rx->quiet, __ATOMIC_RELAXED))) {
		__atomic_store_n(&rx->quiet, true, __ATOMIC_RELAXED);
		rte_vhost_enable_guest_notification(library, ring, 0);
	}
	got = rte_vhost_dequeue_burst(library, ring, vhost->port.pool, mbufs, ask);
	if (got == 0) {
		rx->burst = VHOST_IDLE_BURST;
		return 0;
	}
	if (got == ask && ask < count)
		got += rte_vhost_dequeue_burst(
			library, ring, vhost->port.pool, mbufs + got, count - got);
	rx->burst = PIPELINE_BURST;
	return got;
}

static __attribute__((noinline)) uint16_t library_send(
	struct port_vhost *vhost, uint16_t queue, struct rte_mbuf *mbufs[], uint16_t count)
{
	int library = __atomic_load_n(&vhost->library, __ATOMIC_ACQUIRE);
	uint16_t ring = vhost_transmit_ring(queue), sent;

	if (library < 0)
		return 0;
	count = library_burst(vhost, ring, count);
	if (!vhost->single_buffers)
		count = RTE_MIN(count, 1);
	// The library knows nothing of tails.
	for (uint16_t i = 0; i < count; i++) {
		if (!mbuf_tail_fetch(mbufs[i])) {
			count = i;
			break;
		}
	}
	sent = count > 0 ? rte_vhost_enqueue_burst(library, ring, mbufs, count) : 0;
	// The lock of the ring is the library's here.
	__atomic_fetch_add(&vhost->device.queues[ring].sent, sent, __ATOMIC_RELAXED);
	return sent;
}

// --- Packets ---

static inline void queue_tell(struct vhost_queue *queue)
{
	if (vhost_queue_wants_telling(queue))
		vhost_queue_tell(queue);
}

uint16_t vhost_rx_burst(struct port *port, uint16_t queue, struct rte_mbuf *mbufs[], uint16_t count)
{
	struct port_vhost *vhost = vhost_of(port);
	struct vhost_device *direct = __atomic_load_n(&vhost->direct, __ATOMIC_ACQUIRE);
	struct vhost_queue *from;
	uint16_t first = 0, got;

	if (unlikely(!direct))
		return library_receive(vhost, queue, mbufs, count);
	from = vhost_device_queue(direct, vhost_receive_ring(queue));
	if (unlikely(!from))
		return 0;
	if (unlikely(__atomic_load_n(&vhost->announce, __ATOMIC_ACQUIRE)))
		first = announce_receive(vhost, mbufs);
	got = first + vhost_frames_receive(&from->frames, port->pool, mbufs + first, count - first);
	// Buffers that no frame came of have been given back, too, and no vhost_rx_done() follows.
	if (unlikely(got == 0))
		queue_tell(from);
	return got;
}

// Whoever takes a ring away waits until the round is over: what was received from it goes back into
// it, and what was sent is told, in any case.
void vhost_rx_done(struct port *port, uint16_t queue)
{
	struct vhost_device *device = &vhost_of(port)->device;
	struct vhost_queue *from = &device->queues[vhost_receive_ring(queue)];

	vhost_frames_done(&from->frames);
	queue_tell(from);
}

// Put the packets that are as long as the first, or longer, behind the others. Returns the number
// of the others. The order is kept on both sides.
static uint16_t long_set_aside(struct rte_mbuf *mbufs[], uint16_t count)
{
	struct rte_mbuf *aside[PORT_STAGE];
	uint32_t length = mbufs[0]->pkt_len;
	uint16_t shorter = 0, longer = 0;

	for (uint16_t i = 0; i < count; i++) {
		if (mbufs[i]->pkt_len < length)
			mbufs[shorter++] = mbufs[i];
		else
			aside[longer++] = mbufs[i];
	}
	memcpy(mbufs + shorter, aside, longer * sizeof(aside[0]));
	return shorter;
}

static inline uint16_t direct_send(
	struct vhost_device *direct, uint16_t queue, struct rte_mbuf *mbufs[], uint16_t count)
{
	struct vhost_queue *to = vhost_device_queue(direct, vhost_transmit_ring(queue));
	uint16_t sent;

	if (unlikely(!to))
		return 0;
	rte_spinlock_lock(&to->lock);
	sent = vhost_frames_send(&to->frames, mbufs, count);
	counter_add(&to->sent, sent);
	rte_spinlock_unlock(&to->lock);
	return sent;
}

// Sending stops at a frame that is longer than the guest's next buffer, as it does when there is
// none. The one must not keep those behind it from a guest that has room for them.
//
// Takes over the packets that it sends, from the first on, and frees them.
static inline uint16_t queue_send(
	struct port_vhost *vhost, uint16_t queue, struct rte_mbuf *mbufs[], uint16_t count)
{
	struct vhost_device *direct = __atomic_load_n(&vhost->direct, __ATOMIC_ACQUIRE);
	uint16_t sent = 0;
	unsigned retries = 0, aside = 0;

	while (sent < count) {
		struct rte_mbuf **rest = mbufs + sent;
		uint16_t left = count - sent;
		uint16_t now = likely(direct) ? direct_send(direct, queue, rest, left)
					      : library_send(vhost, queue, rest, left);

		sent += now;
		if (now > 0 || (sent > 0 && ++retries <= TX_RETRIES))
			continue;
		if (!vhost->single_buffers || ++aside > TX_ASIDE)
			break;
		count = sent + long_set_aside(mbufs + sent, count - sent);
	}
	rte_pktmbuf_free_bulk(mbufs, sent);
	return sent;
}

// Each packet to the queue of its flow. The order is kept in each queue, and of what is not sent.
static __attribute__((noinline)) uint16_t steered_send(struct port_vhost *vhost,
	struct vhost_tx_slot *tx, struct rte_mbuf *mbufs[], uint16_t count)
{
	struct rte_mbuf *run[PORT_STAGE], *unsent[PORT_STAGE];
	uint16_t left = count, refused = 0;
	uint8_t queues[PORT_STAGE];

	for (uint16_t i = 0; i < count; i++) {
		const struct rte_mbuf *mbuf = mbufs[i];
		unsigned slot = steering_slot(
			rte_pktmbuf_mtod(mbuf, const uint8_t *), mbuf->data_len, mbuf->pkt_len);

		queues[i] = __atomic_load_n(&vhost->steering[slot], __ATOMIC_RELAXED);
	}
	while (left > 0) {
		uint16_t length = 0, others = 0, sent;
		uint8_t queue = queues[0];

		for (uint16_t i = 0; i < left; i++) {
			if (queues[i] == queue) {
				run[length++] = mbufs[i];
				continue;
			}
			queues[others] = queues[i];
			mbufs[others++] = mbufs[i];
		}
		sent = queue_send(vhost, queue, run, length);
		tx->untold |= UINT64_C(1) << queue;
		memcpy(unsent + refused, run + sent, (length - sent) * sizeof(run[0]));
		refused += length - sent;
		left = others;
	}
	memcpy(mbufs + count - refused, unsent, refused * sizeof(unsent[0]));
	return count - refused;
}

uint16_t vhost_tx_burst(struct port *port, unsigned slot, struct rte_mbuf *mbufs[], uint16_t count)
{
	struct port_vhost *vhost = vhost_of(port);
	struct vhost_tx_slot *tx = &vhost->tx[slot];

	if (unlikely(__atomic_load_n(&tx->steered, __ATOMIC_ACQUIRE)))
		return steered_send(vhost, tx, mbufs, count);
	return queue_send(vhost, __atomic_load_n(&tx->queue, __ATOMIC_RELAXED), mbufs, count);
}

static inline void sent_tell(struct port_vhost *vhost, uint16_t queue)
{
	struct vhost_queue *to = &vhost->device.queues[vhost_transmit_ring(queue)];
	bool wants;

	rte_spinlock_lock(&to->lock);
	wants = vhost_queue_wants_telling(to);
	rte_spinlock_unlock(&to->lock);
	if (wants)
		vhost_queue_tell(to);
}

static __attribute__((noinline)) void steered_tell(
	struct port_vhost *vhost, struct vhost_tx_slot *tx)
{
	for (; tx->untold; tx->untold &= tx->untold - 1)
		sent_tell(vhost, (uint16_t)__builtin_ctzll(tx->untold));
}

// The steering may have been switched on or off since the packets were sent: what it said then is
// in `untold`, and the thread's own queue is always told.
void vhost_tx_done(struct port *port, unsigned slot)
{
	struct port_vhost *vhost = vhost_of(port);
	struct vhost_tx_slot *tx = &vhost->tx[slot];

	if (unlikely(tx->untold))
		steered_tell(vhost, tx);
	sent_tell(vhost, __atomic_load_n(&tx->queue, __ATOMIC_RELAXED));
}

// --- Sleeping ---

// NULL: it is not ours, not there, or off.
static struct vhost_queue *receive_queue(struct port_vhost *vhost, uint16_t queue)
{
	struct vhost_device *direct = __atomic_load_n(&vhost->direct, __ATOMIC_ACQUIRE);

	return direct ? vhost_device_queue(direct, vhost_receive_ring(queue)) : NULL;
}

// Rings that are not there, or off, are there again before a port_event(). The library keeps the
// guest's eventfd to itself and may close it at any time: with its rings we look.
void vhost_rx_arm(struct port *port, uint16_t queue, struct wake_source *source)
{
	struct port_vhost *vhost = vhost_of(port);
	struct vhost_queue *from = receive_queue(vhost, queue);

	if (!from) {
		bool library = __atomic_load_n(&vhost->library, __ATOMIC_ACQUIRE) >= 0;

		source->kind = library ? WAKE_BY_TIME : WAKE_BY_EVENT;
		return;
	}
	if (from->kick < 0)
		return; // it has said that we shall poll
	vhost_ring_ask_for_kicks(&from->frames.ring, true);
	// Either we see what the guest has made available, or it sees that we want to hear of it.
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	*source = (struct wake_source){WAKE_BY_DESCRIPTOR, from->kick, true, from->kick_serial};
	// What is there is found by the last look, unless there was no buffer for it. The guest
	// will say nothing more of it.
	if (!vhost_ring_is_empty(&from->frames.ring))
		source->kind = WAKE_BY_TIME;
}

void vhost_rx_disarm(struct port *port, uint16_t queue)
{
	struct vhost_queue *from = receive_queue(vhost_of(port), queue);

	if (from)
		vhost_ring_ask_for_kicks(&from->frames.ring, false);
}
