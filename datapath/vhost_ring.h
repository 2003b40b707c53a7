// SPDX-License-Identifier: Apache-2.0
#pragma once

// Virtqueues from the device's side, split and packed: "Virtual I/O Device (VIRTIO) Version 1.2",
// sections 2.7 and 2.8. No threads, no sockets, no packet buffers: chains of descriptors in, used
// buffers out.
//
// The driver is a guest and its memory hostile: it may change at any time, and nothing in it need
// make sense. Every descriptor is read once, by whole words, and only the copy is judged; every
// address goes through guest_memory.h; every chain has an end. What a guest does wrong harms its
// own frames.
//
// Use: collect some chains, move bytes, give the chains back or keep them for a while, and once per
// round ask whether the driver wants to be told. Chains come back in the order in which they were
// collected. One thread at a time.

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_ring.h>

#include "datapath/guest_memory.h"

#define VHOST_CHAINS 64  // collected at once, most
#define VHOST_PIECES 256 // of all chains collected at once

// A part of a chain that lies in one place.
struct vhost_piece {
	uint8_t *data;
	uint32_t length;
};

// One buffer that the driver made available.
struct vhost_chain {
	struct vhost_piece first;
	uint32_t length; // of all pieces
	uint16_t pieces; // 0, and then no length: makes no sense; to be given back unused
	uint16_t more;   // where the other pieces begin in the set
};

// What the driver is told of it when it gets it back.
struct vhost_used {
	uint16_t id;          // the driver's name for it
	uint16_t descriptors; // places in the ring
	uint32_t written;     // bytes; the user's to set
};

struct vhost_chain_set {
	unsigned piece_count;
	struct vhost_chain chains[VHOST_CHAINS];
	struct vhost_used used[VHOST_CHAINS]; // of the same chains
	struct vhost_piece pieces[VHOST_PIECES];
};

struct vhost_ring_layout;

struct vhost_ring {
	// Set by vhost_ring_init().
	const struct vhost_ring_layout *layout;
	const struct guest_memory *memory;
	union {
		const struct vring_desc *descriptors;
		struct vring_packed_desc *packed;
	};
	union {
		const struct vring_avail *available;
		const struct vring_packed_desc_event *driver_event;
	};
	union {
		struct vring_used *used;
		struct vring_packed_desc_event *device_event;
	};
	uint16_t size;
	bool event_idx;
	bool writable; // the driver's receive queue: the device writes into its buffers
	// Where the device is. For packed rings, places in the ring with their wrap counters.
	bool available_wrap, used_wrap;
	uint16_t next_available, next_used;
	uint16_t since_told; // places given back since the driver was last asked about
	uint16_t kept_count;
	unsigned region; // hint
	struct vhost_used kept[VHOST_CHAINS];
};

// What split and packed rings do differently; see the functions below.
struct vhost_ring_layout {
	unsigned (*collect)(struct vhost_ring *ring, unsigned want, struct vhost_chain_set *set);
	void (*pass)(struct vhost_ring *ring, const struct vhost_used used[], unsigned count);
	void (*give_back)(struct vhost_ring *ring, const struct vhost_used used[], unsigned count);
	bool (*wants_telling)(const struct vhost_ring *ring);
	void (*ask_for_kicks)(struct vhost_ring *ring, bool wanted);
	bool (*is_empty)(const struct vhost_ring *ring);
};

extern const struct vhost_ring_layout vhost_split_layout;
extern const struct vhost_ring_layout vhost_packed_layout;

// The addresses of the ring's three parts, as mapped, and where device and driver are: for a packed
// ring bit 15 is the wrap counter, as in the vhost-user protocol's vring base.
struct vhost_ring_setup {
	bool packed, event_idx, writable;
	uint16_t size;
	void *descriptors, *driver_area, *device_area;
	uint16_t available_base, used_base;
	const struct guest_memory *memory; // outlives the ring
};

// False if the ring is not one that can be used: no addresses, odd ones, parts that are not all
// within one region of the memory, or an impossible size.
bool vhost_ring_init(struct vhost_ring *ring, const struct vhost_ring_setup *setup);

// Where it is, in the same form.
uint16_t vhost_ring_available_base(const struct vhost_ring *ring);
uint16_t vhost_ring_used_base(const struct vhost_ring *ring);

// Is there nothing to collect? Reads one line of the guest's memory.
static inline bool vhost_ring_is_empty(const struct vhost_ring *ring)
{
	return ring->layout->is_empty(ring);
}

// Look at the next chains that are available, at most `want` (at most VHOST_CHAINS), without taking
// them. Returns their number; set->chains[] are they, in the ring's order. A chain that makes no
// sense has no pieces.
static inline unsigned vhost_ring_collect(
	struct vhost_ring *ring, unsigned want, struct vhost_chain_set *set)
{
	return ring->layout->collect(ring, want, set);
}

// Give the first `count` chains that were collected back. Nothing may be kept.
static inline void vhost_ring_use(
	struct vhost_ring *ring, const struct vhost_chain_set *set, unsigned count)
{
	if (count == 0)
		return;
	ring->layout->pass(ring, set->used, count);
	ring->layout->give_back(ring, set->used, count);
}

// Keep them; in all at most VHOST_CHAINS.
void vhost_ring_keep(struct vhost_ring *ring, const struct vhost_chain_set *set, unsigned count);

// Give back everything that was kept.
static inline void vhost_ring_release(struct vhost_ring *ring)
{
	if (ring->kept_count == 0)
		return;
	ring->layout->give_back(ring, ring->kept, ring->kept_count);
	ring->kept_count = 0;
}

// Does the driver want to be told that buffers were given back? Has a full memory barrier if any
// were since the last time it was asked; then it is taken as told.
bool vhost_ring_wants_telling(struct vhost_ring *ring);

// Tell the driver whether the device wants to be told of new buffers.
static inline void vhost_ring_ask_for_kicks(struct vhost_ring *ring, bool wanted)
{
	ring->layout->ask_for_kicks(ring, wanted);
}

// --- For the layouts ---

// One descriptor, as it was when it was read.
struct vhost_descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags;
	uint16_t word; // split: next; packed: the buffer's id (its order of members differs)
};

// Add what a descriptor points to, if it points to anything. False if that cannot be used, or if
// there is no room for it any more.
bool vhost_chain_add(struct vhost_ring *ring, struct vhost_chain_set *set,
	struct vhost_chain *chain, const struct vhost_descriptor *descriptor);

// The same for a chain of a single descriptor, which most are, and for its region by value, which
// stays in registers. False: nothing is done, it has to be looked at more closely.
static inline bool vhost_chain_one(struct vhost_chain *chain, struct guest_region region,
	bool writable, struct vhost_descriptor one)
{
	uint64_t offset = one.address - region.start;

	if (__builtin_expect(one.flags & (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT) ||
				     (writable && !(one.flags & VRING_DESC_F_WRITE)) ||
				     offset >= region.size || one.length > region.size - offset ||
				     one.length == 0,
		    0))
		return false;
	chain->first = (struct vhost_piece){region.host + offset, one.length};
	chain->length = one.length;
	chain->pieces = 1;
	__builtin_prefetch(chain->first.data);
	return true;
}

static inline void vhost_chain_begin(struct vhost_chain *chain, const struct vhost_chain_set *set)
{
	*chain = (struct vhost_chain){.more = (uint16_t)set->piece_count};
}

static inline void vhost_chain_spoil(struct vhost_chain *chain)
{
	chain->pieces = 0;
	chain->length = 0;
}

// Two words of 64 bits, each read at once.
static inline void vhost_descriptor_load(const void *from, uint64_t words[2])
{
	const uint64_t *at = from;

	words[0] = __atomic_load_n(&at[0], __ATOMIC_RELAXED);
	words[1] = __atomic_load_n(&at[1], __ATOMIC_RELAXED);
}
