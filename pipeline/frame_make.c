// SPDX-License-Identifier: Apache-2.0
#include "pipeline/frame_make.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/byte_order.h"
#include "pipeline/key_fields.h"
#include "pipeline/packet.h"
#include "pipeline/packet_format.h"

#define PAYLOAD 32
#define ETHERTYPE_EXPERIMENT 0x88b5 // IEEE 802, local experimental
#define PROTOCOL_EXPERIMENT 253     // RFC 3692
#define FRAGMENT_OFFSET 1480        // of later fragments, a multiple of 8
#define IPV6_FRAGMENT_SIZE 8
#define FRAME_MIN 60

// The frame so far.
struct maker {
	const struct match *match;
	const struct packet_key *key; // what the frame is to be, with defaults filled in
	uint8_t *frame;
	size_t length;
};

static uint8_t *append(struct maker *maker, size_t size)
{
	uint8_t *at = maker->frame + maker->length;

	memset(at, 0, size);
	maker->length += size;
	return at;
}

static void append_payload(struct maker *maker)
{
	uint8_t *payload = append(maker, PAYLOAD);

	for (unsigned i = 0; i < PAYLOAD; i++)
		payload[i] = (uint8_t)i;
}

// --- Checksums ---

// RFC 1071: the one's complement sum of big-endian words; `sum` carries parts before.
static uint32_t sum_add(uint32_t sum, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i + 1 < size; i += 2)
		sum += load_be16(bytes + i);
	if (size & 1)
		sum += (uint32_t)bytes[size - 1] << 8;
	return sum;
}

static uint16_t sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

// CRC32c, bit by bit; RFC 9260, appendix A.
static uint32_t crc32c(const uint8_t *bytes, size_t size)
{
	uint32_t crc = ~0u;

	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

// Of the message of maker->key's protocol at `message`, with the addresses before it.
static void checksum_set(struct maker *maker, uint8_t *message, size_t size)
{
	const struct packet_key *key = maker->key;
	bool ipv6 = key->dl_type == htobe16(ETHERTYPE_IPV6);
	uint32_t sum = 0;
	uint16_t checksum;
	uint32_t crc;

	if (key->nw_proto != PROTOCOL_ICMP) { // the others cover a pseudo-header
		sum = key->nw_proto + (uint32_t)size;
		sum = ipv6 ? sum_add(sum_add(sum, key->ipv6_src, 16), key->ipv6_dst, 16)
			   : sum_add(sum_add(sum, (const uint8_t *)&key->nw_src, 4),
				     (const uint8_t *)&key->nw_dst, 4);
	}
	checksum = sum_fold(sum_add(sum, message, size));
	switch (key->nw_proto) {
	case PROTOCOL_TCP:
		store_be16(message + TCP_CHECKSUM, checksum);
		break;
	case PROTOCOL_UDP:
		store_be16(message + UDP_CHECKSUM, checksum ? checksum : 0xffff);
		break;
	case PROTOCOL_ICMP:
	case PROTOCOL_ICMPV6:
		store_be16(message + ICMP_CHECKSUM, checksum);
		break;
	case PROTOCOL_SCTP:
		crc = htole32(crc32c(message, size));
		memcpy(message + SCTP_CHECKSUM, &crc, sizeof(crc));
		break;
	}
}

// --- Transport ---

static void append_ports(struct maker *maker, size_t header)
{
	uint8_t *at = append(maker, header);

	memcpy(at, &maker->key->tp_src, 2);
	memcpy(at + 2, &maker->key->tp_dst, 2);
}

static bool is_nd(const struct packet_key *key)
{
	uint16_t type = be16toh(key->tp_src);

	return key->dl_type == htobe16(ETHERTYPE_IPV6) && key->nw_proto == PROTOCOL_ICMPV6 &&
	       (type == ND_SOLICITATION || type == ND_ADVERTISEMENT) && key->tp_dst == 0;
}

static void append_nd_option(
	struct maker *maker, uint8_t kind, const uint8_t address[6], const uint8_t mask[6])
{
	static const uint8_t any[6];
	uint8_t *option;

	if (memcmp(mask, any, 6) == 0 || memcmp(address, any, 6) == 0)
		return;
	option = append(maker, 8);
	option[0] = kind;
	option[1] = 1; // in units of 8 bytes
	memcpy(option + 2, address, 6);
}

static void append_icmp(struct maker *maker)
{
	const struct packet_key *key = maker->key;
	uint8_t *header = append(maker, is_nd(key) ? ND_SIZE : 8);

	header[0] = (uint8_t)be16toh(key->tp_src);
	header[1] = (uint8_t)be16toh(key->tp_dst);
	if (!is_nd(key)) {
		append_payload(maker);
		return;
	}
	// No payload: what follows is read as options.
	memcpy(header + ND_TARGET, key->nd_target, 16);
	if (header[0] == ND_SOLICITATION)
		append_nd_option(
			maker, ND_OPTION_SOURCE, key->hw_source, maker->match->mask.hw_source);
	else
		append_nd_option(
			maker, ND_OPTION_TARGET, key->hw_target, maker->match->mask.hw_target);
}

// From the transport header to the end.
static void append_transport(struct maker *maker)
{
	const struct packet_key *key = maker->key;
	size_t start = maker->length;
	uint8_t *header = maker->frame + start;

	if (key->nw_frag & NW_FRAG_LATER) { // the header went with the first
		append_payload(maker);
		return;
	}
	switch (key->nw_proto) {
	case PROTOCOL_TCP:
		append_ports(maker, TCP_SIZE);
		memcpy(header + TCP_OFFSET_FLAGS, &key->tcp_flags, 2);
		header[TCP_OFFSET_FLAGS] |= 5 << 4;
		append_payload(maker);
		break;
	case PROTOCOL_UDP:
		append_ports(maker, UDP_SIZE);
		store_be16(header + 4, UDP_SIZE + PAYLOAD);
		append_payload(maker);
		break;
	case PROTOCOL_SCTP: // one DATA chunk
		append_ports(maker, SCTP_SIZE);
		store_be16(append(maker, 16) + 2, 16 + PAYLOAD);
		header[SCTP_SIZE + 1] = 3; // first and last fragment
		append_payload(maker);
		break;
	case PROTOCOL_ICMP:
	case PROTOCOL_ICMPV6:
		append_icmp(maker);
		break;
	default:
		append_payload(maker);
		return;
	}
	checksum_set(maker, header, maker->length - start);
}

// --- Network ---

static void append_ipv4(struct maker *maker)
{
	const struct packet_key *key = maker->key;
	size_t start = maker->length;
	uint8_t *ip = append(maker, IPV4_SIZE);
	uint16_t fragment = 0;

	if (key->nw_frag & NW_FRAG_LATER)
		fragment = FRAGMENT_OFFSET / 8;
	else if (key->nw_frag & NW_FRAG_ANY)
		fragment = IPV4_MORE_FRAGMENTS;
	ip[0] = 0x45;
	ip[IPV4_TOS] = key->nw_tos;
	store_be16(ip + IPV4_FRAGMENT, fragment);
	ip[IPV4_TTL] = key->nw_ttl;
	ip[IPV4_PROTOCOL] = key->nw_proto;
	memcpy(ip + IPV4_SOURCE, &key->nw_src, 4);
	memcpy(ip + IPV4_DESTINATION, &key->nw_dst, 4);
	append_transport(maker);
	store_be16(ip + IPV4_LENGTH, (uint16_t)(maker->length - start));
	store_be16(ip + IPV4_CHECKSUM, sum_fold(sum_add(0, ip, IPV4_SIZE)));
}

static void append_ipv6(struct maker *maker)
{
	const struct packet_key *key = maker->key;
	uint8_t *ip = append(maker, IPV6_SIZE);
	size_t start = maker->length;

	store_be32(ip, 6u << 28 | (uint32_t)key->nw_tos << 20 | be32toh(key->ipv6_label));
	ip[IPV6_NEXT] = key->nw_frag ? PROTOCOL_FRAGMENT : key->nw_proto;
	ip[IPV6_HOP_LIMIT] = key->nw_ttl;
	memcpy(ip + IPV6_SOURCE, key->ipv6_src, 16);
	memcpy(ip + IPV6_DESTINATION, key->ipv6_dst, 16);
	if (key->nw_frag) {
		uint8_t *fragment = append(maker, IPV6_FRAGMENT_SIZE);

		fragment[0] = key->nw_proto;
		store_be16(fragment + 2,
			key->nw_frag & NW_FRAG_LATER ? FRAGMENT_OFFSET : IPV6_MORE_FRAGMENTS);
	}
	append_transport(maker);
	store_be16(ip + IPV6_LENGTH, (uint16_t)(maker->length - start));
}

static void append_arp(struct maker *maker)
{
	const struct packet_key *key = maker->key;
	uint8_t *arp = append(maker, ARP_SIZE);

	store_be16(arp, 1);
	store_be16(arp + 2, ETHERTYPE_IPV4);
	arp[4] = 6;
	arp[5] = 4;
	memcpy(arp + ARP_OPERATION, &key->arp_op, 2);
	memcpy(arp + ARP_SENDER_HARDWARE, key->hw_source, 6);
	memcpy(arp + ARP_SENDER_ADDRESS, &key->nw_src, 4);
	memcpy(arp + ARP_TARGET_HARDWARE, key->hw_target, 6);
	memcpy(arp + ARP_TARGET_ADDRESS, &key->nw_dst, 4);
}

// --- Link ---

static void append_ethernet(struct maker *maker)
{
	const struct packet_key *key = maker->key;
	uint8_t *ethernet = append(maker, ETHERNET_SIZE - 2);
	uint16_t tci = be16toh(key->vlan_tci);

	memcpy(ethernet, key->dl_dst, 6);
	memcpy(ethernet + 6, key->dl_src, 6);
	if (tci != 0) {
		uint8_t *tag = append(maker, VLAN_SIZE);

		store_be16(tag, ETHERTYPE_VLAN);
		store_be16(tag + 2, tci & ~VLAN_CFI);
	}
	memcpy(append(maker, 2), &key->dl_type, 2);
}

// A frame of IEEE 802.3: a length where the type would be, then LLC, here of spanning tree.
static void append_802_3(struct maker *maker)
{
	uint8_t *type = maker->frame + maker->length - 2;
	uint8_t *llc = append(maker, 3);

	llc[0] = llc[1] = 0x42;
	llc[2] = 0x03;
	append_payload(maker);
	store_be16(type, 3 + PAYLOAD);
}

// What the match leaves open.
static void key_complete(struct packet_key *key, const struct match *match)
{
	const struct packet_key *mask = &match->mask;

	if (match->tp_src.last != 0)
		key->tp_src = htobe16(match->tp_src.first);
	if (match->tp_dst.last != 0)
		key->tp_dst = htobe16(match->tp_dst.first);
	if (!mask->dl_type)
		key->dl_type = htobe16(ETHERTYPE_EXPERIMENT);
	if (!mask->nw_proto)
		key->nw_proto = PROTOCOL_EXPERIMENT;
	if (!mask->nw_ttl)
		key->nw_ttl = is_nd(key) ? 255 : 64;
	if (!mask->arp_op)
		key->arp_op = htobe16(1);
}

// Does the match hit what was made?
static int frame_check(
	const struct match *match, uint8_t *frame, size_t length, struct flow_error *error)
{
	struct packet packet = {
		.data = frame,
		.linear = (uint16_t)length,
		.length = (uint32_t)length,
		.in_port = be16toh(match->value.in_port),
	};
	struct match_difference difference = {.field = ""};
	struct packet_key key;

	if (packet_parse(&packet, &key, KEY_ALL_LINES) &&
		!match_first_difference(match, &key, NULL, &difference))
		return 0;
	*error = (struct flow_error){.kind = FLOW_ERROR_BAD_VALUE};
	snprintf(error->field, sizeof(error->field), "%s", difference.field);
	snprintf(error->message, sizeof(error->message),
		"no packet comes in with %s=%s%s%s%s; leave it out, or give the frame itself",
		difference.field, difference.wants, difference.has[0] ? " (it would have " : "",
		difference.has, difference.has[0] ? ")" : "");
	return -EINVAL;
}

int frame_make(const struct match *match, uint8_t frame[FRAME_MAKE_MAX], size_t *length,
	struct flow_error *error)
{
	struct packet_key key = match->value;
	struct maker maker = {.match = match, .key = &key, .frame = frame};

	key_complete(&key, match);
	append_ethernet(&maker);
	switch (be16toh(key.dl_type)) {
	case ETHERTYPE_IPV4:
		append_ipv4(&maker);
		break;
	case ETHERTYPE_IPV6:
		append_ipv6(&maker);
		break;
	case ETHERTYPE_ARP:
	case ETHERTYPE_RARP:
		append_arp(&maker);
		break;
	case ETHERNET_NO_TYPE:
		append_802_3(&maker);
		break;
	default:
		append_payload(&maker);
	}
	if (maker.length < FRAME_MIN)
		append(&maker, FRAME_MIN - maker.length);
	*length = maker.length;
	return frame_check(match, frame, maker.length, error);
}
