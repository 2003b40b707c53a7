// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/flow_text.h"
#include "tests/unit/pipeline/group_bench.h"

static struct bench *bench_of(struct pipeline_sink *sink)
{
	return (struct bench *)((char *)sink - offsetof(struct bench, sink));
}

static void retire(void *context, void (*free_fn)(void *), void *memory)
{
	struct bench *bench = context;

	assert_true(bench->retired_count < 512);
	bench->retired[bench->retired_count++] = (struct retired){free_fn, memory};
}

void grace(struct bench *bench)
{
	for (unsigned i = 0; i < bench->retired_count; i++)
		bench->retired[i].free_fn(bench->retired[i].memory);
	bench->retired_count = 0;
}

static void sink_output(struct pipeline_sink *sink, struct packet *packet, uint16_t port)
{
	struct bench *bench = bench_of(sink);
	struct output *output = &bench->outputs[bench->count++];

	assert_true(bench->count <= OUTPUTS);
	output->port = port;
	output->length = packet->length;
	memcpy(output->frame, packet->data, packet->linear);
	bench->ends++;
	free(packet);
}

static void sink_drop(struct pipeline_sink *sink, struct packet *packet, enum drop_reason reason)
{
	struct bench *bench = bench_of(sink);

	bench->drops[reason]++;
	bench->ends++;
	free(packet);
}

static struct packet *sink_copy(struct pipeline_sink *sink, const struct packet *packet)
{
	struct test_packet *copy = malloc(sizeof(*copy));

	assert_non_null(copy);
	copy->packet = *packet;
	copy->packet.data = copy->buffer + HEADROOM;
	copy->packet.headroom = HEADROOM;
	memcpy(copy->packet.data, packet->data, packet->linear);
	bench_of(sink)->copies++;
	return &copy->packet;
}

static void sink_learn(
	struct pipeline_sink *sink, const uint8_t mac[6], uint16_t vlan, uint16_t port)
{
}

static bool sink_packet_in(
	struct pipeline_sink *sink, const struct packet *packet, const struct packet_in *event)
{
	struct bench *bench = bench_of(sink);

	if (bench->deaf)
		return false;
	bench->events++;
	bench->event = *event;
	return true;
}

static bool sink_port_live(struct pipeline_sink *sink, uint16_t port)
{
	return !bench_of(sink)->dead[port];
}

// --- A meter that the test turns by hand ---

struct fake_meter {
	unsigned left[METER_BANDS_MAX]; // packets until a band is exceeded
	unsigned count;
};

static void *fake_create(const struct meter *meter)
{
	struct fake_meter *fake = calloc(1, sizeof(*fake));

	fake->count = (unsigned)meter->count;
	for (unsigned i = 0; i < fake->count; i++)
		fake->left[i] = meter->bands[i].burst;
	return fake;
}

static unsigned fake_charge(void *state, uint32_t length)
{
	struct fake_meter *fake = state;
	unsigned exceeded = 0;

	for (unsigned i = 0; i < fake->count; i++) {
		if (fake->left[i] == 0)
			exceeded |= 1u << i;
		else
			fake->left[i]--;
	}
	return exceeded;
}

static const struct metering fake_metering = {fake_create, free, fake_charge};

int bench_setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct pipeline_config config = {.retirement = {retire, bench}, .metering = &fake_metering};

	bench->pipeline = pipeline_create(&config);
	assert_non_null(bench->pipeline);
	bench->sink = (struct pipeline_sink){
		sink_output, sink_drop, sink_copy, sink_learn, sink_packet_in, sink_port_live};
	assert_int_equal(pipeline_reader_add(bench->pipeline, 0), 0);
	for (uint16_t number = 1; number <= PORTS; number++) {
		struct pipeline_port port = {.number = number};

		assert_int_equal(pipeline_port_set(bench->pipeline, &port), 0);
	}
	grace(bench);
	*state = bench;
	return 0;
}

int bench_teardown(void **state)
{
	struct bench *bench = *state;

	grace(bench);
	pipeline_destroy(bench->pipeline);
	free(bench);
	return 0;
}

// --- Programs ---

static void flow_put(struct bench *bench, uint64_t id, const char *text)
{
	struct flow_request request;
	struct flow_error error;

	if (flow_request_parse(&request, text, FLOW_ADD, NULL, NULL, &error))
		fail_msg("%s: %s", text, error.message);
	assert_int_equal(pipeline_flow_add(bench->pipeline, id, &request.flow), 0);
}

void install(struct bench *bench, uint64_t id, const char *text)
{
	pipeline_begin(bench->pipeline);
	flow_put(bench, id, text);
	pipeline_commit(bench->pipeline);
}

struct group group_of(uint32_t id, enum group_type type, const struct bucket_text *texts)
{
	struct group group = {.id = id, .type = type};
	struct flow_error error;

	group.buckets = calloc(GROUP_BUCKETS_MAX, sizeof(group.buckets[0]));
	for (; texts[group.count].actions; group.count++) {
		const struct bucket_text *text = &texts[group.count];
		struct bucket *bucket = &group.buckets[group.count];

		bucket->id = (uint32_t)group.count;
		bucket->weight = text->weight;
		bucket->watch_port = text->watch_port ? text->watch_port : OFPORT_NONE;
		bucket->watch_group = text->watch_group ? text->watch_group : GROUP_NONE;
		if (actions_parse_alone(
			    &bucket->actions, "a bucket", text->actions, NULL, NULL, &error))
			fail_msg("%s: %s", text->actions, error.message);
	}
	return group;
}

void group_put(
	struct bench *bench, uint32_t id, enum group_type type, const struct bucket_text *texts)
{
	struct group group = group_of(id, type, texts);

	assert_int_equal(pipeline_group_put(bench->pipeline, &group), 0);
}

void group_install(
	struct bench *bench, uint32_t id, enum group_type type, const struct bucket_text *texts)
{
	pipeline_begin(bench->pipeline);
	group_put(bench, id, type, texts);
	pipeline_commit(bench->pipeline);
}

void meter_install(struct bench *bench, const struct meter *meter)
{
	pipeline_begin(bench->pipeline);
	assert_int_equal(pipeline_meter_put(bench->pipeline, meter), 0);
	pipeline_commit(bench->pipeline);
}

// --- Packets ---

struct packet *packet_make(uint16_t in_port, uint16_t destination, uint8_t tos)
{
	static const uint8_t headers[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0,
		FRAME - 14, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 4, 0, 0, 0, 0,
		FRAME - 34, 0, 0};
	struct test_packet *made = calloc(1, sizeof(*made));

	made->packet = (struct packet){.data = made->buffer + HEADROOM,
		.headroom = HEADROOM,
		.linear = FRAME,
		.length = FRAME,
		.in_port = in_port};
	memcpy(made->packet.data, headers, sizeof(headers));
	made->packet.data[15] = tos;
	made->packet.data[36] = (uint8_t)(destination >> 8);
	made->packet.data[37] = (uint8_t)destination;
	return &made->packet;
}

void forget(struct bench *bench)
{
	bench->count = bench->copies = bench->ends = bench->events = 0;
	memset(bench->drops, 0, sizeof(bench->drops));
}

void send_tos(struct bench *bench, uint16_t destination, uint8_t tos)
{
	struct packet *packets[1] = {packet_make(1, destination, tos)};

	forget(bench);
	pipeline_run(bench->pipeline, 0, packets, 1, 1000, &bench->sink);
	// Nothing is lost and nothing is made up.
	assert_int_equal(bench->ends, 1 + bench->copies);
}

void send_frame(struct bench *bench, uint16_t destination)
{
	send_tos(bench, destination, 0);
}

// The ports that got something, in order, as digits of a number.
unsigned ports_of(const struct bench *bench)
{
	unsigned ports = 0;

	for (unsigned i = 0; i < bench->count; i++)
		ports = ports * 10 + bench->outputs[i].port;
	return ports;
}

uint8_t last_byte_of_destination(const struct bench *bench, unsigned output)
{
	return bench->outputs[output].frame[5];
}
