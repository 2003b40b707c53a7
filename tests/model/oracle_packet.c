// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <string.h>

#include "tests/model/oracle.h"

// Taking a packet apart and putting it together.

static unsigned two(const uint8_t *at)
{
	return at[0] * 256u + at[1];
}

static bool have(const struct oracle_packet *packet, size_t offset, size_t size)
{
	return offset + size <= packet->readable;
}

static bool names_tag(unsigned type)
{
	return type == 0x8100 || type == 0x88a8 || type == 0x9100;
}

// Where neighbour discovery's options are; false if one is malformed.
static bool find_nd_options(struct oracle_packet *packet, size_t end)
{
	size_t offset = packet->l4 + 24;

	for (int seen = 0; seen < 8; seen++) {
		size_t size;

		if (offset == end)
			break;
		if (offset + 8 > end)
			return false;
		size = packet->rest[offset + 1] * 8;
		if (size == 0 || offset + size > end)
			return false;
		if (size == 8 && packet->rest[offset] == 1 && packet->nd_source == 0)
			packet->nd_source = offset + 2;
		if (size == 8 && packet->rest[offset] == 2 && packet->nd_target == 0)
			packet->nd_target = offset + 2;
		offset += size;
	}
	return true;
}

// A transport header may start at `offset`; the IP packet ends at `end`.
static void parse_l4(struct oracle_packet *packet, size_t offset, size_t end)
{
	size_t promised = end - offset;
	size_t there = (end < packet->readable ? end : packet->readable) - offset;
	const uint8_t *at = packet->rest + offset;
	bool complete = false;

	if (offset > packet->readable)
		return;
	if (packet->nw_proto == 6 && there >= 20) {
		unsigned header = at[12] / 16 * 4;

		complete = header >= 20 && header <= promised;
	} else if (packet->nw_proto == 17) {
		complete = there >= 8;
	} else if (packet->nw_proto == 132) {
		complete = there >= 12;
	} else if (packet->nw_proto == 1) {
		complete = packet->ipv4 && there >= 4;
	} else if (packet->nw_proto == 58) {
		complete = packet->ipv6 && there >= 4;
	}
	if (!complete)
		return;
	packet->l4 = offset;
	packet->l4_size = promised;
	if (packet->nw_proto == 58 && (at[0] == 135 || at[0] == 136) && at[1] == 0 && there >= 24) {
		packet->nd = find_nd_options(packet, offset + there);
		if (!packet->nd)
			packet->nd_source = packet->nd_target = 0;
	}
}

static void parse_ipv4(struct oracle_packet *packet, size_t offset)
{
	const uint8_t *ip = packet->rest + offset;
	unsigned header, total;

	if (!have(packet, offset, 20) || ip[0] / 16 != 4)
		return;
	header = ip[0] % 16 * 4;
	total = two(ip + 2);
	if (header < 20 || !have(packet, offset, header) || total < header ||
		offset + total > packet->length)
		return;
	packet->ipv4 = offset;
	packet->nw_proto = ip[9];
	if (two(ip + 6) & 0x3fff)
		packet->nw_frag = 1;
	if (two(ip + 6) & 0x1fff)
		packet->nw_frag = 3;
	else
		parse_l4(packet, offset + header, offset + total);
}

static void parse_ipv6(struct oracle_packet *packet, size_t offset)
{
	const uint8_t *ip = packet->rest + offset;
	size_t end, next = offset + 40, stop;
	int headers = 0;

	if (!have(packet, offset, 40) || ip[0] / 16 != 6)
		return;
	end = offset + 40 + two(ip + 4);
	if (end > packet->length)
		return;
	stop = end < packet->readable ? end : packet->readable;
	packet->ipv6 = offset;
	packet->nw_proto = ip[6];
	for (;;) {
		const uint8_t *header = packet->rest + next;
		size_t size;

		if (packet->nw_proto != 0 && packet->nw_proto != 43 && packet->nw_proto != 44 &&
			packet->nw_proto != 51 && packet->nw_proto != 60) {
			parse_l4(packet, next, end);
			return;
		}
		if (++headers > 8 || next + 8 > stop)
			return;
		size = packet->nw_proto == 44   ? 8
		       : packet->nw_proto == 51 ? header[1] * 4 + 8
						: header[1] * 8 + 8;
		if (next + size > stop)
			return;
		if (packet->nw_proto == 44 && two(header + 2) / 8 != 0) {
			packet->nw_frag = 3;
			return;
		}
		if (packet->nw_proto == 44 && two(header + 2) % 2 != 0)
			packet->nw_frag = 1;
		if (packet->nw_proto == 43 && header[3] != 0)
			packet->routed = true;
		packet->nw_proto = header[0];
		next += size;
	}
}

static void parse_arp(struct oracle_packet *packet, size_t offset)
{
	const uint8_t *arp = packet->rest + offset;

	if (have(packet, offset, 28) && two(arp) == 1 && two(arp + 2) == 0x0800 && arp[4] == 6 &&
		arp[5] == 4)
		packet->arp = offset;
}

bool oracle_parse(struct oracle_packet *packet, const uint8_t *bytes, size_t length,
	size_t readable, unsigned headroom, uint16_t in_port)
{
	size_t offset = 12, next = 2;

	memset(packet, 0, sizeof(*packet));
	packet->headroom = headroom;
	packet->in_port = in_port;
	if (readable > length)
		readable = length;
	if (readable < 14)
		return false;
	memcpy(packet->macs, bytes, 12);
	while (packet->tag_count < 2 && names_tag(two(bytes + offset))) {
		if (offset + 6 > readable)
			return false;
		packet->tags[packet->tag_count].tpid = two(bytes + offset);
		packet->tags[packet->tag_count].tci = two(bytes + offset + 2);
		packet->tag_count++;
		offset += 4;
	}
	packet->length = length - offset;
	packet->readable = readable - offset;
	memcpy(packet->rest, bytes + offset, packet->length);

	packet->dl_type = two(packet->rest);
	if (packet->dl_type < 1536) {
		packet->dl_type = 0x05ff;
		if (have(packet, 2, 8) && memcmp(packet->rest + 2, "\xaa\xaa\3\0\0\0", 6) == 0 &&
			two(packet->rest + 8) >= 1536) {
			packet->dl_type = two(packet->rest + 8);
			next = 10;
		}
	}
	if (packet->dl_type == 0x0800)
		parse_ipv4(packet, next);
	if (packet->dl_type == 0x86dd)
		parse_ipv6(packet, next);
	if (packet->dl_type == 0x0806 || packet->dl_type == 0x8035)
		parse_arp(packet, next);
	return true;
}

size_t oracle_frame(const struct oracle_packet *packet, uint8_t *bytes)
{
	size_t length = 12;

	memcpy(bytes, packet->macs, 12);
	for (unsigned i = 0; i < packet->tag_count; i++) {
		bytes[length++] = packet->tags[i].tpid / 256;
		bytes[length++] = packet->tags[i].tpid % 256;
		bytes[length++] = packet->tags[i].tci / 256;
		bytes[length++] = packet->tags[i].tci % 256;
	}
	memcpy(bytes + length, packet->rest, packet->length);
	return length + packet->length;
}

enum drop_reason oracle_push(struct oracle_packet *packet, uint16_t tpid, uint16_t tci)
{
	if (packet->headroom < 4 || packet->tag_count == ORACLE_TAGS)
		return DROP_NO_HEADROOM;
	packet->headroom -= 4;
	memmove(packet->tags + 1, packet->tags, packet->tag_count * sizeof(packet->tags[0]));
	packet->tags[0].tpid = tpid;
	packet->tags[0].tci = tci;
	packet->tag_count++;
	return DROP_REASON_COUNT;
}

void oracle_pop(struct oracle_packet *packet)
{
	if (packet->tag_count == 0)
		return;
	packet->headroom += 4;
	packet->tag_count--;
	memmove(packet->tags, packet->tags + 1, packet->tag_count * sizeof(packet->tags[0]));
}

// --- Matches ---

static void put_bytes(void *to, size_t size, oracle_number number)
{
	uint8_t *bytes = to;

	while (size-- > 0) {
		bytes[size] = (uint8_t)number;
		number /= 256;
	}
}

static void put_field(
	const struct oracle_packet *packet, enum field_id field, void *to, size_t size)
{
	if (oracle_has(packet, field))
		put_bytes(to, size, oracle_read(packet, field));
}

static void key_of_l4(const struct oracle_packet *packet, struct packet_key *key)
{
	static const enum field_id ports[][2] = {{FIELD_TCP_SRC, FIELD_TCP_DST},
		{FIELD_UDP_SRC, FIELD_UDP_DST}, {FIELD_SCTP_SRC, FIELD_SCTP_DST},
		{FIELD_ICMP_TYPE, FIELD_ICMP_CODE}, {FIELD_ICMPV6_TYPE, FIELD_ICMPV6_CODE}};

	for (unsigned i = 0; i < 5; i++) {
		put_field(packet, ports[i][0], &key->tp_src, 2);
		put_field(packet, ports[i][1], &key->tp_dst, 2);
	}
	put_field(packet, FIELD_TCP_FLAGS, &key->tcp_flags, 2);
	if (packet->nd) {
		// By the options, not by the type, which may have been rewritten.
		memcpy(key->nd_target, packet->rest + packet->l4 + 8, 16);
		if (packet->nd_source)
			memcpy(key->hw_source, packet->rest + packet->nd_source, 6);
		if (packet->nd_target)
			memcpy(key->hw_target, packet->rest + packet->nd_target, 6);
	}
}

void oracle_key(const struct oracle_packet *packet, struct packet_key *key)
{
	memset(key, 0, sizeof(*key));
	key->layers = (packet->ipv4 || packet->ipv6 ? LAYER_L3 : 0) | (packet->l4 ? LAYER_L4 : 0) |
		      (packet->arp ? LAYER_ARP : 0) | (packet->nd ? LAYER_ND : 0);
	put_bytes(&key->in_port, 2, packet->in_port);
	put_field(packet, FIELD_DL_DST, key->dl_dst, 6);
	put_field(packet, FIELD_DL_SRC, key->dl_src, 6);
	put_bytes(&key->dl_type, 2, packet->dl_type);
	put_field(packet, FIELD_VLAN_TCI, &key->vlan_tci, 2);
	if (packet->tag_count > 1)
		put_bytes(&key->inner_tci, 2, packet->tags[1].tci | 0x1000);
	put_field(packet, FIELD_NW_SRC, &key->nw_src, 4);
	put_field(packet, FIELD_NW_DST, &key->nw_dst, 4);
	put_field(packet, FIELD_ARP_SPA, &key->nw_src, 4);
	put_field(packet, FIELD_ARP_TPA, &key->nw_dst, 4);
	put_field(packet, FIELD_NW_PROTO, &key->nw_proto, 1);
	if (oracle_has(packet, FIELD_IP_DSCP))
		key->nw_tos = (uint8_t)oracle_read(packet, FIELD_IP_DSCP) * 4 +
			      (uint8_t)oracle_read(packet, FIELD_NW_ECN);
	put_field(packet, FIELD_NW_TTL, &key->nw_ttl, 1);
	put_field(packet, FIELD_NW_FRAG, &key->nw_frag, 1);
	put_bytes(&key->metadata, 8, packet->metadata);
	for (unsigned i = 0; i < 4; i++) {
		put_bytes(&key->reg_low[i], 4, packet->reg[i]);
		put_bytes(&key->reg_high[i], 4, packet->reg[4 + i]);
	}
	put_field(packet, FIELD_IPV6_SRC, key->ipv6_src, 16);
	put_field(packet, FIELD_IPV6_DST, key->ipv6_dst, 16);
	put_field(packet, FIELD_IPV6_LABEL, &key->ipv6_label, 4);
	put_field(packet, FIELD_ARP_OP, &key->arp_op, 2);
	put_field(packet, FIELD_ARP_SHA, key->hw_source, 6);
	put_field(packet, FIELD_ARP_THA, key->hw_target, 6);
	key_of_l4(packet, key);
}
