// SPDX-License-Identifier: Apache-2.0

// A guest that says anything on its vhost-user socket, with any descriptors, to the recvmsg() that
// looks at messages before the vhost library reads them; and in the library's place who reads like
// it: a header with its descriptors, then as many bytes as it says, and then does what the library
// does without a look. So it must hold of each message that was let through: memory can be mapped,
// and what is mapped, the log too, can be read to its last byte; rings and sizes are within bounds;
// an eventfd is one, and nobody waits for room in it. And for all: no descriptor is lost or closed
// twice.
//
// An input is a row of messages, each: the request; the size, of two bytes, as it will be in the
// header; a byte for how many descriptors there are (its low four bits), whether the payload begins
// with a table of as many regions (0x80), with what is added to their numbers (0x40), and whether
// the last byte is sent as an urgent one (0x20); for each descriptor a byte for what it is; those
// numbers; and the rest of the payload.

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "datapath/foreign_file.h"
#include "datapath/vhost_gate.h"
#include "tests/fuzz/fuzz.h"

#define MESSAGE_MAX 1100 // a little more than may come
#define PAGE 4096u

enum { SET_MEM_TABLE = 5, SET_LOG_BASE = 6, SET_VRING_NUM = 8, SET_VRING_ADDR = 9 };
enum { SET_VRING_BASE = 10, GET_VRING_BASE = 11, SET_VRING_KICK = 12, SET_VRING_CALL = 13 };
enum { SET_VRING_ERR = 14, SET_VRING_ENABLE = 18, IOTLB_MSG = 22, POSTCOPY_ADVISE = 28 };
enum { SET_INFLIGHT_FD = 32 };

struct region {
	uint64_t guest, size, user, offset;
};

struct message {
	struct vhost_gate_header header;
	uint8_t payload[MESSAGE_MAX];
	bool urgent;
};

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t take_byte(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->at++;
}

// --- The guest ---

// Memory of up to 15 pages, or not quite; or an eventfd, that may be full; or what cannot be used.
static int file_make(uint8_t kind)
{
	int ends[2], file;

	switch (kind >> 4) {
	case 0:
		return eventfd(0, EFD_NONBLOCK);
	case 1:
		file = eventfd(0, 0);
		return eventfd_write(file, UINT64_MAX - 1) == 0 ? file : -1;
	case 2:
		if (pipe(ends) != 0)
			return -1;
		close(ends[0]);
		return ends[1];
	case 3:
		return open("/dev/null", O_RDWR);
	case 4:
		return open("/", O_RDONLY | O_DIRECTORY);
	case 5:
		return socket(AF_UNIX, SOCK_STREAM, 0);
	default:
		file = memfd_create("guest", MFD_ALLOW_SEALING);
		if (ftruncate(file, (kind & 15) * PAGE + (kind >> 4 == 6 ? 7 : 0)) != 0)
			return -1;
		if (kind >> 4 == 7 && fcntl(file, F_ADD_SEALS, F_SEAL_WRITE) != 0)
			return -1;
		return file;
	}
}

// Near one of both ends of what there is.
static uint64_t take_number(struct input *input)
{
	uint16_t low = take_byte(input);

	return (uint64_t)(int64_t)(int16_t)(low | take_byte(input) << 8);
}

// As many as there are descriptors, of a page each unless `any`.
static void regions_put(struct message *message, unsigned count, struct input *any)
{
	uint32_t number = count;

	memcpy(message->payload, &number, sizeof(number));
	for (unsigned i = 0; i < count; i++) {
		struct region region = {i * 16 * PAGE, PAGE, (i + 1) * 16 * PAGE, 0};

		if (any) {
			region.guest += take_number(any);
			region.size += take_number(any);
			region.user += take_number(any);
			region.offset += take_number(any);
		}
		memcpy(message->payload + 8 + i * sizeof(region), &region, sizeof(region));
	}
}

// How many descriptors it comes with.
static unsigned message_make(struct message *message, int files[], struct input *input)
{
	uint8_t what;
	unsigned count;

	memset(message, 0, sizeof(*message));
	message->header.request = take_byte(input);
	message->header.flags = 1;
	message->header.size = take_byte(input);
	message->header.size =
		(message->header.size | (uint32_t)take_byte(input) << 8) % MESSAGE_MAX;
	what = take_byte(input);
	count = (what & 15) % (VHOST_GATE_FDS + 1);
	message->urgent = what & 0x20;
	for (unsigned i = 0; i < count; i++) {
		files[i] = file_make(take_byte(input));
		fuzz_must(files[i] >= 0, "%s", strerror(errno));
	}
	if (what & 0x80)
		regions_put(message, count, what & 0x40 ? input : NULL);
	for (unsigned i = what & 0x80 ? 8 + count * sizeof(struct region) : 0;
		i < message->header.size; i++)
		message->payload[i] = take_byte(input);
	return count;
}

static void message_send(int socket, const struct message *message, int files[], unsigned count)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(VHOST_GATE_FDS * sizeof(int))];
	} control = {0};
	struct iovec part = {(void *)message, sizeof(message->header) + message->header.size};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

	if (count > 0) {
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), files, count * sizeof(int));
	}
	// Some kernels know no urgent bytes here.
	if (!message->urgent || sendmsg(socket, &header, MSG_OOB) != (ssize_t)part.iov_len)
		fuzz_must(sendmsg(socket, &header, 0) == (ssize_t)part.iov_len, "%s",
			strerror(errno));
	for (unsigned i = 0; i < count; i++)
		close(files[i]);
}

// --- In the library's place ---

// What can be mapped must be there. False: it cannot be mapped.
static bool can_be_mapped(int file, uint64_t size)
{
	volatile uint8_t *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	if (at == MAP_FAILED)
		return false;
	(void)at[0];
	(void)at[size - 1];
	munmap((void *)at, size);
	return true;
}

static void table_must_be_good(const struct message *message, const int files[], unsigned count)
{
	uint32_t number;

	memcpy(&number, message->payload, sizeof(number));
	fuzz_must(number == count, "%u regions, %u descriptors", number, count);
	for (unsigned i = 0; i < count; i++) {
		struct region region;

		memcpy(&region, message->payload + 8 + i * sizeof(region), sizeof(region));
		fuzz_must(region.size > 0 && region.guest + (region.size - 1) >= region.guest &&
				  region.user + (region.size - 1) >= region.user,
			"region %u wraps around", i);
		fuzz_must(can_be_mapped(files[i], region.offset + region.size), "%s",
			strerror(errno));
	}
}

static void ring_must_be_good(const struct message *message)
{
	uint32_t state[2];

	memcpy(state, message->payload, sizeof(state));
	fuzz_must(message->header.size >= sizeof(state), "%u bytes", message->header.size);
	fuzz_must(state[0] < 256, "ring %u", state[0]);
	if (message->header.request == SET_VRING_NUM)
		fuzz_must(state[1] > 0 && state[1] <= 32768, "%u descriptors", state[1]);
}

// The library writes into it, and must not have to wait.
static void call_must_not_wait(int file)
{
	uint64_t one = 1;
	ssize_t length = write(file, &one, sizeof(one));

	fuzz_must(foreign_is_eventfd(file), "not an eventfd");
	fuzz_must(fcntl(file, F_GETFL) & O_NONBLOCK, "it blocks");
	fuzz_must(length == sizeof(one) || errno == EAGAIN, "%s", strerror(errno));
}

static void message_use(const struct message *message, const int files[], unsigned count)
{
	uint32_t request = message->header.request;
	uint64_t log[2];

	fuzz_must(request != IOTLB_MSG && (request < POSTCOPY_ADVISE || request > SET_INFLIGHT_FD),
		"request %u was not offered", request);
	switch (request) {
	case SET_MEM_TABLE:
		if (count > 0)
			table_must_be_good(message, files, count);
		break;
	case SET_LOG_BASE:
		memcpy(log, message->payload, sizeof(log));
		fuzz_must(count <= 1 && (count == 0 || log[1] == 0), "%u files", count);
		// The library sees it if it cannot.
		if (count == 1 && log[0] > 0)
			can_be_mapped(files[0], log[0]);
		break;
	case SET_VRING_NUM:
	case SET_VRING_BASE:
	case GET_VRING_BASE:
	case SET_VRING_ENABLE:
	case SET_VRING_ADDR:
		fuzz_must(count == 0, "%u descriptors", count);
		ring_must_be_good(message);
		break;
	case SET_VRING_CALL:
		if (count > 0)
			call_must_not_wait(files[0]);
		// fall through
	case SET_VRING_KICK:
	case SET_VRING_ERR:
		fuzz_must(count <= 1, "%u descriptors", count);
		break;
	default:
		break;
	}
}

// Read one as the library does. False: hang up.
static bool message_hear(int socket, const struct message *sent)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(VHOST_GATE_FDS * sizeof(int))];
	} control;
	struct message got = {0};
	struct iovec part = {&got.header, sizeof(got.header)};
	struct msghdr header = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	const struct cmsghdr *first;
	int files[VHOST_GATE_FDS];
	unsigned count = 0;

	if (recvmsg(socket, &header, 0) != sizeof(got.header))
		return false;
	first = CMSG_FIRSTHDR(&header);
	if (first) {
		count = (unsigned)((first->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(files, CMSG_DATA(first), count * sizeof(int));
	}
	fuzz_must(got.header.size <= VHOST_GATE_PAYLOAD, "%u bytes", got.header.size);
	fuzz_must(read(socket, got.payload, got.header.size) == (ssize_t)got.header.size,
		"the payload is not there");
	fuzz_must(memcmp(&got, sent, sizeof(got.header) + got.header.size) == 0,
		"it is another message");
	message_use(&got, files, count);
	for (unsigned i = 0; i < count; i++)
		fuzz_must(close(files[i]) == 0, "%s", strerror(errno));
	return true;
}

// Descriptors of the process.
static unsigned descriptors_count(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 64; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	unsigned before = descriptors_count();
	bool good = true;
	int ends[2];

	fuzz_must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "%s", strerror(errno));
	while (input.left > 0 && good) {
		struct message message;
		int files[VHOST_GATE_FDS];
		unsigned count = message_make(&message, files, &input);

		message_send(ends[0], &message, files, count);
		good = message_hear(ends[1], &message);
	}
	vhost_gate_done();
	close(ends[0]);
	close(ends[1]);
	while (!foreign_close_idle())
		sched_yield();
	fuzz_must(descriptors_count() == before, "%u descriptors instead of %u",
		descriptors_count(), before);
	return 0;
}
