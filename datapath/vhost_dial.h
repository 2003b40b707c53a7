// SPDX-License-Identifier: Apache-2.0
#pragma once

// Calling guests that listen: at once when their socket appears in the file system (inotify(7)) or
// when they have hung up, then again after 1, 2, 4 .. 32 ms, because a socket is there a moment
// before somebody listens on it, and from then on twice a second. A guest that hangs up as soon as
// it is called gets no more calls than that.
//
// The vhost library can call, too, but only once a second; and if a guest hangs up while its port
// is being deleted, it may call for what has been freed by then: it takes the port off its list
// before the thread that sees the guest go puts it there.
//
// Control thread, but for vhost_dial_hung_up().

#include <stdbool.h>
#include <stdint.h>

#include <sys/queue.h>

#include "datapath/port.h"
#include "rpc/rpc_error.h"

struct vhost_dial {
	LIST_ENTRY(vhost_dial) list;
	const char *path;            // of the socket
	bool (*call)(struct port *); // true: connected, or was already
	struct port *port;
	struct event *timer;
	int watch; // inotify's number for the socket's directory, -1: not watched
	unsigned tries;
	uint64_t called_tsc; // when it last succeeded
	bool hung_up;        // any thread sets, control clears
};

// Call, now and whenever it makes sense. Keeps `path`. False with *error.
bool vhost_dial_start(struct vhost_dial *dial, struct port *port, const char *path,
	bool (*call)(struct port *), struct rpc_error *error);
// Also if it was not started, as long as it is all zero.
void vhost_dial_stop(struct vhost_dial *dial);

// Any thread: the guest has hung up.
void vhost_dial_hung_up(struct vhost_dial *dial, struct port *port);
