// SPDX-License-Identifier: Apache-2.0
//
// Sets of groups and meters as values: transactions on them, and who names whom.

#include "cmocka_all.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswitch/object_references.h"
#include "vswitch/objects.h"

static struct object *make(enum flow_reference kind, const char *text)
{
	struct flow_warnings warnings = {0};
	struct flow_error error = {0};
	struct object *object = NULL;
	json_t *input = json_string(text);

	if (object_create(&object, kind, input, NULL, &warnings, &error) != 0)
		fail_msg("%s: %s", text, error.message);
	json_decref(input);
	return object;
}

static struct object *make_group(uint32_t id, const char *actions)
{
	char text[256];

	snprintf(text, sizeof(text), "group_id=%u,type=all,bucket=actions=%s", id, actions);
	return make(FLOW_GROUP, text);
}

static struct object *make_meter(uint32_t id, unsigned rate)
{
	char text[256];

	snprintf(text, sizeof(text), "meter=%u,pktps,bands=type=drop,rate=%u", id, rate);
	return make(FLOW_METER, text);
}

static void put(struct object_set *set, struct object *object)
{
	assert_int_equal(object_set_put(set, object), 0);
}

// "g1:output:1 m2:..." of everything in the set, by kind and number.
static char *content(const struct object_set *set)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (int kind = 0; kind < OBJECT_KINDS; kind++) {
		size_t count;
		struct object **list = object_set_list(set, kind, &count);

		assert_int_equal(count, object_set_count(set, kind));
		for (size_t i = 0; i < count; i++) {
			assert_ptr_equal(object_set_find(set, kind, list[i]->id), list[i]);
			fprintf(out, "%s @%d\n", list[i]->text, (int)list[i]->created_ms);
		}
		free(list);
	}
	fclose(out);
	return text;
}

static void test_kinds_apart(void **state)
{
	struct object_set *set = object_set_create();
	enum flow_reference kind;

	put(set, make_group(7, "output:1"));
	assert_null(object_set_find(set, FLOW_METER, 7));
	put(set, make_meter(7, 100));
	assert_int_equal(object_set_count(set, FLOW_GROUP), 1);
	assert_int_equal(object_set_remove(set, FLOW_GROUP, 7), 0);
	assert_int_equal(object_set_remove(set, FLOW_GROUP, 7), -ENOENT);
	assert_non_null(object_set_find(set, FLOW_METER, 7));
	assert_true(object_kind_find("meter", &kind));
	assert_int_equal(kind, FLOW_METER);
	assert_false(object_kind_find("bucket", &kind));
	object_set_destroy(set);
}

static void assert_changes(const struct object_set *set, const char *expected)
{
	size_t count;
	struct object_change *changes = object_set_changes(set, &count);
	char text[256] = "";

	for (size_t i = 0; i < count; i++) {
		const struct object *before = changes[i].before;
		const struct object *after = changes[i].after;

		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u%s", i ? " " : "",
			(before ? before : after)->id,
			!before  ? "+"
			: !after ? "-"
				 : "!");
	}
	assert_string_equal(text, expected);
	assert_int_equal(object_set_changed(set), *expected != '\0');
	free(changes);
}

static void test_net_changes(void **state)
{
	struct object_set *set = object_set_create();
	struct object *object = make_group(1, "output:1");

	object->created_ms = 5;
	assert_int_equal(object_set_load(set, object), 0);
	object = make_group(1, "output:1");
	assert_int_equal(object_set_load(set, object), -EEXIST);
	object_destroy(object);
	assert_changes(set, "");
	// There and back again is nothing, whichever way.
	put(set, make_group(1, "output:2"));
	assert_changes(set, "1!");
	put(set, make_group(1, "output:1"));
	assert_changes(set, "");
	put(set, make_group(2, "output:1"));
	assert_changes(set, "2+");
	assert_int_equal(object_set_remove(set, FLOW_GROUP, 2), 0);
	assert_changes(set, "");
	assert_int_equal(object_set_remove(set, FLOW_GROUP, 1), 0);
	assert_changes(set, "1-");
	object = make_group(1, "output:3");
	object->created_ms = 9;
	put(set, object);
	assert_changes(set, "1!");
	// It is the same for the datapath, which counts on.
	assert_int_equal(object_set_find(set, FLOW_GROUP, 1)->created_ms, 5);
	put(set, make_meter(3, 1));
	assert_changes(set, "1! 3+");
	object_set_commit(set);
	assert_changes(set, "");
	assert_int_equal(object_set_find(set, FLOW_GROUP, 1)->created_ms, 5);
	assert_int_equal(object_set_remove(set, FLOW_METER, 3), 0);
	object_set_commit(set);
	assert_null(object_set_find(set, FLOW_METER, 3));
	object_set_destroy(set);
}

// Random transactions against their beginnings and a plain array.
static void test_random_transactions(void **state)
{
	struct object_set *set = object_set_create();
	char *committed = content(set);
	unsigned seed = 3;

	for (int round = 0; round < 2000; round++) {
		char *now;

		for (int i = rand_r(&seed) % 12; i > 0; i--) {
			uint32_t id = 1 + (uint32_t)rand_r(&seed) % 200;
			char actions[32];

			snprintf(actions, sizeof(actions), "output:%d", 1 + rand_r(&seed) % 3);
			switch (rand_r(&seed) % 4) {
			case 0:
				object_set_remove(set, FLOW_GROUP, id);
				break;
			case 1:
				put(set, make_meter(id, 1 + (unsigned)rand_r(&seed) % 3));
				break;
			default:
				put(set, make_group(id, actions));
			}
		}
		now = content(set);
		// Equal contents and no changes mean the same.
		assert_int_equal(strcmp(now, committed) != 0, object_set_changed(set));
		if (rand_r(&seed) % 3 == 0) {
			object_set_abort(set);
			free(now);
			now = content(set);
			assert_string_equal(now, committed);
		} else {
			object_set_commit(set);
		}
		assert_false(object_set_changed(set));
		free(committed);
		committed = now;
	}
	free(committed);
	object_set_destroy(set);
}

// --- Who names whom ---

static void assert_loop(
	const struct object_set *set, uint32_t id, const char *actions, const char *expected)
{
	struct object *group = make_group(id, actions);
	char way[256] = "";
	uint32_t first = 0;
	bool found = group_loop_find(set, group, &first, way, sizeof(way));

	assert_int_equal(found, expected != NULL);
	if (expected) {
		assert_string_equal(way, expected);
		assert_int_equal(first, atoi(strstr(way, "-> ") + 3));
	}
	object_destroy(group);
}

static void test_loops(void **state)
{
	struct object_set *set = object_set_create();

	put(set, make_group(1, "output:1"));
	put(set, make_group(2, "group:1"));
	put(set, make_group(3, "group:1,group:2"));
	put(set, make_group(4, "group:3,group:2"));
	assert_loop(set, 1, "output:7", NULL);
	assert_loop(set, 5, "group:4,group:1", NULL);
	assert_loop(set, 1, "group:2", "1 -> 2 -> 1");
	assert_loop(set, 1, "output:1,group:4", "1 -> 4 -> 3 -> 1");
	assert_loop(set, 2, "group:4", "2 -> 4 -> 2");
	// Liveness runs in circles just as well.
	put(set, make(FLOW_GROUP, "group_id=8,type=ff,bucket=watch_group:4,actions=output:1,"
				  "bucket=watch_port:1,actions=output:1"));
	assert_loop(set, 1, "group:8", "1 -> 8 -> 4 -> 3 -> 1");
	object_set_destroy(set);
}

// A way of any length fits, and is found in reasonable time.
static void test_long_loop(void **state)
{
	struct object_set *set = object_set_create();
	struct object *group;
	char way[256];
	uint32_t first;

	put(set, make_group(1000, "output:1"));
	for (uint32_t id = 1001; id < 5000; id++) {
		char actions[32];

		snprintf(actions, sizeof(actions), "group:%u", id - 1);
		put(set, make_group(id, actions));
	}
	group = make_group(1000, "group:4999");
	assert_true(group_loop_find(set, group, &first, way, sizeof(way)));
	assert_string_equal(way,
		"1000 -> ... -> 1012 -> 1011 -> 1010 -> 1009 -> 1008 -> 1007 -> 1006 -> 1005 -> "
		"1004 -> 1003 -> 1002 -> 1001 -> 1000");
	assert_int_equal(first, 4999);
	object_destroy(group);
	object_set_destroy(set);
}

static struct flow_set *make_flows(const char *const *texts)
{
	struct flow_set *flows = flow_set_create();

	for (uint64_t id = 1; *texts; id++, texts++) {
		struct flow_warnings warnings = {0};
		struct flow_error error;
		struct flow_request request;

		assert_int_equal(
			flow_request_parse(&request, *texts, FLOW_ADD, NULL, &warnings, &error), 0);
		assert_int_equal(flow_set_load(flows, id, &request.flow, 0), 0);
		flow_request_destroy(&request);
	}
	return flows;
}

static void test_flows_that_name(void **state)
{
	struct object_set *set = object_set_create();
	struct flow_set *flows = make_flows((const char *const[]){
		"priority=1,actions=group:1,group:1", "priority=2,actions=meter:1,group:2",
		"priority=3,actions=output:1", "priority=4,actions=group:1,output:2", NULL});
	struct object_missing missing;
	struct object *list[2];
	uint64_t *ids;
	size_t count;

	assert_true(object_missing_find(set, flows, &missing));
	put(set, make_group(1, "output:1"));
	put(set, make_group(2, "output:1"));
	assert_true(object_missing_find(set, flows, &missing));
	assert_int_equal(missing.flow->id, 2);
	assert_int_equal(missing.kind, FLOW_METER);
	assert_int_equal(missing.id, 1);
	put(set, make_meter(1, 5));
	assert_false(object_missing_find(set, flows, &missing));

	object_flows_count(set, flows);
	object_flows_count(set, flows); // of anew, not on top
	assert_int_equal(object_set_find(set, FLOW_GROUP, 1)->flows, 2);
	assert_int_equal(object_set_find(set, FLOW_GROUP, 2)->flows, 1);
	assert_int_equal(object_set_find(set, FLOW_METER, 1)->flows, 1);

	list[0] = object_set_find(set, FLOW_GROUP, 1);
	list[1] = object_set_find(set, FLOW_GROUP, 2);
	ids = object_flows_find(set, flows, list, 1, &count);
	assert_int_equal(count, 2);
	assert_int_equal(ids[0] + ids[1], 5);
	free(ids);
	ids = object_flows_find(set, flows, list, 2, &count);
	assert_int_equal(count, 3);
	free(ids);
	assert_null(object_flows_find(set, flows, list, 0, &count));
	assert_int_equal(count, 0);
	flow_set_destroy(flows);
	object_set_destroy(set);
}

static void test_groups_that_name(void **state)
{
	struct object_set *set = object_set_create();
	struct flow_set *flows = make_flows((const char *const[]){NULL});
	struct object_naming naming;
	struct object_missing missing;
	struct object *list[2];

	put(set, make_group(1, "output:1"));
	put(set, make_group(2, "meter:5,group:1"));
	put(set, make(FLOW_GROUP,
			 "group_id=3,type=ff,bucket=bucket_id:1,watch_port:1,actions=output:1,"
			 "bucket=bucket_id:4,watch_group:2,actions=drop"));
	assert_true(object_missing_find(set, flows, &missing));
	assert_int_equal(missing.group->id, 2);
	put(set, make_meter(5, 5));
	assert_false(object_missing_find(set, flows, &missing));

	list[0] = object_set_find(set, FLOW_GROUP, 1);
	list[1] = object_set_find(set, FLOW_GROUP, 2);
	assert_true(objects_named(set, list, 1, &naming));
	assert_int_equal(naming.group->id, 2);
	assert_int_equal(naming.named->id, 1);
	assert_false(naming.watches);
	// Of both, what is left is that the third watches the second.
	assert_true(objects_named(set, list, 2, &naming));
	assert_int_equal(naming.group->id, 3);
	assert_int_equal(naming.named->id, 2);
	assert_int_equal(naming.bucket->id, 4);
	assert_true(naming.watches);
	list[0] = object_set_find(set, FLOW_GROUP, 3);
	assert_false(objects_named(set, list, 2, &naming));
	list[0] = object_set_find(set, FLOW_METER, 5);
	assert_true(objects_named(set, list, 1, &naming));
	assert_int_equal(naming.group->id, 2);
	assert_int_equal(object_set_remove(set, FLOW_GROUP, 2), 0);
	assert_false(objects_named(set, list, 1, &naming));
	assert_true(object_missing_find(set, flows, &missing));
	assert_int_equal(missing.group->id, 3);
	flow_set_destroy(flows);
	object_set_destroy(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds_apart),
		cmocka_unit_test(test_net_changes),
		cmocka_unit_test(test_random_transactions),
		cmocka_unit_test(test_loops),
		cmocka_unit_test(test_long_loop),
		cmocka_unit_test(test_flows_that_name),
		cmocka_unit_test(test_groups_that_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
