// SPDX-License-Identifier: Apache-2.0
#include "datapath/classifier_acl.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_acl.h>
#include <rte_cpuflags.h>
#include <rte_malloc.h>

#include "datapath/classifier_layout.h"
#include "pipeline/lookup.h"

// What a build may cost. Tries of rules with masks of many shapes explode, and rte_acl cannot be
// stopped while it builds. So it is given samples of the rules first, each SAMPLE_GROWTH times as
// large as the one before, and the next only if that stays within bounds although time and memory
// grow with the square of the number of rules.
#define SAMPLE_FIRST 32
#define SAMPLE_GROWTH 4
#define BUILD_MS_MAX 4000
#define BUILD_MEMORY_MAX (64u << 20)  // of one table
#define TOTAL_MEMORY_MAX (128u << 20) // beside packet buffers there is room for so much

// rte_acl divides the rules into so many tries at most, and takes a step in each for a byte of input.
#define TRIES_MAX 8

struct acl_state {
	struct classifier_layout layout;
	struct rte_acl_ctx *acl;
	enum rte_acl_classify_alg algorithm;
	size_t memory;
};

// Of all states. More than one thread may build, one frees.
static size_t total_memory;

static uint64_t thread_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

// --- Building ---

static void config_set(struct rte_acl_config *config, const struct classifier_layout *layout)
{
	memset(config, 0, sizeof(*config));
	config->num_categories = 1;
	config->max_size = BUILD_MEMORY_MAX;
	config->num_fields = layout->fields;
	for (unsigned f = 0; f < layout->fields; f++) {
		struct rte_acl_field_def *def = &config->defs[f];

		def->field_index = (uint8_t)f;
		// The first byte is an input of its own, then each group of four is one.
		def->input_index = (uint8_t)f;
		def->offset = f == 0 ? 0 : layout->offset + (f - 1) * 4;
		def->size = f == 0 ? 1 : 4;
		def->type =
			layout->prefixes[f] ? RTE_ACL_FIELD_TYPE_MASK : RTE_ACL_FIELD_TYPE_BITMASK;
	}
}

static void rule_set(struct rte_acl_rule *rule, const struct classifier_layout *layout,
	const struct classifier_rules *rules, uint32_t index)
{
	struct layout_field fields[LAYOUT_FIELDS_MAX];

	classifier_layout_rule(layout, rules, index, fields);
	memset(rule, 0, RTE_ACL_RULE_SZ(layout->fields));
	rule->data.category_mask = 1;
	rule->data.priority = (int32_t)(rules->count - index);
	rule->data.userdata = index + 1;
	for (unsigned f = 0; f < layout->fields; f++) {
		rule->field[f].value.u32 = fields[f].value;
		rule->field[f].mask_range.u32 =
			layout->prefixes[f] ? (uint32_t)__builtin_popcount(fields[f].mask)
					    : fields[f].mask;
	}
}

static int rules_add(struct rte_acl_ctx *acl, const struct classifier_layout *layout,
	const struct classifier_rules *rules, uint32_t step)
{
	uint64_t space[RTE_ACL_RULE_SZ(LAYOUT_FIELDS_MAX) / sizeof(uint64_t) + 1];
	struct rte_acl_rule *rule = (struct rte_acl_rule *)space;
	int error = 0;

	for (uint32_t r = 0; r < rules->count && error == 0; r += step) {
		rule_set(rule, layout, rules, r);
		error = rte_acl_add_rules(acl, rule, 1);
	}
	return error;
}

// What rte_acl has taken of DPDK's memory for a context is not to be learned from itself.
static size_t heap_used(void)
{
	struct rte_malloc_socket_stats stats;
	size_t used = 0;

	for (unsigned s = 0; s < rte_socket_count(); s++) {
		if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(s), &stats) == 0)
			used += stats.heap_allocsz_bytes;
	}
	return used;
}

// A context with every `step`th rule. NULL: it cannot be had.
static struct rte_acl_ctx *trie_make(const struct classifier_layout *layout,
	const struct classifier_rules *rules, uint32_t step, size_t *memory)
{
	static uint32_t serial;
	char name[RTE_ACL_NAMESIZE];
	struct rte_acl_param param = {
		.name = name,
		.socket_id = SOCKET_ID_ANY,
		.rule_size = RTE_ACL_RULE_SZ(layout->fields),
		.max_rule_num = (rules->count + step - 1) / step,
	};
	struct rte_acl_config config;
	struct rte_acl_ctx *acl;
	size_t before = heap_used(), after;

	snprintf(name, sizeof(name), "classifier-%u",
		__atomic_fetch_add(&serial, 1, __ATOMIC_RELAXED));
	acl = rte_acl_create(&param);
	if (!acl)
		return NULL;
	config_set(&config, layout);
	if (rules_add(acl, layout, rules, step) != 0 || rte_acl_build(acl, &config) != 0) {
		rte_acl_free(acl);
		return NULL;
	}
	// About: others use the heap, too.
	after = heap_used();
	*memory = after > before ? after - before : 0;
	return acl;
}

// Do samples say that all rules can be compiled within bounds?
static bool samples_allow(
	const struct classifier_layout *layout, const struct classifier_rules *rules)
{
	uint32_t sample = SAMPLE_FIRST;

	for (; sample < rules->count; sample *= SAMPLE_GROWTH) {
		uint64_t start = thread_ms(), took;
		size_t memory;
		uint32_t next = sample * SAMPLE_GROWTH < rules->count ? sample * SAMPLE_GROWTH
								      : rules->count;
		double growth = (double)next / sample;
		struct rte_acl_ctx *acl =
			trie_make(layout, rules, (rules->count + sample - 1) / sample, &memory);

		if (!acl)
			return false;
		rte_acl_free(acl);
		took = thread_ms() - start;
		if ((double)took * growth * growth > BUILD_MS_MAX)
			return false;
	}
	return true;
}

// rte_acl uses half of an AVX-512 register unless told otherwise, since wide ones once made processors
// slower. Blocks are searched with whole ones as well. The library may have been built without.
static enum rte_acl_classify_alg algorithm_choose(const struct rte_acl_ctx *acl)
{
	static const uint8_t input[LAYOUT_SIZE_MAX];
	const uint8_t *inputs[1] = {input};
	uint32_t found;

	if (rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512F) > 0 &&
		rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512VL) > 0 &&
		rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512CD) > 0 &&
		rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX512BW) > 0 &&
		rte_acl_classify_alg(acl, inputs, &found, 1, 1, RTE_ACL_CLASSIFY_AVX512X32) == 0)
		return RTE_ACL_CLASSIFY_AVX512X32;
	return RTE_ACL_CLASSIFY_DEFAULT;
}

static void acl_destroy(void *memory)
{
	struct acl_state *state = memory;

	if (!state)
		return;
	__atomic_sub_fetch(&total_memory, state->memory, __ATOMIC_RELAXED);
	rte_acl_free(state->acl);
	free(state);
}

static void *acl_build(const struct classifier_rules *rules)
{
	struct acl_state *state = aligned_alloc(
		RTE_CACHE_LINE_SIZE, RTE_ALIGN(sizeof(struct acl_state), RTE_CACHE_LINE_SIZE));

	if (!state)
		return NULL;
	memset(state, 0, sizeof(*state));
	if (classifier_layout_make(&state->layout, rules) == 0 &&
		samples_allow(&state->layout, rules))
		state->acl = trie_make(&state->layout, rules, 1, &state->memory);
	if (!state->acl) {
		free(state);
		return NULL;
	}
	state->algorithm = algorithm_choose(state->acl);
	if (__atomic_add_fetch(&total_memory, state->memory, __ATOMIC_RELAXED) <= TOTAL_MEMORY_MAX)
		return state;
	acl_destroy(state);
	return NULL;
}

// --- Readers ---

static int trie_search(
	const struct acl_state *state, const uint8_t *inputs[], uint32_t found[], unsigned n)
{
	if (state->algorithm == RTE_ACL_CLASSIFY_DEFAULT)
		return rte_acl_classify(state->acl, inputs, found, n, 1);
	return rte_acl_classify_alg(state->acl, inputs, found, n, 1, state->algorithm);
}

static void acl_classify(const void *memory, const struct packet_key *const keys[], unsigned count,
	uint32_t results[])
{
	const struct acl_state *state = memory;
	uint8_t space[LOOKUP_BURST][LAYOUT_SIZE_MAX] __attribute__((aligned(16)));
	const uint8_t *inputs[LOOKUP_BURST];
	uint32_t found[LOOKUP_BURST];
	uint8_t place[LOOKUP_BURST];
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		results[i] = CLASSIFIER_NONE;
		if (!classifier_layout_key(&state->layout, keys[i], space[n]))
			continue;
		inputs[n] = space[n];
		place[n++] = (uint8_t)i;
	}
	if (n == 0 || trie_search(state, inputs, found, n) != 0)
		return;
	for (unsigned i = 0; i < n; i++)
		results[place[i]] = found[i] - 1; // nothing, 0, becomes CLASSIFIER_NONE
}

static size_t acl_memory(const void *memory)
{
	const struct acl_state *state = memory;

	return sizeof(*state) + state->memory;
}

static unsigned acl_cost(const void *memory)
{
	const struct acl_state *state = memory;

	return TRIES_MAX * (1 + 4 * (state->layout.fields - 1));
}

const struct classifier classifier_acl = {
	.build = acl_build,
	.destroy = acl_destroy,
	.classify = acl_classify,
	.memory = acl_memory,
	.cost = acl_cost,
};
