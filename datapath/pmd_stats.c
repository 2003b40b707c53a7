// SPDX-License-Identifier: Apache-2.0

// What PMD threads have done, for pmd.stats. pmd.clear keeps no other thread waiting: it remembers
// where the counters stood.

#include <string.h>

#include "datapath/pmd.h"

#include <rte_cycles.h>

static uint64_t read_counter(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static struct pmd_counters counters_read(const struct pmd *pmd)
{
	const struct pmd_counters *now = &pmd->counters;

	return (struct pmd_counters){
		.cycles_busy = read_counter(&now->cycles_busy),
		.cycles_idle = read_counter(&now->cycles_idle),
		.iterations = read_counter(&now->iterations),
		.rx_packets = read_counter(&now->rx_packets),
		.rx_batches = read_counter(&now->rx_batches),
		.tx_packets = read_counter(&now->tx_packets),
		.drops = read_counter(&now->drops),
	};
}

static json_t *number(uint64_t now, uint64_t base)
{
	return json_integer((json_int_t)(now - base));
}

static json_t *queue_stats(const struct pmd *pmd, const struct poll_wanted_queue *wanted)
{
	const struct port *port = ports_find(pmd->datapath, wanted->port);
	const struct queue_counters *now = port ? &port->queues[wanted->queue] : NULL;
	const struct queue_counters *base = port ? &port->queues_base[wanted->queue] : NULL;

	return json_pack("{s:s, s:i, s:b, s:o, s:o}", "port", wanted->port, "queue",
		(int)wanted->queue, "enabled", poll_plan_has(pmd->plan, port, wanted->queue),
		"packets",
		now ? number(read_counter(&now->packets), base->packets) : json_integer(0),
		"cycles", now ? number(read_counter(&now->cycles), base->cycles) : json_integer(0));
}

static json_t *thread_stats(const struct pmd *pmd)
{
	const struct poll_wanted_thread *wanted =
		poll_wanted_find(pmd->datapath->wanted, pmd->core);
	struct pmd_counters now = counters_read(pmd);
	const struct pmd_counters *base = &pmd->base;
	json_t *queues = json_array();

	for (size_t i = 0; wanted && i < wanted->count; i++)
		json_array_append_new(queues, queue_stats(pmd, &wanted->queues[i]));
	return json_pack("{s:i, s:i, s:i, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "core",
		(int)pmd->core, "numa", pmd->numa, "thread", (int)pmd->slot, "cycles_busy",
		number(now.cycles_busy, base->cycles_busy), "cycles_idle",
		number(now.cycles_idle, base->cycles_idle), "cycles_hz",
		(json_int_t)rte_get_tsc_hz(), "iterations",
		number(now.iterations, base->iterations), "rx_packets",
		number(now.rx_packets, base->rx_packets), "rx_batches",
		number(now.rx_batches, base->rx_batches), "tx_packets",
		number(now.tx_packets, base->tx_packets), "drops", number(now.drops, base->drops),
		"queues", queues);
}

json_t *pmd_stats(struct datapath *datapath)
{
	json_t *threads = json_array();

	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		if (datapath->pmds[slot])
			json_array_append_new(threads, thread_stats(datapath->pmds[slot]));
	}
	return threads;
}

void pmd_stats_clear(struct datapath *datapath)
{
	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		if (datapath->pmds[slot])
			datapath->pmds[slot]->base = counters_read(datapath->pmds[slot]);
	}
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct port *port = datapath->ports[i];

		for (unsigned q = 0; port && q < PORT_QUEUES; q++) {
			port->queues_base[q].packets = read_counter(&port->queues[q].packets);
			port->queues_base[q].cycles = read_counter(&port->queues[q].cycles);
		}
	}
}
