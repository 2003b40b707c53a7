// SPDX-License-Identifier: Apache-2.0
#pragma once

// Writing match fields: into the packet and its key together, with every checksum that covers the
// bytes corrected by the difference (pipeline/checksum.h).
//
// Whoever writes to a packet that has a pending output calls execution_settle() first. A field of a
// header that the packet does not have is left alone, and so is the VLAN ID or priority of an
// untagged packet; registers and metadata are in the key only. Writing vlan_tci with the CFI bit
// tags an untagged packet, and without it takes the tag off, as in Open vSwitch.

#include <stdbool.h>

#include "pipeline/field.h"
#include "pipeline/packet.h"

// Does the packet have what the field is a part of, as its key says now?
bool packet_has_field(const struct packet_key *key, enum field_id field);

// Is writing the field a change of the key only?
static inline bool field_is_key_only(enum field_id field)
{
	return field == FIELD_METADATA || (field >= FIELD_REG0 && field <= FIELD_REG7);
}

// Write the bits of `mask` (right-aligned, as values are; value & ~mask == 0). 0, -ENOBUFS if there
// is no room for a VLAN tag, -EOPNOTSUPP for the port of a fragmented SCTP packet, whose checksum
// covers bytes that are not here; then nothing is changed.
int packet_write_field(struct packet *packet, struct packet_key *key, enum field_id field,
	const struct field_value *value, const struct field_value *mask);
