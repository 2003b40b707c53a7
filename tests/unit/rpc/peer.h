// SPDX-License-Identifier: Apache-2.0
#pragma once

// The raw side of a connection, for tests of the server: bytes out, JSON values in.

#include "cmocka_all.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#include "rpc/json_stream.h"

struct peer {
	int fd;
	struct json_stream *stream;
};

static inline struct peer peer_open(const char *path)
{
	struct peer peer = {.fd = socket(AF_UNIX, SOCK_STREAM, 0)};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(address.sun_path, path);
	assert_int_equal(connect(peer.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	peer.stream = json_stream_create(64u << 20);
	return peer;
}

static inline void peer_close(struct peer *peer)
{
	close(peer->fd);
	json_stream_destroy(peer->stream);
}

static inline void peer_send(struct peer *peer, const char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t sent = send(peer->fd, bytes, count, MSG_NOSIGNAL);

		assert_true(sent > 0);
		bytes += sent;
		count -= sent;
	}
}

// Until the server has read everything that was sent.
static inline void peer_wait_read(struct peer *peer)
{
	int unread = 1;

	while (unread != 0) {
		assert_int_equal(ioctl(peer->fd, SIOCOUTQ, &unread), 0);
		sched_yield();
	}
}

// The next value, or NULL at the end of the connection.
static inline json_t *peer_receive(struct peer *peer)
{
	static char buffer[65536];

	for (;;) {
		const char *error_text;
		json_t *value = json_stream_next(peer->stream, &error_text);
		struct pollfd wait = {.fd = peer->fd, .events = POLLIN};
		ssize_t count;

		assert_null(error_text);
		if (value != NULL)
			return value;
		assert_int_equal(poll(&wait, 1, 60000), 1);
		count = recv(peer->fd, buffer, sizeof(buffer), 0);
		if (count <= 0)
			return NULL;
		json_stream_feed(peer->stream, buffer, count);
	}
}

static inline void expect(struct peer *peer, const char *text)
{
	json_t *value = peer_receive(peer);
	json_t *expected = json_loads(text, 0, NULL);

	if (!json_equal(value, expected)) {
		char *received = value != NULL ? json_dumps(value, 0) : NULL;

		fail_msg("expected %s, received %s", text, received != NULL ? received : "the end");
	}
	json_decref(value);
	json_decref(expected);
}
