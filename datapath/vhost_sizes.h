// SPDX-License-Identifier: Apache-2.0
#pragma once

// How large a guest's rings are, as far as the vhost library has made room for what it notes of
// them. It makes that when it hears of a size, for a ring of the kind that was negotiated then, and
// drops it when the ring is stopped; it takes sizes that it refuses all the same; and its functions
// for packets use whatever is there (seen in 22.11). So before they get to see a ring, and while
// they may be using some, what is said of rings is held against this. Pure.

#include <stdbool.h>
#include <stdint.h>

#define VHOST_SIZES_RINGS 256         // of the library
#define VHOST_SIZES_SUM (256u * 1024) // of all rings of a guest

struct vhost_sizes {
	uint32_t sum;
	struct vhost_size {
		uint16_t size; // 0: not known
		bool packed;
	} rings[VHOST_SIZES_RINGS];
};

// Messages about one ring.
enum vhost_sizes_message {
	VHOST_RING_SIZE = 8,
	VHOST_RING_ADDRESSES = 9,
	VHOST_RING_BASE = 10,
	VHOST_RING_STOPS = 11,
	VHOST_RING_STARTS = 12,
};

// May the library hear it? `number` is a size or a base, `used` if its functions may be using
// rings.
bool vhost_sizes_admit(const struct vhost_sizes *sizes, uint32_t request, unsigned ring,
	uint32_t number, bool packed, bool used);

// It has, and has not refused it.
void vhost_sizes_note(
	struct vhost_sizes *sizes, uint32_t request, unsigned ring, uint32_t number, bool packed);

// It has dropped all rings but the first `count`.
void vhost_sizes_keep(struct vhost_sizes *sizes, unsigned count);

// May the library's functions use a ring of `size`, or one that is not there yet (0)?
bool vhost_sizes_fit(const struct vhost_sizes *sizes, unsigned ring, uint32_t size, bool packed);
