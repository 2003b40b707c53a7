// SPDX-License-Identifier: Apache-2.0
#include "tests/hostile/hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_MS 20000
#define UNREAD 1000 // more answers than a socket holds

// --- File descriptors ---

// All kinds that are not what a message asks for, and some that are.
void wrong_fds_open(struct guest *guest)
{
	int *fds = guest->fds, pair[2], full = -1;
	unsigned count = 0;

	fds[count++] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[count++] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	fds[count++] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fds[count++] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	fds[count++] = memfd_create("empty", MFD_CLOEXEC);
	fds[count++] = eventfd(0, EFD_CLOEXEC);
	full = eventfd(0, EFD_CLOEXEC); // whoever writes to it waits
	fds[count++] = full;
	if (full < 0 || eventfd_write(full, UINT64_MAX - 1) != 0)
		hostile_fail(guest, "no eventfd");
	if (pipe2(pair, O_CLOEXEC) == 0) { // the same
		fcntl(pair[1], F_SETFL, O_NONBLOCK);
		while (write(pair[1], fds, sizeof(guest->fds)) > 0)
			;
		fcntl(pair[1], F_SETFL, 0);
		fds[count++] = pair[0];
		fds[count++] = pair[1];
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
		close(pair[1]);
		fds[count++] = pair[0];
	}
	guest->fd_count = count;
	for (unsigned i = 0; i < count; i++) {
		if (fds[i] < 0)
			hostile_fail(guest, "descriptor %u: %s", i, strerror(errno));
	}
}

int wrong_fd(struct guest *guest)
{
	return guest->fds[below(guest, guest->fd_count)];
}

// --- Sending ---

void message_begin(struct message *message, uint32_t request)
{
	message->request = request;
	message->flags = FLAG_VERSION;
	message->size = 0;
	message->fd_count = 0;
	memset(message->payload, 0, sizeof(message->payload));
}

void message_u64(struct message *message, uint64_t value)
{
	memcpy(message->payload, &value, sizeof(value));
	message->size = sizeof(value);
}

void message_state(struct message *message, uint32_t ring, uint32_t value)
{
	message_u64(message, ring | (uint64_t)value << 32);
}

void message_fd(struct message *message, int fd)
{
	if (message->fd_count < FDS_MAX)
		message->fds[message->fd_count++] = fd;
}

static void send_bytes(struct guest *guest, const struct message *message, size_t from, size_t to)
{
	char control[CMSG_SPACE(FDS_MAX * sizeof(int))] = {0};
	struct iovec bytes = {(uint8_t *)message + from, to - from};
	struct msghdr header = {.msg_iov = &bytes, .msg_iovlen = 1};

	if (message->fd_count > 0 && from == 0) {
		struct cmsghdr *first;

		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE(message->fd_count * sizeof(int));
		first = CMSG_FIRSTHDR(&header);
		first->cmsg_level = SOL_SOCKET;
		first->cmsg_type = SCM_RIGHTS;
		first->cmsg_len = CMSG_LEN(message->fd_count * sizeof(int));
		memcpy(CMSG_DATA(first), message->fds, message->fd_count * sizeof(int));
	}
	if (to > from && sendmsg(guest->socket, &header, MSG_NOSIGNAL) != (ssize_t)(to - from))
		guest->out_of_step = true;
}

static size_t message_length(const struct message *message)
{
	return MESSAGE_HEADER + (message->size < sizeof(message->payload)
						? message->size
						: sizeof(message->payload));
}

void message_send(struct guest *guest, const struct message *message)
{
	if (guest->socket < 0 || guest->out_of_step)
		return;
	guest->unanswered = true;
	send_bytes(guest, message, 0, message_length(message));
}

// --- Answers ---

static ssize_t receive(struct guest *guest, void *bytes, size_t size, int flags)
{
	char control[CMSG_SPACE(FDS_MAX * sizeof(int))];
	struct iovec room = {bytes, size};
	struct msghdr header = {.msg_iov = &room,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t length = recvmsg(guest->socket, &header, flags);

	if (length <= 0)
		return length;
	for (struct cmsghdr *at = CMSG_FIRSTHDR(&header); at; at = CMSG_NXTHDR(&header, at)) {
		unsigned count = (unsigned)((at->cmsg_len - CMSG_LEN(0)) / sizeof(int));

		for (unsigned i = 0; at->cmsg_type == SCM_RIGHTS && i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(at) + i * sizeof(int), sizeof(fd));
			close(fd);
		}
	}
	return length;
}

bool answers_drain(struct guest *guest)
{
	uint8_t bytes[4096];
	ssize_t length;

	do
		length = receive(guest, bytes, sizeof(bytes), MSG_DONTWAIT);
	while (length > 0);
	return length < 0 && errno == EAGAIN;
}

// The next answer's request, or 0: the switch has hung up.
static uint32_t answer_take(struct guest *guest)
{
	struct pollfd waiting = {.fd = guest->socket, .events = POLLIN};
	uint32_t head[3] = {0};
	uint8_t bytes[1024];

	if (poll(&waiting, 1, ANSWER_MS) == 0)
		hostile_fail(guest, "no answer in %d ms", ANSWER_MS);
	if (receive(guest, head, sizeof(head), MSG_WAITALL) != sizeof(head))
		return 0;
	if (head[2] > sizeof(bytes))
		hostile_fail(guest, "an answer of %u bytes", head[2]);
	if (head[2] > 0 && receive(guest, bytes, head[2], MSG_WAITALL) != (ssize_t)head[2])
		return 0;
	return head[0];
}

// Whatever was sent before has been done, or the switch has hung up.
void switch_answers(struct guest *guest)
{
	struct message message;
	uint32_t request;

	if (guest->out_of_step)
		return;
	message_begin(&message, GET_QUEUE_NUM);
	message_send(guest, &message);
	do
		request = answer_take(guest);
	while (request != GET_QUEUE_NUM && request != 0);
	if (request == 0)
		guest_hang_up(guest);
	guest->unanswered = false;
}

// The switch has no room for its answers. It must not wait for it.
void answers_unread(struct guest *guest)
{
	struct message message;

	message_begin(&message, GET_FEATURES);
	for (unsigned i = 0; i < UNREAD && !guest->out_of_step; i++) {
		struct pollfd room = {.fd = guest->socket, .events = POLLOUT};

		if (poll(&room, 1, ANSWER_MS) == 0)
			hostile_fail(guest, "it is not hung up on in %d ms", ANSWER_MS);
		message_send(guest, &message);
	}
}

// --- Messages as they should be, nearly ---

enum form { NOTHING, NUMBER, STATE, FILE_OF_RING, ADDRESSES, TABLE, LOG, IOTLB, CONFIG, INFLIGHT };

static const struct {
	uint8_t form, size, fds;
} forms[REQUESTS] = {
	[SET_FEATURES] = {NUMBER, 8, 0},
	[SET_MEM_TABLE] = {TABLE, 0, 0},
	[SET_LOG_BASE] = {LOG, 16, 1},
	[SET_LOG_FD] = {NOTHING, 0, 1},
	[SET_VRING_NUM] = {STATE, 8, 0},
	[SET_VRING_ADDR] = {ADDRESSES, 40, 0},
	[SET_VRING_BASE] = {STATE, 8, 0},
	[GET_VRING_BASE] = {STATE, 8, 0},
	[SET_VRING_KICK] = {FILE_OF_RING, 8, 1},
	[SET_VRING_CALL] = {FILE_OF_RING, 8, 1},
	[SET_VRING_ERR] = {FILE_OF_RING, 8, 1},
	[SET_PROTOCOL_FEATURES] = {NUMBER, 8, 0},
	[SET_VRING_ENABLE] = {STATE, 8, 0},
	[SEND_RARP] = {NUMBER, 8, 0},
	[NET_SET_MTU] = {NUMBER, 8, 0},
	[SET_BACKEND_REQ_FD] = {NOTHING, 0, 1},
	[IOTLB_MSG] = {IOTLB, 32, 0},
	[GET_CONFIG] = {CONFIG, 72, 0},
	[SET_CONFIG] = {CONFIG, 72, 0},
	[GET_INFLIGHT_FD] = {INFLIGHT, 20, 0},
	[SET_INFLIGHT_FD] = {INFLIGHT, 20, 1},
	[SET_STATUS] = {NUMBER, 8, 0},
};

static uint64_t number_any(struct guest *guest)
{
	uint64_t number = random_next(&guest->random);

	switch (below(guest, 4)) {
	case 0:
		return number;
	case 1:
		return number & 0xffff;
	case 2:
		return UINT64_C(1) << (number & 63);
	default:
		return number % 5 - 2;
	}
}

static uint32_t ring_any(struct guest *guest)
{
	static const uint32_t edges[] = {
		63, 64, 126, 127, 128, 129, 254, 255, 256, 257, 0xffffffff};

	if (one_in(guest, 16))
		return edges[below(guest, sizeof(edges) / sizeof(edges[0]))];
	return (uint32_t)below(guest, RINGS + 2);
}

static uint32_t ring_number_any(struct guest *guest)
{
	static const uint32_t numbers[] = {0, 1, 2, 3, 64, 255, 256, 1023, 4096, 32767, 32768,
		32769, 65535, 65536, 0x80000001};

	return numbers[below(guest, sizeof(numbers) / sizeof(numbers[0]))];
}

static void words_any(struct guest *guest, struct message *message, unsigned words)
{
	for (unsigned i = 0; i < words; i++) {
		uint64_t word = one_in(guest, 3) ? number_any(guest) : address_any(guest, 64);

		memcpy(message->payload + 8 * i, &word, sizeof(word));
	}
}

static void form_fill(struct guest *guest, struct message *message, enum form form)
{
	uint32_t ring = ring_any(guest);

	switch (form) {
	case NUMBER:
		message_u64(message, number_any(guest));
		break;
	case STATE:
		message_state(message, ring, ring_number_any(guest));
		break;
	case FILE_OF_RING:
		message_u64(message, ring | (one_in(guest, 8) ? 0x100 : 0));
		break;
	case TABLE:
		memory_table_wrong(guest, message);
		break;
	case ADDRESSES:
		words_any(guest, message, 5);
		message_state(message, ring, (uint32_t)below(guest, 2));
		break;
	case INFLIGHT:
		words_any(guest, message, 3);
		message->payload[16 + below(guest, 4)] = 0;
		message->payload[17] &= (uint8_t)below(guest, 256);
		break;
	case LOG:
	case IOTLB:
	case CONFIG:
	case NOTHING:
		words_any(guest, message, 9);
		break;
	}
}

static void fds_any(struct guest *guest, struct message *message, unsigned right)
{
	unsigned count = one_in(guest, 8) ? (unsigned)below(guest, FDS_MAX + 1) : right;

	for (unsigned i = 0; i < count; i++)
		message_fd(message, one_in(guest, 3) ? guest->file : wrong_fd(guest));
}

static void message_make(struct guest *guest, struct message *message)
{
	uint32_t request = 1 + (uint32_t)below(guest, REQUESTS - 1);

	message_begin(message, request);
	form_fill(guest, message, forms[request].form);
	if (forms[request].form != TABLE) {
		message->size = forms[request].size;
		fds_any(guest, message, forms[request].fds);
	}
	// Without it, the switch hangs up whenever it refuses something.
	if (!one_in(guest, 64))
		message->flags |= FLAG_NEED_REPLY;
}

void message_known(struct guest *guest)
{
	struct message message;

	message_make(guest, &message);
	message_send(guest, &message);
}

// Anything.
void message_any(struct guest *guest)
{
	struct message message;

	message_make(guest, &message);
	if (one_in(guest, 3))
		message.request = (uint32_t)number_any(guest);
	if (one_in(guest, 3))
		message.flags = (uint32_t)number_any(guest);
	if (one_in(guest, 2))
		message.size = (uint32_t)below(guest, one_in(guest, 2) ? 48 : 1100);
	else if (one_in(guest, 4))
		message.size = (uint32_t)number_any(guest);
	message_send(guest, &message);
	guest->out_of_step |= message.size > sizeof(message.payload);
}

// --- Messages not in one piece ---

void message_cut(struct guest *guest)
{
	struct message message;

	message_make(guest, &message);
	send_bytes(guest, &message, 0, below(guest, message_length(&message) + 1));
	guest->out_of_step = true;
}

void message_in_pieces(struct guest *guest)
{
	struct message message;
	size_t length, at = MESSAGE_HEADER, next;

	message_make(guest, &message);
	length = message_length(&message);
	send_bytes(guest, &message, 0, at);
	for (; at < length && !guest->out_of_step; at = next) {
		next = at + 1 + below(guest, length - at);
		send_bytes(guest, &message, at, next);
	}
}

// The header says that more comes, and nothing does until the switch has enough of it.
void message_stalls(struct guest *guest)
{
	struct pollfd waiting = {.fd = guest->socket, .events = POLLIN};
	struct message message;

	if (!answers_drain(guest))
		return;
	message_begin(&message, SET_FEATURES);
	message.size = 8;
	send_bytes(guest, &message, 0, MESSAGE_HEADER + below(guest, 8));
	guest->out_of_step = true;
	// Answers to what came before do not count.
	while (answers_drain(guest)) {
		if (poll(&waiting, 1, ANSWER_MS) == 0)
			hostile_fail(guest, "it is not hung up on in %d ms", ANSWER_MS);
	}
}

void connection_closes(struct guest *guest)
{
	guest_hang_up(guest);
}
