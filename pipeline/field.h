// SPDX-License-Identifier: Apache-2.0
#pragma once

// Match fields: one row of pipeline/fields.def each, from which parsing, printing, JSON, help and
// the reference page follow.
//
// A field is `n_bits` bits at bit `shift` (from the least significant) of the `size` bytes at
// `offset` in the packet key. Values travel as struct field_value: sixteen bytes, big endian,
// right-aligned, so that generic code never asks how wide a field is. All functions are pure and
// may be called from any thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/match.h"
#include "pipeline/packet_key.h"

// How a value is written.
enum field_format {
	FORMAT_DECIMAL,
	FORMAT_HEX,
	FORMAT_MAC,
	FORMAT_IPV4,
	FORMAT_IPV6,
	FORMAT_PORT,      // an OpenFlow port: number or name
	FORMAT_FRAG,      // no yes first later not_later
	FORMAT_TCP_FLAGS, // +syn-ack, or hex[/mask]
};

// What must be in the match before the field makes sense; the protocol part of the key.
enum field_prerequisite {
	NEEDS_NOTHING,
	NEEDS_VLAN,
	NEEDS_IP, // dl_type 0x0800 or 0x86dd
	NEEDS_IPV4,
	NEEDS_IPV6,
	NEEDS_ARP,
	NEEDS_TCP,
	NEEDS_UDP,
	NEEDS_SCTP,
	NEEDS_TRANSPORT, // TCP, UDP or SCTP
	NEEDS_ICMP,
	NEEDS_ICMPV6,
	NEEDS_ND, // ICMPv6 type 135 or 136
	NEEDS_ND_SOLICIT,
	NEEDS_ND_ADVERT,
};

enum field_flags {
	FIELD_MASKABLE = 1, // any mask
	FIELD_WRITABLE = 2, // set_field, load, move may write it
	FIELD_RANGE = 4,    // first-last is accepted
};

enum field_id {
#define FIELD(ID, ...) FIELD_##ID,
#include "pipeline/fields.def"
#undef FIELD
	FIELD_COUNT,
};

struct field {
	enum field_id id;
	const char *name;    // canonical, as printed
	const char *aliases; // blank-separated further spellings, "" if none
	const char *nxm;     // NXM/OXM spellings, blank-separated, for load/move/set_field
	uint16_t offset;     // in struct packet_key
	uint8_t size;        // bytes of storage
	uint8_t shift;
	uint8_t n_bits;
	enum field_format format;
	enum field_prerequisite needs;
	unsigned flags;
	uint8_t layer; // LAYER_* that a match on it requires
	const char *help;
};

struct field_value {
	uint8_t bytes[16];
};

extern const struct field field_rows[FIELD_COUNT];

static inline const struct field *field_get(enum field_id id)
{
	return &field_rows[id];
}

// By canonical name, alias or NXM name; NULL if there is none.
const struct field *field_find(const char *name, size_t length);

// The known name closest to `name` (edit distance), or NULL if nothing is near.
const char *field_suggest(const char *name, size_t length);

void field_read(const struct field *field, const struct packet_key *key, struct field_value *out);
void field_write(const struct field *field, struct packet_key *key, const struct field_value *v);
