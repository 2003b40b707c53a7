// SPDX-License-Identifier: Apache-2.0
#include "datapath/sleeper.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 32
#define FAILED_NS 50000 // between looks, without descriptors for anything better

static bool watch_open(struct sleeper *sleeper)
{
	sleeper->epoll = epoll_create1(EPOLL_CLOEXEC);
	sleeper->failed = sleeper->epoll < 0 || !sleeper_watch(sleeper, sleeper->wake, true);
	return !sleeper->failed;
}

int sleeper_init(struct sleeper *sleeper)
{
	int result;

	sleeper->epoll = -1;
	sleeper->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (sleeper->wake < 0)
		return -errno;
	if (watch_open(sleeper))
		return 0;
	result = -errno;
	sleeper_end(sleeper);
	return result;
}

void sleeper_end(struct sleeper *sleeper)
{
	if (sleeper->epoll >= 0)
		close(sleeper->epoll);
	if (sleeper->wake >= 0)
		close(sleeper->wake);
}

void sleeper_wake(const struct sleeper *sleeper)
{
	// Nobody reads it. A counter of 2^64 wake-ups does not fill up.
	(void)!eventfd_write(sleeper->wake, 1);
}

void sleeper_forget(struct sleeper *sleeper)
{
	// A guest may hold what we have closed, and then it is still watched: only a new set has
	// none of the old. What was missed in between counts as readable now.
	if (sleeper->epoll >= 0)
		close(sleeper->epoll);
	(void)watch_open(sleeper);
}

bool sleeper_watch(struct sleeper *sleeper, int descriptor, bool edge)
{
	struct epoll_event event = {.events = EPOLLIN | (edge ? (uint32_t)EPOLLET : 0)};

	return sleeper->epoll >= 0 &&
	       epoll_ctl(sleeper->epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

void sleeper_sleep(struct sleeper *sleeper, uint64_t nanoseconds)
{
	struct epoll_event events[EVENTS];
	struct pollfd any = {.fd = sleeper->epoll, .events = POLLIN};
	struct timespec time;

	if (sleeper->failed && nanoseconds > FAILED_NS)
		nanoseconds = FAILED_NS;
	if (nanoseconds == SLEEP_FOREVER) {
		(void)epoll_wait(sleeper->epoll, events, EVENTS, -1);
		return;
	}
	time.tv_sec = (time_t)(nanoseconds / 1000000000);
	time.tv_nsec = (long)(nanoseconds % 1000000000);
	// Which of them it was does not matter, but they have to be taken off the list.
	if (ppoll(&any, sleeper->epoll >= 0, &time, NULL) > 0)
		(void)epoll_wait(sleeper->epoll, events, EVENTS, 0);
}

void sleeper_be_punctual(void)
{
	prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
}
