// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "pipeline/checksum.h"
#include "tests/unit/packet/cmocka_all.h"
#include "tests/unit/packet/frame.h"

// Corrections against computing in full.

static uint32_t random_state = 12345;

static uint32_t random_32(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state ^ random_state >> 15;
}

static uint16_t full(const uint8_t *bytes, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i += 2) {
		uint16_t word;

		memcpy(&word, bytes + i, 2);
		sum += word;
	}
	while (sum >> 16)
		sum = (sum >> 16) + (sum & 0xffff);
	return ~sum;
}

static void test_random_changes(void **state)
{
	for (unsigned round = 0; round < 100000; round++) {
		uint8_t before[48], after[48];
		size_t at = random_32() % 20 * 2, size = (random_32() % 4 + 1) * 2;
		uint16_t difference;

		before[0] = 0x45; // never all zero, as no header is
		for (unsigned i = 1; i < sizeof(before); i++)
			before[i] = random_32();
		memcpy(after, before, sizeof(after));
		for (unsigned i = 0; i < size; i++)
			after[at + i] = random_32() % 3 ? random_32() : random_32() % 2 * 255;
		difference = checksum_difference(before + at, after + at, size);
		if (at > 0)
			assert_int_equal(
				checksum_update(full(before, 48), difference), full(after, 48));
	}
}

// The corner cases of RFC 1624, section 5.
static void test_zero_and_ones(void **state)
{
	const uint8_t old_word[2] = {0x55, 0x55}, new_word[2] = {0x32, 0x85};
	const uint16_t expected = 0x0000;
	uint16_t checksum, difference;

	memcpy(&checksum, (const uint8_t[2]){0xdd, 0x2f}, 2);
	difference = checksum_difference(old_word, new_word, 2);
	assert_int_equal(checksum_update(checksum, difference), expected);
}

static void test_udp(void **state)
{
	const uint8_t a[2] = {0x12, 0x34}, b[2] = {0x12, 0x35};
	uint16_t difference = checksum_difference(a, b, 2);
	uint16_t one;

	// None stays none.
	assert_int_equal(checksum_update_udp(0, difference), 0);
	// What comes out as 0 is written as all ones; TCP's would be 0.
	memcpy(&one, (const uint8_t[2]){0, 1}, 2);
	assert_int_equal(checksum_update(one, difference), 0);
	assert_int_equal(checksum_update_udp(one, difference), 0xffff);
	// All ones is 0 in another form.
	assert_int_equal(checksum_update_udp(0xffff, difference), checksum_update(0, difference));
}

static void test_crc32c(void **state)
{
	static uint8_t bytes[70000];

	// "123456789" (RFC 3720 and others).
	assert_int_equal(frame_crc32c((const uint8_t *)"123456789", 9), 0xe3069283);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = random_32();
	for (unsigned round = 0; round < 300; round++) {
		size_t size = round < 200 ? 4 + round : 4 + random_32() % 65532;
		size_t at = random_32() % (size - 3);
		uint32_t before = frame_crc32c(bytes, size);
		uint8_t difference[4];

		for (unsigned i = 0; i < 4; i++) {
			difference[i] = random_32() % 4 ? random_32() : 0;
			bytes[at + i] ^= difference[i];
		}
		assert_int_equal(before ^ crc32c_difference(difference, size - at),
			frame_crc32c(bytes, size));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_changes),
		cmocka_unit_test(test_zero_and_ones),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_crc32c),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
