// SPDX-License-Identifier: Apache-2.0
#include "pipeline/action_run.h"
#include "pipeline/pipeline_private.h"

// meter: the packet draws on the token buckets of a meter's bands, and the highest band that it
// exceeds acts on it.

#define DSCP_SHIFT 2
#define DSCP_CLASSES 4     // assured forwarding, RFC 2597: class 1..4 in the upper three bits,
#define DSCP_PRECEDENCES 3 // drop precedence 1..3 in the two bits below

// The DSCP with its drop precedence raised, as far as it goes; others than those of assured
// forwarding have none.
static unsigned dscp_raise(unsigned dscp, unsigned by)
{
	unsigned class = dscp >> 3, precedence = dscp >> 1 & 3;

	if (dscp & 1 || class < 1 || class > DSCP_CLASSES || precedence < 1)
		return dscp;
	precedence += by;
	if (precedence > DSCP_PRECEDENCES)
		precedence = DSCP_PRECEDENCES;
	return class << 3 | precedence << 1;
}

static bool remark(struct execution *execution, const struct meter_band *band)
{
	unsigned old = execution->key->nw_tos >> DSCP_SHIFT;
	unsigned dscp = dscp_raise(old, band->precedence);
	struct field_value value = {0}, mask = {0};

	if (dscp == old)
		return true;
	value.bytes[sizeof(value.bytes) - 1] = (uint8_t)(dscp << DSCP_SHIFT);
	mask.bytes[sizeof(mask.bytes) - 1] = 0x3f << DSCP_SHIFT & 0xff;
	return execution_write(execution, FIELD_NW_TOS, &value, &mask);
}

static int highest_band(const struct meter *meter, unsigned exceeded)
{
	int best = -1;

	for (unsigned left = exceeded; left; left &= left - 1) {
		int band = __builtin_ctz(left);

		if (best < 0 || meter->bands[band].rate > meter->bands[best].rate)
			best = band;
	}
	return best;
}

bool action_meter_run(struct execution *execution, const struct action *action)
{
	struct pipeline *pipeline = execution->pipeline;
	const struct installed_meter *meter = (const struct installed_meter *)versioned_find(
		&pipeline->meters, action->meter, execution->version);
	uint32_t length = execution->packet->length;
	struct pipeline_reader *reader;
	int band;

	if (!meter) {
		execution_note(execution, DROP_NO_METER);
		return false;
	}
	// A packet that is only traced takes nothing from others, so it is within every rate.
	if (execution->observer)
		return true;
	reader = pipeline->readers[execution->reader];
	counter_hit(flow_counters_of(reader, meter->counter), length);
	band = highest_band(&meter->meter, pipeline->metering->charge(meter->state, length));
	if (band < 0)
		return true;
	counter_hit(flow_counters_of(reader, meter->band_counters[band]), length);
	if (meter->meter.bands[band].type == METER_DSCP_REMARK)
		return remark(execution, &meter->meter.bands[band]);
	execution_note(execution, DROP_METER);
	return false;
}
