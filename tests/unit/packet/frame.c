// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/packet/frame.h"

#include <assert.h>
#include <string.h>

static void put_16(uint8_t *at, unsigned value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static void put_32(uint8_t *at, uint32_t value)
{
	put_16(at, value >> 16);
	put_16(at + 2, value);
}

static unsigned get_16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

// Room for `size` more bytes, zeroed.
static uint8_t *append(struct frame *frame, size_t size)
{
	uint8_t *at = frame->bytes + frame->length;

	assert(frame->length + size <= sizeof(frame->bytes));
	memset(at, 0, size);
	frame->length += size;
	return at;
}

void frame_start(struct frame *frame, const uint8_t dst[6], const uint8_t src[6])
{
	memset(frame, 0, sizeof(*frame));
	memcpy(append(frame, 6), dst, 6);
	memcpy(append(frame, 6), src, 6);
	frame->type = 12;
	append(frame, 2);
}

void frame_vlan(struct frame *frame, uint16_t tpid, uint16_t tci)
{
	uint8_t *tag = append(frame, 4);

	put_16(frame->bytes + frame->type, tpid);
	put_16(tag, tci);
	frame->type += 4;
}

void frame_type(struct frame *frame, uint16_t type)
{
	put_16(frame->bytes + frame->type, type);
}

void frame_snap(struct frame *frame, const uint8_t oui[3], uint16_t type)
{
	uint8_t *snap = append(frame, 8);

	put_16(snap, 0xaaaa);
	snap[2] = 3;
	memcpy(snap + 3, oui, 3);
	put_16(snap + 6, type);
	// An 802.3 length; which, is of no interest.
	put_16(frame->bytes + frame->type, 100);
	frame->type = snap + 6 - frame->bytes;
}

void frame_ipv4(struct frame *frame, uint32_t src, uint32_t dst, uint8_t protocol)
{
	uint8_t *ip;

	frame_type(frame, 0x0800);
	frame->l3 = frame->length;
	ip = append(frame, 20);
	ip[0] = 0x45;
	ip[1] = 0x2a;
	put_16(ip + 4, 0x1234);
	ip[8] = 64;
	ip[9] = protocol;
	put_32(ip + 12, src);
	put_32(ip + 16, dst);
}

void frame_ipv4_options(struct frame *frame, size_t size)
{
	memset(append(frame, size), 1, size);
	frame->bytes[frame->l3] += size / 4;
}

void frame_ipv4_fragment(struct frame *frame, uint16_t flags_and_offset)
{
	put_16(frame->bytes + frame->l3 + 6, flags_and_offset);
}

void frame_ipv6(struct frame *frame, const uint8_t src[16], const uint8_t dst[16])
{
	uint8_t *ip;

	frame_type(frame, 0x86dd);
	frame->ipv6 = true;
	frame->l3 = frame->length;
	ip = append(frame, 40);
	put_32(ip, 0x62a12345);
	ip[6] = 59;
	ip[7] = 64;
	memcpy(ip + 8, src, 16);
	memcpy(ip + 24, dst, 16);
	frame->next = frame->l3 + 6;
}

void frame_extension(struct frame *frame, uint8_t protocol, size_t size, uint16_t third)
{
	uint8_t *header = append(frame, size);

	frame->bytes[frame->next] = protocol;
	frame->next = header - frame->bytes;
	header[0] = 59;
	header[1] = protocol == 51 ? size / 4 - 2 : protocol == 44 ? 0 : size / 8 - 1;
	put_16(header + 2, third);
	if (protocol == 43 && (third & 0xff)) {
		// The final destination: the last address of the routing header.
		frame->routed = true;
		assert(size >= 24);
		for (unsigned i = 0; i < 16; i++)
			header[size - 16 + i] = 0x20 + i;
		memcpy(frame->destination, header + size - 16, 16);
	}
}

static uint8_t *l4(struct frame *frame, uint8_t protocol, size_t size)
{
	if (frame->ipv6)
		frame->bytes[frame->next] = protocol;
	frame->protocol = protocol;
	frame->l4 = frame->length;
	return append(frame, size);
}

void frame_protocol(struct frame *frame, uint8_t protocol)
{
	if (frame->ipv6)
		frame->bytes[frame->next] = protocol;
	else
		frame->bytes[frame->l3 + 9] = protocol;
}

void frame_tcp(struct frame *frame, uint16_t src, uint16_t dst, uint16_t flags)
{
	uint8_t *tcp = l4(frame, 6, 20);

	put_16(tcp, src);
	put_16(tcp + 2, dst);
	put_32(tcp + 4, 0x01020304);
	put_16(tcp + 12, 0x5000 | flags);
	put_16(tcp + 14, 0xffff);
}

void frame_tcp_options(struct frame *frame, size_t size)
{
	memset(append(frame, size), 1, size);
	frame->bytes[frame->l4 + 12] += size / 4 << 4;
}

void frame_udp(struct frame *frame, uint16_t src, uint16_t dst)
{
	uint8_t *udp = l4(frame, 17, 8);

	put_16(udp, src);
	put_16(udp + 2, dst);
}

void frame_sctp(struct frame *frame, uint16_t src, uint16_t dst)
{
	uint8_t *sctp = l4(frame, 132, 12);

	put_16(sctp, src);
	put_16(sctp + 2, dst);
	put_32(sctp + 4, 0xcafe0001);
}

void frame_icmp(struct frame *frame, uint8_t type, uint8_t code)
{
	uint8_t *icmp = l4(frame, frame->ipv6 ? 58 : 1, 8);

	icmp[0] = type;
	icmp[1] = code;
	put_32(icmp + 4, 0x00110022);
}

void frame_nd(struct frame *frame, uint8_t type, const uint8_t target[16])
{
	uint8_t *icmp = l4(frame, 58, 24);

	icmp[0] = type;
	memcpy(icmp + 8, target, 16);
}

void frame_nd_option(struct frame *frame, uint8_t type, const uint8_t mac[6])
{
	uint8_t *option = append(frame, 8);

	option[0] = type;
	option[1] = 1;
	memcpy(option + 2, mac, 6);
}

void frame_arp(struct frame *frame, uint16_t type, uint16_t op, const uint8_t sha[6], uint32_t spa,
	const uint8_t tha[6], uint32_t tpa)
{
	uint8_t *arp;

	frame_type(frame, type);
	frame->l3 = frame->length;
	arp = append(frame, 28);
	put_16(arp, 1);
	put_16(arp + 2, 0x0800);
	arp[4] = 6;
	arp[5] = 4;
	put_16(arp + 6, op);
	memcpy(arp + 8, sha, 6);
	put_32(arp + 14, spa);
	memcpy(arp + 18, tha, 6);
	put_32(arp + 24, tpa);
}

void frame_payload(struct frame *frame, size_t size)
{
	uint8_t *at = append(frame, size);

	for (size_t i = 0; i < size; i++)
		at[i] = i * 37 + 11;
}

void frame_byte(struct frame *frame, uint8_t byte)
{
	*append(frame, 1) = byte;
}

// --- Checksums ---

static uint32_t sum(const uint8_t *bytes, size_t size)
{
	uint32_t total = 0;

	for (size_t i = 0; i < size; i++)
		total += i & 1 ? bytes[i] : bytes[i] << 8;
	return total;
}

static uint16_t finish_sum(uint32_t total)
{
	while (total > 0xffff)
		total = (total >> 16) + (total & 0xffff);
	return ~total;
}

uint32_t frame_crc32c(const uint8_t *bytes, size_t size)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

static void sctp_checksum(uint8_t *sctp, size_t size)
{
	uint32_t crc;

	put_32(sctp + 8, 0);
	crc = frame_crc32c(sctp, size);
	for (unsigned i = 0; i < 4; i++)
		sctp[8 + i] = crc >> 8 * i;
}

static uint32_t pseudo_sum(const struct frame *frame, size_t size)
{
	const uint8_t *ip = frame->bytes + frame->l3;
	uint32_t total = size + frame->protocol;

	if (!frame->ipv6)
		return total + sum(ip + 12, 8);
	return total + sum(ip + 8, 16) + sum(frame->routed ? frame->destination : ip + 24, 16);
}

static void l4_checksum(struct frame *frame, size_t size)
{
	uint8_t *header = frame->bytes + frame->l4;
	size_t place = frame->protocol == 6 ? 16 : frame->protocol == 17 ? 6 : 2;
	uint32_t total = 0;
	uint16_t checksum;

	if (frame->protocol == 132) {
		sctp_checksum(header, size);
		return;
	}
	if (size < place + 2)
		return;
	put_16(header + place, 0);
	if (frame->protocol != 1)
		total = pseudo_sum(frame, size);
	checksum = finish_sum(total + sum(header, size));
	if (frame->protocol == 17 && checksum == 0)
		checksum = 0xffff;
	put_16(header + place, checksum);
}

void frame_checksums(struct frame *frame)
{
	uint8_t *ip = frame->bytes + frame->l3;
	size_t end;

	if (frame->l3 == FRAME_NONE || get_16(frame->bytes + frame->type) == 0x0806 ||
		get_16(frame->bytes + frame->type) == 0x8035)
		return;
	end = frame->l3 + (frame->ipv6 ? 40 + get_16(ip + 4) : get_16(ip + 2));
	if (!frame->ipv6) {
		put_16(ip + 10, 0);
		put_16(ip + 10, finish_sum(sum(ip, (ip[0] & 15) * 4)));
	}
	if (frame->l4 != FRAME_NONE && end <= frame->length && end > frame->l4)
		l4_checksum(frame, end - frame->l4);
}

void frame_finish(struct frame *frame)
{
	uint8_t *ip = frame->bytes + frame->l3;

	if (frame->l3 == FRAME_NONE || get_16(frame->bytes + frame->type) == 0x0806 ||
		get_16(frame->bytes + frame->type) == 0x8035)
		return;
	if (frame->ipv6)
		put_16(ip + 4, frame->length - frame->l3 - 40);
	else
		put_16(ip + 2, frame->length - frame->l3);
	if (frame->l4 != FRAME_NONE && frame->protocol == 17)
		put_16(frame->bytes + frame->l4 + 4, frame->length - frame->l4);
	frame_checksums(frame);
}
