// SPDX-License-Identifier: Apache-2.0
#include "datapath/vhost_ring.h"

// Packed virtqueues: VIRTIO 1.2, section 2.8.

#define FLAG_AVAILABLE (1u << VRING_PACKED_DESC_F_AVAIL)
#define FLAG_USED (1u << VRING_PACKED_DESC_F_USED)
#define EVENT_WRAP 0x8000

static inline bool is_available(uint16_t flags, bool wrap)
{
	return !(flags & FLAG_AVAILABLE) != wrap && !(flags & FLAG_USED) == wrap;
}

static inline uint16_t flags_read(const struct vhost_ring *ring, uint16_t place)
{
	return __atomic_load_n(&ring->packed[place].flags, __ATOMIC_ACQUIRE);
}

static bool is_empty(const struct vhost_ring *ring)
{
	return !is_available(flags_read(ring, ring->next_available), ring->available_wrap);
}

static inline struct vhost_descriptor descriptor_read(const struct vring_packed_desc *from)
{
	uint64_t words[2];

	vhost_descriptor_load(from, words);
	return (struct vhost_descriptor){
		.address = words[0],
		.length = (uint32_t)words[1],
		.word = (uint16_t)(words[1] >> 32),
		.flags = (uint16_t)(words[1] >> 48),
	};
}

// A place in the ring, and the round that it is in.
struct place {
	uint16_t index;
	bool wrap;
};

static inline void advance(const struct vhost_ring *ring, struct place *place, unsigned by)
{
	unsigned index = place->index + by;

	if (index >= ring->size) {
		index -= ring->size;
		place->wrap = !place->wrap;
	}
	place->index = (uint16_t)index;
}

// The descriptors of an indirect table are in its order, without flags for it.
static bool table_read(struct vhost_ring *ring, struct vhost_chain_set *set,
	struct vhost_chain *chain, const struct vhost_descriptor *head)
{
	const struct vring_packed_desc *table = (const void *)guest_memory_at(
		ring->memory, &ring->region, head->address, head->length);
	uint32_t count = head->length / sizeof(*table);

	if (!table || (uintptr_t)table % 16 != 0 || count == 0 || count > VHOST_PIECES)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		struct vhost_descriptor descriptor = descriptor_read(&table[i]);

		if (!vhost_chain_add(ring, set, chain, &descriptor))
			return false;
	}
	return true;
}

// Read the chain that begins at *place, and go behind it. False: it makes no sense; *place and
// *used say what it takes up all the same.
static __attribute__((noinline)) bool chain_read(struct vhost_ring *ring,
	struct vhost_chain_set *set, struct vhost_chain *chain, struct vhost_used *used,
	struct place *place)
{
	struct vhost_descriptor descriptor;
	bool good = true;

	do {
		descriptor = descriptor_read(&ring->packed[place->index]);
		advance(ring, place, 1);
		used->descriptors++;
		if (!(descriptor.flags & VRING_DESC_F_INDIRECT))
			good = good && vhost_chain_add(ring, set, chain, &descriptor);
		else
			good = good && used->descriptors == 1 &&
			       !(descriptor.flags & VRING_DESC_F_NEXT) &&
			       table_read(ring, set, chain, &descriptor);
		// The last one has the number of the buffer.
		used->id = descriptor.word;
	} while (descriptor.flags & VRING_DESC_F_NEXT && used->descriptors < ring->size);
	return good && !(descriptor.flags & VRING_DESC_F_NEXT);
}

static unsigned collect(struct vhost_ring *ring, unsigned want, struct vhost_chain_set *set)
{
	struct place place = {ring->next_available, ring->available_wrap};
	struct guest_region region = ring->memory->regions[ring->region];
	bool writable = ring->writable;
	unsigned descriptors = 0;

	set->piece_count = 0;
	for (unsigned i = 0; i < want; i++) {
		struct vhost_chain *chain = &set->chains[i];
		struct vhost_used *used = &set->used[i];
		struct vhost_descriptor one;

		// No more than the ring: a chain that is taken once must not be seen again.
		if (descriptors >= ring->size ||
			!is_available(flags_read(ring, place.index), place.wrap))
			return i;
		one = descriptor_read(&ring->packed[place.index]);
		vhost_chain_begin(chain, set);
		if (vhost_chain_one(chain, region, writable, one)) {
			*used = (struct vhost_used){.id = one.word, .descriptors = 1};
			advance(ring, &place, 1);
			descriptors++;
			continue;
		}
		*used = (struct vhost_used){0};
		if (!chain_read(ring, set, chain, used, &place)) {
			// Too many pieces together: the next time there is room for it.
			if (set->piece_count == VHOST_PIECES && i > 0)
				return i;
			vhost_chain_spoil(chain);
		}
		descriptors += used->descriptors;
		// A chain that goes on into descriptors which others have had is none.
		if (descriptors > ring->size)
			return i;
		region = ring->memory->regions[ring->region];
	}
	return want;
}

static void pass(struct vhost_ring *ring, const struct vhost_used used[], unsigned count)
{
	struct place place = {ring->next_available, ring->available_wrap};
	unsigned descriptors = 0;

	for (unsigned i = 0; i < count; i++)
		descriptors += used[i].descriptors;
	advance(ring, &place, descriptors);
	ring->next_available = place.index;
	ring->available_wrap = place.wrap;
}

// Length, id and flags of a used descriptor, in one store.
static inline uint64_t used_word(bool writable, struct vhost_used used, bool wrap)
{
	uint64_t flags = wrap ? FLAG_AVAILABLE | FLAG_USED : 0;

	if (writable && used.written > 0)
		flags |= VRING_DESC_F_WRITE;
	return used.written | (uint64_t)used.id << 32 | flags << 48;
}

static inline uint64_t *used_place(const struct vhost_ring *ring, uint16_t index)
{
	return (uint64_t *)&ring->packed[index] + 1;
}

// The first one is written last, so that the driver finds all of them or none, and does not fetch
// the line again for each.
static void give_back(struct vhost_ring *ring, const struct vhost_used used[], unsigned count)
{
	struct place place = {ring->next_used, ring->used_wrap};
	uint16_t first = place.index;
	bool writable = ring->writable;
	uint64_t word = used_word(writable, used[0], place.wrap);
	unsigned descriptors = used[0].descriptors;

	advance(ring, &place, used[0].descriptors);
	for (unsigned i = 1; i < count; i++) {
		__atomic_store_n(used_place(ring, place.index),
			used_word(writable, used[i], place.wrap), __ATOMIC_RELEASE);
		advance(ring, &place, used[i].descriptors);
		descriptors += used[i].descriptors;
	}
	__atomic_store_n(used_place(ring, first), word, __ATOMIC_RELEASE);
	ring->next_used = place.index;
	ring->used_wrap = place.wrap;
	ring->since_told = (uint16_t)(ring->since_told + descriptors);
}

static bool wants_telling(const struct vhost_ring *ring)
{
	// Both halves are read at once: they belong together.
	uint32_t area = __atomic_load_n((const uint32_t *)ring->driver_event, __ATOMIC_RELAXED);
	uint16_t event = (uint16_t)area, flags = (uint16_t)(area >> 16);

	if (flags == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !ring->event_idx)
		return true;
	if (!!(event & EVENT_WRAP) != ring->used_wrap)
		event = (uint16_t)((event & ~EVENT_WRAP) - ring->size);
	else
		event &= (uint16_t)~EVENT_WRAP;
	return vring_need_event(
		event, ring->next_used, (uint16_t)(ring->next_used - ring->since_told));
}

static void ask_for_kicks(struct vhost_ring *ring, bool wanted)
{
	__atomic_store_n(&ring->device_event->flags,
		wanted ? VRING_PACKED_EVENT_FLAG_ENABLE : VRING_PACKED_EVENT_FLAG_DISABLE,
		__ATOMIC_RELAXED);
}

const struct vhost_ring_layout vhost_packed_layout = {
	.collect = collect,
	.pass = pass,
	.give_back = give_back,
	.wants_telling = wants_telling,
	.ask_for_kicks = ask_for_kicks,
	.is_empty = is_empty,
};
