// SPDX-License-Identifier: Apache-2.0
#pragma once

// A packet as the pipeline sees it: bytes that may be read and rewritten in place.
//
// The owner of the buffer (the datapath's mbuf, a test's array) embeds a struct packet, fills
// data, headroom, linear and length, and takes them over again when the packet leaves: pushing and
// popping a VLAN tag moves data. All headers that the parser may look at have to be in the linear
// part: PACKET_LINEAR_MIN bytes, or the whole frame if it is shorter. Payload beyond is never
// touched; checksums are updated incrementally (RFC 1624).
//
// A packet belongs to one thread at a time.

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/packet_key.h"

#define PACKET_LINEAR_MIN 256
#define PACKET_NO_OFFSET 0xffff

struct packet {
	uint8_t *data;	    // the Ethernet header
	uint16_t headroom;  // writable bytes in front of data
	uint16_t linear;    // bytes at data that may be read and written
	uint32_t length;    // of the whole frame, linear or not
	uint16_t in_port;   // OpenFlow number of the port it came from, host byte order
	uint16_t l3_offset; // of IP or ARP, from data; PACKET_NO_OFFSET if there is no complete header
	uint16_t l4_offset; // from data; the same, and also for later fragments
	uint16_t vlan_count; // tags found by the parser (at most 2 are looked at), and pushed since
};

// Parse `packet` into `key`: all of the lines 0..KEY_LINES-1 of which `lines` has bit 1 << line set
// (line 0 always); the others are not written. Registers and metadata start as zero; in_port is
// packet->in_port. Sets the packet's offsets. Returns false if not even an Ethernet header with
// its VLAN tags is there (drop reason malformed); anything wrong further up only leaves the bit of
// that layer unset.
bool packet_parse(struct packet *packet, struct packet_key *key, unsigned lines);

// The same for who asks for no more than the Ethernet header, VLAN tags and type: the headers behind
// are taken not to be there.
bool packet_parse_ethernet(struct packet *packet, struct packet_key *key, unsigned lines);

// The same for who asks for nothing of the frame. The frame is not read unless it is so short that
// it might be malformed.
bool packet_parse_nothing(struct packet *packet, struct packet_key *key, unsigned lines);

// Frames of which so many bytes can be read are not malformed, whatever they hold.
#define PACKET_NEVER_MALFORMED 22
