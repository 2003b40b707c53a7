// SPDX-License-Identifier: Apache-2.0
#include "pipeline/pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/pipeline_private.h"

// Set-up, and packets that come by no flow. Bursts are in burst.c, ports in pipeline_ports.c,
// transactions in pipeline_flows.c, statistics in counters.c.

struct pipeline *pipeline_create(const struct pipeline_config *config)
{
	uint32_t size = config->mac_table_size ? config->mac_table_size : MAC_TABLE_SIZE_DEFAULT;
	struct pipeline *pipeline = calloc(1, sizeof(*pipeline));

	if (!pipeline)
		return NULL;
	pipeline->retirement = config->retirement;
	pipeline->metering = config->metering;
	pipeline->classifier = config->classifier;
	pipeline->version = 1;
	pipeline->needs = 1;
	pipeline->macs =
		mac_table_create(size, config->mac_aging ? config->mac_aging : MAC_AGING_DEFAULT);
	pipeline->ports = calloc(1, sizeof(*pipeline->ports));
	pipeline->flows = flow_store_create();
	if (objects_init(pipeline) != 0 || !pipeline->macs || !pipeline->ports ||
		!pipeline->flows) {
		pipeline_destroy(pipeline);
		return NULL;
	}
	return pipeline;
}

void pipeline_destroy(struct pipeline *pipeline)
{
	if (!pipeline)
		return;
	objects_end(pipeline);
	flow_store_destroy(pipeline->flows);
	for (unsigned t = 0; t < PIPELINE_TABLES; t++)
		flow_table_destroy(pipeline->tables[t]);
	counters_destroy(pipeline);
	cache_end(pipeline);
	mac_table_destroy(pipeline->macs);
	free(pipeline->ports);
	free(pipeline);
}

struct mac_table *pipeline_mac_table(struct pipeline *pipeline)
{
	return pipeline->macs;
}

// Every table has its turn, so that none that changes all the time keeps the others waiting.
struct classifier_job *pipeline_classifier_job(struct pipeline *pipeline, uint64_t now_ms)
{
	struct classifier_job *job = NULL;

	for (unsigned t = 0; t < PIPELINE_TABLES && pipeline->classifier && !job; t++) {
		struct flow_table *table = pipeline->tables[pipeline->next_job];

		pipeline->next_job = (pipeline->next_job + 1) % PIPELINE_TABLES;
		if (table)
			job = flow_table_job(table, pipeline->classifier, now_ms);
	}
	return job;
}

// --- Packets ---

void pipeline_packet_out(struct pipeline *pipeline, unsigned reader, struct packet *packet,
	const struct action_list *actions, uint64_t now_ms, struct pipeline_sink *sink)
{
	struct packet_key key;
	struct execution execution = {
		.pipeline = pipeline,
		.sink = sink,
		.packet = packet,
		.key = &key,
		.version = __atomic_load_n(&pipeline->version, __ATOMIC_ACQUIRE),
		.now_ms = now_ms,
		.reader = reader,
		.ports = __atomic_load_n(&pipeline->ports, __ATOMIC_ACQUIRE),
		.progress = {.pending = OFPORT_NONE, .reason = DROP_ACTION_DROP},
	};

	// Whole: the list may use what no flow does.
	if (packet_parse(packet, &key, KEY_ALL_LINES))
		execution_run_whole(&execution, actions);
	else
		sink->drop(sink, packet, DROP_MALFORMED);
}
