// SPDX-License-Identifier: Apache-2.0
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/byte_order.h"
#include "pipeline/flow_text.h"
#include "pipeline/frame_make.h"
#include "pipeline/packet.h"

// Frames made from matches are parsed back; their checksums are held against sums made here.

static struct match match_of(const char *text)
{
	struct flow_request request;
	struct flow_error error;
	struct match match;

	if (flow_request_parse(&request, text, FLOW_DELETE, NULL, NULL, &error))
		fail_msg("%s: %s", text, error.message);
	match = request.flow.match;
	flow_request_destroy(&request);
	return match;
}

struct made {
	uint8_t frame[FRAME_MAKE_MAX];
	size_t length;
	struct packet packet;
	struct packet_key key;
};

static void make(struct made *made, const char *text)
{
	struct match match = match_of(text);
	struct flow_error error;

	memset(made, 0, sizeof(*made));
	if (frame_make(&match, made->frame, &made->length, &error))
		fail_msg("%s: %s", text, error.message);
	made->packet = (struct packet){
		.data = made->frame,
		.linear = (uint16_t)made->length,
		.length = (uint32_t)made->length,
		.in_port = be16toh(match.value.in_port),
	};
	assert_true(packet_parse(&made->packet, &made->key, KEY_ALL_LINES));
	if (!match_hits(&match, &made->key))
		fail_msg("%s: the frame is not hit", text);
	assert_in_range(made->length, 60, FRAME_MAKE_MAX);
}

// A sum over everything that a checksum covers, itself included, is all ones (RFC 1071).
static uint32_t sum(uint32_t start, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		start += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (start >> 16)
		start = (start & 0xffff) + (start >> 16);
	return start;
}

static void check_transport(const struct made *made)
{
	const uint8_t *ip = made->frame + made->packet.l3_offset;
	const uint8_t *l4 = made->frame + made->packet.l4_offset;
	bool ipv6 = ip[0] >> 4 == 6;
	const uint8_t *end = ip + (ipv6 ? 40u + load_be16(ip + 4) : load_be16(ip + 2));
	size_t size = (size_t)(end - l4);
	uint32_t pseudo = 0;

	assert_true(end <= made->frame + made->length);
	if (made->key.nw_proto == 132) { // a CRC, not a sum: see test_sctp()
		return;
	}
	if (made->key.nw_proto != 1)
		pseudo = sum(sum(0, ip + (ipv6 ? 8 : 12), ipv6 ? 32 : 8) + made->key.nw_proto +
				     (uint32_t)size,
			ip, 0);
	assert_int_equal(sum(pseudo, l4, size), 0xffff);
	if (made->key.nw_proto == 17)
		assert_int_equal(load_be16(l4 + 4), size);
}

static const char *const hit[] = {
	"in_port=1",
	"in_port=3,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02",
	"in_port=1,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00",
	"in_port=1,dl_vlan=5,dl_vlan_pcp=3,dl_type=0x1234",
	"in_port=1,dl_vlan=0",
	"in_port=1,dl_vlan=0xffff,ip",
	"in_port=1,vlan_tci=0x1005/0x1fff,arp",
	"in_port=1,vlan_tci=0x0005/0x0fff",
	"in_port=1,dl_type=0x05ff",
	"in_port=1,ip",
	"in_port=1,ip,nw_src=10.1.0.0/16,nw_dst=10.0.0.1,nw_tos=184,nw_ecn=1,nw_ttl=7",
	"in_port=1,ip,nw_proto=47",
	"in_port=1,tcp,tp_src=1000,tp_dst=80,tcp_flags=+syn-ack",
	"in_port=1,tcp,tp_dst=1000-1999",
	"in_port=1,udp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tp_src=53,tp_dst=53,dl_vlan=7",
	"in_port=1,sctp,tp_dst=5",
	"in_port=1,icmp,icmp_type=8,icmp_code=0",
	"in_port=1,ip,nw_frag=first,nw_proto=17",
	"in_port=1,ip,nw_frag=later,nw_proto=17",
	"in_port=1,ip,nw_frag=yes",
	"in_port=1,ip,nw_frag=not_later",
	"in_port=1,tcp,nw_frag=no",
	"in_port=1,udp,nw_frag=first,tp_dst=80",
	"in_port=1,ipv6,ipv6_src=2001:db8::1,ipv6_dst=2001:db8::2,ipv6_label=0x12345",
	"in_port=1,ipv6,nw_frag=later,nw_proto=44",
	"in_port=1,tcp6,ipv6_src=2001:db8::/32,tp_dst=443",
	"in_port=1,udp6,nw_frag=first,tp_dst=80",
	"in_port=1,udp6,tp_src=5,nw_tos=32",
	"in_port=1,sctp6,tp_src=5",
	"in_port=1,icmp6,icmpv6_type=128,icmpv6_code=0",
	"in_port=1,icmp6,icmpv6_type=135,icmpv6_code=0,nd_target=2001:db8::5,"
	"nd_sll=02:00:00:00:00:07",
	"in_port=1,icmp6,icmpv6_type=136,icmpv6_code=0,nd_target=2001:db8::5,"
	"nd_tll=02:00:00:00:00:07",
	"in_port=1,icmp6,icmpv6_type=135,icmpv6_code=0,nd_sll=00:00:00:00:00:00",
	"in_port=1,arp",
	"in_port=1,arp,arp_op=2,arp_spa=10.0.0.1,arp_tpa=10.0.0.2,arp_sha=02:00:00:00:00:01,"
	"arp_tha=02:00:00:00:00:02",
	"in_port=1,rarp,arp_op=3,dl_vlan=4",
};

static void test_hit(void **state)
{
	for (size_t i = 0; i < sizeof(hit) / sizeof(hit[0]); i++) {
		struct made made;
		const uint8_t *ip;

		make(&made, hit[i]);
		if (made.packet.l4_offset != PACKET_NO_OFFSET && !made.key.nw_frag)
			check_transport(&made);
		if (made.packet.l3_offset == PACKET_NO_OFFSET)
			continue;
		ip = made.frame + made.packet.l3_offset;
		if (be16toh(made.key.dl_type) == 0x0800)
			assert_int_equal(sum(0, ip, 20), 0xffff);
	}
}

static void test_defaults(void **state)
{
	struct made made;

	make(&made, "in_port=1");
	assert_int_equal(made.key.dl_type, htobe16(0x88b5));
	assert_int_equal(made.key.vlan_tci, 0);
	make(&made, "in_port=1,ip");
	assert_int_equal(made.key.nw_ttl, 64);
	assert_int_equal(made.key.nw_proto, 253);
	assert_int_equal(made.key.nw_frag, 0);
	make(&made, "in_port=1,icmp6,icmpv6_type=135,icmpv6_code=0");
	assert_int_equal(made.key.nw_ttl, 255);
	assert_true(made.key.layers & LAYER_ND);
	make(&made, "in_port=1,arp");
	assert_int_equal(made.key.arp_op, htobe16(1));
	assert_true(made.key.layers & LAYER_ARP);
	make(&made, "in_port=1,tcp,tp_dst=1000-1999");
	assert_int_equal(made.key.tp_dst, htobe16(1000));
}

// The CRC of a whole SCTP message with zeros in its place (RFC 9260, appendix A), table-free but
// the other way round than the maker: bits of the polynomial from the top.
static void test_sctp(void **state)
{
	struct made made;
	uint8_t *l4;
	size_t size;
	uint32_t crc = 0xffffffff, stored, reflected = 0;

	make(&made, "in_port=1,sctp,tp_src=7,tp_dst=9");
	l4 = made.frame + made.packet.l4_offset;
	size = made.length - made.packet.l4_offset;
	memcpy(&stored, l4 + 8, 4);
	memset(l4 + 8, 0, 4);
	for (size_t i = 0; i < size; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			uint32_t in = l4[i] >> bit & 1;

			crc = crc << 1 ^ ((crc >> 31 ^ in) ? 0x1edc6f41 : 0);
		}
	crc = ~crc;
	for (unsigned bit = 0; bit < 32; bit++)
		reflected |= (crc >> bit & 1) << (31 - bit);
	assert_int_equal(le32toh(stored), reflected);
}

static void test_refused(void **state)
{
	static const struct {
		const char *match, *field;
	} cases[] = {
		{"in_port=1,reg0=5", "reg0"},
		{"in_port=1,metadata=0x10/0xf0", "metadata"},
		{"in_port=1,dl_type=0x8100", "dl_type"},
		{"in_port=1,ipv6,nw_frag=later,nw_proto=17", "nw_proto"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct match match = match_of(cases[i].match);
		uint8_t frame[FRAME_MAKE_MAX];
		struct flow_error error;
		size_t length;

		if (frame_make(&match, frame, &length, &error) != -EINVAL)
			fail_msg("%s: not refused", cases[i].match);
		if (strcmp(error.field, cases[i].field) != 0)
			fail_msg("%s: %s: %s", cases[i].match, error.field, error.message);
		assert_non_null(strstr(error.message, cases[i].field));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hit),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_sctp),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
