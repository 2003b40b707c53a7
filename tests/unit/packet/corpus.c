// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/packet/corpus.h"

#include <string.h>

#include "tests/unit/packet/cmocka_all.h"

const uint8_t corpus_mac_a[6] = {0x02, 0, 0, 0, 0, 0x0a};
const uint8_t corpus_mac_b[6] = {0x02, 0, 0, 0, 0, 0x0b};
const uint8_t corpus_mac_c[6] = {0x02, 0x11, 0x22, 0x33, 0x44, 0x0c};
const uint8_t corpus_ip6_a[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x0a};
const uint8_t corpus_ip6_b[16] = {0x20, 0x01, 0x0d, 0xb8, [14] = 1, [15] = 0x0b};
const uint8_t corpus_ip6_target[16] = {0xfe, 0x80, [8] = 1, 2, 3, 4, 5, 6, 7, 8};

static void ip4(struct frame *frame, uint8_t protocol)
{
	frame_start(frame, corpus_mac_b, corpus_mac_a);
	frame_ipv4(frame, CORPUS_IP_A, CORPUS_IP_B, protocol);
}

static void ip6(struct frame *frame)
{
	frame_start(frame, corpus_mac_b, corpus_mac_a);
	frame_ipv6(frame, corpus_ip6_a, corpus_ip6_b);
}

static void tcp4(struct frame *frame)
{
	ip4(frame, 6);
	frame_tcp(frame, 1000, 80, 0x012);
	frame_payload(frame, 11);
}

static void tcp4_options(struct frame *frame)
{
	ip4(frame, 6);
	frame_ipv4_options(frame, 12);
	frame_tcp(frame, 1000, 80, 0xfff);
	frame_tcp_options(frame, 20);
	frame_payload(frame, 4);
}

static void udp4(struct frame *frame)
{
	ip4(frame, 17);
	frame_udp(frame, 5353, 53);
	frame_payload(frame, 20);
}

static void udp4_first(struct frame *frame)
{
	udp4(frame);
	frame_ipv4_fragment(frame, 0x2000);
}

static void udp4_later(struct frame *frame)
{
	ip4(frame, 17);
	frame_ipv4_fragment(frame, 0x2003);
	frame_payload(frame, 32);
}

static void sctp4(struct frame *frame)
{
	ip4(frame, 132);
	frame_sctp(frame, 2000, 3000);
	frame_payload(frame, 33);
}

static void sctp4_first(struct frame *frame)
{
	sctp4(frame);
	frame_ipv4_fragment(frame, 0x2000);
}

static void icmp4(struct frame *frame)
{
	ip4(frame, 1);
	frame_icmp(frame, 8, 0);
	frame_payload(frame, 9);
}

static void gre4(struct frame *frame)
{
	ip4(frame, 47);
	frame_payload(frame, 24);
}

static void vlan_tcp4(struct frame *frame)
{
	frame_start(frame, corpus_mac_b, corpus_mac_a);
	frame_vlan(frame, 0x8100, 0xa064);
	frame_ipv4(frame, CORPUS_IP_A, CORPUS_IP_B, 6);
	frame_tcp(frame, 1000, 80, 0x002);
}

static void qinq_udp4(struct frame *frame)
{
	frame_start(frame, corpus_mac_b, corpus_mac_a);
	frame_vlan(frame, 0x88a8, 0x3005);
	frame_vlan(frame, 0x8100, 0x0007);
	frame_ipv4(frame, CORPUS_IP_A, CORPUS_IP_B, 17);
	frame_udp(frame, 1, 2);
}

static void three_tags(struct frame *frame)
{
	frame_start(frame, corpus_mac_b, corpus_mac_a);
	frame_vlan(frame, 0x9100, 1);
	frame_vlan(frame, 0x8100, 2);
	frame_vlan(frame, 0x8100, 3);
	frame_ipv4(frame, CORPUS_IP_A, CORPUS_IP_B, 17);
	frame_udp(frame, 1, 2);
}

static void snap4(struct frame *frame)
{
	static const uint8_t oui[3] = {0};

	frame_start(frame, corpus_mac_b, corpus_mac_a);
	frame_snap(frame, oui, 0);
	frame_ipv4(frame, CORPUS_IP_A, CORPUS_IP_B, 17);
	frame_udp(frame, 1, 2);
}

static void snap_other(struct frame *frame)
{
	static const uint8_t oui[3] = {0, 0, 0x0c};

	frame_start(frame, corpus_mac_b, corpus_mac_a);
	frame_snap(frame, oui, 0x2000);
	frame_payload(frame, 20);
}

static void llc(struct frame *frame)
{
	static const uint8_t stp[6] = {0x01, 0x80, 0xc2, 0, 0, 0};

	frame_start(frame, stp, corpus_mac_a);
	frame_type(frame, 38);
	frame_byte(frame, 0x42);
	frame_byte(frame, 0x42);
	frame_byte(frame, 0x03);
	frame_payload(frame, 35);
}

static void arp(struct frame *frame)
{
	frame_start(frame, corpus_mac_b, corpus_mac_a);
	frame_arp(frame, 0x0806, 2, corpus_mac_a, CORPUS_IP_A, corpus_mac_c, CORPUS_IP_B);
	frame_payload(frame, 18);
}

static void rarp(struct frame *frame)
{
	frame_start(frame, corpus_mac_b, corpus_mac_a);
	frame_arp(frame, 0x8035, 3, corpus_mac_a, 0, corpus_mac_a, 0);
}

static void tcp6(struct frame *frame)
{
	ip6(frame);
	frame_tcp(frame, 1000, 443, 0x018);
	frame_payload(frame, 7);
}

static void udp6_extensions(struct frame *frame)
{
	ip6(frame);
	frame_extension(frame, 0, 8, 0);
	frame_extension(frame, 60, 16, 0);
	frame_extension(frame, 43, 24, 0x0200);
	frame_extension(frame, 51, 24, 0);
	frame_udp(frame, 1000, 2000);
	frame_payload(frame, 13);
}

static void udp6_routed(struct frame *frame)
{
	ip6(frame);
	frame_extension(frame, 43, 24, 0x0201);
	frame_udp(frame, 1000, 2000);
	frame_payload(frame, 13);
}

static void udp6_first(struct frame *frame)
{
	ip6(frame);
	frame_extension(frame, 44, 8, 0x0001);
	frame_udp(frame, 1000, 2000);
	frame_payload(frame, 16);
}

static void udp6_atomic(struct frame *frame)
{
	ip6(frame);
	frame_extension(frame, 44, 8, 0);
	frame_udp(frame, 1000, 2000);
	frame_payload(frame, 16);
}

static void later6(struct frame *frame)
{
	ip6(frame);
	frame_extension(frame, 44, 8, 0x0018);
	frame_protocol(frame, 17);
	frame_payload(frame, 32);
}

static void nine_extensions(struct frame *frame)
{
	ip6(frame);
	for (unsigned i = 0; i < 9; i++)
		frame_extension(frame, 60, 8, 0);
	frame_udp(frame, 1000, 2000);
	// Too deep to be seen, so nobody keeps its checksum.
	frame->l4 = FRAME_NONE;
}

static void sctp6(struct frame *frame)
{
	ip6(frame);
	frame_sctp(frame, 2000, 3000);
	frame_payload(frame, 100);
}

static void icmp6(struct frame *frame)
{
	ip6(frame);
	frame_icmp(frame, 128, 0);
	frame_payload(frame, 8);
}

static void nd_solicit(struct frame *frame)
{
	ip6(frame);
	frame_nd(frame, 135, corpus_ip6_target);
	frame_nd_option(frame, 1, corpus_mac_c);
}

static void nd_advert(struct frame *frame)
{
	ip6(frame);
	frame_nd(frame, 136, corpus_ip6_target);
	frame_nd_option(frame, 14, corpus_mac_a);
	frame_nd_option(frame, 2, corpus_mac_c);
	frame_nd_option(frame, 2, corpus_mac_b);
}

static void nd_bare(struct frame *frame)
{
	ip6(frame);
	frame_nd(frame, 135, corpus_ip6_target);
}

static void nd_malformed(struct frame *frame)
{
	ip6(frame);
	frame_nd(frame, 135, corpus_ip6_target);
	frame_nd_option(frame, 1, corpus_mac_c);
	frame_payload(frame, 3);
}

#define KIND(NAME)          \
	{                   \
#NAME, NAME \
	}
static const struct {
	const char *name;
	void (*build)(struct frame *frame);
} kinds[] = {
	KIND(tcp4),
	KIND(tcp4_options),
	KIND(udp4),
	KIND(udp4_first),
	KIND(udp4_later),
	KIND(sctp4),
	KIND(sctp4_first),
	KIND(icmp4),
	KIND(gre4),
	KIND(vlan_tcp4),
	KIND(qinq_udp4),
	KIND(three_tags),
	KIND(snap4),
	KIND(snap_other),
	KIND(llc),
	KIND(arp),
	KIND(rarp),
	KIND(tcp6),
	KIND(udp6_extensions),
	KIND(udp6_routed),
	KIND(udp6_first),
	KIND(udp6_atomic),
	KIND(later6),
	KIND(nine_extensions),
	KIND(sctp6),
	KIND(icmp6),
	KIND(nd_solicit),
	KIND(nd_advert),
	KIND(nd_bare),
	KIND(nd_malformed),
};

const char *corpus_frame(struct frame *frame, unsigned index)
{
	if (index >= sizeof(kinds) / sizeof(kinds[0]))
		return NULL;
	kinds[index].build(frame);
	frame_finish(frame);
	return kinds[index].name;
}

void corpus_named(struct frame *frame, const char *name)
{
	const char *found;

	for (unsigned i = 0; (found = corpus_frame(frame, i)); i++)
		if (strcmp(found, name) == 0)
			return;
	fail_msg("no frame \"%s\" in the corpus", name);
}
