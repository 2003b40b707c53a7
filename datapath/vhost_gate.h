// SPDX-License-Identifier: Apache-2.0
#pragma once

// What guests say to the vhost library is looked at here before the library reads it, which trusts
// guests in some things (seen in 22.11):
//
//   it waits, with the one thread that it has for all guests, for the rest of a message that does
//   not come, and for room in the socket of a guest that reads no answers; it loses descriptors
//   that come with messages which take none or which fail early, and one for each table whose
//   memory cannot be mapped; it looks at what was on its stack if a message is too short; it does
//   what it has not offered: areas for buffers in flight, of any size, written to at places that
//   the guest says; page faults that the guest resolves when it likes; a vIOMMU; a log of writes
//   that does not begin where its file does is written to at the wrong place; it maps more of a
//   file than there is, or, where it cannot map, goes on with rings in what it has unmapped; it
//   writes to whatever comes as an eventfd, and waits; and it closes what it does not want, however
//   long that takes (foreign_file.h).
//
// The library has no hook before it reads a message. It calls recvmsg() for the header, so there is
// a recvmsg() of ours in vhost_receive.c, which asks this. Pure, but for the descriptors.

#include <stdbool.h>
#include <stdint.h>

#define VHOST_GATE_FDS 8        // the most that a message has
#define VHOST_GATE_PAYLOAD 1024 // no message has more

#define VHOST_GATE_NO_FILE 0x100 // of messages with a ring's eventfd: there is none

struct vhost_gate_header {
	uint32_t request, flags, size;
};

// May the library have the message? `payload` has header->size bytes. Descriptors that it may not
// have are closed, and *count of those left is at the begin of fds[]; without those that it expects
// the library refuses a message, whose sender may go on. False: hang up, nothing is closed.
bool vhost_gate_admit(const struct vhost_gate_header *header, const void *payload,
	int fds[VHOST_GATE_FDS], unsigned *count);

// The message is done. Only the library's thread; until then the memory of a guest's table is
// mapped twice, so that it can be mapped.
void vhost_gate_done(void);

// Where the message came from that the library's thread is about. Only that thread.
extern __thread int vhost_gate_socket;

// Memory that was refused with the last message on this thread.
extern __thread bool vhost_gate_memory_refused;

// Keep the library from hearing guests, or let it: while it notes a new connection of which its
// thread may hear already, and which that may end.
void vhost_gate_hold(bool on);
