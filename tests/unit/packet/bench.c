// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/packet/bench.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_text.h"
#include "tests/unit/packet/cmocka_all.h"

#define PLENTY 64

// A packet and its bytes, in a block of exactly the size that it needs.
struct bench_packet {
	struct packet packet; // first
	uint8_t *block;
};

static struct bench *bench_of(struct pipeline_sink *sink)
{
	return (struct bench *)((char *)sink - offsetof(struct bench, sink));
}

static struct bench_packet *packet_open(
	struct bench *bench, const uint8_t *bytes, size_t length, unsigned headroom)
{
	struct bench_packet *opened = calloc(1, sizeof(*opened));

	assert_non_null(opened);
	opened->block = malloc(headroom + length);
	assert_non_null(opened->block);
	memcpy(opened->block + headroom, bytes, length);
	opened->packet = (struct packet){
		.data = opened->block + headroom,
		.headroom = headroom,
		.linear = length,
		.length = length,
	};
	bench->alive++;
	return opened;
}

static struct bench_event *packet_end(struct bench *bench, struct packet *packet)
{
	struct bench_packet *ended = (struct bench_packet *)packet;
	struct bench_event *event = &bench->events[bench->event_count++];

	assert_true(bench->event_count <= BENCH_EVENTS);
	assert_true(bench->alive > 0);
	assert_true(packet->data - packet->headroom == ended->block);
	event->length = packet->length;
	memcpy(event->bytes, packet->data, packet->length);
	bench->alive--;
	free(ended->block);
	free(ended);
	return event;
}

static void sink_output(struct pipeline_sink *sink, struct packet *packet, uint16_t port)
{
	struct bench_event *event = packet_end(bench_of(sink), packet);

	event->sent = true;
	event->port = port;
}

static void sink_output_run(
	struct pipeline_sink *sink, struct packet *packets[], unsigned count, uint16_t port)
{
	for (unsigned i = 0; i < count; i++)
		sink_output(sink, packets[i], port);
}

static void sink_drop(struct pipeline_sink *sink, struct packet *packet, enum drop_reason reason)
{
	struct bench_event *event = packet_end(bench_of(sink), packet);

	event->sent = false;
	event->reason = reason;
}

static struct packet *sink_copy(struct pipeline_sink *sink, const struct packet *packet)
{
	struct bench *bench = bench_of(sink);
	struct bench_packet *copy;

	bench->copies++;
	if (bench->copies_left == 0) {
		struct bench_event *event = &bench->events[bench->event_count++];

		event->sent = false;
		event->reason = DROP_NO_MEMORY;
		return NULL;
	}
	bench->copies_left--;
	copy = packet_open(bench, packet->data, packet->length, packet->headroom);
	copy->packet.in_port = packet->in_port;
	return &copy->packet;
}

static void sink_learn(
	struct pipeline_sink *sink, const uint8_t mac[6], uint16_t vlan, uint16_t port)
{
	struct bench *bench = bench_of(sink);

	bench->learned++;
	mac_table_learn(pipeline_mac_table(bench->pipeline), mac, vlan, port, bench->now_ms / 1000);
}

static void retire_at_once(void *context, void (*free_fn)(void *), void *memory)
{
	free_fn(memory);
}

void bench_open(struct bench *bench, unsigned ports)
{
	struct pipeline_config config = {.retirement = {.retire = retire_at_once}};

	memset(bench, 0, sizeof(*bench));
	bench->pipeline = pipeline_create(&config);
	assert_non_null(bench->pipeline);
	assert_int_equal(pipeline_reader_add(bench->pipeline, 0), 0);
	bench->sink = (struct pipeline_sink){sink_output, sink_drop, sink_copy, sink_learn,
		.output_run = sink_output_run};
	bench->next_flow = 1;
	bench->now_ms = 1000;
	bench->copies_left = UINT32_MAX;
	bench->events = calloc(BENCH_EVENTS, sizeof(bench->events[0]));
	assert_non_null(bench->events);
	for (unsigned i = 1; i <= ports; i++)
		bench_port(bench, i, VLAN_TRUNK, 0);
}

void bench_close(struct bench *bench)
{
	pipeline_destroy(bench->pipeline);
	free(bench->events);
}

void bench_trunks(
	struct bench *bench, uint16_t number, enum vlan_mode mode, uint16_t tag, const int *vlans)
{
	struct pipeline_port port = {.number = number, .vlan_mode = mode, .tag = tag};

	for (; *vlans >= 0; vlans++)
		port.trunks[*vlans / 64] |= 1ull << *vlans % 64;
	assert_int_equal(pipeline_port_set(bench->pipeline, &port), 0);
}

void bench_port(struct bench *bench, uint16_t number, enum vlan_mode mode, uint16_t tag)
{
	static const int none[] = {-1};

	bench_trunks(bench, number, mode, tag, none);
}

void bench_flow(struct bench *bench, const char *text)
{
	struct flow_request request;
	struct flow_warnings warnings = {0};
	struct flow_error error;

	if (flow_request_parse(&request, text, FLOW_ADD, NULL, &warnings, &error))
		fail_msg("%s: %s", text, error.message);
	pipeline_begin(bench->pipeline);
	assert_int_equal(pipeline_flow_add(bench->pipeline, bench->next_flow++, &request.flow), 0);
	pipeline_commit(bench->pipeline);
	flow_request_destroy(&request);
}

void bench_run_tight(
	struct bench *bench, const struct frame *frame, uint16_t in_port, unsigned headroom)
{
	struct bench_packet *opened;
	struct packet *packets[1];

	bench->event_count = 0;
	bench->copies = 0;
	bench->learned = 0;
	opened = packet_open(bench, frame->bytes, frame->length, headroom);
	opened->packet.in_port = in_port;
	packets[0] = &opened->packet;
	pipeline_run(bench->pipeline, 0, packets, 1, bench->now_ms, &bench->sink);
	assert_int_equal(bench->alive, 0);
	assert_int_equal(bench->event_count, 1 + bench->copies);
}

void bench_run(struct bench *bench, const struct frame *frame, uint16_t in_port)
{
	bench_run_tight(bench, frame, in_port, PLENTY);
}

void bench_expect_sent(
	struct bench *bench, unsigned index, uint16_t port, const struct frame *frame)
{
	const struct bench_event *event = &bench->events[index];

	assert_true(index < bench->event_count);
	if (!event->sent)
		fail_msg("event %u is a drop: %s", index, drop_reason_name(event->reason));
	assert_int_equal(event->port, port);
	assert_int_equal(event->length, frame->length);
	assert_memory_equal(event->bytes, frame->bytes, frame->length);
}

void bench_expect_drop(struct bench *bench, unsigned index, enum drop_reason reason)
{
	const struct bench_event *event = &bench->events[index];

	assert_true(index < bench->event_count);
	assert_false(event->sent);
	assert_string_equal(drop_reason_name(event->reason), drop_reason_name(reason));
}

void bench_expect_events(struct bench *bench, unsigned count)
{
	assert_int_equal(bench->event_count, count);
}

void bench_expect_only_sent(struct bench *bench, uint16_t port, const struct frame *frame)
{
	bench_expect_events(bench, 1);
	bench_expect_sent(bench, 0, port, frame);
}

void bench_expect_only_drop(struct bench *bench, enum drop_reason reason)
{
	bench_expect_events(bench, 1);
	bench_expect_drop(bench, 0, reason);
}
