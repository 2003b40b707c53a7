// SPDX-License-Identifier: Apache-2.0
#include "datapath/vhost_gate.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/steady_clock.h"
#include "datapath/foreign_file.h"

// recvmsg(2), for the vhost library: the program's own functions come before those of the C
// library. Nobody else in it reads messages of this form.

// The rest of a message comes with its header, or right behind it. All guests are waited for by one
// thread, so it waits for this long, and for all of them for no more than a fiftieth of its time.
#define PATIENCE_MS 200
#define PATIENCE_PART 50
#define PATIENCE_LEAST_MS 1

#define DRAIN_MAX 4096 // more than there is room for in a socket

__thread int vhost_gate_socket = -1;

typedef ssize_t receive_function(int, struct msghdr *, int);

static pthread_mutex_t hold = PTHREAD_MUTEX_INITIALIZER;

void vhost_gate_hold(bool on)
{
	if (on)
		pthread_mutex_lock(&hold);
	else
		pthread_mutex_unlock(&hold);
}

static bool is_librarys(const struct msghdr *message, int flags)
{
	return flags == 0 && message->msg_iovlen == 1 &&
	       message->msg_iov[0].iov_len == sizeof(struct vhost_gate_header) &&
	       message->msg_controllen == CMSG_SPACE(VHOST_GATE_FDS * sizeof(int));
}

// Answers are written by the thread that serves all guests. One that has left so many unread that
// there is no room for more is not served.
static bool has_room(int socket)
{
	struct pollfd room = {.fd = socket, .events = POLLOUT};

	return poll(&room, 1, 0) == 1;
}

// How long may be waited now, and that it was. Of the library's thread.
static int64_t patience_left_us = PATIENCE_MS * 1000, patience_at_us;

static int64_t patience_us(int64_t now)
{
	patience_left_us += (now - patience_at_us) / PATIENCE_PART;
	patience_at_us = now;
	if (patience_left_us > PATIENCE_MS * 1000)
		patience_left_us = PATIENCE_MS * 1000;
	return patience_left_us > PATIENCE_LEAST_MS * 1000 ? patience_left_us
							   : PATIENCE_LEAST_MS * 1000;
}

static bool payload_is_there(int socket, uint8_t *payload, uint32_t size, bool *gone)
{
	ssize_t length = recv(socket, payload, size, MSG_PEEK | MSG_DONTWAIT);

	*gone = length == 0 || (length < 0 && errno != EAGAIN);
	return length == (ssize_t)size;
}

// Leave it there for the library.
static bool payload_peek(int socket, uint8_t *payload, uint32_t size)
{
	int64_t begin = steady_us(), until = begin + patience_us(begin);
	bool gone = false, there;

	if (size == 0 || payload_is_there(socket, payload, size, &gone))
		return true;
	do {
		usleep(1000);
		there = payload_is_there(socket, payload, size, &gone);
	} while (!there && !gone && steady_us() < until);
	patience_left_us -= steady_us() - begin;
	return there;
}

static unsigned fds_take(struct msghdr *message, int fds[])
{
	struct cmsghdr *first = CMSG_FIRSTHDR(message);
	unsigned count;

	if (!first || first->cmsg_level != SOL_SOCKET || first->cmsg_type != SCM_RIGHTS)
		return 0;
	count = (unsigned)((first->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(fds, CMSG_DATA(first), count * sizeof(int));
	return count;
}

static void fds_put(struct msghdr *message, const int fds[], unsigned count)
{
	struct cmsghdr *first = CMSG_FIRSTHDR(message);

	if (!first || count == 0) {
		message->msg_controllen = 0;
		return;
	}
	memcpy(CMSG_DATA(first), fds, count * sizeof(int));
	first->cmsg_len = CMSG_LEN(count * sizeof(int));
}

// `length` bytes of a header, with its descriptors, came. False: hang up, those are closed.
static bool admit(int socket, struct msghdr *message, ssize_t length)
{
	struct vhost_gate_header header;
	uint8_t payload[VHOST_GATE_PAYLOAD];
	int fds[VHOST_GATE_FDS];
	unsigned count = fds_take(message, fds);
	bool good;

	memcpy(&header, message->msg_iov[0].iov_base, sizeof(header));
	good = length == sizeof(header) && header.size <= sizeof(payload) &&
	       payload_peek(socket, payload, header.size) &&
	       vhost_gate_admit(&header, payload, fds, &count);
	if (!good) {
		for (unsigned i = 0; i < count; i++)
			foreign_close(fds[i]);
		count = 0;
	}
	fds_put(message, fds, count);
	return good;
}

// What is in the socket's queue would be closed with it, by the library's thread.
static void drain(receive_function *receive, int socket)
{
	// Whoever sends more is told that nobody listens.
	if (shutdown(socket, SHUT_RDWR) != 0)
		return;
	for (unsigned i = 0; i < DRAIN_MAX; i++) {
		char bytes[1024];
		union {
			struct cmsghdr header;
			char room[CMSG_SPACE(253 * sizeof(int))]; // SCM_MAX_FD
		} control;
		struct iovec part = {bytes, sizeof(bytes)};
		struct msghdr message = {.msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control)};
		int fds[253];

		if (receive(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
			return;
		for (unsigned k = fds_take(&message, fds); k > 0; k--)
			foreign_close(fds[k - 1]);
	}
}

ssize_t recvmsg(int socket, struct msghdr *message, int flags)
{
	static receive_function *real;
	const int on = 1;
	ssize_t length;

	if (!__atomic_load_n(&real, __ATOMIC_RELAXED))
		__atomic_store_n(
			&real, (receive_function *)dlsym(RTLD_NEXT, "recvmsg"), __ATOMIC_RELAXED);
	if (!is_librarys(message, flags))
		return real(socket, message, flags);
	vhost_gate_hold(true);
	vhost_gate_hold(false);
	vhost_gate_done();
	vhost_gate_socket = socket;
	// An urgent byte is seen by who peeks and by who reads, or by none.
	(void)setsockopt(socket, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	length = has_room(socket) ? real(socket, message, flags) : -1;
	if (length > 0 && admit(socket, message, length))
		return length;
	// The library hangs up.
	drain(real, socket);
	if (length <= 0)
		return length;
	errno = EPROTO;
	return -1;
}
