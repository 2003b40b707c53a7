// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/packet.h"
#include "tests/unit/packet/cmocka_all.h"
#include "tests/unit/packet/corpus.h"

// The parser: what it finds in each kind of frame, and that it never reads what is not there.

struct parsed {
	struct packet packet;
	struct packet_key key;
	bool whole;
};

// Parse `linear` bytes of a frame of `length` in a block of exactly that size, so that the address
// sanitizer sees the first byte read beyond.
static struct parsed parse_cut(const uint8_t *bytes, size_t linear, size_t length, unsigned lines)
{
	struct parsed parsed;
	uint8_t *block = malloc(linear ? linear : 1);

	assert_non_null(block);
	memcpy(block, bytes, linear);
	memset(&parsed, 0xa5, sizeof(parsed));
	parsed.packet.data = linear ? block : block + 1;
	parsed.packet.headroom = 0;
	parsed.packet.linear = linear;
	parsed.packet.length = length;
	parsed.packet.in_port = 0x1234;
	parsed.whole = packet_parse(&parsed.packet, &parsed.key, lines);
	free(block);
	parsed.packet.data = NULL;
	return parsed;
}

static struct parsed parse_named(const char *name)
{
	struct frame frame;

	corpus_named(&frame, name);
	return parse_cut(frame.bytes, frame.length, frame.length, 7);
}

// The fields that every test of this file expects to be the same.
static void expect_ethernet(const struct parsed *parsed, uint16_t type)
{
	assert_true(parsed->whole);
	assert_int_equal(ntohs(parsed->key.in_port), 0x1234);
	assert_memory_equal(parsed->key.dl_dst, corpus_mac_b, 6);
	assert_memory_equal(parsed->key.dl_src, corpus_mac_a, 6);
	assert_int_equal(ntohs(parsed->key.dl_type), type);
	assert_int_equal(parsed->key.metadata, 0);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(parsed->key.reg_low[i], 0);
		assert_int_equal(parsed->key.reg_high[i], 0);
	}
}

static void expect_ipv4(const struct parsed *parsed, uint8_t protocol)
{
	expect_ethernet(parsed, 0x0800);
	assert_int_equal(ntohl(parsed->key.nw_src), CORPUS_IP_A);
	assert_int_equal(ntohl(parsed->key.nw_dst), CORPUS_IP_B);
	assert_int_equal(parsed->key.nw_proto, protocol);
	assert_int_equal(parsed->key.nw_tos, 0x2a);
	assert_int_equal(parsed->key.nw_ttl, 64);
	assert_true(parsed->key.layers & LAYER_L3);
}

static void expect_ipv6(const struct parsed *parsed, uint8_t protocol)
{
	expect_ethernet(parsed, 0x86dd);
	assert_memory_equal(parsed->key.ipv6_src, corpus_ip6_a, 16);
	assert_memory_equal(parsed->key.ipv6_dst, corpus_ip6_b, 16);
	assert_int_equal(ntohl(parsed->key.ipv6_label), 0x12345);
	assert_int_equal(parsed->key.nw_proto, protocol);
	assert_int_equal(parsed->key.nw_tos, 0x2a);
	assert_int_equal(parsed->key.nw_ttl, 64);
	assert_int_equal(parsed->key.nw_src, 0);
	assert_true(parsed->key.layers & LAYER_L3);
}

static void expect_ports(const struct parsed *parsed, uint16_t src, uint16_t dst)
{
	assert_int_equal(ntohs(parsed->key.tp_src), src);
	assert_int_equal(ntohs(parsed->key.tp_dst), dst);
	assert_true(parsed->key.layers & LAYER_L4);
}

static void expect_no_l4(const struct parsed *parsed)
{
	assert_false(parsed->key.layers & LAYER_L4);
	assert_int_equal(parsed->key.tp_src, 0);
	assert_int_equal(parsed->key.tp_dst, 0);
	assert_int_equal(parsed->key.tcp_flags, 0);
	assert_int_equal(parsed->packet.l4_offset, PACKET_NO_OFFSET);
}

static void test_ipv4(void **state)
{
	struct parsed parsed = parse_named("tcp4");

	expect_ipv4(&parsed, 6);
	expect_ports(&parsed, 1000, 80);
	assert_int_equal(ntohs(parsed.key.tcp_flags), 0x012);
	assert_int_equal(parsed.packet.l3_offset, 14);
	assert_int_equal(parsed.packet.l4_offset, 34);
	assert_int_equal(parsed.key.vlan_tci, 0);
	assert_int_equal(parsed.key.nw_frag, 0);

	parsed = parse_named("tcp4_options");
	expect_ipv4(&parsed, 6);
	expect_ports(&parsed, 1000, 80);
	assert_int_equal(ntohs(parsed.key.tcp_flags), 0xfff);
	assert_int_equal(parsed.packet.l4_offset, 46);

	parsed = parse_named("udp4");
	expect_ipv4(&parsed, 17);
	expect_ports(&parsed, 5353, 53);
	assert_int_equal(parsed.key.tcp_flags, 0);

	parsed = parse_named("sctp4");
	expect_ipv4(&parsed, 132);
	expect_ports(&parsed, 2000, 3000);

	parsed = parse_named("icmp4");
	expect_ipv4(&parsed, 1);
	expect_ports(&parsed, 8, 0);

	parsed = parse_named("gre4");
	expect_ipv4(&parsed, 47);
	expect_no_l4(&parsed);
}

static void test_ipv4_fragments(void **state)
{
	struct parsed parsed = parse_named("udp4_first");

	expect_ipv4(&parsed, 17);
	expect_ports(&parsed, 5353, 53);
	assert_int_equal(parsed.key.nw_frag, NW_FRAG_ANY);

	parsed = parse_named("udp4_later");
	expect_ipv4(&parsed, 17);
	expect_no_l4(&parsed);
	assert_int_equal(parsed.key.nw_frag, NW_FRAG_ANY | NW_FRAG_LATER);
}

static void test_vlans(void **state)
{
	struct parsed parsed = parse_named("vlan_tcp4");

	expect_ipv4(&parsed, 6);
	expect_ports(&parsed, 1000, 80);
	assert_int_equal(ntohs(parsed.key.vlan_tci), 0xb064);
	assert_int_equal(parsed.key.inner_tci, 0);
	assert_int_equal(parsed.packet.vlan_count, 1);
	assert_int_equal(parsed.packet.l3_offset, 18);

	parsed = parse_named("qinq_udp4");
	expect_ipv4(&parsed, 17);
	expect_ports(&parsed, 1, 2);
	assert_int_equal(ntohs(parsed.key.vlan_tci), 0x3005);
	assert_int_equal(ntohs(parsed.key.inner_tci), 0x1007);
	assert_int_equal(parsed.packet.vlan_count, 2);

	// The third is not looked at.
	parsed = parse_named("three_tags");
	expect_ethernet(&parsed, 0x8100);
	assert_int_equal(ntohs(parsed.key.vlan_tci), 0x1001);
	assert_int_equal(ntohs(parsed.key.inner_tci), 0x1002);
	assert_int_equal(parsed.packet.vlan_count, 2);
	assert_int_equal(parsed.key.layers, 0);
}

static void test_802_3(void **state)
{
	struct parsed parsed = parse_named("snap4");

	expect_ipv4(&parsed, 17);
	expect_ports(&parsed, 1, 2);
	assert_int_equal(parsed.packet.l3_offset, 22);

	parsed = parse_named("snap_other");
	expect_ethernet(&parsed, 0x05ff);

	parsed = parse_named("llc");
	assert_true(parsed.whole);
	assert_int_equal(ntohs(parsed.key.dl_type), 0x05ff);
	assert_int_equal(parsed.key.layers, 0);
}

static void test_arp(void **state)
{
	struct parsed parsed = parse_named("arp");

	expect_ethernet(&parsed, 0x0806);
	assert_int_equal(parsed.key.layers, LAYER_ARP);
	assert_int_equal(ntohs(parsed.key.arp_op), 2);
	assert_int_equal(ntohl(parsed.key.nw_src), CORPUS_IP_A);
	assert_int_equal(ntohl(parsed.key.nw_dst), CORPUS_IP_B);
	assert_memory_equal(parsed.key.hw_source, corpus_mac_a, 6);
	assert_memory_equal(parsed.key.hw_target, corpus_mac_c, 6);
	assert_int_equal(parsed.packet.l3_offset, 14);
	assert_int_equal(parsed.key.nw_proto, 0);

	parsed = parse_named("rarp");
	expect_ethernet(&parsed, 0x8035);
	assert_int_equal(parsed.key.layers, LAYER_ARP);
	assert_int_equal(ntohs(parsed.key.arp_op), 3);
}

static void test_arp_of_other_kinds(void **state)
{
	// Hardware type, protocol type, and their address lengths: each must be the usual one.
	static const unsigned places[] = {15, 17, 18, 19};

	for (unsigned i = 0; i < 4; i++) {
		struct frame frame;
		struct parsed parsed;

		corpus_named(&frame, "arp");
		frame.bytes[places[i]] ^= 3;
		parsed = parse_cut(frame.bytes, frame.length, frame.length, 7);
		expect_ethernet(&parsed, 0x0806);
		assert_int_equal(parsed.key.layers, 0);
		assert_int_equal(parsed.key.nw_src, 0);
		assert_int_equal(parsed.packet.l3_offset, PACKET_NO_OFFSET);
	}
}

static void test_ipv6(void **state)
{
	struct parsed parsed = parse_named("tcp6");

	expect_ipv6(&parsed, 6);
	expect_ports(&parsed, 1000, 443);
	assert_int_equal(ntohs(parsed.key.tcp_flags), 0x018);
	assert_int_equal(parsed.packet.l3_offset, 14);
	assert_int_equal(parsed.packet.l4_offset, 54);

	parsed = parse_named("udp6_extensions");
	expect_ipv6(&parsed, 17);
	expect_ports(&parsed, 1000, 2000);
	assert_int_equal(parsed.packet.l4_offset, 54 + 8 + 16 + 24 + 24);

	parsed = parse_named("nine_extensions");
	expect_ipv6(&parsed, 60);
	expect_no_l4(&parsed);

	parsed = parse_named("icmp6");
	expect_ipv6(&parsed, 58);
	expect_ports(&parsed, 128, 0);
	assert_false(parsed.key.layers & LAYER_ND);
}

static void test_ipv6_fragments(void **state)
{
	struct parsed parsed = parse_named("udp6_first");

	expect_ipv6(&parsed, 17);
	expect_ports(&parsed, 1000, 2000);
	assert_int_equal(parsed.key.nw_frag, NW_FRAG_ANY);

	parsed = parse_named("udp6_atomic");
	expect_ipv6(&parsed, 17);
	expect_ports(&parsed, 1000, 2000);
	assert_int_equal(parsed.key.nw_frag, 0);

	parsed = parse_named("later6");
	expect_ipv6(&parsed, 44);
	expect_no_l4(&parsed);
	assert_int_equal(parsed.key.nw_frag, NW_FRAG_ANY | NW_FRAG_LATER);
}

static void test_nd(void **state)
{
	static const uint8_t none[16];
	struct parsed parsed = parse_named("nd_solicit");

	expect_ipv6(&parsed, 58);
	expect_ports(&parsed, 135, 0);
	assert_true(parsed.key.layers & LAYER_ND);
	assert_memory_equal(parsed.key.nd_target, corpus_ip6_target, 16);
	assert_memory_equal(parsed.key.hw_source, corpus_mac_c, 6);
	assert_memory_equal(parsed.key.hw_target, none, 6);

	// The first of two counts, unknown options are passed over.
	parsed = parse_named("nd_advert");
	expect_ports(&parsed, 136, 0);
	assert_true(parsed.key.layers & LAYER_ND);
	assert_memory_equal(parsed.key.hw_target, corpus_mac_c, 6);
	assert_memory_equal(parsed.key.hw_source, none, 6);

	parsed = parse_named("nd_bare");
	assert_true(parsed.key.layers & LAYER_ND);
	assert_memory_equal(parsed.key.hw_source, none, 6);

	parsed = parse_named("nd_malformed");
	expect_ports(&parsed, 135, 0);
	assert_false(parsed.key.layers & LAYER_ND);
	assert_memory_equal(parsed.key.nd_target, none, 16);
	assert_memory_equal(parsed.key.hw_source, none, 6);
}

// What no node would accept (RFC 4861, section 7.1) is no neighbour discovery.
static void test_bad_nd(void **state)
{
	static const struct {
		unsigned place;
		uint8_t value;
	} cases[] = {
		{54 + 1, 1},      // code
		{54 + 24 + 1, 0}, // length of the option: none
		{54 + 24 + 1, 2}, // longer than the packet
	};

	for (unsigned i = 0; i < 3; i++) {
		struct frame frame;
		struct parsed parsed;

		corpus_named(&frame, "nd_solicit");
		frame.bytes[cases[i].place] = cases[i].value;
		parsed = parse_cut(frame.bytes, frame.length, frame.length, 7);
		expect_ports(&parsed, 135, i == 0);
		assert_false(parsed.key.layers & LAYER_ND);
	}
}

static void test_bad_ip_headers(void **state)
{
	static const struct {
		const char *name;
		unsigned place;
		uint8_t value;
	} cases[] = {
		{"udp4", 14, 0x65},       // version
		{"udp4", 14, 0x44},       // header shorter than 20 bytes
		{"udp4", 14, 0x4f},       // header longer than the packet
		{"udp4", 16, 0x01},       // total length beyond the frame
		{"udp4", 17, 19},         // total length within the header
		{"tcp4_options", 17, 31}, // the same, of a header with options
		{"tcp6", 14, 0x45},       // version
		{"tcp6", 19, 200},        // payload length beyond the frame
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame frame;
		struct parsed parsed;

		corpus_named(&frame, cases[i].name);
		frame.bytes[cases[i].place] = cases[i].value;
		parsed = parse_cut(frame.bytes, frame.length, frame.length, 7);
		assert_true(parsed.whole);
		assert_int_equal(parsed.key.layers, 0);
		assert_int_equal(parsed.key.nw_proto, 0);
		assert_int_equal(parsed.key.nw_src, 0);
		assert_int_equal(parsed.packet.l3_offset, PACKET_NO_OFFSET);
		expect_no_l4(&parsed);
	}
}

static void test_bad_tcp_offset(void **state)
{
	static const uint8_t offsets[] = {0x00, 0x40, 0x80, 0xf0};

	for (unsigned i = 0; i < sizeof(offsets); i++) {
		struct frame frame;
		struct parsed parsed;

		corpus_named(&frame, "tcp4"); // 11 bytes of payload
		frame.bytes[34 + 12] = offsets[i];
		parsed = parse_cut(frame.bytes, frame.length, frame.length, 7);
		expect_ipv4(&parsed, 6);
		expect_no_l4(&parsed);
	}
}

// Padding behind the IP packet is not taken for a transport header.
static void test_padding(void **state)
{
	struct frame frame;
	struct parsed parsed;

	frame_start(&frame, corpus_mac_b, corpus_mac_a);
	frame_ipv4(&frame, CORPUS_IP_A, CORPUS_IP_B, 17);
	frame_finish(&frame);
	frame_payload(&frame, 26);
	parsed = parse_cut(frame.bytes, frame.length, frame.length, 7);
	expect_ipv4(&parsed, 17);
	expect_no_l4(&parsed);

	frame_start(&frame, corpus_mac_b, corpus_mac_a);
	frame_ipv6(&frame, corpus_ip6_a, corpus_ip6_b);
	frame_protocol(&frame, 17);
	frame_finish(&frame);
	frame_payload(&frame, 26);
	parsed = parse_cut(frame.bytes, frame.length, frame.length, 7);
	expect_ipv6(&parsed, 17);
	expect_no_l4(&parsed);
}

// ICMP belongs to IPv4 and ICMPv6 to IPv6.
static void test_icmp_of_the_other(void **state)
{
	struct frame frame;
	struct parsed parsed;

	corpus_named(&frame, "icmp4");
	frame.bytes[14 + 9] = 58;
	parsed = parse_cut(frame.bytes, frame.length, frame.length, 7);
	expect_ipv4(&parsed, 58);
	expect_no_l4(&parsed);
	corpus_named(&frame, "icmp6");
	frame.bytes[14 + 6] = 1;
	parsed = parse_cut(frame.bytes, frame.length, frame.length, 7);
	expect_ipv6(&parsed, 1);
	expect_no_l4(&parsed);
}

static void test_only_wanted_lines(void **state)
{
	struct frame frame;
	uint8_t untouched[KEY_LINE_SIZE];

	memset(untouched, 0xa5, sizeof(untouched));
	for (unsigned index = 0; corpus_frame(&frame, index); index++) {
		struct parsed all = parse_cut(frame.bytes, frame.length, frame.length, 7);

		for (unsigned lines = 0; lines < 8; lines++) {
			struct parsed some =
				parse_cut(frame.bytes, frame.length, frame.length, lines);

			for (unsigned line = 0; line < KEY_LINES; line++) {
				size_t at = line * KEY_LINE_SIZE;
				bool wanted = line == 0 || lines & 1u << line;

				assert_memory_equal((uint8_t *)&some.key + at,
					wanted ? (uint8_t *)&all.key + at : untouched,
					KEY_LINE_SIZE);
			}
			assert_int_equal(some.packet.l3_offset, all.packet.l3_offset);
			assert_int_equal(some.packet.l4_offset, all.packet.l4_offset);
		}
	}
}

// Cut at every byte, once as a short frame, once as a long frame of which less can be read. A
// header that is cut has no bit, and everything before it reads as in the whole frame.
static void test_cut_at_every_byte(void **state)
{
	struct frame frame;
	const char *name;

	for (unsigned index = 0; (name = corpus_frame(&frame, index)); index++) {
		struct parsed whole = parse_cut(frame.bytes, frame.length, frame.length, 7);

		for (size_t cut = 0; cut < frame.length; cut++) {
			struct parsed shorter = parse_cut(frame.bytes, cut, cut, 7);
			struct parsed part = parse_cut(frame.bytes, cut, frame.length, 7);
			size_t front = 14 + 4 * whole.packet.vlan_count;

			assert_int_equal(shorter.whole, cut >= front);
			assert_int_equal(part.whole, cut >= front);
			assert_false(shorter.key.layers & ~whole.key.layers);
			// Of options beyond what can be read, nobody knows that they are malformed.
			assert_false(part.key.layers & ~whole.key.layers & ~LAYER_ND);
			// An IP packet that is not all there has no valid length.
			if (whole.packet.l3_offset != PACKET_NO_OFFSET &&
				whole.key.layers & LAYER_L3 && cut < frame.length)
				assert_int_equal(shorter.key.layers, 0);
			if (cut >= front)
				assert_memory_equal(part.key.dl_dst, whole.key.dl_dst, 12);
			if (part.key.layers & LAYER_L4)
				assert_true(cut >= part.packet.l4_offset + 4u);
			if (part.key.layers == whole.key.layers && part.key.layers & LAYER_L4)
				assert_memory_equal(&part.key.nw_src, &whole.key.nw_src, 19);
		}
	}
}

// Bytes of no meaning at all: nothing may be read that is not there.
static void test_random_bytes(void **state)
{
	uint32_t random = 1;

	for (unsigned round = 0; round < 20000; round++) {
		uint8_t bytes[160];
		struct frame frame;
		size_t length;

		corpus_frame(&frame, round % 30);
		length = frame.length < sizeof(bytes) ? frame.length : sizeof(bytes);
		memcpy(bytes, frame.bytes, length);
		for (unsigned i = 0; i < 4; i++) {
			random = random * 1664525 + 1013904223;
			bytes[12 + (random >> 16) % (length - 12)] = random >> 8;
		}
		parse_cut(bytes, length, length, round % 8);
		parse_cut(bytes, length - random % 20, length, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_ipv4_fragments),
		cmocka_unit_test(test_vlans),
		cmocka_unit_test(test_802_3),
		cmocka_unit_test(test_arp),
		cmocka_unit_test(test_arp_of_other_kinds),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_ipv6_fragments),
		cmocka_unit_test(test_nd),
		cmocka_unit_test(test_bad_nd),
		cmocka_unit_test(test_bad_ip_headers),
		cmocka_unit_test(test_bad_tcp_offset),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_icmp_of_the_other),
		cmocka_unit_test(test_only_wanted_lines),
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
