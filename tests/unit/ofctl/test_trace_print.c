// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ofctl/trace_print.h"

static void check(const char *json, const char *expected)
{
	json_t *trace = json_loads(json, 0, NULL);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(trace);
	trace_print(trace, out);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
	json_decref(trace);
}

#define FLOW "\"packets\": 3, \"bytes\": 180, \"text\": \"priority=5,tcp actions=drop\""

static void test_all(void **state)
{
	check("{\"packet\": {\"length\": 2, \"frame\": \"0102\", \"fields\": {\"in_port\": \"1\","
	      " \"nw_ttl\": \"64\"}}, \"steps\": ["
	      "{\"step\": \"table\", \"depth\": 0, \"table\": 0, \"flow\": {" FLOW "},"
	      " \"lost_omitted\": 7, \"lost\": ["
	      "{" FLOW ", \"field\": \"tp_dst\", \"wants\": \"443\", \"has\": \"80\"},"
	      "{" FLOW ", \"field\": \"dl_vlan\", \"wants\": \"7\", \"has\": null}]},"
	      "{\"step\": \"action\", \"depth\": 0, \"action\": \"dec_ttl\", \"changes\": ["
	      "{\"field\": \"nw_ttl\", \"before\": \"64\", \"after\": \"63\"},"
	      "{\"field\": \"dl_vlan\", \"before\": \"5\", \"after\": null}]},"
	      "{\"step\": \"table\", \"depth\": 1, \"table\": 9, \"as_port\": 4, \"flow\": null,"
	      " \"lost\": [], \"lost_omitted\": 0},"
	      "{\"step\": \"action\", \"depth\": 0, \"action\": \"output:9\", \"changes\": [],"
	      " \"note\": \"no_port\"},"
	      "{\"step\": \"normal\", \"depth\": 0, \"vlan\": 10, \"source_port\": null,"
	      " \"learns\": true, \"multicast\": false, \"port\": 2}],"
	      "\"steps_omitted\": 0, \"outputs\": ["
	      "{\"ofport\": 2, \"port\": \"p2\", \"length\": 2, \"frame\": \"0103\","
	      " \"fields\": {}},"
	      "{\"ofport\": 3, \"port\": \"p3\", \"length\": 2, \"frame\": \"0104\","
	      " \"fields\": {}, \"drop\": \"tx_down\", \"help\": \"no link\"}],"
	      "\"drop\": \"ttl_expired\", \"help\": \"it was 1\"}",
		"packet, 2 bytes\n"
		"  in_port=1,nw_ttl=64\n"
		"  0102\n"
		"\n"
		"table 0\n"
		"  lost:  n_packets=3, n_bytes=180, priority=5,tcp actions=drop\n"
		"         tp_dst is 80, not 443\n"
		"  lost:  n_packets=3, n_bytes=180, priority=5,tcp actions=drop\n"
		"         dl_vlan=7: the packet has no dl_vlan\n"
		"  lost:  7 more\n"
		"  won:   n_packets=3, n_bytes=180, priority=5,tcp actions=drop\n"
		"  dec_ttl\n"
		"    nw_ttl: 64 -> 63\n"
		"    dl_vlan: 5 -> none\n"
		"\n"
		"    table 9 as from port 4\n"
		"      no flow matches\n"
		"  output:9: not done, no_port\n"
		"    VLAN 10; source would be learned; destination known at port 2\n"
		"\n"
		"output to port p2 (2), 2 bytes\n"
		"  0103\n"
		"\n"
		"output to port p3 (3), 2 bytes\n"
		"  dropped: tx_down: no link\n"
		"  0104\n"
		"\n"
		"result: sent to port p2 (2); then dropped: ttl_expired: it was 1\n");
}

static void test_verdicts(void **state)
{
	check("{\"packet\": {\"length\": 1, \"frame\": \"01\", \"fields\": {}}, \"steps\": [],"
	      " \"outputs\": [], \"drop\": \"malformed\", \"help\": \"too short\"}",
		"packet, 1 bytes\n  01\n\nresult: dropped: malformed: too short\n");
	check("{\"packet\": {\"length\": 1, \"frame\": \"01\", \"fields\": {}}, \"steps\": [],"
	      " \"steps_omitted\": 4, \"outputs\": [{\"ofport\": 2, \"length\": 1,"
	      " \"frame\": \"01\", \"drop\": \"no_port\", \"help\": \"gone\"}]}",
		"packet, 1 bytes\n  01\n\n4 more steps\n\noutput to port 2, 1 bytes\n"
		"  dropped: no_port: gone\n  01\n\nresult: not sent anywhere, see above\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_verdicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
