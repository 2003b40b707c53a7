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
#include "pipeline/group_select.h"
#include "pipeline/pipeline.h"

// What groups, meters, controller and truncated outputs do to packets, in versions and with
// counters; and that every packet and copy ends exactly once.

#define FRAME 100
#define HEADROOM 128
#define OUTPUTS 64
#define PORTS 5

struct retired {
	void (*free_fn)(void *);
	void *memory;
};

struct output {
	uint16_t port;
	uint32_t length;
	uint8_t frame[FRAME + 8];
};

struct bench {
	struct pipeline *pipeline;
	struct retired retired[512];
	unsigned retired_count;
	bool dead[PORTS + 1];
	bool deaf; // nobody takes events
	struct pipeline_sink sink;
	// What came of the last packet.
	struct output outputs[OUTPUTS];
	unsigned count, copies, ends;
	unsigned drops[DROP_REASON_COUNT];
	unsigned events;
	struct packet_in event;
};

// A packet with its frame, which the sink frees.
struct test_packet {
	struct packet packet; // first
	uint8_t buffer[HEADROOM + FRAME];
};

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

static void grace(struct bench *bench)
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

static int setup(void **state)
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

static int teardown(void **state)
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

static void install(struct bench *bench, uint64_t id, const char *text)
{
	pipeline_begin(bench->pipeline);
	flow_put(bench, id, text);
	pipeline_commit(bench->pipeline);
}

struct bucket_text {
	const char *actions;
	uint16_t weight, watch_port;
	uint32_t watch_group;
};

// Ends with a bucket without actions text; watches of 0 are none.
static struct group group_of(uint32_t id, enum group_type type, const struct bucket_text *texts)
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

static void group_put(
	struct bench *bench, uint32_t id, enum group_type type, const struct bucket_text *texts)
{
	struct group group = group_of(id, type, texts);

	assert_int_equal(pipeline_group_put(bench->pipeline, &group), 0);
}

static void group_install(
	struct bench *bench, uint32_t id, enum group_type type, const struct bucket_text *texts)
{
	pipeline_begin(bench->pipeline);
	group_put(bench, id, type, texts);
	pipeline_commit(bench->pipeline);
}

static void meter_install(struct bench *bench, const struct meter *meter)
{
	pipeline_begin(bench->pipeline);
	assert_int_equal(pipeline_meter_put(bench->pipeline, meter), 0);
	pipeline_commit(bench->pipeline);
}

// --- Packets ---

static struct packet *packet_make(uint16_t in_port, uint16_t destination, uint8_t tos)
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

static void forget(struct bench *bench)
{
	bench->count = bench->copies = bench->ends = bench->events = 0;
	memset(bench->drops, 0, sizeof(bench->drops));
}

static void send_tos(struct bench *bench, uint16_t destination, uint8_t tos)
{
	struct packet *packets[1] = {packet_make(1, destination, tos)};

	forget(bench);
	pipeline_run(bench->pipeline, 0, packets, 1, 1000, &bench->sink);
	// Nothing is lost and nothing is made up.
	assert_int_equal(bench->ends, 1 + bench->copies);
}

static void send(struct bench *bench, uint16_t destination)
{
	send_tos(bench, destination, 0);
}

// The ports that got something, in order, as digits of a number.
static unsigned ports_of(const struct bench *bench)
{
	unsigned ports = 0;

	for (unsigned i = 0; i < bench->count; i++)
		ports = ports * 10 + bench->outputs[i].port;
	return ports;
}

static uint8_t last_byte_of_destination(const struct bench *bench, unsigned output)
{
	return bench->outputs[output].frame[5];
}

// --- Groups ---

static void test_all_gives_every_bucket_its_own(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 1, GROUP_ALL,
		(struct bucket_text[]){{"mod_dl_dst:02:00:00:00:00:aa,output:2"}, {"output:3"},
			{"mod_dl_dst:02:00:00:00:00:bb,load:7->reg0[],output:4"}, {NULL}});
	// Behind the group the packet, and what is known of it, is as before.
	install(bench, 1, "reg0=0,actions=group:1,resubmit(,1)");
	install(bench, 2, "table=1,reg0=0,actions=output:5");
	install(bench, 3, "table=1,reg0=7,actions=drop");
	send(bench, 80);
	assert_int_equal(bench->count, 4);
	for (unsigned i = 0; i < 4; i++) {
		static const uint8_t expected[] = {[2] = 0xaa, [3] = 2, [4] = 0xbb, [5] = 2};

		assert_int_equal(
			last_byte_of_destination(bench, i), expected[bench->outputs[i].port]);
	}
}

static void test_last_bucket_of_last_action_costs_no_copy(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 1, GROUP_INDIRECT,
		(struct bucket_text[]){{"mod_dl_dst:02:00:00:00:00:aa,output:2"}, {NULL}});
	install(bench, 1, "udp,udp_dst=80,actions=group:1");
	install(bench, 2, "udp,udp_dst=81,actions=group:1,output:3");
	send(bench, 80);
	assert_int_equal(ports_of(bench), 2);
	assert_int_equal(bench->copies, 0);
	send(bench, 81);
	assert_int_equal(ports_of(bench), 23);
	assert_int_equal(last_byte_of_destination(bench, 0), 0xaa);
	assert_int_equal(last_byte_of_destination(bench, 1), 2);
	assert_int_equal(bench->copies, 1);
}

static void test_end_of_a_bucket_is_not_the_end_of_the_packet(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 1, GROUP_ALL,
		(struct bucket_text[]){
			{"mod_nw_ttl:1,dec_ttl,output:2"}, {"drop"}, {"output:3"}, {NULL}});
	install(bench, 1, "ip,actions=group:1,output:4");
	send(bench, 80);
	assert_int_equal(ports_of(bench), 34);
	assert_int_equal(bench->drops[DROP_TTL_EXPIRED], 1);
}

static void test_failover_follows_ports(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 1, GROUP_FAST_FAILOVER,
		(struct bucket_text[]){
			{"output:2", 0, 2}, {"output:3", 0, 3}, {"output:4", 0, 9}, {NULL}});
	install(bench, 1, "actions=group:1");
	send(bench, 80);
	assert_int_equal(ports_of(bench), 2);
	bench->dead[2] = true;
	send(bench, 80);
	assert_int_equal(ports_of(bench), 3);
	bench->dead[3] = true; // and there is no port 9
	send(bench, 80);
	assert_int_equal(bench->count, 0);
	assert_int_equal(bench->drops[DROP_NO_BUCKET], 1);
	bench->dead[2] = false;
	send(bench, 80);
	assert_int_equal(ports_of(bench), 2);
}

static void test_failover_follows_groups(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 2, GROUP_FAST_FAILOVER,
		(struct bucket_text[]){{"output:2", 0, 2}, {"output:3", 0, 3}, {NULL}});
	group_install(bench, 1, GROUP_FAST_FAILOVER,
		(struct bucket_text[]){{"group:2", 0, 0, 2}, {"output:4", 0, 4}, {NULL}});
	install(bench, 1, "actions=group:1");
	bench->dead[2] = true;
	send(bench, 80);
	assert_int_equal(ports_of(bench), 3);
	bench->dead[3] = true;
	send(bench, 80);
	assert_int_equal(ports_of(bench), 4);
}

static void test_groups_that_watch_each_other_are_dead(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 1, GROUP_FAST_FAILOVER,
		(struct bucket_text[]){{"output:2", 0, 0, 2}, {NULL}});
	group_install(bench, 2, GROUP_FAST_FAILOVER,
		(struct bucket_text[]){{"output:2", 0, 0, 1}, {NULL}});
	install(bench, 1, "actions=group:1");
	send(bench, 80);
	assert_int_equal(bench->drops[DROP_NO_BUCKET], 1);
}

static void test_a_loop_of_groups_ends(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 1, GROUP_INDIRECT, (struct bucket_text[]){{"group:2"}, {NULL}});
	group_install(bench, 2, GROUP_INDIRECT, (struct bucket_text[]){{"group:1"}, {NULL}});
	install(bench, 1, "actions=output:2,group:1");
	send(bench, 80);
	assert_int_equal(ports_of(bench), 2);
	assert_int_equal(bench->drops[DROP_RESUBMIT_LIMIT], 1);
}

static void test_missing_group(void **state)
{
	struct bench *bench = *state;

	install(bench, 1, "udp,udp_dst=80,actions=group:1");
	install(bench, 2, "udp,udp_dst=81,actions=group:1,output:2");
	send(bench, 80);
	assert_int_equal(bench->drops[DROP_NO_GROUP], 1);
	send(bench, 81);
	assert_int_equal(ports_of(bench), 2);
}

// --- Select ---

#define FLOWS 8192

static unsigned port_of_flow(struct bench *bench, unsigned flow)
{
	send(bench, (uint16_t)flow);
	assert_int_equal(bench->count, 1);
	return bench->outputs[0].port;
}

static void spread(struct bench *bench, uint8_t ports[FLOWS], unsigned counts[PORTS + 1])
{
	memset(counts, 0, (PORTS + 1) * sizeof(counts[0]));
	for (unsigned flow = 0; flow < FLOWS; flow++) {
		ports[flow] = (uint8_t)port_of_flow(bench, flow);
		counts[ports[flow]]++;
	}
}

static void test_select_spreads_by_weight(void **state)
{
	struct bench *bench = *state;
	static uint8_t ports[FLOWS], again[FLOWS];
	unsigned counts[PORTS + 1];

	group_install(bench, 1, GROUP_SELECT,
		(struct bucket_text[]){{"output:2", 1}, {"output:3", 2}, {"output:4", 5},
			{"output:5", 0}, {NULL}});
	install(bench, 1, "actions=group:1");
	spread(bench, ports, counts);
	// Of 1024 slots; a standard deviation is about 1.5 % of all.
	assert_in_range(counts[2], FLOWS / 8 * 3 / 5, FLOWS / 8 * 7 / 5);
	assert_in_range(counts[3], FLOWS / 4 * 3 / 4, FLOWS / 4 * 5 / 4);
	assert_in_range(counts[4], FLOWS * 5 / 8 * 4 / 5, FLOWS * 5 / 8 * 6 / 5);
	assert_int_equal(counts[5], 0);
	// The same packet goes the same way.
	spread(bench, again, counts);
	assert_memory_equal(ports, again, FLOWS);
}

static void test_select_moves_only_what_it_must(void **state)
{
	struct bench *bench = *state;
	static uint8_t before[FLOWS], after[FLOWS];
	unsigned counts[PORTS + 1];
	struct bucket_text buckets[] = {
		{"output:2", 100, 2}, {"output:3", 100, 3}, {"output:4", 100, 4}, {NULL}, {NULL}};

	group_install(bench, 1, GROUP_SELECT, buckets);
	install(bench, 1, "actions=group:1");
	spread(bench, before, counts);
	// A port that dies gives away its flows, to all others, and gets the same ones back.
	bench->dead[3] = true;
	spread(bench, after, counts);
	for (unsigned flow = 0; flow < FLOWS; flow++)
		assert_true(after[flow] == before[flow] || before[flow] == 3);
	assert_int_equal(counts[3], 0);
	assert_true(counts[2] > FLOWS * 2 / 5 && counts[4] > FLOWS * 2 / 5);
	bench->dead[3] = false;
	spread(bench, after, counts);
	assert_memory_equal(before, after, FLOWS);
	// A bucket more takes its share and moves nothing else.
	buckets[3] = (struct bucket_text){"output:5", 100, 5};
	group_install(bench, 1, GROUP_SELECT, buckets);
	spread(bench, after, counts);
	for (unsigned flow = 0; flow < FLOWS; flow++)
		assert_true(after[flow] == before[flow] || after[flow] == 5);
	assert_in_range(counts[5], FLOWS / 4 * 3 / 4, FLOWS / 4 * 5 / 4);
}

static void test_select_by_named_fields(void **state)
{
	struct bench *bench = *state;
	struct group group = group_of(1, GROUP_SELECT,
		(struct bucket_text[]){{"output:2", 1}, {"output:3", 1}, {"output:4", 1}, {NULL}});

	group.hash_fields = 1ULL << FIELD_NW_SRC | 1ULL << FIELD_NW_DST;
	pipeline_begin(bench->pipeline);
	assert_int_equal(pipeline_group_put(bench->pipeline, &group), 0);
	pipeline_commit(bench->pipeline);
	install(bench, 1, "actions=group:1");
	// Ports do not count.
	for (unsigned flow = 1; flow < 100; flow++)
		assert_int_equal(port_of_flow(bench, flow), port_of_flow(bench, 0));
}

static void test_fragments_go_with_their_packet(void **state)
{
	struct packet_key first = {.dl_type = 8,
		.layers = LAYER_L3 | LAYER_L4,
		.nw_src = 1,
		.nw_dst = 2,
		.nw_proto = 17,
		.nw_frag = NW_FRAG_ANY,
		.tp_src = 7,
		.tp_dst = 9};
	struct packet_key later = first;
	struct group group = {.type = GROUP_SELECT};

	later.layers = LAYER_L3;
	later.nw_frag |= NW_FRAG_LATER;
	later.tp_src = later.tp_dst = 0;
	assert_int_equal(group_hash(&group, &first), group_hash(&group, &later));
}

static void test_select_without_a_live_bucket(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 1, GROUP_SELECT,
		(struct bucket_text[]){{"output:2", 1, 2}, {"output:3", 0}, {NULL}});
	install(bench, 1, "actions=group:1");
	bench->dead[2] = true;
	send(bench, 80);
	assert_int_equal(bench->drops[DROP_NO_BUCKET], 1);
}

// --- Versions and counters ---

static struct pipeline_count counted_total, counted_parts[GROUP_BUCKETS_MAX];
static unsigned counted;

static void keep_group(void *context, const struct group *group, struct pipeline_count total,
	const struct pipeline_count parts[])
{
	counted++;
	counted_total = total;
	memcpy(counted_parts, parts, group->count * sizeof(parts[0]));
}

static void keep_meter(void *context, const struct meter *meter, struct pipeline_count total,
	const struct pipeline_count parts[])
{
	counted++;
	counted_total = total;
	memcpy(counted_parts, parts, meter->count * sizeof(parts[0]));
}

static void count_groups(struct bench *bench)
{
	counted = 0;
	pipeline_group_each(bench->pipeline, keep_group, NULL);
}

static void test_change_is_in_force_at_commit_and_keeps_counters(void **state)
{
	struct bench *bench = *state;

	group_install(
		bench, 1, GROUP_ALL, (struct bucket_text[]){{"output:2"}, {"output:3"}, {NULL}});
	install(bench, 1, "actions=group:1");
	send(bench, 80);
	pipeline_begin(bench->pipeline);
	group_put(bench, 1, GROUP_ALL,
		(struct bucket_text[]){{"output:4"}, {"output:5"}, {"output:2"}, {NULL}});
	send(bench, 80);
	assert_int_equal(ports_of(bench), 23);
	pipeline_commit(bench->pipeline);
	send(bench, 80);
	assert_int_equal(ports_of(bench), 452);
	grace(bench);
	count_groups(bench);
	assert_int_equal(counted, 1);
	assert_int_equal(counted_total.packets, 3);
	assert_int_equal(counted_total.bytes, 3 * FRAME);
	assert_int_equal(counted_parts[0].packets, 3);
	assert_int_equal(counted_parts[2].packets, 1);
}

static void test_abort_leaves_no_trace(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 1, GROUP_INDIRECT, (struct bucket_text[]){{"output:2"}, {NULL}});
	install(bench, 1, "actions=group:1");
	send(bench, 80);
	pipeline_begin(bench->pipeline);
	group_put(bench, 1, GROUP_INDIRECT, (struct bucket_text[]){{"output:3"}, {NULL}});
	assert_int_equal(pipeline_group_remove(bench->pipeline, 1), 0);
	group_put(bench, 1, GROUP_INDIRECT, (struct bucket_text[]){{"output:4"}, {NULL}});
	group_put(bench, 2, GROUP_INDIRECT, (struct bucket_text[]){{"output:4"}, {NULL}});
	assert_int_equal(pipeline_group_remove(bench->pipeline, 3), -ENOENT);
	pipeline_abort(bench->pipeline);
	// The number of the version that never was is used by the next.
	install(bench, 2, "priority=1,actions=drop");
	send(bench, 80);
	assert_int_equal(ports_of(bench), 2);
	grace(bench);
	send(bench, 80);
	assert_int_equal(ports_of(bench), 2);
	count_groups(bench);
	assert_int_equal(counted, 1);
	assert_int_equal(counted_parts[0].packets, 3);
}

static void test_removed_group_is_gone_with_its_counters(void **state)
{
	struct bench *bench = *state;

	group_install(bench, 1, GROUP_INDIRECT, (struct bucket_text[]){{"output:2"}, {NULL}});
	install(bench, 1, "actions=group:1");
	send(bench, 80);
	pipeline_begin(bench->pipeline);
	assert_int_equal(pipeline_group_remove(bench->pipeline, 1), 0);
	pipeline_commit(bench->pipeline);
	send(bench, 80);
	assert_int_equal(bench->drops[DROP_NO_GROUP], 1);
	grace(bench);
	group_install(bench, 1, GROUP_INDIRECT, (struct bucket_text[]){{"output:3"}, {NULL}});
	count_groups(bench);
	assert_int_equal(counted_total.packets, 0);
	assert_int_equal(counted_parts[0].packets, 0);
}

// What a bucket writes is in a line of the key that no flow uses.
static void test_groups_have_the_key_parsed_as_far_as_they_need(void **state)
{
	struct bench *bench = *state;

	install(bench, 1, "actions=group:1");
	group_install(bench, 1, GROUP_INDIRECT,
		(struct bucket_text[]){{"load:3->reg7[],output:reg7[]"}, {NULL}});
	send(bench, 80);
	assert_int_equal(ports_of(bench), 3);
}

// --- Meters ---

static void test_meter_drops_and_counts(void **state)
{
	struct bench *bench = *state;
	struct meter meter = {.id = 1, .count = 1, .bands = {{METER_DROP, 100, 2}}};

	meter_install(bench, &meter);
	install(bench, 1, "actions=output:2,meter:1,output:3");
	for (unsigned i = 0; i < 2; i++) {
		send(bench, 80);
		assert_int_equal(ports_of(bench), 23);
	}
	// What was sent before stays sent.
	send(bench, 80);
	assert_int_equal(ports_of(bench), 2);
	assert_int_equal(bench->drops[DROP_METER], 1);
	counted = 0;
	pipeline_meter_each(bench->pipeline, keep_meter, NULL);
	assert_int_equal(counted, 1);
	assert_int_equal(counted_total.packets, 3);
	assert_int_equal(counted_parts[0].packets, 1);
	assert_int_equal(counted_parts[0].bytes, FRAME);
}

static void test_highest_exceeded_band_acts(void **state)
{
	struct bench *bench = *state;
	struct meter meter = {.id = 1,
		.count = 2,
		.bands = {{METER_DROP, 200, 3}, {METER_DSCP_REMARK, 100, 1, 1}}};

	meter_install(bench, &meter);
	install(bench, 1, "ip,actions=meter:1,output:2");
	// AF21 (18) in, AF22 (20) out once the lower rate is exceeded; the ECN bits stay.
	send_tos(bench, 80, 18 << 2 | 1);
	assert_int_equal(bench->outputs[0].frame[15], 18 << 2 | 1);
	send_tos(bench, 80, 18 << 2 | 1);
	assert_int_equal(bench->outputs[0].frame[15], 20 << 2 | 1);
	// Best effort has no drop precedence.
	send_tos(bench, 80, 0);
	assert_int_equal(bench->outputs[0].frame[15], 0);
	send_tos(bench, 80, 18 << 2);
	assert_int_equal(bench->drops[DROP_METER], 1);
}

static void test_meter_modified_begins_anew_and_counts_on(void **state)
{
	struct bench *bench = *state;
	struct meter meter = {.id = 1, .count = 1, .bands = {{METER_DROP, 100, 1}}};

	meter_install(bench, &meter);
	install(bench, 1, "actions=meter:1,output:2");
	send(bench, 80);
	send(bench, 80);
	assert_int_equal(bench->count, 0);
	meter_install(bench, &meter);
	send(bench, 80);
	assert_int_equal(ports_of(bench), 2);
	grace(bench);
	pipeline_meter_each(bench->pipeline, keep_meter, NULL);
	assert_int_equal(counted_total.packets, 3);
	assert_int_equal(counted_parts[0].packets, 1);
}

static void test_missing_meter(void **state)
{
	struct bench *bench = *state;

	install(bench, 1, "actions=meter:9,output:2");
	send(bench, 80);
	assert_int_equal(bench->drops[DROP_NO_METER], 1);
}

static void test_meter_in_a_bucket_ends_the_bucket(void **state)
{
	struct bench *bench = *state;
	struct meter meter = {.id = 1, .count = 1, .bands = {{METER_DROP, 100, 0}}};

	meter_install(bench, &meter);
	group_install(bench, 1, GROUP_ALL,
		(struct bucket_text[]){{"meter:1,output:2"}, {"output:3"}, {NULL}});
	install(bench, 1, "actions=group:1,output:4");
	send(bench, 80);
	assert_int_equal(ports_of(bench), 34);
	assert_int_equal(bench->drops[DROP_METER], 1);
}

// --- Events and packets handed in ---

static void test_controller(void **state)
{
	struct bench *bench = *state;

	install(bench, 1, "table=3,cookie=0x55,udp,udp_dst=80,actions=controller:40");
	install(bench, 2, "udp,actions=set_field:9->metadata,resubmit(,3)");
	install(bench, 3,
		"priority=40000,udp,udp_dst=81,actions=controller(reason=no_match),output:2");
	send(bench, 80);
	assert_int_equal(bench->events, 1);
	assert_int_equal(bench->event.max_len, 40);
	assert_int_equal(bench->event.table, 3);
	assert_int_equal(bench->event.cookie, 0x55);
	assert_int_equal(bench->event.metadata, 9);
	assert_int_equal(bench->event.reason, PACKET_IN_ACTION);
	// It went somewhere, so it is not lost.
	assert_int_equal(bench->drops[DROP_CONSUMED], 1);
	send(bench, 81);
	assert_int_equal(bench->event.reason, PACKET_IN_NO_MATCH);
	assert_int_equal(bench->event.table, 0);
	assert_int_equal(ports_of(bench), 2);
	bench->deaf = true;
	send(bench, 80);
	assert_int_equal(bench->drops[DROP_CONTROLLER], 1);
	send(bench, 81);
	assert_int_equal(ports_of(bench), 2);
}

static void test_truncated_output(void **state)
{
	struct bench *bench = *state;

	install(bench, 1,
		"actions=output(port=2,max_len=60),output:3,output(port=in_port,max_len=1000),"
		"output(port=1,max_len=60),output(port=9,max_len=60)");
	send(bench, 80);
	assert_int_equal(ports_of(bench), 231);
	assert_int_equal(bench->outputs[0].length, 60);
	assert_int_equal(bench->outputs[1].length, FRAME);
	assert_int_equal(bench->outputs[2].length, FRAME);
}

static void packet_out(struct bench *bench, uint16_t in_port, const char *text)
{
	struct action_list actions;
	struct flow_error error;

	if (actions_parse_alone(&actions, "a packet-out", text, NULL, NULL, &error))
		fail_msg("%s: %s", text, error.message);
	forget(bench);
	pipeline_packet_out(
		bench->pipeline, 0, packet_make(in_port, 80, 0), &actions, 1000, &bench->sink);
	assert_int_equal(bench->ends, 1 + bench->copies);
	action_list_destroy(&actions);
}

static void test_packet_out(void **state)
{
	struct bench *bench = *state;

	install(bench, 1, "in_port=2,actions=output:3");
	packet_out(bench, OFPORT_CONTROLLER, "output:1,output:4");
	assert_int_equal(ports_of(bench), 14);
	packet_out(bench, 2, "resubmit(,0)");
	assert_int_equal(ports_of(bench), 3);
	packet_out(bench, OFPORT_CONTROLLER, "resubmit(,0)");
	assert_int_equal(bench->count, 0);
	packet_out(bench, OFPORT_CONTROLLER, "NORMAL");
	assert_int_equal(ports_of(bench), 12345);
	packet_out(bench, 2, "FLOOD");
	assert_int_equal(ports_of(bench), 1345);
	packet_out(bench, OFPORT_CONTROLLER, "controller");
	assert_int_equal(bench->events, 1);
	assert_int_equal(bench->event.table, CONTROLLER_NO_TABLE);
	// Needs lines of the key that no flow uses.
	packet_out(bench, OFPORT_CONTROLLER, "load:4->reg7[],output:reg7[]");
	assert_int_equal(ports_of(bench), 4);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_all_gives_every_bucket_its_own),
		CASE(test_last_bucket_of_last_action_costs_no_copy),
		CASE(test_end_of_a_bucket_is_not_the_end_of_the_packet),
		CASE(test_failover_follows_ports),
		CASE(test_failover_follows_groups),
		CASE(test_groups_that_watch_each_other_are_dead),
		CASE(test_a_loop_of_groups_ends),
		CASE(test_missing_group),
		CASE(test_select_spreads_by_weight),
		CASE(test_select_moves_only_what_it_must),
		CASE(test_select_by_named_fields),
		CASE(test_fragments_go_with_their_packet),
		CASE(test_select_without_a_live_bucket),
		CASE(test_change_is_in_force_at_commit_and_keeps_counters),
		CASE(test_abort_leaves_no_trace),
		CASE(test_removed_group_is_gone_with_its_counters),
		CASE(test_groups_have_the_key_parsed_as_far_as_they_need),
		CASE(test_meter_drops_and_counts),
		CASE(test_highest_exceeded_band_acts),
		CASE(test_meter_modified_begins_anew_and_counts_on),
		CASE(test_missing_meter),
		CASE(test_meter_in_a_bucket_ends_the_bucket),
		CASE(test_controller),
		CASE(test_truncated_output),
		CASE(test_packet_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
