// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "pipeline/flow_text.h"
#include "pipeline/pipeline.h"
#include "tests/bench/counting_sink.h"

// What the pipeline alone costs per packet: bursts of 32 UDP frames in memory, sent nowhere. Prints
// TSC cycles per packet, the least of many rounds, so that a busy machine shows in the spread of
// whole runs but hardly in the figure.
//
// Usage: pipeline_bench [ROUNDS [PART OF A CASE'S NAME]]

#define FRAMES 4096 // their first lines stay in the second level cache
#define FRAME_SPACE 256
#define ROUND_BURSTS (FRAMES / PIPELINE_BURST)

static void retire(void *context, void (*free_fn)(void *), void *memory)
{
	// Nothing is taken out here.
}

// Each frame between another pair of `pairs`, in an order without one.
static uint8_t *frames_make(unsigned pairs)
{
	static const uint8_t start[42] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 46,
		0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 4, 0, 0, 80, 0, 26};
	uint8_t *frames = aligned_alloc(FRAME_SPACE, FRAMES * FRAME_SPACE);

	for (unsigned i = 0; frames && i < FRAMES; i++) {
		uint8_t *frame = frames + i * FRAME_SPACE + 128;

		memset(frame, 0, 60);
		memcpy(frame, start, sizeof(start));
		frame[28] = i >> 8;
		frame[29] = i;
		frame[3] = frame[9] = (i * 2654435761u >> 8) % pairs >> 8;
		frame[4] = frame[10] = (i * 2654435761u >> 8) % pairs;
	}
	return frames;
}

static void install(struct pipeline *pipeline, const char *const *texts)
{
	pipeline_begin(pipeline);
	for (uint64_t id = 1; *texts; texts++, id++) {
		struct flow_request request;
		struct flow_error error;

		if (flow_request_parse(&request, *texts, FLOW_ADD, NULL, NULL, &error) ||
			pipeline_flow_add(pipeline, id, &request.flow)) {
			fprintf(stderr, "pipeline_bench: %s: %s\n", *texts, error.message);
			exit(1);
		}
	}
	pipeline_commit(pipeline);
}

static struct pipeline *pipeline_make(const char *const *texts, unsigned pairs)
{
	struct pipeline_config config = {.retirement = {retire, NULL}};
	struct pipeline *pipeline = pipeline_create(&config);
	uint8_t destination[6] = {2, 0, 0, 0, 0, 2}, source[6] = {2, 0, 0, 0, 0, 1};

	for (uint16_t number = 1; number <= 2; number++) {
		struct pipeline_port port = {.number = number};

		pipeline_port_set(pipeline, &port);
	}
	for (unsigned pair = 0; pair < pairs; pair++) {
		destination[3] = source[3] = (uint8_t)(pair >> 8);
		destination[4] = source[4] = (uint8_t)pair;
		mac_table_learn(pipeline_mac_table(pipeline), destination, 0, 2, 1);
		mac_table_learn(pipeline_mac_table(pipeline), source, 0, 1, 1);
	}
	pipeline_reader_add(pipeline, 0);
	install(pipeline, texts);
	return pipeline;
}

static double measure(struct pipeline *pipeline, uint8_t *frames, unsigned rounds)
{
	struct counting_sink sink = counting_sink_make();
	uint64_t least = UINT64_MAX;

	for (unsigned round = 0; round < rounds; round++) {
		uint64_t start = __rdtsc(), took;

		for (unsigned burst = 0; burst < ROUND_BURSTS; burst++) {
			struct packet packets[PIPELINE_BURST], *pointers[PIPELINE_BURST];

			for (unsigned i = 0; i < PIPELINE_BURST; i++) {
				packets[i].data =
					frames + (burst * PIPELINE_BURST + i) * FRAME_SPACE + 128;
				packets[i].headroom = 128;
				packets[i].linear = 60;
				packets[i].length = 60;
				packets[i].in_port = 1;
				pointers[i] = &packets[i];
			}
			pipeline_run(pipeline, 0, pointers, PIPELINE_BURST, 1000, &sink.sink);
		}
		took = __rdtsc() - start;
		if (took < least)
			least = took;
	}
	if (sink.dropped > 0)
		printf("(%lu dropped) ", sink.dropped);
	return (double)least / FRAMES;
}

static void report(
	const char *name, const char *const *flows, unsigned pairs, unsigned rounds)
{
	struct pipeline *pipeline = pipeline_make(flows, pairs);
	uint8_t *frames = frames_make(pairs);

	if (!frames)
		exit(1);
	printf("%-26s %6.1f cycles per packet\n", name, measure(pipeline, frames, rounds));
	free(frames);
}

#define CHAIN 16 // tables

// Each table but the last with one flow for all frames, written as `form` with the number of the
// table and of the next one, and `others` that match none of them.
static void report_chain(const char *name, const char *form, unsigned others, unsigned rounds)
{
	char texts[CHAIN * 4 + 1][128];
	const char *flows[CHAIN * 4 + 1] = {NULL};
	unsigned count = 0;

	for (int table = 0; table < CHAIN - 1; table++) {
		snprintf(texts[count++], sizeof(texts[0]), form, table, table + 1);
		for (unsigned other = 0; other < others; other++)
			snprintf(texts[count++], sizeof(texts[0]),
				"table=%d,priority=7,udp,tp_dst=%u,nw_dst=10.9.0.%u,actions=drop",
				table, 1000 + other, other);
	}
	snprintf(texts[count++], sizeof(texts[0]), "table=%d,ip,actions=output:2", CHAIN - 1);
	for (unsigned i = 0; i < count; i++)
		flows[i] = texts[i];
	report(name, flows, 1, rounds);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		const char *flows[9];
		unsigned pairs; // of addresses; 0: one
	} cases[] = {
		{"one rule, in_port", {"in_port=1,actions=output:2"}},
		{"one rule, 5-tuple prefix", {"udp,nw_src=10.0.0.0/16,tp_dst=80,actions=output:2"}},
		{"in_port, load and goto", {"in_port=1,actions=load:1->reg0,goto_table:1",
						   "table=1,reg0=1,actions=output:2"}},
		{"four tables, one word each",
			{"actions=load:1->reg0,goto_table:1",
				"table=1,reg0=1,actions=load:2->reg0,goto_table:2",
				"table=2,reg0=2,actions=load:3->reg0,goto_table:3",
				"table=3,reg0=3,actions=output:2"}},
		{"four tables, two flows each",
			{"udp,nw_src=10.0.0.0/0.0.0.1,actions=load:1->reg0,goto_table:1",
				"udp,nw_src=0.0.0.1/0.0.0.1,actions=load:2->reg0,goto_table:1",
				"table=1,reg0=1,actions=load:2->reg1,goto_table:2",
				"table=1,reg0=2,actions=load:3->reg1,goto_table:2",
				"table=2,reg1=2,actions=load:3->reg2,goto_table:3",
				"table=2,reg1=3,actions=load:4->reg2,goto_table:3",
				"table=3,reg2=3,actions=output:2",
				"table=3,reg2=4,actions=output:2"}},
		{"ttl and address written",
			{"udp,actions=mod_nw_ttl:9,mod_dl_dst:02:00:00:00:00:09,output:2"}},
		{"normal, one pair", {"actions=normal"}},
		{"normal, 1,000 addresses", {"actions=normal"}, 500},
		{"normal, 4,000 addresses", {"actions=normal"}, 2000},
	};
	static const struct {
		const char *name;
		const char *form;
		unsigned others;
	} chains[] = {
		{"16 tables, goto", "table=%d,priority=1,ip,actions=goto_table:%d"},
		{"16 tables, resubmit", "table=%d,priority=1,ip,actions=resubmit(,%d)"},
		{"16 tables, catch-alls", "table=%d,priority=1,actions=goto_table:%d"},
		{"16 tables, loads", "table=%d,ip,actions=load:1->reg0,goto_table:%d"},
		{"16 tables of 3 rules", "table=%d,priority=1,ip,actions=goto_table:%d", 2},
	};
	unsigned rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000;
	const char *only = argc > 2 ? argv[2] : "";

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strstr(cases[i].name, only))
			report(cases[i].name, cases[i].flows,
				cases[i].pairs ? cases[i].pairs : 1, rounds);
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++)
		if (strstr(chains[i].name, only))
			report_chain(chains[i].name, chains[i].form, chains[i].others, rounds);
	return 0;
}
