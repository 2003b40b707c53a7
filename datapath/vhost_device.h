// SPDX-License-Identifier: Apache-2.0
#pragma once

// A guest's device, once librte_vhost has negotiated it: the library keeps the socket, the messages
// and the mappings, and this has the rings. While it is attached, PMD threads use the rings here
// and nobody uses the library's functions for packets.
//
// Not everything is done here: what needs the guest's writes to be logged (migration) or addresses
// to be translated (a vIOMMU) is left to the library; vhost_device_needs_library() says so.

#include <stdbool.h>
#include <stdint.h>

#include <rte_spinlock.h>

#include "datapath/poll_plan.h"
#include "datapath/vhost_frames.h"

struct vhost_sizes;

struct vhost_queue {
	struct vhost_frames frames;
	// PMDs: ro, set by whoever hears of it. What `usable` says holds for `frames`, too.
	bool usable;          // the ring is there
	bool enabled;         // by the guest
	int call;             // eventfd of our own, or -1
	int kick;             // the same, from the guest; whoever sleeps waits for it
	uint64_t kick_serial; // no other one had it
	rte_spinlock_t lock;  // of transmit queues, which threads may share
	uint64_t sent;        // packets, of transmit queues; whoever has the lock adds
} __rte_cache_aligned;

struct vhost_device {
	int library; // handle
	uint64_t features;
	struct guest_memory memory;
	struct vhost_queue queues[2 * POLL_QUEUES];
};

// Where the library has the guest's memory. False: nowhere, or in too many regions. On the library's
// thread, or while it is in no message of the guest.
bool vhost_memory_take(struct guest_memory *memory, int library);

// Before the first attach.
void vhost_device_init(struct vhost_device *device);

// Does a device with these features have to stay with the library's functions?
bool vhost_device_needs_library(uint64_t features);

// And may it? The library's functions believe what they were told of rings (vhost_sizes.h), and
// they do not look at it again. No thread uses the device.
bool vhost_device_suits_library(struct vhost_device *device, int library, uint64_t features,
	const struct vhost_sizes *sizes);

// Take the rings over from the library. `enabled` has a bit per queue pair, for the guest's receive
// and its transmit rings. False if there is no memory that they could be in, and then nothing has
// changed. No thread uses the device.
bool vhost_device_attach(
	struct vhost_device *device, int library, uint64_t features, const uint64_t enabled[2]);

// Tell the library how far the rings are. No thread uses the device any more.
void vhost_device_detach(struct vhost_device *device);

// Is there such a ring? Is it also on?
bool vhost_device_has(const struct vhost_device *device, unsigned index);
bool vhost_device_uses(const struct vhost_device *device, unsigned index);

// The guest has switched a ring on or off. Threads may be using the device.
void vhost_device_enable(struct vhost_device *device, unsigned index, bool enable);

// One ring is about to change: threads leave it alone from their next round on. True if they may be
// using it until then.
bool vhost_device_hold(struct vhost_device *device, unsigned index);

// None does any more: tell the library how far it is. And it has changed: take it over again.
void vhost_device_detach_ring(struct vhost_device *device, unsigned index);
void vhost_device_attach_ring(struct vhost_device *device, unsigned index);

// Interrupt the guest for all rings that it receives from. Threads may be using the device.
void vhost_device_tell_all(const struct vhost_device *device);

// The guest has given a ring another eventfd for its interrupts. Threads may be using
// the device. Returns the old one, which the caller closes when none does any more, or -1.
int vhost_device_call_changed(struct vhost_device *device, unsigned index);

// --- PMD threads ---

// The ring, if it can be used at present, or NULL.
static inline struct vhost_queue *vhost_device_queue(struct vhost_device *device, unsigned index)
{
	struct vhost_queue *queue = &device->queues[index];

	return __atomic_load_n(&queue->usable, __ATOMIC_ACQUIRE) &&
			       __atomic_load_n(&queue->enabled, __ATOMIC_RELAXED)
		       ? queue
		       : NULL;
}

// Does the guest want an interrupt for what was given back?
static inline bool vhost_queue_wants_telling(struct vhost_queue *queue)
{
	struct vhost_ring *ring = &queue->frames.ring;

	return ring->since_told > 0 && vhost_ring_wants_telling(ring);
}

// Send it.
void vhost_queue_tell(const struct vhost_queue *queue);
