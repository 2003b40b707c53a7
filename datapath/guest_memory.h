// SPDX-License-Identifier: Apache-2.0
#pragma once

// A guest's memory as the switch sees it: some regions, each mapped as a whole. Addresses that come
// from a guest are numbers until this has found the place; nothing else may make a pointer of them.

#include <stdbool.h>
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

// Do `length` bytes that are mapped at `host` all belong to one region?
static inline bool guest_memory_has(
	const struct guest_memory *memory, const void *host, uint64_t length)
{
	for (unsigned i = 0; i < memory->count; i++) {
		const struct guest_region *region = &memory->regions[i];
		uint64_t offset = (uintptr_t)host - (uintptr_t)region->host;

		if (offset < region->size && length <= region->size - offset)
			return true;
	}
	return false;
}

// Where guest-physical `address` is mapped, or NULL. *length, which is not 0, becomes less if it
// goes beyond the region: what comes then may be in another one. `hint` remembers the region, which
// is mostly that of the time before.
static inline uint8_t *guest_memory_part(
	const struct guest_memory *memory, unsigned *hint, uint64_t address, uint64_t *length)
{
	const struct guest_region *region = &memory->regions[*hint];

	// Written so that no sum can wrap.
	if (__builtin_expect(address - region->start >= region->size, 0)) {
		unsigned i = 0;

		while (i < memory->count &&
			address - memory->regions[i].start >= memory->regions[i].size)
			i++;
		if (i == memory->count)
			return NULL;
		*hint = i;
		region = &memory->regions[i];
	}
	address -= region->start;
	if (*length > region->size - address)
		*length = region->size - address;
	return region->host + address;
}

// Where `length` bytes at guest-physical `address` are mapped, or NULL if they are not, or not all
// in one region.
static inline uint8_t *guest_memory_at(
	const struct guest_memory *memory, unsigned *hint, uint64_t address, uint64_t length)
{
	uint64_t part = length;
	uint8_t *host = guest_memory_part(memory, hint, address, &part);

	return part == length ? host : NULL;
}
