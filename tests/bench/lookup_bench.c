// SPDX-License-Identifier: Apache-2.0
// How fast are flow tables? Prints TSC cycles per lookup and the time per insertion, for
// ClassBench-like access lists and for exact-match flows. Keys are hot, as after parsing; rules are
// as hot as the number of packets between two uses makes them. The best of several rounds counts:
// the others were disturbed. "acl" lists contain rules that match nearly everything, and most
// packets end there; "acl narrow" lists do not. lookup_bench [SEED]

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "pipeline/flow_table.h"

#define PACKETS (1u << 16)
#define ROUNDS 9

static uint64_t random_state;

static uint64_t random_next(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint32_t random_below(uint32_t limit)
{
	return (uint32_t)(random_next() % limit);
}

static void free_now(void *context, void (*free_fn)(void *), void *memory)
{
	(void)context;
	free_fn(memory);
}

static const struct retirement at_once = {.retire = free_now};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static struct rule *rules_alloc(size_t count)
{
	struct rule *rules = aligned_alloc(64, count * sizeof *rules);

	if (!rules)
		abort();
	memset(rules, 0, count * sizeof *rules);
	for (size_t r = 0; r < count; r++) {
		rules[r].died = VERSION_NEVER;
		rules[r].mask.dl_type = 0xffff;
		rules[r].value.dl_type = htons(0x0800);
		rules[r].mask.layers = rules[r].value.layers = LAYER_L3;
	}
	return rules;
}

// --- ClassBench-like access lists: the distributions of tests and peers' comparisons ---

static uint32_t prefix_mask(void)
{
	static const uint8_t lengths[] = {
		0, 8, 12, 16, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};
	static const uint8_t weights[] = {6, 2, 2, 6, 4, 3, 4, 5, 20, 3, 4, 4, 5, 4, 4, 3, 25};
	uint32_t pick = random_below(104);
	unsigned i = 0;

	while (pick >= weights[i])
		pick -= weights[i++];
	return lengths[i] ? htonl(0xffffffffu << (32 - lengths[i])) : 0;
}

static void port_pick(uint16_t *value, uint16_t *mask, bool source)
{
	static const uint16_t sources[] = {20, 53, 80, 123, 443};
	static const uint16_t targets[] = {
		22, 25, 53, 80, 110, 143, 443, 445, 993, 1433, 3306, 3389, 5432, 8080};
	unsigned n = source ? 5 : 14, i = random_below(n + 1);

	if (random_below(100) >= (source ? 15 : 75))
		return;
	*mask = 0xffff;
	*value = htons(
		i == n ? (uint16_t)(1024 + random_below(64000)) : (source ? sources : targets)[i]);
}

static struct rule *acl_make(size_t count, bool wide)
{
	struct rule *rules = rules_alloc(count);
	size_t n_bases = count / 8 > 8 ? count / 8 : 8;
	uint32_t *bases = malloc(n_bases * sizeof *bases);

	for (size_t b = 0; b < n_bases; b++)
		bases[b] = (uint32_t)random_next();
	for (size_t r = 0; r < count; r++) {
		struct rule *rule = &rules[r];
		unsigned proto = random_below(10);

		rule->priority = (uint16_t)(60000 - r);
		do {
			rule->mask.nw_src = prefix_mask();
			rule->mask.nw_dst = prefix_mask();
		} while (!wide && __builtin_popcount(rule->mask.nw_src) +
						  __builtin_popcount(rule->mask.nw_dst) <
					  36);
		rule->value.nw_src = bases[random_below((uint32_t)n_bases)] & rule->mask.nw_src;
		rule->value.nw_dst = bases[random_below((uint32_t)n_bases)] & rule->mask.nw_dst;
		if (proto == 9)
			continue;
		rule->mask.nw_proto = 0xff;
		rule->value.nw_proto = proto < 6 ? 6 : 17;
		port_pick(&rule->value.tp_src, &rule->mask.tp_src, true);
		port_pick(&rule->value.tp_dst, &rule->mask.tp_dst, false);
		if (rule->mask.tp_src || rule->mask.tp_dst)
			rule->mask.layers = rule->value.layers = LAYER_L3 | LAYER_L4;
	}
	free(bases);
	return rules;
}

// --- Exact 5-tuples on an input port ---

static struct rule *exact_make(size_t count)
{
	struct rule *rules = rules_alloc(count);

	for (size_t r = 0; r < count; r++) {
		struct rule *rule = &rules[r];

		rule->priority = 100;
		rule->mask.in_port = 0xffff;
		rule->value.in_port = htons(1);
		rule->mask.nw_src = rule->mask.nw_dst = 0xffffffff;
		rule->value.nw_src = (uint32_t)random_next();
		rule->value.nw_dst = (uint32_t)random_next();
		rule->mask.nw_proto = 0xff;
		rule->value.nw_proto = 6;
		rule->mask.tp_src = rule->mask.tp_dst = 0xffff;
		rule->value.tp_src = (uint16_t)random_next();
		rule->value.tp_dst = (uint16_t)random_next();
		rule->mask.layers = rule->value.layers = LAYER_L3 | LAYER_L4;
	}
	return rules;
}

// --- Measuring ---

// Packets that hit some rule, `misses` percent of them random instead.
static void packet_make(
	struct packet_key *key, const struct rule *rules, size_t count, unsigned misses)
{
	const struct rule *rule = &rules[random_below((uint32_t)count)];
	bool miss = random_below(100) < misses;

	memset(key, 0, sizeof *key);
	key->in_port = htons(1);
	key->dl_type = htons(0x0800);
	key->layers = LAYER_L3 | LAYER_L4;
	key->nw_src = (uint32_t)random_next();
	key->nw_dst = (uint32_t)random_next();
	key->tp_src = htons((uint16_t)(1 + random_below(65535)));
	key->tp_dst = htons((uint16_t)(1 + random_below(65535)));
	key->nw_proto = random_below(2) ? 6 : 17;
	key->nw_ttl = 64;
	if (miss)
		return;
	for (unsigned w = 0; w < KEY_WORDS; w++)
		((uint64_t *)key)[w] =
			(((uint64_t *)key)[w] & ~((const uint64_t *)&rule->mask)[w]) |
			((const uint64_t *)&rule->value)[w];
}

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
		shape.hashes, shape.blocks, shape.cost, shape.memory / 1024,
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
