// SPDX-License-Identifier: Apache-2.0

// The control thread's side of pmd_perf.h: on and off, pmd.perf, and the log of suspicious rounds.

#include <stdlib.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "datapath/log.h"
#include "datapath/pmd.h"

// The oldest of a history may be being overwritten.
#define PERF_SAFE (PERF_HISTORY - 8)

static struct pmd_perf *perf_create(const struct poll_perf *wanted)
{
	struct pmd_perf *perf = calloc(1, sizeof(*perf));

	if (perf)
		perf->suspicious_cycles =
			wanted->log_us ? wanted->log_us * (rte_get_tsc_hz() / 1000000) : UINT64_MAX;
	return perf;
}

// Without memory, nothing is measured.
static void perf_replace(struct pmd *pmd, struct pmd_perf *perf)
{
	struct pmd_perf *old = pmd->perf;

	__atomic_store_n(&pmd->perf, perf, __ATOMIC_RELEASE);
	if (old)
		rcu_retire(&pmd->datapath->rcu, free, old);
}

void pmd_perf_update(struct pmd *pmd)
{
	const struct poll_perf *wanted = &pmd->datapath->wanted->perf;

	if (pmd->perf_wanted.on == wanted->on && pmd->perf_wanted.log_us == wanted->log_us)
		return;
	pmd->perf_wanted = *wanted;
	perf_replace(pmd, wanted->on ? perf_create(wanted) : NULL);
}

void pmd_perf_clear(struct pmd *pmd)
{
	if (pmd->perf)
		perf_replace(pmd, perf_create(&pmd->perf_wanted));
}

// --- pmd.perf ---

static json_t *histogram_json(const struct pmd_perf *perf, enum perf_metric metric)
{
	json_t *bins = json_array();

	for (unsigned bin = 0; bin < PERF_BINS; bin++)
		json_array_append_new(
			bins, json_pack("[I, I]", (json_int_t)perf_bin_least(metric, bin),
				      (json_int_t)__atomic_load_n(
					      &perf->bins[metric][bin], __ATOMIC_RELAXED)));
	return bins;
}

static json_t *histograms_json(const struct pmd_perf *perf)
{
	json_t *histograms = json_object();

	for (unsigned m = 0; m < PERF_METRICS; m++)
		json_object_set_new(histograms, perf_metric_name(m), histogram_json(perf, m));
	return histograms;
}

// The last `count`, the newest first.
static json_t *rounds_json(const struct pmd_perf *perf, unsigned count)
{
	uint64_t next = __atomic_load_n(&perf->rounds, __ATOMIC_ACQUIRE), now = rte_rdtsc();
	json_t *rounds = json_array();

	for (unsigned i = 1; i <= RTE_MIN(count, PERF_SAFE) && i <= next; i++) {
		const struct perf_round *round = &perf->history[(next - i) % PERF_HISTORY];

		json_array_append_new(rounds,
			json_pack("{s:I, s:I, s:i, s:i}", "us_ago",
				(json_int_t)((now - round->tsc) / (rte_get_tsc_hz() / 1000000)),
				"cycles", (json_int_t)round->cycles, "packets", (int)round->packets,
				"batches", (int)round->batches));
	}
	return rounds;
}

static json_t *milliseconds_json(const struct pmd_perf *perf, unsigned count)
{
	uint64_t next = __atomic_load_n(&perf->milliseconds, __ATOMIC_ACQUIRE);
	json_t *list = json_array();

	for (unsigned i = 1; i <= RTE_MIN(count, PERF_SAFE) && i <= next; i++) {
		const struct perf_millisecond *ms = &perf->ms[(next - i) % PERF_HISTORY];

		json_array_append_new(
			list, json_pack("{s:I, s:I, s:i, s:i, s:i}", "ms", (json_int_t)ms->ms,
				      "cycles", (json_int_t)ms->cycles, "rounds", (int)ms->rounds,
				      "packets", (int)ms->packets, "batches", (int)ms->batches));
	}
	return list;
}

json_t *pmd_perf_json(
	struct datapath *datapath, bool histograms, unsigned rounds, unsigned milliseconds)
{
	json_t *threads = json_array();

	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		const struct pmd *pmd = datapath->pmds[slot];
		json_t *thread;

		if (!pmd || !pmd->perf)
			continue;
		thread = json_pack("{s:i, s:I, s:I, s:I}", "core", (int)pmd->core, "cycles_hz",
			(json_int_t)rte_get_tsc_hz(), "rounds",
			(json_int_t)__atomic_load_n(&pmd->perf->rounds, __ATOMIC_RELAXED),
			"suspicious",
			(json_int_t)__atomic_load_n(&pmd->perf->suspicious, __ATOMIC_RELAXED));
		if (histograms)
			json_object_set_new(thread, "histograms", histograms_json(pmd->perf));
		if (rounds)
			json_object_set_new(thread, "last_rounds", rounds_json(pmd->perf, rounds));
		if (milliseconds)
			json_object_set_new(thread, "last_milliseconds",
				milliseconds_json(pmd->perf, milliseconds));
		json_array_append_new(threads, thread);
	}
	return threads;
}

// --- Suspicious rounds ---

static void suspicious_log(const struct pmd *pmd, struct pmd_perf *perf)
{
	uint64_t count = __atomic_load_n(&perf->suspicious, __ATOMIC_ACQUIRE);
	uint64_t per_us = rte_get_tsc_hz() / 1000000;
	const struct perf_round *round = &perf->suspect;

	if (count == perf->noted)
		return;
	log_warning("PMD thread on core %u: a round took %llu us for %u packets in %u batches; "
		    "%llu such since this was said last",
		pmd->core, (unsigned long long)(round->cycles / per_us), round->packets,
		round->batches, (unsigned long long)(count - perf->noted));
	perf->noted = count;
}

void pmd_perf_log(struct datapath *datapath)
{
	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		struct pmd *pmd = datapath->pmds[slot];

		if (pmd && pmd->perf)
			suspicious_log(pmd, pmd->perf);
	}
}
