// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "tests/model/model_values.h"
#include "tests/unit/packet/frame.h"

// Random packets, most of them well made, some of them not.

static void mac(struct model_random *random, uint8_t bytes[6])
{
	uint64_t number = (uint64_t)model_value(random, FIELD_DL_DST);

	for (unsigned i = 6; i-- > 0; number >>= 8)
		bytes[i] = number;
}

static uint32_t ipv4(struct model_random *random)
{
	return (uint32_t)model_value(random, FIELD_NW_SRC);
}

static void ipv6(struct model_random *random, uint8_t bytes[16])
{
	model_number number = model_value(random, FIELD_IPV6_SRC);

	for (unsigned i = 16; i-- > 0; number >>= 8)
		bytes[i] = (uint8_t)number;
}

static uint16_t port(struct model_random *random)
{
	return (uint16_t)model_value(random, FIELD_TCP_SRC);
}

static unsigned tcp_flags(struct model_random *random)
{
	return (unsigned)model_value(random, FIELD_TCP_FLAGS);
}

static void start(struct model_random *random, struct frame *frame)
{
	static const uint16_t tpids[] = {0x8100, 0x8100, 0x88a8, 0x9100};
	static const uint8_t counts[] = {0, 0, 0, 0, 1, 1, 1, 2, 2, 3};
	unsigned tags = counts[model_below(random, 10)];
	uint8_t dst[6], src[6];

	mac(random, dst);
	mac(random, src);
	frame_start(frame, dst, src);
	while (tags-- > 0)
		frame_vlan(frame, tpids[model_below(random, 4)],
			(uint16_t)(model_value(random, FIELD_DL_VLAN) |
				   (model_once_in(random, 2) ? model_bits(random) & 0xf000 : 0)));
	if (model_once_in(random, 24)) {
		uint8_t oui[3] = {0, 0, model_once_in(random, 4)};

		frame_snap(frame, oui, (uint16_t)model_value(random, FIELD_DL_TYPE));
	}
}

static void nd(struct model_random *random, struct frame *frame)
{
	uint8_t target[16], address[6];

	ipv6(random, target);
	frame_nd(frame, model_once_in(random, 2) ? 135 : 136, target);
	for (unsigned i = model_below(random, 4); i > 0; i--) {
		mac(random, address);
		frame_nd_option(frame, 1 + model_below(random, 3), address);
	}
	if (model_once_in(random, 8))
		frame_payload(frame, 1 + model_below(random, 9));
}

static void l4(struct model_random *random, struct frame *frame, unsigned protocol)
{
	unsigned type =
		(unsigned)model_value(random, frame->ipv6 ? FIELD_ICMPV6_TYPE : FIELD_ICMP_TYPE);
	unsigned code = (unsigned)model_value(random, FIELD_ICMP_CODE);

	switch (protocol) {
	case 6:
		frame_tcp(frame, port(random), port(random), tcp_flags(random));
		if (model_once_in(random, 3))
			frame_tcp_options(frame, 4 * (1 + model_below(random, 10)));
		break;
	case 17:
		frame_udp(frame, port(random), port(random));
		break;
	case 132:
		frame_sctp(frame, port(random), port(random));
		break;
	case 1:
		frame_icmp(frame, type, code);
		break;
	case 58:
		if (!model_once_in(random, 3)) {
			nd(random, frame); // a payload would be bad options
			return;
		}
		frame_icmp(frame, type, code);
		break;
	default:
		break;
	}
	if (!model_once_in(random, 6))
		frame_payload(frame, model_below(random, model_once_in(random, 20) ? 1200 : 60));
}

static void ipv4_packet(struct model_random *random, struct frame *frame)
{
	static const uint8_t protocols[] = {6, 6, 17, 17, 132, 132, 1, 1, 47, 58};
	static const uint16_t fragments[] = {0x2000, 0x2000, 0x2010, 0x1fff};
	unsigned protocol = protocols[model_below(random, 10)];
	uint8_t *ip;

	frame_ipv4(frame, ipv4(random), ipv4(random), protocol);
	if (model_once_in(random, 4))
		frame_ipv4_options(frame, 4 * (1 + model_below(random, 10)));
	if (model_once_in(random, 6))
		frame_ipv4_fragment(frame, fragments[model_below(random, 4)]);
	else if (model_once_in(random, 3))
		frame_ipv4_fragment(frame, 0x4000);
	ip = frame->bytes + frame->l3;
	ip[1] = (unsigned)model_value(random, FIELD_NW_TOS) | model_below(random, 4);
	ip[8] = (unsigned)model_value(random, FIELD_NW_TTL);
	l4(random, frame, protocol);
}

static void extensions(struct model_random *random, struct frame *frame)
{
	static const uint8_t kinds[] = {0, 43, 44, 51, 60, 60};
	static const uint16_t fragments[] = {0x0000, 0x0001, 0x0001, 0x0008, 0x0019, 0x0006};
	unsigned count =
		model_once_in(random, 12) ? 7 + model_below(random, 3) : 1 + model_below(random, 3);

	while (count-- > 0) {
		unsigned kind = kinds[model_below(random, 6)];
		size_t size = 8 * (1 + model_below(random, 3));
		unsigned third = model_below(random, 65536);

		if (kind == 44) {
			size = 8;
			third = fragments[model_below(random, 6)];
		} else if (kind == 43) {
			size = 24;
			third = model_once_in(random, 2) && !frame->routed;
		} else if (kind == 51) {
			size = 12 + 4 * model_below(random, 4);
		}
		frame_extension(frame, kind, size, third);
	}
}

static void ipv6_packet(struct model_random *random, struct frame *frame)
{
	static const uint8_t protocols[] = {6, 6, 17, 17, 132, 58, 58, 58, 1, 47};
	unsigned protocol = protocols[model_below(random, 10)];
	unsigned class = (unsigned)model_value(random, FIELD_NW_TOS) | model_below(random, 4);
	unsigned label = (unsigned)model_value(random, FIELD_IPV6_LABEL);
	uint8_t src[16], dst[16], *ip;

	ipv6(random, src);
	ipv6(random, dst);
	frame_ipv6(frame, src, dst);
	ip = frame->bytes + frame->l3;
	ip[0] = 0x60 | class >> 4;
	ip[1] = class << 4 | label >> 16;
	ip[2] = label >> 8;
	ip[3] = label;
	ip[7] = (unsigned)model_value(random, FIELD_NW_TTL);
	if (model_once_in(random, 3))
		extensions(random, frame);
	frame_protocol(frame, protocol);
	l4(random, frame, protocol == 1 ? 0 : protocol);
}

static void arp_packet(struct model_random *random, struct frame *frame)
{
	uint8_t sha[6], tha[6];

	mac(random, sha);
	mac(random, tha);
	frame_arp(frame, model_once_in(random, 4) ? 0x8035 : 0x0806,
		(uint16_t)model_value(random, FIELD_ARP_OP), sha, ipv4(random), tha, ipv4(random));
}

// An IP packet that ends early, within or shortly behind a transport header; the rest is padding.
static void shorten(struct model_random *random, struct frame *frame)
{
	uint8_t *length = frame->bytes + frame->l3 + (frame->ipv6 ? 4 : 2);
	size_t size = frame->l4 - frame->l3 - (frame->ipv6 ? 40 : 0) + model_below(random, 28);

	if (!frame->l4 || size > length[0] * 256u + length[1])
		return;
	length[0] = size >> 8;
	length[1] = size;
	frame_checksums(frame);
}

// A byte that the parser has to distrust: versions, lengths, offsets.
static void spoil_header(struct model_random *random, struct frame *frame)
{
	static const uint8_t places_ipv4[] = {0, 0, 2, 3, 3, 6, 7, 9};
	static const uint8_t places_ipv6[] = {0, 4, 5, 5, 6, 40, 41, 42, 43};
	static const uint8_t places_nd[] = {0, 1, 24, 25, 25, 33};
	uint8_t *ip = frame->bytes + frame->l3;
	uint8_t *byte = ip + (frame->ipv6 ? places_ipv6[model_below(random, 9)]
					  : places_ipv4[model_below(random, 8)]);

	if (frame->l4 && model_once_in(random, 2))
		byte = frame->bytes + frame->l4 +
		       (frame->protocol == 6           ? 12
			       : frame->protocol == 58 ? places_nd[model_below(random, 6)]
						       : 1);
	switch (model_below(random, 3)) {
	case 0:
		*byte = model_bits(random);
		break;
	case 1:
		*byte ^= 1u << model_below(random, 8);
		break;
	default:
		*byte -= 1 + model_below(random, 24);
	}
}

// Checksums that are missing or wrong, bytes that make no sense, frames that are cut or padded.
static void spoil(struct model_random *random, struct frame *frame)
{
	size_t place = frame->protocol == 6 ? 16 : frame->protocol == 17 ? 6 : 2;
	size_t damaged = 12 + model_below(random, frame->length < 112 ? frame->length - 12 : 100);

	switch (model_below(random, 10)) {
	case 0:
		if (frame->l4 && frame->protocol == 17)
			memset(frame->bytes + frame->l4 + 6, 0, 2);
		if (frame->l4 && frame->protocol == 132)
			memset(frame->bytes + frame->l4 + 8, 0, 4);
		break;
	case 1:
		// Not to all ones, which is another form of zero that no sender writes.
		if (frame->l4 && frame->protocol != 132)
			frame->bytes[frame->l4 + place] ^=
				frame->bytes[frame->l4 + place] == 0xfe ? 2 : 1;
		break;
	case 2:
		frame->bytes[damaged] = model_bits(random);
		break;
	case 3:
		frame->bytes[damaged] ^= 1u << model_below(random, 8);
		break;
	case 4:
		frame->length = model_below(random, frame->length);
		break;
	case 5:
	case 6:
	case 7:
		spoil_header(random, frame);
		break;
	case 8:
		shorten(random, frame);
		break;
	default:
		frame_payload(frame, model_below(random, 40));
	}
}

void model_packet(struct model_random *random, struct model_packet *packet)
{
	static const uint8_t headrooms[] = {64, 64, 64, 64, 64, 64, 0, 3, 4, 8};
	struct frame frame;

	start(random, &frame);
	switch (model_below(random, 12)) {
	case 0:
		arp_packet(random, &frame);
		break;
	case 1:
		frame_type(&frame, (uint16_t)model_value(random, FIELD_DL_TYPE));
		frame_payload(&frame, model_below(random, 60));
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		ipv6_packet(random, &frame);
		break;
	default:
		ipv4_packet(random, &frame);
	}
	frame_finish(&frame);
	if (model_once_in(random, 3))
		spoil(random, &frame);
	packet->length = frame.length;
	memcpy(packet->bytes, frame.bytes, frame.length);
	packet->linear = frame.length;
	if (frame.length > 256 && model_once_in(random, 2))
		packet->linear = 256 + model_below(random, frame.length - 256);
	packet->headroom = headrooms[model_below(random, 10)];
	packet->in_port = 1 + model_below(random, MODEL_PORTS + model_once_in(random, 8));
}
