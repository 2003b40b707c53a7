// SPDX-License-Identifier: Apache-2.0
#include "pipeline/action_run.h"
#include "pipeline/observer.h"
#include "pipeline/pipeline_private.h"

// group: buckets of actions, each on the packet as it came to the group.
//
// A bucket that only sends runs on the packet itself. One that changes it gets a copy, unless it is
// the last thing that happens to the packet: the last bucket of a group that ends the flow's list.

static const struct installed_group *group_find(const struct execution *execution, uint32_t id)
{
	return (const struct installed_group *)versioned_find(
		&execution->pipeline->groups, id, execution->version);
}

static void count(const struct execution *execution, uint32_t counter)
{
	struct pipeline_reader *reader = execution->pipeline->readers[execution->reader];

	if (!execution->observer)
		counter_hit(flow_counters_of(reader, counter), execution->packet->length);
}

// --- Running a bucket ---

// The actions, on a packet of their own; false is never the end of the packet that goes on.
static void run_on_copy(struct execution *execution, const struct bucket *bucket)
{
	struct pipeline_sink *sink = execution->sink;
	struct execution own = *execution;
	struct packet_key key = *execution->key;

	execution_settle(execution);
	execution->progress.copies++;
	own.packet = sink->copy(sink, execution->packet);
	if (!own.packet)
		return;
	packet_copy_offsets(own.packet, execution->packet);
	own.key = &key;
	own.progress = (struct execution_progress){
		.lookups = execution->progress.lookups,
		.pending = OFPORT_NONE,
		.reason = DROP_ACTION_DROP,
	};
	execution_run_whole(&own, &bucket->actions);
	execution->progress.lookups = own.progress.lookups;
}

static bool run_bucket(struct execution *execution, const struct installed_group *group,
	unsigned index, bool at_end)
{
	const struct bucket *bucket = &group->group.buckets[index];
	bool goes_on = true;

	// Groups in buckets of groups multiply; together with lookups they have a bound.
	if (execution->progress.lookups >= PIPELINE_LOOKUP_LIMIT) {
		execution_note(execution, DROP_RESUBMIT_LIMIT);
		return false;
	}
	execution->progress.lookups++;
	count(execution, group->buckets[index].counter);
	if (__builtin_expect(execution->observer != NULL, 0))
		execution->observer->bucket(execution->observer, &group->group, index);
	execution->depth++;
	if (at_end || group->buckets[index].only_sends)
		goes_on = execution_run_nested(execution, &bucket->actions, false);
	else
		run_on_copy(execution, bucket);
	execution->depth--;
	return goes_on;
}

// --- Which of them ---

#define LIVENESS_STEPS 4096 // groups that watch groups multiply as well

struct liveness {
	const struct execution *execution;
	unsigned depth; // of groups that watch groups
	unsigned *left; // buckets that may still be looked at; behind that all are dead
};

static bool group_live(const struct liveness *liveness, uint32_t id);

static bool bucket_live(void *context, const struct bucket *bucket)
{
	const struct liveness *liveness = context;
	const struct execution *execution = liveness->execution;
	struct pipeline_sink *sink = execution->sink;
	uint16_t port = bucket->watch_port;

	if (port == OFPORT_NONE && bucket->watch_group == GROUP_NONE)
		return true;
	if (*liveness->left == 0)
		return false;
	--*liveness->left;
	if (port <= OFPORT_MAX && execution->ports->by_number[port] &&
		(!sink->port_live || sink->port_live(sink, port)))
		return true;
	return bucket->watch_group != GROUP_NONE && group_live(liveness, bucket->watch_group);
}

static bool group_live(const struct liveness *liveness, uint32_t id)
{
	const struct installed_group *group = group_find(liveness->execution, id);
	struct liveness deeper = {liveness->execution, liveness->depth + 1, liveness->left};

	if (!group || deeper.depth > GROUP_DEPTH)
		return false;
	for (size_t i = 0; i < group->group.count; i++) {
		if (bucket_live(&deeper, &group->group.buckets[i]))
			return true;
	}
	return false;
}

static unsigned choose_hashed(
	struct execution *execution, const struct installed_group *group, struct liveness *liveness)
{
	unsigned slot = group_slot(group_hash(&group->group, execution->key));
	unsigned winner = group->winners[slot];

	if (winner == GROUP_NO_BUCKET || bucket_live(liveness, &group->group.buckets[winner]))
		return winner;
	return group_slot_winner(&group->group, slot, bucket_live, liveness);
}

static unsigned choose_first(
	struct execution *execution, const struct installed_group *group, struct liveness *liveness)
{
	for (size_t i = 0; i < group->group.count; i++) {
		if (bucket_live(liveness, &group->group.buckets[i]))
			return (unsigned)i;
	}
	return GROUP_NO_BUCKET;
}

// By type; NULL: every bucket, alive or not.
static unsigned (*const choosers[])(struct execution *execution,
	const struct installed_group *group, struct liveness *liveness) = {
	[GROUP_ALL] = NULL,
	[GROUP_SELECT] = choose_hashed,
	[GROUP_INDIRECT] = NULL,
	[GROUP_FAST_FAILOVER] = choose_first,
};

static bool run_all(
	struct execution *execution, const struct installed_group *group, bool group_at_end)
{
	if (group->group.count == 0)
		execution_note(execution, DROP_NO_BUCKET);
	for (size_t i = 0; i < group->group.count; i++) {
		bool at_end = group_at_end && i + 1 == group->group.count;

		if (!run_bucket(execution, group, (unsigned)i, at_end))
			return false;
	}
	return true;
}

bool action_group_run(struct execution *execution, const struct action *action)
{
	const struct installed_group *group = group_find(execution, action->group);
	// Nothing follows in this list, nor where it was called from.
	bool at_end = execution->depth == 0 && action + 1 == execution->list_end;
	unsigned left = LIVENESS_STEPS;
	struct liveness liveness = {execution, 0, &left};
	unsigned chosen;

	if (!group) {
		execution_note(execution, DROP_NO_GROUP);
		return true;
	}
	if (execution->depth >= PIPELINE_RESUBMIT_DEPTH) {
		execution_note(execution, DROP_RESUBMIT_LIMIT);
		return false;
	}
	count(execution, group->counter);
	if (!choosers[group->group.type])
		return run_all(execution, group, at_end);
	chosen = choosers[group->group.type](execution, group, &liveness);
	if (chosen != GROUP_NO_BUCKET)
		return run_bucket(execution, group, chosen, at_end);
	execution_note(execution, DROP_NO_BUCKET);
	return true;
}
