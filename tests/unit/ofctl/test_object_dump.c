// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ofctl/object_dump.h"

static const struct {
	void (*print)(const json_t *item, FILE *out);
	const char *item; // with ' for "
	const char *lines;
} cases[] = {
	{group_dump_print,
		"{'group_id':1,'type':'all','text':'group_id=1,type=all,bucket=bucket_id:0,"
		"actions=output:1'}",
		" group_id=1,type=all,bucket=bucket_id:0,actions=output:1\n"},
	{group_stats_print,
		"{'group_id':4294967040,'duration_ms':5399,'ref_count':2,'packets':30,"
		"'bytes':3000000000000,'buckets':[{'bucket_id':7,'packets':10,'bytes':100},"
		"{'bucket_id':0,'packets':20,'bytes':200}]}",
		" group_id=4294967040,duration=5.3s,ref_count=2,packet_count=30,"
		"byte_count=3000000000000,bucket0:packet_count=10,byte_count=100,"
		"bucket1:packet_count=20,byte_count=200\n"},
	{group_stats_print, "{'group_id':0,'duration_ms':0,'ref_count':0,'packets':0,'bytes':0}",
		" group_id=0,duration=0.0s,ref_count=0,packet_count=0,byte_count=0\n"},
	{meter_dump_print,
		"{'meter_id':1,'meter':{'meter':1,'unit':'kbps','bands':["
		"{'type':'drop','rate':1000,'burst_size':100},"
		"{'type':'dscp_remark','rate':500,'prec_level':2}]}}",
		"meter=1 kbps burst bands=\ntype=drop rate=1000 burst_size=100\n"
		"type=dscp_remark rate=500 prec_level=2\n"},
	{meter_dump_print,
		"{'meter_id':2,'meter':{'meter':2,'unit':'pktps','bands':["
		"{'type':'drop','rate':5}]}}",
		"meter=2 pktps bands=\ntype=drop rate=5\n"},
	{meter_stats_print,
		"{'meter_id':1,'duration_ms':61000,'flow_count':3,'packets':9,'bytes':90,"
		"'bands':[{'packets':4,'bytes':40},{'packets':0,'bytes':0}]}",
		"meter:1 flow_count:3 packet_in_count:9 byte_in_count:90 duration:61.0s bands:\n"
		"0: packet_count:4 byte_count:40\n1: packet_count:0 byte_count:0\n"},
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

static void test_lines(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *item = json_of(cases[i].item);
		size_t size;
		char *text;
		FILE *out = open_memstream(&text, &size);

		cases[i].print(item, out);
		fclose(out);
		assert_string_equal(text, cases[i].lines);
		free(text);
		json_decref(item);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
