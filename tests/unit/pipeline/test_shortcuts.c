// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/flow_text.h"
#include "pipeline/pipeline.h"

// What the pipeline leaves out where the installed flows do not ask for it must not show: the same
// flows and one more, which no packet can hit but which matches a header, have the same outcome.

#define PORTS 4
#define FRAME_MAX 128
#define HEADROOM 128
#define OUTCOME 65536

// Everything that came of a burst, as bytes.
struct outcome {
	uint8_t bytes[OUTCOME];
	size_t length;
};

struct bench {
	struct pipeline *pipeline;
	struct pipeline_sink sink;
	struct outcome outcome;
	struct outcome learned; // which may come before or after what became of the packet
	bool in_order;           // the last bytes of the frames that go to a port do not go down
	uint8_t last[PORTS + 1]; // of these, by port
};

struct test_packet {
	struct packet packet;                      // first
	uint8_t buffer[HEADROOM + FRAME_MAX + 16]; // with room for tags
};

static void outcome_note(struct outcome *outcome, const void *bytes, size_t length)
{
	assert_true(outcome->length + length <= OUTCOME);
	memcpy(outcome->bytes + outcome->length, bytes, length);
	outcome->length += length;
}

static void note(struct bench *bench, const void *bytes, size_t length)
{
	outcome_note(&bench->outcome, bytes, length);
}

static void note_word(struct bench *bench, uint32_t word)
{
	note(bench, &word, sizeof(word));
}

static struct bench *bench_of(struct pipeline_sink *sink)
{
	return (struct bench *)((char *)sink - offsetof(struct bench, sink));
}

static void sink_output(struct pipeline_sink *sink, struct packet *packet, uint16_t port)
{
	struct bench *bench = bench_of(sink);

	if (bench->in_order && port <= PORTS) {
		assert_true(packet->data[packet->length - 1] >= bench->last[port]);
		bench->last[port] = packet->data[packet->length - 1];
	}
	note_word(bench_of(sink), 1000u + port);
	note_word(bench_of(sink), packet->length);
	note(bench_of(sink), packet->data, packet->linear);
	free(packet);
}

static void sink_drop(struct pipeline_sink *sink, struct packet *packet, enum drop_reason reason)
{
	note_word(bench_of(sink), 2000u + reason);
	free(packet);
}

static struct packet *sink_copy(struct pipeline_sink *sink, const struct packet *packet)
{
	struct test_packet *copy = malloc(sizeof(*copy));

	copy->packet = *packet;
	copy->packet.data = copy->buffer + HEADROOM;
	copy->packet.headroom = HEADROOM;
	memcpy(copy->packet.data, packet->data, packet->linear);
	return &copy->packet;
}

static void sink_learn(
	struct pipeline_sink *sink, const uint8_t mac[6], uint16_t vlan, uint16_t port)
{
	struct bench *bench = bench_of(sink);
	struct outcome *learned = &bench->learned;
	struct mac_table *macs = pipeline_mac_table(bench->pipeline);

	// Told again, by a packet that came before it was learned, is told once.
	if (mac_table_knows(macs, mac, vlan, port))
		return;
	outcome_note(learned, &port, sizeof(port));
	outcome_note(learned, &vlan, sizeof(vlan));
	outcome_note(learned, mac, 6);
	mac_table_learn(macs, mac, vlan, port, 1);
}

static void sink_output_run(
	struct pipeline_sink *sink, struct packet *packets[], unsigned count, uint16_t port)
{
	for (unsigned i = 0; i < count; i++)
		sink_output(sink, packets[i], port);
}

static void retire(void *context, void (*free_fn)(void *), void *memory)
{
	free_fn(memory);
}

static void flow_add(struct bench *bench, uint64_t id, const char *text)
{
	struct flow_request request;
	struct flow_error error;

	if (flow_request_parse(&request, text, FLOW_ADD, NULL, NULL, &error))
		fail_msg("%s: %s", text, error.message);
	assert_int_equal(pipeline_flow_add(bench->pipeline, id, &request.flow), 0);
}

static void learn(struct bench *bench, uint8_t last, uint16_t vlan, uint16_t port)
{
	mac_table_learn(pipeline_mac_table(bench->pipeline), (uint8_t[]){2, 0, 0, 0, 0, last}, vlan,
		port, 1);
}

static void bench_start(struct bench *bench, const char *const flows[], bool whole)
{
	struct pipeline_config config = {.retirement = {retire, NULL}};
	const struct pipeline_port ports[PORTS] = {
		{.number = 1, .vlan_mode = VLAN_ACCESS, .tag = 10},
		{.number = 2, .vlan_mode = VLAN_TRUNK},
		{.number = 3, .vlan_mode = VLAN_NATIVE_UNTAGGED, .tag = 10, .trunks = {1 << 11}},
		{.number = 4, .vlan_mode = VLAN_ACCESS, .tag = 10, .no_flood = true},
	};

	memset(bench, 0, sizeof(*bench));
	bench->pipeline = pipeline_create(&config);
	bench->sink = (struct pipeline_sink){sink_output, sink_drop, sink_copy, sink_learn,
		.output_run = whole ? NULL : sink_output_run};
	assert_int_equal(pipeline_reader_add(bench->pipeline, 0), 0);
	for (unsigned i = 0; i < PORTS; i++)
		assert_int_equal(pipeline_port_set(bench->pipeline, &ports[i]), 0);
	for (uint8_t last = 1; last <= PORTS; last++)
		learn(bench, last, 10, last);
	learn(bench, 2, 0, 2);
	pipeline_begin(bench->pipeline);
	for (uint64_t id = 1; *flows; flows++, id++)
		flow_add(bench, id, *flows);
	if (whole)
		flow_add(bench, 99,
			"priority=1,in_port=99,tcp6,tp_dst=1,ipv6_src=1::1,actions=drop");
	pipeline_commit(bench->pipeline);
}

// --- Frames ---

static uint32_t state = 1;

static unsigned below(unsigned limit)
{
	state = state * 1664525 + 1013904223;
	return (unsigned)((uint64_t)(state >> 8) * limit >> 24);
}

// Tagged or not, to addresses that are known, unknown, of groups and reserved, cut anywhere.
static size_t frame_make(uint8_t frame[FRAME_MAX])
{
	static const uint16_t types[] = {0x0800, 0x86dd, 0x0806, 0x88cc, 100, 0x8100};
	size_t at = 12;
	uint16_t type = types[below(6)];

	memset(frame, 0, FRAME_MAX);
	frame[0] = frame[6] = 2;
	frame[5] = (uint8_t)below(6);
	frame[11] = (uint8_t)below(6);
	if (below(8) == 0)
		frame[0] = 1;
	else if (below(16) == 0)
		memcpy(frame, (uint8_t[]){0x01, 0x80, 0xc2, 0, 0, 2}, 6);
	for (unsigned tags = below(8) < 6 ? 0 : 1 + below(2); tags > 0; tags--) {
		static const uint8_t vlans[] = {0, 10, 11, 12};

		frame[at] = 0x81;
		frame[at + 3] = vlans[below(4)];
		at += 4;
	}
	frame[at] = (uint8_t)(type >> 8);
	frame[at + 1] = (uint8_t)type;
	memcpy(frame + at + 2,
		(uint8_t[]){0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2},
		20);
	return below(6) == 0 ? below(40) : 60 + below(FRAME_MAX - 60);
}

// As the caller of pipeline_run_alike() does it. True if that was the way.
static bool run_alike(struct bench *bench, uint16_t in_port, struct packet *packets[],
	unsigned count, uint64_t *alike)
{
	uint64_t bytes = 0;
	uint16_t port;

	for (unsigned i = 0; i < count; i++) {
		if (packets[i]->linear < PACKET_NEVER_MALFORMED)
			return false;
		bytes += packets[i]->length;
	}
	if (!pipeline_run_alike(bench->pipeline, 0, in_port, count, bytes, 1000, &port))
		return false;
	for (unsigned i = 0; i < count; i++)
		sink_output(&bench->sink, packets[i], port);
	++*alike;
	return true;
}

static void run(struct bench *bench, uint64_t *alike, uint16_t in_port, uint8_t frames[][FRAME_MAX],
	const size_t lengths[], unsigned count)
{
	struct packet *packets[PIPELINE_BURST];

	for (unsigned i = 0; i < count; i++) {
		struct test_packet *made = calloc(1, sizeof(*made));

		made->packet = (struct packet){.data = made->buffer + HEADROOM,
			.headroom = HEADROOM,
			.linear = (uint16_t)lengths[i],
			.length = (uint32_t)lengths[i],
			.in_port = in_port};
		memcpy(made->packet.data, frames[i], lengths[i]);
		packets[i] = &made->packet;
	}
	bench->outcome.length = bench->learned.length = 0;
	if (!alike || !run_alike(bench, in_port, packets, count, alike))
		pipeline_run(bench->pipeline, 0, packets, count, 1000, &bench->sink);
}

static void same_counters(const struct bench *a, const struct bench *b)
{
	struct pipeline_table_stats x, y;

	for (uint64_t id = 1; id < 99; id++) {
		struct pipeline_flow_stats p, q;
		int result = pipeline_flow_stats(a->pipeline, id, &p);

		assert_int_equal(result, pipeline_flow_stats(b->pipeline, id, &q));
		if (result != 0)
			break;
		assert_int_equal(p.packets, q.packets);
		assert_int_equal(p.bytes, q.bytes);
		assert_int_equal(p.used_ms, q.used_ms);
	}
	pipeline_table_stats(a->pipeline, 0, &x);
	pipeline_table_stats(b->pipeline, 0, &y);
	assert_int_equal(x.lookups, y.lookups);
	assert_int_equal(x.matched, y.matched);
}

// Returns how many bursts pipeline_run_alike() took.
static uint64_t compare(const char *const flows[])
{
	uint64_t alike = 0;
	static struct bench some, whole;
	static uint8_t frames[PIPELINE_BURST][FRAME_MAX];
	size_t lengths[PIPELINE_BURST];

	bench_start(&some, flows, false);
	bench_start(&whole, flows, true);
	for (unsigned burst = 0; burst < 3000; burst++) {
		uint16_t in_port = (uint16_t)(1 + below(PORTS + 1));
		unsigned count = 1 + below(4);
		size_t shortest = FRAME_MAX;

		for (unsigned i = 0; i < count; i++) {
			lengths[i] = frame_make(frames[i]);
			shortest = lengths[i] < shortest ? lengths[i] : shortest;
			// Often of the same pair as the one before.
			if (i > 0 && below(2) == 0)
				memcpy(frames[i], frames[i - 1], 12);
		}
		run(&some, &alike, in_port, frames, lengths, count);
		run(&whole, NULL, in_port, frames, lengths, count);
		// Malformed packets end before all others, unless each is looked at on its own.
		if (shortest >= PACKET_NEVER_MALFORMED || count == 1)
			assert_memory_equal(
				some.outcome.bytes, whole.outcome.bytes, some.outcome.length);
		assert_int_equal(some.outcome.length, whole.outcome.length);
		assert_int_equal(some.learned.length, whole.learned.length);
		assert_memory_equal(some.learned.bytes, whole.learned.bytes, some.learned.length);
	}
	same_counters(&some, &whole);
	pipeline_destroy(some.pipeline);
	pipeline_destroy(whole.pipeline);
	return alike;
}

static void test_outputs(void **context)
{
	uint64_t alike = compare(
		(const char *const[]){"in_port=1,actions=output:2", "in_port=2,actions=output:1",
			"in_port=3,actions=drop", "in_port=4,actions=output:4", NULL});

	assert_true(alike > 500);
	assert_int_equal(compare((const char *const[]){"in_port=1,actions=output:9", NULL}), 0);
	compare((const char *const[]){
		"actions=output:1,output:2,output(port=3,max_len=30),output:4", NULL});
}

static void test_normal(void **context)
{
	compare((const char *const[]){"actions=normal", NULL});
	compare((const char *const[]){"in_port=1,actions=normal", "in_port=2,actions=output:3",
		"priority=0,actions=drop", NULL});
	compare((const char *const[]){"actions=normal,output:2", NULL});
}

static void test_tags_and_addresses(void **context)
{
	compare((const char *const[]){"actions=push_vlan:0x8100,mod_vlan_vid:5,mod_dl_src:02:00:00:"
				      "00:00:77,output:2,normal",
		NULL});
	compare((const char *const[]){
		"in_port=1,actions=mod_vlan_vid:7,all", "actions=strip_vlan,all", NULL});
}

static void test_further_tables(void **context)
{
	compare((const char *const[]){"actions=load:5->reg7[],resubmit(,1),goto_table:2",
		"table=1,reg7=5,actions=load:6->reg1[],output:3", "table=2,reg1=6,actions=output:2",
		NULL});
	// The first table asks for nothing, a later one for addresses, or for headers.
	compare((const char *const[]){"actions=goto_table:1",
		"table=1,dl_dst=02:00:00:00:00:02,actions=output:2",
		"table=1,dl_vlan=10,actions=all", "table=1,priority=0,actions=normal", NULL});
	compare((const char *const[]){"actions=output:4,goto_table:1",
		"table=1,udp,nw_dst=10.0.0.2,actions=dec_ttl,output:2", "table=1,arp,actions=flood",
		NULL});
}

// --- Chains of tables ---

// A resubmit at the end of a list takes the burst along, any other only its packet. `once`: no port
// gets a packet twice, so the order of a burst must be there at each port. Some end by `some_end`.
static void resubmits_alike(const char *const flows[], bool once, enum drop_reason some_end)
{
	static struct bench last, nested;
	static uint8_t frames[PIPELINE_BURST][FRAME_MAX];
	static char texts[16][200];
	const char *others[17] = {NULL};
	size_t lengths[PIPELINE_BURST];
	unsigned ended = 0;

	for (unsigned f = 0; flows[f]; f++) {
		snprintf(texts[f], sizeof(texts[f]), "%s%s", flows[f],
			strstr(flows[f], "resubmit") ? ",load:0->reg7" : "");
		others[f] = texts[f];
	}
	bench_start(&last, flows, true);
	bench_start(&nested, others, true);
	for (unsigned burst = 0; burst < 2000; burst++) {
		// Packets of different ways may pass each other, and of one packet's copies to
		// different ports some may go out before those of another.
		unsigned count = below(2) ? 1 + below(PIPELINE_BURST) : 1;
		uint16_t in_port = (uint16_t)(1 + below(PORTS));

		for (unsigned i = 0; i < count; i++) {
			lengths[i] = frame_make(frames[i]);
			if (i > 0) {
				memcpy(frames[i], frames[0], FRAME_MAX);
				lengths[i] = lengths[0];
				if (lengths[i] >= 60)
					frames[i][lengths[i] - 1] = (uint8_t)i;
			}
		}
		last.in_order = once && count > 1 && lengths[0] >= 60;
		if (last.in_order)
			frames[0][lengths[0] - 1] = 0;
		memset(last.last, 0, sizeof(last.last));
		run(&last, NULL, in_port, frames, lengths, count);
		run(&nested, NULL, in_port, frames, lengths, count);
		assert_int_equal(last.outcome.length, nested.outcome.length);
		if (count == 1)
			assert_memory_equal(
				last.outcome.bytes, nested.outcome.bytes, last.outcome.length);
		for (size_t at = 0; at + 4 <= last.outcome.length && count == 1; at += 4) {
			uint32_t word;

			memcpy(&word, last.outcome.bytes + at, 4);
			ended += word == 2000u + some_end;
		}
	}
	same_counters(&last, &nested);
	assert_true(ended > 0);
	pipeline_destroy(last.pipeline);
	pipeline_destroy(nested.pipeline);
}

static void test_resubmits(void **context)
{
	// Back and forth, with registers, and a table that is not there.
	resubmits_alike((const char *const[]){"ip,actions=load:1->reg0,load:2->reg5,resubmit(,4)",
				"arp,actions=resubmit(,9)", "ipv6,actions=dec_ttl,resubmit(,4)",
				"priority=0,actions=output:3,resubmit(,1)",
				"table=4,reg0=1,actions=load:3->reg0,resubmit(,2)",
				"table=2,reg0=3,reg5=2,actions=goto_table:5",
				"table=5,dl_dst=02:00:00:00:00:02,actions=output:2",
				"table=5,actions=push_vlan:0x8100,resubmit(,1)",
				"table=1,actions=output:4", NULL},
		true, DROP_ACTION_DROP);
	// In circles, with or without an output before.
	resubmits_alike(
		(const char *const[]){"actions=resubmit(,1)",
			"table=1,dl_type=0x0800,actions=goto_table:3",
			"table=1,arp,actions=output:2,resubmit(,3)", "table=3,actions=resubmit(,0)",
			"table=1,priority=1,actions=goto_table:2", NULL},
		false, DROP_RESUBMIT_LIMIT);
	// With what runs lists of its own.
	resubmits_alike(
		(const char *const[]){"actions=resubmit(2,1),resubmit(,3)",
			"table=1,in_port=2,actions=output:4,resubmit(,3)",
			"table=3,in_port=1,actions=normal", "table=3,actions=resubmit(,4)", NULL},
		false, DROP_INGRESS_PORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outputs),
		cmocka_unit_test(test_normal),
		cmocka_unit_test(test_tags_and_addresses),
		cmocka_unit_test(test_further_tables),
		cmocka_unit_test(test_resubmits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
