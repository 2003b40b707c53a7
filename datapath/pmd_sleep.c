// SPDX-License-Identifier: Apache-2.0

// PMD threads that have nothing to do.
//
// A thread that sleeps is no reader (datapath/rcu.h): nobody waits for it, and when it comes back
// the ports that it has polled may be gone. So it looks at nothing of its old list, and tells the
// sources of the one that it finds then that it polls again.

#include "datapath/pmd.h"

#include <rte_branch_prediction.h>
#include <rte_cycles.h>

#include "datapath/forward.h"

void pmd_wake(const struct pmd *pmd)
{
	sleeper_wake(&pmd->sleeper);
}

void pmd_wake_all(const struct datapath *datapath)
{
	for (unsigned slot = 0; slot < PIPELINE_READERS; slot++) {
		if (datapath->pmds[slot])
			pmd_wake(datapath->pmds[slot]);
	}
}

void pmd_disarm(struct pmd *pmd, struct poll_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct poll_entry *entry = &list->entries[i];

		if (entry->rx_disarm)
			entry->rx_disarm(entry->port, entry->queue);
	}
	pmd->list_serial = list->serial;
}

// Have every queue wake us from now on. True if the descriptors are those that are watched already.
static bool queues_arm(const struct pmd *pmd, struct poll_list *list)
{
	bool same = pmd->watched == list->serial;

	for (size_t i = 0; i < list->count; i++) {
		struct poll_entry *entry = &list->entries[i];
		struct wake_source source = {.kind = WAKE_BY_TIME};

		if (entry->rx_arm)
			entry->rx_arm(entry->port, entry->queue, &source);
		same &= source.kind == entry->source.kind && source.serial == entry->source.serial;
		entry->source = source;
	}
	return same;
}

// A set of descriptors keeps what was closed here and not by the guest, so it is made anew if
// anything in it is another.
static void queues_watch(struct pmd *pmd, struct poll_list *list)
{
	sleeper_forget(&pmd->sleeper);
	for (size_t i = 0; i < list->count; i++) {
		struct poll_entry *entry = &list->entries[i];
		const struct wake_source *source = &entry->source;

		entry->silent =
			source->kind == WAKE_BY_TIME ||
			(source->kind == WAKE_BY_DESCRIPTOR &&
				!sleeper_watch(&pmd->sleeper, source->descriptor, source->edge));
	}
	pmd->watched = list->serial;
}

// How long it may sleep.
static uint64_t nap(struct pmd *pmd, const struct poll_list *list)
{
	bool silent = false;

	for (size_t i = 0; i < list->count; i++)
		silent |= list->entries[i].silent;
	if (!silent)
		return SLEEP_FOREVER;
	return RTE_MIN(pmd->nap_ns, list->sleep_max_ns);
}

uint64_t pmd_doze(struct pmd *pmd, struct poll_list *list, uint64_t tsc)
{
	uint64_t last_busy = pmd->busy_tsc, length, woken;

	if (!queues_arm(pmd, list))
		queues_watch(pmd, list);
	length = nap(pmd, list);
	pmd->list_serial = 0; // to be disarmed
	// What came before wakes nobody.
	tsc = forward_round(pmd, list, tsc);
	if (pmd->busy_tsc != last_busy)
		return tsc;
	if (length == 0) {
		// Not again at once.
		pmd->busy_tsc = tsc;
		return tsc;
	}
	rcu_reader_leave(&pmd->datapath->rcu, pmd->slot);
	__atomic_store_n(&pmd->asleep_tsc, tsc, __ATOMIC_RELAXED);
	sleeper_sleep(&pmd->sleeper, length);
	rcu_reader_return(&pmd->datapath->rcu, pmd->slot);
	woken = rte_rdtsc();
	pmd->nap_ns = RTE_MIN(2 * pmd->nap_ns, UINT64_C(1) << 40);
	counter_add(&pmd->counters.sleeps, 1);
	__atomic_store_n(&pmd->asleep_tsc, 0, __ATOMIC_RELAXED);
	counter_add(&pmd->counters.cycles_asleep, woken - tsc);
	return woken;
}
