// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "tests/model/oracle.h"

// Fields of a packet as numbers, and the checksums that follow them.

// Where a field is: `bits` bits of the `size` bytes at `at`, `shift` from the right. For all fields
// that are bytes of the packet and not tags.
struct spot {
	uint8_t *at;
	unsigned size, shift, bits;
};

static bool is_nd(const struct oracle_packet *packet, unsigned type)
{
	return packet->nd && packet->rest[packet->l4] == type;
}

static bool is_l4(const struct oracle_packet *packet, unsigned protocol)
{
	return packet->l4 != 0 && packet->nw_proto == protocol;
}

bool oracle_has(const struct oracle_packet *packet, enum field_id field)
{
	switch (field) {
	case FIELD_NW_SRC:
	case FIELD_NW_DST:
		return packet->ipv4;
	case FIELD_IPV6_SRC:
	case FIELD_IPV6_DST:
	case FIELD_IPV6_LABEL:
		return packet->ipv6;
	case FIELD_NW_PROTO:
	case FIELD_IP_DSCP:
	case FIELD_NW_TOS:
	case FIELD_NW_ECN:
	case FIELD_NW_TTL:
	case FIELD_NW_FRAG:
		return packet->ipv4 || packet->ipv6;
	case FIELD_ARP_OP:
	case FIELD_ARP_SPA:
	case FIELD_ARP_TPA:
	case FIELD_ARP_SHA:
	case FIELD_ARP_THA:
		return packet->arp;
	case FIELD_TCP_SRC:
	case FIELD_TCP_DST:
	case FIELD_TCP_FLAGS:
		return is_l4(packet, 6);
	case FIELD_UDP_SRC:
	case FIELD_UDP_DST:
		return is_l4(packet, 17);
	case FIELD_SCTP_SRC:
	case FIELD_SCTP_DST:
		return is_l4(packet, 132);
	case FIELD_ICMP_TYPE:
	case FIELD_ICMP_CODE:
		return is_l4(packet, 1);
	case FIELD_ICMPV6_TYPE:
	case FIELD_ICMPV6_CODE:
		return is_l4(packet, 58);
	case FIELD_ND_TARGET:
		return is_nd(packet, 135) || is_nd(packet, 136);
	case FIELD_ND_SLL:
		return is_nd(packet, 135);
	case FIELD_ND_TLL:
		return is_nd(packet, 136);
	default:
		return true;
	}
}

// at is NULL for options that are not there.
static struct spot find(struct oracle_packet *packet, enum field_id field)
{
	uint8_t *ip = packet->rest + (packet->ipv4 ? packet->ipv4 : packet->ipv6);
	uint8_t *arp = packet->rest + packet->arp;
	uint8_t *l4 = packet->rest + packet->l4;
	bool v4 = packet->ipv4;

	switch (field) {
	case FIELD_DL_DST:
		return (struct spot){packet->macs, 6, 0, 48};
	case FIELD_DL_SRC:
		return (struct spot){packet->macs + 6, 6, 0, 48};
	case FIELD_NW_SRC:
		return (struct spot){ip + 12, 4, 0, 32};
	case FIELD_NW_DST:
		return (struct spot){ip + 16, 4, 0, 32};
	case FIELD_IPV6_SRC:
		return (struct spot){ip + 8, 16, 0, 128};
	case FIELD_IPV6_DST:
		return (struct spot){ip + 24, 16, 0, 128};
	case FIELD_IPV6_LABEL:
		return (struct spot){ip, 4, 0, 20};
	case FIELD_NW_TOS:
		return (struct spot){ip, 2, v4 ? 0 : 4, 8};
	case FIELD_IP_DSCP:
		return (struct spot){ip, 2, v4 ? 2 : 6, 6};
	case FIELD_NW_ECN:
		return (struct spot){ip, 2, v4 ? 0 : 4, 2};
	case FIELD_NW_TTL:
		return (struct spot){ip + (v4 ? 8 : 7), 1, 0, 8};
	case FIELD_ARP_OP:
		return (struct spot){arp + 6, 2, 0, 16};
	case FIELD_ARP_SHA:
		return (struct spot){arp + 8, 6, 0, 48};
	case FIELD_ARP_SPA:
		return (struct spot){arp + 14, 4, 0, 32};
	case FIELD_ARP_THA:
		return (struct spot){arp + 18, 6, 0, 48};
	case FIELD_ARP_TPA:
		return (struct spot){arp + 24, 4, 0, 32};
	case FIELD_TCP_SRC:
	case FIELD_UDP_SRC:
	case FIELD_SCTP_SRC:
		return (struct spot){l4, 2, 0, 16};
	case FIELD_TCP_DST:
	case FIELD_UDP_DST:
	case FIELD_SCTP_DST:
		return (struct spot){l4 + 2, 2, 0, 16};
	case FIELD_TCP_FLAGS:
		return (struct spot){l4 + 12, 2, 0, 12};
	case FIELD_ICMP_TYPE:
	case FIELD_ICMPV6_TYPE:
		return (struct spot){l4, 1, 0, 8};
	case FIELD_ICMP_CODE:
	case FIELD_ICMPV6_CODE:
		return (struct spot){l4 + 1, 1, 0, 8};
	case FIELD_ND_TARGET:
		return (struct spot){l4 + 8, 16, 0, 128};
	case FIELD_ND_SLL:
		return (struct spot){
			packet->nd_source ? packet->rest + packet->nd_source : NULL, 6, 0, 48};
	case FIELD_ND_TLL:
		return (struct spot){
			packet->nd_target ? packet->rest + packet->nd_target : NULL, 6, 0, 48};
	default:
		abort();
	}
}

static oracle_number ones(unsigned bits)
{
	return bits == 128 ? ~(oracle_number)0 : ((oracle_number)1 << bits) - 1;
}

static oracle_number spot_bytes(struct spot spot)
{
	oracle_number number = 0;

	for (unsigned i = 0; i < spot.size; i++)
		number = number * 256 + spot.at[i];
	return number;
}

oracle_number oracle_read(const struct oracle_packet *packet, enum field_id field)
{
	struct spot spot;
	unsigned tci = packet->tag_count ? packet->tags[0].tci | 0x1000 : 0;

	if (field >= FIELD_REG0 && field <= FIELD_REG7)
		return packet->reg[field - FIELD_REG0];
	switch (field) {
	case FIELD_METADATA:
		return packet->metadata;
	case FIELD_IN_PORT:
		return packet->in_port;
	case FIELD_DL_TYPE:
		return packet->dl_type;
	case FIELD_NW_PROTO:
		return packet->nw_proto;
	case FIELD_NW_FRAG:
		return packet->nw_frag;
	case FIELD_VLAN_TCI:
		return tci;
	case FIELD_VLAN_VID:
		return tci % 0x2000;
	case FIELD_DL_VLAN:
		return tci % 0x1000;
	case FIELD_DL_VLAN_PCP:
		return tci / 0x2000;
	default:
		break;
	}
	spot = find((struct oracle_packet *)packet, field);
	return spot.at ? spot_bytes(spot) >> spot.shift & ones(spot.bits) : 0;
}

// --- Checksums ---

// A checksum field that is as wrong after a change as it was before.
static void carry(uint8_t *at, uint32_t before, uint32_t after, bool udp)
{
	uint32_t stored = at[0] * 256u + at[1];
	uint32_t sum;

	if ((udp && stored == 0) || before == after)
		return;
	sum = (0xffff - stored + 65535 - before + after) % 65535;
	stored = 0xffff - sum;
	if (sum == 0)
		stored = udp ? 0xffff : 0;
	at[0] = stored / 256;
	at[1] = stored % 256;
}

// Sum of all that the L4 checksum covers but itself.
static uint32_t l4_sum(const struct oracle_packet *packet, size_t place)
{
	const uint8_t *l4 = packet->rest + packet->l4;
	uint32_t sum =
		oracle_sum(l4, place) + oracle_sum(l4 + place + 2, packet->l4_size - place - 2);

	if (packet->nw_proto == 1)
		return sum % 65535;
	if (packet->ipv4)
		sum += oracle_sum(packet->rest + packet->ipv4 + 12, 8);
	else
		sum += oracle_sum(packet->rest + packet->ipv6 + 8, packet->routed ? 16 : 32);
	return (sum + packet->nw_proto + packet->l4_size) % 65535;
}

static uint32_t ipv4_sum(const struct oracle_packet *packet)
{
	const uint8_t *ip = packet->rest + packet->ipv4;

	return (oracle_sum(ip, 10) + oracle_sum(ip + 12, ip[0] % 16 * 4 - 12)) % 65535;
}

static uint32_t sctp_crc(const struct oracle_packet *packet)
{
	static uint8_t bytes[ORACLE_REST];

	memcpy(bytes, packet->rest + packet->l4, packet->l4_size);
	memset(bytes + 8, 0, 4);
	return oracle_crc32c(bytes, packet->l4_size);
}

static void carry_sctp(struct oracle_packet *packet, const struct oracle_packet *before)
{
	uint8_t *at = packet->rest + packet->l4 + 8;
	uint32_t change;

	if (memcmp(at, "\0\0\0", 4) == 0)
		return;
	change = sctp_crc(packet) ^ sctp_crc(before);
	for (unsigned i = 0; i < 4; i++)
		at[i] ^= change >> 8 * i;
}

static void carry_checksums(struct oracle_packet *packet, const struct oracle_packet *before)
{
	size_t place = packet->nw_proto == 6 ? 16 : packet->nw_proto == 17 ? 6 : 2;

	if (packet->ipv4)
		carry(packet->rest + packet->ipv4 + 10, ipv4_sum(before), ipv4_sum(packet), false);
	if (packet->l4 && packet->nw_proto == 132)
		carry_sctp(packet, before);
	else if (packet->l4)
		carry(packet->rest + packet->l4 + place, l4_sum(before, place),
			l4_sum(packet, place), packet->nw_proto == 17);
}

// --- Writing ---

static enum drop_reason write_tag(
	struct oracle_packet *packet, enum field_id field, oracle_number value, oracle_number mask)
{
	unsigned shift = field == FIELD_DL_VLAN_PCP ? 13 : 0;
	unsigned tci = (unsigned)oracle_read(packet, FIELD_VLAN_TCI);
	bool tagged = packet->tag_count > 0;

	if (field != FIELD_VLAN_TCI && !tagged)
		return DROP_REASON_COUNT;
	tci = (tci & ~((unsigned)mask << shift)) | (unsigned)value << shift;
	if (field == FIELD_VLAN_TCI && !(tci & 0x1000)) {
		oracle_pop(packet);
		return DROP_REASON_COUNT;
	}
	if (!tagged)
		return oracle_push(packet, 0x8100, tci & 0xefff);
	packet->tags[0].tci = (packet->tags[0].tci & 0x1000) | (tci & 0xefff);
	return DROP_REASON_COUNT;
}

enum drop_reason oracle_write(
	struct oracle_packet *packet, enum field_id field, oracle_number value, oracle_number mask)
{
	struct oracle_packet before;
	struct spot spot;
	oracle_number number;

	if (!oracle_has(packet, field))
		return DROP_REASON_COUNT;
	if (field == FIELD_METADATA) {
		packet->metadata = (packet->metadata & ~(uint64_t)mask) | (uint64_t)value;
		return DROP_REASON_COUNT;
	}
	if (field >= FIELD_REG0 && field <= FIELD_REG7) {
		uint32_t *reg = &packet->reg[field - FIELD_REG0];

		*reg = (*reg & ~(uint32_t)mask) | (uint32_t)value;
		return DROP_REASON_COUNT;
	}
	if (field == FIELD_VLAN_TCI || field == FIELD_VLAN_VID || field == FIELD_DL_VLAN ||
		field == FIELD_DL_VLAN_PCP)
		return write_tag(packet, field, value, mask);
	if (is_l4(packet, 132) && packet->nw_frag != 0 &&
		(field == FIELD_SCTP_SRC || field == FIELD_SCTP_DST))
		return DROP_SCTP_FRAGMENT;
	if (field == FIELD_NW_TOS) {
		value &= 0xfc;
		mask &= 0xfc;
	}
	spot = find(packet, field);
	if (!spot.at)
		return DROP_REASON_COUNT;
	before = *packet;
	number = (spot_bytes(spot) & ~(mask << spot.shift)) | value << spot.shift;
	for (unsigned i = spot.size; i-- > 0; number /= 256)
		spot.at[i] = (uint8_t)number;
	carry_checksums(packet, &before);
	return DROP_REASON_COUNT;
}
