// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/packet_vlan.h"
#include "pipeline/packet_write.h"
#include "tests/unit/packet/cmocka_all.h"
#include "tests/unit/packet/corpus.h"

// Writing fields and tags: packet and key stay in step, and every checksum is what computing it in
// full gives.

#define HEADROOM 8

static uint32_t random_state = 4711;

static uint32_t random_32(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state ^ random_state >> 13;
}

// A frame in a block of its own, parsed.
struct subject {
	struct packet packet;
	struct packet_key key;
	uint8_t *block;
};

static void subject_open(struct subject *subject, const struct frame *frame, size_t headroom)
{
	memset(subject, 0, sizeof(*subject));
	subject->block = malloc(headroom + frame->length);
	assert_non_null(subject->block);
	memcpy(subject->block + headroom, frame->bytes, frame->length);
	subject->packet = (struct packet){
		.data = subject->block + headroom,
		.headroom = headroom,
		.linear = frame->length,
		.length = frame->length,
		.in_port = 7,
	};
	assert_true(packet_parse(&subject->packet, &subject->key, 7));
}

static void subject_close(struct subject *subject)
{
	free(subject->block);
}

// The key says what parsing the packet again says.
static void expect_in_step(struct subject *subject)
{
	struct packet packet = subject->packet;
	struct packet_key key;

	assert_true(packet_parse(&packet, &key, 7));
	assert_memory_equal(&key, &subject->key, sizeof(key));
	assert_int_equal(packet.l3_offset, subject->packet.l3_offset);
	assert_int_equal(packet.l4_offset, subject->packet.l4_offset);
	assert_int_equal(packet.vlan_count, subject->packet.vlan_count);
}

// A random value and mask of the field's width, value within mask.
static void random_value(
	const struct field *field, bool whole, struct field_value *value, struct field_value *mask)
{
	memset(value, 0, sizeof(*value));
	memset(mask, 0, sizeof(*mask));
	for (unsigned bit = 0; bit < field->n_bits; bit++) {
		unsigned byte = 15 - bit / 8;

		if (whole || random_32() & 1)
			mask->bytes[byte] |= 1 << bit % 8;
		if (random_32() & 1)
			value->bytes[byte] |= 1 << bit % 8;
	}
	for (unsigned i = 0; i < 16; i++)
		value->bytes[i] &= mask->bytes[i];
}

static bool is_vlan_field(enum field_id id)
{
	return id == FIELD_VLAN_TCI || id == FIELD_VLAN_VID || id == FIELD_DL_VLAN_PCP;
}

// Write the field of one frame and hold the result against the parser and full checksums.
static void write_and_compare(const struct frame *frame, const struct field *field, bool whole)
{
	struct field_value value, mask, before, after;
	struct subject subject;
	struct frame expected = *frame;
	bool has;

	random_value(field, whole, &value, &mask);
	if (field->id == FIELD_NW_TOS) {
		mask.bytes[15] &= 0xfc;
		value.bytes[15] &= 0xfc;
	}
	subject_open(&subject, frame, HEADROOM);
	has = packet_has_field(&subject.key, field->id);
	field_read(field, &subject.key, &before);
	assert_int_equal(
		packet_write_field(&subject.packet, &subject.key, field->id, &value, &mask), 0);
	field_read(field, &subject.key, &after);
	if (!has) {
		assert_memory_equal(subject.packet.data, frame->bytes, frame->length);
		assert_memory_equal(&before, &after, sizeof(before));
		subject_close(&subject);
		return;
	}
	// The option of neighbour discovery need not be there.
	if (!(field->id == FIELD_ND_SLL || field->id == FIELD_ND_TLL) ||
		memcmp(&before, &after, sizeof(before)) != 0)
		for (unsigned i = 0; i < 16; i++)
			assert_int_equal(after.bytes[i],
				(before.bytes[i] & ~mask.bytes[i]) | value.bytes[i]);
	if (!field_is_key_only(field->id)) {
		memcpy(expected.bytes, subject.packet.data, frame->length);
		frame_checksums(&expected);
		assert_memory_equal(subject.packet.data, expected.bytes, frame->length);
		// With another type, an ICMPv6 message has other parts.
		if (field->id != FIELD_ICMPV6_TYPE && field->id != FIELD_ICMPV6_CODE)
			expect_in_step(&subject);
	}
	subject_close(&subject);
}

static void test_every_field_of_every_frame(void **state)
{
	struct frame frame;
	const char *name;

	for (unsigned index = 0; (name = corpus_frame(&frame, index)); index++) {
		for (unsigned id = 0; id < FIELD_COUNT; id++) {
			const struct field *field = field_get(id);
			bool ports = id == FIELD_SCTP_SRC || id == FIELD_SCTP_DST;

			if (!(field->flags & FIELD_WRITABLE) || is_vlan_field(id))
				continue;
			if (ports && strcmp(name, "sctp4_first") == 0)
				continue;
			for (unsigned round = 0; round < 20; round++)
				write_and_compare(&frame, field, round < 10);
		}
	}
}

// Each writable field is there in some frame of the corpus, so that the test above means
// something.
static void test_corpus_has_all_fields(void **state)
{
	for (unsigned id = 0; id < FIELD_COUNT; id++) {
		struct frame frame;
		bool found = false;

		for (unsigned index = 0; !found && corpus_frame(&frame, index); index++) {
			struct subject subject;

			subject_open(&subject, &frame, 0);
			found = packet_has_field(&subject.key, id);
			subject_close(&subject);
		}
		if (!found)
			fail_msg("no frame has %s", field_get(id)->name);
	}
}

static struct field_value number(uint64_t value)
{
	struct field_value result = {0};

	for (unsigned i = 0; i < 8; i++)
		result.bytes[15 - i] = value >> 8 * i;
	return result;
}

static int write_number(struct subject *subject, enum field_id id, uint64_t value)
{
	const struct field *field = field_get(id);
	struct field_value bits = number(value);
	struct field_value mask = number(field->n_bits == 64 ? ~0ull : (1ull << field->n_bits) - 1);

	return packet_write_field(&subject->packet, &subject->key, id, &bits, &mask);
}

// Damage stays as large as it was.
static void test_wrong_checksums_stay_wrong(void **state)
{
	static const char *const names[] = {"tcp4", "udp4", "sctp4", "icmp4", "tcp6", "sctp6"};
	static const enum field_id fields[] = {FIELD_TCP_DST, FIELD_UDP_DST, FIELD_SCTP_DST,
		FIELD_ICMP_CODE, FIELD_TCP_SRC, FIELD_SCTP_SRC};

	for (unsigned i = 0; i < 6; i++) {
		struct frame frame, expected;
		struct subject subject;
		struct frame good;

		corpus_named(&frame, names[i]);
		good = frame;
		frame.bytes[frame.length - 1] ^= 0x40; // checksums are not told
		subject_open(&subject, &frame, 0);
		assert_int_equal(write_number(&subject, fields[i], 99), 0);
		expected = frame;
		memcpy(expected.bytes, subject.packet.data, frame.length);
		frame_checksums(&expected);
		assert_memory_not_equal(expected.bytes, subject.packet.data, frame.length);
		// Without the damage it is right.
		memcpy(good.bytes, subject.packet.data, frame.length);
		good.bytes[frame.length - 1] ^= 0x40;
		expected = good;
		frame_checksums(&expected);
		assert_memory_equal(expected.bytes, good.bytes, frame.length);
		subject_close(&subject);
	}
}

static void test_udp_zero(void **state)
{
	struct frame frame;
	struct subject subject;
	size_t place = 34 + 6;
	unsigned checksum;

	corpus_named(&frame, "udp4");
	checksum = frame.bytes[place] << 8 | frame.bytes[place + 1];
	// A port that makes the sum come out as zero.
	subject_open(&subject, &frame, 0);
	assert_int_equal(write_number(&subject, FIELD_UDP_DST, (53 + checksum) % 0xffff), 0);
	assert_int_equal(subject.packet.data[place] << 8 | subject.packet.data[place + 1], 0xffff);
	subject_close(&subject);

	frame.bytes[place] = frame.bytes[place + 1] = 0;
	subject_open(&subject, &frame, 0);
	assert_int_equal(write_number(&subject, FIELD_UDP_DST, 1234), 0);
	assert_int_equal(write_number(&subject, FIELD_NW_SRC, 0x01020304), 0);
	assert_int_equal(subject.packet.data[place] << 8 | subject.packet.data[place + 1], 0);
	subject_close(&subject);
}

static void test_sctp(void **state)
{
	struct frame frame;
	struct subject subject;

	corpus_named(&frame, "sctp4_first");
	subject_open(&subject, &frame, 0);
	assert_int_equal(write_number(&subject, FIELD_SCTP_DST, 1), -EOPNOTSUPP);
	assert_memory_equal(subject.packet.data, frame.bytes, frame.length);
	expect_in_step(&subject);
	subject_close(&subject);

	// No checksum was wanted: none appears.
	corpus_named(&frame, "sctp4");
	memset(frame.bytes + frame.l4 + 8, 0, 4);
	subject_open(&subject, &frame, 0);
	assert_int_equal(write_number(&subject, FIELD_SCTP_DST, 1), 0);
	assert_int_equal(subject.packet.data[frame.l4 + 3], 1);
	assert_memory_equal(subject.packet.data + frame.l4 + 8, "\0\0\0", 4);
	subject_close(&subject);
}

// The payload may be out of reach.
static void test_sctp_not_linear(void **state)
{
	struct frame frame;
	struct subject subject;
	struct packet packet;
	uint8_t *block = malloc(60);

	corpus_named(&frame, "sctp4");
	memcpy(block, frame.bytes, 60);
	packet = (struct packet){.data = block, .linear = 60, .length = frame.length};
	subject.packet = packet;
	assert_true(packet_parse(&subject.packet, &subject.key, 7));
	assert_int_equal(write_number(&subject, FIELD_SCTP_DST, 4040), 0);
	memcpy(frame.bytes, block, 60);
	frame_checksums(&frame);
	assert_memory_equal(block, frame.bytes, 60);
	free(block);
}

static void test_tos_keeps_ecn(void **state)
{
	static const char *const names[] = {"udp4", "tcp6"};

	for (unsigned i = 0; i < 2; i++) {
		struct frame frame;
		struct subject subject;

		corpus_named(&frame, names[i]); // 0x2a: DSCP 10, ECN 2
		subject_open(&subject, &frame, 0);
		assert_int_equal(write_number(&subject, FIELD_NW_TOS, 0x61), 0);
		assert_int_equal(subject.key.nw_tos, 0x62);
		expect_in_step(&subject);
		assert_int_equal(write_number(&subject, FIELD_IP_DSCP, 0x3f), 0);
		assert_int_equal(subject.key.nw_tos, 0xfe);
		assert_int_equal(write_number(&subject, FIELD_NW_ECN, 1), 0);
		assert_int_equal(subject.key.nw_tos, 0xfd);
		expect_in_step(&subject);
		subject_close(&subject);
	}
}

// A solicitation that becomes an advertisement has the other's fields.
static void test_nd_follows_type(void **state)
{
	struct frame frame;
	struct subject subject;

	corpus_named(&frame, "nd_solicit");
	subject_open(&subject, &frame, 0);
	assert_true(packet_has_field(&subject.key, FIELD_ND_SLL));
	assert_false(packet_has_field(&subject.key, FIELD_ND_TLL));
	assert_int_equal(write_number(&subject, FIELD_ICMPV6_TYPE, 136), 0);
	assert_false(packet_has_field(&subject.key, FIELD_ND_SLL));
	assert_true(packet_has_field(&subject.key, FIELD_ND_TLL));
	// It has no such option, so there is nothing to write.
	assert_int_equal(write_number(&subject, FIELD_ND_TLL, 1), 0);
	expect_in_step(&subject);
	assert_int_equal(write_number(&subject, FIELD_ICMPV6_TYPE, 1), 0);
	assert_false(packet_has_field(&subject.key, FIELD_ND_TARGET));
	subject_close(&subject);
}

// --- VLANs ---

static void test_push_and_pop(void **state)
{
	struct frame frame;
	const char *name;

	for (unsigned index = 0; (name = corpus_frame(&frame, index)); index++) {
		struct subject subject;
		struct packet_key key;
		uint16_t count;

		subject_open(&subject, &frame, HEADROOM);
		key = subject.key;
		count = subject.packet.vlan_count;
		assert_int_equal(
			packet_push_vlan(&subject.packet, &subject.key, 0x88a8, 0x6007), 0);
		assert_int_equal(subject.packet.length, frame.length + 4);
		assert_int_equal(subject.packet.linear, frame.length + 4);
		assert_int_equal(subject.packet.headroom, HEADROOM - 4);
		assert_memory_equal(subject.packet.data + 12, "\x88\xa8\x60\x07", 4);
		assert_memory_equal(subject.packet.data, frame.bytes, 12);
		assert_memory_equal(subject.packet.data + 16, frame.bytes + 12, frame.length - 12);
		assert_int_equal(ntohs(subject.key.vlan_tci), 0x7007);
		assert_int_equal(subject.key.inner_tci, key.vlan_tci);
		if (count < 2)
			expect_in_step(&subject);
		assert_int_equal(packet_push_vlan(&subject.packet, &subject.key, 0x8100, 1), 0);
		assert_int_equal(ntohs(subject.key.inner_tci), 0x7007);
		assert_int_equal(
			packet_push_vlan(&subject.packet, &subject.key, 0x8100, 1), -ENOBUFS);
		packet_pop_vlan(&subject.packet, &subject.key);
		packet_pop_vlan(&subject.packet, &subject.key);
		assert_memory_equal(&subject.key, &key, sizeof(key));
		assert_int_equal(subject.packet.length, frame.length);
		assert_memory_equal(subject.packet.data, frame.bytes, frame.length);
		expect_in_step(&subject);
		subject_close(&subject);
	}
}

static void test_pop_all(void **state)
{
	struct frame frame;
	struct subject subject;

	corpus_named(&frame, "qinq_udp4");
	subject_open(&subject, &frame, 0);
	packet_pop_vlan(&subject.packet, &subject.key);
	expect_in_step(&subject);
	assert_int_equal(ntohs(subject.key.vlan_tci), 0x1007);
	packet_pop_vlan(&subject.packet, &subject.key);
	expect_in_step(&subject);
	assert_int_equal(subject.key.vlan_tci, 0);
	packet_pop_vlan(&subject.packet, &subject.key);
	expect_in_step(&subject);
	assert_int_equal(subject.packet.length, frame.length - 8);
	subject_close(&subject);
}

static void test_vlan_fields(void **state)
{
	struct frame frame;
	struct subject subject;

	// Tagged 0x3005 with 0x88a8: DEI set on the wire, which stays so.
	corpus_named(&frame, "qinq_udp4");
	subject_open(&subject, &frame, HEADROOM);
	assert_int_equal(write_number(&subject, FIELD_VLAN_VID, 0x064), 0);
	assert_memory_equal(subject.packet.data + 12, "\x88\xa8\x30\x64", 4);
	assert_int_equal(write_number(&subject, FIELD_DL_VLAN_PCP, 6), 0);
	assert_memory_equal(subject.packet.data + 12, "\x88\xa8\xd0\x64", 4);
	assert_int_equal(write_number(&subject, FIELD_VLAN_TCI, 0x5001), 0);
	assert_memory_equal(subject.packet.data + 12, "\x88\xa8\x50\x01", 4);
	expect_in_step(&subject);
	// Without the CFI bit the tag goes.
	assert_int_equal(write_number(&subject, FIELD_VLAN_TCI, 0), 0);
	assert_int_equal(ntohs(subject.key.vlan_tci), 0x1007);
	expect_in_step(&subject);
	subject_close(&subject);

	// An untagged packet: only the whole tag brings one.
	corpus_named(&frame, "udp4");
	subject_open(&subject, &frame, HEADROOM);
	assert_int_equal(write_number(&subject, FIELD_VLAN_VID, 0x1064), 0);
	assert_int_equal(write_number(&subject, FIELD_DL_VLAN_PCP, 6), 0);
	assert_int_equal(write_number(&subject, FIELD_VLAN_TCI, 0x0005), 0);
	assert_memory_equal(subject.packet.data, frame.bytes, frame.length);
	assert_int_equal(write_number(&subject, FIELD_VLAN_TCI, 0xb005), 0);
	assert_memory_equal(subject.packet.data + 12, "\x81\x00\xa0\x05\x08\x00", 6);
	expect_in_step(&subject);
	subject_close(&subject);

	subject_open(&subject, &frame, 3);
	assert_int_equal(write_number(&subject, FIELD_VLAN_TCI, 0x1005), -ENOBUFS);
	assert_memory_equal(subject.packet.data, frame.bytes, frame.length);
	expect_in_step(&subject);
	subject_close(&subject);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_field_of_every_frame),
		cmocka_unit_test(test_corpus_has_all_fields),
		cmocka_unit_test(test_wrong_checksums_stay_wrong),
		cmocka_unit_test(test_udp_zero),
		cmocka_unit_test(test_sctp),
		cmocka_unit_test(test_sctp_not_linear),
		cmocka_unit_test(test_tos_keeps_ecn),
		cmocka_unit_test(test_nd_follows_type),
		cmocka_unit_test(test_push_and_pop),
		cmocka_unit_test(test_pop_all),
		cmocka_unit_test(test_vlan_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
