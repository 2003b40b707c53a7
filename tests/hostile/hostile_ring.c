// SPDX-License-Identifier: Apache-2.0
#include "tests/hostile/hostile.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/virtio_ring.h>

#define DRIVER_OFFSET (16 * RING_SIZE_MAX)
#define DEVICE_OFFSET (DRIVER_OFFSET + 4096)
#define WRAP 0x8000
#define TABLE 64 // most descriptors of an indirect one

static struct ring *ring_choose(struct guest *guest)
{
	// The first two are those that all devices have.
	return &guest->rings[below(guest, one_in(guest, 4) ? RINGS : 2)];
}

static uint8_t *at(const struct guest *guest, uint32_t offset)
{
	return guest->memory + offset % (MEMORY_SIZE - 64);
}

static void word_write(const struct guest *guest, uint32_t offset, uint16_t word)
{
	__atomic_store_n((uint16_t *)at(guest, offset & ~1u), word, __ATOMIC_RELEASE);
}

static uint16_t word_read(const struct guest *guest, uint32_t offset)
{
	return __atomic_load_n((uint16_t *)at(guest, offset & ~1u), __ATOMIC_ACQUIRE);
}

// --- Starting a device ---

static void tell(struct guest *guest, struct message *message)
{
	if (!one_in(guest, 64))
		message->flags |= FLAG_NEED_REPLY;
	message_send(guest, message);
}

static void tell_state(struct guest *guest, uint32_t request, uint32_t ring, uint32_t value)
{
	struct message message;

	message_begin(&message, request);
	message_state(&message, ring, value);
	tell(guest, &message);
}

static void tell_number(struct guest *guest, uint32_t request, uint64_t number)
{
	struct message message;

	message_begin(&message, request);
	message_u64(&message, number);
	tell(guest, &message);
}

static void tell_file(struct guest *guest, uint32_t request, uint32_t ring, int file)
{
	struct message message;

	message_begin(&message, request);
	message_u64(&message, ring);
	message_fd(&message, file);
	tell(guest, &message);
}

static void tell_addresses(struct guest *guest, uint32_t index, const uint64_t places[4])
{
	struct message message;

	message_begin(&message, SET_VRING_ADDR);
	message_state(&message, index, guest->features & LOG_ALL ? 1 : 0);
	memcpy(message.payload + 8, places, 32);
	message.size = 40;
	tell(guest, &message);
}

static void ring_addresses(const struct guest *guest, const struct ring *ring, uint64_t places[4])
{
	places[0] = USER_START + ring->descriptors;
	places[1] = USER_START + ring->device;
	places[2] = USER_START + ring->driver;
	places[3] = guest->start + ring->device;
}

static void ring_start(struct guest *guest, uint32_t index)
{
	struct ring *ring = &guest->rings[index];
	uint64_t places[4];

	ring->descriptors = index * RING_ROOM;
	ring->driver = ring->descriptors + DRIVER_OFFSET;
	ring->device = ring->descriptors + DEVICE_OFFSET;
	ring->packed = guest->features & PACKED;
	ring->writable = index % 2 == 0;
	ring->size = (uint16_t)(1u << below(guest, 10));
	if (ring->packed && one_in(guest, 2))
		ring->size = (uint16_t)(1 + below(guest, RING_SIZE_MAX));
	ring->next = 0;
	ring->wrap = true;
	memset(guest->memory + ring->descriptors, 0, DEVICE_OFFSET + 8 * RING_SIZE_MAX + 8);
	tell_state(guest, SET_VRING_NUM, index, ring->size);
	tell_state(guest, SET_VRING_BASE, index, ring->packed ? WRAP : 0);
	ring_addresses(guest, ring, places);
	tell_addresses(guest, index, places);
	if (ring->call == 0) {
		ring->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ring->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	tell_file(guest, SET_VRING_CALL, index, one_in(guest, 8) ? wrong_fd(guest) : ring->call);
	tell_file(guest, SET_VRING_KICK, index, one_in(guest, 8) ? wrong_fd(guest) : ring->kick);
	tell_state(guest, SET_VRING_ENABLE, index, 1);
}

static uint64_t features_any(struct guest *guest)
{
	static const uint64_t bits[] = {
		MERGEABLE, MULTIPLE_QUEUES, INDIRECT, EVENT_IDX, VERSION_1, PACKED, IN_ORDER};
	uint64_t features = one_in(guest, 16) ? 0 : PROTOCOL;

	for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		features |= one_in(guest, 2) ? bits[i] : 0;
	return features | (one_in(guest, 6) ? LOG_ALL : 0);
}

void device_starts(struct guest *guest)
{
	uint32_t rings = one_in(guest, 2) ? 2 : 2 * (1 + (uint32_t)below(guest, RINGS / 2));
	struct message message;

	for (uint32_t i = 0; i < 2; i++)
		tell_state(guest, GET_VRING_BASE, i, 0);
	message_begin(&message, SET_OWNER);
	tell(guest, &message);
	guest->features = features_any(guest);
	tell_number(guest, SET_FEATURES, guest->features);
	tell_number(guest, SET_PROTOCOL_FEATURES, one_in(guest, 8) ? 0x40 | 9 : 9);
	if (guest->features & LOG_ALL)
		memory_log(guest);
	memory_table_right(guest, &message);
	tell(guest, &message);
	for (uint32_t i = 0; i < rings; i++)
		ring_start(guest, i);
}

// --- Changing it while it runs ---

static void ring_moves(struct guest *guest, uint32_t index)
{
	uint64_t places[4];

	ring_addresses(guest, &guest->rings[index], places);
	for (unsigned i = 0; i < 4; i++) {
		if (one_in(guest, 3))
			places[i] += below(guest, 5) - 2 + (one_in(guest, 2) ? MEMORY_SIZE : 0) -
				     (one_in(guest, 2) ? 16 * guest->rings[index].size : 0);
		if (one_in(guest, 6))
			places[i] = places[below(guest, 4)]; // two parts in one place
		if (one_in(guest, 8))
			places[i] = address_any(guest, 4096) - guest->start + USER_START;
	}
	tell_addresses(guest, index, places);
}

void ring_changes(struct guest *guest)
{
	static const uint32_t sizes[] = {0, 1, 2, 3, 255, 256, 1000, 4096, 32767, 32768, 65535};
	uint32_t index = (uint32_t)(ring_choose(guest) - guest->rings);

	switch (below(guest, 8)) {
	case 0:
		tell_state(guest, SET_VRING_NUM, index, sizes[below(guest, 11)]);
		break;
	case 1:
	case 2:
		ring_moves(guest, index);
		break;
	case 3:
		tell_state(guest, SET_VRING_BASE, index, (uint32_t)random_next(&guest->random));
		break;
	case 4:
		tell_state(guest, SET_VRING_ENABLE,
			(uint32_t)below(guest, one_in(guest, 4) ? 256 : 4),
			(uint32_t)below(guest, 2));
		break;
	case 5:
		tell_file(guest, SET_VRING_CALL, index, wrong_fd(guest));
		break;
	case 6:
		tell_file(guest, SET_VRING_KICK, index, wrong_fd(guest));
		break;
	default:
		tell_state(guest, GET_VRING_BASE, index, 0);
	}
}

// Stopped and started, all of it or but for one message.
void ring_restarts(struct guest *guest)
{
	struct ring *ring = ring_choose(guest);
	uint32_t index = (uint32_t)(ring - guest->rings);
	unsigned without = (unsigned)below(guest, 12);
	uint64_t places[4];

	tell_state(guest, GET_VRING_BASE, index, 0);
	ring_addresses(guest, ring, places);
	if (without != 0)
		tell_state(guest, SET_VRING_NUM, index, ring->size);
	if (without != 1)
		tell_addresses(guest, index, places);
	if (without != 2)
		tell_file(guest, SET_VRING_CALL, index, ring->call);
	if (without != 3)
		tell_file(guest, SET_VRING_KICK, index, ring->kick);
	if (without != 4)
		tell_state(guest, SET_VRING_ENABLE, index, 1);
}

void features_change(struct guest *guest)
{
	if (one_in(guest, 3))
		guest->features ^= LOG_ALL;
	else
		guest->features = features_any(guest);
	tell_number(guest, SET_FEATURES, guest->features);
}

// --- Descriptors ---

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, word; // split: next; packed: id
};

static void descriptor_write(
	struct guest *guest, uint32_t offset, bool packed, struct descriptor from)
{
	uint8_t *to = at(guest, offset & ~15u);
	uint16_t first = packed ? from.word : from.flags, second = packed ? from.flags : from.word;

	memcpy(to, &from.address, 8);
	memcpy(to + 8, &from.length, 4);
	memcpy(to + 12, &first, 2);
	__atomic_store_n((uint16_t *)(to + 14), second, __ATOMIC_RELEASE);
}

static uint32_t length_any(struct guest *guest)
{
	static const uint32_t lengths[] = {0, 1, 9, 10, 11, 12, 13, 72, 1526, 9230, 65535, 65547,
		65548, MEMORY_SIZE, 0x7fffffff, 0xffffffff};

	if (one_in(guest, 2))
		return 60 + (uint32_t)below(guest, 1500);
	return lengths[below(guest, sizeof(lengths) / sizeof(lengths[0]))];
}

static uint16_t flags_of_place(const struct ring *ring)
{
	return ring->wrap ? 1u << VRING_PACKED_DESC_F_AVAIL : 1u << VRING_PACKED_DESC_F_USED;
}

static struct descriptor descriptor_right(struct guest *guest, const struct ring *ring)
{
	uint32_t place =
		RINGS_SIZE + (uint32_t)below(guest, (MEMORY_SIZE - RINGS_SIZE) / 2048 - 1) * 2048;

	memset(guest->memory + place, 0, 12);
	return (struct descriptor){
		.address = guest->start + place,
		.length = ring->writable ? 2048 : 12 + 60 + (uint32_t)below(guest, 1400),
		.flags = ring->writable ? VRING_DESC_F_WRITE : 0,
		.word = ring->next,
	};
}

static struct descriptor descriptor_any(struct guest *guest, const struct ring *ring)
{
	struct descriptor made = descriptor_right(guest, ring);

	if (one_in(guest, 3))
		made.length = length_any(guest);
	if (one_in(guest, 3))
		made.address = address_any(guest, made.length);
	if (one_in(guest, 3))
		made.flags ^= VRING_DESC_F_NEXT;
	if (one_in(guest, 4))
		made.flags ^= VRING_DESC_F_INDIRECT;
	if (one_in(guest, 8))
		made.flags = (uint16_t)random_next(&guest->random);
	if (one_in(guest, 3))
		made.word = (uint16_t)(one_in(guest, 4) ? random_next(&guest->random)
							: below(guest, ring->size + 1u));
	return made;
}

// A table that `head` points to: some of its own descriptors point to tables again, or to itself.
static void table_make(struct guest *guest, const struct ring *ring, struct descriptor *head)
{
	uint32_t place = (RINGS_SIZE + (uint32_t)below(guest, MEMORY_SIZE / 2)) & ~15u;
	uint32_t count = 1 + (uint32_t)below(guest, TABLE);

	for (uint32_t i = 0; i < count; i++) {
		struct descriptor made = descriptor_any(guest, ring);

		made.word = (uint16_t)(one_in(guest, 16) ? below(guest, count + 2) : i + 1);
		if (i + 1 < count)
			made.flags |= VRING_DESC_F_NEXT;
		if (one_in(guest, 16))
			made.address = guest->start + place;
		descriptor_write(guest, place + 16 * i, ring->packed, made);
	}
	head->address = guest->start + place + (one_in(guest, 32) ? below(guest, 16) : 0);
	head->length = 16 * count + (one_in(guest, 8) ? (uint32_t)below(guest, 33) - 16 : 0);
	// Very long, without a byte, and round in itself.
	if (one_in(guest, 16)) {
		descriptor_write(guest, place, ring->packed,
			(struct descriptor){.flags = VRING_DESC_F_NEXT});
		head->length = (MEMORY_SIZE - place) & ~15u;
	}
	head->flags = VRING_DESC_F_INDIRECT;
}

// Put it at the ring's next place.
static void ring_put(struct guest *guest, struct ring *ring, struct descriptor made)
{
	if (ring->size == 0)
		return;
	if (ring->packed)
		made.flags |= flags_of_place(ring);
	descriptor_write(guest, ring->descriptors + 16u * ring->next, ring->packed, made);
	if (!ring->packed) {
		uint16_t index = word_read(guest, ring->driver + 2);

		word_write(guest, ring->driver + 4 + 2u * (index % ring->size), ring->next);
		word_write(guest, ring->driver + 2, index + 1);
	}
	ring->next++;
	if (ring->next >= ring->size) {
		ring->next = 0;
		ring->wrap = !ring->wrap;
	}
}

void ring_fill(struct guest *guest)
{
	struct ring *ring = ring_choose(guest);

	for (uint64_t count = 1 + below(guest, 32); count > 0; count--)
		ring_put(guest, ring, descriptor_right(guest, ring));
	ring_kick(guest);
}

void ring_break(struct guest *guest)
{
	struct ring *ring = ring_choose(guest);

	for (uint64_t count = 1 + below(guest, 8); count > 0; count--) {
		struct descriptor made = descriptor_any(guest, ring);

		if (one_in(guest, 3))
			table_make(guest, ring, &made);
		ring_put(guest, ring, made);
	}
	ring_kick(guest);
}

// Indices, flags and events that are anywhere; a packed ring's round that is another one.
void ring_jump(struct guest *guest)
{
	struct ring *ring = ring_choose(guest);

	switch (below(guest, 5)) {
	case 0:
		word_write(guest, ring->driver + 2, (uint16_t)random_next(&guest->random));
		break;
	case 1:
		word_write(guest, ring->driver, (uint16_t)random_next(&guest->random));
		break;
	case 2:
		word_write(guest, ring->driver + 2 * (uint32_t)below(guest, ring->size + 4),
			(uint16_t)random_next(&guest->random));
		break;
	case 3:
		word_write(guest, ring->device + 2 * (uint32_t)below(guest, 4),
			(uint16_t)random_next(&guest->random));
		break;
	default:
		ring->wrap = !ring->wrap;
		ring->next = (uint16_t)(ring->size ? below(guest, ring->size) : 0);
	}
}

void ring_kick(struct guest *guest)
{
	for (unsigned i = 0; i < RINGS; i++) {
		if (guest->rings[i].kick > 0)
			(void)!eventfd_write(guest->rings[i].kick, 1);
	}
}

// --- The second thread ---

// It has random numbers of its own: what it does in between does not change what the first one
// does.
static void scribble(struct guest *guest, uint64_t *random)
{
	uint64_t word = random_next(random), where = random_next(random);
	uint32_t ring = (uint32_t)(where >> 32) % RINGS * RING_ROOM;

	switch (where % 8) {
	case 0: // any word of a ring
		word_write(guest, ring + (uint32_t)(word >> 32) % RING_ROOM, (uint16_t)word);
		break;
	case 1: // the length of a descriptor
		word_write(guest, ring + 16 * ((uint32_t)(word >> 32) % 64) + 8, (uint16_t)word);
		break;
	case 2: // its flags
		word_write(guest, ring + 16 * ((uint32_t)(word >> 32) % 64) + 12 + (word >> 62 & 2),
			(uint16_t)(word & 7));
		break;
	case 3: // its address
		word_write(guest, ring + 16 * ((uint32_t)(word >> 32) % 64) + (word >> 61 & 6),
			(uint16_t)word);
		break;
	default: // a buffer or a table
		word_write(guest,
			RINGS_SIZE + (uint32_t)(word >> 32) % (MEMORY_SIZE - RINGS_SIZE - 64),
			(uint16_t)(word & 0x0f0f) | 0xa0a0);
	}
}

void *rings_scribble(void *argument)
{
	struct guest *guest = argument;
	uint64_t random = guest->random + 1;

	while (!__atomic_load_n(&guest->stop, __ATOMIC_RELAXED)) {
		if (__atomic_load_n(&guest->drained, __ATOMIC_SEQ_CST)) {
			usleep(100);
			continue;
		}
		for (unsigned i = 0; i < 64; i++)
			scribble(guest, &random);
		usleep(50);
	}
	return NULL;
}
