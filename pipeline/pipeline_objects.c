// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/pipeline_private.h"

// The installed groups and meters of a pipeline. What takes the place of another shares its
// counters, which go back to the pool with the last of them.

// --- Counters ---

// *share and *counter become those of `heir`, or new ones if that is NULL. 0 or -ENOMEM.
static int share_take(struct pipeline *pipeline, struct counter_share *heir,
	struct counter_share **share, uint32_t *counter)
{
	*share = heir ? heir : counter_share_new(pipeline);
	if (!*share)
		return -ENOMEM;
	if (heir)
		heir->users++;
	*counter = (*share)->counter;
	return 0;
}

static struct pipeline_count count_of(const struct pipeline *pipeline, uint32_t counter)
{
	struct flow_counters sum = counter_sum(pipeline, counter);

	return (struct pipeline_count){sum.packets, sum.bytes};
}

// --- Groups ---

static struct installed_group *group_of(struct versioned *item)
{
	return (struct installed_group *)item;
}

static void group_leave(struct versioned *item)
{
	struct installed_group *group = group_of(item);

	needs_count(group->pipeline, group->needs, -1);
	counter_share_drop(group->pipeline, group->share);
	for (size_t i = 0; group->buckets && i < group->group.count; i++)
		counter_share_drop(group->pipeline, group->buckets[i].share);
}

static void group_free(void *memory)
{
	struct installed_group *group = memory;

	group_destroy(&group->group);
	free(group->buckets);
	free(group->winners);
	free(group);
}

// Do these actions leave the packet and its key as they are?
static bool only_send(const struct action_list *actions)
{
	for (size_t i = 0; i < actions->count; i++) {
		switch (actions->items[i].id) {
		case ACTION_OUTPUT:
		case ACTION_OUTPUT_FIELD:
		case ACTION_OUTPUT_TRUNCATED:
		case ACTION_IN_PORT:
		case ACTION_ALL:
		case ACTION_FLOOD:
		case ACTION_NORMAL:
		case ACTION_CONTROLLER:
		case ACTION_GROUP:
		case ACTION_DROP:
			break;
		default:
			return false;
		}
	}
	return true;
}

static struct counter_share *bucket_share_find(const struct installed_group *group, uint32_t id)
{
	for (size_t i = 0; group && i < group->group.count; i++) {
		if (group->group.buckets[i].id == id)
			return group->buckets[i].share;
	}
	return NULL;
}

static int buckets_make(struct installed_group *group, const struct installed_group *old)
{
	group->buckets = calloc(group->group.count + 1, sizeof(group->buckets[0]));
	if (!group->buckets)
		return -ENOMEM;
	for (size_t i = 0; i < group->group.count; i++) {
		const struct bucket *bucket = &group->group.buckets[i];
		struct installed_bucket *made = &group->buckets[i];

		if (share_take(group->pipeline, bucket_share_find(old, bucket->id), &made->share,
			    &made->counter) != 0)
			return -ENOMEM;
		made->only_sends = only_send(&bucket->actions);
		group->needs |= actions_needs(&bucket->actions);
	}
	return 0;
}

static unsigned hash_needs(const struct group *group)
{
	unsigned needs = 0;

	if (group->hash_fields == 0)
		return KEY_ALL_LINES | KEY_NEEDS_ETHERNET | KEY_NEEDS_HEADERS;
	for (uint64_t left = group->hash_fields; left; left &= left - 1)
		needs |= field_needs(__builtin_ctzll(left));
	return needs;
}

static int winners_make(struct installed_group *group)
{
	if (group->group.type != GROUP_SELECT)
		return 0;
	group->needs |= hash_needs(&group->group);
	group->winners = calloc(GROUP_SLOTS, sizeof(group->winners[0]));
	if (!group->winners)
		return -ENOMEM;
	for (unsigned slot = 0; slot < GROUP_SLOTS; slot++)
		group->winners[slot] = (uint16_t)group_slot_winner(&group->group, slot, NULL, NULL);
	return 0;
}

int pipeline_group_put(struct pipeline *pipeline, struct group *source)
{
	struct installed_group *group = calloc(1, sizeof(*group));
	struct installed_group *old;
	int error;

	if (!group) {
		group_destroy(source);
		return -ENOMEM;
	}
	group->pipeline = pipeline;
	group->versioned.id = source->id;
	group->group = *source;
	*source = (struct group){0};
	old = group_of(versioned_current(&pipeline->groups, group->versioned.id));
	error = share_take(pipeline, old ? old->share : NULL, &group->share, &group->counter);
	if (!error)
		error = buckets_make(group, old);
	if (!error)
		error = winners_make(group);
	// Before it can be found: its packets have to be parsed that far.
	needs_count(pipeline, group->needs, 1);
	if (!error)
		error = versioned_put(&pipeline->groups, &group->versioned, pipeline->version + 1);
	if (error) {
		group_leave(&group->versioned);
		group_free(group);
	}
	return error;
}

int pipeline_group_remove(struct pipeline *pipeline, uint32_t id)
{
	return versioned_remove(&pipeline->groups, id, pipeline->version + 1);
}

struct group_visit {
	const struct pipeline *pipeline;
	void (*fn)(void *context, const struct group *group, struct pipeline_count total,
		const struct pipeline_count parts[]);
	void *context;
	struct pipeline_count parts[GROUP_BUCKETS_MAX];
};

static void group_visit(void *context, struct versioned *item)
{
	struct group_visit *visit = context;
	const struct installed_group *group = group_of(item);

	for (size_t i = 0; i < group->group.count && i < GROUP_BUCKETS_MAX; i++)
		visit->parts[i] = count_of(visit->pipeline, group->buckets[i].counter);
	visit->fn(visit->context, &group->group, count_of(visit->pipeline, group->counter),
		visit->parts);
}

void pipeline_group_each(const struct pipeline *pipeline,
	void (*fn)(void *context, const struct group *group, struct pipeline_count total,
		const struct pipeline_count parts[]),
	void *context)
{
	struct group_visit visit = {.pipeline = pipeline, .fn = fn, .context = context};

	versioned_each(&pipeline->groups, group_visit, &visit);
}

// --- Meters ---

static struct installed_meter *meter_of(struct versioned *item)
{
	return (struct installed_meter *)item;
}

static void meter_leave(struct versioned *item)
{
	struct installed_meter *meter = meter_of(item);

	counter_share_drop(meter->pipeline, meter->share);
	for (size_t i = 0; i < METER_BANDS_MAX; i++)
		counter_share_drop(meter->pipeline, meter->band_shares[i]);
}

static void meter_free(void *memory)
{
	struct installed_meter *meter = memory;

	if (meter->state)
		meter->pipeline->metering->destroy(meter->state);
	free(meter);
}

static int meter_counters_make(struct installed_meter *meter, const struct installed_meter *old)
{
	int error = share_take(
		meter->pipeline, old ? old->share : NULL, &meter->share, &meter->counter);

	for (size_t i = 0; i < meter->meter.count && !error; i++)
		error = share_take(meter->pipeline, old ? old->band_shares[i] : NULL,
			&meter->band_shares[i], &meter->band_counters[i]);
	return error;
}

int pipeline_meter_put(struct pipeline *pipeline, const struct meter *source)
{
	struct installed_meter *meter;
	int error;

	if (!pipeline->metering)
		return -ENOTSUP;
	meter = calloc(1, sizeof(*meter));
	if (!meter)
		return -ENOMEM;
	meter->pipeline = pipeline;
	meter->versioned.id = source->id;
	meter->meter = *source;
	meter->state = pipeline->metering->create(source);
	error = meter->state ? 0 : -ENOMEM;
	if (!error)
		error = meter_counters_make(
			meter, meter_of(versioned_current(&pipeline->meters, source->id)));
	if (!error)
		error = versioned_put(&pipeline->meters, &meter->versioned, pipeline->version + 1);
	if (error) {
		meter_leave(&meter->versioned);
		meter_free(meter);
	}
	return error;
}

int pipeline_meter_remove(struct pipeline *pipeline, uint32_t id)
{
	return versioned_remove(&pipeline->meters, id, pipeline->version + 1);
}

struct meter_visit {
	const struct pipeline *pipeline;
	void (*fn)(void *context, const struct meter *meter, struct pipeline_count total,
		const struct pipeline_count parts[]);
	void *context;
};

static void meter_visit(void *context, struct versioned *item)
{
	const struct meter_visit *visit = context;
	const struct installed_meter *meter = meter_of(item);
	struct pipeline_count parts[METER_BANDS_MAX];

	for (size_t i = 0; i < meter->meter.count; i++)
		parts[i] = count_of(visit->pipeline, meter->band_counters[i]);
	visit->fn(visit->context, &meter->meter, count_of(visit->pipeline, meter->counter), parts);
}

void pipeline_meter_each(const struct pipeline *pipeline,
	void (*fn)(void *context, const struct meter *meter, struct pipeline_count total,
		const struct pipeline_count parts[]),
	void *context)
{
	struct meter_visit visit = {pipeline, fn, context};

	versioned_each(&pipeline->meters, meter_visit, &visit);
}

// --- Set-up ---

int objects_init(struct pipeline *pipeline)
{
	pipeline->groups = (struct versioned_set){
		.leave = group_leave, .destroy = group_free, .retirement = pipeline->retirement};
	pipeline->meters = (struct versioned_set){
		.leave = meter_leave, .destroy = meter_free, .retirement = pipeline->retirement};
	return versioned_init(&pipeline->groups) != 0 || versioned_init(&pipeline->meters) != 0
		       ? -ENOMEM
		       : 0;
}

void objects_end(struct pipeline *pipeline)
{
	versioned_end(&pipeline->groups);
	versioned_end(&pipeline->meters);
}
