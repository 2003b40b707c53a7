// SPDX-License-Identifier: Apache-2.0
#include "datapath/vhost_ring.h"

#include <string.h>

// What both layouts have in common.

#define WRAP_BIT 0x8000
#define PACKED_SIZE_MAX 32768

static bool is_aligned(const void *address, uintptr_t to)
{
	return address && (uintptr_t)address % to == 0;
}

// The library maps a ring's parts without telling how much of them it has found.
static bool lies_in_memory(const struct vhost_ring_setup *setup)
{
	uint64_t size = setup->size, event = setup->event_idx ? sizeof(uint16_t) : 0;
	uint64_t driver = setup->packed ? sizeof(struct vring_packed_desc_event)
					: sizeof(struct vring_avail) + 2 * size + event;
	uint64_t device = setup->packed ? sizeof(struct vring_packed_desc_event)
					: sizeof(struct vring_used) +
						  sizeof(struct vring_used_elem) * size + event;

	return guest_memory_has(setup->memory, setup->descriptors, 16 * size) &&
	       guest_memory_has(setup->memory, setup->driver_area, driver) &&
	       guest_memory_has(setup->memory, setup->device_area, device);
}

// Alignments: VIRTIO 1.2, sections 2.7 and 2.8.10.1.
static bool can_be_used(const struct vhost_ring_setup *setup)
{
	if (setup->size == 0 || !is_aligned(setup->descriptors, 16) || !lies_in_memory(setup))
		return false;
	if (setup->packed)
		return setup->size <= PACKED_SIZE_MAX && is_aligned(setup->driver_area, 4) &&
		       is_aligned(setup->device_area, 4) &&
		       (setup->available_base & ~WRAP_BIT) < setup->size &&
		       (setup->used_base & ~WRAP_BIT) < setup->size;
	return (setup->size & (setup->size - 1)) == 0 && is_aligned(setup->driver_area, 2) &&
	       is_aligned(setup->device_area, 4);
}

bool vhost_ring_init(struct vhost_ring *ring, const struct vhost_ring_setup *setup)
{
	uint16_t mask = setup->packed ? (uint16_t)~WRAP_BIT : UINT16_MAX;

	memset(ring, 0, sizeof(*ring));
	if (!can_be_used(setup))
		return false;
	ring->layout = setup->packed ? &vhost_packed_layout : &vhost_split_layout;
	ring->memory = setup->memory;
	ring->size = setup->size;
	ring->event_idx = setup->event_idx;
	ring->writable = setup->writable;
	ring->next_available = setup->available_base & mask;
	ring->next_used = setup->used_base & mask;
	ring->available_wrap = setup->packed && setup->available_base & WRAP_BIT;
	ring->used_wrap = setup->packed && setup->used_base & WRAP_BIT;
	ring->descriptors = setup->descriptors;
	ring->available = setup->driver_area;
	ring->used = setup->device_area;
	return true;
}

uint16_t vhost_ring_available_base(const struct vhost_ring *ring)
{
	return ring->next_available | (ring->available_wrap ? WRAP_BIT : 0);
}

uint16_t vhost_ring_used_base(const struct vhost_ring *ring)
{
	return ring->next_used | (ring->used_wrap ? WRAP_BIT : 0);
}

static bool piece_add(
	struct vhost_chain_set *set, struct vhost_chain *chain, uint8_t *data, uint32_t length)
{
	if (chain->pieces == 0) {
		chain->first = (struct vhost_piece){data, length};
		__builtin_prefetch(data);
	} else {
		if (set->piece_count == VHOST_PIECES)
			return false;
		set->pieces[set->piece_count++] = (struct vhost_piece){data, length};
	}
	chain->pieces++;
	chain->length += length;
	return true;
}

bool vhost_chain_add(struct vhost_ring *ring, struct vhost_chain_set *set,
	struct vhost_chain *chain, const struct vhost_descriptor *descriptor)
{
	uint64_t address = descriptor->address, part;
	uint32_t left = descriptor->length;

	// What is only read may be said to be writable: a common driver says so in its tables.
	if ((ring->writable && !(descriptor->flags & VRING_DESC_F_WRITE)) ||
		chain->length + left < left)
		return false;
	// What is one string of bytes to the guest may lie in several of its regions.
	for (; left > 0; left -= (uint32_t)part, address += part) {
		uint8_t *data;

		part = left;
		data = guest_memory_part(ring->memory, &ring->region, address, &part);
		if (!data || !piece_add(set, chain, data, (uint32_t)part))
			return false;
	}
	return true;
}

void vhost_ring_keep(struct vhost_ring *ring, const struct vhost_chain_set *set, unsigned count)
{
	memcpy(ring->kept + ring->kept_count, set->used, count * sizeof(set->used[0]));
	ring->kept_count += count;
	ring->layout->pass(ring, set->used, count);
}

bool vhost_ring_wants_telling(struct vhost_ring *ring)
{
	bool wants;

	if (ring->since_told == 0)
		return false;
	// What was given back must be seen before the driver's wish is read: the driver sets its
	// wish, and then looks once more.
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wants = ring->layout->wants_telling(ring);
	ring->since_told = 0;
	return wants;
}
