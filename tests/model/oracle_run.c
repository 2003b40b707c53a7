// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/oracle.h"

// Running a program of flows, action by action.

#define MAX_DEPTH 16     // nested resubmits
#define MAX_LOOKUPS 4096 // per packet

struct run {
	struct oracle *oracle;
	struct oracle_packet packet;
	struct oracle_outcome *outcome;
	unsigned emitted; // sent, or dropped on the way out
	unsigned lookups, depth;
	enum drop_reason reason; // noted last
	int next_table;
};

// --- Results ---

void oracle_outcome_add(
	struct oracle_outcome *outcome, uint16_t port, const uint8_t *bytes, size_t length)
{
	struct oracle_output *output;

	if (outcome->count == outcome->space) {
		outcome->space = outcome->space ? outcome->space * 2 : 8;
		outcome->outputs =
			realloc(outcome->outputs, outcome->space * sizeof(outcome->outputs[0]));
		if (!outcome->outputs)
			abort();
	}
	output = &outcome->outputs[outcome->count++];
	output->port = port;
	output->length = length;
	output->bytes = malloc(length);
	if (!output->bytes)
		abort();
	memcpy(output->bytes, bytes, length);
}

void oracle_outcome_free(struct oracle_outcome *outcome)
{
	for (size_t i = 0; i < outcome->count; i++)
		free(outcome->outputs[i].bytes);
	free(outcome->outputs);
	memset(outcome, 0, sizeof(*outcome));
}

static void emit(struct run *run, const struct oracle_packet *packet, uint16_t port)
{
	static uint8_t bytes[12 + 4 * ORACLE_TAGS + ORACLE_REST];

	oracle_outcome_add(run->outcome, port, bytes, oracle_frame(packet, bytes));
	run->emitted++;
}

static const struct pipeline_port *port_of(const struct run *run, unsigned number)
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
	best->hits++;
	return best->flow;
}

// --- NORMAL ---

static bool trunk_has(const struct pipeline_port *port, unsigned vlan)
{
	bool any = false;

	for (unsigned i = 0; i < 4096; i++)
		any = any || (port->trunks[i / 64] & 1ull << i % 64);
	return !any || (port->trunks[vlan / 64] & 1ull << vlan % 64);
}

static bool member(const struct pipeline_port *port, unsigned vlan)
{
	switch (port->vlan_mode) {
	case VLAN_ACCESS:
		return vlan == port->tag;
	case VLAN_TRUNK:
		return trunk_has(port, vlan);
	default:
		if (vlan == port->tag)
			return true;
		return vlan != 0 && trunk_has(port, vlan);
	}
}

static int classify(const struct pipeline_port *port, const struct oracle_packet *packet)
{
	unsigned vlan = packet->tag_count ? packet->tags[0].tci % 4096u : 0;

	if (port->vlan_mode == VLAN_ACCESS)
		return vlan == 0 ? port->tag : -1;
	if (vlan == 0 && port->vlan_mode != VLAN_TRUNK)
		return port->tag;
	return member(port, vlan) ? (int)vlan : -1;
}

static void normal_send(struct run *run, const struct pipeline_port *port, unsigned vlan)
{
	struct oracle_packet copy = run->packet;
	bool tagged = vlan != 0 && port->vlan_mode != VLAN_ACCESS &&
		      !(port->vlan_mode == VLAN_NATIVE_UNTAGGED && vlan == port->tag);

	if (!tagged) {
		oracle_pop(&copy);
	} else if (copy.tag_count == 0) {
		if (oracle_push(&copy, 0x8100, vlan) != DROP_REASON_COUNT) {
			run->outcome->drops[DROP_NO_HEADROOM]++;
			run->emitted++;
			return;
		}
	} else {
		copy.tags[0].tci = copy.tags[0].tci / 4096 * 4096 + vlan;
	}
	emit(run, &copy, port->number);
}

static void normal_learn(struct run *run, unsigned vlan)
{
	static const uint8_t zero[6];
	struct oracle *oracle = run->oracle;
	const uint8_t *mac = run->packet.macs + 6;
	size_t i = 0;

	if (mac[0] % 2 == 1 || memcmp(mac, zero, 6) == 0)
		return;
	while (i < oracle->mac_count &&
		(oracle->macs[i].vlan != vlan || memcmp(oracle->macs[i].mac, mac, 6) != 0))
		i++;
	if (i == ORACLE_MACS)
		abort();
	if (i == oracle->mac_count)
		oracle->mac_count++;
	memcpy(oracle->macs[i].mac, mac, 6);
	oracle->macs[i].vlan = vlan;
	oracle->macs[i].port = run->packet.in_port;
}

static void normal_forward(struct run *run, unsigned vlan)
{
	struct oracle *oracle = run->oracle;
	const uint8_t *mac = run->packet.macs;
	bool found = false;

	for (size_t i = 0; mac[0] % 2 == 0 && i < oracle->mac_count; i++) {
		const struct pipeline_port *port = port_of(run, oracle->macs[i].port);

		if (oracle->macs[i].vlan != vlan || memcmp(oracle->macs[i].mac, mac, 6) != 0)
			continue;
		if (port->number == run->packet.in_port)
			run->reason = DROP_INGRESS_PORT;
		else if (!member(port, vlan))
			run->reason = DROP_VLAN_FILTERED;
		else
			normal_send(run, port, vlan);
		return;
	}
	for (size_t i = 0; i < oracle->port_count; i++) {
		const struct pipeline_port *port = &oracle->ports[i];

		if (port->number != run->packet.in_port && !port->no_flood && member(port, vlan)) {
			normal_send(run, port, vlan);
			found = true;
		}
	}
	if (!found)
		run->reason = DROP_NO_DESTINATION;
}

static void normal(struct run *run)
{
	const struct pipeline_port *port = port_of(run, run->packet.in_port);
	int vlan;

	if (!port) {
		run->reason = DROP_NO_BRIDGE;
		return;
	}
	if (memcmp(run->packet.macs, "\x01\x80\xc2\0\0", 5) == 0 && run->packet.macs[5] < 16) {
		run->reason = DROP_RESERVED_MAC;
		return;
	}
	vlan = classify(port, &run->packet);
	if (vlan < 0) {
		run->reason = DROP_VLAN_FILTERED;
		return;
	}
	normal_learn(run, vlan);
	normal_forward(run, vlan);
}

// --- Other outputs ---

static void flood(struct run *run, bool all)
{
	bool found = false;

	for (size_t i = 0; i < run->oracle->port_count; i++) {
		const struct pipeline_port *port = &run->oracle->ports[i];

		if (port->number == run->packet.in_port || (!all && port->no_flood))
			continue;
		emit(run, &run->packet, port->number);
		found = true;
	}
	if (!found)
		run->reason = DROP_NO_DESTINATION;
}

static void back(struct run *run)
{
	if (port_of(run, run->packet.in_port))
		emit(run, &run->packet, run->packet.in_port);
	else
		run->reason = DROP_NO_PORT;
}

static void output(struct run *run, oracle_number port)
{
	if (port == OFPORT_IN_PORT)
		back(run);
	else if (port == OFPORT_NORMAL)
		normal(run);
	else if (port == OFPORT_FLOOD || port == OFPORT_ALL)
		flood(run, port == OFPORT_ALL);
	else if (port == run->packet.in_port)
		run->reason = DROP_INGRESS_PORT;
	else if (port > OFPORT_MAX || !port_of(run, (unsigned)port))
		run->reason = DROP_NO_PORT;
	else
		emit(run, &run->packet, (uint16_t)port);
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

static bool stopped_by(struct run *run, enum drop_reason reason)
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
	return !stopped_by(run, oracle_write(&run->packet, field, value, mask));
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
	if (run->packet.tag_count == 0 && stopped_by(run, oracle_push(&run->packet, 0x8100, 0)))
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

static bool run_list(struct run *run, const struct action_list *actions);

static bool resubmit(struct run *run, const struct action *action)
{
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
		if (!run_list(run, &flow->actions))
			return false;
		table = run->next_table;
		in_port = run->packet.in_port;
	}
	run->next_table = -1;
	run->depth--;
	return true;
}

static bool run_action(struct run *run, const struct action *action)
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
	case ACTION_IN_PORT:
		back(run);
		return true;
	case ACTION_ALL:
	case ACTION_FLOOD:
		flood(run, action->id == ACTION_ALL);
		return true;
	case ACTION_NORMAL:
		normal(run);
		return true;
	case ACTION_DROP:
		run->reason = DROP_ACTION_DROP;
		return true;
	case ACTION_PUSH_VLAN:
		return !stopped_by(run, oracle_push(&run->packet, action->ethertype, 0));
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

static bool run_list(struct run *run, const struct action_list *actions)
{
	if (actions->count == 0)
		run->reason = DROP_ACTION_DROP;
	for (size_t i = 0; i < actions->count; i++)
		if (!run_action(run, &actions->items[i]))
			return false;
	return true;
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
		const struct flow *flow;

		run.lookups++;
		flow = look_up(&run, table, in_port);
		if (!flow) {
			run.reason = DROP_TABLE_MISS;
			break;
		}
		run.next_table = -1;
		if (!run_list(&run, &flow->actions)) {
			// It ends here; what was sent before stays sent.
			outcome->drops[run.reason]++;
			return;
		}
		table = run.next_table;
	}
	if (run.emitted == 0)
		outcome->drops[run.reason]++;
}
