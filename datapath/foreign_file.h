// SPDX-License-Identifier: Apache-2.0
#pragma once

// Descriptors that a guest has sent. What a file does, and how long that takes, is the business of
// whoever made it: an eventfd may be one that blocks, a page of a file come when its server likes,
// and the last close() wait for years (a socket of TCP that lingers), or for a server of FUSE. The
// thread that serves all guests must not wait for that.

#include <stdbool.h>

// Is it an eventfd? Another file may be one that blocks whoever writes to it or waits for it,
// whatever its flags say (FUSE's do).
bool foreign_is_eventfd(int descriptor);

// Nobody but the kernel has a say in such: a memfd, a file of tmpfs or of hugetlbfs.
bool foreign_is_memory(int descriptor);

// Eventfds and memory are closed at once, others by some threads beside; while all of those wait,
// descriptors stay open. Any thread.
void foreign_close(int descriptor);

// Are all closed?
bool foreign_close_idle(void);
