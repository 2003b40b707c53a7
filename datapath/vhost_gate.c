// SPDX-License-Identifier: Apache-2.0
#include "datapath/vhost_gate.h"

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datapath/foreign_file.h"

#define REQUESTS 48
#define RINGS 256 // of the library
#define RING_SIZE_MAX 32768
#define REGIONS 8                      // of the library
#define TABLE_MAX (UINT64_C(16) << 40) // bytes of all regions: there is no room for many such

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

__thread bool vhost_gate_memory_refused;

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
		foreign_close(message->fds[i]);
	*message->count = 0;
}

// Memory of `end` bytes at least.
static bool is_memory(int descriptor, uint64_t end)
{
	struct stat status;

	return foreign_is_memory(descriptor) && fstat(descriptor, &status) == 0 &&
	       (uint64_t)status.st_size >= end;
}

static bool is_unix_socket(int descriptor)
{
	int domain;
	socklen_t size = sizeof(domain);

	return getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
	       domain == AF_UNIX;
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

// All of one kind, or none: the library closes them, now or later.
static bool fds_keep(const struct message *message, bool (*is_good)(int descriptor))
{
	for (unsigned i = 0; i < *message->count; i++) {
		if (!is_good(message->fds[i]))
			fds_close(message);
	}
	return true;
}

static bool eventfds(const struct message *message)
{
	return fds_keep(message, foreign_is_eventfd);
}

static bool unix_sockets(const struct message *message)
{
	return fds_keep(message, is_unix_socket);
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
static void one_file(const struct message *message)
{
	if (*message->count != 1 || number_at(message, 0) & VHOST_GATE_NO_FILE)
		fds_close(message);
}

static bool ring_file(const struct message *message)
{
	one_file(message);
	return eventfds(message);
}

// The library writes to it, and waits if need be: it gets one of ours if it is none.
static bool ring_call(const struct message *message)
{
	one_file(message);
	for (unsigned i = 0; i < *message->count; i++) {
		int *fd = &message->fds[i], flags;

		if (!foreign_is_eventfd(*fd)) {
			foreign_close(*fd);
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

// To where the file has to go, or 0.
static uint64_t region_end(const struct region *region)
{
	uint64_t end = region->offset + region->size;

	if (region->size == 0 || end < region->size || end > TABLE_MAX ||
		region->guest + region->size - 1 < region->guest ||
		region->user + region->size - 1 < region->user)
		return 0;
	return end;
}

// As the library will.
static void *file_map(int descriptor, uint64_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);

	return at == MAP_FAILED ? NULL : at;
}

// Twice: what is kept, and what the library's own takes the place of.
static bool regions_map(const struct message *message, uint32_t count, void *again[REGIONS])
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < count; i++) {
		struct region region;
		uint64_t end;

		memcpy(&region, message->payload + 8 + i * sizeof(region), sizeof(region));
		end = region_end(&region);
		sum += end;
		if (end == 0 || sum > TABLE_MAX || !is_memory(message->fds[i], end))
			return false;
		mapped[i].size = end;
		mapped[i].at = file_map(message->fds[i], end);
		again[i] = mapped[i].at ? file_map(message->fds[i], end) : NULL;
		if (!again[i])
			return false;
	}
	return true;
}

static bool table_can_be_mapped(const struct message *message)
{
	uint32_t count = (uint32_t)number_at(message, 0);
	void *again[REGIONS] = {NULL};
	bool good;

	if (count > REGIONS || count != *message->count)
		return false;
	good = regions_map(message, count, again);
	for (unsigned i = 0; i < count; i++) {
		if (again[i])
			munmap(again[i], mapped[i].size);
	}
	return good;
}

static bool memory_table(const struct message *message)
{
	uint32_t count = (uint32_t)number_at(message, 0);

	// What is not there is not read: there are too few descriptors, too.
	if (count <= REGIONS && message->header->size < 8 + count * sizeof(struct region))
		return false;
	vhost_gate_memory_refused = !table_can_be_mapped(message);
	if (vhost_gate_memory_refused) {
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
	[7] = {eventfds, 0},         // SET_LOG_FD
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
	[21] = {unix_sockets, 0},    // SET_BACKEND_REQ_FD
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
