// SPDX-License-Identifier: Apache-2.0
// Lint: ports whose IP is forwarded while their ARP or RARP goes nowhere; see flow_lint.h.
//
// A set of packets, given as a match, is followed through the tables. A flow that shares packets
// with it may be hit, one that covers it ends the table. Where something is not known, such as a
// field after a move, the way is taken to be open; so a port is told of only if there is no way
// out for any of its broadcasts.

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_lint_private.h"
#include "pipeline/packet_format.h"

#define WALK_STEPS 200000 // flows looked at for one port and one kind of packet
#define WALK_DEPTH 40     // tables within tables
#define WALK_RESUBMITS 16 // as deep as the datapath goes
#define PORT_OTHER 0      // stands for all that no flow of table 0 names

enum traffic { TRAFFIC_IP, TRAFFIC_ARP, TRAFFIC_RARP, TRAFFIC_COUNT };

// The flows that packets of one type can hit.
struct traffic_flows {
	struct traffic_flow {
		size_t position;
		uint16_t in_port; // that it matches, network byte order; 0: any
	} * items;
	size_t first[LINT_TABLES + 1];
};

struct broadcasts {
	struct lint *lint;
	struct traffic_flows flows[TRAFFIC_COUNT];
};

struct walk {
	const struct broadcasts *broadcasts;
	const struct traffic_flows *flows;
	uint16_t in_port;
	uint64_t steps;
	unsigned depth;
	unsigned resubmits;
	size_t start; // the flow of table 0 that is being followed
	size_t stop;  // the flow of table 0 that covered all, or FLOW_LINT_NONE
};

static const uint16_t ethertypes[TRAFFIC_COUNT] = {
	[TRAFFIC_IP] = ETHERTYPE_IPV4,
	[TRAFFIC_ARP] = ETHERTYPE_ARP,
	[TRAFFIC_RARP] = ETHERTYPE_RARP,
};

static bool walk_table(
	struct walk *walk, unsigned table, const struct match *packets, uint16_t lookup_port);

static bool port_exists(const struct port_names *ports, uint16_t port)
{
	for (size_t i = 0; ports && i < ports->count; i++) {
		if (ports->items[i].number == port)
			return true;
	}
	return !ports; // not known
}

// What actions do to what is known of the packets.

static void field_forget(struct match *packets, enum field_id id)
{
	static const struct field_value nothing;

	field_write(field_get(id), &packets->value, &nothing);
	field_write(field_get(id), &packets->mask, &nothing);
}

static void field_learn(struct match *packets, const struct action *action)
{
	const struct field *field = field_get(action->set.target.field);
	struct field_value value, mask;

	field_read(field, &packets->value, &value);
	field_read(field, &packets->mask, &mask);
	for (unsigned i = 0; i < sizeof(value.bytes); i++) {
		uint8_t written = action->set.mask.bytes[i];

		value.bytes[i] = (value.bytes[i] & ~written) | action->set.value.bytes[i];
		mask.bytes[i] |= written;
	}
	field_write(field, &packets->value, &value);
	field_write(field, &packets->mask, &mask);
}

// Only fields that every packet has are followed.
static bool field_is_followed(enum field_id id)
{
	const struct field *field = field_get(id);

	return field->needs == NEEDS_NOTHING &&
	       field->offset != offsetof(struct packet_key, vlan_tci);
}

static void action_note(const struct action *action, struct match *packets)
{
	switch (action_type_get(action->id)->form) {
	case ARG_FIELD_VALUE:
	case ARG_SET_FIELD:
	case ARG_LOAD:
	case ARG_METADATA:
		if (field_is_followed(action->set.target.field))
			field_learn(packets, action);
		else
			field_forget(packets, action->set.target.field);
		break;
	case ARG_MOVE:
		field_forget(packets, action->move.target.field);
		break;
	default:
		break;
	}
	switch (action->id) {
	case ACTION_PUSH_VLAN:
	case ACTION_STRIP_VLAN:
	case ACTION_MOD_VLAN_VID:
	case ACTION_MOD_VLAN_PCP:
		field_forget(packets, FIELD_VLAN_TCI);
		break;
	case ACTION_DEC_TTL:
		field_forget(packets, FIELD_NW_TTL);
		break;
	default:
		break;
	}
}

// What a resubmit did is not known afterwards; type and port of a packet never change.
static void packets_forget(struct match *packets)
{
	struct packet_key value = packets->value, mask = packets->mask;

	match_init(packets);
	packets->value.in_port = value.in_port;
	packets->mask.in_port = mask.in_port;
	packets->value.dl_type = value.dl_type;
	packets->mask.dl_type = mask.dl_type;
}

// Does the action, by itself, send the packet out? What is not known here may.
static bool action_sends(const struct walk *walk, const struct action *action)
{
	switch (action_type_get(action->id)->form) {
	case ARG_FIELD_VALUE:
	case ARG_SET_FIELD:
	case ARG_LOAD:
	case ARG_METADATA:
	case ARG_MOVE:
		return false;
	default:
		break;
	}
	switch (action->id) {
	case ACTION_OUTPUT:
		return action->port != walk->in_port &&
		       port_exists(walk->broadcasts->lint->ports, action->port);
	case ACTION_OUTPUT_TRUNCATED:
		return action->truncated.port == OFPORT_IN_PORT ||
		       (action->truncated.port != walk->in_port &&
			       port_exists(walk->broadcasts->lint->ports, action->truncated.port));
	case ACTION_METER:
	case ACTION_DROP:
	case ACTION_PUSH_VLAN:
	case ACTION_STRIP_VLAN:
	case ACTION_DEC_TTL:
	case ACTION_GOTO_TABLE:
	case ACTION_RESUBMIT:
		return false;
	default:
		return true;
	}
}

static bool walk_actions(struct walk *walk, const struct flow *flow, struct match *packets)
{
	for (size_t a = 0; a < flow->actions.count; a++) {
		const struct action *action = &flow->actions.items[a];

		if (action_sends(walk, action))
			return true;
		if (action->id == ACTION_GOTO_TABLE)
			return walk_table(walk, action->table, packets, OFPORT_IN_PORT);
		if (action->id != ACTION_RESUBMIT) {
			action_note(action, packets);
			continue;
		}
		if (walk->resubmits >= WALK_RESUBMITS)
			return false;
		walk->resubmits++;
		if (walk_table(walk, action->resubmit.table, packets, action->resubmit.port))
			return true;
		walk->resubmits--;
		packets_forget(packets);
	}
	return false;
}

// Of the packets, those that the flow matches. A lookup as from another port says nothing of
// the port.
static void packets_narrow(struct match *narrow, const struct match *packets,
	const struct match *match, bool other_port)
{
	uint64_t *value = (uint64_t *)&narrow->value, *mask = (uint64_t *)&narrow->mask;

	*narrow = *packets;
	for (unsigned w = 0; w < KEY_WORDS; w++) {
		value[w] |= ((const uint64_t *)&match->value)[w];
		mask[w] |= ((const uint64_t *)&match->mask)[w];
	}
	if (other_port) {
		narrow->value.in_port = packets->value.in_port;
		narrow->mask.in_port = packets->mask.in_port;
	}
}

// Is there a way out for any of the packets?
static bool walk_table(
	struct walk *walk, unsigned table, const struct match *packets, uint16_t lookup_port)
{
	const struct linted_flow *flows = walk->broadcasts->lint->flows;
	struct match looked_up = *packets, narrow;
	bool sent = false;

	if (walk->depth >= WALK_DEPTH)
		return true; // not known
	if (lookup_port != OFPORT_IN_PORT)
		looked_up.value.in_port = htons(lookup_port);
	walk->depth++;
	for (size_t i = walk->flows->first[table]; i < walk->flows->first[table + 1]; i++) {
		const struct traffic_flow *item = &walk->flows->items[i];
		const struct linted_flow *flow = &flows[item->position];

		if (walk->steps == 0 || sent) {
			sent = true;
			break;
		}
		walk->steps--;
		// Most flows of other ports are told by this alone.
		if (item->in_port && item->in_port != looked_up.value.in_port)
			continue;
		if (!match_overlaps(&flow->flow->match, &looked_up))
			continue;
		if (walk->depth == 1)
			walk->start = item->position;
		packets_narrow(&narrow, packets, &flow->flow->match, lookup_port != OFPORT_IN_PORT);
		sent = walk_actions(walk, flow->flow, &narrow);
		if (!sent && flow->lasts && match_covers(&flow->flow->match, &looked_up)) {
			if (walk->depth == 1)
				walk->stop = item->position;
			break;
		}
	}
	walk->depth--;
	return sent;
}

// Registers and metadata begin as zero; of tags nothing is known.
static void packets_make(struct match *packets, enum traffic traffic, uint16_t in_port)
{
	struct packet_key *value = &packets->value, *mask = &packets->mask;

	match_init(packets);
	value->in_port = htons(in_port);
	mask->in_port = 0xffff;
	value->dl_type = htons(ethertypes[traffic]);
	mask->dl_type = 0xffff;
	value->layers = mask->layers = traffic == TRAFFIC_IP ? LAYER_L3 : LAYER_ARP;
	memset(&mask->metadata, 0xff, sizeof(mask->metadata));
	memset(mask->reg_low, 0xff, sizeof(mask->reg_low));
	memset(mask->reg_high, 0xff, sizeof(mask->reg_high));
	if (traffic == TRAFFIC_IP)
		return;
	memset(value->dl_dst, 0xff, sizeof(value->dl_dst));
	memset(mask->dl_dst, 0xff, sizeof(mask->dl_dst));
	// RFC 826 request; RFC 903 request reverse.
	value->arp_op = htons(traffic == TRAFFIC_ARP ? 1 : 3);
	mask->arp_op = 0xffff;
}

// May such packets from the port leave the switch? The flows of table 0 that say so.
static bool traffic_sent(const struct broadcasts *broadcasts, enum traffic traffic,
	uint16_t in_port, size_t *start, size_t *stop)
{
	struct walk walk = {
		.broadcasts = broadcasts,
		.flows = &broadcasts->flows[traffic],
		.in_port = in_port,
		.steps = WALK_STEPS,
		.start = FLOW_LINT_NONE,
		.stop = FLOW_LINT_NONE,
	};
	struct match packets;
	bool sent;

	packets_make(&packets, traffic, in_port);
	sent = walk_table(&walk, 0, &packets, OFPORT_IN_PORT);
	lint_step(broadcasts->lint, WALK_STEPS - walk.steps);
	*start = walk.start;
	*stop = walk.stop;
	return sent && (traffic != TRAFFIC_IP || walk.steps > 0);
}

// --- Ports ---

struct lost_port {
	size_t forwards; // the flow that forwards IP
	size_t drops;    // the flow that drops the broadcasts, or FLOW_LINT_NONE
	uint16_t port;
};

static int compare_lost(const void *a, const void *b)
{
	const struct lost_port *x = a, *y = b;

	if (x->forwards != y->forwards)
		return x->forwards < y->forwards ? -1 : 1;
	return (x->port > y->port) - (x->port < y->port);
}

static void port_say(const struct lint *lint, uint16_t port, char *text, size_t size)
{
	if (port == PORT_OTHER) {
		snprintf(text, size, "any other port");
		return;
	}
	for (size_t i = 0; lint->ports && i < lint->ports->count; i++) {
		if (lint->ports->items[i].number == port) {
			snprintf(text, size, "port %s", lint->ports->items[i].name);
			return;
		}
	}
	snprintf(text, size, "port %u", port);
}

// Ports whose IP the same flow forwards are told of together.
static int lost_tell(
	struct lint *lint, enum traffic traffic, const struct lost_port *lost, size_t count)
{
	bool arp = traffic == TRAFFIC_ARP, other = lost->port == PORT_OTHER;
	char port[64], more[64] = "", end[300] = "no flow matches them";
	char text[200];

	port_say(lint, lost->port, port, sizeof(port));
	if (count > 1)
		snprintf(more, sizeof(more), " (and %zu more port%s)", count - 1,
			count > 2 ? "s" : "");
	if (lost->drops != FLOW_LINT_NONE) {
		lint_describe(lint, lost->drops, text, sizeof(text));
		snprintf(end, sizeof(end), "they end at \"%s\"", text);
	}
	lint_describe(lint, lost->forwards, text, sizeof(text));
	return lint_add(lint, arp ? FLOW_LINT_DROPS_ARP : FLOW_LINT_DROPS_RARP, lost->forwards,
		lost->drops,
		"IP from %s%s is forwarded, by \"%s\", but its broadcast %s go nowhere: %s; "
		"%s; add a flow such as %s%s%s,actions=NORMAL",
		port, more, text, arp ? "ARP requests" : "RARP packets", end,
		arp ? "others are not found by their address"
		    : "after a migration the network does not learn where the guest is",
		arp ? "arp" : "rarp",
		other ? "" : ",in_port=", other ? "" : port + strlen("port "));
}

static int ports_check(struct broadcasts *broadcasts, enum traffic traffic, const uint16_t *ports,
	size_t count, struct lost_port *lost)
{
	size_t n_lost = 0;
	int error = 0;

	for (size_t i = 0; i < count && broadcasts->lint->steps; i++) {
		size_t forwards, drops, ignored;

		if (traffic_sent(broadcasts, traffic, ports[i], &ignored, &drops) ||
			!traffic_sent(broadcasts, TRAFFIC_IP, ports[i], &forwards, &ignored))
			continue;
		lost[n_lost++] = (struct lost_port){forwards, drops, ports[i]};
	}
	if (n_lost)
		qsort(lost, n_lost, sizeof(*lost), compare_lost);
	for (size_t i = 0, end; i < n_lost && !error; i = end) {
		for (end = i + 1; end < n_lost && lost[end].forwards == lost[i].forwards; end++)
			;
		error = lost_tell(broadcasts->lint, traffic, &lost[i], end - i);
	}
	return error;
}

// The bridge's ports; if they are not known, those that flows of table 0 match, and any other.
static uint16_t *ports_list(const struct lint *lint, size_t *count)
{
	size_t room = lint->ports ? lint->ports->count : OFPORT_MAX + 1u;
	uint16_t *ports = calloc(room + 2, sizeof(*ports));
	bool *seen = calloc(UINT16_MAX + 1u, sizeof(*seen));

	*count = 0;
	for (size_t i = 0; ports && lint->ports && i < lint->ports->count; i++)
		ports[(*count)++] = lint->ports->items[i].number;
	for (size_t i = 0; ports && seen && !lint->ports && i < lint->first[1]; i++) {
		const struct match *match = &lint->flows[i].flow->match;
		uint16_t port = ntohs(match->value.in_port);

		if (!match->mask.in_port || seen[port])
			continue;
		seen[port] = true;
		ports[(*count)++] = port;
	}
	if (!lint->ports && ports)
		ports[(*count)++] = PORT_OTHER;
	if (!seen) {
		free(ports);
		ports = NULL;
	}
	free(seen);
	return ports;
}

static int traffic_flows_make(
	struct traffic_flows *flows, const struct lint *lint, enum traffic traffic)
{
	size_t count = 0;

	flows->items = calloc(lint->count + 1, sizeof(*flows->items));
	if (!flows->items)
		return -ENOMEM;
	for (unsigned table = 0; table < LINT_TABLES; table++) {
		flows->first[table] = count;
		for (size_t i = lint->first[table]; i < lint->first[table + 1]; i++) {
			const struct match *match = &lint->flows[i].flow->match;

			if (!lint->flows[i].hidden &&
				(!match->mask.dl_type ||
					match->value.dl_type == htons(ethertypes[traffic])))
				flows->items[count++] =
					(struct traffic_flow){i, match->value.in_port};
		}
	}
	flows->first[LINT_TABLES] = count;
	return 0;
}

int lint_broadcasts(struct lint *lint)
{
	struct broadcasts broadcasts = {.lint = lint};
	size_t count;
	uint16_t *ports = ports_list(lint, &count);
	struct lost_port *lost = calloc(count + 1, sizeof(*lost));
	int error = ports && lost ? 0 : -ENOMEM;

	for (int traffic = 0; traffic < TRAFFIC_COUNT && !error; traffic++)
		error = traffic_flows_make(&broadcasts.flows[traffic], lint, traffic);
	if (!error)
		error = ports_check(&broadcasts, TRAFFIC_ARP, ports, count, lost);
	if (!error)
		error = ports_check(&broadcasts, TRAFFIC_RARP, ports, count, lost);
	for (int traffic = 0; traffic < TRAFFIC_COUNT; traffic++)
		free(broadcasts.flows[traffic].items);
	free(lost);
	free(ports);
	return error;
}
