// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/flow_cache.h"
#include "pipeline/flow_table.h"
#include "pipeline/flow_text.h"
#include "pipeline/pipeline.h"
#include "tests/model/naive_classifier.h"

// One writer, two readers, no locks: what a burst sees is one version of all tables.
//
// Every transaction replaces a tag: table 0 writes the number of the transaction into a register,
// table 7 sends that number, and only that, to port 2. A reader that saw half of a transaction
// would miss in table 7. Meanwhile rules come and go beside them, so that the lookup structures
// grow, change their kind and are retired, and MAC addresses are learned and looked up. Grace
// periods are counted by hand: a reader bumps its count between bursts. A thread of its own builds
// classifiers for the tables, which come into use when they are out of date.
//
// Usage: test_versions [TRANSACTIONS [ENTRIES]]. To be run under ThreadSanitizer too. With ENTRIES,
// the cache of chains, which has to forget with every transaction, is always on. When there are no
// more transactions it has to be of use; for that it needs room for many of the 2,048 different
// frames.

#define READERS 2
#define REST_BURSTS 10000u // in which each of the 2,048 different frames comes many times
#define NOISE_ID 1000000000ULL

struct retired {
	struct retired *next;
	void (*free_fn)(void *);
	void *memory;
	uint64_t since[READERS];
};

struct world {
	struct pipeline *pipeline;
	uint64_t rounds[READERS]; // bursts that each reader has ended
	bool stop;
	struct retired *first, **last;
	uint64_t freed;
	struct classifier_job *job; // the writer's; or NULL
	struct classifier_job *to_build, *built; // to and from the builder; or NULL
	uint64_t classifiers; // that came into use
};

struct reader {
	struct world *world;
	unsigned slot;
	struct pipeline_sink sink;
	uint64_t sent, dropped;
};

static void retire(void *context, void (*free_fn)(void *), void *memory)
{
	struct world *world = context;
	struct retired *retired = calloc(1, sizeof(*retired));

	if (!retired)
		abort();
	retired->free_fn = free_fn;
	retired->memory = memory;
	for (unsigned r = 0; r < READERS; r++)
		retired->since[r] = __atomic_load_n(&world->rounds[r], __ATOMIC_SEQ_CST);
	*world->last = retired;
	world->last = &retired->next;
}

// Free what every reader has let go of. A burst that was under way when the memory was retired has
// ended when the reader's count has grown by one.
static void reclaim(struct world *world, bool all)
{
	while (world->first) {
		struct retired *retired = world->first;

		for (unsigned r = 0; r < READERS && !all; r++)
			if (__atomic_load_n(&world->rounds[r], __ATOMIC_ACQUIRE) <=
				retired->since[r])
				return;
		world->first = retired->next;
		if (!world->first)
			world->last = &world->first;
		retired->free_fn(retired->memory);
		free(retired);
		world->freed++;
	}
}

static struct reader *reader_of(struct pipeline_sink *sink)
{
	return (struct reader *)((char *)sink - offsetof(struct reader, sink));
}

static void sink_output(struct pipeline_sink *sink, struct packet *packet, uint16_t port)
{
	reader_of(sink)->sent++;
}

static void sink_drop(struct pipeline_sink *sink, struct packet *packet, enum drop_reason reason)
{
	reader_of(sink)->dropped++;
}

static struct packet *sink_copy(struct pipeline_sink *sink, const struct packet *packet)
{
	return NULL;
}

static void sink_learn(
	struct pipeline_sink *sink, const uint8_t mac[6], uint16_t vlan, uint16_t port)
{
}

// Of `number` the eleven lowest bits count.
static void make_frame(uint8_t *frame, unsigned number)
{
	static const uint8_t start[40] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 46,
		0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 4, 0, 0, 0, 0, 26};

	memset(frame, 0, 60);
	memcpy(frame, start, sizeof(start));
	frame[29] = number;
	frame[36] = number >> 3;
	frame[37] = number;
}

static void *run_reader(void *argument)
{
	struct reader *reader = argument;
	struct world *world = reader->world;
	uint8_t bytes[PIPELINE_BURST][192];
	struct packet packets[PIPELINE_BURST];
	struct packet *pointers[PIPELINE_BURST];
	unsigned number = 0;

	while (!__atomic_load_n(&world->stop, __ATOMIC_ACQUIRE)) {
		for (unsigned i = 0; i < PIPELINE_BURST; i++) {
			packets[i] = (struct packet){.data = bytes[i] + 128,
				.headroom = 128,
				.linear = 60,
				.length = 60,
				.in_port = 1};
			pointers[i] = &packets[i];
			make_frame(packets[i].data, number++);
		}
		pipeline_run(
			world->pipeline, reader->slot, pointers, PIPELINE_BURST, 1, &reader->sink);
		__atomic_store_n(&world->rounds[reader->slot], world->rounds[reader->slot] + 1,
			__ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void must(int error, const char *what)
{
	if (error) {
		fprintf(stderr, "test_versions: %s: %d\n", what, error);
		exit(1);
	}
}

static void add(struct world *world, uint64_t id, const char *text)
{
	struct flow_request request;
	struct flow_error error;

	if (flow_request_parse(&request, text, FLOW_ADD, NULL, NULL, &error)) {
		fprintf(stderr, "test_versions: %s: %s\n", text, error.message);
		exit(1);
	}
	must(pipeline_flow_add(world->pipeline, id, &request.flow), "add");
}

static void add_tag(struct world *world, unsigned version)
{
	char text[160];

	snprintf(text, sizeof(text), "priority=%u,actions=load:%u->NXM_NX_REG1[],goto_table:7",
		1 + version % 3, version);
	add(world, 2 * version, text);
	snprintf(text, sizeof(text), "table=7,reg1=%u,actions=output:2", version);
	add(world, 2 * version + 1, text);
}

// Rules of many shapes around the tag, below it in table 7 so that they never win.
static void add_noise(struct world *world, unsigned number)
{
	static const char *const shapes[] = {
		"table=7,priority=5,reg1=0x%x/0x%x,udp,udp_dst=%u,actions=drop",
		"table=7,priority=5,reg0=0x%x,reg2=0x%x,udp,udp_dst=%u,actions=drop",
		"table=7,priority=5,metadata=0x%x/0xff%x,udp,udp_src=%u,actions=drop",
	};
	char text[160];

	snprintf(text, sizeof(text), shapes[number % 3], 0x40000000 + number,
		0x40000000 | (number % 200), number % 65536);
	add(world, NOISE_ID + number, text);
}

enum { NOISE = 300 };

// Everything that transaction `version` changes.
static void stage(struct world *world, unsigned version)
{
	pipeline_begin(world->pipeline);
	add_tag(world, version);
	add_noise(world, version);
	must(pipeline_flow_remove(world->pipeline, 2 * (version - 1)), "remove");
	must(pipeline_flow_remove(world->pipeline, 2 * (version - 1) + 1), "remove");
	if (version > NOISE)
		must(pipeline_flow_remove(world->pipeline, NOISE_ID + version - NOISE + 1),
			"remove noise");
}

// --- Classifiers ---

static void *run_builder(void *argument)
{
	struct world *world = argument;

	while (!__atomic_load_n(&world->stop, __ATOMIC_ACQUIRE)) {
		struct classifier_job *job =
			__atomic_exchange_n(&world->to_build, NULL, __ATOMIC_ACQ_REL);

		if (!job) {
			sched_yield();
			continue;
		}
		classifier_job_run(job);
		__atomic_store_n(&world->built, job, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void classifiers_step(struct world *world)
{
	struct classifier_job *built;

	if (!world->job) {
		world->job = pipeline_classifier_job(world->pipeline, 0);
		__atomic_store_n(&world->to_build, world->job, __ATOMIC_RELEASE);
		return;
	}
	built = __atomic_exchange_n(&world->built, NULL, __ATOMIC_ACQ_REL);
	if (!built)
		return;
	world->classifiers += built->state && built->table;
	classifier_job_end(built, 0);
	world->job = NULL;
}

static void write_versions(struct world *world, unsigned transactions)
{
	for (unsigned version = 2; version < transactions + 2; version++) {
		stage(world, version);
		if (version % 16 == 5) {
			// That one never was.
			pipeline_abort(world->pipeline);
			stage(world, version);
		}
		pipeline_commit(world->pipeline);
		classifiers_step(world);
		reclaim(world, false);
	}
}

// A reader that nobody disturbs knows frames again. It is asked in bursts, not in time, of which it
// may get little.
static void wait_for_hits(const struct world *world, unsigned reader)
{
	uint64_t hits = cache_hits(world->pipeline, reader);
	uint64_t rounds = __atomic_load_n(&world->rounds[reader], __ATOMIC_ACQUIRE);

	while (cache_hits(world->pipeline, reader) == hits) {
		must(__atomic_load_n(&world->rounds[reader], __ATOMIC_ACQUIRE) - rounds >
				REST_BURSTS,
			"a cache without hits");
		sched_yield();
	}
}

static uint64_t all_hits(const struct world *world)
{
	uint64_t hits = 0;

	for (unsigned r = 0; r < READERS; r++)
		hits += cache_hits(world->pipeline, r);
	return hits;
}

int main(int argc, char **argv)
{
	unsigned transactions = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
	struct world world = {.last = &world.first};
	struct pipeline_config config = {
		.retirement = {retire, &world}, .classifier = &naive_classifier};
	struct reader readers[READERS];
	pthread_t threads[READERS], builder;
	uint64_t dropped = 0;

	flow_table_job_eagerly(true);
	if (argc > 2)
		cache_force(CACHE_ALWAYS, (uint32_t)strtoul(argv[2], NULL, 10));
	world.pipeline = pipeline_create(&config);
	must(!world.pipeline, "create");
	for (uint16_t number = 1; number <= 2; number++) {
		struct pipeline_port port = {.number = number};

		must(pipeline_port_set(world.pipeline, &port), "port");
	}
	pipeline_begin(world.pipeline);
	add_tag(&world, 1);
	pipeline_commit(world.pipeline);
	for (unsigned r = 0; r < READERS; r++) {
		readers[r] = (struct reader){.world = &world,
			.slot = r,
			.sink = {sink_output, sink_drop, sink_copy, sink_learn}};
		must(pipeline_reader_add(world.pipeline, r), "reader");
		must(pthread_create(&threads[r], NULL, run_reader, &readers[r]), "thread");
	}
	must(pthread_create(&builder, NULL, run_builder, &world), "thread");
	write_versions(&world, transactions);
	for (unsigned r = 0; r < READERS && argc > 2; r++)
		wait_for_hits(&world, r);
	__atomic_store_n(&world.stop, true, __ATOMIC_RELEASE);
	for (unsigned r = 0; r < READERS; r++) {
		pthread_join(threads[r], NULL);
		printf("reader %u: %lu bursts, %lu packets sent, %lu dropped\n", r, world.rounds[r],
			readers[r].sent, readers[r].dropped);
		dropped += readers[r].dropped;
	}
	pthread_join(builder, NULL);
	if (world.job)
		classifier_job_end(world.job, 0);
	reclaim(&world, true);
	printf("%lu classifiers came into use\n", world.classifiers);
	printf("%u transactions, %lu pieces of memory retired\n", transactions, world.freed);
	printf("%lu packets by way of the cache\n", all_hits(&world));
	pipeline_destroy(world.pipeline);
	return dropped || world.classifiers == 0 ? 1 : 0;
}
