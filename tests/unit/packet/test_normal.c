// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "pipeline/drop_reason.h"
#include "tests/unit/packet/bench.h"
#include "tests/unit/packet/cmocka_all.h"
#include "tests/unit/packet/corpus.h"

// NORMAL: learning, flooding, and every way through the VLAN settings of two ports.

// A frame from A to B: untagged (-1), or with this TCI.
static void tagged_frame(struct frame *frame, int tci)
{
	frame_start(frame, corpus_mac_b, corpus_mac_a);
	if (tci >= 0)
		frame_vlan(frame, 0x8100, tci);
	frame_ipv4(frame, CORPUS_IP_A, CORPUS_IP_B, 17);
	frame_udp(frame, 1, 2);
	frame_payload(frame, 20);
	frame_finish(frame);
}

static void address(struct frame *frame, const uint8_t dst[6], const uint8_t src[6])
{
	memcpy(frame->bytes, dst, 6);
	memcpy(frame->bytes + 6, src, 6);
}

static void open_normal(struct bench *bench, unsigned ports)
{
	bench_open(bench, ports);
	bench_flow(bench, "priority=0,actions=normal");
}

static void test_learning(void **state)
{
	struct bench bench;
	struct frame there, back;

	open_normal(&bench, 4);
	tagged_frame(&there, -1);
	back = there;
	address(&back, corpus_mac_a, corpus_mac_b);
	// Not known: to all others.
	bench_run(&bench, &there, 1);
	bench_expect_events(&bench, 3);
	for (unsigned i = 0; i < 3; i++)
		bench_expect_sent(&bench, i, 2 + i, &there);
	assert_int_equal(bench.learned, 1);
	// The answer goes to A only, and tells where B is.
	bench_run(&bench, &back, 3);
	bench_expect_only_sent(&bench, 1, &back);
	assert_int_equal(bench.learned, 1);
	bench_run(&bench, &there, 1);
	bench_expect_only_sent(&bench, 3, &there);
	assert_int_equal(bench.learned, 0);
	// A turns up elsewhere: learned anew, and the way follows.
	bench_run(&bench, &there, 4);
	assert_int_equal(bench.learned, 1);
	bench_run(&bench, &back, 3);
	bench_expect_only_sent(&bench, 4, &back);
	// Known where it comes from: nowhere to go.
	bench_run(&bench, &back, 4);
	bench_expect_only_drop(&bench, DROP_INGRESS_PORT);
	bench_close(&bench);
}

static void test_multicast(void **state)
{
	static const uint8_t group[6] = {0x33, 0x33, 0, 0, 0, 1};
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct bench bench;
	struct frame frame;

	open_normal(&bench, 3);
	tagged_frame(&frame, -1);
	address(&frame, group, corpus_mac_a);
	bench_run(&bench, &frame, 2);
	bench_expect_events(&bench, 2);
	bench_expect_sent(&bench, 0, 1, &frame);
	bench_expect_sent(&bench, 1, 3, &frame);
	address(&frame, all, corpus_mac_a);
	bench_run(&bench, &frame, 2);
	bench_expect_events(&bench, 2);
	// A group address is nobody's source.
	address(&frame, corpus_mac_b, group);
	bench_run(&bench, &frame, 2);
	assert_int_equal(bench.learned, 0);
	bench_close(&bench);
}

static void test_reserved(void **state)
{
	struct bench bench;
	struct frame frame;

	open_normal(&bench, 2);
	for (unsigned last = 0; last <= 0x10; last++) {
		const uint8_t mac[6] = {0x01, 0x80, 0xc2, 0, 0, last};

		tagged_frame(&frame, -1);
		address(&frame, mac, corpus_mac_a);
		bench_run(&bench, &frame, 1);
		if (last < 0x10) {
			bench_expect_only_drop(&bench, DROP_RESERVED_MAC);
			assert_int_equal(bench.learned, 0);
		} else {
			bench_expect_only_sent(&bench, 2, &frame);
		}
	}
	bench_close(&bench);
}

static void test_no_destination(void **state)
{
	struct bench bench;
	struct frame frame;

	open_normal(&bench, 1);
	tagged_frame(&frame, -1);
	bench_run(&bench, &frame, 1);
	bench_expect_only_drop(&bench, DROP_NO_DESTINATION);
	// A port that is not of this bridge.
	bench_run(&bench, &frame, 9);
	bench_expect_only_drop(&bench, DROP_NO_BRIDGE);
	assert_int_equal(bench.learned, 0);
	bench_close(&bench);
}

static void test_no_flood(void **state)
{
	struct pipeline_port quiet = {.number = 2, .no_flood = true};
	struct bench bench;
	struct frame there, back;

	open_normal(&bench, 3);
	assert_int_equal(pipeline_port_set(bench.pipeline, &quiet), 0);
	tagged_frame(&there, -1);
	bench_run(&bench, &there, 1);
	bench_expect_only_sent(&bench, 3, &there);
	// It is reached when it is known.
	back = there;
	address(&back, corpus_mac_a, corpus_mac_b);
	bench_run(&bench, &back, 2);
	bench_run(&bench, &there, 1);
	bench_expect_only_sent(&bench, 2, &there);
	bench_close(&bench);
}

// Addresses are known by VLAN.
static void test_learning_by_vlan(void **state)
{
	struct bench bench;
	struct frame frame;

	open_normal(&bench, 4);
	bench_port(&bench, 1, VLAN_ACCESS, 10);
	bench_port(&bench, 2, VLAN_ACCESS, 20);
	tagged_frame(&frame, -1);
	bench_run(&bench, &frame, 1); // A is in 10 at port 1
	address(&frame, corpus_mac_a, corpus_mac_b);
	bench_run(&bench, &frame, 2); // not known in 20
	bench_expect_events(&bench, 2);
	bench_port(&bench, 2, VLAN_ACCESS, 10);
	bench_run(&bench, &frame, 2);
	bench_expect_only_sent(&bench, 1, &frame);
	// Port 1 goes to another VLAN, but is still what the table says.
	bench_port(&bench, 1, VLAN_ACCESS, 30);
	bench_run(&bench, &frame, 2);
	bench_expect_only_drop(&bench, DROP_VLAN_FILTERED);
	// It goes altogether, and its addresses with it.
	assert_int_equal(pipeline_port_remove(bench.pipeline, 1), 0);
	bench_run(&bench, &frame, 2);
	bench_expect_events(&bench, 2);
	bench_close(&bench);
}

// --- All modes against each other ---

static const int trunk_list[] = {0, 10, 20, -1};
static const int no_list[] = {-1};

// A port's setting and what the manual says of it, written out: the VLAN that a frame with this
// tag gets on the way in (-1: refused), by column of `tags`; and how each VLAN leaves, by column
// of `vlans`: 'u' untagged, 't' tagged, '-' not at all.
static const int tags[] = {-1, 0x6000, 10, 0xa014, 30};
static const int vlans[] = {0, 10, 20, 30};

static const struct setting {
	const char *name;
	enum vlan_mode mode;
	uint16_t tag;
	const int *trunks;
	int in[5];
	const char *out;
} settings[] = {
	{"trunk", VLAN_TRUNK, 0, no_list, {0, 0, 10, 20, 30}, "uttt"},
	{"trunk 0,10,20", VLAN_TRUNK, 0, trunk_list, {0, 0, 10, 20, -1}, "utt-"},
	{"access 10", VLAN_ACCESS, 10, no_list, {10, 10, -1, -1, -1}, "-u--"},
	{"access 0", VLAN_ACCESS, 0, no_list, {0, 0, -1, -1, -1}, "u---"},
	{"native-tagged 10", VLAN_NATIVE_TAGGED, 10, no_list, {10, 10, 10, 20, 30}, "-ttt"},
	{"native-tagged 30 of 0,10,20", VLAN_NATIVE_TAGGED, 30, trunk_list, {30, 30, 10, 20, 30},
		"-ttt"},
	{"native-untagged 10", VLAN_NATIVE_UNTAGGED, 10, no_list, {10, 10, 10, 20, 30}, "-utt"},
	{"native-untagged 10 of 0,10,20", VLAN_NATIVE_UNTAGGED, 10, trunk_list,
		{10, 10, 10, 20, -1}, "-ut-"},
	{"native-untagged 0", VLAN_NATIVE_UNTAGGED, 0, no_list, {0, 0, 10, 20, 30}, "uttt"},
};

#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static void set_port(struct bench *bench, uint16_t number, const struct setting *setting)
{
	bench_trunks(bench, number, setting->mode, setting->tag, setting->trunks);
}

static char way_out(const struct setting *setting, int vlan)
{
	for (unsigned v = 0; v < 4; v++)
		if (vlans[v] == vlan)
			return setting->out[v];
	fail();
	return '-';
}

static void expect_way(
	struct bench *bench, const struct setting *in, const struct setting *out, unsigned t)
{
	int vlan = in->in[t];
	struct frame frame, expected;
	char way;

	tagged_frame(&frame, tags[t]);
	bench_run(bench, &frame, 1);
	if (vlan < 0) {
		bench_expect_only_drop(bench, DROP_VLAN_FILTERED);
		assert_int_equal(bench->learned, 0);
		return;
	}
	way = way_out(out, vlan);
	if (way == '-') {
		bench_expect_only_drop(bench, DROP_NO_DESTINATION);
		return;
	}
	// The priority stays with the packet where it leaves with a tag.
	tagged_frame(&expected, way == 'u' ? -1 : vlan | (tags[t] < 0 ? 0 : tags[t] & 0xe000));
	bench_expect_only_sent(bench, 2, &expected);
}

static void test_matrix(void **state)
{
	for (unsigned in = 0; in < SETTINGS; in++) {
		for (unsigned out = 0; out < SETTINGS; out++) {
			struct bench bench;

			open_normal(&bench, 2);
			set_port(&bench, 1, &settings[in]);
			set_port(&bench, 2, &settings[out]);
			print_message("%s to %s\n", settings[in].name, settings[out].name);
			for (unsigned t = 0; t < 5; t++)
				expect_way(&bench, &settings[in], &settings[out], t);
			bench_close(&bench);
		}
	}
}

// One packet to ports of all modes: each gets its own form, and the packet goes on unchanged.
static void test_flood_to_all_modes(void **state)
{
	struct bench bench;
	struct frame plain, tagged;

	bench_open(&bench, 5);
	bench_flow(
		&bench, "in_port=1,actions=normal,output:5,mod_dl_dst:00:00:00:00:00:02,output:5");
	bench_port(&bench, 1, VLAN_ACCESS, 10);
	bench_port(&bench, 2, VLAN_NATIVE_UNTAGGED, 10);
	bench_port(&bench, 3, VLAN_TRUNK, 0);
	bench_port(&bench, 4, VLAN_ACCESS, 10);
	bench_port(&bench, 5, VLAN_ACCESS, 99);
	tagged_frame(&plain, -1);
	tagged_frame(&tagged, 10);
	bench_run(&bench, &plain, 1);
	bench_expect_events(&bench, 5);
	bench_expect_sent(&bench, 0, 2, &plain);
	bench_expect_sent(&bench, 1, 3, &tagged);
	bench_expect_sent(&bench, 2, 4, &plain);
	bench_expect_sent(&bench, 3, 5, &plain);
	memcpy(plain.bytes, (const uint8_t[6]){0, 0, 0, 0, 0, 2}, 6);
	bench_expect_sent(&bench, 4, 5, &plain);
	bench_close(&bench);
}

// What a service tag looks like stays as it is; the inner tag comes to light where the outer goes.
static void test_service_tags(void **state)
{
	struct bench bench;
	struct frame frame, stripped;

	corpus_named(&frame, "qinq_udp4"); // 88a8 VLAN 5, 8100 VLAN 7
	open_normal(&bench, 3);
	bench_port(&bench, 3, VLAN_ACCESS, 5);
	bench_run(&bench, &frame, 1);
	bench_expect_events(&bench, 2);
	bench_expect_sent(&bench, 0, 2, &frame);
	stripped = frame;
	memmove(stripped.bytes + 12, stripped.bytes + 16, stripped.length - 16);
	stripped.length -= 4;
	bench_expect_sent(&bench, 1, 3, &stripped);
	bench_close(&bench);
}

// NORMAL switches the packet as it is by then.
static void test_after_rewriting(void **state)
{
	struct bench bench;
	struct frame frame, tagged;

	bench_open(&bench, 3);
	bench_flow(&bench, "in_port=1,actions=mod_vlan_vid:20,normal");
	bench_port(&bench, 2, VLAN_ACCESS, 20);
	bench_port(&bench, 3, VLAN_ACCESS, 30);
	tagged_frame(&frame, -1);
	bench_run(&bench, &frame, 1);
	bench_expect_only_sent(&bench, 2, &frame);
	bench_port(&bench, 2, VLAN_TRUNK, 0);
	tagged_frame(&tagged, 20);
	bench_run(&bench, &frame, 1);
	bench_expect_only_sent(&bench, 2, &tagged);
	bench_close(&bench);
}

static void test_no_headroom(void **state)
{
	struct bench bench;
	struct frame frame;

	open_normal(&bench, 4);
	bench_port(&bench, 1, VLAN_ACCESS, 10);
	bench_port(&bench, 3, VLAN_ACCESS, 10);
	tagged_frame(&frame, -1);
	bench_run_tight(&bench, &frame, 1, 2);
	bench_expect_events(&bench, 3);
	bench_expect_drop(&bench, 0, DROP_NO_HEADROOM);
	bench_expect_sent(&bench, 1, 3, &frame);
	bench_expect_drop(&bench, 2, DROP_NO_HEADROOM);
	bench_close(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learning),
		cmocka_unit_test(test_multicast),
		cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_no_destination),
		cmocka_unit_test(test_no_flood),
		cmocka_unit_test(test_learning_by_vlan),
		cmocka_unit_test(test_matrix),
		cmocka_unit_test(test_flood_to_all_modes),
		cmocka_unit_test(test_service_tags),
		cmocka_unit_test(test_after_rewriting),
		cmocka_unit_test(test_no_headroom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
