// SPDX-License-Identifier: Apache-2.0
#include "datapath/vhost_ring.h"

#include <string.h>

// Split virtqueues: VIRTIO 1.2, section 2.7.

static inline uint16_t available_count(const struct vhost_ring *ring)
{
	return (uint16_t)(__atomic_load_n(&ring->available->idx, __ATOMIC_ACQUIRE) -
			  ring->next_available);
}

static bool is_empty(const struct vhost_ring *ring)
{
	return available_count(ring) == 0;
}

static inline struct vhost_descriptor descriptor_read(const struct vring_desc *from)
{
	uint64_t words[2];

	vhost_descriptor_load(from, words);
	return (struct vhost_descriptor){
		.address = words[0],
		.length = (uint32_t)words[1],
		.flags = (uint16_t)(words[1] >> 32),
		.word = (uint16_t)(words[1] >> 48),
	};
}

// Follow a chain through `table` of `size` descriptors from `index` on.
static bool follow(struct vhost_ring *ring, struct vhost_chain_set *set, struct vhost_chain *chain,
	const struct vring_desc *table, uint32_t size, uint32_t index)
{
	// A chain that is longer than its table goes round in it. No step is without a piece in one
	// that means something, and a table may be said to have millions.
	for (uint32_t steps = 0; steps < size && steps <= VHOST_PIECES; steps++) {
		struct vhost_descriptor descriptor;

		if (index >= size)
			return false;
		descriptor = descriptor_read(&table[index]);
		if (descriptor.flags & VRING_DESC_F_INDIRECT)
			return false; // in a table, or behind others: neither may be
		if (!vhost_chain_add(ring, set, chain, &descriptor))
			return false;
		if (!(descriptor.flags & VRING_DESC_F_NEXT))
			return true;
		index = descriptor.word;
	}
	return false;
}

// All that is not one plain descriptor.
static __attribute__((noinline)) bool chain_read(struct vhost_ring *ring,
	struct vhost_chain_set *set, struct vhost_chain *chain, struct vhost_descriptor head)
{
	const struct vring_desc *table;

	if (!(head.flags & VRING_DESC_F_INDIRECT)) {
		if (!vhost_chain_add(ring, set, chain, &head))
			return false;
		return !(head.flags & VRING_DESC_F_NEXT) ||
		       follow(ring, set, chain, ring->descriptors, ring->size, head.word);
	}
	table = (const void *)guest_memory_at(
		ring->memory, &ring->region, head.address, head.length);
	if (!table || head.flags & VRING_DESC_F_NEXT || (uintptr_t)table % 16 != 0 ||
		head.length < sizeof(*table))
		return false;
	return follow(ring, set, chain, table, head.length / sizeof(*table), 0);
}

static unsigned collect(struct vhost_ring *ring, unsigned want, struct vhost_chain_set *set)
{
	const struct vring_desc *descriptors = ring->descriptors;
	struct guest_region region = ring->memory->regions[ring->region];
	uint16_t heads[VHOST_CHAINS], size = ring->size, mask = size - 1;
	unsigned count = available_count(ring);
	bool writable = ring->writable;

	if (count > want)
		count = want;
	set->piece_count = 0;
	for (unsigned i = 0; i < count; i++) {
		heads[i] =
			__atomic_load_n(&ring->available->ring[(ring->next_available + i) & mask],
				__ATOMIC_RELAXED);
		__builtin_prefetch(&descriptors[heads[i] & mask]);
	}
	for (unsigned i = 0; i < count; i++) {
		struct vhost_chain *chain = &set->chains[i];
		struct vhost_descriptor head;

		set->used[i] = (struct vhost_used){.id = heads[i], .descriptors = 1};
		vhost_chain_begin(chain, set);
		if (__builtin_expect(heads[i] >= size, 0))
			continue;
		head = descriptor_read(&descriptors[heads[i]]);
		if (vhost_chain_one(chain, region, writable, head))
			continue;
		if (!chain_read(ring, set, chain, head)) {
			// Too many pieces together: the next time there is room for it.
			if (set->piece_count == VHOST_PIECES && i > 0)
				return i;
			vhost_chain_spoil(chain);
		}
		region = ring->memory->regions[ring->region];
	}
	return count;
}

static void pass(struct vhost_ring *ring, const struct vhost_used used[], unsigned count)
{
	ring->next_available = (uint16_t)(ring->next_available + count);
}

static void give_back(struct vhost_ring *ring, const struct vhost_used used[], unsigned count)
{
	uint16_t mask = ring->size - 1;

	for (unsigned i = 0; i < count; i++) {
		struct vring_used_elem *to = &ring->used->ring[(ring->next_used + i) & mask];
		uint64_t element = used[i].id | (uint64_t)used[i].written << 32;

		memcpy(to, &element, sizeof(element)); // in one store
	}
	ring->next_used = (uint16_t)(ring->next_used + count);
	ring->since_told = (uint16_t)(ring->since_told + count);
	__atomic_store_n(&ring->used->idx, ring->next_used, __ATOMIC_RELEASE);
}

static bool wants_telling(const struct vhost_ring *ring)
{
	uint16_t event;

	if (!ring->event_idx)
		return !(__atomic_load_n(&ring->available->flags, __ATOMIC_RELAXED) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	event = __atomic_load_n(&ring->available->ring[ring->size], __ATOMIC_RELAXED);
	return vring_need_event(
		event, ring->next_used, (uint16_t)(ring->next_used - ring->since_told));
}

static void ask_for_kicks(struct vhost_ring *ring, bool wanted)
{
	uint16_t *event = (uint16_t *)&ring->used->ring[ring->size];

	if (!ring->event_idx)
		__atomic_store_n(
			&ring->used->flags, wanted ? 0 : VRING_USED_F_NO_NOTIFY, __ATOMIC_RELAXED);
	else
		// "When the index passes": the one before the next is passed for good.
		__atomic_store_n(event, ring->next_available - !wanted, __ATOMIC_RELAXED);
}

const struct vhost_ring_layout vhost_split_layout = {
	.collect = collect,
	.pass = pass,
	.give_back = give_back,
	.wants_telling = wants_telling,
	.ask_for_kicks = ask_for_kicks,
	.is_empty = is_empty,
};
