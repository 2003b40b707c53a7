// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_cache.h"
#include "pipeline/key_fields.h"
#include "pipeline/observer.h"
#include "tests/model/model_program.h"

// The pipeline against the oracle: random programs of flows, random packets. For each packet, what
// is sent where, byte for byte and in order, what becomes an event, and every drop reason must be
// the same. Halfway, transactions change flows, groups and meters; packets run before, within and
// after them. The first packet of every fourth burst is traced before, which must come to the same
// without leaving a trace, and the reasons why flows lost must agree with what matches say.
//
//   test_pipeline_model [SEED [PACKETS [ENTRIES]]]
//
// With ENTRIES, a power of two, the cache of chains is in use in every program that has steps.
//
// Program i of a run has the seed SEED + i; a failure says with which seed it comes again at once.

#define PACKETS_PER_PROGRAM 100
#define TRANSACTIONS 4 // in the middle of a program
#define DEFAULT_SEED 1
#define DEFAULT_PACKETS 200000

// A packet in a block of exactly its size, which knows the packet that it is or was copied from.
struct block {
	struct packet packet; // first
	uint8_t *bytes;
	unsigned origin;
};

struct bench {
	struct pipeline_sink sink;
	struct program *program;
	struct oracle_outcome outcomes[PIPELINE_BURST + 1]; // of the pipeline, by origin
	unsigned alive, copies, ends; // packets and copies: there, asked for, output or dropped
	// Of the packet that is traced, whose origin is PIPELINE_BURST.
	struct pipeline_observer observer;
	unsigned bursts; // so far
	unsigned depth;  // of actions
	bool reasons_agree;
	bool tracing, learned;   // is a packet traced, and has it learned an address
	struct mac_entry *known; // before it did
	size_t known_count;
};

static struct bench *bench_of(struct pipeline_sink *sink)
{
	return (struct bench *)((char *)sink - offsetof(struct bench, sink));
}

static struct block *block_open(
	struct bench *bench, const uint8_t *bytes, size_t length, size_t linear, unsigned headroom)
{
	struct block *block = calloc(1, sizeof(*block));

	if (!block || !(block->bytes = malloc(headroom + length + !length)))
		abort();
	memcpy(block->bytes + headroom, bytes, length);
	block->packet.data = block->bytes + headroom;
	block->packet.headroom = headroom;
	block->packet.linear = linear;
	block->packet.length = length;
	bench->alive++;
	return block;
}

static void block_close(struct bench *bench, struct packet *packet)
{
	struct block *block = (struct block *)packet;

	bench->alive--;
	bench->ends++;
	free(block->bytes);
	free(block);
}

static void sink_output(struct pipeline_sink *sink, struct packet *packet, uint16_t port)
{
	struct bench *bench = bench_of(sink);
	struct block *block = (struct block *)packet;

	oracle_outcome_add(&bench->outcomes[block->origin], port, packet->data, packet->length);
	block_close(bench, packet);
}

static void sink_output_run(
	struct pipeline_sink *sink, struct packet *packets[], unsigned count, uint16_t port)
{
	for (unsigned i = 0; i < count; i++)
		sink_output(sink, packets[i], port);
}

static void sink_drop(struct pipeline_sink *sink, struct packet *packet, enum drop_reason reason)
{
	struct bench *bench = bench_of(sink);
	struct block *block = (struct block *)packet;

	if (reason != DROP_CONSUMED)
		bench->outcomes[block->origin].drops[reason]++;
	block_close(bench, packet);
}

static struct packet *sink_copy(struct pipeline_sink *sink, const struct packet *packet)
{
	const struct block *block = (const struct block *)packet;
	struct block *copy = block_open(
		bench_of(sink), packet->data, packet->length, packet->linear, packet->headroom);

	copy->packet.in_port = packet->in_port;
	copy->origin = block->origin;
	bench_of(sink)->copies++;
	return &copy->packet;
}

// A traced packet learns too, for a while: what becomes of it may depend on its address.
static void sink_learn(
	struct pipeline_sink *sink, const uint8_t mac[6], uint16_t vlan, uint16_t port)
{
	struct bench *bench = bench_of(sink);
	struct mac_table *macs = pipeline_mac_table(bench->program->pipeline);
	size_t cursor = 0;

	if (bench->tracing && !bench->learned) {
		bench->learned = true;
		bench->known_count =
			mac_table_list(macs, 1, &cursor, bench->known, MAC_TABLE_SIZE_DEFAULT);
	}
	mac_table_learn(macs, mac, vlan, port, 1);
}

static bool sink_packet_in(
	struct pipeline_sink *sink, const struct packet *packet, const struct packet_in *event)
{
	const struct block *block = (const struct block *)packet;
	bool taken = program_takes_event(event, packet->length);

	oracle_outcome_event(&bench_of(sink)->outcomes[block->origin], event, taken, packet->data,
		packet->length);
	return taken;
}

static bool sink_port_live(struct pipeline_sink *sink, uint16_t port)
{
	return !bench_of(sink)->program->dead[port];
}

// --- Tracing ---

struct contest {
	const struct packet_key *key;
	const uint64_t *winner;
	const struct flow *won; // NULL: a miss
	uint8_t table;
	bool agree;
};

// Each flow of the table: does it differ exactly if it does not hit, and is none that hits better
// than the winner?
static bool contest_check(void *context, const struct pipeline_flow_stats *stats)
{
	struct contest *contest = context;
	const struct flow *flow = stats->flow;
	const struct flow *won = contest->won;
	struct match_difference difference;
	bool hits;

	if (flow->table != contest->table)
		return true;
	hits = match_hits(&flow->match, contest->key);
	if (match_first_difference(&flow->match, contest->key, NULL, &difference) == hits)
		contest->agree = false;
	if (hits && (!won || flow->priority > won->priority ||
			    (flow->priority == won->priority &&
				    match_compare(&flow->match, &won->match) < 0)))
		contest->agree = false;
	if (won && stats->id == *contest->winner && !hits)
		contest->agree = false;
	return contest->agree;
}

static struct bench *observing(struct pipeline_observer *observer)
{
	return (struct bench *)((char *)observer - offsetof(struct bench, observer));
}

static void observe_lookup(struct pipeline_observer *observer, uint8_t table,
	const struct packet_key *key, const uint64_t *flow)
{
	struct bench *bench = observing(observer);
	struct pipeline *pipeline = bench->program->pipeline;
	struct contest contest = {key, flow, NULL, table, true};
	struct pipeline_flow_stats stats;

	// The flows that can be asked for are those that a commit would bring.
	if (bench->program->changing)
		return;
	if (flow) {
		if (pipeline_flow_stats(pipeline, *flow, &stats) != 0)
			abort();
		contest.won = stats.flow;
	}
	pipeline_flow_each(pipeline, contest_check, &contest);
	bench->reasons_agree &= contest.agree;
}

static void observe_begin(struct pipeline_observer *observer, const struct action *action,
	const struct packet_key *key)
{
	observing(observer)->depth++;
}

static void observe_end(struct pipeline_observer *observer, const struct action *action,
	const struct packet_key *key, enum drop_reason noted)
{
	observing(observer)->depth--;
}

static void observe_bucket(
	struct pipeline_observer *observer, const struct group *group, unsigned index)
{
	if (index >= group->count)
		observing(observer)->reasons_agree = false;
}

static void observe_normal(
	struct pipeline_observer *observer, const struct normal_decision *decision)
{
	// What comes of it is compared.
}

// What the traced packet taught the table must not be known when it really runs.
static void macs_restore(struct bench *bench)
{
	struct mac_table *macs = pipeline_mac_table(bench->program->pipeline);

	mac_table_flush(macs, OFPORT_NONE, -1);
	for (size_t i = 0; i < bench->known_count; i++)
		mac_table_learn(
			macs, bench->known[i].mac, bench->known[i].vlan, bench->known[i].port, 1);
}

// Into outcomes[PIPELINE_BURST]. False, with a message, if it contradicts itself.
static bool trace_one(struct bench *bench, const struct model_packet *given)
{
	struct block *block =
		block_open(bench, given->bytes, given->length, given->linear, given->headroom);

	block->packet.in_port = given->in_port;
	block->origin = PIPELINE_BURST;
	bench->reasons_agree = true;
	bench->tracing = true;
	bench->learned = false;
	pipeline_trace(
		bench->program->pipeline, &block->packet, 1000, &bench->sink, &bench->observer);
	bench->tracing = false;
	if (bench->learned)
		macs_restore(bench);
	if (bench->alive == 0 && bench->depth == 0 && bench->reasons_agree)
		return true;
	printf("the trace has %u packets left, %u actions open, reasons %s\n", bench->alive,
		bench->depth, bench->reasons_agree ? "right" : "wrong");
	return false;
}

// --- Comparing ---

static void print_bytes(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

static void print_outcome(const char *whose, const struct oracle_outcome *outcome)
{
	printf("%s:\n", whose);
	for (size_t i = 0; i < outcome->count; i++) {
		printf("  output:%u ", outcome->outputs[i].port);
		print_bytes(outcome->outputs[i].bytes, outcome->outputs[i].length);
	}
	for (size_t i = 0; i < outcome->event_count; i++) {
		const struct oracle_event *event = &outcome->events[i];

		printf("  %s event: reason %d table %u max_len %u cookie 0x%llx metadata 0x%llx ",
			event->taken ? "taken" : "refused", event->event.reason, event->event.table,
			event->event.max_len, (unsigned long long)event->event.cookie,
			(unsigned long long)event->event.metadata);
		print_bytes(event->bytes, event->length);
	}
	for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++)
		if (outcome->drops[reason])
			printf("  drop %s %u\n", drop_reason_name(reason), outcome->drops[reason]);
}

static void report(const struct program *program, const struct model_packet *packet,
	const struct oracle_outcome *got, const struct oracle_outcome *expected)
{
	program_print(program);
	printf("packet: in_port=%u length=%zu linear=%zu headroom=%u ", packet->in_port,
		packet->length, packet->linear, packet->headroom);
	print_bytes(packet->bytes, packet->length);
	print_outcome("pipeline", got);
	print_outcome("oracle", expected);
	printf("FAILED; again with: test_pipeline_model %llu %u\n",
		(unsigned long long)program->seed, PACKETS_PER_PROGRAM);
}

// The parser by itself: the whole key, and only those lines of it that are asked for.
static bool parses_agree(const struct packet *packet, const struct model_packet *given)
{
	struct oracle_packet oracle;
	struct packet_key key, expected;
	struct packet copy = *packet;
	unsigned lines = given->bytes[5] & 7;
	bool whole = oracle_parse(&oracle, given->bytes, given->length, given->linear,
		given->headroom, given->in_port);

	memset(&key, 0xa5, sizeof(key));
	if (packet_parse(&copy, &key, lines) != whole)
		return false;
	if (!whole)
		return true;
	oracle_key(&oracle, &expected);
	for (unsigned line = 1; line < KEY_LINES; line++)
		if (!(lines & 1u << line))
			memset((uint8_t *)&expected + line * KEY_LINE_SIZE, 0xa5, KEY_LINE_SIZE);
	return memcmp(&key, &expected, sizeof(key)) == 0;
}

// --- Running ---

struct totals {
	unsigned long long packets, outputs, events, exceeded, drops[DROP_REASON_COUNT];
	unsigned long long accepted, refused;
};

static bool run_burst(struct bench *bench, const struct model_packet *packets, unsigned count,
	struct totals *totals)
{
	struct program *program = bench->program;
	struct packet *pointers[PIPELINE_BURST];
	bool traced = bench->bursts++ % 4 == 0;
	bool equal = !traced || trace_one(bench, &packets[0]);
	unsigned exceeded = program_metering_exceeded;

	for (unsigned i = 0; i < count; i++) {
		struct block *block = block_open(bench, packets[i].bytes, packets[i].length,
			packets[i].linear, packets[i].headroom);

		block->packet.in_port = packets[i].in_port;
		block->origin = i;
		pointers[i] = &block->packet;
		if (equal && !parses_agree(&block->packet, &packets[i])) {
			printf("the parser and the oracle's differ on packet %u of the burst: ", i);
			print_bytes(packets[i].bytes, packets[i].length);
			equal = false;
		}
	}
	bench->copies = bench->ends = 0;
	pipeline_run(program->pipeline, 0, pointers, count, 1000, &bench->sink);
	if (bench->alive != 0 || count + bench->copies != bench->ends) {
		printf("%u packets have not ended; %u and %u copies ended %u times\n", bench->alive,
			count, bench->copies, bench->ends);
		equal = false;
	}
	// To a trace, no rate is exceeded.
	exceeded = program_metering_exceeded - exceeded;
	totals->exceeded += exceeded;
	if (traced && exceeded == 0 &&
		!oracle_outcomes_equal(&bench->outcomes[PIPELINE_BURST], &bench->outcomes[0])) {
		print_outcome("trace", &bench->outcomes[PIPELINE_BURST]);
		equal = false;
	}
	for (unsigned i = 0; i < count; i++) {
		struct oracle_outcome expected = {0};

		oracle_run(&program->oracle, packets[i].bytes, packets[i].length, packets[i].linear,
			packets[i].headroom, packets[i].in_port, &expected);
		if (equal && !oracle_outcomes_equal(&bench->outcomes[i], &expected))
			equal = false;
		if (!equal && i < count) {
			report(program, &packets[i], &bench->outcomes[i], &expected);
			count = i + 1; // the first is enough
		}
		totals->packets++;
		totals->outputs += expected.count;
		totals->events += expected.event_count;
		for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++)
			totals->drops[reason] += expected.drops[reason];
		oracle_outcome_free(&expected);
	}
	for (unsigned i = 0; i <= PIPELINE_BURST; i++)
		oracle_outcome_free(&bench->outcomes[i]);
	return equal;
}

// `packets` random ones.
static bool run_packets(struct bench *bench, unsigned packets, struct totals *totals)
{
	static struct model_packet burst[PIPELINE_BURST];
	struct model_random *random = &bench->program->random;

	for (unsigned done = 0; done < packets;) {
		unsigned most = bench->program->ordered ? 1 : 1 + model_below(random, 32);
		unsigned count = packets - done < most ? packets - done : most;

		for (unsigned i = 0; i < count; i++)
			model_packet(random, &burst[i]);
		if (!run_burst(bench, burst, count, totals))
			return false;
		done += count;
	}
	return true;
}

static bool counts_agree(const struct program *program)
{
	if (program_counts_agree(program))
		return true;
	program_print(program);
	printf("FAILED; again with: test_pipeline_model %llu %u\n",
		(unsigned long long)program->seed, PACKETS_PER_PROGRAM);
	return false;
}

static bool run_transactions(struct bench *bench, unsigned packets, struct totals *totals)
{
	struct program *program = bench->program;

	for (unsigned i = 0; i < TRANSACTIONS; i++) {
		program_begin(program);
		if (!run_packets(bench, packets / TRANSACTIONS, totals))
			return false;
		program_end(program, i == TRANSACTIONS - 1 || model_once_in(&program->random, 2));
		if (!counts_agree(program))
			return false;
	}
	return true;
}

static bool run_program(uint64_t seed, unsigned packets, struct totals *totals)
{
	static struct program program;
	static struct mac_entry known[MAC_TABLE_SIZE_DEFAULT];
	struct bench bench = {
		.sink = {sink_output, sink_drop, sink_copy, sink_learn, sink_packet_in,
			sink_port_live, seed % 2 ? sink_output_run : NULL},
		.observer = {.lookup = observe_lookup,
			.begin = observe_begin,
			.end = observe_end,
			.bucket = observe_bucket,
			.normal = observe_normal},
		.program = &program,
		.known = known,
	};
	bool good;

	program_open(&program, seed, true);
	good = run_packets(&bench, packets * 2 / 5, totals) && counts_agree(&program) &&
	       run_transactions(&bench, packets / 5, totals) &&
	       run_packets(&bench,
		       packets - packets * 2 / 5 - packets / 5 / TRANSACTIONS * TRANSACTIONS,
		       totals) &&
	       counts_agree(&program);
	totals->accepted += program.accepted;
	totals->refused += program.refused;
	program_close(&program);
	return good;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : DEFAULT_SEED;
	unsigned long long packets = argc > 2 ? strtoull(argv[2], NULL, 0) : DEFAULT_PACKETS;
	struct totals totals = {0};

	if (argc > 3)
		cache_force(CACHE_ALWAYS, (uint32_t)strtoul(argv[3], NULL, 0));
	printf("seed %llu, %llu packets\n", (unsigned long long)seed, packets);
	fflush(stdout);
	for (uint64_t program = 0; totals.packets < packets; program++) {
		unsigned left = packets - totals.packets < PACKETS_PER_PROGRAM
					? packets - totals.packets
					: PACKETS_PER_PROGRAM;

		if (!run_program(seed + program, left, &totals))
			return 1;
	}
	printf("%llu packets, %llu outputs, %llu events, %llu over a rate", totals.packets,
		totals.outputs, totals.events, totals.exceeded);
	for (unsigned reason = 0; reason < DROP_REASON_COUNT; reason++)
		if (totals.drops[reason])
			printf(", %s %llu", drop_reason_name(reason), totals.drops[reason]);
	printf("; %llu flows, %llu refused by the parser\n", totals.accepted, totals.refused);
	// A test in which little happens shows little.
	if (packets >= DEFAULT_PACKETS &&
		(totals.outputs < totals.packets / 4 || totals.events < totals.packets / 20 ||
			totals.exceeded < totals.packets / 100)) {
		printf("FAILED: too few outputs, events or packets over a rate\n");
		return 1;
	}
	return 0;
}
