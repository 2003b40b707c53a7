// SPDX-License-Identifier: Apache-2.0
#include "datapath/foreign_close.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "datapath/vhost_gate.h"

#define WAITING_MAX 32

static unsigned waiting;

static void *close_it(void *descriptor)
{
	close((int)(intptr_t)descriptor);
	__atomic_fetch_sub(&waiting, 1, __ATOMIC_RELEASE);
	return NULL;
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
	if (__atomic_fetch_add(&waiting, 1, __ATOMIC_ACQUIRE) < WAITING_MAX &&
		pthread_create(&thread, NULL, close_it, (void *)(intptr_t)descriptor) == 0)
		pthread_detach(thread);
	else
		__atomic_fetch_sub(&waiting, 1, __ATOMIC_RELEASE);
}

unsigned foreign_close_waiting(void)
{
	return __atomic_load_n(&waiting, __ATOMIC_ACQUIRE);
}
