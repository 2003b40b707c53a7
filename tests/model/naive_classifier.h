// SPDX-License-Identifier: Apache-2.0
#pragma once

// A classifier for tests: it goes through all rules. Like a real one it keeps copies only, and
// refuses some sets of rules: those whose number is a multiple of 11.

#include <stdlib.h>
#include <string.h>

#include "pipeline/classifier.h"

struct naive_state {
	struct classifier_rules rules;
};

static void *naive_build(const struct classifier_rules *rules)
{
	size_t size = (size_t)rules->count * rules->words * sizeof(uint64_t);
	struct naive_state *state;

	if (rules->count == 0 || rules->count % 11 == 0)
		return NULL;
	state = calloc(1, sizeof *state);
	if (!state)
		abort();
	state->rules = *rules;
	state->rules.values = malloc(size + 1);
	state->rules.masks = malloc(size + 1);
	if (!state->rules.values || !state->rules.masks)
		abort();
	memcpy(state->rules.values, rules->values, size);
	memcpy(state->rules.masks, rules->masks, size);
	return state;
}

static void naive_destroy(void *memory)
{
	struct naive_state *state = memory;

	if (!state)
		return;
	free(state->rules.values);
	free(state->rules.masks);
	free(state);
}

static uint32_t naive_find(const struct classifier_rules *rules, const struct packet_key *key)
{
	const uint64_t *bits = (const uint64_t *)key;
	size_t at = 0;

	for (uint32_t r = 0; r < rules->count; r++, at += rules->words) {
		uint64_t differs = 0;

		for (unsigned w = 0; w < rules->words; w++)
			differs |= (bits[rules->word[w]] & rules->masks[at + w]) ^
				   rules->values[at + w];
		if (!differs)
			return r;
	}
	return CLASSIFIER_NONE;
}

static void naive_classify(const void *memory, const struct packet_key *const keys[],
	unsigned count, uint32_t results[])
{
	const struct naive_state *state = memory;

	for (unsigned i = 0; i < count; i++)
		results[i] = naive_find(&state->rules, keys[i]);
}

static size_t naive_memory(const void *memory)
{
	const struct naive_state *state = memory;

	return sizeof *state + (size_t)state->rules.count * state->rules.words * 16;
}

static unsigned naive_cost(const void *memory)
{
	const struct naive_state *state = memory;

	return state->rules.count;
}

static const struct classifier naive_classifier = {
	.build = naive_build,
	.destroy = naive_destroy,
	.classify = naive_classify,
	.memory = naive_memory,
	.cost = naive_cost,
};
