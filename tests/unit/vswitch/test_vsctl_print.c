// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "vswitch/vsctl_print.h"

typedef int printer(const struct vsctl_request *request, const json_t *results, FILE *out);

struct example {
	printer *print;
	const char *results; // with ' for "
	const char *text;
};

static const struct example examples[] = {
	{vsctl_print_lines, "[['br0','br1']]", "br0\nbr1\n"},
	{vsctl_print_lines, "[[{'name':'a','ofport':1}]]", "a\n"},
	{vsctl_print_values, "[1234567890123]", "1234567890123\n"},
	{vsctl_print_values, "[100, [], 'br0', null]", "100\n[]\nbr0\n\n"},
	{vsctl_print_records,
		"[[{'_uuid':'01234567-89ab-cdef-0123-456789abcdef','name':'p0'},"
		"{'name':'p1'}],[{'name':'p2'}]]",
		"_uuid               : 01234567-89ab-cdef-0123-456789abcdef\n"
		"name                : p0\n"
		"\n"
		"name                : p1\n"
		"\n"
		"name                : p2\n"},
	{vsctl_print_show,
		"[{'uuid':'01234567-89ab-cdef-0123-456789abcdef','bridges':[{'name':"
		"'br0','ports':[{'name':'vhu0','tag':5,'trunks':[],'interfaces':["
		"{'name':'vhu0','type':'vhostuser','options':{'path':'/tmp/x'},"
		"'state':'running','error':''}]},{'name':'p0',"
		"'interfaces':[{'name':'p0','type':'dpdk','options':{},'error':"
		"'no such device'}]}]}]}]",
		"01234567-89ab-cdef-0123-456789abcdef\n"
		"    Bridge br0\n"
		"        Port vhu0\n"
		"            tag: 5\n"
		"            Interface vhu0\n"
		"                type: vhostuser\n"
		"                options: {path=\"/tmp/x\"}\n"
		"                state: running\n"
		"        Port p0\n"
		"            Interface p0\n"
		"                type: dpdk\n"
		"                error: \"no such device\"\n"},
	{vsctl_print_rxqs,
		"[{'threads':[{'core':2,'numa':0,'isolated':false,'queues':[{'port':'dpdk0',"
		"'queue':0,'enabled':true,'usage_percent':53},{'port':'vhu0','queue':1,"
		"'enabled':false,'usage_percent':null}],'overhead_percent':1}],"
		"'unpolled':{'vhu1':'no core'}}]",
		"pmd thread numa_id 0 core_id 2:\n"
		"  isolated : false\n"
		"  port: dpdk0             queue-id:  0 (enabled)   pmd usage: 53 %\n"
		"  port: vhu0              queue-id:  1 (disabled)  pmd usage: NOT "
		"AVAIL\n"
		"  overhead:  1 %\n"
		"not polled: port: vhu1              no core\n"},
	{vsctl_print_pmd_stats,
		"[[{'core':2,'numa':0,'rx_packets':10,'rx_batches':5,'tx_packets':9,"
		"'drops':{'no_match':1},'cycles_busy':500,'cycles_idle':1500,"
		"'queues':[{'port':'p0','queue':0,'packets':10,'cycles':400}]}]]",
		"pmd thread numa_id 0 core_id 2:\n"
		"  packets received: 10\n"
		"  packets sent: 9\n"
		"  packets dropped: 1\n"
		"  avg. packets per received batch: 2.00\n"
		"  port: p0                queue-id:  0  packets: 10  cycles per "
		"packet: 40.0  pmd usage: 20.0 %\n"
		"  idle cycles: 1500 (75.00%)\n"
		"  processing cycles: 500 (25.00%)\n"
		"  avg cycles per packet: 200.00 (2000/10)\n"
		"  avg processing cycles per packet: 50.00 (500/10)\n"},
	// Nothing was counted yet: no division by zero.
	{vsctl_print_pmd_stats, "[[{'core':1,'numa':0,'queues':[]}]]",
		"pmd thread numa_id 0 core_id 1:\n"
		"  packets received: 0\n"
		"  packets sent: 0\n"
		"  packets dropped: 0\n"
		"  avg. packets per received batch: 0.00\n"
		"  idle cycles: 0 (0.00%)\n"
		"  processing cycles: 0 (0.00%)\n"},
	{vsctl_print_pmd_perf,
		"[[{'core':1,'numa':0,'rx_packets':1000,'rx_batches':100,"
		"'tx_packets':1000,'iterations':400,'cycles_busy':1500000,"
		"'cycles_idle':500000,'cycles_hz':1000000000}]]",
		"pmd thread numa_id 0 core_id 1:\n"
		"  measuring duration: 0.002 s\n"
		"  iterations: 400 (5.00 us/it)\n"
		"  - used TSC cycles: 1500000 ( 75.0 % of total cycles)\n"
		"  - idle TSC cycles: 500000 ( 25.0 % of total cycles)\n"
		"  rx packets: 1000 (500 Kpps, 1500 cycles/pkt)\n"
		"  rx batches: 100 (10.00 pkts/batch)\n"
		"  tx packets: 1000\n"},
	{vsctl_print_rxqs,
		"[{'threads':[{'core':2,'numa':0,'isolated':true,'queues':[{'port':'p0','queue':3,"
		"'usage_percent':7,'crosses':true}],'overhead_percent':1,"
		"'load_5s':99.96,'load_60s':25,'load_300s':5.25,'headroom_pps':3100000}]}]",
		"pmd thread numa_id 0 core_id 2:\n"
		"  isolated : true\n"
		"  port: p0                queue-id:  3 (enabled)   pmd usage:  7 %\n"
		"    this queue crosses to another NUMA node: no core of its own is in pmd-cpu-mask, "
		"or it is pinned\n"
		"  overhead:  1 %\n"
		"  load: 100.0 % in 5 s, 25.0 % in 60 s, 5.2 % in 300 s; room for 3.10 Mpps "
		"more\n"},
	{vsctl_print_pmd_perf,
		"[[{'core':1,'numa':0}],[{'core':2,'suspicious':9},{'core':1,'suspicious':2,"
		"'histograms':{'cycles':[[0,0],[256,3],[384,1]],'packets':[],"
		"'cycles_per_packet':[],'batch':[[1,4]]},'last_rounds':[{'us_ago':5,'cycles':300,"
		"'packets':2,'batches':1}],'last_milliseconds':[{'ms':77,'rounds':4,'cycles':1300,"
		"'packets':8,'batches':4}]}]]",
		"pmd thread numa_id 0 core_id 1:\n"
		"  measuring duration: 0.000 s\n"
		"  iterations: 0 (0.00 us/it)\n"
		"  - used TSC cycles: 0 (  0.0 % of total cycles)\n"
		"  - idle TSC cycles: 0 (  0.0 % of total cycles)\n"
		"  rx packets: 0 (0 Kpps, 0 cycles/pkt)\n"
		"  rx batches: 0 (0.00 pkts/batch)\n"
		"  tx packets: 0\n"
		"  suspicious iterations: 2\n"
		"  Histograms, of iterations with packets\n"
		"  cycles/it\n"
		"    from       256             3   75.0 %\n"
		"    from       384             1   25.0 %\n"
		"  packets/it\n"
		"  cycles/pkt\n"
		"  pkts/batch\n"
		"    from         1             4  100.0 %\n"
		"     us ago      cycles     packets     batches\n"
		"          5         300           2           1\n"
		"         ms  iterations      cycles     packets     batches\n"
		"         77           4        1300           8           4\n"},
	{vsctl_print_rebalance,
		"[{'threads':[{'core':2,'numa':0,'isolated':false,'load_before':90,'load_after':50}"
		","
		"{'core':3,'numa':0,'isolated':true,'load_before':10.04,'load_after':50}],"
		"'moves':[{'port':'p0','queue':1,'load':40,'from':2,'to':3},"
		"{'port':'p1','queue':0,'load':0,'from':null,'to':2}],"
		"'improvement_percent':75.5,'applied':false}]",
		"core_id 2: load 90.0 % -> 50.0 %\n"
		"core_id 3 (isolated): load 10.0 % -> 50.0 %\n"
		"port: p0                queue-id:  1  load 40.0 %: from core_id 2 to core_id 3\n"
		"port: p1                queue-id:  0  load 0.0 %: to core_id 2\n"
		"Would move 2 queues; variance of the loads improves by 75.5 %\n"},
	{vsctl_print_rebalance,
		"[{'threads':[],'moves':[{'port':'p0','queue':1,'load':40,'from':2,'to':3}],"
		"'improvement_percent':75.5,'applied':true}]",
		"port: p0                queue-id:  1  load 40.0 %: from core_id 2 to core_id 3\n"
		"Moved 1 queue; variance of the loads improves by 75.5 %\n"},
	{vsctl_print_rebalance, "[{'threads':[],'moves':[]}]",
		"The queues are where they should be.\n"},
	{vsctl_print_fdb,
		"[[{'port':'p0','vlan':0,'mac':'00:00:00:00:00:01','age':7},"
		"{'port':12,'vlan':100,'mac':'00:00:00:00:00:02','age':123}]]",
		" port  VLAN  MAC                Age\n"
		"   p0     0  00:00:00:00:00:01    7\n"
		"   12   100  00:00:00:00:00:02  123\n"},
	{vsctl_print_fdb_stats,
		"[{'count':9,'size':8192,'learned':20,'moved':1,'aged':2,'evicted':8,'flushed':1,"
		"'ports':[{'port':'p0','count':9,'limited':12345,'lost':6}]}]",
		"MAC addresses: 9 of at most 8192\n"
		"  learned            20\n"
		"  moved               1\n"
		"  aged                2\n"
		"  evicted             8\n"
		"  flushed             1\n"
		"port              addresses   not learned: limited          lost\n"
		"p0                        9                  12345             6\n"},
	{vsctl_print_drops,
		"[{'ports':[{'name':'p0','drops':{'no_match':5,'other':0}}],"
		"'removed':{},'total':{'no_match':5}}]",
		"port              reason                         packets\n"
		"p0                no_match                             5\n"
		"(all)             no_match                             5\n"},
	{vsctl_print_tree, "[{'a':1,'b':{'c':'x','d':{'e':true}}}]",
		"a: 1\nb:\n  c: x\n  d:\n    e: true\n"},
	{vsctl_print_raw, "[{'a':[1]}]", "{\n  \"a\": [\n    1\n  ]\n}\n"},
	{vsctl_print_raw, "[7]", "7\n"},
	{vsctl_print_versions, "[{'version':'1.0','datapath':{'version':'1.1'}}]",
		"vsctl     " TURNOUT_VERSION "\nvswitchd  1.0\ndatapathd 1.1\n"},
	// Results of other shapes print something, and nothing breaks.
	{vsctl_print_show, "[null]", "\n"},
	{vsctl_print_rxqs, "[{}]", ""},
	{vsctl_print_lines, "[]", ""},
	{vsctl_print_fdb, "[7]", " port  VLAN  MAC                Age\n"},
};

static void test_examples(void **state)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		char *copy = strdup(examples[i].results);
		json_t *results;
		size_t size;
		char *text;
		FILE *out = open_memstream(&text, &size);

		for (char *c = copy; *c != '\0'; c++)
			if (*c == '\'')
				*c = '"';
		results = json_loads(copy, 0, NULL);
		assert_non_null(results);
		assert_int_equal(examples[i].print(NULL, results, out), 0);
		fclose(out);
		assert_string_equal(text, examples[i].text);
		json_decref(results);
		free(text);
		free(copy);
	}
}

static void test_if_exists(void **state)
{
	struct vsctl_request request = {.if_exists = true};
	json_t *results = json_pack("[s,i]", "", 0);
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	vsctl_print_values(&request, results, out);
	request.if_exists = false;
	vsctl_print_values(&request, results, out);
	fclose(out);
	assert_string_equal(text, "\n0\n\"\"\n0\n");
	free(text);
	json_decref(results);
}

static void test_exists(void **state)
{
	const char *argv[] = {"br1"};
	struct vsctl_request request = {.argc = 1, .argv = argv};
	json_t *results = json_pack("[[s,s]]", "br0", "br1");

	assert_int_equal(vsctl_print_exists(&request, results, NULL), 0);
	argv[0] = "br";
	assert_int_equal(vsctl_print_exists(&request, results, NULL), 2);
	json_decref(results);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_if_exists),
		cmocka_unit_test(test_exists),
	};

	return cmocka_run_group_tests_name("vsctl_print", tests, NULL, NULL);
}
