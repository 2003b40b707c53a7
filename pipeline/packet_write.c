// SPDX-License-Identifier: Apache-2.0
#include "pipeline/packet_write.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "pipeline/byte_order.h"
#include "pipeline/checksum.h"
#include "pipeline/packet_ipv6.h"
#include "pipeline/packet_vlan.h"
#include "pipeline/packet_format.h"

// Which checksums cover a field.
enum {
	SUM_IPV4 = 1,   // that of the IPv4 header
	SUM_PSEUDO = 2, // TCP, UDP and ICMPv6, by way of the pseudo-header
	SUM_L4 = 4,     // that of the transport or ICMP header itself
};

// Where a field lies in a packet: `shift` bits from the least significant of `size` bytes. All
// headers start at even offsets, so that a byte's place in its 16-bit word follows from its
// address.
struct place {
	uint8_t *at;
	uint8_t size;
	uint8_t shift;
	uint8_t sums;
};

// --- What is there ---

static bool has_protocol(const struct packet_key *key, uint8_t protocol)
{
	return key->layers & LAYER_L4 && key->nw_proto == protocol;
}

static bool has_nd(const struct packet_key *key, uint8_t type)
{
	return key->layers & LAYER_ND && key->tp_src == htobe16(type);
}

static bool is_transport(const struct packet_key *key)
{
	return has_protocol(key, PROTOCOL_TCP) || has_protocol(key, PROTOCOL_UDP) ||
	       has_protocol(key, PROTOCOL_SCTP);
}

static bool is_version(const struct packet_key *key, uint16_t type)
{
	return key->layers & LAYER_L3 && key->dl_type == htobe16(type);
}

bool packet_has_field(const struct packet_key *key, enum field_id id)
{
	switch (field_get(id)->needs) {
	case NEEDS_NOTHING:
		return true;
	case NEEDS_VLAN:
		return key->vlan_tci != 0;
	case NEEDS_IP:
		return key->layers & LAYER_L3;
	case NEEDS_IPV4:
		return is_version(key, ETHERTYPE_IPV4);
	case NEEDS_IPV6:
		return is_version(key, ETHERTYPE_IPV6);
	case NEEDS_ARP:
		return key->layers & LAYER_ARP;
	case NEEDS_TCP:
		return has_protocol(key, PROTOCOL_TCP);
	case NEEDS_UDP:
		return has_protocol(key, PROTOCOL_UDP);
	case NEEDS_SCTP:
		return has_protocol(key, PROTOCOL_SCTP);
	case NEEDS_TRANSPORT:
		return is_transport(key);
	case NEEDS_ICMP:
		return has_protocol(key, PROTOCOL_ICMP);
	case NEEDS_ICMPV6:
		return has_protocol(key, PROTOCOL_ICMPV6);
	case NEEDS_ND:
		return has_nd(key, ND_SOLICITATION) || has_nd(key, ND_ADVERTISEMENT);
	case NEEDS_ND_SOLICIT:
		return has_nd(key, ND_SOLICITATION);
	case NEEDS_ND_ADVERT:
		return has_nd(key, ND_ADVERTISEMENT);
	}
	return false;
}

// --- Values ---

// `size` bytes (1, 2, 4, 6 or 8) as they lie in memory, in the lowest bytes of a number.
static uint64_t load_bytes(const uint8_t *from, unsigned size)
{
	uint64_t bytes = 0;

	switch (size) {
	case 1:
		return from[0];
	case 2:
		return load_16(from);
	case 4:
		return load_32(from);
	case 6:
		return load_32(from) | (uint64_t)load_16(from + 4) << 32;
	default:
		memcpy(&bytes, from, 8);
		return bytes;
	}
}

static void store_bytes(uint8_t *to, unsigned size, uint64_t bytes)
{
	switch (size) {
	case 1:
		to[0] = bytes;
		break;
	case 2:
		memcpy(to, &bytes, 2);
		break;
	case 4:
		memcpy(to, &bytes, 4);
		break;
	case 6:
		memcpy(to, &bytes, 6);
		break;
	default:
		memcpy(to, &bytes, 8);
	}
}

// The last `size` bytes of a value, moved up by `shift` bits, in that form.
static uint64_t value_bytes(const struct field_value *value, unsigned size, unsigned shift)
{
	uint64_t bytes;

	memcpy(&bytes, value->bytes + 8, 8);
	if (shift)
		bytes = htobe64(be64toh(bytes) << shift);
	return le64toh(bytes) >> (64 - 8 * size);
}

// Write value under mask at `at`. False if that changes nothing.
static bool merge(uint8_t *at, unsigned size, unsigned shift, const struct field_value *value,
	const struct field_value *mask)
{
	uint64_t old_bytes, new_bytes;

	if (size == 16) {
		struct field_value before;

		memcpy(before.bytes, at, 16);
		for (unsigned i = 0; i < 16; i++)
			at[i] = (at[i] & ~mask->bytes[i]) | value->bytes[i];
		return memcmp(before.bytes, at, 16) != 0;
	}
	old_bytes = load_bytes(at, size);
	new_bytes = (old_bytes & ~value_bytes(mask, size, shift)) | value_bytes(value, size, shift);
	if (new_bytes == old_bytes)
		return false;
	store_bytes(at, size, new_bytes);
	return true;
}

// --- Where it lies ---

// The link-layer address in an option of neighbour discovery, or NULL.
static uint8_t *nd_option(const struct packet *packet, enum field_id id)
{
	const uint8_t *ip = packet->data + packet->l3_offset;
	uint8_t *icmp = packet->data + packet->l4_offset;
	size_t size = IPV6_SIZE + load_be16(ip + IPV6_LENGTH);
	size_t readable = packet->linear - packet->l3_offset;
	struct nd_options options;
	uint16_t offset;

	if (size > readable)
		size = readable;
	if (!nd_options_walk(&options, icmp, size - (packet->l4_offset - packet->l3_offset)))
		return NULL;
	offset = id == FIELD_ND_SLL ? options.source : options.target;
	return offset ? icmp + offset : NULL;
}

// With segments left in a routing header, the pseudo-header has the last of them for destination
// (RFC 8200, section 8.1), not what the IPv6 header says.
static uint8_t ipv6_destination_sums(const struct packet *packet, const struct packet_key *key)
{
	const uint8_t *ip = packet->data + packet->l3_offset;
	struct ipv6_chain chain;

	if (ip[IPV6_NEXT] == key->nw_proto || packet->l4_offset == PACKET_NO_OFFSET)
		return SUM_PSEUDO;
	ipv6_chain_walk(&chain, ip, packet->l4_offset - packet->l3_offset);
	return chain.routed ? 0 : SUM_PSEUDO;
}

static struct place tos_place(uint8_t *l3, bool ipv4, unsigned shift)
{
	if (ipv4)
		return (struct place){l3 + IPV4_TOS, 1, shift, SUM_IPV4};
	return (struct place){l3, 2, shift + 4, 0};
}

// at is NULL if the field is not in the packet.
static struct place field_place(
	const struct packet *packet, const struct packet_key *key, enum field_id id)
{
	uint8_t *l2 = packet->data;
	uint8_t *l3 = l2 + packet->l3_offset;
	uint8_t *l4 = l2 + packet->l4_offset;
	bool ipv4 = key->dl_type == htobe16(ETHERTYPE_IPV4);

	switch (id) {
	case FIELD_DL_DST:
		return (struct place){l2, 6};
	case FIELD_DL_SRC:
		return (struct place){l2 + 6, 6};
	case FIELD_NW_SRC:
		return (struct place){l3 + IPV4_SOURCE, 4, 0, SUM_IPV4 | SUM_PSEUDO};
	case FIELD_NW_DST:
		return (struct place){l3 + IPV4_DESTINATION, 4, 0, SUM_IPV4 | SUM_PSEUDO};
	case FIELD_IPV6_SRC:
		return (struct place){l3 + IPV6_SOURCE, 16, 0, SUM_PSEUDO};
	case FIELD_IPV6_DST:
		return (struct place){
			l3 + IPV6_DESTINATION, 16, 0, ipv6_destination_sums(packet, key)};
	case FIELD_IPV6_LABEL:
		return (struct place){l3, 4};
	case FIELD_IP_DSCP:
	case FIELD_NW_TOS:
	case FIELD_NW_ECN:
		return tos_place(l3, ipv4, field_get(id)->shift);
	case FIELD_NW_TTL:
		return (struct place){
			l3 + (ipv4 ? IPV4_TTL : IPV6_HOP_LIMIT), 1, 0, ipv4 ? SUM_IPV4 : 0};
	case FIELD_ARP_OP:
		return (struct place){l3 + ARP_OPERATION, 2};
	case FIELD_ARP_SPA:
		return (struct place){l3 + ARP_SENDER_ADDRESS, 4};
	case FIELD_ARP_TPA:
		return (struct place){l3 + ARP_TARGET_ADDRESS, 4};
	case FIELD_ARP_SHA:
		return (struct place){l3 + ARP_SENDER_HARDWARE, 6};
	case FIELD_ARP_THA:
		return (struct place){l3 + ARP_TARGET_HARDWARE, 6};
	case FIELD_TCP_SRC:
	case FIELD_UDP_SRC:
	case FIELD_SCTP_SRC:
		return (struct place){l4, 2, 0, SUM_L4};
	case FIELD_TCP_DST:
	case FIELD_UDP_DST:
	case FIELD_SCTP_DST:
		return (struct place){l4 + 2, 2, 0, SUM_L4};
	case FIELD_ICMP_TYPE:
	case FIELD_ICMPV6_TYPE:
		return (struct place){l4, 1, 0, SUM_L4};
	case FIELD_ICMP_CODE:
	case FIELD_ICMPV6_CODE:
		return (struct place){l4 + 1, 1, 0, SUM_L4};
	case FIELD_ND_TARGET:
		return (struct place){l4 + ND_TARGET, 16, 0, SUM_L4};
	case FIELD_ND_SLL:
	case FIELD_ND_TLL:
		return (struct place){nd_option(packet, id), 6, 0, SUM_L4};
	default:
		return (struct place){0};
	}
}

// --- Checksums ---

static void sctp_correct(struct packet *packet, const struct packet_key *key, const uint8_t *before,
	const uint8_t *at)
{
	const uint8_t *ip = packet->data + packet->l3_offset;
	uint8_t *sctp = packet->data + packet->l4_offset;
	size_t end = packet->l3_offset + (is_version(key, ETHERTYPE_IPV4)
							 ? load_be16(ip + IPV4_LENGTH)
							 : IPV6_SIZE + load_be16(ip + IPV6_LENGTH));
	uint8_t difference[4] = {0};
	uint32_t crc;

	memcpy(&crc, sctp + SCTP_CHECKSUM, 4);
	// Zero says that the peers agreed to do without (RFC 9653).
	if (crc == 0)
		return;
	difference[at - sctp] = before[0] ^ at[0];
	difference[at - sctp + 1] = before[1] ^ at[1];
	// The CRC lies in the packet least significant byte first.
	crc ^= htole32(crc32c_difference(difference, end - packet->l4_offset));
	memcpy(sctp + SCTP_CHECKSUM, &crc, 4);
}

static void l4_correct(struct packet *packet, const struct packet_key *key, uint16_t difference)
{
	uint8_t *l4 = packet->data + packet->l4_offset;
	uint8_t *at;
	uint16_t checksum;

	switch (key->nw_proto) {
	case PROTOCOL_TCP:
		at = l4 + TCP_CHECKSUM;
		break;
	case PROTOCOL_UDP:
		at = l4 + UDP_CHECKSUM;
		break;
	case PROTOCOL_ICMP:
	case PROTOCOL_ICMPV6:
		at = l4 + ICMP_CHECKSUM;
		break;
	default:
		return;
	}
	checksum = load_16(at);
	if (key->nw_proto == PROTOCOL_UDP)
		checksum = checksum_update_udp(checksum, difference);
	else
		checksum = checksum_update(checksum, difference);
	memcpy(at, &checksum, 2);
}

// The bytes at place.at were `before`, from the start of their first 16-bit word on.
static void correct(struct packet *packet, const struct packet_key *key, struct place place,
	const uint8_t *before, size_t word_start)
{
	uint8_t *words = packet->data + word_start;
	size_t size = place.at + place.size - words;
	uint16_t difference = checksum_difference(before, words, (size + 1) & ~(size_t)1);
	bool has_l4 = key->layers & LAYER_L4;

	if (place.sums & SUM_IPV4) {
		uint8_t *at = packet->data + packet->l3_offset + IPV4_CHECKSUM;
		uint16_t checksum = checksum_update(load_16(at), difference);

		memcpy(at, &checksum, 2);
	}
	if (has_l4 && place.sums & SUM_PSEUDO && key->nw_proto != PROTOCOL_ICMP)
		l4_correct(packet, key, difference);
	if (place.sums & SUM_L4) {
		if (key->nw_proto == PROTOCOL_SCTP)
			sctp_correct(packet, key, before, place.at);
		else
			l4_correct(packet, key, difference);
	}
}

// --- Writing ---

// The key's copy of a field that was written at `at`.
static void key_follow(struct packet_key *key, enum field_id id, struct place place)
{
	const struct field *field = field_get(id);

	switch (id) {
	case FIELD_IPV6_LABEL:
		key->ipv6_label = load_32(place.at) & htobe32(0xfffff);
		break;
	case FIELD_IP_DSCP:
	case FIELD_NW_TOS:
	case FIELD_NW_ECN:
		key->nw_tos = place.size == 1 ? *place.at : load_be16(place.at) >> 4;
		break;
	case FIELD_ICMP_TYPE:
	case FIELD_ICMPV6_TYPE:
		key->tp_src = htobe16(*place.at);
		break;
	case FIELD_ICMP_CODE:
	case FIELD_ICMPV6_CODE:
		key->tp_dst = htobe16(*place.at);
		break;
	default:
		memcpy((uint8_t *)key + field->offset, place.at, field->size);
	}
}

// The CFI bit decides whether there is a tag; vlan_vid and dl_vlan_pcp change one that is there.
static int write_vlan(struct packet *packet, struct packet_key *key, enum field_id id,
	const struct field_value *value, const struct field_value *mask)
{
	uint8_t bytes[2];
	uint16_t tci;

	if (id != FIELD_VLAN_TCI && key->vlan_tci == 0)
		return 0;
	memcpy(bytes, &key->vlan_tci, 2);
	merge(bytes, 2, field_get(id)->shift, value, mask);
	tci = load_be16(bytes);
	if (id == FIELD_VLAN_TCI && !(tci & VLAN_CFI)) {
		packet_pop_vlan(packet, key);
		return 0;
	}
	if (key->vlan_tci == 0)
		return packet_push_vlan(packet, key, ETHERTYPE_VLAN, tci);
	packet_set_tci(packet, key, tci);
	return 0;
}

static int write_header(struct packet *packet, struct packet_key *key, enum field_id id,
	const struct field_value *value, const struct field_value *mask)
{
	struct place place = field_place(packet, key, id);
	uint8_t before[16];
	size_t word_start;
	const uint8_t *words;

	if (!place.at)
		return 0;
	if (place.sums & SUM_L4 && key->nw_proto == PROTOCOL_SCTP && key->nw_frag)
		return -EOPNOTSUPP;
	word_start = (place.at - packet->data) & ~(size_t)1;
	words = packet->data + word_start;
	memcpy(before, words, (place.at + place.size - words + 1) & ~1);
	if (!merge(place.at, place.size, place.shift, value, mask))
		return 0;
	if (place.sums)
		correct(packet, key, place, before, word_start);
	key_follow(key, id, place);
	return 0;
}

int packet_write_field(struct packet *packet, struct packet_key *key, enum field_id id,
	const struct field_value *value, const struct field_value *mask)
{
	const struct field *field = field_get(id);

	if (!packet_has_field(key, id))
		return 0;
	if (field_is_key_only(id)) {
		merge((uint8_t *)key + field->offset, field->size, field->shift, value, mask);
		return 0;
	}
	switch (id) {
	case FIELD_VLAN_TCI:
	case FIELD_VLAN_VID:
	case FIELD_DL_VLAN:
	case FIELD_DL_VLAN_PCP:
		return write_vlan(packet, key, id, value, mask);
	case FIELD_NW_TOS: {
		// The code point in place; ECN belongs to the hosts.
		struct field_value dscp = {{[15] = value->bytes[15] & 0xfc}};
		struct field_value dscp_mask = {{[15] = mask->bytes[15] & 0xfc}};

		return write_header(packet, key, id, &dscp, &dscp_mask);
	}
	default:
		return write_header(packet, key, id, value, mask);
	}
}
