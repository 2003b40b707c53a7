// SPDX-License-Identifier: Apache-2.0
#pragma once

// The two places where IPv6 makes one walk: the chain of extension headers, and the options of
// neighbour discovery. The parser walks them to fill the key, the writers to find again what they
// rewrite; both walks are bounded, however the packet is made. Pure functions.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IPV6_CHAIN_MAX 8 // extension headers looked at
#define ND_OPTIONS_MAX 8 // options looked at

struct ipv6_chain {
	uint8_t protocol; // the last next-header value that was reached; 44 for later fragments
	uint8_t fragment; // NW_FRAG_*
	bool complete;    // `protocol` is what starts at `offset`: nothing cut, nothing left out
	bool routed;      // a routing header still has segments left
	size_t offset;    // from the IPv6 header
};

// Walk from the IPv6 header at `ip`, of which with all that follows `size` bytes may be read;
// size >= IPV6_SIZE.
void ipv6_chain_walk(struct ipv6_chain *chain, const uint8_t *ip, size_t size);

// Offsets, from the ICMPv6 header, of the link-layer addresses in the first options of either kind
// of a neighbour solicitation or advertisement; 0 if there is none.
struct nd_options {
	uint16_t source;
	uint16_t target;
};

// `size` bytes may be read; size >= ND_SIZE. False if an option is malformed: zero long, or longer
// than what is there (RFC 4861, section 4.6); then the whole message is to be distrusted.
bool nd_options_walk(struct nd_options *options, const uint8_t *icmp, size_t size);
