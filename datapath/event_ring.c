// SPDX-License-Identifier: Apache-2.0
#include "datapath/event_ring.h"

#include <stdlib.h>

#include <rte_common.h>
#include <rte_ring_elem.h>

struct rte_ring *event_ring_create(const char *name, unsigned size, unsigned count)
{
	ssize_t bytes = rte_ring_get_memsize_elem(size, count);
	struct rte_ring *ring;

	if (bytes < 0)
		return NULL;
	ring = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN((size_t)bytes, RTE_CACHE_LINE_SIZE));
	if (ring && rte_ring_init(ring, name, count, RING_F_SP_ENQ | RING_F_SC_DEQ) != 0) {
		free(ring);
		return NULL;
	}
	return ring;
}
