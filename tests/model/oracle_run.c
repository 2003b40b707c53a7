// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/oracle_run.h"

// Running a program of flows, action by action.

static void emit_part(
	struct run *run, const struct oracle_packet *packet, uint16_t port, size_t most)
{
	static uint8_t bytes[ORACLE_FRAME];
	size_t length = oracle_frame(packet, bytes);

	oracle_outcome_add(run->outcome, port, bytes, length < most ? length : most);
	run->emitted++;
}

void run_emit(struct run *run, const struct oracle_packet *packet, uint16_t port)
{
	emit_part(run, packet, port, SIZE_MAX);
}

void run_count(const struct run *run, struct oracle_count *count)
{
	count->packets++;
	count->bytes += 12 + 4 * run->packet.tag_count + run->packet.length;
}

const struct pipeline_port *run_port(const struct run *run, unsigned number)
{
	for (size_t i = 0; i < run->oracle->port_count; i++)
		if (run->oracle->ports[i].number == number)
			return &run->oracle->ports[i];
	return NULL;
}

// --- Matching ---

static bool in_range(struct port_range range, uint16_t port)
{
	if (range.first == 0 && range.last == 0)
		return true;
	return ntohs(port) >= range.first && ntohs(port) <= range.last;
}

static bool matches(const struct match *match, const struct packet_key *key)
{
	const uint8_t *value = (const uint8_t *)&match->value;
	const uint8_t *mask = (const uint8_t *)&match->mask;
	const uint8_t *bytes = (const uint8_t *)key;

	for (size_t i = 0; i < sizeof(*key); i++)
		if ((bytes[i] & mask[i]) != value[i])
			return false;
	return in_range(match->tp_src, key->tp_src) && in_range(match->tp_dst, key->tp_dst);
}

static unsigned ones_in(const struct match *match)
{
	const uint8_t *mask = (const uint8_t *)&match->mask;
	unsigned count = 0;

	for (size_t i = 0; i < sizeof(match->mask); i++)
		for (unsigned bit = 0; bit < 8; bit++)
			count += mask[i] >> bit & 1;
	return count;
}

// The fixed order of overlapping flows of one priority; programs have no ranges there.
static bool goes_first(const struct flow *a, const struct flow *b)
{
	int order;

	if (a->priority != b->priority)
		return a->priority > b->priority;
	if (ones_in(&a->match) != ones_in(&b->match))
		return ones_in(&a->match) > ones_in(&b->match);
	order = memcmp(&a->match.mask, &b->match.mask, sizeof(a->match.mask));
	if (order == 0)
		order = memcmp(&a->match.value, &b->match.value, sizeof(a->match.value));
	return order < 0;
}

static const struct flow *look_up(struct run *run, unsigned table, unsigned in_port)
{
	struct oracle_flow *best = NULL;
	struct packet_key key;

	oracle_key(&run->packet, &key);
	key.in_port = htons(in_port);
	for (size_t i = 0; i < run->oracle->flow_count; i++) {
		struct oracle_flow *flow = &run->oracle->flows[i];

		if (flow->flow->table == table && matches(&flow->flow->match, &key) &&
			(!best || goes_first(flow->flow, best->flow)))
			best = flow;
	}
	if (!best)
		return NULL;
	run_count(run, best->hits);
	return best->flow;
}

// --- Outputs ---

static void flood(struct run *run, bool all)
{
	bool found = false;

	for (size_t i = 0; i < run->oracle->port_count; i++) {
		const struct pipeline_port *port = &run->oracle->ports[i];

		if (port->number == run->packet.in_port || (!all && port->no_flood))
			continue;
		run_emit(run, &run->packet, port->number);
		found = true;
	}
	if (!found)
		run->reason = DROP_NO_DESTINATION;
}

static void back(struct run *run)
{
	if (run_port(run, run->packet.in_port))
		run_emit(run, &run->packet, run->packet.in_port);
	else
		run->reason = DROP_NO_PORT;
}

static void output(struct run *run, oracle_number port)
{
	if (port == OFPORT_IN_PORT)
		back(run);
	else if (port == OFPORT_NORMAL)
		run_normal(run);
	else if (port == OFPORT_FLOOD || port == OFPORT_ALL)
		flood(run, port == OFPORT_ALL);
	else if (port == run->packet.in_port)
		run->reason = DROP_INGRESS_PORT;
	else if (port > OFPORT_MAX || !run_port(run, (unsigned)port))
		run->reason = DROP_NO_PORT;
	else
		run_emit(run, &run->packet, (uint16_t)port);
}

static void output_part(struct run *run, unsigned port, size_t most)
{
	if (port != OFPORT_IN_PORT && port == run->packet.in_port) {
		run->reason = DROP_INGRESS_PORT;
		return;
	}
	if (port == OFPORT_IN_PORT)
		port = run->packet.in_port;
	if (run_port(run, port))
		emit_part(run, &run->packet, (uint16_t)port, most);
	else
		run->reason = DROP_NO_PORT;
}

static void controller(struct run *run, const struct action *action)
{
	static uint8_t bytes[ORACLE_FRAME];
	size_t length = oracle_frame(&run->packet, bytes);
	struct packet_in event = {
		.reason = action->controller.reason,
		.table = run->flow->table,
		.max_len = action->controller.max_len,
		.cookie = run->flow->cookie,
		.metadata = run->packet.metadata,
	};
	bool taken = run->oracle->takes_event(&event, length);

	oracle_outcome_event(run->outcome, &event, taken, bytes, length);
	if (taken)
		run->delivered = true;
	else
		run->reason = DROP_CONTROLLER;
}

// --- Actions ---

static oracle_number number_of(const struct field_value *value)
{
	oracle_number number = 0;

	for (unsigned i = 0; i < 16; i++)
		number = number * 256 + value->bytes[i];
	return number;
}

static oracle_number bits_of(const struct run *run, const struct subfield *subfield)
{
	oracle_number number = oracle_read(&run->packet, subfield->field) >> subfield->first_bit;

	return subfield->n_bits == 128 ? number : number % ((oracle_number)1 << subfield->n_bits);
}

bool run_stopped_by(struct run *run, enum drop_reason reason)
{
	if (reason == DROP_REASON_COUNT)
		return false;
	run->reason = reason;
	return true;
}

// The rest returns false where the packet ends.

static bool write_number(
	struct run *run, enum field_id field, oracle_number value, oracle_number mask)
{
	return !run_stopped_by(run, oracle_write(&run->packet, field, value, mask));
}

static bool set(struct run *run, const struct action *action)
{
	enum field_id field = action->set.target.field;
	bool source = action->id == ACTION_MOD_TP_SRC;

	if (source || action->id == ACTION_MOD_TP_DST) {
		if (run->packet.nw_proto == 17)
			field = source ? FIELD_UDP_SRC : FIELD_UDP_DST;
		else if (run->packet.nw_proto == 132)
			field = source ? FIELD_SCTP_SRC : FIELD_SCTP_DST;
		else
			field = source ? FIELD_TCP_SRC : FIELD_TCP_DST;
	}
	return write_number(
		run, field, number_of(&action->set.value), number_of(&action->set.mask));
}

static bool move(struct run *run, const struct action *action)
{
	const struct subfield *source = &action->move.source, *target = &action->move.target;
	oracle_number mask = target->n_bits == 128 ? ~(oracle_number)0
						   : ((oracle_number)1 << target->n_bits) - 1;

	if (!oracle_has(&run->packet, source->field))
		return true;
	return write_number(run, target->field, bits_of(run, source) << target->first_bit,
		mask << target->first_bit);
}

static bool mod_vlan(struct run *run, const struct action *action)
{
	if (run->packet.tag_count == 0 && run_stopped_by(run, oracle_push(&run->packet, 0x8100, 0)))
		return false;
	return set(run, action);
}

static bool dec_ttl(struct run *run)
{
	unsigned ttl;

	if (!oracle_has(&run->packet, FIELD_NW_TTL))
		return true;
	ttl = (unsigned)oracle_read(&run->packet, FIELD_NW_TTL);
	if (ttl <= 1) {
		run->reason = DROP_TTL_EXPIRED;
		return false;
	}
	return write_number(run, FIELD_NW_TTL, ttl - 1, 0xff);
}

static bool resubmit(struct run *run, const struct action *action)
{
	const struct flow *caller = run->flow;
	int table = action->resubmit.table;
	unsigned in_port = action->resubmit.port == OFPORT_IN_PORT ? run->packet.in_port
								   : action->resubmit.port;

	if (run->depth == MAX_DEPTH) {
		run->reason = DROP_RESUBMIT_LIMIT;
		return false;
	}
	run->depth++;
	while (table >= 0) {
		const struct flow *flow;

		if (run->lookups == MAX_LOOKUPS) {
			run->reason = DROP_RESUBMIT_LIMIT;
			return false;
		}
		run->lookups++;
		flow = look_up(run, table, in_port);
		if (!flow)
			break;
		run->next_table = -1;
		run->flow = flow;
		if (!run_list(run, &flow->actions))
			return false;
		table = run->next_table;
		in_port = run->packet.in_port;
	}
	run->next_table = -1;
	run->depth--;
	run->flow = caller;
	return true;
}

// `last`: nothing follows in the list.
static bool run_action(struct run *run, const struct action *action, bool last)
{
	switch (action->id) {
	case ACTION_OUTPUT:
		output(run, action->port);
		return true;
	case ACTION_OUTPUT_FIELD:
		output(run, oracle_has(&run->packet, action->output.field)
				    ? bits_of(run, &action->output)
				    : 0);
		return true;
	case ACTION_OUTPUT_TRUNCATED:
		output_part(run, action->truncated.port, action->truncated.max_len);
		return true;
	case ACTION_CONTROLLER:
		controller(run, action);
		return true;
	case ACTION_GROUP:
		return run_group(run, action->group, last && run->depth == 0);
	case ACTION_METER:
		return run_meter(run, action->meter);
	case ACTION_IN_PORT:
		back(run);
		return true;
	case ACTION_ALL:
	case ACTION_FLOOD:
		flood(run, action->id == ACTION_ALL);
		return true;
	case ACTION_NORMAL:
		run_normal(run);
		return true;
	case ACTION_DROP:
		run->reason = DROP_ACTION_DROP;
		return true;
	case ACTION_PUSH_VLAN:
		return !run_stopped_by(run, oracle_push(&run->packet, action->ethertype, 0));
	case ACTION_STRIP_VLAN:
		oracle_pop(&run->packet);
		return true;
	case ACTION_MOD_VLAN_VID:
	case ACTION_MOD_VLAN_PCP:
		return mod_vlan(run, action);
	case ACTION_DEC_TTL:
		return dec_ttl(run);
	case ACTION_MOVE:
		return move(run, action);
	case ACTION_GOTO_TABLE:
		run->next_table = action->table;
		return true;
	case ACTION_RESUBMIT:
		return resubmit(run, action);
	default:
		return set(run, action);
	}
}

bool run_list(struct run *run, const struct action_list *actions)
{
	if (actions->count == 0)
		run->reason = DROP_ACTION_DROP;
	for (size_t i = 0; i < actions->count; i++)
		if (!run_action(run, &actions->items[i], i + 1 == actions->count))
			return false;
	return true;
}

void run_end(struct run *run)
{
	if (run->emitted == 0 && !run->delivered)
		run->outcome->drops[run->reason]++;
}

void oracle_run(struct oracle *oracle, const uint8_t *bytes, size_t length, size_t readable,
	unsigned headroom, uint16_t in_port, struct oracle_outcome *outcome)
{
	struct run run = {.oracle = oracle, .outcome = outcome, .reason = DROP_ACTION_DROP};
	int table = 0;

	if (!oracle_parse(&run.packet, bytes, length, readable, headroom, in_port)) {
		outcome->drops[DROP_MALFORMED]++;
		return;
	}
	while (table >= 0) {
		run.lookups++;
		run.flow = look_up(&run, table, in_port);
		if (!run.flow) {
			run.reason = DROP_TABLE_MISS;
			break;
		}
		run.next_table = -1;
		if (!run_list(&run, &run.flow->actions)) {
			// It ends here; what was sent before stays sent.
			outcome->drops[run.reason]++;
			return;
		}
		table = run.next_table;
	}
	run_end(&run);
}
