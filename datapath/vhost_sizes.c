// SPDX-License-Identifier: Apache-2.0
#include "datapath/vhost_sizes.h"

#define WRAP_BIT 0x8000u

static bool size_is_good(
	const struct vhost_sizes *sizes, const struct vhost_size *ring, uint32_t size, bool packed)
{
	if (size == 0 || size > 32768 || (!packed && size & (size - 1)))
		return false;
	return sizes->sum - ring->size + size <= VHOST_SIZES_SUM;
}

bool vhost_sizes_admit(const struct vhost_sizes *sizes, uint32_t request, unsigned index,
	uint32_t number, bool packed, bool used)
{
	const struct vhost_size *ring = &sizes->rings[index % VHOST_SIZES_RINGS];

	if (request == VHOST_RING_SIZE)
		// A ring that is used does not grow; one that is new may come.
		return size_is_good(sizes, ring, number, packed) && !(used && ring->size);
	if (!used)
		return true;
	if (request == VHOST_RING_BASE)
		return ring->size && (!packed || (number & ~WRAP_BIT & 0xffff) < ring->size);
	if (request == VHOST_RING_ADDRESSES || request == VHOST_RING_STARTS)
		return ring->size && ring->packed == packed;
	return true;
}

void vhost_sizes_note(
	struct vhost_sizes *sizes, uint32_t request, unsigned index, uint32_t number, bool packed)
{
	struct vhost_size *ring = &sizes->rings[index % VHOST_SIZES_RINGS];

	if (request != VHOST_RING_SIZE && request != VHOST_RING_STOPS)
		return;
	sizes->sum -= ring->size;
	*ring = (struct vhost_size){0};
	if (request == VHOST_RING_SIZE)
		*ring = (struct vhost_size){(uint16_t)number, packed};
	sizes->sum += ring->size;
}

void vhost_sizes_keep(struct vhost_sizes *sizes, unsigned count)
{
	for (unsigned ring = count; ring < VHOST_SIZES_RINGS; ring++) {
		sizes->sum -= sizes->rings[ring].size;
		sizes->rings[ring] = (struct vhost_size){0};
	}
}

bool vhost_sizes_fit(const struct vhost_sizes *sizes, unsigned index, uint32_t size, bool packed)
{
	const struct vhost_size *ring = &sizes->rings[index % VHOST_SIZES_RINGS];

	if (size == 0)
		return ring->size == 0 || ring->packed == packed;
	return ring->size == size && ring->packed == packed;
}
