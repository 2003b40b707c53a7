// SPDX-License-Identifier: Apache-2.0
#include "datapath/metering.h"

#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_meter.h>
#include <rte_spinlock.h>

#define BYTES_PER_KILOBIT 125

struct band_state {
	struct rte_meter_srtcm_profile profile;
	struct rte_meter_srtcm bucket;
};

struct meter_state {
	rte_spinlock_t lock;
	bool packets; // a packet counts as one, whatever its length
	unsigned count;
	struct band_state bands[];
};

// Without a burst size a bucket holds what the rate passes in a second, as in Open vSwitch.
static int band_init(struct band_state *state, const struct meter_band *band, bool packets)
{
	uint64_t unit = packets ? 1 : BYTES_PER_KILOBIT;
	struct rte_meter_srtcm_params params = {
		.cir = band->rate * unit,
		.cbs = (band->burst ? band->burst : band->rate) * unit,
	};
	int result = rte_meter_srtcm_profile_config(&state->profile, &params);

	return result ? result : rte_meter_srtcm_config(&state->bucket, &state->profile);
}

static void *create(const struct meter *meter)
{
	size_t size = sizeof(struct meter_state) + meter->count * sizeof(struct band_state);
	struct meter_state *state =
		aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(size, RTE_CACHE_LINE_SIZE));

	if (!state)
		return NULL;
	rte_spinlock_init(&state->lock);
	state->packets = meter->packets;
	state->count = (unsigned)meter->count;
	for (unsigned i = 0; i < state->count; i++) {
		if (band_init(&state->bands[i], &meter->bands[i], meter->packets) != 0) {
			free(state);
			return NULL;
		}
	}
	return state;
}

static void destroy(void *memory)
{
	free(memory);
}

static unsigned charge(void *memory, uint32_t length)
{
	struct meter_state *state = memory;
	uint32_t amount = state->packets ? 1 : length;
	unsigned exceeded = 0;
	uint64_t now;

	rte_spinlock_lock(&state->lock);
	// Under the lock, so that no thread brings an older time than the bucket has seen.
	now = rte_rdtsc();
	for (unsigned i = 0; i < state->count; i++) {
		struct band_state *band = &state->bands[i];

		if (rte_meter_srtcm_color_blind_check(&band->bucket, &band->profile, now, amount) !=
			RTE_COLOR_GREEN)
			exceeded |= 1u << i;
	}
	rte_spinlock_unlock(&state->lock);
	return exceeded;
}

const struct metering datapath_metering = {create, destroy, charge};
