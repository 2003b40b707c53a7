// SPDX-License-Identifier: Apache-2.0
#pragma once

// How a thread sleeps until there is something for it to do, and is certain to be woken.
//
// It is woken by descriptors that become readable (a guest's kicks, a card's interrupts, a kernel
// interface's socket), by sleeper_wake(), and after a time for what has no descriptor.
//
// Use: look for work; if there is none, tell the sources that one is about to sleep, look once
// more, and only then sleep. What comes before the second look is seen by it; what comes later
// leaves a mark on its descriptor, before which sleeper_sleep() does not sleep. The same holds for
// sleeper_wake(): a call that comes before the sleep ends it at once. So whoever gives the thread
// something to do first does that and then wakes it.
//
// Descriptors of guests are hostile. They are watched for changes (EPOLLET), so nobody reads them:
// one that is always readable, or blocks, wakes us once.

#include <stdbool.h>
#include <stdint.h>

#define SLEEP_FOREVER UINT64_MAX

struct sleeper {
	int wake; // eventfd
	int epoll;
	bool failed; // there is no epoll descriptor: every sleep is short
};

// 0, or a negative errno and nothing to end.
int sleeper_init(struct sleeper *sleeper);
void sleeper_end(struct sleeper *sleeper);

// Any thread. The thread comes back from the sleep that it is in, or from the next one.
void sleeper_wake(const struct sleeper *sleeper);

// The sleeping thread, all the others.

// Watch none of the descriptors any more. They may have been closed.
void sleeper_forget(struct sleeper *sleeper);

// Watch one, which stays the caller's. `edge`: nobody reads it, so only what happens from now on
// counts (and that it is readable now). Else it wakes for as long as it is readable. False if it
// cannot be watched.
bool sleeper_watch(struct sleeper *sleeper, int descriptor, bool edge);

// At most so long. May come back with nothing to do.
void sleeper_sleep(struct sleeper *sleeper, uint64_t nanoseconds);

// The calling thread's timed sleeps end when they are to, not 50 microseconds later.
void sleeper_be_punctual(void);
