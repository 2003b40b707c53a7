// SPDX-License-Identifier: Apache-2.0
// What does the classifier of datapathd bring? For the access lists of lookup_bench, TSC cycles per
// lookup in a flow table without it and with it, in bursts of several sizes, how long it takes to
// build, and its memory. The two tables are measured in turn, round by round; of each round the
// median burst counts, and of the rounds the least, because others share the machine.
// classifier_bench [SEED [RULES [eagerly]]]

#include <stdio.h>
#include <x86intrin.h>

#include <rte_eal.h>

#include "datapath/classifier_acl.h"
#include "tests/bench/lookup_lists.h"

#define PACKETS (1u << 15)
#define ROUNDS 7
#define BURSTS 4

static const unsigned bursts[BURSTS] = {32, 8, 4, 1};

static int cycles_order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double round_cycles(
	const struct flow_table *table, const struct packet_key *packets, unsigned burst)
{
	static struct packet_key hot[LOOKUP_BURST];
	static uint64_t cycles[PACKETS];
	const struct packet_key *keys[LOOKUP_BURST];
	const struct rule *best[LOOKUP_BURST];
	unsigned count = 0;

	for (unsigned i = 0; i < LOOKUP_BURST; i++)
		keys[i] = &hot[i];
	for (unsigned p = 0; p + burst <= PACKETS; p += burst) {
		uint32_t wanted = burst == 32 ? UINT32_MAX : (1u << burst) - 1;

		memcpy(hot, &packets[p], burst * sizeof hot[0]);
		uint64_t start = __rdtsc();
		flow_table_find(table, 1, keys, wanted, burst, best);
		cycles[count++] = __rdtsc() - start;
	}
	qsort(cycles, count, sizeof cycles[0], cycles_order);
	return (double)cycles[count / 2] / burst;
}

static struct flow_table *table_make(struct rule *rules, size_t count)
{
	struct flow_table *table = flow_table_create(at_once);

	for (size_t r = 0; r < count; r++) {
		if (!table || flow_table_insert(table, &rules[r]) != 0)
			abort();
	}
	return table;
}

static double thread_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

// Milliseconds of a processor.
static double classifier_add(struct flow_table *table)
{
	struct classifier_job *job = flow_table_job(table, &classifier_acl, 0);
	double start;

	// It has just changed, but not since it was asked.
	if (!job)
		job = flow_table_job(table, &classifier_acl, 1000000);
	if (!job)
		return 0;
	start = thread_ms();
	classifier_job_run(job);
	start = thread_ms() - start;
	classifier_job_end(job, 1000000);
	return start;
}

static void measure(const char *name, struct rule *rules, size_t count)
{
	static struct packet_key packets[PACKETS];
	struct rule *copies = rules_alloc(count);
	struct flow_table *tables[2];
	double least[2][BURSTS], build;
	struct flow_table_shape shape;

	memcpy(copies, rules, count * sizeof *rules);
	tables[0] = table_make(rules, count);
	tables[1] = table_make(copies, count);
	build = classifier_add(tables[1]);
	flow_table_shape(tables[1], &shape);
	for (unsigned p = 0; p < PACKETS; p++)
		packet_make(&packets[p], rules, count, 10);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned at = 0; at < 2 * BURSTS; at++) {
			double *slot = &least[at % 2][at / 2];
			double cycles = round_cycles(tables[at % 2], packets, bursts[at / 2]);

			*slot = round == 0 || cycles < *slot ? cycles : *slot;
		}
	}
	printf("%-10s %6zu |", name, count);
	for (unsigned b = 0; b < BURSTS; b++)
		printf(" %4.0f %4.0f |", least[0][b], least[1][b]);
	printf(" %7.1f | %6zu %8zu\n", build, shape.classifier.rules,
		shape.classifier.memory / 1024);
	fflush(stdout);
	for (unsigned t = 0; t < 2; t++)
		flow_table_destroy(tables[t]);
	free(copies);
	free(rules);
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = {100, 600, 1000, 2000, 5000, 10000, 20000};
	char *eal[] = {argv[0], "--no-huge", "-m", "512", "--no-shconf", "--no-pci",
		"--no-telemetry", "--lcores=0@0", "--log-level=*:3", NULL};
	size_t only = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;

	if (rte_eal_init(9, eal) < 0)
		return 1;
	random_state = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	flow_table_job_eagerly(argc > 3);
	printf("list        rules | cycles: table, with classifier         | build   | "
	       "rules, KB of it\n"
	       "                  | of 32     | of 8      | of 4      | 1         | ms      |\n");
	for (unsigned wide = 0; wide < 2; wide++) {
		for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
			if (only == 0 || only == sizes[s])
				measure(wide ? "acl" : "acl narrow", acl_make(sizes[s], wide),
					sizes[s]);
		}
	}
	return 0;
}
