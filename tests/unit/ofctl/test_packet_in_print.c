// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ofctl/packet_in_print.h"
#include "pipeline/flow_text.h"

static char *printed(const char *json, bool names, bool is_packet)
{
	json_t *event = json_loads(json, 0, NULL);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(event);
	if (is_packet)
		packet_in_print(event, names, out);
	else
		flow_removed_print(event, out);
	fclose(out);
	json_decref(event);
	return text;
}

#define ETHERNET       \
	"020000000002" \
	"020000000001"
#define UDP                                 \
	ETHERNET "0800"                     \
		 "4500001c0001000040110000" \
		 "0a000001"                 \
		 "0a000002"                 \
		 "03e807d000080000"
#define VLAN                                    \
	ETHERNET "8100"                         \
		 "6005"                         \
		 "0806"                         \
		 "0001080006040001020000000001" \
		 "0a000001"                     \
		 "000000000000"                 \
		 "0a000002"
#define TCP6                                        \
	ETHERNET "86dd"                             \
		 "6000000000140640"                 \
		 "20010db8000000000000000000000001" \
		 "20010db8000000000000000000000002" \
		 "0050c000"                         \
		 "0000000000000000"                 \
		 "5002"                             \
		 "000000000000"

#define EVENT(IN_PORT, FRAME)                                                                  \
	"{\"bridge\":\"br0\"," IN_PORT "\"table\":3,\"cookie\":\"0x5\",\"reason\":\"action\"," \
	"\"length\":99,\"frame\":\"" FRAME "\",\"metadata\":\"0x0\",\"lost\":0}"
#define PORT_1 "\"in_port\":1,\"port\":\"vhu0\","

static void test_packets(void **state)
{
	static const struct {
		const char *json;
		bool names;
		const char *expected;
	} cases[] = {
		{EVENT(PORT_1, UDP), false,
			"packet-in: table_id=3 cookie=0x5 total_len=99 in_port=1 (via action) "
			"data_len=42\n"
			"  udp,in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,"
			"nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_tos=0,nw_ecn=0,nw_ttl=64,"
			"tp_src=1000,tp_dst=2000\n"},
		{EVENT(PORT_1, UDP), true,
			"packet-in: table_id=3 cookie=0x5 total_len=99 in_port=vhu0 (via action) "
			"data_len=42\n"
			"  udp,in_port=vhu0,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,"
			"nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_tos=0,nw_ecn=0,nw_ttl=64,"
			"tp_src=1000,tp_dst=2000\n"},
		{EVENT("\"in_port\":0,", VLAN), true,
			"packet-in: table_id=3 cookie=0x5 total_len=99 in_port=CONTROLLER (via "
			"action) "
			"data_len=46\n"
			"  "
			"arp,dl_vlan=5,dl_vlan_pcp=3,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:0"
			"0:00:02,arp_spa=10.0.0.1,arp_tpa=10.0.0.2,arp_op=1,arp_sha=02:00:00:00"
			":00:01,arp_tha=00:00:00:00:00:00"
			"\n"},
		{EVENT(PORT_1, TCP6), false,
			"packet-in: table_id=3 cookie=0x5 total_len=99 in_port=1 (via action) "
			"data_len=74\n"
			"  "
			"tcp6,in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,ipv6_"
			"src=2001:db8::1,ipv6_dst=2001:db8::2,ipv6_label=0x00000,nw_tos=0,nw_ec"
			"n=0,nw_ttl=64,tp_src=80,tp_dst=49152,tcp_flags=syn"
			"\n"},
		{EVENT(PORT_1, "0200"), false,
			"packet-in: table_id=3 cookie=0x5 total_len=99 in_port=1 (via action) "
			"data_len=2\n"
			"  too short to tell what it is\n"},
		{EVENT(PORT_1, ""), false,
			"packet-in: table_id=3 cookie=0x5 total_len=99 in_port=1 (via action) "
			"data_len=0\n"
			"  too short to tell what it is\n"},
		{"{\"in_port\":0,\"cookie\":\"0x0\",\"reason\":\"no_match\",\"length\":2,"
		 "\"frame\":\"zz\",\"metadata\":\"0x7\"}",
			true,
			"packet-in: cookie=0x0 total_len=2 metadata=0x7 in_port=CONTROLLER "
			"(via no_match) data_len=0\n"
			"  too short to tell what it is\n"},
		{"{}", false,
			"packet-in: cookie= total_len=0 in_port=CONTROLLER (via ) data_len=0\n"
			"  too short to tell what it is\n"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = printed(cases[i].json, cases[i].names, true);

		assert_string_equal(text, cases[i].expected);
		free(text);
	}
}

// However much of a frame there is, its second line is a match that can be written into a flow.
static void test_is_a_match(void **state)
{
	static const char *const frames[] = {UDP, VLAN, TCP6};
	unsigned matches = 0;

	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		for (size_t length = 0; length <= strlen(frames[i]); length++) {
			char json[512];
			char flow[512];
			char *text;
			struct flow_request request;
			struct flow_warnings warnings;
			struct flow_error error;

			snprintf(json, sizeof(json),
				"{\"in_port\":1,\"length\":99,\"frame\":\"%.*s\"}", (int)length,
				frames[i]);
			text = printed(json, false, true);
			assert_non_null(strstr(text, "\n  "));
			snprintf(flow, sizeof(flow), "%s", strstr(text, "\n  ") + 3);
			free(text);
			flow[strcspn(flow, "\n")] = '\0';
			if (strncmp(flow, "too short", 9) == 0)
				continue;
			matches++;
			strcat(flow, ",actions=drop");
			if (flow_request_parse(&request, flow, FLOW_ADD, NULL, &warnings, &error) !=
				0)
				fail_msg("%s: %s", flow, error.message);
			assert_int_equal(warnings.count, 0);
			flow_request_destroy(&request);
		}
	}
	assert_in_range(matches, 200, 300);
}

static void test_flow_removed(void **state)
{
	char *text = printed("{\"bridge\":\"br0\",\"flow\":\"table=0, priority=5,ip actions=drop\","
			     "\"duration_ms\":12045}",
		false, false);

	assert_string_equal(
		text, "flow-removed: duration=12.045s table=0, priority=5,ip actions=drop\n");
	free(text);
	text = printed("{\"flow\":\"F\",\"duration_ms\":7,\"reason\":\"idle_timeout\","
		       "\"packets\":3,\"bytes\":180}",
		false, false);
	assert_string_equal(text,
		"flow-removed: reason=idle_timeout duration=0.007s n_packets=3 n_bytes=180 F\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets),
		cmocka_unit_test(test_is_a_match),
		cmocka_unit_test(test_flow_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
