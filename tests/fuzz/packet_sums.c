// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/packet_sums.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/packet/frame.h"

static unsigned get_16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

// Modulo 0xffff, in which both zeros of one's complement are one.
static uint32_t sum(const uint8_t *bytes, size_t size)
{
	uint64_t total = 0;

	for (size_t i = 0; i < size; i++)
		total += i & 1 ? bytes[i] : bytes[i] << 8;
	return total % 0xffff;
}

// Does a routing header have segments left? Then the destination is not part of the checksum.
static bool is_routed(const uint8_t *ip, size_t size)
{
	uint8_t next = ip[6];
	size_t at = 40;
	bool routed = false;

	while (at < size) {
		size_t length = next == 44   ? 8
				: next == 51 ? (ip[at + 1] + 2) * 4
					     : (ip[at + 1] + 1) * 8;

		routed |= next == 43 && ip[at + 3] > 0;
		next = ip[at];
		at += length;
	}
	fuzz_must(at == size, "the extension headers end elsewhere");
	return routed;
}

static uint32_t pseudo_sum(const uint8_t *ip, bool ipv4, size_t header_size)
{
	if (ipv4)
		return sum(ip + 12, 8);
	return sum(ip + 8, 16) + (is_routed(ip, header_size) ? 0 : sum(ip + 24, 16));
}

static void compute_sctp(struct packet_sums *sums, const uint8_t *l4, size_t size)
{
	uint8_t *copy = malloc(size);
	uint32_t stored, computed;

	fuzz_must(copy != NULL, "no memory");
	memcpy(copy, l4, size);
	memset(copy + 8, 0, 4);
	memcpy(&stored, l4 + 8, 4);
	computed = frame_crc32c(copy, size);
	free(copy);
	sums->l4 = true;
	sums->l4_absent = stored == 0;
	sums->l4_residue = stored ^ computed;
}

static void compute_l4(
	struct packet_sums *sums, const struct packet *packet, bool ipv4, uint8_t protocol)
{
	const uint8_t *ip = packet->data + packet->l3_offset;
	const uint8_t *l4 = packet->data + packet->l4_offset;
	size_t header_size = packet->l4_offset - packet->l3_offset;
	size_t total = ipv4 ? get_16(ip + 2) : 40 + get_16(ip + 4);
	size_t size = total - header_size;

	fuzz_must(packet->l4_offset > packet->l3_offset && total > header_size &&
			  packet->l3_offset + total <= packet->length,
		"l3 at %u, l4 at %u, %zu bytes of %u", packet->l3_offset, packet->l4_offset, total,
		packet->length);
	sums->l3_size = header_size;
	if (protocol == 132) {
		compute_sctp(sums, l4, size);
		return;
	}
	sums->l4 = true;
	sums->l4_absent = protocol == 17 && get_16(l4 + 6) == 0;
	sums->l4_residue = sum(l4, size);
	if (protocol != 1)
		sums->l4_residue = (sums->l4_residue + pseudo_sum(ip, ipv4, header_size)) % 0xffff;
}

void packet_sums_compute(
	struct packet_sums *sums, const struct packet *packet, uint16_t type, uint8_t protocol)
{
	bool ipv4 = type == 0x0800, ipv6 = type == 0x86dd;

	*sums = (struct packet_sums){
		.has_l3 = packet->l3_offset != PACKET_NO_OFFSET,
		.has_l4 = packet->l4_offset != PACKET_NO_OFFSET,
	};
	if (!sums->has_l3 || (!ipv4 && !ipv6))
		return;
	if (ipv4) {
		const uint8_t *ip = packet->data + packet->l3_offset;

		sums->ip = true;
		sums->ip_residue = sum(ip, (ip[0] & 15) * 4);
	}
	if (sums->has_l4)
		compute_l4(sums, packet, ipv4, protocol);
}
