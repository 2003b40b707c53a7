// SPDX-License-Identifier: Apache-2.0
#pragma once

// The packet key: every matchable property of a packet at a fixed place.
//
// A key is what the parser extracts from a packet and what lookups compare; a match is a key and a
// mask of the same layout. Everything is stored in network byte order, so that a prefix mask, a
// bit range of a register and a generic copy mean the same for every field; pipeline/fields.def
// names the fields and says where each lies.
//
// Three cache lines. Line 0 alone decides L2, IPv4 and L4 matches; line 1 is filled for IPv6 and
// ARP; line 2 for neighbour discovery and the upper registers. Fields whose prerequisites exclude
// each other share bytes (icmp_type lies in tp_src, arp_sha in nd_sll).
//
// A key is plain data: no ownership, no pointers, compare and hash it as bytes. Padding is zero.

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_LINE_SIZE 64
#define KEY_LINES 3
#define KEY_ALL_LINES ((1u << KEY_LINES) - 1)
// How much of a frame has to be looked at, in the same sets of bits as the lines: its Ethernet
// header with VLAN tags; the headers behind that. Neither: only where it came from.
#define KEY_NEEDS_ETHERNET (1u << KEY_LINES)
#define KEY_NEEDS_HEADERS (2u << KEY_LINES)
#define KEY_FIRST_MATCHES_FRAME (4u << KEY_LINES) // a flow of table 0 matches some of it
#define KEY_NEEDS (KEY_LINES + 3)

#define KEY_WORDS (KEY_LINES * KEY_LINE_SIZE / 8)

// Bits of packet_key.vlan_tci: the CFI bit is set in every key of a tagged packet, so 0 is
// "no VLAN header" and a priority tag is 0x1000.
#define VLAN_CFI 0x1000
#define VLAN_VID_MASK 0x0fff
#define VLAN_PCP_SHIFT 13

// Bits of packet_key.nw_frag.
#define NW_FRAG_ANY 1	// the packet is a fragment
#define NW_FRAG_LATER 2 // with a non-zero offset

// Bits of packet_key.layers: which headers were there in full. Matching a field adds the bit of
// its layer to the match, so that a truncated packet or a later fragment, whose fields read as
// zero, is never taken for one that carries zeros.
#define LAYER_L3 1  // IPv4 or IPv6 header
#define LAYER_L4 2  // TCP, UDP, SCTP, ICMP or ICMPv6 header
#define LAYER_ARP 4 // ARP for IPv4 over Ethernet
#define LAYER_ND 8  // neighbour solicitation or advertisement

struct packet_key {
	// Line 0.
	uint16_t in_port;
	uint8_t dl_dst[6];
	uint8_t dl_src[6];
	uint16_t dl_type;   // after all VLAN tags; 0x05ff for 802.3 without SNAP
	uint16_t vlan_tci;  // outermost tag, CFI bit forced to 1; 0 if untagged
	uint16_t inner_tci; // second tag, the same way
	uint32_t nw_src;
	uint32_t nw_dst;
	uint8_t nw_proto; // IPv4 protocol, or the last IPv6 next header that was reached
	uint8_t nw_tos;	  // DSCP in the upper six bits, ECN in the lower two
	uint8_t nw_ttl;
	uint8_t nw_frag;
	uint16_t tp_src; // or icmp_type, icmpv6_type as a 16-bit number
	uint16_t tp_dst; // or icmp_code, icmpv6_code
	uint16_t tcp_flags;
	uint8_t layers;
	uint8_t pad0;
	uint64_t metadata;
	uint32_t reg_low[4]; // reg0..reg3
	// Line 1.
	uint8_t ipv6_src[16];
	uint8_t ipv6_dst[16];
	uint32_t ipv6_label; // lower 20 bits
	uint16_t arp_op;
	uint8_t hw_source[6]; // arp_sha, nd_sll
	uint8_t hw_target[6]; // arp_tha, nd_tll
	uint8_t pad1[14];
	// Line 2.
	uint8_t nd_target[16];
	uint32_t reg_high[4]; // reg4..reg7
	uint8_t pad2[32];
} __attribute__((aligned(KEY_LINE_SIZE)));

static_assert(sizeof(struct packet_key) == KEY_LINES * KEY_LINE_SIZE, "three lines, no padding");
static_assert(offsetof(struct packet_key, ipv6_src) == KEY_LINE_SIZE, "line 1 starts with IPv6");
static_assert(offsetof(struct packet_key, nd_target) == 2 * KEY_LINE_SIZE, "line 2 starts with ND");
