// SPDX-License-Identifier: Apache-2.0
#pragma once

// A guest's memory as the switch sees it: some regions, each mapped as a whole. Addresses that come
// from a guest are numbers until this has found the place; nothing else may make a pointer of them.

#include <stddef.h>
#include <stdint.h>

#define GUEST_REGIONS_MAX 32

struct guest_region {
	uint64_t start; // guest-physical
	uint64_t size;
	uint8_t *host; // where it is mapped
};

struct guest_memory {
	unsigned count;
	struct guest_region regions[GUEST_REGIONS_MAX];
};

// Where `length` bytes at guest-physical `address` are mapped, or NULL if they are not, or not all
// in one region. `hint` remembers the region, which is mostly that of the time before.
static inline uint8_t *guest_memory_at(
	const struct guest_memory *memory, unsigned *hint, uint64_t address, uint64_t length)
{
	const struct guest_region *region = &memory->regions[*hint];
	uint64_t offset = address - region->start;

	// Written so that no sum can wrap.
	if (__builtin_expect(offset < region->size && length <= region->size - offset, 1))
		return region->host + offset;
	for (unsigned i = 0; i < memory->count; i++) {
		region = &memory->regions[i];
		offset = address - region->start;
		if (offset < region->size && length <= region->size - offset) {
			*hint = i;
			return region->host + offset;
		}
	}
	return NULL;
}
