// SPDX-License-Identifier: Apache-2.0
#include "datapath/pmd.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_errno.h>
#include <rte_lcore.h>

#include "datapath/clock.h"
#include "datapath/forward.h"
#include "datapath/log.h"
#include "datapath/packet_in.h"

// --- The thread ---

static void *pmd_main(void *argument)
{
	struct pmd *pmd = argument;
	struct rcu *rcu = &pmd->datapath->rcu;
	uint64_t tsc;
	int result = rte_thread_register() == 0 ? 0 : -rte_errno;

	if (result == 0)
		rcu_reader_start(rcu, pmd->slot);
	__atomic_store_n(&pmd->start_result, result, __ATOMIC_RELEASE);
	if (result != 0)
		return NULL;
	sleeper_be_punctual();
	tsc = rte_rdtsc();
	pmd->busy_tsc = tsc;
	pmd->nap_ns = PMD_NAP_MIN_NS;
	while (!__atomic_load_n(&pmd->stop, __ATOMIC_RELAXED)) {
		struct poll_list *list = __atomic_load_n(&pmd->list, __ATOMIC_ACQUIRE);

		if (unlikely(list->serial != pmd->list_serial))
			pmd_disarm(pmd, list);
		tsc = forward_round(pmd, list, tsc);
		if (unlikely(__atomic_load_n(&pmd->packet_out, __ATOMIC_ACQUIRE)))
			forward_packet_out(pmd);
		if (unlikely(__atomic_load_n(&pmd->reclaim, __ATOMIC_RELAXED)))
			forward_reclaim(pmd, list);
		if (unlikely(tsc - pmd->busy_tsc > list->idle_cycles))
			tsc = pmd_doze(pmd, list, tsc);
		rcu_reader_quiescent(rcu, pmd->slot);
	}
	rcu_reader_stop(rcu, pmd->slot);
	rte_thread_unregister();
	return NULL;
}

#define START_PENDING 1

// Start the thread on its core and wait until it is a reader.
static int thread_start(struct pmd *pmd)
{
	pthread_attr_t attributes;
	cpu_set_t set;
	char name[16];
	int result;

	CPU_ZERO(&set);
	CPU_SET(pmd->core, &set);
	pmd->start_result = START_PENDING;
	pthread_attr_init(&attributes);
	result = pthread_attr_setaffinity_np(&attributes, sizeof(set), &set);
	if (result == 0)
		result = pthread_create(&pmd->thread, &attributes, pmd_main, pmd);
	pthread_attr_destroy(&attributes);
	if (result != 0)
		return -result;
	snprintf(name, sizeof(name), "pmd-c%u", pmd->core % 10000);
	pthread_setname_np(pmd->thread, name);
	while ((result = __atomic_load_n(&pmd->start_result, __ATOMIC_ACQUIRE)) == START_PENDING)
		sched_yield();
	if (result != 0)
		pthread_join(pmd->thread, NULL);
	return result;
}

// --- Poll lists ---

static struct poll_list empty_list = {.idle_cycles = UINT64_MAX};

static void poll_list_sleep(
	struct poll_list *list, const struct poll_plan *plan, const struct poll_sleep *sleep)
{
	static uint64_t serial;
	uint64_t idle_us = poll_plan_idle_us(plan, sleep);

	list->serial = ++serial;
	list->idle_cycles = idle_us == UINT64_MAX ? idle_us : idle_us * clock_base.per_ms / 1000;
	list->sleep_max_ns = sleep->max_us * UINT64_C(1000);
}

static struct poll_list *poll_list_create(const struct pmd *pmd, const struct poll_plan *plan)
{
	size_t size = sizeof(struct poll_list) + plan->count * sizeof(struct poll_entry);
	struct poll_list *list =
		aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(size, RTE_CACHE_LINE_SIZE));

	if (!list)
		return NULL;
	list->count = plan->count;
	poll_list_sleep(list, plan, &pmd->datapath->wanted->sleep);
	for (size_t i = 0; i < plan->count; i++) {
		struct port *port = plan->items[i].port;

		list->entries[i] = (struct poll_entry){
			.rx_burst = port->ops->rx_burst,
			.rx_done = port->ops->rx_done,
			.rx_arm = port->ops->rx_arm,
			.rx_disarm = port->ops->rx_disarm,
			.port = port,
			.slot = port->slots[pmd->slot],
			.bridge = port->bridge,
			.pipeline = port->bridge->pipeline,
			.counters = &port->queues[plan->items[i].queue],
			.queue = plan->items[i].queue,
			.number = port->number,
			.fair.burst = PIPELINE_BURST,
		};
	}
	return list;
}

// Hand the thread what `plan` says; takes the plan over. Without memory it gets nothing to poll,
// until the next change tries again.
static void plan_publish(struct pmd *pmd, struct poll_plan *plan)
{
	struct poll_list *list = plan ? poll_list_create(pmd, plan) : NULL;
	struct poll_list *old = pmd->list;

	if (!list)
		log_error("out of memory for a poll list: the thread on core %u polls nothing",
			pmd->core);
	__atomic_store_n(&pmd->list, list ? list : &empty_list, __ATOMIC_RELEASE);
	pmd_wake(pmd);
	if (old != &empty_list)
		rcu_retire(&pmd->datapath->rcu, free, old);
	free(pmd->plan);
	pmd->plan = plan;
	pmd->sleep = pmd->datapath->wanted->sleep;
}

static size_t sources_list(struct datapath *datapath, struct poll_source *sources)
{
	size_t count = 0;

	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct port *port = datapath->ports[i];
		struct port_view view = {0};

		if (!port || port->paused)
			continue;
		port->ops->view(port, &view);
		sources[count++] = (struct poll_source){
			.name = port->settings.name,
			.port = port,
			.queues = view.rx_queues,
		};
	}
	return count;
}

// Threads that have the right queues may still have to sleep in another way.
static bool sleep_equal(const struct pmd *pmd)
{
	const struct poll_sleep *wanted = &pmd->datapath->wanted->sleep;

	return pmd->sleep.idle_us == wanted->idle_us && pmd->sleep.max_us == wanted->max_us;
}

void pmd_plans_update(struct datapath *datapath)
{
	static struct poll_source sources[PORTS_MAX];
	struct poll_plan *targets[PIPELINE_READERS] = {NULL};
	size_t source_count = sources_list(datapath, sources);
	bool taken_away = false;

	// First take away, everywhere; a queue has one thread at any time.
	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		struct pmd *pmd = datapath->pmds[slot];
		struct poll_plan *common;

		if (!pmd)
			continue;
		pmd_perf_update(pmd);
		targets[slot] = poll_plan_build(
			poll_wanted_find(datapath->wanted, pmd->core), sources, source_count);
		common = targets[slot] ? poll_plan_common(pmd->plan, targets[slot]) : NULL;
		if (common && pmd->plan && common->count == pmd->plan->count) {
			free(common);
			continue;
		}
		taken_away = true;
		plan_publish(pmd, common);
	}
	if (taken_away)
		rcu_wait(&datapath->rcu);
	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		struct pmd *pmd = datapath->pmds[slot];

		if (pmd && targets[slot] && pmd->plan &&
			poll_plan_equal(pmd->plan, targets[slot]) && sleep_equal(pmd))
			free(targets[slot]);
		else if (pmd && targets[slot])
			plan_publish(pmd, targets[slot]);
	}
}

// --- Starting and stopping ---

static void pmd_free(struct pmd *pmd)
{
	learner_end(&pmd->learner);
	sleeper_end(&pmd->sleeper);
	free(pmd->perf);
	free(pmd->packet_ins);
	free(pmd->plan);
	if (pmd->list != &empty_list)
		free(pmd->list);
	free(pmd);
}

static int slot_choose(struct datapath *datapath)
{
	for (int slot = 0; slot < PIPELINE_READERS; slot++) {
		if (!datapath->pmds[slot])
			return slot;
	}
	return -1;
}

// Readers and port slots; kept from then on.
static int slot_prepare(struct datapath *datapath, unsigned slot)
{
	if (datapath->slots_used[slot])
		return 0;
	if (bridge_readers_add(datapath, slot) != 0 || port_slots_add(datapath, slot) != 0)
		return -ENOMEM;
	datapath->slots_used[slot] = true;
	return 0;
}

static int pmd_prepare(struct pmd *pmd)
{
	int result = sleeper_init(&pmd->sleeper);

	pmd->packet_ins = packet_in_ring_create();
	pmd->plan = calloc(1, sizeof(*pmd->plan));
	if (learner_init(&pmd->learner) != 0 || !pmd->packet_ins || !pmd->plan)
		result = -ENOMEM;
	return result != 0 ? result : slot_prepare(pmd->datapath, pmd->slot);
}

static bool pmd_start(struct datapath *datapath, unsigned core, struct rpc_error *error)
{
	const struct eal_cpu *cpu = eal_cpu_find(&datapath->eal, core);
	int slot = slot_choose(datapath), result;
	struct pmd *pmd;

	if (!cpu || slot < 0) {
		if (!cpu)
			rpc_error_set(error, RPC_REFUSED,
				"there is no CPU %u here, or datapathd may not use it", core);
		else
			rpc_error_set(
				error, RPC_REFUSED, "more than %d PMD threads", PIPELINE_READERS);
		return false;
	}
	pmd = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*pmd));
	if (!pmd) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return false;
	}
	memset(pmd, 0, sizeof(*pmd));
	pmd->datapath = datapath;
	pmd->slot = (unsigned)slot;
	pmd->core = core;
	pmd->numa = cpu->numa;
	pmd->list = &empty_list;
	load_history_begin(&pmd->load, rte_rdtsc());
	pmd->sleeper.wake = pmd->sleeper.epoll = -1;
	result = pmd_prepare(pmd);
	if (result == 0)
		result = thread_start(pmd);
	if (result != 0) {
		rpc_error_set(error, RPC_REFUSED, "no PMD thread on core %u: %s", core,
			strerror(-result));
		pmd_free(pmd);
		return false;
	}
	datapath->pmds[slot] = pmd;
	log_info("PMD thread started on core %u", core);
	return true;
}

static void pmd_stop(struct pmd *pmd)
{
	struct datapath *datapath = pmd->datapath;

	__atomic_store_n(&pmd->stop, true, __ATOMIC_RELAXED);
	pmd_wake(pmd);
	pthread_join(pmd->thread, NULL);
	learn_drain(datapath);
	packet_in_send(datapath);
	port_counters_add(&datapath->packet_outs_before, &pmd->packet_outs.counters);
	datapath->pmds[pmd->slot] = NULL;
	log_info("PMD thread stopped on core %u", pmd->core);
	pmd_free(pmd);
}

void pmd_reclaim_all(struct datapath *datapath)
{
	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		if (!datapath->pmds[slot])
			continue;
		__atomic_store_n(&datapath->pmds[slot]->reclaim, true, __ATOMIC_RELEASE);
		pmd_wake(datapath->pmds[slot]);
	}
}

void pmd_stop_all(struct datapath *datapath)
{
	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		if (datapath->pmds[slot])
			pmd_stop(datapath->pmds[slot]);
	}
}

static struct pmd *pmd_find(struct datapath *datapath, unsigned core)
{
	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		if (datapath->pmds[slot] && datapath->pmds[slot]->core == core)
			return datapath->pmds[slot];
	}
	return NULL;
}

// Stop the threads whose core `wanted` (which may be NULL) does not name.
static void stop_unwanted(struct datapath *datapath, const struct poll_wanted *wanted)
{
	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		struct pmd *pmd = datapath->pmds[slot];

		if (pmd && !poll_wanted_find(wanted, pmd->core))
			pmd_stop(pmd);
	}
}

bool pmd_plan_set(struct datapath *datapath, struct poll_wanted *wanted, struct rpc_error *error)
{
	struct poll_wanted *old = datapath->wanted;

	for (size_t i = 0; i < wanted->count; i++) {
		if (pmd_find(datapath, wanted->threads[i].core))
			continue;
		if (!pmd_start(datapath, wanted->threads[i].core, error)) {
			stop_unwanted(datapath, old);
			return false;
		}
	}
	datapath->wanted = wanted;
	// Threads that end let go of their queues by ending, before others get them.
	stop_unwanted(datapath, wanted);
	pmd_plans_update(datapath);
	poll_wanted_destroy(old);
	return true;
}
