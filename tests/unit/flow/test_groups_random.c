// SPDX-License-Identifier: Apache-2.0

// Random groups read back as what they were, and random text does no harm: it is either a group or
// refused with a reason and a place.

#include "group_test.h"

#include "flow_random.h"

#define RANDOM_GROUPS 2000
#define GARBLED 20000

static void add_bucket(struct line *line, enum group_type type, unsigned index)
{
	static const char *const actions[] = {"output:1", "2", "vhu1", "strip_vlan", "dec_ttl",
		"NORMAL", "resubmit(,7)", "resubmit(2,9)", "controller:5", "group:8", "meter:3",
		"output(port=dpdk0,max_len=77)", "set_field:00:00:00:00:00:07->eth_dst",
		"load:5->reg3[0..7]", "mod_tp_dst:7"};
	unsigned count = random_below(5);
	bool live = type == GROUP_SELECT || type == GROUP_FAST_FAILOVER;
	bool watch_port = random_below(2), watch_group = !watch_port || random_below(2);

	add(line, ",bucket=");
	if (random_below(2))
		add(line, "bucket_id:%u,", index * 100 + random_below(100));
	if (type == GROUP_SELECT && random_below(2))
		add(line, "weight%c%u,", random_below(2) ? ':' : '=', random_below(65536));
	if (live && watch_port)
		add(line, "watch_port:%s,", random_below(2) ? "vhu0" : "3");
	if (live && watch_group)
		add(line, "watch_group:%u,", random_below(5) + 2);
	add(line, random_below(2) || count == 0 ? "actions=" : "");
	for (unsigned i = 0; i < count; i++)
		add(line, "%s%s", i > 0 ? "," : "",
			actions[random_below(sizeof(actions) / sizeof(actions[0]))]);
}

static void make_group(struct line *line)
{
	enum group_type type = (enum group_type)random_below(4);
	unsigned buckets = type == GROUP_INDIRECT ? 1 : random_below(6);
	const char *separator = "";

	*line = (struct line){0};
	add(line, "group_id=1,type=%s", group_type_name(type));
	if (type == GROUP_SELECT && random_below(2)) {
		add(line, ",selection_method=hash,fields(");
		for (size_t i = 0; i < FIELD_COUNT; i++) {
			if (random_below(9) > 0 && i != FIELD_NW_DST)
				continue;
			add(line, "%s%s", separator, field_get((enum field_id)i)->name);
			separator = random_below(2) ? "," : " ";
		}
		add(line, ")");
	}
	for (unsigned i = 0; i < buckets; i++)
		add_bucket(line, type, i);
}

static void test_random(void **state)
{
	struct line line;

	for (unsigned i = 0; i < RANDOM_GROUPS; i++) {
		struct group group, copy;

		make_group(&line);
		must_parse_group(&group, line.text, &test_ports);
		assert_group_round_trips(&group);
		assert_int_equal(group_copy(&copy, &group), 0);
		must_equal(&copy, &group, line.text);
		group_destroy(&group);
	}
}

static void test_garbled(void **state)
{
	static const char alphabet[] = " \t,=:/.-()[]#\"*<>+|0123456789abcdefxXNM_\x80\x01";
	unsigned accepted_count = 0, refused_count = 0;
	struct line line;

	for (unsigned i = 0; i < GARBLED; i++) {
		struct group group;
		struct flow_warnings warnings;
		struct flow_error error;

		if (i % 20 == 0)
			make_group(&line);

		struct line garbled = line;

		for (unsigned changes = 1 + random_below(3); changes > 0; changes--)
			garbled.text[random_below((unsigned)line.length)] =
				alphabet[random_below(sizeof(alphabet) - 1)];
		if (group_parse(&group, garbled.text, &test_ports, &warnings, &error) == 0) {
			accepted_count++;
			assert_group_round_trips(&group);
			group_destroy(&group);
			continue;
		}
		refused_count++;
		assert_true(error.message[0] != '\0');
		assert_true(error.offset + error.length <= strlen(garbled.text));
	}
	assert_true(accepted_count > GARBLED / 100);
	assert_true(refused_count > GARBLED / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_garbled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
