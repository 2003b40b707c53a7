// SPDX-License-Identifier: Apache-2.0
// What does the pipeline cost per packet with flows of a file, for the frames of a pcap file (mkacl
// writes both)? Frames are copied to where they are parsed, as net_pcap does, and are sent nowhere.
// TSC cycles per packet of the pipeline alone, the median burst of the best of several rounds, for
// bursts of several sizes: with bit-vector blocks alone, and with the classifier of datapathd if there
// is one for these flows. acl_bench FLOWS PCAP [BURST [ROUNDS]]

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include <rte_eal.h>

#include "datapath/classifier_acl.h"
#include "pipeline/flow_text.h"
#include "pipeline/pipeline.h"
#include "tests/bench/counting_sink.h"

#define FRAME_SPACE 128
#define HEADROOM 64
#define FRAMES_MAX 200000
#define RING 256 // buffers that are used again and again

struct frames {
	size_t count;
	struct {
		uint16_t size;
		uint8_t data[FRAME_SPACE - HEADROOM - 2];
	} items[FRAMES_MAX];
};

static void free_now(void *context, void (*free_fn)(void *), void *memory)
{
	free_fn(memory);
}

static void fail(const char *what)
{
	fprintf(stderr, "acl_bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct frames *frames_read(const char *path)
{
	struct frames *frames = calloc(1, sizeof(*frames));
	FILE *file = fopen(path, "rb");
	uint32_t record[4];

	if (!frames || !file || fseek(file, 24, SEEK_SET) != 0)
		fail(path);
	while (frames->count < FRAMES_MAX && fread(record, sizeof(record), 1, file) == 1) {
		size_t most = sizeof(frames->items[0].data);

		frames->items[frames->count].size = record[2] < most ? record[2] : most;
		if (fread(frames->items[frames->count].data,
			    frames->items[frames->count].size, 1, file) != 1)
			fail(path);
		if (record[2] > most)
			fseek(file, (long)(record[2] - most), SEEK_CUR);
		frames->count++;
	}
	fclose(file);
	return frames;
}

static struct pipeline *pipeline_make(const char *path)
{
	struct pipeline_config config = {
		.retirement = {free_now, NULL}, .classifier = &classifier_acl};
	struct pipeline *pipeline = pipeline_create(&config);
	FILE *file = fopen(path, "r");
	char line[1024];
	uint64_t id = 1;

	if (!pipeline || !file)
		fail(path);
	for (uint16_t number = 1; number <= 2; number++) {
		struct pipeline_port port = {.number = number};

		pipeline_port_set(pipeline, &port);
	}
	pipeline_reader_add(pipeline, 0);
	pipeline_begin(pipeline);
	while (fgets(line, sizeof(line), file)) {
		struct flow_request request;
		struct flow_error error;

		line[strcspn(line, "\n")] = 0;
		if (flow_request_parse(&request, line, FLOW_ADD, NULL, NULL, &error) != 0 ||
			pipeline_flow_add(pipeline, id++, &request.flow) != 0) {
			fprintf(stderr, "acl_bench: %s: %s\n", line, error.message);
			exit(1);
		}
	}
	pipeline_commit(pipeline);
	fclose(file);
	return pipeline;
}

// Milliseconds of a processor; 0: none was to be built.
static double classifiers_add(struct pipeline *pipeline)
{
	struct classifier_job *job = NULL;
	struct timespec start, end;

	// Twice: it has just changed, but not since it was asked.
	for (unsigned ask = 0; ask < 2 && !job; ask++)
		job = pipeline_classifier_job(pipeline, 1000000 * ask);
	if (!job)
		return 0;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
	classifier_job_run(job);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	classifier_job_end(job, 1000000);
	return (double)(end.tv_sec - start.tv_sec) * 1e3 +
	       (double)(end.tv_nsec - start.tv_nsec) / 1e6;
}

static int cycles_order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double round_cycles(struct pipeline *pipeline, const struct frames *frames, unsigned burst,
	struct counting_sink *sink)
{
	static uint8_t ring[RING][FRAME_SPACE] __attribute__((aligned(64)));
	static uint64_t cycles[FRAMES_MAX];
	size_t count = 0;

	for (size_t f = 0; f + burst <= frames->count; f += burst) {
		struct packet packets[PIPELINE_BURST], *pointers[PIPELINE_BURST];
		uint64_t start;

		for (unsigned i = 0; i < burst; i++) {
			uint8_t *data = ring[(f + i) % RING] + HEADROOM;

			memcpy(data, frames->items[f + i].data, frames->items[f + i].size);
			packets[i].data = data;
			packets[i].headroom = HEADROOM;
			packets[i].linear = packets[i].length = frames->items[f + i].size;
			packets[i].in_port = 1;
			pointers[i] = &packets[i];
		}
		start = __rdtsc();
		pipeline_run(pipeline, 0, pointers, burst, 1000, &sink->sink);
		cycles[count++] = __rdtsc() - start;
	}
	qsort(cycles, count, sizeof(cycles[0]), cycles_order);
	return (double)cycles[count / 2] / burst;
}

int main(int argc, char **argv)
{
	char *eal[] = {argv[0], "--no-huge", "-m", "512", "--no-shconf", "--no-pci",
		"--no-telemetry", "--lcores=0@0", "--log-level=*:3", NULL};
	struct counting_sink sink = counting_sink_make();
	unsigned burst = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : PIPELINE_BURST;
	unsigned rounds = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 9;
	struct pipeline_table_stats stats;
	struct pipeline *pipeline;
	struct frames *frames;
	double built = 0;

	if (argc < 3 || burst < 1 || burst > PIPELINE_BURST) {
		fprintf(stderr, "usage: acl_bench FLOWS PCAP [BURST [ROUNDS]]\n");
		return 2;
	}
	if (rte_eal_init(9, eal) < 0)
		return 1;
	frames = frames_read(argv[2]);
	pipeline = pipeline_make(argv[1]);
	for (unsigned pass = 0; pass < 2; pass++) {
		double least = 1e9;

		for (unsigned round = 0; round < rounds; round++) {
			double each = round_cycles(pipeline, frames, burst, &sink);

			least = each < least ? each : least;
		}
		pipeline_table_stats(pipeline, 0, &stats);
		printf("%s%.1f cycles", pass ? ", with classifier " : "blocks ", least);
		if (pass == 0 && (built = classifiers_add(pipeline)) == 0)
			break;
		if (pass == 1)
			printf(" (%zu rules, %zu KB, built in %.0f ms)", stats.shape.classifier.rules,
				stats.shape.classifier.memory / 1024, built);
	}
	printf("; %u hashes, %u blocks\n", stats.shape.hashes.count, stats.shape.blocks.count);
	return 0;
}
