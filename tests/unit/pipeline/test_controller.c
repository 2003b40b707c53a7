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

// Packets to the controller, from it, and cut ones.

// --- Events and packets handed in ---

static void test_controller(void **state)
{
	struct bench *bench = *state;

	install(bench, 1, "table=3,cookie=0x55,udp,udp_dst=80,actions=controller:40");
	install(bench, 2, "udp,actions=set_field:9->metadata,resubmit(,3)");
	install(bench, 3,
		"priority=40000,udp,udp_dst=81,actions=controller(reason=no_match),output:2");
	send_frame(bench, 80);
	assert_int_equal(bench->events, 1);
	assert_int_equal(bench->event.max_len, 40);
	assert_int_equal(bench->event.table, 3);
	assert_int_equal(bench->event.cookie, 0x55);
	assert_int_equal(bench->event.metadata, 9);
	assert_int_equal(bench->event.reason, PACKET_IN_ACTION);
	// It went somewhere, so it is not lost.
	assert_int_equal(bench->drops[DROP_CONSUMED], 1);
	send_frame(bench, 81);
	assert_int_equal(bench->event.reason, PACKET_IN_NO_MATCH);
	assert_int_equal(bench->event.table, 0);
	assert_int_equal(ports_of(bench), 2);
	bench->deaf = true;
	send_frame(bench, 80);
	assert_int_equal(bench->drops[DROP_CONTROLLER], 1);
	send_frame(bench, 81);
	assert_int_equal(ports_of(bench), 2);
}

static void test_truncated_output(void **state)
{
	struct bench *bench = *state;

	install(bench, 1,
		"actions=output(port=2,max_len=60),output:3,output(port=in_port,max_len=1000),"
		"output(port=1,max_len=60),output(port=9,max_len=60)");
	send_frame(bench, 80);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_controller),
		CASE(test_truncated_output),
		CASE(test_packet_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
