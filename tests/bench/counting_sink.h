// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where benchmarks of the pipeline alone send their packets: nowhere, but counted.

#include <stddef.h>

#include "pipeline/pipeline.h"

struct counting_sink {
	struct pipeline_sink sink;
	uint64_t sent, dropped;
};

static void counting_sink_output(struct pipeline_sink *sink, struct packet *packet, uint16_t port)
{
	((struct counting_sink *)sink)->sent++;
}

static void counting_sink_drop(
	struct pipeline_sink *sink, struct packet *packet, enum drop_reason reason)
{
	((struct counting_sink *)sink)->dropped++;
}

static struct packet *counting_sink_copy(struct pipeline_sink *sink, const struct packet *packet)
{
	return NULL;
}

static void counting_sink_learn(
	struct pipeline_sink *sink, const uint8_t mac[6], uint16_t vlan, uint16_t port)
{
}

static inline struct counting_sink counting_sink_make(void)
{
	return (struct counting_sink){.sink = {counting_sink_output, counting_sink_drop,
					      counting_sink_copy, counting_sink_learn}};
}
