// SPDX-License-Identifier: Apache-2.0
#include "datapath/tx_steering.h"

#include <assert.h>

#include "pipeline/packet.h"

#define SLOT_SHIFT 24

// Or all flows that a select group sends to one port would be in the same few slots.
static_assert(STEERING_SLOTS == 1u << (32 - SLOT_SHIFT) && GROUP_SLOTS <= 1u << SLOT_SHIFT,
	"bits of the hash that groups leave alone");

void steering_table_build(uint8_t table[STEERING_SLOTS], uint64_t queues)
{
	uint64_t left = queues;

	for (unsigned slot = 0; slot < STEERING_SLOTS; slot++) {
		unsigned queue = left ? (unsigned)__builtin_ctzll(left) : 0;

		__atomic_store_n(&table[slot], (uint8_t)queue, __ATOMIC_RELAXED);
		left &= left - 1;
		if (left == 0)
			left = queues;
	}
}

unsigned steering_slot(const uint8_t *data, uint16_t linear, uint32_t length)
{
	struct packet packet = {
		.data = (uint8_t *)data, // is only read
		.linear = linear,
		.length = length,
	};
	struct packet_key key;

	if (!packet_parse(&packet, &key, 1 | 2))
		return 0;
	return packet_flow_hash(&key) >> SLOT_SHIFT;
}
