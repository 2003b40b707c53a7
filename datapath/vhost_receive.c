// SPDX-License-Identifier: Apache-2.0
#include "datapath/vhost_gate.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// recvmsg(2), for the vhost library: the program's own functions come before those of the C
// library. Nobody else in it reads messages of this form.

// The rest of a message comes with its header, or right behind it.
#define PAYLOAD_MS 200

__thread int vhost_gate_socket = -1;

typedef ssize_t receive_function(int, struct msghdr *, int);

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

// Leave it there for the library.
static bool payload_peek(int socket, uint8_t *payload, uint32_t size)
{
	for (unsigned waited = 0; size > 0; waited++) {
		ssize_t length = recv(socket, payload, size, MSG_PEEK | MSG_DONTWAIT);

		if (length == (ssize_t)size)
			break;
		if (length == 0 || (length < 0 && errno != EAGAIN) || waited == PAYLOAD_MS)
			return false;
		usleep(1000);
	}
	return true;
}

static unsigned fds_take(struct msghdr *message, int fds[VHOST_GATE_FDS])
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

static bool admit(int socket, struct msghdr *message)
{
	struct vhost_gate_header header;
	uint8_t payload[VHOST_GATE_PAYLOAD];
	int fds[VHOST_GATE_FDS];
	unsigned count = fds_take(message, fds);
	bool good;

	memcpy(&header, message->msg_iov[0].iov_base, sizeof(header));
	good = header.size <= sizeof(payload) && payload_peek(socket, payload, header.size) &&
	       vhost_gate_admit(&header, payload, fds, &count);
	if (!good) {
		for (unsigned i = 0; i < count; i++)
			close(fds[i]);
		count = 0;
	}
	fds_put(message, fds, count);
	return good;
}

ssize_t recvmsg(int socket, struct msghdr *message, int flags)
{
	static receive_function *real;
	ssize_t length;

	if (!__atomic_load_n(&real, __ATOMIC_RELAXED))
		__atomic_store_n(
			&real, (receive_function *)dlsym(RTLD_NEXT, "recvmsg"), __ATOMIC_RELAXED);
	if (!is_librarys(message, flags))
		return real(socket, message, flags);
	vhost_gate_done();
	vhost_gate_socket = socket;
	length = has_room(socket) ? real(socket, message, flags) : -1;
	if (length != sizeof(struct vhost_gate_header) || admit(socket, message))
		return length;
	// The library hangs up.
	errno = EPROTO;
	return -1;
}
