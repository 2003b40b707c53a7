// SPDX-License-Identifier: Apache-2.0
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define REGIONS_RIGHT 8
#define REGIONS_WRONG 12

struct region {
	uint64_t guest, size, user, offset;
};

static void contents_write(struct guest *guest)
{
	for (uint32_t i = RINGS_SIZE; i < MEMORY_SIZE; i++)
		guest->memory[i] = (uint8_t)(0xa0 | (i >> 4 & 15));
}

void memory_open(struct guest *guest)
{
	guest->file = memfd_create("hostile", MFD_CLOEXEC);
	if (guest->file < 0 || ftruncate(guest->file, MEMORY_SIZE) != 0)
		hostile_fail(guest, "no memory: %s", strerror(errno));
	guest->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, guest->file, 0);
	if (guest->memory == MAP_FAILED)
		hostile_fail(guest, "no memory: %s", strerror(errno));
	contents_write(guest);
	guest->start = UINT64_C(0x40000000);
}

static void table_write(
	struct message *message, const struct region regions[], uint32_t count, uint32_t said)
{
	uint32_t head[2] = {said, 0};

	memcpy(message->payload, head, sizeof(head));
	memcpy(message->payload + sizeof(head), regions, count * sizeof(regions[0]));
	message->size = (uint32_t)(sizeof(head) + count * sizeof(regions[0]));
}

// All of the memory, in one region or in several, the first of which has the rings.
void memory_table_right(struct guest *guest, struct message *message)
{
	uint32_t count = one_in(guest, 2) ? 1 : 2 + (uint32_t)below(guest, REGIONS_RIGHT - 1);
	struct region regions[REGIONS_RIGHT];
	uint64_t at = 0, step = (MEMORY_SIZE - RINGS_SIZE) / count & ~UINT64_C(4095);

	message_begin(message, SET_MEM_TABLE);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t end = i == count - 1 ? MEMORY_SIZE : RINGS_SIZE + (i + 1) * step;

		regions[i] = (struct region){guest->start + at, end - at, USER_START + at, at};
		message_fd(message, guest->file);
		at = end;
	}
	table_write(message, regions, count, count);
}

static uint64_t offset_any(struct guest *guest)
{
	uint64_t offset = below(guest, MEMORY_SIZE);

	switch (below(guest, 6)) {
	case 0:
		return offset + MEMORY_SIZE;
	case 1:
		return offset << 40;
	case 2:
		return -offset;
	default:
		return offset & ~UINT64_C(4095);
	}
}

static struct region region_any(struct guest *guest)
{
	static const uint64_t sizes[] = {0, 1, 4095, 4096, 65536, MEMORY_SIZE, MEMORY_SIZE + 1,
		UINT64_C(1) << 32, UINT64_C(1) << 47, UINT64_MAX};

	return (struct region){
		.guest = guest->start + offset_any(guest),
		.size = sizes[below(guest, sizeof(sizes) / sizeof(sizes[0]))],
		.user = USER_START + offset_any(guest),
		.offset = one_in(guest, 2) ? 0 : offset_any(guest),
	};
}

// Too many, none, overlapping, empty, endless, or of files that are none.
void memory_table_wrong(struct guest *guest, struct message *message)
{
	uint32_t count = (uint32_t)below(guest, REGIONS_WRONG + 1);
	uint32_t said = one_in(guest, 8) ? (uint32_t)below(guest, 300) : count;
	struct region regions[REGIONS_WRONG];
	uint32_t flags = message->flags;

	message_begin(message, SET_MEM_TABLE);
	message->flags = flags;
	for (uint32_t i = 0; i < count; i++) {
		regions[i] = region_any(guest);
		if (!one_in(guest, 16))
			message_fd(message, one_in(guest, 8) ? wrong_fd(guest) : guest->file);
	}
	table_write(message, regions, count, said);
}

uint64_t address_any(struct guest *guest, uint32_t length)
{
	uint64_t place = RINGS_SIZE + below(guest, MEMORY_SIZE - RINGS_SIZE - 2 * 4096);
	uint64_t edge = guest->start + (one_in(guest, 2) ? MEMORY_SIZE : RINGS_SIZE);

	switch (below(guest, 12)) {
	case 0:
		return edge - length + below(guest, 3) - 1;
	case 1:
		return edge + below(guest, 3) - 1;
	case 2:
		return guest->start - below(guest, 3);
	case 3:
		return one_in(guest, 2) ? -(uint64_t)length + below(guest, 3) - 1 : 0;
	case 4:
		return random_next(&guest->random);
	case 5:
		return guest->start + below(guest, RINGS_SIZE);
	case 6:
		return USER_START + place;
	default:
		return guest->start + place;
	}
}

// --- Operations ---

// Right ones, but while the rings run.
void memory_changes(struct guest *guest)
{
	static const uint64_t starts[] = {
		0, UINT64_C(0x40000000), UINT64_C(1) << 40, -(uint64_t)MEMORY_SIZE};
	struct message message;

	if (one_in(guest, 4))
		guest->start = starts[below(guest, 4)];
	memory_table_right(guest, &message);
	if (!one_in(guest, 32))
		message.flags |= FLAG_NEED_REPLY;
	message_send(guest, &message);
}

void memory_is_wrong(struct guest *guest)
{
	struct message message;

	message_begin(&message, SET_MEM_TABLE);
	if (!one_in(guest, 32))
		message.flags |= FLAG_NEED_REPLY;
	memory_table_wrong(guest, &message);
	message_send(guest, &message);
}

// A log of what is written, mostly too small, or not where the file is.
void memory_log(struct guest *guest)
{
	static const uint64_t sizes[] = {
		1, 8, 4096, 65536, MEMORY_SIZE, MEMORY_SIZE + 4096, UINT64_C(1) << 40};
	struct message message;
	uint64_t log[2] = {sizes[below(guest, 7)], one_in(guest, 2) ? 0 : offset_any(guest)};
	int file = memfd_create("log", MFD_CLOEXEC);

	if (file < 0 || ftruncate(file, one_in(guest, 4) ? 4096 : MEMORY_SIZE) != 0)
		hostile_fail(guest, "no file: %s", strerror(errno));
	message_begin(&message, SET_LOG_BASE);
	memcpy(message.payload, log, sizeof(log));
	message.size = sizeof(log);
	if (!one_in(guest, 32))
		message.flags |= FLAG_NEED_REPLY;
	message_fd(&message, file);
	message_send(guest, &message);
	close(file);
}

// Take the memory away under the switch's feet, and give it back empty the next time.
void memory_withdraw(struct guest *guest)
{
	if (!guest->withdraw)
		return;
	// The second thread must not be the one that finds it gone.
	__atomic_store_n(&guest->drained, true, __ATOMIC_SEQ_CST);
	usleep(1000);
	if (ftruncate(guest->file, (off_t)below(guest, MEMORY_SIZE)) != 0)
		hostile_fail(guest, "cannot shorten the memory: %s", strerror(errno));
	switch_answers(guest);
	if (ftruncate(guest->file, MEMORY_SIZE) != 0)
		hostile_fail(guest, "cannot extend the memory: %s", strerror(errno));
	contents_write(guest);
	__atomic_store_n(&guest->drained, false, __ATOMIC_SEQ_CST);
}
