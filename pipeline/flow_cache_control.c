// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "pipeline/pipeline_private.h"

// What control tells the readers' caches: which bytes of keys matter, and which tables have
// changed.

// Of all that a packet brings along. Registers start as zero, so nothing follows from them.
static bool layout_build(const struct cache_control *control, struct cache_layout *layout)
{
	static const struct packet_key of_no_packet = {
		.metadata = UINT64_MAX,
		.reg_low = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
		.reg_high = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
	};
	const uint64_t *left_out = (const uint64_t *)&of_no_packet;

	for (unsigned w = 0; w < KEY_WORDS; w++) {
		uint64_t mask = 0;

		for (unsigned byte = 0; byte < 8; byte++)
			if (control->byte_users[w * 8 + byte])
				mask |= UINT64_C(0xff) << byte * 8;
		mask &= ~left_out[w];
		if (!mask)
			continue;
		if (layout->count == CACHE_WORDS)
			return false;
		layout->words[layout->count] = (uint8_t)w;
		layout->masks[layout->count++] = mask;
	}
	return true;
}

static bool layouts_equal(const struct cache_layout *a, const struct cache_layout *b)
{
	return a->count == b->count && memcmp(a->words, b->words, sizeof(a->words)) == 0 &&
	       memcmp(a->masks, b->masks, sizeof(a->masks)) == 0;
}

static void layout_publish(struct pipeline *pipeline, struct cache_layout *layout)
{
	void *old = (void *)pipeline->cache.layout;

	__atomic_store_n(&pipeline->cache.layout, layout, __ATOMIC_RELEASE);
	if (old)
		pipeline->retirement.retire(pipeline->retirement.context, free, old);
}

void cache_note_flow(struct pipeline *pipeline, const struct installed_flow *flow, int by)
{
	struct cache_control *control = &pipeline->cache;
	uint32_t *steps = &control->step_users[flow->flow.table];

	for (size_t r = 0; r < flow->rule_count; r++) {
		const uint64_t *words = (const uint64_t *)&flow->rules[r].mask;

		for (unsigned w = 0; w < KEY_WORDS; w++) {
			const uint8_t *bytes = (const uint8_t *)&words[w];

			for (unsigned byte = 0; words[w] && byte < 8; byte++) {
				uint32_t *users = &control->byte_users[w * 8 + byte];

				if (!bytes[byte])
					continue;
				*users += (uint32_t)by;
				control->dirty |= *users == 0 || (by > 0 && *users == 1);
			}
		}
	}
	if (flow->step.kind == STEP_NONE)
		return;
	control->step_tables -= *steps > 0;
	*steps += (uint32_t)by;
	control->step_tables += *steps > 0;
	control->dirty = true;
}

void cache_note_change(struct pipeline *pipeline, uint8_t table)
{
	__atomic_store_n(&pipeline->cache.changed[table], pipeline->version + 1, __ATOMIC_RELEASE);
}

// Without memory there is no cache, until the next change.
static struct cache_layout *layout_make(const struct pipeline *pipeline)
{
	struct cache_layout *layout;

	if (pipeline->cache.step_tables < cache_tables_min())
		return NULL;
	layout = calloc(1, sizeof(*layout));
	if (!layout)
		return NULL;
	layout->since = pipeline->version + 1;
	if (layout_build(&pipeline->cache, layout))
		return layout;
	free(layout);
	return NULL;
}

void cache_commit(struct pipeline *pipeline)
{
	struct cache_control *control = &pipeline->cache;
	struct cache_layout *layout;

	if (!control->dirty)
		return;
	control->dirty = false;
	layout = layout_make(pipeline);
	if (layout && control->layout && layouts_equal(layout, control->layout)) {
		free(layout);
		return;
	}
	if (layout || control->layout)
		layout_publish(pipeline, layout);
	for (unsigned r = 0; layout && r < PIPELINE_READERS; r++)
		if (pipeline->readers[r])
			cache_note_reader(pipeline, pipeline->readers[r]);
}

void cache_note_reader(struct pipeline *pipeline, struct pipeline_reader *reader)
{
	if (pipeline->cache.layout && !reader->cache)
		__atomic_store_n(&reader->cache, cache_create(), __ATOMIC_RELEASE);
}

void cache_end(struct pipeline *pipeline)
{
	free((void *)pipeline->cache.layout);
}
