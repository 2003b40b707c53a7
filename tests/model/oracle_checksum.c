// SPDX-License-Identifier: Apache-2.0
#include "tests/model/oracle.h"

uint32_t oracle_sum(const uint8_t *bytes, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (sum + (i % 2 == 0 ? bytes[i] * 256u : bytes[i])) % 65535;
	return sum;
}

uint32_t oracle_crc32c(const uint8_t *bytes, size_t size)
{
	uint32_t crc = ~0u;

	for (size_t i = 0; i < size; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			unsigned out = (crc ^ bytes[i] >> bit) & 1;

			crc >>= 1;
			if (out)
				crc ^= 0x82f63b78;
		}
	}
	return ~crc;
}
