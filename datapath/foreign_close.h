// SPDX-License-Identifier: Apache-2.0
#pragma once

// Closing descriptors that a guest has sent. The last close() of a file is the business of whoever
// made it: a socket of TCP may linger for years, a file of FUSE be flushed when its server likes.
// The thread that serves all guests must not wait for that.

// Eventfds and memory are closed at once, others by a thread of their own. If many of those wait
// already, the descriptor stays open. Any thread.
void foreign_close(int descriptor);

// How many are waited for.
unsigned foreign_close_waiting(void);
