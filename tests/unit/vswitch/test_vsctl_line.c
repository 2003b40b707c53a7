// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "vswitch/vsctl_commands.h"

#define WORDS_MAX 32

// The same options that vsctl has.
static const struct cli_option options[] = {
	{"may-exist", 0, NULL, false, ""},
	{"if-exists", 0, NULL, false, ""},
	{"no-wait", 0, NULL, false, ""},
	{"columns", 0, "COLUMNS", false, ""},
	{0},
};

// Reads a command line of words that "|" separates.
struct reading {
	struct cli cli;
	struct vsctl_line line;
	struct rpc_error error;
	enum cli_item item;
	char text[512];
	char *argv[WORDS_MAX];
};

static void reading_begin(struct reading *reading, const char *words)
{
	int argc = 1;
	char *rest;

	memset(reading, 0, sizeof(*reading));
	reading->cli.program = "vsctl";
	reading->cli.options = options;
	reading->argv[0] = "vsctl";
	snprintf(reading->text, sizeof(reading->text), "%s", words);
	for (char *word = strtok_r(reading->text, "|", &rest); word != NULL;
		word = strtok_r(NULL, "|", &rest))
		reading->argv[argc++] = word;
	cli_init(&reading->cli, argc, reading->argv);
	reading->item = vsctl_line_read(&reading->cli, &reading->line, &reading->error);
}

static void reading_end(struct reading *reading)
{
	vsctl_line_destroy(&reading->line);
	rpc_error_clear(&reading->error);
}

struct example {
	const char *words;
	const char *calls; // all calls of all commands
};

static const struct example examples[] = {
	{"show", "[{'method':'system.show','params':{}}]"},
	{"add-br|br0", "[{'method':'bridge.add','params':{'name':'br0'}}]"},
	{"--may-exist|add-br|br0",
		"[{'method':'bridge.add','params':{'name':'br0','may_exist':true}}]"},
	{"add-br|br0|--may-exist",
		"[{'method':'bridge.add','params':{'name':'br0','may_exist':true}}]"},
	{"--if-exists|del-br|br0",
		"[{'method':'bridge.del','params':{'name':'br0','if_exists':true}}]"},
	{"add-port|br0|p0|type=dpdk|devargs=net_pcap0,rx_pcap=in.pcap,infinite_rx=1|ofport=1",
		"[{'method':'port.add','params':{'bridge':'br0','name':'p0','type':"
		"'dpdk','ofport':1,'options':{'devargs':"
		"'net_pcap0,rx_pcap=in.pcap,infinite_rx=1'}}}]"},
	{"add-port|br0|vhu0|type=vhostuser|n_rxq=2|tag=100",
		"[{'method':'port.add','params':{'bridge':'br0','name':'vhu0',"
		"'type':'vhostuser','tag':100,'options':{'n_rxq':'2'}}}]"},
	{"add-port|br0|p|trunks=1,2,3|vlan_mode=trunk|mtu=9000|options:a=b",
		"[{'method':'port.add','params':{'bridge':'br0','name':'p',"
		"'trunks':[1,2,3],'vlan_mode':'trunk','mtu':9000,"
		"'options':{'a':'b'}}}]"},
	{"add-port|br0|p|trunks=[7]", "[{'method':'port.add','params':{'bridge':'br0','name':'p',"
				      "'trunks':[7]}}]"},
	{"add-port|br0|vhu0|--|set|Interface|vhu0|type=dpdkvhostuserclient|"
	 "options:vhost-server-path=/tmp/v",
		"[{'method':'port.add','params':{'bridge':'br0','name':'vhu0'}},"
		"{'method':'db.set','params':{'table':'Interface','record':'vhu0',"
		"'values':{'type':'dpdkvhostuserclient','options':"
		"{'vhost-server-path':'/tmp/v'}}}}]"},
	{"--no-wait|--|--may-exist|add-br|br0|--|del-port|br0|p|--|list-br",
		"[{'method':'bridge.add','params':{'name':'br0','may_exist':true,"
		"'no_wait':true}},"
		"{'method':'port.del','params':{'name':'p','bridge':'br0',"
		"'no_wait':true}},"
		"{'method':'bridge.list','params':{}}]"},
	{"del-port|p", "[{'method':'port.del','params':{'name':'p'}}]"},
	{"get|Interface|p1|statistics:tx_packets",
		"[{'method':'db.get','params':{'table':'Interface','record':'p1',"
		"'column':'statistics','key':'tx_packets'}}]"},
	{"--if-exists|get|Port|p1|tag|trunks",
		"[{'method':'db.get','params':{'table':'Port','record':'p1',"
		"'column':'tag','if_exists':true}},"
		"{'method':'db.get','params':{'table':'Port','record':'p1',"
		"'column':'trunks','if_exists':true}}]"},
	{"set|Open_vSwitch|.|other_config:pmd-cpu-mask=0x4|other_config:a=b",
		"[{'method':'db.set','params':{'table':'Open_vSwitch','record':'.',"
		"'values':{'other_config':{'pmd-cpu-mask':'0x4','a':'b'}}}}]"},
	// A whole map replaces what was there.
	{"set|Interface|p|options={a=b}",
		"[{'method':'db.clear','params':{'table':'Interface','record':'p',"
		"'columns':['options']}},"
		"{'method':'db.set','params':{'table':'Interface','record':'p',"
		"'values':{'options':{'a':'b'}}}}]"},
	{"set|Bridge|b|external_ids=a=b,c=d|fail_mode=secure",
		"[{'method':'db.clear','params':{'table':'Bridge','record':'b',"
		"'columns':['external_ids']}},"
		"{'method':'db.set','params':{'table':'Bridge','record':'b',"
		"'values':{'external_ids':{'a':'b','c':'d'},'fail_mode':'secure'}}}]"},
	{"clear|Port|p|tag|trunks", "[{'method':'db.clear','params':{'table':'Port','record':'p',"
				    "'columns':['tag','trunks']}}]"},
	{"add|Port|p|trunks|5|6", "[{'method':'db.add','params':{'table':'Port','record':'p',"
				  "'column':'trunks','values':['5','6']}}]"},
	{"add|Bridge|b|external_ids|a=b",
		"[{'method':'db.set','params':{'table':'Bridge','record':'b',"
		"'values':{'external_ids':{'a':'b'}}}}]"},
	{"remove|Port|p|trunks|5", "[{'method':'db.remove','params':{'table':'Port','record':'p',"
				   "'column':'trunks','values':['5']}}]"},
	{"remove|Open_vSwitch|.|other_config|pmd-cpu-mask",
		"[{'method':'db.remove','params':{'table':'Open_vSwitch',"
		"'record':'.','column':'other_config','keys':['pmd-cpu-mask']}}]"},
	{"remove|Bridge|b|external_ids|a=b",
		"[{'method':'db.remove','params':{'table':'Bridge','record':'b',"
		"'column':'external_ids','keys':{'a':'b'}}}]"},
	{"list|Interface", "[{'method':'db.list','params':{'table':'Interface'}}]"},
	{"--columns=name,ofport|list|Interface|a|b",
		"[{'method':'db.list','params':{'table':'Interface','record':'a',"
		"'columns':['name','ofport']}},"
		"{'method':'db.list','params':{'table':'Interface','record':'b',"
		"'columns':['name','ofport']}}]"},
	{"fdb/stats-show|br0", "[{'method':'fdb.stats','params':{'bridge':'br0'}}]"},
	{"backup|/a/b c.db", "[{'method':'db.backup','params':{'file':'/a/b c.db'}}]"},
	{"fdb/flush|br0|p0", "[{'method':'fdb.flush','params':{'bridge':'br0','port':'p0'}}]"},
	{"exit", "[{'method':'system.exit','params':{}}]"},
	{"exit|datapath", "[{'method':'system.exit','params':{'datapath':true}}]"},
	{"rpc|x.y|{\"a\":-1}", "[{'method':'x.y','params':{'a':-1}}]"},
	{"rpc|x.y", "[{'method':'x.y','params':{}}]"},
};

static json_t *json_of(const char *text)
{
	char *copy = strdup(text);
	json_t *value;

	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	value = json_loads(copy, 0, NULL);
	assert_non_null(value);
	free(copy);
	return value;
}

static void test_examples(void **state)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		json_t *expected = json_of(examples[i].calls);
		json_t *calls = json_array();
		struct reading reading;

		reading_begin(&reading, examples[i].words);
		if (reading.item != CLI_END)
			fail_msg("%s: %s", examples[i].words, reading.error.message);
		for (size_t j = 0; j < reading.line.count; j++)
			json_array_extend(calls, reading.line.requests[j].calls);
		if (!json_equal(calls, expected))
			fail_msg("%s becomes %s", examples[i].words, json_dumps(calls, 0));
		json_decref(calls);
		json_decref(expected);
		reading_end(&reading);
	}
}

static const struct example mistakes[] = {
	{"", "which command?"},
	{"--no-wait", "which command?"},
	{"shwo", "unknown command \"shwo\"; did you mean \"show\"?"},
	{"frobnicate", "--help lists all commands"},
	{"add-br", "add-br has too few arguments; it is written: add-br BRIDGE"},
	{"add-br|a|b", "add-br has too many arguments"},
	{"add-port|br0", "add-port BRIDGE PORT [KEY=VALUE...]"},
	{"add-port|br0|p|tag=x", "tag: \"x\" is not a number"},
	{"add-port|br0|p|trunks=1,x", "trunks: \"x\" is not a number"},
	{"add-port|br0|p|type", "KEY=VALUE"},
	{"add-br|a|--|ad-port|a|b", "did you mean \"add-port\"?"},
	{"--may-exit|add-br|a", "unknown option \"--may-exit\"; did you mean --may-exist?"},
	{"-x|show", "unknown option \"-x\""},
	{"--timeout", "--timeout needs an argument: SECONDS"},
	{"-t|soon|show", "a number of seconds, not \"soon\""},
	{"-t|-1|show", "a number of seconds"},
	{"-f|xml|show", "\"table\" or \"json\", not \"xml\""},
	{"--may-exist=1|add-br|a", "takes no argument"},
	{"set|Bridge|b|external_ids=a=b,c", "\"=\" is missing behind \"c\""},
	{"set|Port|p|tag", "has no \"=\""},
	{"add|Nowhere|p|x|1", "there is no table \"Nowhere\""},
	{"add|Port|p|tag|1", "holds one value"},
	{"add|Bridge|b|external_ids|a", "KEY=VALUE"},
	{"remove|Bridge|b|external_ids|a=b|c", "KEY=VALUE"},
	{"rpc|x|{", "not a JSON object"},
	{"rpc|x|5", "not a JSON object"},
	{"exit|now", "write \"exit\", or \"exit datapath\""},
};

static void test_mistakes(void **state)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct reading reading;

		reading_begin(&reading, mistakes[i].words);
		if (reading.item != CLI_WRONG)
			fail_msg("%s is accepted", mistakes[i].words);
		if (strstr(reading.error.message, mistakes[i].calls) == NULL)
			fail_msg("%s: %s", mistakes[i].words, reading.error.message);
		reading_end(&reading);
	}
}

static void test_common_options(void **state)
{
	struct reading reading;

	reading_begin(&reading, "show|-t|2.5|--rundir=/r|-fjson");
	assert_int_equal(reading.item, CLI_END);
	assert_int_equal(reading.cli.timeout_ms, 2500);
	assert_int_equal(reading.cli.connect_timeout_ms, 2500);
	assert_string_equal(reading.cli.rundir, "/r");
	assert_true(reading.cli.json);
	reading_end(&reading);

	reading_begin(&reading, "show");
	assert_int_equal(reading.cli.timeout_ms, 10000);
	assert_int_equal(reading.cli.connect_timeout_ms, 0);
	assert_false(reading.cli.json);
	reading_end(&reading);

	reading_begin(&reading, "--timeout|0|show|--format=table");
	assert_int_equal(reading.cli.timeout_ms, -1);
	assert_int_equal(reading.cli.connect_timeout_ms, -1);
	reading_end(&reading);

	reading_begin(&reading, "show|--help");
	assert_int_equal(reading.item, CLI_HELP);
	reading_end(&reading);
	reading_begin(&reading, "-V");
	assert_int_equal(reading.item, CLI_VERSION);
	reading_end(&reading);
}

// Help shows every row, and every row is complete.
static void test_help(void **state)
{
	struct cli cli = {.program = "vsctl", .description = "x", .options = options};
	const struct cli_command *command;
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	cli_print_help(&cli, vsctl_command_get, out);
	fclose(out);
	for (size_t i = 0; (command = vsctl_command_get(i)) != NULL; i++) {
		assert_non_null(strstr(text, command->name));
		assert_non_null(strstr(text, command->help));
		assert_true(strlen(command->help) > 10);
		assert_true(command->maximum < 0 || command->maximum >= command->minimum);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(command->name, vsctl_command_get(j)->name);
	}
	assert_non_null(strstr(text, "--if-exists"));
	assert_non_null(strstr(text, "-t, --timeout=SECONDS"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_common_options),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests_name("vsctl_line", tests, NULL, NULL);
}
