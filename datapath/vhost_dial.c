// SPDX-License-Identifier: Apache-2.0
#include "datapath/vhost_dial.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <event2/event.h>
#include <rte_cycles.h>

#include "datapath/datapath.h"
#include "datapath/log.h"
#include "rpc/rundir.h"

#define TRIES_QUICK 6   // after 1, 2, 4 .. ms
#define INTERVAL_MS 500 // then
#define GOOD_CALL_S 1   // a connection that lasts as long is no reason to hold back

// What all have in common: there are fewer inotify instances to be had (128 per user) than ports.
static struct {
	LIST_HEAD(, vhost_dial) all;
	int inotify, wake;
	struct event *appeared, *woken;
} dials = {.inotify = -1, .wake = -1};

// --- When to call ---

static void call_in(struct vhost_dial *dial, unsigned ms)
{
	struct timeval delay = {ms / 1000, ms % 1000 * 1000};

	event_add(dial->timer, &delay);
}

static unsigned pause_ms(unsigned tries)
{
	return tries < TRIES_QUICK ? 1u << tries : INTERVAL_MS;
}

// Directories come and go: one that is made anew is watched again as soon as we look.
static void directory_watch(struct vhost_dial *dial)
{
	char directory[UNIX_SOCKET_PATH_MAX + 1];
	char *slash;

	snprintf(directory, sizeof(directory), "%s", dial->path);
	slash = strrchr(directory, '/');
	if (slash)
		slash[slash == directory] = '\0';
	// The same number for the same directory. Attributes: of a socket that we may not call
	// until somebody gives it to us.
	dial->watch = inotify_add_watch(dials.inotify, slash ? directory : ".",
		IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR);
}

// It did not work, and may not work so soon.
static void call_later(struct vhost_dial *dial)
{
	call_in(dial, pause_ms(dial->tries));
	dial->tries += dial->tries < TRIES_QUICK;
}

static void call_now(struct vhost_dial *dial)
{
	dial->tries = 0;
	call_in(dial, 0);
}

static void on_time(evutil_socket_t fd, short what, void *context)
{
	struct vhost_dial *dial = context;

	directory_watch(dial);
	if (access(dial->path, F_OK) == 0 && dial->call(dial->port))
		dial->called_tsc = rte_rdtsc();
	else
		call_later(dial);
}

static void on_hung_up(struct vhost_dial *dial)
{
	if (rte_rdtsc() - dial->called_tsc >= GOOD_CALL_S * rte_get_tsc_hz())
		call_now(dial);
	else
		call_later(dial);
}

// --- What tells us ---

static void on_woken(evutil_socket_t fd, short what, void *context)
{
	struct vhost_dial *dial;
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_error("cannot read an event: %s", strerror(errno));
	LIST_FOREACH (dial, &dials.all, list) {
		if (__atomic_exchange_n(&dial->hung_up, false, __ATOMIC_ACQ_REL))
			on_hung_up(dial);
	}
}

static void file_appeared(const struct inotify_event *event)
{
	struct vhost_dial *dial;

	LIST_FOREACH (dial, &dials.all, list) {
		const char *slash = strrchr(dial->path, '/');
		bool ours = event->len > 0 && dial->watch == event->wd &&
			    strcmp(event->name, slash ? slash + 1 : dial->path) == 0;

		// More events than there was room for: whose, nobody knows.
		if (ours || (event->mask & IN_Q_OVERFLOW))
			call_now(dial);
		else if ((event->mask & IN_IGNORED) && dial->watch == event->wd)
			dial->watch = -1;
	}
}

static void on_appeared(evutil_socket_t fd, short what, void *context)
{
	union {
		struct inotify_event event;
		char bytes[64 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
	} buffer;
	ssize_t length = read(fd, &buffer, sizeof(buffer));
	const char *end = buffer.bytes + (length > 0 ? length : 0);

	for (const char *at = buffer.bytes; at < end;) {
		const struct inotify_event *event = (const struct inotify_event *)at;

		file_appeared(event);
		at += sizeof(*event) + event->len;
	}
}

// --- Beginning and end ---

static bool common_start(struct event_base *base)
{
	dials.inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	dials.wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (dials.inotify < 0 || dials.wake < 0)
		return false;
	dials.appeared = event_new(base, dials.inotify, EV_READ | EV_PERSIST, on_appeared, NULL);
	dials.woken = event_new(base, dials.wake, EV_READ | EV_PERSIST, on_woken, NULL);
	return dials.appeared && dials.woken && event_add(dials.appeared, NULL) == 0 &&
	       event_add(dials.woken, NULL) == 0;
}

static void common_stop(void)
{
	if (dials.appeared)
		event_free(dials.appeared);
	if (dials.woken)
		event_free(dials.woken);
	if (dials.inotify >= 0)
		close(dials.inotify);
	if (dials.wake >= 0)
		close(dials.wake);
	dials.appeared = dials.woken = NULL;
	dials.inotify = dials.wake = -1;
}

bool vhost_dial_start(struct vhost_dial *dial, struct port *port, const char *path,
	bool (*call)(struct port *), struct rpc_error *error)
{
	struct event_base *base = port->datapath->base;

	dial->port = port;
	dial->path = path;
	dial->call = call;
	dial->watch = -1;
	if (!LIST_EMPTY(&dials.all) || common_start(base))
		dial->timer = evtimer_new(base, on_time, dial);
	if (!dial->timer) {
		rpc_error_set(error, RPC_REFUSED,
			"path=%s: the socket's directory cannot be watched: %s; see sysctl "
			"fs.inotify.max_user_instances and the limit of open files",
			path, strerror(errno));
		if (LIST_EMPTY(&dials.all))
			common_stop();
		return false;
	}
	LIST_INSERT_HEAD(&dials.all, dial, list);
	// What appears from here on is seen.
	directory_watch(dial);
	call_in(dial, 0);
	return true;
}

static bool watch_used(int watch)
{
	struct vhost_dial *dial;

	LIST_FOREACH (dial, &dials.all, list) {
		if (dial->watch == watch)
			return true;
	}
	return false;
}

void vhost_dial_stop(struct vhost_dial *dial)
{
	if (!dial->timer)
		return;
	LIST_REMOVE(dial, list);
	event_free(dial->timer);
	dial->timer = NULL;
	if (dial->watch >= 0 && !watch_used(dial->watch))
		inotify_rm_watch(dials.inotify, dial->watch);
	if (LIST_EMPTY(&dials.all))
		common_stop();
}

void vhost_dial_hung_up(struct vhost_dial *dial, struct port *port)
{
	uint64_t one = 1;

	__atomic_store_n(&dial->hung_up, true, __ATOMIC_RELEASE);
	if (dials.wake >= 0 && write(dials.wake, &one, sizeof(one)) < 0)
		log_error("port %s: cannot tell that its guest has hung up", port->settings.name);
}
