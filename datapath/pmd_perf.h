// SPDX-License-Identifier: Apache-2.0
#pragma once

// What single rounds of a packet thread were like: histograms, the last rounds, the last
// milliseconds, and rounds that took suspiciously long. Only rounds with packets count.
//
// The thread writes, with plain stores that a reader sees whole; the control thread reads at any
// time. An entry of a history that is being overwritten may be half new, so the oldest are not
// looked at. Pure.

#include <stdbool.h>
#include <stdint.h>

#define PERF_BINS 32
#define PERF_HISTORY 1024

enum perf_metric {
	PERF_CYCLES,            // of a round
	PERF_PACKETS,           // of a round
	PERF_CYCLES_PER_PACKET, // of a round
	PERF_BATCH,             // packets of a batch, on the average of a round
	PERF_METRICS,
};

const char *perf_metric_name(enum perf_metric metric);

struct perf_round {
	uint64_t tsc; // at its end
	uint64_t cycles;
	uint32_t packets, batches;
};

struct perf_millisecond {
	uint64_t ms; // the thread's clock
	uint64_t cycles;
	uint32_t rounds, packets, batches;
};

struct pmd_perf {
	// Control only, set before the thread gets it.
	uint64_t suspicious_cycles; // from which a round is noted; UINT64_MAX: never
	uint64_t noted;             // suspicious ones that have been logged
	// The thread's.
	uint64_t rounds, suspicious;
	uint64_t bins[PERF_METRICS][PERF_BINS];
	struct perf_round history[PERF_HISTORY]; // round n at n % PERF_HISTORY
	struct perf_round suspect;               // the last one
	uint64_t milliseconds;
	struct perf_millisecond ms[PERF_HISTORY]; // the same
};

// The bin of a value, and the least value that is in a bin. Bins of all but PERF_BATCH are half an
// octave wide, beginning somewhere; the first has all that is less and the last all that is more.
unsigned perf_bin(enum perf_metric metric, uint64_t value);
uint64_t perf_bin_least(enum perf_metric metric, unsigned bin);

// A round with packets has ended, in the millisecond `ms`.
void perf_add(struct pmd_perf *perf, struct perf_round round, uint64_t ms);
