// SPDX-License-Identifier: Apache-2.0
#include "pipeline/execute.h"

#include "pipeline/observer.h"
#include "pipeline/packet_vlan.h"
#include "pipeline/pipeline_private.h"
#include "pipeline/packet_format.h"

// Make the frame leave with VLAN `vlan`, see execution_emit_vlan().
static int tag_for(struct packet *packet, uint16_t vlan)
{
	if (vlan == VLAN_AS_IS)
		return 0;
	if (vlan == 0) {
		packet_pop_vlan(packet, NULL);
		return 0;
	}
	if (!packet_is_tagged(packet))
		return packet_push_vlan(packet, NULL, ETHERTYPE_VLAN, vlan);
	packet_set_tci(packet, NULL, (packet_tci(packet) & ~VLAN_VID_MASK) | vlan);
	return 0;
}

// The end of a packet or copy that is to be sent.
static void send(struct execution *execution, struct packet *packet, uint16_t port)
{
	struct pipeline_sink *sink = execution->sink;
	uint32_t length = execution->progress.pending_length;

	if (packet->length > length) {
		packet->length = length;
		if (packet->linear > length)
			packet->linear = (uint16_t)length;
	}
	if (tag_for(packet, execution->progress.pending_vlan) == 0)
		sink->output(sink, packet, port);
	else
		sink->drop(sink, packet, DROP_NO_HEADROOM);
}

void execution_emit_vlan(struct execution *execution, uint16_t port, uint16_t vlan)
{
	execution_settle(execution);
	execution->progress.pending = port;
	execution->progress.pending_vlan = vlan;
	execution->progress.pending_length = UINT32_MAX;
}

void execution_emit(struct execution *execution, uint16_t port)
{
	execution_emit_vlan(execution, port, VLAN_AS_IS);
}

void execution_emit_truncated(struct execution *execution, uint16_t port, uint32_t length)
{
	execution_emit(execution, port);
	execution->progress.pending_length = length;
}

bool execution_settle(struct execution *execution)
{
	struct pipeline_sink *sink = execution->sink;
	const struct packet *packet = execution->packet;
	uint16_t port = execution->progress.pending;
	struct packet *copy;

	if (port == OFPORT_NONE)
		return true;
	execution->progress.pending = OFPORT_NONE;
	execution->progress.copies++;
	copy = sink->copy(sink, packet);
	if (!copy)
		return false;
	packet_copy_offsets(copy, packet);
	send(execution, copy, port);
	return true;
}

// What the action notes is told apart from what was noted before.
static __attribute__((cold, noinline)) bool run_observed(
	struct execution *execution, const struct action *action)
{
	struct pipeline_observer *observer = execution->observer;
	enum drop_reason before = execution->progress.reason;
	bool goes_on;

	observer->begin(observer, action, execution->key);
	execution->progress.reason = DROP_REASON_COUNT;
	goes_on = action_type_get(action->id)->run(execution, action);
	observer->end(observer, action, execution->key, execution->progress.reason);
	if (execution->progress.reason == DROP_REASON_COUNT)
		execution->progress.reason = before;
	return goes_on;
}

static inline __attribute__((always_inline)) bool run_list(
	struct execution *execution, const struct action_list *actions, const bool observed)
{
	// An empty list is how "drop" is written in OpenFlow.
	if (actions->count == 0)
		execution_note(execution, DROP_ACTION_DROP);
	execution->list_end = actions->items + actions->count;
	for (size_t i = 0; i < actions->count; i++) {
		const struct action *action = &actions->items[i];

		if (observed ? !run_observed(execution, action)
			     : !action_type_get(action->id)->run(execution, action))
			return false;
	}
	return true;
}

static inline __attribute__((always_inline)) bool run_either(
	struct execution *execution, const struct action_list *actions)
{
	if (__builtin_expect(execution->observer != NULL, 0))
		return run_list(execution, actions, true);
	return run_list(execution, actions, false);
}

bool execution_run_nested(
	struct execution *execution, const struct action_list *actions, bool follows)
{
	const struct action *outer_end = execution->list_end;
	bool outer_follows = execution->follows, goes_on;

	execution->follows = follows;
	goes_on = run_either(execution, actions);
	execution->follows = outer_follows;
	execution->list_end = outer_end;
	return goes_on;
}

void execution_end(struct execution *execution)
{
	struct pipeline_sink *sink = execution->sink;

	// Outputs before what ended the packet stay sent.
	execution_settle(execution);
	sink->drop(sink, execution->packet, execution->progress.reason);
}

bool execution_run(struct execution *execution, const struct action_list *actions)
{
	execution->next_table = -1;
	execution->follows = true;
	if (run_either(execution, actions))
		return true;
	execution_end(execution);
	return false;
}

void execution_finish(struct execution *execution)
{
	struct pipeline_sink *sink = execution->sink;

	if (execution->progress.pending != OFPORT_NONE)
		send(execution, execution->packet, execution->progress.pending);
	else
		sink->drop(sink, execution->packet,
			execution->progress.copies > 0 || execution->progress.delivered
				? DROP_CONSUMED
				: execution->progress.reason);
}

void execution_run_whole(struct execution *execution, const struct action_list *actions)
{
	execution->next_table = -1;
	execution->follows = false;
	if (run_either(execution, actions))
		execution_finish(execution);
	else
		execution_end(execution);
}
