// SPDX-License-Identifier: Apache-2.0
#pragma once

// Frames for tests, put together header by header from the outside in, with lengths and checksums
// filled in at the end. Written without the pipeline's code, whose results it is compared with:
// checksums are computed in full here.
//
//   struct frame frame;
//   frame_start(&frame, dst, src);
//   frame_vlan(&frame, 0x8100, 100);
//   frame_ipv4(&frame, source, destination, 17);
//   frame_udp(&frame, 1000, 53);
//   frame_payload(&frame, 20);
//   frame_finish(&frame);

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_NONE 0

struct frame {
	uint8_t bytes[4096];
	size_t length;
	size_t type; // where the Ethernet type of what comes next is
	size_t l3;   // offsets; FRAME_NONE if there is none
	size_t l4;
	size_t next; // where IPv6's next-header byte of what comes next is
	bool ipv6;
	uint8_t protocol;        // at l4
	uint8_t destination[16]; // for the pseudo-header, if not that of the IPv6 header
	bool routed;
};

void frame_start(struct frame *frame, const uint8_t dst[6], const uint8_t src[6]);
void frame_vlan(struct frame *frame, uint16_t tpid, uint16_t tci);
void frame_type(struct frame *frame, uint16_t type);
// 802.3 length, 802.2 LLC and SNAP instead of an Ethernet type; the type goes to its end.
void frame_snap(struct frame *frame, const uint8_t oui[3], uint16_t type);
void frame_ipv4(struct frame *frame, uint32_t src, uint32_t dst, uint8_t protocol);
// Bytes of options right after frame_ipv4(), a multiple of 4.
void frame_ipv4_options(struct frame *frame, size_t size);
void frame_ipv4_fragment(struct frame *frame, uint16_t flags_and_offset);
void frame_ipv6(struct frame *frame, const uint8_t src[16], const uint8_t dst[16]);
// An extension header of `size` bytes, a multiple of 8 (of 4 for AH); `third`: bytes 2 and 3.
void frame_extension(struct frame *frame, uint8_t protocol, size_t size, uint16_t third);
// Ends the extension headers with a protocol that is not built here.
void frame_protocol(struct frame *frame, uint8_t protocol);
void frame_tcp(struct frame *frame, uint16_t src, uint16_t dst, uint16_t flags);
// Bytes of options right after frame_tcp(), a multiple of 4.
void frame_tcp_options(struct frame *frame, size_t size);
void frame_udp(struct frame *frame, uint16_t src, uint16_t dst);
void frame_sctp(struct frame *frame, uint16_t src, uint16_t dst);
// Type and code; ICMP after IPv4, ICMPv6 after IPv6.
void frame_icmp(struct frame *frame, uint8_t type, uint8_t code);
// Neighbour solicitation (135) or advertisement (136).
void frame_nd(struct frame *frame, uint8_t type, const uint8_t target[16]);
void frame_nd_option(struct frame *frame, uint8_t type, const uint8_t mac[6]);
void frame_arp(struct frame *frame, uint16_t type, uint16_t op, const uint8_t sha[6], uint32_t spa,
	const uint8_t tha[6], uint32_t tpa);
void frame_payload(struct frame *frame, size_t size);
void frame_byte(struct frame *frame, uint8_t byte);
// Lengths and checksums.
void frame_finish(struct frame *frame);
// Checksums only, of the frame as it is: after bytes were changed on purpose.
void frame_checksums(struct frame *frame);

uint32_t frame_crc32c(const uint8_t *bytes, size_t size); // bit by bit
