// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include "tests/model/oracle_run.h"

// Groups and meters.

#define LIVE_DEPTH 16 // groups that watch groups

static const struct oracle_group *group_of(const struct run *run, uint32_t id)
{
	for (size_t i = 0; i < run->oracle->group_count; i++)
		if (run->oracle->groups[i].group->id == id)
			return &run->oracle->groups[i];
	return NULL;
}

// --- Which buckets ---

static bool is_live(const struct run *run, const struct bucket *bucket, unsigned depth)
{
	const struct oracle_group *watched;

	if (bucket->watch_port == OFPORT_NONE && bucket->watch_group == GROUP_NONE)
		return true;
	if (run_port(run, bucket->watch_port) && !run->oracle->dead[bucket->watch_port])
		return true;
	watched = bucket->watch_group == GROUP_NONE ? NULL : group_of(run, bucket->watch_group);
	if (!watched || depth == LIVE_DEPTH)
		return false;
	for (size_t i = 0; i < watched->group->count; i++)
		if (is_live(run, &watched->group->buckets[i], depth + 1))
			return true;
	return false;
}

// The only one that there can be, -1: none.
static int selected(const struct run *run, const struct group *group)
{
	int found = -1;

	for (size_t i = 0; i < group->count; i++) {
		if (group->buckets[i].weight == 0 || !is_live(run, &group->buckets[i], 0))
			continue;
		if (found >= 0)
			abort();
		found = (int)i;
	}
	return found;
}

static int first_live(const struct run *run, const struct group *group)
{
	for (size_t i = 0; i < group->count; i++)
		if (is_live(run, &group->buckets[i], 0))
			return (int)i;
	return -1;
}

// --- Running them ---

static bool only_sends(const struct action_list *actions)
{
	for (size_t i = 0; i < actions->count; i++) {
		enum action_id id = actions->items[i].id;

		if (id != ACTION_OUTPUT && id != ACTION_OUTPUT_FIELD &&
			id != ACTION_OUTPUT_TRUNCATED && id != ACTION_IN_PORT && id != ACTION_ALL &&
			id != ACTION_FLOOD && id != ACTION_NORMAL && id != ACTION_CONTROLLER &&
			id != ACTION_GROUP && id != ACTION_DROP)
			return false;
	}
	return true;
}

// What becomes of the copy is counted as its own, and the packet goes on as it was.
static void run_on_copy(struct run *run, const struct action_list *actions)
{
	struct run own = *run;

	own.emitted = 0;
	own.delivered = false;
	own.reason = DROP_ACTION_DROP;
	if (run_list(&own, actions))
		run_end(&own);
	else
		own.outcome->drops[own.reason]++;
	run->lookups = own.lookups;
	run->emitted++;
}

static bool run_bucket(struct run *run, const struct oracle_group *group, size_t index, bool last)
{
	const struct action_list *actions = &group->group->buckets[index].actions;
	bool goes_on = true;

	if (run->lookups == MAX_LOOKUPS) {
		run->reason = DROP_RESUBMIT_LIMIT;
		return false;
	}
	run->lookups++;
	run_count(run, group->buckets[index]);
	run->depth++;
	if (last || only_sends(actions))
		goes_on = run_list(run, actions);
	else
		run_on_copy(run, actions);
	run->depth--;
	return goes_on;
}

static bool run_one(struct run *run, const struct oracle_group *group, int index, bool last)
{
	if (index >= 0)
		return run_bucket(run, group, (size_t)index, last);
	run->reason = DROP_NO_BUCKET;
	return true;
}

bool run_group(struct run *run, uint32_t id, bool is_all_that_follows)
{
	const struct oracle_group *group = group_of(run, id);
	size_t count;

	if (!group) {
		run->reason = DROP_NO_GROUP;
		return true;
	}
	if (run->depth == MAX_DEPTH) {
		run->reason = DROP_RESUBMIT_LIMIT;
		return false;
	}
	run_count(run, group->total);
	if (group->group->type == GROUP_SELECT)
		return run_one(run, group, selected(run, group->group), is_all_that_follows);
	if (group->group->type == GROUP_FAST_FAILOVER)
		return run_one(run, group, first_live(run, group->group), is_all_that_follows);
	count = group->group->count;
	if (count == 0)
		run->reason = DROP_NO_BUCKET;
	for (size_t i = 0; i < count; i++)
		if (!run_bucket(run, group, i, is_all_that_follows && i + 1 == count))
			return false;
	return true;
}

// --- Meters ---

// RFC 2597, section 6: classes 1 to 4, in each the drop precedences 1 to 3.
static const unsigned assured_forwarding[4][3] = {
	{10, 12, 14}, {18, 20, 22}, {26, 28, 30}, {34, 36, 38}};

static unsigned remarked(unsigned dscp, unsigned by)
{
	for (unsigned class = 0; class < 4; class ++)
		for (unsigned precedence = 0; precedence < 3; precedence++)
			if (assured_forwarding[class][precedence] == dscp)
				return assured_forwarding[class][precedence + by > 2
									 ? 2
									 : precedence + by];
	return dscp;
}

static bool remark(struct run *run, unsigned by)
{
	unsigned dscp;

	if (!oracle_has(&run->packet, FIELD_IP_DSCP))
		return true;
	dscp = (unsigned)oracle_read(&run->packet, FIELD_IP_DSCP);
	if (remarked(dscp, by) == dscp)
		return true;
	return !run_stopped_by(
		run, oracle_write(&run->packet, FIELD_IP_DSCP, remarked(dscp, by), 0x3f));
}

static const struct oracle_meter *meter_of(const struct run *run, uint32_t id)
{
	for (size_t i = 0; i < run->oracle->meter_count; i++)
		if (run->oracle->meters[i].meter->id == id)
			return &run->oracle->meters[i];
	return NULL;
}

bool run_meter(struct run *run, uint32_t id)
{
	const struct oracle_meter *meter = meter_of(run, id);
	const struct meter_band *acting = NULL;
	uint64_t before;
	unsigned exceeded;

	if (!meter) {
		run->reason = DROP_NO_METER;
		return false;
	}
	before = meter->total->bytes;
	run_count(run, meter->total);
	exceeded = run->oracle->charge(meter->state, (uint32_t)(meter->total->bytes - before));
	for (size_t i = 0; i < meter->meter->count; i++)
		if (exceeded >> i & 1 && (!acting || meter->meter->bands[i].rate > acting->rate))
			acting = &meter->meter->bands[i];
	if (!acting)
		return true;
	run_count(run, meter->bands[acting - meter->meter->bands]);
	if (acting->type == METER_DSCP_REMARK)
		return remark(run, acting->precedence);
	run->reason = DROP_METER;
	return false;
}
