// SPDX-License-Identifier: Apache-2.0
#pragma once

// How packets are laid out, as far as the parser and the writers know: Ethernet types, IP
// protocols, sizes of headers and offsets of their fields. Offsets are in bytes from the start of
// the header.

#define ETHERNET_SIZE 14
#define ETHERNET_TYPE 12
#define ETHERNET_TYPE_MIN 0x0600 // smaller ones are lengths of 802.3 frames
#define ETHERNET_NO_TYPE 0x05ff  // stands for 802.3 without SNAP
#define VLAN_SIZE 4
#define LLC_SNAP_SIZE 8

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_RARP 0x8035
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_QINQ 0x88a8
#define ETHERTYPE_QINQ_OLD 0x9100

#define IPV4_SIZE 20
#define IPV4_TOS 1
#define IPV4_LENGTH 2
#define IPV4_FRAGMENT 6
#define IPV4_TTL 8
#define IPV4_PROTOCOL 9
#define IPV4_CHECKSUM 10
#define IPV4_SOURCE 12
#define IPV4_DESTINATION 16
#define IPV4_OFFSET_MASK 0x1fff
#define IPV4_MORE_FRAGMENTS 0x2000

#define IPV6_SIZE 40
#define IPV6_LENGTH 4
#define IPV6_NEXT 6
#define IPV6_HOP_LIMIT 7
#define IPV6_SOURCE 8
#define IPV6_DESTINATION 24
#define IPV6_OFFSET_MASK 0xfff8 // of the fragment header's field
#define IPV6_MORE_FRAGMENTS 0x0001

#define PROTOCOL_HOP_BY_HOP 0
#define PROTOCOL_ICMP 1
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define PROTOCOL_ROUTING 43
#define PROTOCOL_FRAGMENT 44
#define PROTOCOL_AUTHENTICATION 51
#define PROTOCOL_ICMPV6 58
#define PROTOCOL_DESTINATION_OPTIONS 60
#define PROTOCOL_SCTP 132

#define ARP_SIZE 28
#define ARP_OPERATION 6
#define ARP_SENDER_HARDWARE 8
#define ARP_SENDER_ADDRESS 14
#define ARP_TARGET_HARDWARE 18
#define ARP_TARGET_ADDRESS 24

#define TCP_SIZE 20
#define TCP_OFFSET_FLAGS 12
#define TCP_CHECKSUM 16
#define UDP_SIZE 8
#define UDP_CHECKSUM 6
#define SCTP_SIZE 12
#define SCTP_CHECKSUM 8
#define ICMP_SIZE 4
#define ICMP_CHECKSUM 2

#define ND_SIZE 24
#define ND_TARGET 8
#define ND_SOLICITATION 135
#define ND_ADVERTISEMENT 136
#define ND_OPTION_SOURCE 1
#define ND_OPTION_TARGET 2
