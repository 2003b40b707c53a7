// SPDX-License-Identifier: Apache-2.0
#pragma once

// VLAN tags of a packet: put one on, take one off, change one; in the packet and, if `key` is not
// NULL (copies have none), in its key together.
//
// dl_type and everything above stay what the parser found: these functions move them, and nothing
// is parsed anew. So of a packet with more than two tags, those that the parser did not look at
// are payload, also after tags before them are gone.

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/packet.h"

static inline bool packet_is_tagged(const struct packet *packet)
{
	return packet->vlan_count > 0;
}

// A new outermost tag. `tci` in host byte order, without the CFI bit. 0, or -ENOBUFS if there is no
// headroom for it.
int packet_push_vlan(struct packet *packet, struct packet_key *key, uint16_t tpid, uint16_t tci);

// Take the outermost tag off; nothing if there is none.
void packet_pop_vlan(struct packet *packet, struct packet_key *key);

// The outermost tag of a tagged packet, host byte order; its DEI bit stays as it is on the wire.
uint16_t packet_tci(const struct packet *packet);
void packet_set_tci(struct packet *packet, struct packet_key *key, uint16_t tci);
