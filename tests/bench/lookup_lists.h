// SPDX-License-Identifier: Apache-2.0
#pragma once

// Lists of rules, and packets that hit them, for benchmarks of lookups.

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/flow_table.h"
#include "tests/random.h"

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
	return (uint32_t)(random_next(&random_state) % limit);
}

static void free_now(void *context, void (*free_fn)(void *), void *memory)
{
	(void)context;
	free_fn(memory);
}

static const struct retirement at_once = {.retire = free_now};

static inline uint64_t now_us(void)
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
		bases[b] = (uint32_t)random_next(&random_state);
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

static inline struct rule *exact_make(size_t count)
{
	struct rule *rules = rules_alloc(count);

	for (size_t r = 0; r < count; r++) {
		struct rule *rule = &rules[r];

		rule->priority = 100;
		rule->mask.in_port = 0xffff;
		rule->value.in_port = htons(1);
		rule->mask.nw_src = rule->mask.nw_dst = 0xffffffff;
		rule->value.nw_src = (uint32_t)random_next(&random_state);
		rule->value.nw_dst = (uint32_t)random_next(&random_state);
		rule->mask.nw_proto = 0xff;
		rule->value.nw_proto = 6;
		rule->mask.tp_src = rule->mask.tp_dst = 0xffff;
		rule->value.tp_src = (uint16_t)random_next(&random_state);
		rule->value.tp_dst = (uint16_t)random_next(&random_state);
		rule->mask.layers = rule->value.layers = LAYER_L3 | LAYER_L4;
	}
	return rules;
}

// --- Packets ---

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
	key->nw_src = (uint32_t)random_next(&random_state);
	key->nw_dst = (uint32_t)random_next(&random_state);
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
