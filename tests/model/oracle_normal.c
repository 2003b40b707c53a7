// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "tests/model/oracle_run.h"

// NORMAL: switching by learned addresses and VLANs.

static bool trunk_has(const struct pipeline_port *port, unsigned vlan)
{
	bool any = false;

	for (unsigned i = 0; i < 64; i++)
		any = any || port->trunks[i] != 0;
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
	run_emit(run, &copy, port->number);
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
		const struct pipeline_port *port = run_port(run, oracle->macs[i].port);

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

void run_normal(struct run *run)
{
	const struct pipeline_port *port = run_port(run, run->packet.in_port);
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
