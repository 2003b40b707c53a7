// SPDX-License-Identifier: Apache-2.0
#include "datapath/load_history.h"

#include <stddef.h>

void load_history_begin(struct load_history *history, uint64_t tsc)
{
	*history = (struct load_history){0};
	load_history_add(history, (struct load_sample){.tsc = tsc});
}

void load_history_add(struct load_history *history, struct load_sample sample)
{
	history->samples[history->next] = sample;
	history->next = (history->next + 1) % LOAD_SAMPLES;
	if (history->count < LOAD_SAMPLES)
		history->count++;
}

struct load_sample load_history_since(
	const struct load_history *history, struct load_sample now, uint64_t cycles)
{
	const struct load_sample *from = NULL, *newer;

	for (unsigned i = 1; history && i <= history->count; i++) {
		newer = from;
		from = &history->samples[(history->next + LOAD_SAMPLES - i) % LOAD_SAMPLES];
		if (now.tsc - from->tsc < cycles)
			continue;
		// The timer may have been late: the one that is nearer.
		if (newer && cycles - (now.tsc - newer->tsc) < now.tsc - from->tsc - cycles)
			from = newer;
		break;
	}
	if (!from)
		return (struct load_sample){0};
	return (struct load_sample){
		now.tsc - from->tsc, now.cycles - from->cycles, now.packets - from->packets};
}

double load_percent(struct load_sample span)
{
	// Time and cycles are not read in the same moment.
	if (span.cycles > span.tsc)
		return 100;
	return span.tsc ? 100.0 * (double)span.cycles / (double)span.tsc : 0;
}

double load_headroom(struct load_sample span, uint64_t hz)
{
	double idle = span.cycles < span.tsc ? (double)(span.tsc - span.cycles) : 0;

	if (span.packets == 0 || span.cycles == 0)
		return 0;
	return idle / (double)span.cycles * (double)span.packets * (double)hz / (double)span.tsc;
}
