// SPDX-License-Identifier: Apache-2.0
#pragma once

// Closing descriptors that a guest has sent. The last close() of a file is the business of whoever
// made it: a socket of TCP may linger for years, a file of FUSE be flushed when its server likes.
// The thread that serves all guests must not wait for that.

#include <stdbool.h>

// Eventfds and memory are closed at once, others by some threads beside; while all of those wait,
// descriptors stay open. Any thread.
void foreign_close(int descriptor);

// Are all closed?
bool foreign_close_idle(void);
