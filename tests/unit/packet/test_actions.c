// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "pipeline/action.h"
#include "pipeline/drop_reason.h"
#include "tests/unit/packet/bench.h"
#include "tests/unit/packet/cmocka_all.h"
#include "tests/unit/packet/corpus.h"

// Each action by itself and in lists: what is sent where, in which state, and how each packet and
// copy ends.

static const uint8_t mac_to[6] = {0, 0, 0, 0, 0, 2};

// The frame `corpus` from port 1 through one flow with these actions.
static void run_actions(struct bench *bench, struct frame *frame, const char *corpus,
	const char *match, const char *actions)
{
	char text[512];

	corpus_named(frame, corpus);
	snprintf(text, sizeof(text), "%s,actions=%s", match, actions);
	bench_open(bench, 4);
	bench_flow(bench, text);
	bench_run(bench, frame, 1);
}

// The same, and exactly one packet leaves, by port 2; `frame` is what it should be.
static void expect_rewritten(const char *corpus, const char *match, const char *actions,
	void (*change)(struct frame *frame))
{
	struct bench bench;
	struct frame frame;

	run_actions(&bench, &frame, corpus, match, actions);
	change(&frame);
	frame_checksums(&frame);
	bench_expect_only_sent(&bench, 2, &frame);
	bench_close(&bench);
}

static void test_output(void **state)
{
	struct bench bench;
	struct frame frame;

	run_actions(&bench, &frame, "udp4", "in_port=1", "output:2");
	bench_expect_only_sent(&bench, 2, &frame);
	assert_int_equal(bench.copies, 0);
	bench_close(&bench);

	run_actions(&bench, &frame, "udp4", "in_port=1", "output:2,output:3,output:4");
	bench_expect_events(&bench, 3);
	for (unsigned i = 0; i < 3; i++)
		bench_expect_sent(&bench, i, 2 + i, &frame);
	assert_int_equal(bench.copies, 2);
	bench_close(&bench);

	run_actions(&bench, &frame, "udp4", "in_port=1", "output:9");
	bench_expect_only_drop(&bench, DROP_NO_PORT);
	bench_close(&bench);

	run_actions(&bench, &frame, "udp4", "in_port=1", "output:1");
	bench_expect_only_drop(&bench, DROP_INGRESS_PORT);
	bench_close(&bench);

	run_actions(&bench, &frame, "udp4", "in_port=1", "in_port");
	bench_expect_only_sent(&bench, 1, &frame);
	bench_close(&bench);

	run_actions(&bench, &frame, "udp4", "in_port=1", "drop");
	bench_expect_only_drop(&bench, DROP_ACTION_DROP);
	bench_close(&bench);

	run_actions(&bench, &frame, "udp4", "in_port=2", "output:3");
	bench_expect_only_drop(&bench, DROP_TABLE_MISS);
	bench_close(&bench);
}

// What does not go out leaves no trace if something else does.
static void test_suppressed_beside_sent(void **state)
{
	struct bench bench;
	struct frame frame;

	run_actions(&bench, &frame, "udp4", "in_port=1", "output:1,output:3,output:9");
	bench_expect_only_sent(&bench, 3, &frame);
	bench_close(&bench);

	// The last reason counts.
	run_actions(&bench, &frame, "udp4", "in_port=1", "output:9,output:1");
	bench_expect_only_drop(&bench, DROP_INGRESS_PORT);
	bench_close(&bench);
}

static void test_output_field(void **state)
{
	struct bench bench;
	struct frame frame;

	run_actions(&bench, &frame, "udp4", "in_port=1", "load:3->reg0[],output:reg0[]");
	bench_expect_only_sent(&bench, 3, &frame);
	bench_close(&bench);

	run_actions(
		&bench, &frame, "udp4", "in_port=1", "load:0x30->reg5[16..23],output:reg5[20..23]");
	bench_expect_only_sent(&bench, 3, &frame);
	bench_close(&bench);

	run_actions(&bench, &frame, "udp4", "in_port=1", "load:0x10003->reg0[],output:reg0[]");
	bench_expect_only_drop(&bench, DROP_NO_PORT);
	bench_close(&bench);

	run_actions(&bench, &frame, "udp4", "in_port=1", "load:0xfff8->reg0[],output:reg0[]");
	bench_expect_only_sent(&bench, 1, &frame);
	bench_close(&bench);
}

static void test_all_and_flood(void **state)
{
	struct bench bench;
	struct frame frame;
	struct pipeline_port quiet = {.number = 3, .no_flood = true};

	corpus_named(&frame, "udp4");
	bench_open(&bench, 4);
	assert_int_equal(pipeline_port_set(bench.pipeline, &quiet), 0);
	bench_flow(&bench, "in_port=1,actions=all");
	bench_flow(&bench, "in_port=2,actions=flood");
	bench_run(&bench, &frame, 1);
	bench_expect_events(&bench, 3);
	for (unsigned i = 0; i < 3; i++)
		bench_expect_sent(&bench, i, 2 + i, &frame);
	bench_run(&bench, &frame, 2);
	bench_expect_events(&bench, 2);
	bench_expect_sent(&bench, 0, 1, &frame);
	bench_expect_sent(&bench, 1, 4, &frame);
	bench_close(&bench);

	bench_open(&bench, 1);
	bench_flow(&bench, "actions=flood");
	bench_run(&bench, &frame, 1);
	bench_expect_only_drop(&bench, DROP_NO_DESTINATION);
	bench_close(&bench);
}

static void set_dl_dst(struct frame *frame)
{
	memcpy(frame->bytes, mac_to, 6);
}

// An output sends the packet as it is at that point.
static void test_order(void **state)
{
	struct bench bench;
	struct frame frame, changed;

	run_actions(&bench, &frame, "udp4", "in_port=1",
		"output:2,mod_dl_dst:00:00:00:00:00:02,output:3,output:4");
	changed = frame;
	set_dl_dst(&changed);
	bench_expect_events(&bench, 3);
	bench_expect_sent(&bench, 0, 2, &frame);
	bench_expect_sent(&bench, 1, 3, &changed);
	bench_expect_sent(&bench, 2, 4, &changed);
	bench_close(&bench);

	// A packet that is left over after its copies went out is no loss.
	run_actions(&bench, &frame, "udp4", "in_port=1",
		"output:2,mod_dl_dst:00:00:00:00:00:02,output:1");
	bench_expect_events(&bench, 2);
	bench_expect_sent(&bench, 0, 2, &frame);
	bench_expect_drop(&bench, 1, DROP_CONSUMED);
	bench_close(&bench);

	// Registers are not in the packet: no copy is needed.
	run_actions(&bench, &frame, "udp4", "in_port=1", "output:2,load:1->reg0[]");
	bench_expect_only_sent(&bench, 2, &frame);
	bench_close(&bench);
}

static void test_no_memory(void **state)
{
	struct bench bench;
	struct frame frame;

	corpus_named(&frame, "udp4");
	bench_open(&bench, 4);
	bench_flow(&bench, "in_port=1,actions=output:2,output:3,output:4");
	bench.copies_left = 1;
	bench_run(&bench, &frame, 1);
	bench_expect_events(&bench, 3);
	bench_expect_sent(&bench, 0, 2, &frame);
	bench_expect_drop(&bench, 1, DROP_NO_MEMORY);
	bench_expect_sent(&bench, 2, 4, &frame);
	bench_close(&bench);

	// One output is lost, and counted once.
	bench_open(&bench, 4);
	bench_flow(&bench, "in_port=1,actions=output:2,mod_dl_dst:00:00:00:00:00:02");
	bench.copies_left = 0;
	bench_run(&bench, &frame, 1);
	bench_expect_events(&bench, 2);
	bench_expect_drop(&bench, 0, DROP_NO_MEMORY);
	bench_expect_drop(&bench, 1, DROP_CONSUMED);
	bench_close(&bench);
}

// --- Writing ---

static void put(struct frame *frame, size_t at, const void *bytes, size_t size)
{
	memcpy(frame->bytes + at, bytes, size);
}

static void set_nat(struct frame *frame)
{
	set_dl_dst(frame);
	put(frame, frame->l3 + 16, "\x0a\x01\x01\x01", 4);
	put(frame, frame->l4 + 2, "\x1f\x90", 2);
	frame->bytes[frame->l3 + 8] = 63;
}

static void set_nw_src(struct frame *frame)
{
	put(frame, frame->l3 + 12, "\x0a\x00\x00\x63", 4);
}

static void set_tos(struct frame *frame)
{
	frame->bytes[frame->l3 + 1] = 0x82;
}

static void set_ttl(struct frame *frame)
{
	frame->bytes[frame->l3 + 8] = 9;
}

static void set_ports_7(struct frame *frame)
{
	put(frame, frame->l4, "\x00\x07\x00\x07", 4);
}

static void set_hop_limit(struct frame *frame)
{
	frame->bytes[frame->l3 + 7] = 63;
}

static void set_label(struct frame *frame)
{
	put(frame, frame->l3, "\x62\xab\xcd\xef", 4);
}

static void set_arp_reply(struct frame *frame)
{
	put(frame, frame->l3 + 8, frame->bytes + 6, 6);
	put(frame, frame->l3 + 24, frame->bytes + frame->l3 + 14, 4);
	put(frame, frame->l3 + 6, "\x00\x01", 2);
}

static void set_nothing(struct frame *frame)
{
}

static void test_rewriting(void **state)
{
	expect_rewritten("tcp4", "tcp",
		"dec_ttl,mod_dl_dst:00:00:00:00:00:02,mod_nw_dst:10.1.1.1,mod_tp_dst:8080,2",
		set_nat);
	expect_rewritten("udp4", "udp",
		"dec_ttl,mod_dl_dst:00:00:00:00:00:02,mod_nw_dst:10.1.1.1,mod_tp_dst:8080,2",
		set_nat);
	expect_rewritten("sctp4", "sctp",
		"dec_ttl,mod_dl_dst:00:00:00:00:00:02,mod_nw_dst:10.1.1.1,mod_tp_dst:8080,2",
		set_nat);
	expect_rewritten("tcp4_options", "tcp", "set_field:10.0.0.99->ip_src,output:2", set_nw_src);
	expect_rewritten("udp4", "ip", "set_field:0.0.0.99/0.0.0.255->nw_src,2", set_nw_src);
	expect_rewritten("udp4", "ip", "load:99->NXM_OF_IP_SRC[0..7],2", set_nw_src);
	expect_rewritten("udp4", "ip", "mod_nw_tos:128,2", set_tos);
	expect_rewritten("udp4", "ip", "mod_nw_ttl:9,2", set_ttl);
	expect_rewritten("udp4_first", "udp", "mod_tp_src:7,mod_tp_dst:7,2", set_ports_7);
	expect_rewritten("udp4_later", "ip", "mod_nw_src:10.0.0.99,2", set_nw_src);
	expect_rewritten("tcp6", "ipv6", "dec_ttl,2", set_hop_limit);
	expect_rewritten("tcp6", "ipv6", "set_field:0xbcdef->ipv6_label,2", set_label);
	expect_rewritten("udp6_extensions", "udp6", "mod_tp_src:7,mod_tp_dst:7,2", set_ports_7);
	expect_rewritten("arp", "arp",
		"move:eth_src[]->arp_sha[],move:arp_spa[]->arp_tpa[],set_field:1->arp_op,2",
		set_arp_reply);
	// What the packet does not have is left alone: a later fragment has no ports.
	expect_rewritten("udp4_later", "udp", "mod_tp_src:7,2", set_nothing);
}

static void test_move(void **state)
{
	struct bench bench;
	struct frame frame;

	// The ingress port by way of registers and metadata, with bits cut out of the middle.
	run_actions(&bench, &frame, "udp4", "in_port=1",
		"load:0xffffffff->reg1[],move:in_port[]->reg1[8..23],move:reg1[4..11]->metadata[40."
		".47],"
		"move:metadata[42..45]->reg7[0..3],output:reg7[]");
	// reg1 = 0xff0001ff, [4..11] = 0x1f, metadata[42..45] = 7: no such port.
	bench_expect_only_drop(&bench, DROP_NO_PORT);
	bench_close(&bench);
	run_actions(&bench, &frame, "udp4", "in_port=1",
		"move:in_port[]->reg1[8..23],move:reg1[7..10]->reg7[0..3],output:reg7[]");
	bench_expect_only_sent(&bench, 2, &frame);
	bench_close(&bench);
}

static void test_dec_ttl_expires(void **state)
{
	struct bench bench;
	struct frame frame;
	struct frame sent;

	for (unsigned ttl = 0; ttl <= 2; ttl++) {
		corpus_named(&frame, "udp4");
		frame.bytes[frame.l3 + 8] = ttl;
		frame_checksums(&frame);
		bench_open(&bench, 4);
		bench_flow(&bench, "ip,actions=output:2,dec_ttl,output:3");
		bench_run(&bench, &frame, 1);
		bench_expect_events(&bench, 2);
		bench_expect_sent(&bench, 0, 2, &frame);
		sent = frame;
		sent.bytes[frame.l3 + 8] = 1;
		frame_checksums(&sent);
		if (ttl < 2)
			bench_expect_drop(&bench, 1, DROP_TTL_EXPIRED);
		else
			bench_expect_sent(&bench, 1, 3, &sent);
		bench_close(&bench);
	}
}

static void test_sctp_fragment(void **state)
{
	struct bench bench;
	struct frame frame;

	run_actions(&bench, &frame, "sctp4_first", "sctp", "output:3,mod_tp_dst:8080,2");
	bench_expect_events(&bench, 2);
	bench_expect_sent(&bench, 0, 3, &frame);
	bench_expect_drop(&bench, 1, DROP_SCTP_FRAGMENT);
	bench_close(&bench);
}

// --- VLANs ---

static void insert_tag(struct frame *frame, const char tag[4])
{
	memmove(frame->bytes + 16, frame->bytes + 12, frame->length - 12);
	memcpy(frame->bytes + 12, tag, 4);
	frame->length += 4;
	frame->type += 4;
	frame->l3 += frame->l3 ? 4 : 0;
	frame->l4 += frame->l4 ? 4 : 0;
}

static void tag_100(struct frame *frame)
{
	insert_tag(frame, "\x81\x00\x00\x64");
}

static void tag_pcp_5(struct frame *frame)
{
	insert_tag(frame, "\x81\x00\xa0\x00");
}

static void tag_service(struct frame *frame)
{
	insert_tag(frame, "\x88\xa8\x00\x07");
}

static void tag_moved(struct frame *frame)
{
	put(frame, 14, "\xa0\x63", 2);
}

static void untag(struct frame *frame)
{
	memmove(frame->bytes + 12, frame->bytes + 16, frame->length - 16);
	frame->length -= 4;
	frame->type -= 4;
	frame->l3 -= frame->l3 ? 4 : 0;
	frame->l4 -= frame->l4 ? 4 : 0;
}

static void test_vlan_actions(void **state)
{
	expect_rewritten("udp4", "in_port=1", "mod_vlan_vid:100,2", tag_100);
	expect_rewritten("udp4", "in_port=1", "mod_vlan_pcp:5,2", tag_pcp_5);
	expect_rewritten(
		"udp4", "in_port=1", "push_vlan:0x8100,set_field:100->vlan_vid,2", tag_100);
	expect_rewritten(
		"udp4", "in_port=1", "push_vlan:0x8100,set_field:4196->vlan_vid,2", tag_100);
	expect_rewritten(
		"vlan_tcp4", "in_port=1", "push_vlan:0x88a8,mod_vlan_vid:7,2", tag_service);
	expect_rewritten("vlan_tcp4", "dl_vlan=100", "mod_vlan_vid:99,2", tag_moved);
	expect_rewritten("vlan_tcp4", "dl_vlan=100", "strip_vlan,2", untag);
	expect_rewritten("qinq_udp4", "dl_vlan=5", "strip_vlan,2", untag);
}

static void test_no_headroom(void **state)
{
	struct bench bench;
	struct frame frame;

	corpus_named(&frame, "udp4");
	bench_open(&bench, 4);
	bench_flow(&bench, "in_port=1,actions=output:3,push_vlan:0x8100,output:2");
	bench_run_tight(&bench, &frame, 1, 3);
	bench_expect_events(&bench, 2);
	bench_expect_sent(&bench, 0, 3, &frame);
	bench_expect_drop(&bench, 1, DROP_NO_HEADROOM);
	bench_run_tight(&bench, &frame, 1, 4);
	bench_expect_events(&bench, 2);
	bench_expect_sent(&bench, 0, 3, &frame);
	insert_tag(&frame, "\x81\x00\x00\x00");
	bench_expect_sent(&bench, 1, 2, &frame);
	bench_close(&bench);
}

// --- Tables ---

static void test_goto(void **state)
{
	struct bench bench;
	struct frame frame;

	corpus_named(&frame, "udp4");
	bench_open(&bench, 4);
	bench_flow(
		&bench, "table=0,in_port=1,actions=load:5->reg6[],write_metadata:7,goto_table:60");
	bench_flow(&bench, "table=0,in_port=2,actions=output:3,goto_table:60");
	bench_flow(&bench, "table=0,in_port=3,actions=goto_table:61");
	bench_flow(&bench, "table=60,reg6=5,metadata=7,actions=output:2");
	bench_run(&bench, &frame, 1);
	bench_expect_only_sent(&bench, 2, &frame);
	// Registers start at zero with every packet. What was sent before a miss stays sent.
	bench_run(&bench, &frame, 2);
	bench_expect_only_sent(&bench, 3, &frame);
	bench_run(&bench, &frame, 3);
	bench_expect_only_drop(&bench, DROP_TABLE_MISS);
	bench_close(&bench);
}

// A flow without actions is a drop, whatever was noted before.
static void test_empty_list(void **state)
{
	static const char *const lists[] = {"", "drop"};
	struct frame frame;

	corpus_named(&frame, "udp4");
	for (unsigned i = 0; i < 2; i++) {
		struct bench bench;
		char text[64];

		bench_open(&bench, 4);
		bench_flow(&bench, "in_port=1,actions=output:1,goto_table:1");
		bench_flow(&bench, "in_port=2,actions=output:2,goto_table:2");
		bench_flow(&bench, "table=2,actions=load:1->reg0[]");
		snprintf(text, sizeof(text), "table=1,actions=%s", lists[i]);
		bench_flow(&bench, text);
		bench_run(&bench, &frame, 1);
		bench_expect_only_drop(&bench, DROP_ACTION_DROP);
		bench_run(&bench, &frame, 2);
		bench_expect_only_drop(&bench, DROP_INGRESS_PORT);
		bench_close(&bench);
	}
}

static void test_resubmit(void **state)
{
	struct bench bench;
	struct frame frame, changed;

	corpus_named(&frame, "udp4");
	changed = frame;
	set_dl_dst(&changed);
	bench_open(&bench, 5);
	bench_flow(&bench, "in_port=1,actions=resubmit(,1),output:5");
	bench_flow(&bench, "in_port=2,actions=resubmit(9,2),output:5");
	bench_flow(&bench, "in_port=3,actions=resubmit(,3)");
	bench_flow(&bench, "in_port=4,actions=resubmit(9,4),output:5");
	bench_flow(
		&bench, "table=1,in_port=1,actions=output:2,mod_dl_dst:00:00:00:00:00:02,output:3");
	bench_flow(&bench, "table=2,in_port=9,actions=resubmit(,5)");
	bench_flow(&bench, "table=4,actions=output:3,goto_table:6");
	bench_flow(&bench, "table=5,in_port=2,actions=in_port,output:2");
	bench_flow(&bench, "table=6,in_port=4,actions=output:1");
	// Its actions are run in place, and the list goes on with what they made of the packet.
	bench_run(&bench, &frame, 1);
	bench_expect_events(&bench, 3);
	bench_expect_sent(&bench, 0, 2, &frame);
	bench_expect_sent(&bench, 1, 3, &changed);
	bench_expect_sent(&bench, 2, 5, &changed);
	// The port is for the lookup only: within, the packet still came from port 2.
	bench_run(&bench, &frame, 2);
	bench_expect_events(&bench, 2);
	bench_expect_sent(&bench, 0, 2, &frame);
	bench_expect_sent(&bench, 1, 5, &frame);
	// A miss is nothing.
	bench_run(&bench, &frame, 3);
	bench_expect_only_drop(&bench, DROP_ACTION_DROP);
	// goto_table is followed before the list goes on, with the packet's own port.
	bench_run(&bench, &frame, 4);
	bench_expect_events(&bench, 3);
	bench_expect_sent(&bench, 0, 3, &frame);
	bench_expect_sent(&bench, 1, 1, &frame);
	bench_expect_sent(&bench, 2, 5, &frame);
	bench_close(&bench);
}

static void test_resubmit_ends_packet(void **state)
{
	struct bench bench;
	struct frame frame;

	corpus_named(&frame, "udp4");
	frame.bytes[frame.l3 + 8] = 1;
	frame_checksums(&frame);
	bench_open(&bench, 4);
	bench_flow(&bench, "ip,actions=output:2,resubmit(,1),output:3");
	bench_flow(&bench, "table=1,ip,actions=resubmit(,2),output:4");
	bench_flow(&bench, "table=2,ip,actions=dec_ttl");
	bench_run(&bench, &frame, 1);
	bench_expect_events(&bench, 2);
	bench_expect_sent(&bench, 0, 2, &frame);
	bench_expect_drop(&bench, 1, DROP_TTL_EXPIRED);
	bench_close(&bench);
}

static void test_resubmit_limits(void **state)
{
	struct bench bench;
	struct frame frame;
	char text[128];

	corpus_named(&frame, "udp4");
	// A loop ends at the depth limit.
	bench_open(&bench, 4);
	bench_flow(&bench, "in_port=1,actions=resubmit(,1)");
	bench_flow(&bench, "table=1,actions=resubmit(,1),output:2");
	bench_run(&bench, &frame, 1);
	bench_expect_only_drop(&bench, DROP_RESUBMIT_LIMIT);
	bench_close(&bench);

	// So many are allowed, and one more is not.
	for (unsigned depth = 16; depth <= 17; depth++) {
		bench_open(&bench, 4);
		for (unsigned i = 0; i < depth; i++) {
			snprintf(text, sizeof(text), "table=%u,actions=resubmit(,%u)", i, i + 1);
			bench_flow(&bench, text);
		}
		snprintf(text, sizeof(text), "table=%u,actions=output:2", depth);
		bench_flow(&bench, text);
		bench_run(&bench, &frame, 1);
		if (depth == PIPELINE_RESUBMIT_DEPTH)
			bench_expect_only_sent(&bench, 2, &frame);
		else
			bench_expect_only_drop(&bench, DROP_RESUBMIT_LIMIT);
		bench_close(&bench);
	}

	// Wide instead of deep: 8^5 lookups are too many.
	bench_open(&bench, 4);
	for (unsigned i = 0; i < 5; i++) {
		snprintf(text, sizeof(text),
			"table=%u,actions=resubmit(,%u),resubmit(,%u),resubmit(,%u),resubmit(,%u),"
			"resubmit(,%u),resubmit(,%u),resubmit(,%u),resubmit(,%u)",
			i, i + 1, i + 1, i + 1, i + 1, i + 1, i + 1, i + 1, i + 1);
		bench_flow(&bench, text);
	}
	bench_flow(&bench, "table=5,actions=load:1->reg0[]");
	bench_run(&bench, &frame, 1);
	bench_expect_only_drop(&bench, DROP_RESUBMIT_LIMIT);
	bench_close(&bench);
}

static void test_malformed(void **state)
{
	struct bench bench;
	struct frame frame;

	corpus_named(&frame, "vlan_tcp4");
	bench_open(&bench, 4);
	bench_flow(&bench, "actions=output:2");
	frame.length = 17;
	bench_run(&bench, &frame, 1);
	bench_expect_only_drop(&bench, DROP_MALFORMED);
	frame.length = 18;
	bench_run(&bench, &frame, 1);
	bench_expect_only_sent(&bench, 2, &frame);
	bench_close(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_suppressed_beside_sent),
		cmocka_unit_test(test_output_field),
		cmocka_unit_test(test_all_and_flood),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_rewriting),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_dec_ttl_expires),
		cmocka_unit_test(test_sctp_fragment),
		cmocka_unit_test(test_vlan_actions),
		cmocka_unit_test(test_no_headroom),
		cmocka_unit_test(test_goto),
		cmocka_unit_test(test_empty_list),
		cmocka_unit_test(test_resubmit),
		cmocka_unit_test(test_resubmit_ends_packet),
		cmocka_unit_test(test_resubmit_limits),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
