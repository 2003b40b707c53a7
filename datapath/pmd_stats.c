// SPDX-License-Identifier: Apache-2.0

// What PMD threads have done, for pmd.stats. pmd.clear keeps no other thread waiting: it remembers
// where the counters stood.

#include <stdlib.h>
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
	// A thread that sleeps counts when it wakes, which may never be.
	uint64_t asleep = read_counter(&now->cycles_asleep), since = read_counter(&pmd->asleep_tsc);

	return (struct pmd_counters){
		.cycles_busy = read_counter(&now->cycles_busy),
		.cycles_idle = read_counter(&now->cycles_idle),
		.cycles_asleep = since ? asleep + rte_rdtsc() - since : asleep,
		.sleeps = read_counter(&now->sleeps),
		.iterations = read_counter(&now->iterations),
		.rx_packets = read_counter(&now->rx_packets),
		.rx_batches = read_counter(&now->rx_batches),
		.tx_packets = read_counter(&now->tx_packets),
		.drops = read_counter(&now->drops),
	};
}

static json_t *number(uint64_t now, uint64_t base)
{
	// Of a thread that wakes up just now, the base may be a little more.
	return json_integer(now > base ? (json_int_t)(now - base) : 0);
}

// --- Loads ---

#define OVERLOAD_PERCENT 95
#define RELIEF_PERCENT 85 // not the same, or it would be told again and again

static const struct {
	const char *name;
	unsigned seconds;
} windows[] = {{"load_5s", 5}, {"load_60s", 60}, {"load_300s", 300}};

static struct load_sample thread_sample(const struct pmd *pmd)
{
	return (struct load_sample){rte_rdtsc(), read_counter(&pmd->counters.cycles_busy),
		read_counter(&pmd->counters.rx_packets)};
}

static struct load_sample queue_sample(const struct queue_counters *counters)
{
	return (struct load_sample){
		rte_rdtsc(), read_counter(&counters->cycles), read_counter(&counters->packets)};
}

static void loads_set(json_t *object, const struct load_history *history, struct load_sample now)
{
	for (size_t i = 0; i < RTE_DIM(windows); i++)
		json_object_set_new(object, windows[i].name,
			json_real(load_percent(load_history_since(
				history, now, windows[i].seconds * rte_get_tsc_hz()))));
}

// Since there is the port. NULL: no memory, and no load is known.
static struct load_history *queue_load(struct port *port, unsigned queue)
{
	struct load_history **load = &port->loads[queue];

	if (!*load) {
		*load = malloc(sizeof(**load));
		if (*load)
			load_history_begin(*load, port->start_tsc);
	}
	return *load;
}

static void queues_sample(struct port *port)
{
	for (unsigned q = 0; q < PORT_QUEUES; q++) {
		bool used = port->loads[q] || read_counter(&port->queues[q].packets) > 0;
		struct load_history *load = used ? queue_load(port, q) : NULL;

		if (load)
			load_history_add(load, queue_sample(&port->queues[q]));
	}
}

static void overload_tell(struct datapath *datapath, struct pmd *pmd)
{
	double percent = load_percent(load_history_since(
		&pmd->load, thread_sample(pmd), LOAD_SAMPLE_S * rte_get_tsc_hz()));
	bool overloaded = percent >= (pmd->overloaded ? RELIEF_PERCENT : OVERLOAD_PERCENT);

	if (overloaded == pmd->overloaded)
		return;
	pmd->overloaded = overloaded;
	if (datapath->server)
		rpc_server_notify_all(datapath->server, "pmd.overload",
			json_pack("{s:i, s:b, s:f}", "core", (int)pmd->core, "overloaded",
				overloaded, "load_percent", percent));
}

void pmd_loads_sample(struct datapath *datapath)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		if (datapath->ports[i])
			queues_sample(datapath->ports[i]);
	}
	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		struct pmd *pmd = datapath->pmds[slot];

		if (!pmd)
			continue;
		overload_tell(datapath, pmd);
		load_history_add(&pmd->load, thread_sample(pmd));
	}
}

// --- Counters ---

static json_t *queue_stats(const struct pmd *pmd, const struct poll_wanted_queue *wanted)
{
	struct port *port = ports_find(pmd->datapath, wanted->port);
	const struct queue_counters *now = port ? &port->queues[wanted->queue] : NULL;
	const struct queue_counters *base = port ? &port->queues_base[wanted->queue] : NULL;

	json_t *stats = json_pack("{s:s, s:i, s:b, s:s, s:o, s:o}", "port", wanted->port, "queue",
		(int)wanted->queue, "enabled", poll_plan_has(pmd->plan, port, wanted->queue),
		"mode", rx_mode_name(wanted->mode), "packets",
		now ? number(read_counter(&now->packets), base->packets) : json_integer(0),
		"cycles", now ? number(read_counter(&now->cycles), base->cycles) : json_integer(0));

	if (port)
		loads_set(stats, queue_load(port, wanted->queue), queue_sample(now));
	return stats;
}

static json_t *thread_stats(const struct pmd *pmd)
{
	const struct poll_wanted_thread *wanted =
		poll_wanted_find(pmd->datapath->wanted, pmd->core);
	struct pmd_counters now = counters_read(pmd);
	const struct pmd_counters *base = &pmd->base;
	json_t *queues = json_array(), *stats;

	for (size_t i = 0; wanted && i < wanted->count; i++)
		json_array_append_new(queues, queue_stats(pmd, &wanted->queues[i]));
	stats = json_pack("{s:i, s:i, s:i, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"core", (int)pmd->core, "numa", pmd->numa, "thread", (int)pmd->slot, "cycles_busy",
		number(now.cycles_busy, base->cycles_busy), "cycles_idle",
		number(now.cycles_idle, base->cycles_idle), "cycles_asleep",
		number(now.cycles_asleep, base->cycles_asleep), "cycles_hz",
		(json_int_t)rte_get_tsc_hz(), "sleeps", number(now.sleeps, base->sleeps),
		"iterations", number(now.iterations, base->iterations), "rx_packets",
		number(now.rx_packets, base->rx_packets), "rx_batches",
		number(now.rx_batches, base->rx_batches), "tx_packets",
		number(now.tx_packets, base->tx_packets), "drops", number(now.drops, base->drops),
		"queues", queues);
	loads_set(stats, &pmd->load, thread_sample(pmd));
	json_object_set_new(stats, "headroom_pps",
		json_integer((json_int_t)load_headroom(
			load_history_since(&pmd->load, thread_sample(pmd), 60 * rte_get_tsc_hz()),
			rte_get_tsc_hz())));
	return stats;
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
		if (!datapath->pmds[slot])
			continue;
		datapath->pmds[slot]->base = counters_read(datapath->pmds[slot]);
		pmd_perf_clear(datapath->pmds[slot]);
	}
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct port *port = datapath->ports[i];

		for (unsigned q = 0; port && q < PORT_QUEUES; q++) {
			port->queues_base[q].packets = read_counter(&port->queues[q].packets);
			port->queues_base[q].cycles = read_counter(&port->queues[q].cycles);
		}
	}
}
