// SPDX-License-Identifier: Apache-2.0
#include "pipeline/packet_ipv6.h"

#include "pipeline/byte_order.h"
#include "pipeline/packet_key.h"
#include "pipeline/packet_format.h"

static bool is_extension(uint8_t protocol)
{
	switch (protocol) {
	case PROTOCOL_HOP_BY_HOP:
	case PROTOCOL_ROUTING:
	case PROTOCOL_FRAGMENT:
	case PROTOCOL_AUTHENTICATION:
	case PROTOCOL_DESTINATION_OPTIONS:
		return true;
	default:
		return false;
	}
}

// Length of the extension header of at least 8 bytes at `header` (RFC 8200, RFC 4302).
static size_t extension_size(uint8_t protocol, const uint8_t *header)
{
	if (protocol == PROTOCOL_FRAGMENT)
		return 8;
	if (protocol == PROTOCOL_AUTHENTICATION)
		return (header[1] + 2) * 4;
	return (header[1] + 1) * 8;
}

static uint8_t fragment_kind(const uint8_t *header)
{
	uint16_t field = load_be16(header + 2);

	if (field & IPV6_OFFSET_MASK)
		return NW_FRAG_ANY | NW_FRAG_LATER;
	// Neither offset nor more to come: a whole packet in disguise (RFC 6946).
	return field & IPV6_MORE_FRAGMENTS ? NW_FRAG_ANY : 0;
}

void ipv6_chain_walk(struct ipv6_chain *chain, const uint8_t *ip, size_t size)
{
	*chain = (struct ipv6_chain){.protocol = ip[IPV6_NEXT], .offset = IPV6_SIZE};

	for (unsigned i = 0; is_extension(chain->protocol); i++) {
		const uint8_t *header = ip + chain->offset;
		size_t left = size - chain->offset;
		size_t length;

		if (i == IPV6_CHAIN_MAX || left < 8)
			return;
		length = extension_size(chain->protocol, header);
		if (length > left)
			return;
		if (chain->protocol == PROTOCOL_FRAGMENT) {
			chain->fragment |= fragment_kind(header);
			// What its next-header field says is not here.
			if (chain->fragment & NW_FRAG_LATER)
				return;
		}
		if (chain->protocol == PROTOCOL_ROUTING && header[3] > 0)
			chain->routed = true;
		chain->protocol = header[0];
		chain->offset += length;
	}
	chain->complete = true;
}

bool nd_options_walk(struct nd_options *options, const uint8_t *icmp, size_t size)
{
	size_t offset = ND_SIZE;

	*options = (struct nd_options){0};
	for (unsigned i = 0; i < ND_OPTIONS_MAX && offset < size; i++) {
		size_t left = size - offset;
		size_t length;

		if (left < 8)
			return false;
		length = icmp[offset + 1] * 8;
		if (length == 0 || length > left)
			return false;
		// Longer ones carry addresses that are not Ethernet's.
		if (length == 8 && icmp[offset] == ND_OPTION_SOURCE && !options->source)
			options->source = offset + 2;
		if (length == 8 && icmp[offset] == ND_OPTION_TARGET && !options->target)
			options->target = offset + 2;
		offset += length;
	}
	return true;
}
