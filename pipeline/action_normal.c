// SPDX-License-Identifier: Apache-2.0
#include <endian.h>
#include <string.h>

#include "pipeline/action_run.h"
#include "pipeline/byte_order.h"
#include "pipeline/mac_table_probe.h"
#include "pipeline/observer.h"
#include "pipeline/packet_format.h"
#include "pipeline/packet_vlan.h"
#include "pipeline/pipeline_private.h"

// NORMAL: a learning switch with VLANs (IEEE 802.1Q, as far as it goes without spanning tree).
//
// It works on the packet as it is at this point of the action list. Its VLAN is that of the
// outermost tag, or where there is none, or only a priority tag, what the ingress port says. A
// port that the packet leaves by decides whether it leaves tagged; priority tags do not leave,
// their priority goes into the VLAN tag if there is one.

#define VLAN_NONE 0xffff

// Where a packet that somebody handed in comes from, if no port was named: it may be of any VLAN.
static const struct pipeline_port no_port = {
	.number = OFPORT_CONTROLLER,
	.vlan_mode = VLAN_TRUNK,
	.trunks = {[0 ... 63] = UINT64_MAX},
};

static bool in_trunks(const struct pipeline_port *port, uint16_t vlan)
{
	return port->trunks[vlan / 64] >> vlan % 64 & 1;
}

// A native VLAN takes the place of VLAN 0, so that untagged frames of other ports' VLAN 0 do not
// leak into it.
static bool carries(const struct pipeline_port *port, uint16_t vlan)
{
	if (port->vlan_mode == VLAN_ACCESS)
		return vlan == port->tag;
	if (port->vlan_mode == VLAN_TRUNK)
		return in_trunks(port, vlan);
	return vlan == port->tag || (vlan != 0 && in_trunks(port, vlan));
}

// The VLAN that a packet with this tag (0: none) belongs to when it comes in by `port`, or
// VLAN_NONE if it may not.
static uint16_t ingress_vlan(const struct pipeline_port *port, uint16_t tci)
{
	uint16_t vlan = tci & VLAN_VID_MASK;

	if (port->vlan_mode == VLAN_ACCESS)
		return vlan == 0 ? port->tag : VLAN_NONE;
	if (vlan == 0 && port->vlan_mode != VLAN_TRUNK)
		return port->tag;
	return carries(port, vlan) ? vlan : VLAN_NONE;
}

static void send_by(struct execution *execution, const struct pipeline_port *port, uint16_t vlan)
{
	uint16_t tci = be16toh(execution->key->vlan_tci);
	bool untagged = port->vlan_mode == VLAN_ACCESS ||
			(port->vlan_mode == VLAN_NATIVE_UNTAGGED && vlan == port->tag);

	if (untagged)
		vlan = 0;
	// Nothing to change: no tag and none wanted, or the right one.
	if (vlan == 0 ? tci == 0 : (tci & VLAN_VID_MASK) == vlan)
		vlan = VLAN_AS_IS;
	execution_emit_vlan(execution, port->number, vlan);
}

static void flood(struct execution *execution, uint16_t vlan)
{
	const struct port_set *ports = execution->ports;
	uint16_t ingress = execution->packet->in_port;
	bool found = false;

	for (unsigned i = 0; i < ports->count; i++) {
		const struct pipeline_port *port = &ports->items[i];

		if (port->number == ingress || port->no_flood || !carries(port, vlan))
			continue;
		send_by(execution, port, vlan);
		found = true;
	}
	if (!found)
		execution_note(execution, DROP_NO_DESTINATION);
}

static void learn(struct execution *execution, uint16_t vlan)
{
	struct pipeline_sink *sink = execution->sink;
	const uint8_t *mac = execution->key->dl_src;
	uint16_t port = execution->packet->in_port;

	if (!mac_table_seen(execution->pipeline->macs, mac, vlan, port, execution->now_ms / 1000))
		sink->learn(sink, mac, vlan, port);
}

// Instead of learn(): the same questions to the table, which stays as it is.
static __attribute__((cold, noinline)) void observe(struct execution *execution, uint16_t vlan)
{
	struct pipeline_observer *observer = execution->observer;
	struct pipeline_sink *sink = execution->sink;
	const struct mac_table *macs = execution->pipeline->macs;
	const struct packet_key *key = execution->key;
	uint16_t ingress = execution->packet->in_port;
	struct normal_decision decision = {
		.vlan = vlan,
		.multicast = key->dl_dst[0] & 1,
		.learns = !mac_table_knows(macs, key->dl_src, vlan, ingress),
		.source = mac_table_lookup(macs, key->dl_src, vlan),
		.port = OFPORT_NONE,
	};

	if (!decision.multicast)
		decision.port = mac_table_lookup(macs, key->dl_dst, vlan);
	if (decision.port > OFPORT_MAX || !execution->ports->by_number[decision.port])
		decision.port = OFPORT_NONE;
	observer->normal(observer, &decision);
	if (decision.learns)
		sink->learn(sink, key->dl_src, vlan, ingress);
}

static void forward(struct execution *execution, uint16_t vlan)
{
	const uint8_t *mac = execution->key->dl_dst;
	const struct pipeline_port *port = NULL;
	uint16_t number = OFPORT_NONE;

	if (!(mac[0] & 1))
		number = mac_table_lookup(execution->pipeline->macs, mac, vlan);
	if (number <= OFPORT_MAX)
		port = execution->ports->by_number[number];
	if (!port) // not known, or known at a port that is just going
		flood(execution, vlan);
	else if (number == execution->packet->in_port)
		execution_note(execution, DROP_INGRESS_PORT);
	else if (!carries(port, vlan)) // its VLANs were changed after the address was learned
		execution_note(execution, DROP_VLAN_FILTERED);
	else
		send_by(execution, port, vlan);
}

bool action_normal_run(struct execution *execution, const struct action *action)
{
	static const uint8_t reserved[5] = {0x01, 0x80, 0xc2, 0x00, 0x00};
	const struct packet_key *key = execution->key;
	uint16_t ingress = execution->packet->in_port;
	const struct pipeline_port *port =
		ingress <= OFPORT_MAX ? execution->ports->by_number[ingress] : NULL;
	uint16_t vlan;

	if (!port && ingress == OFPORT_CONTROLLER)
		port = &no_port;
	if (!port) {
		execution_note(execution, DROP_NO_BRIDGE);
		return true;
	}
	if (memcmp(key->dl_dst, reserved, sizeof(reserved)) == 0 && key->dl_dst[5] < 0x10) {
		execution_note(execution, DROP_RESERVED_MAC);
		return true;
	}
	vlan = ingress_vlan(port, be16toh(key->vlan_tci));
	if (vlan == VLAN_NONE) {
		execution_note(execution, DROP_VLAN_FILTERED);
		return true;
	}
	if (__builtin_expect(execution->observer != NULL, 0))
		observe(execution, vlan);
	else if (port != &no_port)
		learn(execution, vlan);
	forward(execution, vlan);
	return true;
}

// --- Bursts ---

// Where the addresses of a plain packet are looked for.
struct normal_probe {
	struct mac_probe source, destination;
};

// A burst from one port on its way through NORMAL.
struct normal_burst {
	struct pipeline *pipeline;
	const struct port_set *ports;
	struct pipeline_sink *sink;
	struct packet **packets;
	uint16_t ingress;
	uint16_t vlan; // of untagged frames, or VLAN_NONE
	uint32_t now;
	uint64_t bytes; // of all packets
	uint32_t plain; // bit per packet: untagged, of full size, and not to a group
	uint32_t same;  // bit per packet: plain, with the addresses of the one before
	// The port that the last plain packet went to, or NULL, and packets that wait to be sent
	// there: those from `waiting` on.
	const struct pipeline_port *to;
	unsigned waiting;
};

static inline bool is_plain(const struct packet *packet)
{
	const uint8_t *data = packet->data;
	uint16_t type;

	if (packet->linear < PACKET_NEVER_MALFORMED || packet->length < PACKET_NEVER_MALFORMED)
		return false;
	type = load_be16(data + ETHERNET_TYPE);
	return !(data[0] & 1) && type != ETHERTYPE_VLAN && type != ETHERTYPE_QINQ &&
	       type != ETHERTYPE_QINQ_OLD;
}

// Does the frame leave by the port as it came, without a tag?
static inline bool leaves_untagged(const struct pipeline_port *port, uint16_t vlan)
{
	return vlan == 0 || port->vlan_mode == VLAN_ACCESS ||
	       (port->vlan_mode == VLAN_NATIVE_UNTAGGED && vlan == port->tag);
}

// Both addresses of all packets: the buckets are on their way before the first is looked into.
static inline void probes_start(
	struct normal_burst *burst, struct normal_probe probes[], unsigned count)
{
	const struct mac_table *macs = burst->pipeline->macs;
	uint64_t key_vlan = mac_key_vlan(burst->vlan);
	uint64_t last_low = UINT64_MAX, last_high = UINT64_MAX; // to a group: never plain
	uint64_t bytes = 0;
	uint32_t plain = 0, same = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct packet *packet = burst->packets[i];
		uint64_t low, high; // the frame from bytes 0 and 4 on, as little-endian numbers

		bytes += packet->length;
		if (!is_plain(packet)) {
			last_low = UINT64_MAX;
			continue;
		}
		low = load_le64(packet->data);
		high = load_le64(packet->data + 4);
		// To itself: where it was is no destination any more once it is seen here.
		if (__builtin_expect(low << 16 == (high >> 16) << 16, 0)) {
			last_low = UINT64_MAX;
			continue;
		}
		plain |= 1u << i;
		if (low == last_low && high == last_high) {
			same |= 1u << i;
			continue;
		}
		last_low = low;
		last_high = high;
		probes[i].destination = mac_probe_start(macs, low << 16 >> 4 | key_vlan);
		if (mac_is_learnable(high >> 16))
			probes[i].source = mac_probe_start(macs, high >> 16 << 12 | key_vlan);
		else
			probes[i].source.key = 0;
	}
	burst->bytes = bytes;
	burst->plain = burst->vlan != VLAN_NONE ? plain : 0;
	burst->same = burst->vlan != VLAN_NONE ? same : 0;
}

// The port for a plain packet, or NULL where the general way has to be gone.
static inline const struct pipeline_port *plain_port(
	const struct normal_burst *burst, const struct normal_probe *probe)
{
	uint16_t number = mac_probe_port(burst->pipeline->macs, &probe->destination);
	const struct pipeline_port *port;

	if (burst->to && burst->to->number == number)
		return burst->to;
	port = number <= OFPORT_MAX ? burst->ports->by_number[number] : NULL;
	if (!port || number == burst->ingress || !carries(port, burst->vlan) ||
		!leaves_untagged(port, burst->vlan))
		return NULL;
	return port;
}

// Send the packets that wait, which `end` comes after.
static inline void waiting_send(struct normal_burst *burst, unsigned end)
{
	struct pipeline_sink *sink = burst->sink;

	if (!burst->to || burst->waiting == end)
		return;
	if (sink->output_run) {
		sink->output_run(sink, burst->packets + burst->waiting, end - burst->waiting,
			burst->to->number);
		return;
	}
	for (unsigned i = burst->waiting; i < end; i++)
		sink->output(sink, burst->packets[i], burst->to->number);
}

static __attribute__((noinline)) void learn_plain(
	const struct normal_burst *burst, unsigned i, unsigned end)
{
	struct pipeline_sink *sink = burst->sink;

	for (; i < end; i++)
		sink->learn(sink, burst->packets[i]->data + 6, burst->vlan, burst->ingress);
}

// Where packet i, and those up to `end` with the same addresses, go without more ado; NULL: the
// general way, which then also learns.
static inline const struct pipeline_port *run_plain(const struct normal_burst *burst,
	const struct normal_probe *probe, unsigned i, unsigned end)
{
	const struct pipeline_port *to = plain_port(burst, probe);

	if (to &&
		!mac_probe_seen(burst->pipeline->macs, &probe->source, burst->ingress, burst->now))
		learn_plain(burst, i, end);
	return to;
}

// The first packet after i whose addresses are others, or which is not plain.
static inline unsigned same_end(const struct normal_burst *burst, unsigned i)
{
	return i + 1 + (unsigned)__builtin_ctzll(~((uint64_t)burst->same >> i >> 1));
}

uint64_t normal_run_burst(struct pipeline *pipeline, const struct port_set *ports,
	struct packet *packets[], unsigned count, uint64_t now_ms, struct pipeline_sink *sink,
	void (*general)(void *context, unsigned i), void *context)
{
	uint16_t ingress = packets[0]->in_port;
	const struct pipeline_port *from = ingress <= OFPORT_MAX ? ports->by_number[ingress] : NULL;
	struct normal_probe probes[PIPELINE_BURST];
	struct normal_burst burst = {
		.pipeline = pipeline,
		.ports = ports,
		.sink = sink,
		.packets = packets,
		.ingress = ingress,
		.vlan = from ? ingress_vlan(from, 0) : VLAN_NONE,
		.now = (uint32_t)(now_ms / 1000),
	};

	probes_start(&burst, probes, count);
	for (unsigned i = 0, end; i < count; i = end) {
		const struct pipeline_port *to = NULL;

		end = same_end(&burst, i);
		if (burst.plain & 1u << i)
			to = run_plain(&burst, &probes[i], i, end);
		if (to && to == burst.to)
			continue;
		waiting_send(&burst, i);
		burst.to = to;
		burst.waiting = i;
		for (unsigned j = i; !to && j < end; j++)
			general(context, j);
	}
	waiting_send(&burst, count);
	return burst.bytes;
}
