// SPDX-License-Identifier: Apache-2.0
#pragma once

// Big-endian numbers at any address. Headers in packets lie wherever the headers before them end,
// so nothing in them is read through a pointer to a wider type.

#include <endian.h>
#include <stdint.h>
#include <string.h>

// The bytes as they are, for fields that stay in network byte order.
static inline uint16_t load_16(const uint8_t *from)
{
	uint16_t value;

	memcpy(&value, from, sizeof(value));
	return value;
}

static inline uint32_t load_32(const uint8_t *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof(value));
	return value;
}

// As numbers of this machine.
static inline uint16_t load_be16(const uint8_t *from)
{
	return __builtin_bswap16(load_16(from));
}

static inline uint32_t load_be32(const uint8_t *from)
{
	return __builtin_bswap32(load_32(from));
}

static inline uint64_t load_le64(const uint8_t *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof(value));
	return le64toh(value);
}

static inline void store_be16(uint8_t *to, uint16_t value)
{
	value = __builtin_bswap16(value);
	memcpy(to, &value, sizeof(value));
}

static inline void store_be32(uint8_t *to, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(to, &value, sizeof(value));
}
