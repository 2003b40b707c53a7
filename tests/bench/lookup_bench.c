// SPDX-License-Identifier: Apache-2.0
// How fast are flow tables? Prints TSC cycles per lookup and the time per insertion, for
// ClassBench-like access lists and for exact-match flows. Keys are hot, as after parsing; rules are
// as hot as the number of packets between two uses makes them. The best of several rounds counts:
// the others were disturbed. "acl" lists contain rules that match nearly everything, and most
// packets end there; "acl narrow" lists do not. lookup_bench [SEED]

#include <stdio.h>
#include <x86intrin.h>

#include "tests/bench/lookup_lists.h"

#define PACKETS (1u << 16)
#define ROUNDS 9

// --- Measuring ---

static double lookup_cycles(const struct flow_table *table, const struct packet_key *packets,
	unsigned burst, size_t *hits)
{
	static struct packet_key hot[LOOKUP_BURST];
	const struct packet_key *keys[LOOKUP_BURST];
	const struct rule *best[LOOKUP_BURST];
	double best_round = 1e9;

	for (unsigned i = 0; i < LOOKUP_BURST; i++)
		keys[i] = &hot[i];
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t cycles = 0;

		*hits = 0;
		for (unsigned p = 0; p + burst <= PACKETS; p += burst) {
			memcpy(hot, &packets[p], burst * sizeof hot[0]);
			uint64_t start = __rdtsc();
			flow_table_find(table, 1, keys,
				burst == 32 ? UINT32_MAX : (1u << burst) - 1, burst, best);
			for (unsigned i = 0; i < burst; i++)
				*hits += best[i] && best[i]->priority > 0;
			cycles += __rdtsc() - start;
		}
		double each = (double)cycles / (PACKETS / burst * burst);
		best_round = each < best_round ? each : best_round;
	}
	return best_round;
}

static void measure(const char *name, struct rule *rules, size_t count, bool shuffle)
{
	static struct packet_key packets[PACKETS];
	struct flow_table *table = flow_table_create(at_once);
	struct rule **order = malloc(count * sizeof *order);
	struct flow_table_shape shape;
	size_t hits, none;

	for (size_t r = 0; r < count; r++)
		order[r] = &rules[r];
	for (size_t r = count; shuffle && r > 1; r--) {
		size_t other = random_below((uint32_t)r);
		struct rule *swap = order[r - 1];

		order[r - 1] = order[other];
		order[other] = swap;
	}
	uint64_t start = now_us();
	for (size_t r = 0; r < count; r++) {
		if (!table || flow_table_insert(table, order[r]) != 0)
			abort();
	}
	uint64_t inserted = now_us() - start;
	flow_table_shape(table, &shape);
	for (unsigned p = 0; p < PACKETS; p++)
		packet_make(&packets[p], rules, count, 10);
	double mixed = lookup_cycles(table, packets, 32, &hits);
	double single = lookup_cycles(table, packets, 1, &none);
	for (unsigned p = 0; p < PACKETS; p++)
		packet_make(&packets[p], rules, count, 100);
	double missing = lookup_cycles(table, packets, 32, &none);
	start = now_us();
	for (size_t r = 0; r < count; r++)
		flow_table_remove(table, order[r]);
	uint64_t removed = now_us() - start;
	printf("%-14s %7zu | %6.0f %6.0f %6.0f | %8.2f %8.2f | %2u %3u %6u %8zu | %5.1f%%\n", name,
		count, mixed, single, missing, (double)inserted / 1000, (double)removed / 1000,
		shape.hashes.count, shape.blocks.count, shape.cycles, shape.memory / 1024,
		100.0 * (double)hits / PACKETS);
	flow_table_destroy(table);
	free(order);
	free(rules);
}

int main(int argc, char **argv)
{
	static const size_t acl_sizes[] = {1, 10, 100, 500, 1000, 2000, 5000, 10000};
	static const size_t exact_sizes[] = {1, 10, 100, 1000, 10000, 100000};

	random_state = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	printf("rules                  | cycles per lookup    | insert  remove    | "
	       "hashes blocks cost KB\n"
	       "                       | burst32 single misses| ms, all of them   |\n");
	for (size_t s = 0; s < sizeof acl_sizes / sizeof acl_sizes[0]; s++)
		measure("acl", acl_make(acl_sizes[s], true), acl_sizes[s], false);
	for (size_t s = 0; s < sizeof acl_sizes / sizeof acl_sizes[0]; s++)
		measure("acl narrow", acl_make(acl_sizes[s], false), acl_sizes[s], true);
	for (size_t s = 0; s < sizeof exact_sizes / sizeof exact_sizes[0]; s++)
		measure("exact", exact_make(exact_sizes[s]), exact_sizes[s], false);
	return 0;
}
