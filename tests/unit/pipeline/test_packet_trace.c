// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/frame_make.h"
#include "pipeline/key_fields.h"
#include "pipeline/trace.h"

// Tracing tells what pipeline_run() does, says why flows lost, and changes nothing.

#define NOW_MS 5000

struct bench {
	struct pipeline *pipeline;
	struct pipeline_sink sink; // of packets that really run
	unsigned sent, dropped[DROP_REASON_COUNT], learned;
	uint16_t last_port;
};

static void retire(void *context, void (*free_fn)(void *), void *memory)
{
	// Nothing is taken out while a test runs but by replacing ports.
	free_fn(memory);
}

static struct bench *bench_of(struct pipeline_sink *sink)
{
	return (struct bench *)((char *)sink - offsetof(struct bench, sink));
}

static void sink_output(struct pipeline_sink *sink, struct packet *packet, uint16_t port)
{
	bench_of(sink)->sent++;
	bench_of(sink)->last_port = port;
}

static void sink_drop(struct pipeline_sink *sink, struct packet *packet, enum drop_reason reason)
{
	bench_of(sink)->dropped[reason]++;
}

static struct packet *sink_copy(struct pipeline_sink *sink, const struct packet *packet)
{
	return NULL;
}

static void sink_learn(
	struct pipeline_sink *sink, const uint8_t mac[6], uint16_t vlan, uint16_t port)
{
	bench_of(sink)->learned++;
}

static int setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct pipeline_config config = {.retirement = {retire, NULL}};

	bench->pipeline = pipeline_create(&config);
	bench->sink = (struct pipeline_sink){sink_output, sink_drop, sink_copy, sink_learn};
	assert_int_equal(pipeline_reader_add(bench->pipeline, 0), 0);
	for (uint16_t number = 1; number <= 4; number++) {
		struct pipeline_port port = {.number = number};

		assert_int_equal(pipeline_port_set(bench->pipeline, &port), 0);
	}
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	pipeline_destroy(bench->pipeline);
	free(bench);
	return 0;
}

static void install(struct bench *bench, const char *const *texts)
{
	pipeline_begin(bench->pipeline);
	for (uint64_t id = 1; *texts; texts++, id++) {
		struct flow_request request;
		struct flow_error error;

		if (flow_request_parse(&request, *texts, FLOW_ADD, NULL, NULL, &error))
			fail_msg("%s: %s", *texts, error.message);
		assert_int_equal(pipeline_flow_add(bench->pipeline, id, &request.flow), 0);
	}
	pipeline_commit(bench->pipeline);
}

#define INSTALL(BENCH, ...) install(BENCH, (const char *const[]){__VA_ARGS__, NULL})

static size_t frame_of(const char *text, uint8_t frame[FRAME_MAKE_MAX])
{
	struct flow_request request;
	struct flow_error error;
	size_t length;

	if (flow_request_parse(&request, text, FLOW_DELETE, NULL, NULL, &error) ||
		frame_make(&request.flow.match, frame, &length, &error))
		fail_msg("%s: %s", text, error.message);
	flow_request_destroy(&request);
	return length;
}

static json_t *trace_with(struct bench *bench, const char *text, size_t lost_max)
{
	uint8_t frame[FRAME_MAKE_MAX];
	struct trace_request request = {
		.frame = frame,
		.length = frame_of(text, frame),
		.in_port = 1,
		.lost_max = lost_max,
		.now_ms = NOW_MS,
	};
	json_t *result = trace_run(bench->pipeline, &request);

	assert_non_null(result);
	return result;
}

static json_t *trace(struct bench *bench, const char *text)
{
	return trace_with(bench, text, TRACE_LOST_DEFAULT);
}

static void run(struct bench *bench, const char *text)
{
	uint8_t room[128 + FRAME_MAKE_MAX];
	size_t length = frame_of(text, room + 128);
	struct packet packet = {
		.data = room + 128,
		.headroom = 128,
		.linear = (uint16_t)length,
		.length = (uint32_t)length,
		.in_port = 1,
	};
	struct packet *packets[1] = {&packet};

	pipeline_run(bench->pipeline, 0, packets, 1, NOW_MS, &bench->sink);
}

static const char *string_at(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "(none)";
}

// The n-th step of that kind.
static json_t *step(const json_t *result, const char *kind, size_t n)
{
	json_t *item;
	size_t i;

	json_array_foreach (json_object_get(result, "steps"), i, item)
		if (strcmp(string_at(item, "step"), kind) == 0 && n-- == 0)
			return item;
	fail_msg("there is no such %s step", kind);
	return NULL;
}

static json_t *output(const json_t *result, size_t n)
{
	return json_array_get(json_object_get(result, "outputs"), n);
}

static int number_at(const json_t *object, const char *name)
{
	return (int)json_integer_value(json_object_get(object, name));
}

static void check_lost(
	const json_t *table, size_t n, const char *field, const char *wants, const char *has)
{
	const json_t *flow = json_array_get(json_object_get(table, "lost"), n);

	assert_string_equal(string_at(flow, "field"), field);
	assert_string_equal(string_at(flow, "wants"), wants);
	assert_string_equal(string_at(flow, "has"), has);
}

static void test_reasons(void **state)
{
	struct bench *bench = *state;
	json_t *result, *table;

	INSTALL(bench, "priority=90,udp,actions=2", "priority=80,tcp,nw_dst=10.1.0.0/16,actions=2",
		"priority=70,tcp,tp_dst=1000-2000,actions=2", "priority=60,dl_vlan=0,actions=2",
		"priority=50,ipv6,actions=2", "priority=40,tcp,nw_frag=later,actions=2",
		"priority=30,tcp,tp_dst=80,actions=3", "priority=20,tcp,actions=4",
		"table=1,priority=99,actions=4");
	result = trace(bench, "in_port=1,tcp,nw_dst=10.0.0.1,tp_dst=80");
	table = step(result, "table", 0);
	assert_int_equal(number_at(json_object_get(table, "flow"), "priority"), 30);
	assert_int_equal(json_array_size(json_object_get(table, "lost")), 6);
	check_lost(table, 0, "nw_proto", "17", "6");
	check_lost(table, 1, "nw_dst", "10.1.0.0/16", "10.0.0.1");
	check_lost(table, 2, "tp_dst", "1000-2000", "80");
	check_lost(table, 3, "dl_vlan", "0", "(none)");
	check_lost(table, 4, "dl_type", "0x86dd", "0x0800");
	check_lost(table, 5, "nw_frag", "later", "no");
	assert_int_equal(number_at(output(result, 0), "ofport"), 3);
	json_decref(result);

	result = trace_with(bench, "in_port=1,arp", 2);
	table = step(result, "table", 0);
	assert_true(json_is_null(json_object_get(table, "flow")));
	assert_int_equal(json_array_size(json_object_get(table, "lost")), 2);
	assert_int_equal(number_at(table, "lost_omitted"), 6);
	assert_string_equal(string_at(result, "drop"), "table_miss");
	json_decref(result);
}

// Of flows of one priority that hit, the fixed order decides; those before it are told, too.
static void test_equal_priority(void **state)
{
	struct bench *bench = *state;
	json_t *result, *table;

	INSTALL(bench, "priority=5,ip,actions=2", "priority=5,tcp,tp_dst=81,actions=3",
		"priority=5,tcp,tp_dst=80,actions=4");
	result = trace(bench, "in_port=1,tcp,tp_dst=80");
	table = step(result, "table", 0);
	assert_int_equal(number_at(output(result, 0), "ofport"), 4);
	// Same mask; 80 comes before 81 and ip has fewer bits, so nothing stands before it.
	assert_int_equal(json_array_size(json_object_get(table, "lost")), 0);
	json_decref(result);
	result = trace(bench, "in_port=1,tcp,tp_dst=81");
	table = step(result, "table", 0);
	assert_int_equal(number_at(output(result, 0), "ofport"), 3);
	check_lost(table, 0, "tp_dst", "80", "81");
	json_decref(result);
}

static void test_changes(void **state)
{
	struct bench *bench = *state;
	json_t *result, *action, *change;

	INSTALL(bench,
		"udp,actions=2,mod_dl_dst:02:00:00:00:00:09,push_vlan:0x8100,"
		"load:5->reg6,resubmit(3,7),output:99,goto_table:4",
		"table=7,in_port=3,ip,actions=dec_ttl", "table=4,reg6=5,udp,actions=3");
	result = trace(bench, "in_port=1,udp,tp_dst=80");
	action = step(result, "action", 1);
	assert_string_equal(string_at(action, "action"), "mod_dl_dst:02:00:00:00:00:09");
	change = json_array_get(json_object_get(action, "changes"), 0);
	assert_string_equal(string_at(change, "field"), "dl_dst");
	assert_string_equal(string_at(change, "before"), "00:00:00:00:00:00");
	assert_string_equal(string_at(change, "after"), "02:00:00:00:00:09");
	action = step(result, "action", 2);
	change = json_array_get(json_object_get(action, "changes"), 0);
	assert_string_equal(string_at(change, "field"), "dl_vlan");
	assert_true(json_is_null(json_object_get(change, "before")));
	assert_string_equal(string_at(change, "after"), "0");
	assert_string_equal(string_at(step(result, "action", 4), "action"), "resubmit(3,7)");
	assert_int_equal(json_array_size(json_object_get(step(result, "action", 4), "changes")), 0);
	assert_int_equal(number_at(step(result, "table", 1), "table"), 7);
	assert_int_equal(number_at(step(result, "table", 1), "depth"), 1);
	assert_int_equal(number_at(step(result, "table", 1), "as_port"), 3);
	assert_string_equal(string_at(step(result, "action", 5), "action"), "dec_ttl");
	assert_int_equal(number_at(step(result, "action", 5), "depth"), 1);
	assert_string_equal(string_at(step(result, "action", 6), "note"), "no_port");
	assert_int_equal(number_at(step(result, "table", 2), "table"), 4);
	assert_int_equal(number_at(step(result, "table", 2), "depth"), 0);
	// The first output is as the packet was, the second as it has become.
	assert_int_equal(json_array_size(json_object_get(result, "outputs")), 2);
	assert_int_equal(number_at(output(result, 0), "ofport"), 2);
	assert_null(json_object_get(json_object_get(output(result, 0), "fields"), "dl_vlan"));
	assert_int_equal(number_at(output(result, 1), "ofport"), 3);
	assert_string_equal(
		string_at(json_object_get(output(result, 1), "fields"), "nw_ttl"), "63");
	assert_int_equal(
		number_at(output(result, 1), "length"), number_at(output(result, 0), "length") + 4);
	assert_null(json_object_get(result, "drop"));
	json_decref(result);
}

// All counters and the MAC table before and after; and that a real packet does move them.
static void test_changes_nothing(void **state)
{
	struct bench *bench = *state;
	struct mac_table *macs = pipeline_mac_table(bench->pipeline);
	static const uint8_t source[6] = {2, 0, 0, 0, 0, 1};
	const char *packet = "in_port=1,udp,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02";
	struct pipeline_flow_stats stats;
	struct pipeline_table_stats table;
	struct mac_entry entry;
	size_t cursor = 0;

	INSTALL(bench, "actions=resubmit(,1),goto_table:2", "table=1,actions=load:1->reg0",
		"table=2,actions=normal");
	mac_table_learn(macs, source, 0, 1, 1);
	json_decref(trace(bench, packet));
	json_decref(trace(bench, "in_port=1,udp,dl_src=02:00:00:00:00:09"));
	for (uint64_t id = 1; id <= 3; id++) {
		assert_int_equal(pipeline_flow_stats(bench->pipeline, id, &stats), 0);
		assert_int_equal(stats.packets + stats.bytes + stats.used_ms, 0);
		pipeline_table_stats(bench->pipeline, (uint8_t)(id - 1), &table);
		assert_int_equal(table.lookups + table.matched, 0);
	}
	assert_int_equal(mac_table_count(macs), 1);
	assert_int_equal(mac_table_list(macs, 101, &cursor, &entry, 1), 1);
	assert_int_equal(entry.age, 100);

	run(bench, packet);
	for (uint64_t id = 1; id <= 3; id++) {
		assert_int_equal(pipeline_flow_stats(bench->pipeline, id, &stats), 0);
		assert_int_equal(stats.packets, 1);
	}
	cursor = 0;
	assert_int_equal(mac_table_list(macs, 101, &cursor, &entry, 1), 1);
	assert_int_equal(entry.age, 101 - NOW_MS / 1000);
}

static void test_normal(void **state)
{
	struct bench *bench = *state;
	struct mac_table *macs = pipeline_mac_table(bench->pipeline);
	static const uint8_t there[6] = {2, 0, 0, 0, 0, 2};
	json_t *result, *normal;

	INSTALL(bench, "actions=normal");
	mac_table_learn(macs, there, 0, 3, 1);
	result = trace(bench, "in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02");
	normal = step(result, "normal", 0);
	assert_true(json_is_true(json_object_get(normal, "learns")));
	assert_true(json_is_null(json_object_get(normal, "source_port")));
	assert_int_equal(number_at(normal, "port"), 3);
	assert_int_equal(json_array_size(json_object_get(result, "outputs")), 1);
	json_decref(result);
	result = trace(bench, "in_port=1,dl_src=02:00:00:00:00:02,dl_dst=ff:ff:ff:ff:ff:ff");
	normal = step(result, "normal", 0);
	assert_true(json_is_true(json_object_get(normal, "learns")));
	assert_int_equal(number_at(normal, "source_port"), 3);
	assert_true(json_is_true(json_object_get(normal, "multicast")));
	assert_int_equal(json_array_size(json_object_get(result, "outputs")), 3);
	json_decref(result);
}

// A loop of resubmits ends as it does for packets, and the answer stays of a bounded size.
static void test_bounds(void **state)
{
	struct bench *bench = *state;
	json_t *result;

	INSTALL(bench, "actions=resubmit(,0),resubmit(,0)");
	result = trace(bench, "in_port=1");
	assert_string_equal(string_at(result, "drop"), "resubmit_limit");
	assert_true(json_array_size(json_object_get(result, "steps")) <= TRACE_STEPS_MAX);
	json_decref(result);
	run(bench, "in_port=1");
	assert_int_equal(bench->dropped[DROP_RESUBMIT_LIMIT], 1);
}

static void test_wide_loop(void **state)
{
	struct bench *bench = *state;
	const char *flows[16];
	char texts[15][64];
	json_t *result;

	// Each table visits the next twice: 2^15 lookups, if they were not limited.
	for (int t = 0; t < 14; t++) {
		snprintf(texts[t], sizeof(texts[t]), "table=%d,actions=resubmit(,%d),resubmit(,%d)",
			t, t + 1, t + 1);
		flows[t] = texts[t];
	}
	flows[14] = NULL;
	install(bench, flows);
	result = trace(bench, "in_port=1");
	assert_string_equal(string_at(result, "drop"), "resubmit_limit");
	assert_int_equal(json_array_size(json_object_get(result, "steps")), TRACE_STEPS_MAX);
	assert_true(number_at(result, "steps_omitted") > 1000);
	// Only so many lookups are explained.
	assert_non_null(json_object_get(step(result, "table", TRACE_EXPLAINED_MAX - 1), "lost"));
	assert_null(json_object_get(step(result, "table", TRACE_EXPLAINED_MAX), "lost"));
	json_decref(result);
}

static void test_many_outputs(void **state)
{
	struct bench *bench = *state;
	const char *flows[16];
	char texts[15][64];
	json_t *result;

	for (int t = 0; t < 14; t++) {
		snprintf(texts[t], sizeof(texts[t]),
			"table=%d,actions=2,3,resubmit(,%d),resubmit(,%d)", t, t + 1, t + 1);
		flows[t] = texts[t];
	}
	flows[14] = NULL;
	install(bench, flows);
	result = trace(bench, "in_port=1");
	assert_int_equal(json_array_size(json_object_get(result, "outputs")), TRACE_OUTPUTS_MAX);
	assert_in_range(number_at(result, "outputs_omitted"), 1001, 10000);
	assert_string_equal(string_at(result, "drop"), "resubmit_limit");
	json_decref(result);
}

// Frames are left out when they would be too much, not the outputs.
static void test_many_bytes(void **state)
{
	static uint8_t frame[TRACE_FRAME_MAX];
	struct bench *bench = *state;
	char text[4096];
	struct trace_request request = {
		.frame = frame, .length = sizeof(frame), .in_port = 1, .now_ms = NOW_MS};
	const size_t fit = TRACE_BYTES_MAX / TRACE_FRAME_MAX;
	size_t length = (size_t)snprintf(text, sizeof(text), "actions=2");
	json_t *result;

	for (size_t i = 0; i < fit; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, ",2");
	INSTALL(bench, text);
	result = trace_run(bench->pipeline, &request);
	assert_int_equal(json_array_size(json_object_get(result, "outputs")), fit + 1);
	assert_non_null(json_object_get(output(result, fit - 1), "frame"));
	assert_null(json_object_get(output(result, fit), "frame"));
	assert_int_equal(number_at(output(result, fit), "length"), TRACE_FRAME_MAX);
	assert_int_equal(number_at(output(result, fit), "ofport"), 2);
	json_decref(result);
}

// What the first difference says must agree with match_hits(), for every field that there is.
static void test_differences_agree(void **state)
{
	static const char *const matches[] = {"dl_vlan=0", "dl_vlan=5", "dl_vlan=0xffff",
		"dl_vlan_pcp=3", "vlan_tci=0", "vlan_tci=0x1000/0x1000", "vlan_tci=5/0xfff", "ip",
		"ip,nw_src=10.0.0.0/8", "ip,nw_frag=yes", "ip,nw_frag=not_later", "tcp", "udp",
		"udp,tp_dst=0", "udp,tp_dst=80", "udp,tp_dst=80-90", "udp,nw_frag=later", "ipv6",
		"udp6,tp_src=7", "arp", "arp,arp_tpa=10.0.0.1", "arp,arp_op=2",
		"tcp,tcp_flags=+syn", "in_port=1", "in_port=2",
		"dl_dst=01:00:00:00:00:00/01:00:00:00:00:00", "dl_type=0x05ff", "icmp,icmp_type=8",
		"icmp6,icmpv6_type=135,icmpv6_code=0,nd_target=2001:db8::1", "nw_tos=184,ip",
		"ip,nw_ecn=1", "ip,nw_ttl=64", "ip,nw_proto=17,nw_ttl=5"};
	const size_t count = sizeof(matches) / sizeof(matches[0]);

	for (size_t p = 0; p < count; p++) {
		uint8_t frame[FRAME_MAKE_MAX];
		struct packet packet = {.data = frame, .in_port = 1};
		struct packet_key key;
		struct match_difference difference;

		if (strcmp(matches[p], "in_port=2") == 0)
			packet.in_port = 2;
		packet.length = packet.linear = (uint16_t)frame_of(matches[p], frame);
		assert_true(packet_parse(&packet, &key, KEY_ALL_LINES));
		for (size_t m = 0; m < count; m++) {
			struct flow_request request;
			struct flow_error error;
			bool differs;

			assert_int_equal(flow_request_parse(&request, matches[m], FLOW_DELETE, NULL,
						 NULL, &error),
				0);
			differs = match_first_difference(
				&request.flow.match, &key, NULL, &difference);
			if (differs == match_hits(&request.flow.match, &key))
				fail_msg("packet %s, match %s: %s", matches[p], matches[m],
					differs ? difference.field : "no difference");
			if (differs && strcmp(difference.has, difference.wants) == 0)
				fail_msg("packet %s, match %s: %s is %s, not %s", matches[p],
					matches[m], difference.field, difference.has,
					difference.wants);
			flow_request_destroy(&request);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reasons, setup, teardown),
		cmocka_unit_test_setup_teardown(test_equal_priority, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_normal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wide_loop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_outputs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_bytes, setup, teardown),
		cmocka_unit_test(test_differences_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
