// SPDX-License-Identifier: Apache-2.0
#pragma once

// How wrong the checksums of a packet are, computed in full and without the pipeline's code. The
// switch corrects checksums by differences: one that was right stays right, and one that was wrong
// stays wrong by the same amount. So these numbers do not change, whatever is done to a packet.

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/packet.h"

struct packet_sums {
	bool has_l3, has_l4; // there is such a header
	bool ip;             // of the IPv4 header; 0 is right
	uint32_t ip_residue;
	bool l4;        // its checksum can be computed from what is here
	bool l4_absent; // and says that there is none
	uint32_t l4_residue;
	uint16_t l3_size; // of the header, with options or extension headers
};

// `type` and `protocol`: what the parser found in the packet as it came. All of the packet is
// linear, and its offsets are set.
void packet_sums_compute(
	struct packet_sums *sums, const struct packet *packet, uint16_t type, uint8_t protocol);
