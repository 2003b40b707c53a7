// SPDX-License-Identifier: Apache-2.0

// Writes to a frame that may be anything: fields, tags put on and taken off. After each, the key
// that was kept says what the parser would say now, and checksums are as right as they were.
//
// An input begins with a byte that says how many writes there are and how much of the frame is
// linear; then come the writes, a byte for what and 16 for the value and where its mask is; then
// the frame.

#include "pipeline/field_value.h"
#include "pipeline/packet_format.h"
#include "pipeline/packet_vlan.h"
#include "pipeline/packet_write.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/packet_sums.h"

#define FRAME_MAX 2048
#define HEADROOM 12
#define WRITE_SIZE 17
#define WRITES_MAX 7

struct subject {
	struct packet packet;
	struct packet_key key;
	uint8_t *block;
	struct packet_sums sums;
	uint16_t type;
	bool nd_unknown; // ICMPv6's type or code was written, and what is behind it not looked at
};

static bool is_vlan_type(uint16_t type)
{
	return type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ || type == ETHERTYPE_QINQ_OLD;
}

static bool subject_open(
	struct subject *subject, const uint8_t *frame, size_t linear, size_t length)
{
	memset(subject, 0, sizeof(*subject));
	subject->block = malloc(HEADROOM + linear);
	fuzz_must(subject->block != NULL, "no memory");
	if (linear > 0)
		memcpy(subject->block + HEADROOM, frame, linear);
	subject->packet = (struct packet){
		.data = subject->block + HEADROOM,
		.headroom = HEADROOM,
		.linear = linear,
		.length = length,
		.in_port = 7,
	};
	if (!packet_parse(&subject->packet, &subject->key, 7))
		return false;
	subject->type = (subject->key.dl_type & 0xff) << 8 | subject->key.dl_type >> 8;
	if (linear == length)
		packet_sums_compute(
			&subject->sums, &subject->packet, subject->type, subject->key.nw_proto);
	return true;
}

// --- What holds ---

static void sums_must_be_same(const struct subject *subject, const char *what)
{
	const struct packet_sums *before = &subject->sums;
	struct packet_sums now;

	if (subject->packet.linear != subject->packet.length)
		return;
	packet_sums_compute(&now, &subject->packet, subject->type, subject->key.nw_proto);
	fuzz_must(now.ip_residue == before->ip_residue, "%s: IPv4 checksum off by %#x, before %#x",
		what, now.ip_residue, before->ip_residue);
	fuzz_must(now.l4_absent == before->l4_absent, "%s: a checksum came or went", what);
	fuzz_must(now.l4_absent || now.l4_residue == before->l4_residue,
		"%s: checksum of protocol %u off by %#x, before %#x", what, subject->key.nw_proto,
		now.l4_residue, before->l4_residue);
}

// What the parser does not set, or sets otherwise for a reason, is taken from the kept key.
static void key_overlook(struct packet_key *key, const struct subject *subject)
{
	key->metadata = subject->key.metadata;
	memcpy(key->reg_low, subject->key.reg_low, sizeof(key->reg_low));
	memcpy(key->reg_high, subject->key.reg_high, sizeof(key->reg_high));
	key->in_port = subject->key.in_port;
	if (!subject->nd_unknown)
		return;
	key->layers = (key->layers & ~LAYER_ND) | (subject->key.layers & LAYER_ND);
	memcpy(key->hw_source, subject->key.hw_source, 6);
	memcpy(key->hw_target, subject->key.hw_target, 6);
	memcpy(key->nd_target, subject->key.nd_target, 16);
}

static void key_must_follow(const struct subject *subject, const char *what)
{
	struct packet packet = subject->packet;
	struct packet_key key;

	fuzz_must(packet.data - packet.headroom == subject->block, "%s: headroom", what);
	fuzz_must(packet_parse(&packet, &key, 7), "%s: malformed now", what);
	key_overlook(&key, subject);
	for (size_t i = 0; i < sizeof(key); i++)
		fuzz_must(((uint8_t *)&key)[i] == ((uint8_t *)&subject->key)[i],
			"%s: byte %zu of the key is %#x, was kept as %#x", what, i,
			((uint8_t *)&key)[i], ((uint8_t *)&subject->key)[i]);
	fuzz_must(packet.l3_offset == subject->packet.l3_offset &&
			  packet.l4_offset == subject->packet.l4_offset &&
			  packet.vlan_count == subject->packet.vlan_count,
		"%s: offsets %u %u, tags %u; kept as %u %u, %u", what, packet.l3_offset,
		packet.l4_offset, packet.vlan_count, subject->packet.l3_offset,
		subject->packet.l4_offset, subject->packet.vlan_count);
}

// --- Writes ---

// A third tag is payload to the parser, but not to those who remember it: leave those alone.
static bool can_push(const struct subject *subject)
{
	return subject->packet.vlan_count < 2 && !is_vlan_type(subject->type);
}

static void write_field(struct subject *subject, enum field_id id, const uint8_t value[16])
{
	const struct field *field = field_get(id);
	struct field_value written, mask;
	field_number number, bits = field_ones(field);

	if (!(field->flags & FIELD_WRITABLE))
		return;
	if (field->offset == offsetof(struct packet_key, vlan_tci) &&
		(is_vlan_type(subject->type) || subject->packet.vlan_count > 1))
		return;
	memcpy(written.bytes, value, 16);
	number = field_number_of(&written);
	// Some bits of the field only: those that the value's upper half names.
	if (value[0] & 1)
		bits &= field->n_bits > 64 ? number << 64 | number >> 64 : number >> 64;
	written = field_value_of(number & bits);
	mask = field_value_of(bits);
	packet_write_field(&subject->packet, &subject->key, id, &written, &mask);
	if (id == FIELD_ICMPV6_TYPE || id == FIELD_ICMPV6_CODE)
		subject->nd_unknown = true;
	key_must_follow(subject, field->name);
	sums_must_be_same(subject, field->name);
}

static void write_one(struct subject *subject, const uint8_t *bytes)
{
	unsigned what = bytes[0] % (FIELD_COUNT + 2);

	if (what < FIELD_COUNT) {
		write_field(subject, what, bytes + 1);
		return;
	}
	if (what == FIELD_COUNT && can_push(subject))
		packet_push_vlan(&subject->packet, &subject->key,
			bytes[1] & 1 ? ETHERTYPE_VLAN : ETHERTYPE_QINQ, bytes[2] << 8 | bytes[3]);
	else if (what > FIELD_COUNT && !is_vlan_type(subject->type))
		packet_pop_vlan(&subject->packet, &subject->key);
	key_must_follow(subject, "tag");
	sums_must_be_same(subject, "tag");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned writes = size > 0 ? data[0] % (WRITES_MAX + 1) : 0;
	size_t front = 1 + writes * WRITE_SIZE;
	struct subject subject;
	size_t linear;

	if (size < front || size - front > FRAME_MAX)
		return -1;
	linear = size - front;
	if (data[0] & 0x80 && linear > PACKET_LINEAR_MIN)
		linear = PACKET_LINEAR_MIN;
	if (subject_open(&subject, data + front, linear, size - front)) {
		for (unsigned i = 0; i < writes; i++)
			write_one(&subject, data + 1 + i * WRITE_SIZE);
	}
	free(subject.block);
	return 0;
}
