// SPDX-License-Identifier: Apache-2.0
#include "datapath/pmd_perf.h"

static const struct {
	const char *name;
	unsigned octave; // of the least value of the second bin
} metrics[PERF_METRICS] = {
	[PERF_CYCLES] = {"cycles", 8},
	[PERF_PACKETS] = {"packets", 1},
	[PERF_CYCLES_PER_PACKET] = {"cycles_per_packet", 4},
	[PERF_BATCH] = {"batch", 0},
};

const char *perf_metric_name(enum perf_metric metric)
{
	return metrics[metric].name;
}

unsigned perf_bin(enum perf_metric metric, uint64_t value)
{
	unsigned octave, bin;

	if (metric == PERF_BATCH)
		return value == 0 ? 0 : value > PERF_BINS ? PERF_BINS - 1 : (unsigned)value - 1;
	if (value < UINT64_C(1) << metrics[metric].octave)
		return 0;
	octave = 63 - (unsigned)__builtin_clzll(value);
	bin = 1 + 2 * (octave - metrics[metric].octave) + (value >> (octave - 1) & 1);
	return bin < PERF_BINS ? bin : PERF_BINS - 1;
}

uint64_t perf_bin_least(enum perf_metric metric, unsigned bin)
{
	if (metric == PERF_BATCH)
		return bin + 1;
	if (bin == 0)
		return 0;
	return (UINT64_C(2) + (bin - 1) % 2) << (metrics[metric].octave + (bin - 1) / 2 - 1);
}

static void count(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

static void millisecond_add(struct pmd_perf *perf, struct perf_round round, uint64_t now)
{
	struct perf_millisecond *ms = &perf->ms[(perf->milliseconds - 1) % PERF_HISTORY];

	if (perf->milliseconds == 0 || ms->ms != now) {
		ms = &perf->ms[perf->milliseconds % PERF_HISTORY];
		*ms = (struct perf_millisecond){.ms = now};
		__atomic_store_n(&perf->milliseconds, perf->milliseconds + 1, __ATOMIC_RELEASE);
	}
	ms->cycles += round.cycles;
	ms->rounds++;
	ms->packets += round.packets;
	ms->batches += round.batches;
}

void perf_add(struct pmd_perf *perf, struct perf_round round, uint64_t ms)
{
	const uint64_t values[PERF_METRICS] = {
		[PERF_CYCLES] = round.cycles,
		[PERF_PACKETS] = round.packets,
		[PERF_CYCLES_PER_PACKET] = round.cycles / round.packets,
		[PERF_BATCH] = (round.packets + round.batches / 2) / round.batches,
	};

	for (unsigned m = 0; m < PERF_METRICS; m++)
		count(&perf->bins[m][perf_bin(m, values[m])]);
	perf->history[perf->rounds % PERF_HISTORY] = round;
	__atomic_store_n(&perf->rounds, perf->rounds + 1, __ATOMIC_RELEASE);
	millisecond_add(perf, round, ms);
	if (round.cycles < perf->suspicious_cycles)
		return;
	perf->suspect = round;
	__atomic_store_n(&perf->suspicious, perf->suspicious + 1, __ATOMIC_RELEASE);
}
