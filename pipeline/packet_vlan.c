// SPDX-License-Identifier: Apache-2.0
#include "pipeline/packet_vlan.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "pipeline/byte_order.h"
#include "pipeline/packet_format.h"

#define MACS_SIZE 12
#define OUTER_TCI 14
#define INNER_TCI 18

// The front of the frame moves by `by` bytes: negative to make room, positive to close up.
static void front_moved(struct packet *packet, int by)
{
	packet->data += by;
	packet->headroom += by;
	packet->linear -= by;
	packet->length -= by;
	if (packet->l3_offset != PACKET_NO_OFFSET)
		packet->l3_offset -= by;
	if (packet->l4_offset != PACKET_NO_OFFSET)
		packet->l4_offset -= by;
}

int packet_push_vlan(struct packet *packet, struct packet_key *key, uint16_t tpid, uint16_t tci)
{
	uint8_t *data = packet->data;

	if (packet->headroom < VLAN_SIZE || packet->linear > UINT16_MAX - VLAN_SIZE)
		return -ENOBUFS;
	memmove(data - VLAN_SIZE, data, MACS_SIZE);
	front_moved(packet, -VLAN_SIZE);
	store_be16(packet->data + MACS_SIZE, tpid);
	store_be16(packet->data + OUTER_TCI, tci & ~VLAN_CFI);
	packet->vlan_count++;
	if (key) {
		key->inner_tci = key->vlan_tci;
		key->vlan_tci = htobe16(tci | VLAN_CFI);
	}
	return 0;
}

void packet_pop_vlan(struct packet *packet, struct packet_key *key)
{
	if (!packet_is_tagged(packet))
		return;
	memmove(packet->data + VLAN_SIZE, packet->data, MACS_SIZE);
	front_moved(packet, VLAN_SIZE);
	packet->vlan_count--;
	if (key) {
		key->vlan_tci = key->inner_tci;
		key->inner_tci = packet->vlan_count < 2
					 ? 0
					 : load_16(packet->data + INNER_TCI) | htobe16(VLAN_CFI);
	}
}

uint16_t packet_tci(const struct packet *packet)
{
	return load_be16(packet->data + OUTER_TCI);
}

void packet_set_tci(struct packet *packet, struct packet_key *key, uint16_t tci)
{
	uint16_t dei = packet_tci(packet) & VLAN_CFI;

	store_be16(packet->data + OUTER_TCI, (tci & ~VLAN_CFI) | dei);
	if (key)
		key->vlan_tci = htobe16(tci | VLAN_CFI);
}
