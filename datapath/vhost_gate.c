// SPDX-License-Identifier: Apache-2.0
#include "datapath/vhost_gate.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define REQUESTS 48
#define RINGS 256 // of the library
#define RING_SIZE_MAX 32768
#define REGIONS 8 // of the library
#define FUSE_MAGIC 0x65735546

struct message {
	const struct vhost_gate_header *header;
	const uint8_t *payload;
	int *fds;
	unsigned *count;
};

struct region {
	uint64_t guest, size, user, offset;
};

// Of the table that the library is reading, by its thread.
static __thread struct {
	void *at;
	size_t size;
} mapped[REGIONS];

void vhost_gate_done(void)
{
	for (unsigned i = 0; i < REGIONS; i++) {
		if (mapped[i].at)
			munmap(mapped[i].at, mapped[i].size);
		mapped[i].at = NULL;
	}
}

// --- Descriptors ---

static void fds_close(const struct message *message)
{
	for (unsigned i = 0; i < *message->count; i++)
		close(message->fds[i]);
	*message->count = 0;
}

bool vhost_gate_is_eventfd(int descriptor)
{
	char path[32], target[32];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return true; // there is no /proc to ask
	target[length] = '\0';
	return strcmp(target, "anon_inode:[eventfd]") == 0;
}

// A file of memory that has `end` bytes at least. Others cannot be told to be long enough.
static bool is_memory(int descriptor, uint64_t end)
{
	struct stat status;
	struct statfs system;

	if (fstat(descriptor, &status) != 0 || fstatfs(descriptor, &system) != 0)
		return false;
	// A page of it comes when its owner likes, and a thread would wait for it.
	if (system.f_type == FUSE_MAGIC)
		return false;
	return !S_ISREG(status.st_mode) || (uint64_t)status.st_size >= end;
}

// --- Messages ---

static uint64_t number_at(const struct message *message, unsigned offset)
{
	uint64_t number;

	memcpy(&number, message->payload + offset, sizeof(number));
	return number;
}

static bool no_descriptors(const struct message *message)
{
	fds_close(message);
	return true;
}

static bool as_it_is(const struct message *message)
{
	return true;
}

static bool refused(const struct message *message)
{
	return false;
}

static bool ring_state(const struct message *message)
{
	fds_close(message);
	return (uint32_t)number_at(message, 0) < RINGS;
}

static bool ring_size(const struct message *message)
{
	uint64_t size = number_at(message, 0) >> 32;

	return ring_state(message) && size > 0 && size <= RING_SIZE_MAX;
}

// One, or none if the message says so.
static bool ring_file(const struct message *message)
{
	if (*message->count != 1 || number_at(message, 0) & VHOST_GATE_NO_FILE)
		fds_close(message);
	return true;
}

// The library writes to it, and waits if need be: it gets one of ours if it is none.
static bool ring_call(const struct message *message)
{
	ring_file(message);
	for (unsigned i = 0; i < *message->count; i++) {
		int *fd = &message->fds[i], flags;

		if (!vhost_gate_is_eventfd(*fd)) {
			close(*fd);
			*fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
			if (*fd < 0)
				return false;
			continue;
		}
		flags = fcntl(*fd, F_GETFL);
		if (flags >= 0 && !(flags & O_NONBLOCK))
			(void)!fcntl(*fd, F_SETFL, flags | O_NONBLOCK);
	}
	return true;
}

static bool region_map(unsigned index, const struct region *region, int descriptor)
{
	uint64_t end = region->offset + region->size;

	if (region->size == 0 || end < region->size || end > INT64_MAX ||
		region->guest + region->size - 1 < region->guest ||
		region->user + region->size - 1 < region->user || !is_memory(descriptor, end))
		return false;
	// As the library will.
	mapped[index].size = end;
	mapped[index].at = mmap(NULL, end, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
	if (mapped[index].at == MAP_FAILED)
		mapped[index].at = NULL;
	return mapped[index].at != NULL;
}

static bool table_can_be_mapped(const struct message *message)
{
	uint32_t count = (uint32_t)number_at(message, 0);

	if (count > REGIONS || count != *message->count)
		return false;
	for (unsigned i = 0; i < count; i++) {
		struct region region;

		memcpy(&region, message->payload + 8 + i * sizeof(region), sizeof(region));
		if (!region_map(i, &region, message->fds[i]))
			return false;
	}
	return true;
}

static bool memory_table(const struct message *message)
{
	uint32_t count = (uint32_t)number_at(message, 0);

	// What is not there is not read: there are too few descriptors, too.
	if (count <= REGIONS && message->header->size < 8 + count * sizeof(struct region))
		return false;
	if (!table_can_be_mapped(message)) {
		vhost_gate_done();
		fds_close(message);
	}
	return true;
}

static bool write_log(const struct message *message)
{
	uint64_t size = number_at(message, 0), offset = number_at(message, 8);

	// It is mapped from its offset on and written to as if it were from its begin.
	if (*message->count != 1 || offset != 0 || !is_memory(message->fds[0], size))
		fds_close(message);
	return true;
}

// What is not named has no descriptors, and no payload that is looked at.
static const struct {
	bool (*admit)(const struct message *message);
	uint32_t size; // at least
} rows[REQUESTS] = {
	[2] = {no_descriptors, 8},   // SET_FEATURES
	[5] = {memory_table, 8},     // SET_MEM_TABLE
	[6] = {write_log, 16},       // SET_LOG_BASE
	[7] = {as_it_is, 0},         // SET_LOG_FD
	[8] = {ring_size, 8},        // SET_VRING_NUM
	[9] = {ring_state, 40},      // SET_VRING_ADDR
	[10] = {ring_state, 8},      // SET_VRING_BASE
	[11] = {ring_state, 8},      // GET_VRING_BASE
	[12] = {ring_file, 8},       // SET_VRING_KICK
	[13] = {ring_call, 8},       // SET_VRING_CALL
	[14] = {ring_file, 8},       // SET_VRING_ERR
	[16] = {no_descriptors, 8},  // SET_PROTOCOL_FEATURES
	[18] = {ring_state, 8},      // SET_VRING_ENABLE
	[19] = {no_descriptors, 8},  // SEND_RARP
	[20] = {no_descriptors, 8},  // NET_SET_MTU
	[21] = {as_it_is, 0},        // SET_BACKEND_REQ_FD
	[22] = {refused, 0},         // IOTLB_MSG
	[25] = {no_descriptors, 12}, // SET_CONFIG
	[28] = {refused, 0},         // POSTCOPY_ADVISE
	[29] = {refused, 0},         // POSTCOPY_LISTEN
	[30] = {refused, 0},         // POSTCOPY_END
	[31] = {refused, 0},         // GET_INFLIGHT_FD
	[32] = {refused, 0},         // SET_INFLIGHT_FD
	[39] = {no_descriptors, 8},  // SET_STATUS
};

bool vhost_gate_admit(const struct vhost_gate_header *header, const void *payload,
	int fds[VHOST_GATE_FDS], unsigned *count)
{
	struct message message = {header, payload, fds, count};

	if (header->size > VHOST_GATE_PAYLOAD)
		return false;
	if (header->request >= REQUESTS || !rows[header->request].admit)
		return no_descriptors(&message);
	return header->size >= rows[header->request].size && rows[header->request].admit(&message);
}
