// SPDX-License-Identifier: Apache-2.0
#include "virtio_driver.h"

#include <stdlib.h>
#include <string.h>

#define AVAILABLE (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED (1u << VRING_PACKED_DESC_F_USED)

uint8_t *driver_at(const struct driver *driver, uint64_t address)
{
	return driver->memory + (address - DRIVER_BASE);
}

uint64_t driver_allocate(struct driver *driver, uint32_t length)
{
	size_t at = driver->allocated;

	driver->allocated += (length + 15u) & ~15u;
	if (driver->allocated > DRIVER_MEMORY)
		abort();
	return DRIVER_BASE + at;
}

static size_t ring_bytes(const struct driver *driver)
{
	return driver->device_area + (driver->packed ? 4 : 6 + 8u * driver->size);
}

void driver_reset_memory(struct driver *driver)
{
	driver->allocated = (ring_bytes(driver) + 15) & ~(size_t)15;
}

void driver_start(struct driver *driver, bool packed, uint16_t size, bool event_idx, bool writable)
{
	memset(driver, 0, sizeof(*driver));
	driver->packed = packed;
	driver->size = size;
	driver->event_idx = event_idx;
	driver->writable = writable;
	driver->memory = aligned_alloc(16, DRIVER_MEMORY);
	driver->buffers = calloc(size, sizeof(driver->buffers[0]));
	if (!driver->memory || !driver->buffers)
		abort();
	memset(driver->memory, 0, DRIVER_MEMORY);
	driver->map = (struct guest_memory){1, {{DRIVER_BASE, DRIVER_MEMORY, driver->memory}}};
	driver->driver_area = 16u * size;
	driver->device_area = (driver->driver_area + (packed ? 4 : 6 + 2u * size) + 15) & ~15u;
	driver->available_wrap = driver->used_wrap = packed;
	driver_reset_memory(driver);
}

void driver_stop(struct driver *driver)
{
	free(driver->memory);
	free(driver->buffers);
}

struct vhost_ring_setup driver_setup(const struct driver *driver)
{
	return (struct vhost_ring_setup){
		.packed = driver->packed,
		.event_idx = driver->event_idx,
		.writable = driver->writable,
		.size = driver->size,
		.descriptors = driver->memory + driver->descriptors,
		.driver_area = driver->memory + driver->driver_area,
		.device_area = driver->memory + driver->device_area,
		.available_base = driver->packed ? 0x8000 : 0,
		.used_base = driver->packed ? 0x8000 : 0,
		.memory = &driver->map,
	};
}

static struct vring_desc *split_descriptors(const struct driver *driver)
{
	return (void *)(driver->memory + driver->descriptors);
}

static struct vring_packed_desc *packed_descriptors(const struct driver *driver)
{
	return (void *)(driver->memory + driver->descriptors);
}

static uint16_t write_flag(const struct driver *driver)
{
	return driver->writable ? VRING_DESC_F_WRITE : 0;
}

static uint16_t free_id(const struct driver *driver)
{
	uint16_t id = 0;

	while (driver->slots[id])
		id++;
	return id;
}

// --- Split ---

// A descriptor of the ring that is in no chain.
static uint16_t split_free(const struct driver *driver)
{
	const struct vring_desc *ring = split_descriptors(driver);
	uint16_t i = 0;

	while (ring[i].len != 0)
		i++;
	return i;
}

static void split_fill(struct vring_desc *to, struct driver_piece piece, uint16_t flags)
{
	*to = (struct vring_desc){.addr = piece.address, .len = piece.length, .flags = flags};
}

static void split_add(struct driver *driver, const struct driver_buffer *buffer, bool indirect)
{
	struct vring_desc *ring = split_descriptors(driver), *table = ring, *last = NULL;
	struct vring_avail *available = (void *)(driver->memory + driver->driver_area);
	uint16_t head = split_free(driver);

	if (indirect) {
		uint32_t bytes = 16 * buffer->pieces;
		uint64_t at = driver_allocate(driver, bytes);

		split_fill(&ring[head], (struct driver_piece){at, bytes}, VRING_DESC_F_INDIRECT);
		table = (void *)driver_at(driver, at);
	}
	for (unsigned i = 0; i < buffer->pieces; i++) {
		uint16_t index = indirect ? (uint16_t)i : split_free(driver);

		split_fill(&table[index], buffer->piece[i], write_flag(driver));
		if (last) {
			last->flags |= VRING_DESC_F_NEXT;
			last->next = index;
		}
		last = &table[index];
	}
	driver->slots[head] = indirect ? 1 : (uint16_t)buffer->pieces;
	driver->buffers[head] = *buffer;
	available->ring[available->idx % driver->size] = head;
	__atomic_store_n(&available->idx, (uint16_t)(available->idx + 1), __ATOMIC_RELEASE);
}

static bool split_used(struct driver *driver, uint16_t *id, uint32_t *written)
{
	struct vring_used *used = (void *)(driver->memory + driver->device_area);
	struct vring_desc *ring = split_descriptors(driver);
	const struct vring_used_elem *element;
	uint16_t index, flags;

	if (__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) == driver->next_used)
		return false;
	element = &used->ring[driver->next_used++ % driver->size];
	*id = (uint16_t)element->id;
	*written = element->len;
	index = *id;
	do {
		flags = ring[index].flags;
		ring[index].len = 0;
		index = ring[index].next;
	} while (!(flags & VRING_DESC_F_INDIRECT) && flags & VRING_DESC_F_NEXT);
	return true;
}

// --- Packed ---

static void packed_advance(const struct driver *driver, uint16_t *index, bool *wrap, unsigned by)
{
	while (by-- > 0) {
		if (++*index == driver->size) {
			*index = 0;
			*wrap = !*wrap;
		}
	}
}

static void packed_add(struct driver *driver, const struct driver_buffer *buffer, bool indirect)
{
	struct vring_packed_desc *ring = packed_descriptors(driver);
	uint16_t id = free_id(driver), head = driver->next_available, head_flags = 0;
	unsigned count = indirect ? 1 : buffer->pieces;

	driver->slots[id] = (uint16_t)count;
	driver->buffers[id] = *buffer;
	for (unsigned i = 0; i < count; i++) {
		struct vring_packed_desc *to = &ring[driver->next_available];
		struct driver_piece piece = buffer->piece[i];
		uint16_t flags = driver->available_wrap ? AVAILABLE : USED;

		flags |= indirect ? VRING_DESC_F_INDIRECT : write_flag(driver);
		flags |= i + 1 < count ? VRING_DESC_F_NEXT : 0;
		if (indirect) {
			struct vring_packed_desc *table;

			piece.length = 16 * buffer->pieces;
			piece.address = driver_allocate(driver, piece.length);
			table = (void *)driver_at(driver, piece.address);
			for (unsigned p = 0; p < buffer->pieces; p++)
				table[p] = (struct vring_packed_desc){
					.addr = buffer->piece[p].address,
					.len = buffer->piece[p].length,
					.flags = write_flag(driver),
				};
		}
		to->addr = piece.address;
		to->len = piece.length;
		to->id = id;
		if (i == 0)
			head_flags = flags;
		else
			to->flags = flags;
		packed_advance(driver, &driver->next_available, &driver->available_wrap, 1);
	}
	__atomic_store_n(&ring[head].flags, head_flags, __ATOMIC_RELEASE);
}

static bool packed_used(struct driver *driver, uint16_t *id, uint32_t *written)
{
	const struct vring_packed_desc *at = &packed_descriptors(driver)[driver->next_used];
	uint16_t flags = __atomic_load_n(&at->flags, __ATOMIC_ACQUIRE);

	if (!(flags & AVAILABLE) != !(flags & USED) || !(flags & USED) == driver->used_wrap)
		return false;
	*id = at->id;
	*written = at->len;
	packed_advance(driver, &driver->next_used, &driver->used_wrap, driver->slots[*id]);
	return true;
}

// --- Both ---

bool driver_add(struct driver *driver, const struct driver_buffer *buffer, bool indirect)
{
	unsigned need = indirect ? 1 : buffer->pieces;

	if (driver->in_flight + need > driver->size)
		return false;
	driver->in_flight += need;
	if (driver->packed)
		packed_add(driver, buffer, indirect);
	else
		split_add(driver, buffer, indirect);
	return true;
}

bool driver_used(struct driver *driver, struct driver_buffer *buffer, uint32_t *written)
{
	uint16_t id;

	if (!(driver->packed ? packed_used(driver, &id, written)
			     : split_used(driver, &id, written)))
		return false;
	if (id >= driver->size || !driver->slots[id])
		abort();
	*buffer = driver->buffers[id];
	driver->in_flight -= driver->slots[id];
	driver->slots[id] = 0;
	return true;
}

void driver_want_interrupt(struct driver *driver, uint16_t more)
{
	struct vring_avail *available = (void *)(driver->memory + driver->driver_area);
	struct vring_packed_desc_event *event = (void *)(driver->memory + driver->driver_area);
	uint16_t place = driver->next_used;
	bool wrap = driver->used_wrap;

	if (!driver->packed) {
		available->flags = more ? 0 : VRING_AVAIL_F_NO_INTERRUPT;
		available->ring[driver->size] = (uint16_t)(driver->next_used + more - 1);
		return;
	}
	event->flags = more == 0           ? VRING_PACKED_EVENT_FLAG_DISABLE
		       : driver->event_idx ? VRING_PACKED_EVENT_FLAG_DESC
					   : VRING_PACKED_EVENT_FLAG_ENABLE;
	if (more == 0)
		return;
	packed_advance(driver, &place, &wrap, more - 1u);
	event->off_wrap = (uint16_t)(place | (wrap ? 0x8000 : 0));
}

bool driver_must_notify(struct driver *driver)
{
	const struct vring_avail *available = (void *)(driver->memory + driver->driver_area);
	const struct vring_used *used = (void *)(driver->memory + driver->device_area);
	const struct vring_packed_desc_event *event =
		(void *)(driver->memory + driver->device_area);
	uint16_t before = driver->notified, wanted;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (driver->packed)
		return __atomic_load_n(&event->flags, __ATOMIC_RELAXED) !=
		       VRING_PACKED_EVENT_FLAG_DISABLE;
	driver->notified = available->idx;
	if (!driver->event_idx)
		return !(__atomic_load_n(&used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY);
	wanted = __atomic_load_n((const uint16_t *)&used->ring[driver->size], __ATOMIC_RELAXED);
	return vring_need_event(wanted, driver->notified, before);
}
