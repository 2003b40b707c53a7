// SPDX-License-Identifier: Apache-2.0
#include "pipeline/packet.h"

#include <endian.h>
#include <string.h>

#include "pipeline/byte_order.h"
#include "pipeline/packet_ipv6.h"
#include "pipeline/packet_format.h"

// The parser. One pass from the front; each step is told how many bytes it may read and gives up
// quietly when they do not suffice, which leaves the layer's bit unset and its fields zero.

#define KEY_AT(key, member) ((uint8_t *)(key) + offsetof(struct packet_key, member))

// Copies of neighbouring fields in one go.
static_assert(offsetof(struct packet_key, dl_src) == offsetof(struct packet_key, dl_dst) + 6,
	"MAC addresses lie as in an Ethernet header");
static_assert(offsetof(struct packet_key, nw_dst) == offsetof(struct packet_key, nw_src) + 4,
	"IPv4 addresses lie as in an IPv4 header");
static_assert(offsetof(struct packet_key, ipv6_dst) == offsetof(struct packet_key, ipv6_src) + 16,
	"IPv6 addresses lie as in an IPv6 header");
static_assert(offsetof(struct packet_key, tp_dst) == offsetof(struct packet_key, tp_src) + 2,
	"ports lie as in a TCP header");

// What parsing one packet carries from header to header.
struct parse {
	struct packet *packet;
	struct packet_key *key;
	unsigned lines;
	unsigned offset;   // of the header that comes next
	unsigned readable; // bytes from the start of the frame, never beyond what may be read
};

static bool is_vlan(uint16_t type)
{
	return type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ || type == ETHERTYPE_QINQ_OLD;
}

// From the tag after type `*type` on; leaves the type after the last tag. False: cut within one.
static bool parse_vlans(struct parse *parse, uint16_t *type)
{
	uint16_t tci[2] = {0, 0};
	unsigned count = 0;

	while (count < 2 && is_vlan(*type)) {
		const uint8_t *tag = parse->packet->data + parse->offset;

		if (parse->readable < parse->offset + VLAN_SIZE)
			return false;
		tci[count++] = load_16(tag) | htobe16(VLAN_CFI);
		*type = load_be16(tag + 2);
		parse->offset += VLAN_SIZE;
	}
	parse->key->vlan_tci = tci[0];
	parse->key->inner_tci = tci[1];
	parse->packet->vlan_count = count;
	return true;
}

// An 802.3 length stands where the type is looked for: SNAP (RFC 1042) brings a type of its own.
static uint16_t parse_snap(struct parse *parse)
{
	static const uint8_t snap[6] = {0xaa, 0xaa, 0x03, 0, 0, 0};
	const uint8_t *llc = parse->packet->data + parse->offset;
	uint16_t type;

	if (parse->readable < parse->offset + LLC_SNAP_SIZE || memcmp(llc, snap, sizeof(snap)) != 0)
		return ETHERNET_NO_TYPE;
	type = load_be16(llc + sizeof(snap));
	if (type < ETHERNET_TYPE_MIN)
		return ETHERNET_NO_TYPE;
	parse->offset += LLC_SNAP_SIZE;
	return type;
}

static void parse_nd(struct parse *parse, const uint8_t *icmp, unsigned size)
{
	struct packet_key *key = parse->key;
	struct nd_options options;

	if (icmp[0] != ND_SOLICITATION && icmp[0] != ND_ADVERTISEMENT)
		return;
	if (icmp[1] != 0 || size < ND_SIZE || !nd_options_walk(&options, icmp, size))
		return;
	key->layers |= LAYER_ND;
	if (parse->lines & 2) {
		if (options.source)
			memcpy(key->hw_source, icmp + options.source, 6);
		if (options.target)
			memcpy(key->hw_target, icmp + options.target, 6);
	}
	if (parse->lines & 4)
		memcpy(key->nd_target, icmp + ND_TARGET, 16);
}

// ICMP and ICMPv6, each in its version of IP. Is there a header?
static bool parse_icmp(struct parse *parse, const uint8_t *header, unsigned size, bool ipv6)
{
	struct packet_key *key = parse->key;

	if (size < ICMP_SIZE || key->nw_proto != (ipv6 ? PROTOCOL_ICMPV6 : PROTOCOL_ICMP))
		return false;
	key->tp_src = htobe16(header[0]);
	key->tp_dst = htobe16(header[1]);
	if (ipv6)
		parse_nd(parse, header, size);
	return true;
}

// Headers that begin with two ports. Only TCP has a length and flags, in one word; of the others some
// other word is read, under masks that leave nothing of it.
struct port_header {
	uint8_t size, size_least; // in all, and as TCP says it
	uint8_t word;             // where that is
	uint16_t size_mask, flags_mask;
};

static const struct port_header port_headers[256] = {
	[PROTOCOL_TCP] = {TCP_SIZE, TCP_SIZE, TCP_OFFSET_FLAGS, 0xf000, 0x0fff},
	[PROTOCOL_UDP] = {.size = UDP_SIZE},
	[PROTOCOL_SCTP] = {.size = SCTP_SIZE},
};

// `payload`: bytes that the IP header promises after parse->offset. Traffic mixes TCP and UDP as it
// likes, so no branch tells them apart: a processor would guess wrong half of the time.
static inline void parse_l4(struct parse *parse, unsigned payload, bool ipv6)
{
	struct packet_key *key = parse->key;
	const uint8_t *header = parse->packet->data + parse->offset;
	const struct port_header *form = &port_headers[key->nw_proto];
	unsigned size = parse->readable - parse->offset;

	if (size > payload)
		size = payload;
	if (form->size == 0) {
		if (!parse_icmp(parse, header, size, ipv6))
			return;
	} else if (size < form->size) {
		return;
	} else {
		unsigned word = load_be16(header + form->word);
		unsigned length = (word & form->size_mask) >> 10; // in units of four bytes

		if ((length < form->size_least) | (length > payload))
			return;
		memcpy(KEY_AT(key, tp_src), header, 4);
		key->tcp_flags = htobe16(word & form->flags_mask);
	}
	key->layers |= LAYER_L4;
	parse->packet->l4_offset = parse->offset;
}

static void parse_ipv4(struct parse *parse)
{
	struct packet_key *key = parse->key;
	struct packet *packet = parse->packet;
	const uint8_t *ip = packet->data + parse->offset;
	unsigned readable = parse->readable - parse->offset;
	unsigned header_size, total, fragment;

	if (readable < IPV4_SIZE)
		return;
	header_size = (ip[0] & 15) * 4;
	total = load_be16(ip + IPV4_LENGTH);
	if (ip[0] >> 4 != 4 || header_size < IPV4_SIZE || header_size > readable)
		return;
	if (total < header_size || total > packet->length - parse->offset)
		return;
	key->layers = LAYER_L3;
	packet->l3_offset = parse->offset;
	memcpy(KEY_AT(key, nw_src), ip + IPV4_SOURCE, 8);
	key->nw_proto = ip[IPV4_PROTOCOL];
	key->nw_tos = ip[IPV4_TOS];
	key->nw_ttl = ip[IPV4_TTL];
	fragment = load_be16(ip + IPV4_FRAGMENT);
	if (fragment & (IPV4_OFFSET_MASK | IPV4_MORE_FRAGMENTS)) {
		key->nw_frag = NW_FRAG_ANY;
		if (fragment & IPV4_OFFSET_MASK) {
			key->nw_frag |= NW_FRAG_LATER;
			return;
		}
	}
	parse->offset += header_size;
	parse_l4(parse, total - header_size, false);
}

static void parse_ipv6(struct parse *parse)
{
	struct packet_key *key = parse->key;
	struct packet *packet = parse->packet;
	const uint8_t *ip = packet->data + parse->offset;
	unsigned readable = parse->readable - parse->offset;
	struct ipv6_chain chain;
	unsigned total;
	uint32_t word;

	if (readable < IPV6_SIZE || ip[0] >> 4 != 6)
		return;
	total = IPV6_SIZE + load_be16(ip + IPV6_LENGTH);
	if (total > packet->length - parse->offset)
		return;
	key->layers = LAYER_L3;
	packet->l3_offset = parse->offset;
	word = load_be32(ip);
	if (parse->lines & 2) {
		memcpy(KEY_AT(key, ipv6_src), ip + IPV6_SOURCE, 32);
		key->ipv6_label = htobe32(word & 0xfffff);
	}
	key->nw_tos = word >> 20;
	key->nw_ttl = ip[IPV6_HOP_LIMIT];
	ipv6_chain_walk(&chain, ip, total < readable ? total : readable);
	key->nw_proto = chain.protocol;
	key->nw_frag = chain.fragment;
	if (!chain.complete)
		return;
	parse->offset += chain.offset;
	parse_l4(parse, total - chain.offset, true);
}

// ARP (RFC 826) and RARP, for IPv4 over Ethernet only.
static void parse_arp(struct parse *parse)
{
	static const uint8_t ipv4_over_ethernet[6] = {0, 1, 0x08, 0x00, 6, 4};
	struct packet_key *key = parse->key;
	const uint8_t *arp = parse->packet->data + parse->offset;

	if (parse->readable < parse->offset + ARP_SIZE)
		return;
	if (memcmp(arp, ipv4_over_ethernet, sizeof(ipv4_over_ethernet)) != 0)
		return;
	key->layers = LAYER_ARP;
	parse->packet->l3_offset = parse->offset;
	key->nw_src = load_32(arp + ARP_SENDER_ADDRESS);
	key->nw_dst = load_32(arp + ARP_TARGET_ADDRESS);
	if (parse->lines & 2) {
		key->arp_op = load_16(arp + ARP_OPERATION);
		memcpy(key->hw_source, arp + ARP_SENDER_HARDWARE, 6);
		memcpy(key->hw_target, arp + ARP_TARGET_HARDWARE, 6);
	}
}

// The key and the packet of a frame of which nothing is known yet.
static inline void parse_start(struct parse *parse)
{
	struct packet *packet = parse->packet;
	struct packet_key *key = parse->key;

	packet->l3_offset = PACKET_NO_OFFSET;
	packet->l4_offset = PACKET_NO_OFFSET;
	packet->vlan_count = 0;
	memset(key, 0, KEY_LINE_SIZE);
	if (parse->lines & 2)
		memset(KEY_AT(key, ipv6_src), 0, KEY_LINE_SIZE);
	if (parse->lines & 4)
		memset(KEY_AT(key, nd_target), 0, KEY_LINE_SIZE);
	key->in_port = htobe16(packet->in_port);
}

// Up to the type behind all tags, which is left in *type.
static inline bool parse_ethernet(struct parse *parse, uint16_t *type)
{
	const uint8_t *data = parse->packet->data;

	if (parse->readable < ETHERNET_SIZE)
		return false;
	memcpy(KEY_AT(parse->key, dl_dst), data, 12);
	*type = load_be16(data + ETHERNET_TYPE);
	if (is_vlan(*type) && !parse_vlans(parse, type))
		return false;
	if (*type < ETHERNET_TYPE_MIN)
		*type = parse_snap(parse);
	parse->key->dl_type = htobe16(*type);
	return true;
}

static inline struct parse parse_of(struct packet *packet, struct packet_key *key, unsigned lines)
{
	return (struct parse){
		.packet = packet,
		.key = key,
		.lines = lines,
		.offset = ETHERNET_SIZE,
		.readable = packet->linear < packet->length ? packet->linear : packet->length,
	};
}

bool packet_parse(struct packet *packet, struct packet_key *key, unsigned lines)
{
	struct parse parse = parse_of(packet, key, lines);
	uint16_t type;

	parse_start(&parse);
	if (!parse_ethernet(&parse, &type))
		return false;
	if (type == ETHERTYPE_IPV4)
		parse_ipv4(&parse);
	else if (type == ETHERTYPE_IPV6)
		parse_ipv6(&parse);
	else if (type == ETHERTYPE_ARP || type == ETHERTYPE_RARP)
		parse_arp(&parse);
	return true;
}

bool packet_parse_ethernet(struct packet *packet, struct packet_key *key, unsigned lines)
{
	struct parse parse = parse_of(packet, key, lines);
	uint16_t type;

	parse_start(&parse);
	return parse_ethernet(&parse, &type);
}

bool packet_parse_nothing(struct packet *packet, struct packet_key *key, unsigned lines)
{
	struct parse parse = parse_of(packet, key, lines);

	if (parse.readable < PACKET_NEVER_MALFORMED)
		return packet_parse_ethernet(packet, key, lines);
	parse_start(&parse);
	return true;
}
