// SPDX-License-Identifier: Apache-2.0
#include "datapath/foreign_file.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS_MAX 32

bool foreign_is_eventfd(int descriptor)
{
	char path[32], target[32];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return true; // there is no /proc to ask
	target[length] = '\0';
	return strcmp(target, "anon_inode:[eventfd]") == 0;
}

bool foreign_is_memory(int descriptor)
{
	return fcntl(descriptor, F_GET_SEALS) >= 0;
}

// --- Closing ---

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

	if (foreign_is_eventfd(descriptor) || foreign_is_memory(descriptor)) {
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
