// SPDX-License-Identifier: Apache-2.0
#pragma once

// A virtqueue's driver, in a guest's memory of its own: what the rings of the datapath are tested
// against. Written from VIRTIO 1.2, sections 2.7 and 2.8, and plain: one buffer at a time.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datapath/vhost_ring.h"

#define DRIVER_MEMORY (1u << 20)
#define DRIVER_PIECES 24 // of a buffer, most

struct driver_piece {
	uint64_t address;
	uint32_t length;
};

struct driver_buffer {
	unsigned pieces;
	struct driver_piece piece[DRIVER_PIECES];
};

struct driver {
	bool packed, event_idx, writable;
	uint16_t size;
	uint8_t *memory; // DRIVER_MEMORY bytes, at guest-physical DRIVER_BASE
	size_t allocated;
	struct guest_memory map;
	// Where the ring's parts are in the guest's memory.
	size_t descriptors, driver_area, device_area;
	uint16_t next_available, next_used, free_head;
	bool available_wrap, used_wrap;
	uint16_t notified;  // split: the available index when driver_must_notify() was last asked
	unsigned in_flight; // descriptors
	uint16_t slots[32768];         // by id: descriptors taken; 0: free
	struct driver_buffer *buffers; // by id
};

// Some guest-physical address that is no pointer.
#define DRIVER_BASE 0x40000000ull

void driver_start(struct driver *driver, bool packed, uint16_t size, bool event_idx, bool writable);
void driver_stop(struct driver *driver);

// What the device is told of the ring.
struct vhost_ring_setup driver_setup(const struct driver *driver);

// Some of the guest's memory, at a 16-byte boundary. Starts again at the beginning with
// driver_reset_memory(); the ring stays.
uint64_t driver_allocate(struct driver *driver, uint32_t length);
void driver_reset_memory(struct driver *driver);
uint8_t *driver_at(const struct driver *driver, uint64_t address);

// Make a buffer available, in descriptors of its own or in an indirect table. False if the ring has
// no room.
bool driver_add(struct driver *driver, const struct driver_buffer *buffer, bool indirect);

// The next used buffer, if there is one, and how much was written.
bool driver_used(struct driver *driver, struct driver_buffer *buffer, uint32_t *written);

// Does the device want to be notified of what was made available since this was last asked? Has a
// full memory barrier.
bool driver_must_notify(struct driver *driver);

// Ask for an interrupt after `more` further buffers are used (1: the next), or for none (0).
void driver_want_interrupt(struct driver *driver, uint16_t more);
