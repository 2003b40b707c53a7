// SPDX-License-Identifier: Apache-2.0
#include "pipeline/checksum.h"

#include <endian.h>
#include <string.h>

static uint16_t fold(uint32_t sum)
{
	sum = (sum >> 16) + (sum & 0xffff);
	return sum + (sum >> 16);
}

uint16_t checksum_difference(const uint8_t *before, const uint8_t *after, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i += 2) {
		uint16_t old_word, new_word;

		memcpy(&old_word, before + i, 2);
		memcpy(&new_word, after + i, 2);
		sum += (uint16_t)~old_word + (uint32_t)new_word;
	}
	return fold(sum);
}

uint16_t checksum_update(uint16_t checksum, uint16_t difference)
{
	return ~fold((uint16_t)~checksum + (uint32_t)difference);
}

uint16_t checksum_update_udp(uint16_t checksum, uint16_t difference)
{
	if (checksum == 0)
		return 0;
	checksum = checksum_update(checksum, difference);
	return checksum ? checksum : 0xffff;
}

// Polynomials over GF(2) modulo CRC32c's, in its bit order: x^0 is the most significant bit.
#define CRC32C_POLYNOMIAL 0x82f63b78u

static uint32_t polynomial_multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	// From x^0 of `a` on; b is multiplied by x in each step.
	for (; a; a <<= 1) {
		product ^= a & 0x80000000u ? b : 0;
		b = b >> 1 ^ (b & 1 ? CRC32C_POLYNOMIAL : 0);
	}
	return product;
}

uint32_t crc32c_difference(const uint8_t difference[4], size_t left)
{
	// x^(8 * 2^k): k doublings of one byte. IP payloads need no more than these.
	static const uint32_t powers[16] = {
		0x00800000,
		0x00008000,
		0x82f63b78,
		0x6ea2d55c,
		0x18b8ea18,
		0x510ac59a,
		0xb82be955,
		0xb8fdb1e7,
		0x88e56f72,
		0x74c360a4,
		0xe4172b16,
		0x0d65762a,
		0x35d73a62,
		0x28461564,
		0xbf455269,
		0xe2ea32dc,
	};
	uint32_t crc;

	memcpy(&crc, difference, 4);
	crc = le32toh(crc);
	// The difference, as a polynomial, times x^(8 * left): to its place, and the CRC's own
	// x^32.
	for (unsigned k = 0; k < 16; k++)
		if (left & (size_t)1 << k)
			crc = polynomial_multiply(crc, powers[k]);
	return crc;
}
