// SPDX-License-Identifier: Apache-2.0
#include "datapath/datapath.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "datapath/builder.h"
#include "datapath/log.h"
#include "datapath/mbuf_pool.h"
#include "datapath/packet_in.h"
#include "datapath/port_vhost.h"
#include "datapath/pmd.h"

#define TICK_MS 100
#define LEARN_MANY (LEARN_RING / 8)
#define REFRESH_TICKS 5 // looking for links that changed without a word

void datapath_wake(struct datapath *datapath)
{
	uint64_t one = 1;

	// Only a full counter makes this fail, and then the control thread is awake anyway.
	if (write(datapath->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void datapath_tidy(struct datapath *datapath)
{
	rcu_drain(&datapath->rcu);
}

// Learn what there is, and have the first thread that sees something new wake us. While addresses
// keep coming, threads need not (a wake-up is a system call): a timer looks again, often only if
// there are many.
static void learn(struct datapath *datapath)
{
	static const struct timeval soon = {0, 1000}, later = {0, 10000};
	unsigned count = learn_drain(datapath);

	if (count == 0) {
		__atomic_store_n(&datapath->learn_sleeping, true, __ATOMIC_SEQ_CST);
		count = learn_drain(datapath);
		if (count == 0)
			return;
		__atomic_store_n(&datapath->learn_sleeping, false, __ATOMIC_SEQ_CST);
	}
	event_add(datapath->learn_event, count > LEARN_MANY ? &soon : &later);
}

static void on_learn(evutil_socket_t fd, short what, void *context)
{
	learn(context);
}

static void on_wake(evutil_socket_t fd, short what, void *context)
{
	struct datapath *datapath = context;
	struct memory_fault fault;
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_error("cannot read the wake-up event: %s", strerror(errno));
	if (__atomic_exchange_n(&datapath->ports_changed, false, __ATOMIC_ACQ_REL)) {
		// Rings that a thread could not wait for may be there.
		pmd_wake_all(datapath);
		ports_refresh(datapath);
	}
	while (memory_fault_take(&fault))
		vhost_memory_withdrawn(&fault);
	learn(datapath);
	packet_in_send(datapath);
	rcu_drain(&datapath->rcu);
}

// Once more when there are enough again: a thread that found no buffer may sleep by now.
static void buffers_look(struct datapath *datapath)
{
	bool low = mbuf_pools_low();

	if (low || datapath->mbufs_low)
		pmd_reclaim_all(datapath);
	datapath->mbufs_low = low;
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
	struct datapath *datapath = context;

	if (++datapath->ticks % REFRESH_TICKS == 0)
		ports_refresh(datapath);
	if (datapath->ticks % (LOAD_SAMPLE_S * 1000 / TICK_MS) == 0)
		pmd_loads_sample(datapath);
	if (datapath->ticks % (1000 / TICK_MS) == 0)
		pmd_perf_log(datapath);
	buffers_look(datapath);
	learn_drain(datapath);
	bridges_age(datapath);
	builder_step(datapath->builder, datapath);
	rcu_drain(&datapath->rcu);
}

static void instance_choose(struct datapath *datapath)
{
	unsigned char bytes[16];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	datapath->start_ms = now.tv_sec * 1000 + now.tv_nsec / 1000000;
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		memcpy(bytes, &now, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(datapath->instance + 2 * i, 3, "%02x", bytes[i]);
}

bool datapath_init(struct datapath *datapath, struct rpc_error *error)
{
	static const struct timeval tick = {0, TICK_MS * 1000};

	instance_choose(datapath);
	datapath->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (datapath->wake_fd < 0 || rcu_init(&datapath->rcu) != 0 ||
		!memory_fault_start(datapath->wake_fd)) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "no memory or file descriptor to start");
		return false;
	}
	datapath->wake_event = event_new(
		datapath->base, datapath->wake_fd, EV_READ | EV_PERSIST, on_wake, datapath);
	datapath->tick_event = event_new(datapath->base, -1, EV_PERSIST, on_tick, datapath);
	datapath->learn_event = evtimer_new(datapath->base, on_learn, datapath);
	if (!datapath->wake_event || !datapath->tick_event || !datapath->learn_event) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return false;
	}
	datapath->builder = builder_create();
	if (!datapath->builder) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "no thread to start: %s", strerror(errno));
		return false;
	}
	event_add(datapath->wake_event, NULL);
	event_add(datapath->tick_event, &tick);
	datapath->learn_sleeping = true;
	datapath->packet_in_sleeping = true;
	return true;
}

void datapath_end(struct datapath *datapath)
{
	pmd_stop_all(datapath);
	builder_destroy(datapath->builder);
	datapath->builder = NULL;
	for (unsigned i = 0; i < BRIDGES_MAX; i++) {
		if (datapath->bridges[i])
			bridge_delete(datapath->bridges[i]);
	}
	poll_wanted_destroy(datapath->wanted);
	datapath->wanted = NULL;
	rcu_end(&datapath->rcu);
	if (datapath->learn_event)
		event_free(datapath->learn_event);
	if (datapath->tick_event)
		event_free(datapath->tick_event);
	if (datapath->wake_event)
		event_free(datapath->wake_event);
	if (datapath->wake_fd > 0)
		close(datapath->wake_fd);
}
