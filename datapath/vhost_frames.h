// SPDX-License-Identifier: Apache-2.0
#pragma once

// Frames out of virtqueues and into them: virtio-net's device (VIRTIO 1.2, section 5.1.6) without
// offloads. Each frame follows a header in which nothing is asked for. One thread at a time per
// ring.
//
// Frames come out with their head in a packet buffer and, if they are long, their tail left in the
// guest's memory (datapath/mbuf_tail.h): so a frame from guest to guest is moved once. That is why
// the chains of such a burst are kept until vhost_frames_done().

#include <stdint.h>

#include <rte_mbuf.h>

#include "datapath/vhost_ring.h"

// struct virtio_net_hdr, and with num_buffers behind it: for VIRTIO_F_VERSION_1 or
// VIRTIO_NET_F_MRG_RXBUF.
#define VHOST_HEADER_SHORT 10
#define VHOST_HEADER_LONG 12

// Longer ones are none. Far more than any port sends; what a guest can describe is gigabytes.
#define VHOST_FRAME_MAX 65535

struct vhost_frames {
	struct vhost_ring ring; // first
	uint16_t header;        // bytes
	bool mergeable;         // a frame may take several of the guest's buffers
	uint64_t malformed;     // chains that no frame can be in
	uint64_t no_buffer;     // frames lost because there was no packet buffer
};

// Up to `count` (at most VHOST_CHAINS / 2) frames from a ring that is not writable, in buffers of
// `pool`.
uint16_t vhost_frames_receive(struct vhost_frames *frames, struct rte_mempool *pool,
	struct rte_mbuf *mbufs[], uint16_t count);

// The frames of the last vhost_frames_receive() are sent or lost: their tails go back to the guest.
static inline void vhost_frames_done(struct vhost_frames *frames)
{
	vhost_ring_release(&frames->ring);
}

// Put frames, whole or with tails, into a ring that is writable, until there is no room for the
// next one; copies, the frames remain the caller's. Returns their number.
uint16_t vhost_frames_send(
	struct vhost_frames *frames, struct rte_mbuf *const mbufs[], uint16_t count);
