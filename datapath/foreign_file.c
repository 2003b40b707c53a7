// SPDX-License-Identifier: Apache-2.0
#include "datapath/foreign_close.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "datapath/vhost_gate.h"

#define THREADS_MAX 32

// Threads come when there is something to do, and go when there is nothing any more.
static struct {
	pthread_mutex_t lock;
	int *descriptors; // that no thread has taken yet
	size_t count, room;
	unsigned threads;
} aside = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *close_all(void *unused)
{
	pthread_mutex_lock(&aside.lock);
	while (aside.count > 0) {
		int descriptor = aside.descriptors[--aside.count];

		pthread_mutex_unlock(&aside.lock);
		close(descriptor);
		pthread_mutex_lock(&aside.lock);
	}
	aside.threads--;
	pthread_mutex_unlock(&aside.lock);
	return NULL;
}

// With the lock held. False: there is no memory.
static bool push(int descriptor)
{
	if (aside.count == aside.room) {
		size_t room = aside.room ? 2 * aside.room : 64;
		int *larger = realloc(aside.descriptors, room * sizeof(*larger));

		if (!larger)
			return false;
		aside.descriptors = larger;
		aside.room = room;
	}
	aside.descriptors[aside.count++] = descriptor;
	return true;
}

void foreign_close(int descriptor)
{
	const struct linger none = {.l_onoff = 1};
	pthread_t thread;

	if (vhost_gate_is_eventfd(descriptor) || vhost_gate_is_memory(descriptor)) {
		close(descriptor);
		return;
	}
	// What it has not sent yet is lost.
	(void)setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	pthread_mutex_lock(&aside.lock);
	if (push(descriptor) && aside.threads < THREADS_MAX &&
		pthread_create(&thread, NULL, close_all, NULL) == 0) {
		aside.threads++;
		pthread_detach(thread);
	}
	pthread_mutex_unlock(&aside.lock);
}

bool foreign_close_idle(void)
{
	bool idle;

	pthread_mutex_lock(&aside.lock);
	idle = aside.count == 0 && aside.threads == 0;
	pthread_mutex_unlock(&aside.lock);
	return idle;
}
