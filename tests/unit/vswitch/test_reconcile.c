// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswitch/reconcile.h"

static json_t *load(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, JSON_DECODE_ANY, &error);

	if (!json)
		fail_msg("%s: %s", text, error.text);
	return json;
}

// The steps from `actual` to `desired` as "method name" words.
static const char *steps(const char *desired_text, const char *actual_text)
{
	static char result[1024];
	json_t *desired = load(desired_text);
	json_t *actual = load(actual_text);
	json_t *list = reconcile_steps(desired, actual);
	size_t used = 0;
	size_t i;
	json_t *step;

	result[0] = '\0';
	json_array_foreach (list, i, step) {
		const char *name =
			json_string_value(json_object_get(json_object_get(step, "params"), "name"));

		used += (size_t)snprintf(result + used, sizeof(result) - used, "%s%s%s%s",
			i ? ", " : "", json_string_value(json_object_get(step, "method")),
			name ? " " : "", name ? name : "");
	}
	json_decref(list);
	json_decref(desired);
	json_decref(actual);
	return result;
}

#define BR "{\"name\":\"br0\",\"config\":{}}"
#define BR1 "{\"name\":\"br1\",\"config\":{}}"
#define PORT(CONFIG) "{\"name\":\"p0\",\"bridge\":\"br0\",\"config\":{" CONFIG "}}"
#define STATE(BRIDGES, PORTS) \
	"{\"bridges\":[" BRIDGES "],\"ports\":[" PORTS "],\"plan\":{\"threads\":[]}}"
#define WANT(BRIDGES, PORTS) "{\"bridges\":[" BRIDGES "],\"ports\":[" PORTS "]}"
#define DPDK "\"type\":\"dpdk\",\"ofport\":1"

static void test_from_nothing(void **state)
{
	assert_string_equal(steps(WANT(BR "," BR1, PORT(DPDK)), STATE("", "")),
		"bridge.add br0, bridge.add br1, port.add p0");
	assert_string_equal(steps(WANT("", ""), STATE("", "")), "");
	assert_string_equal(steps(WANT(BR, ""), "{}"), "bridge.add br0");
}

static void test_to_nothing(void **state)
{
	// The bridge takes its ports along.
	assert_string_equal(steps(WANT("", ""), STATE(BR, PORT(DPDK))), "bridge.del br0");
	assert_string_equal(steps(WANT(BR, ""), STATE(BR, PORT(DPDK))), "port.del p0");
}

static void test_settings_in_place(void **state)
{
	assert_string_equal(
		steps(WANT(BR, PORT(DPDK ",\"tag\":5")), STATE(BR, PORT(DPDK))), "port.set p0");
	assert_string_equal(
		steps(WANT(BR, PORT(DPDK)), STATE(BR, PORT(DPDK ",\"tag\":5"))), "port.set p0");
	assert_string_equal(
		steps(WANT(BR, PORT(DPDK ",\"mtu\":9000")), STATE(BR, PORT(DPDK))), "port.set p0");
	assert_string_equal(
		steps(WANT(BR, PORT(DPDK ",\"tx_steering\":\"hash\"")), STATE(BR, PORT(DPDK))),
		"port.set p0");
	assert_string_equal(
		steps(WANT(BR, PORT(DPDK)), STATE(BR, PORT(DPDK ",\"tx_steering\":\"hash\""))),
		"port.set p0");
	// Numbers of queues, one way and the other.
	assert_string_equal(
		steps(WANT(BR, PORT(DPDK ",\"options\":{\"n_rxq\":\"2\"}")), STATE(BR, PORT(DPDK))),
		"port.set p0");
	assert_string_equal(
		steps(WANT(BR, PORT(DPDK)), STATE(BR, PORT(DPDK ",\"options\":{\"n_txq\":\"2\"}"))),
		"port.set p0");
	assert_string_equal(
		steps(WANT("{\"name\":\"br0\",\"config\":{\"mac_aging\":60}}", ""), STATE(BR, "")),
		"bridge.set br0");
}

// Of a bridge's settings those that differ are set, and nothing else.
static void test_bridge_settings(void **state)
{
	static const struct {
		const char *want, *have, *set;
	} cases[] = {
		{"\"controller_rate\":5", "\"mac_aging\":9",
			"\"controller_rate\":5,\"mac_aging\":300"},
		{"\"controller_burst\":5", "\"controller_burst\":4", "\"controller_burst\":5"},
		{"\"mac_aging\":7", "\"controller_rate\":2,\"mac_aging\":7",
			"\"controller_rate\":1000"},
		{"\"mac_learning_rate\":7", "\"mac_learning_burst\":2",
			"\"mac_learning_burst\":2000,\"mac_learning_rate\":7"},
		{"\"mac_table_size\":7", "\"controller_burst\":2",
			"\"controller_burst\":250,\"mac_table_size\":7"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[512];
		json_t *desired, *actual, *planned, *expected;

		snprintf(text, sizeof(text), WANT("{\"name\":\"br0\",\"config\":{%s}}", ""),
			cases[i].want);
		desired = load(text);
		snprintf(text, sizeof(text), STATE("{\"name\":\"br0\",\"config\":{%s}}", ""),
			cases[i].have);
		actual = load(text);
		snprintf(text, sizeof(text),
			"[{\"method\":\"bridge.set\",\"params\":{\"name\":\"br0\",%s}}]",
			cases[i].set);
		expected = load(text);
		planned = reconcile_steps(desired, actual);
		if (!json_equal(planned, expected))
			fail_msg("%s", json_dumps(planned, JSON_COMPACT));
		json_decref(desired);
		json_decref(actual);
		json_decref(planned);
		json_decref(expected);
	}
	assert_string_equal(steps(WANT("{\"name\":\"br0\",\"config\":{\"controller_rate\":1000,"
				       "\"controller_burst\":250}}",
					  ""),
				    STATE(BR, "")),
		"");
}

static void test_made_anew(void **state)
{
	assert_string_equal(
		steps(WANT(BR, PORT("\"type\":\"dpdk\",\"ofport\":2")), STATE(BR, PORT(DPDK))),
		"port.del p0, port.add p0");
	assert_string_equal(
		steps(WANT(BR, PORT(DPDK ",\"options\":{\"path\":\"/a\"}")), STATE(BR, PORT(DPDK))),
		"port.del p0, port.add p0");
	// To another bridge, with the old one going.
	assert_string_equal(
		steps(WANT(BR1, "{\"name\":\"p0\",\"bridge\":\"br1\",\"config\":{" DPDK "}}"),
			STATE(BR, PORT(DPDK))),
		"bridge.del br0, bridge.add br1, port.add p0");
}

static void test_defaults_are_equal(void **state)
{
	assert_string_equal(
		steps(WANT(BR, PORT(DPDK ",\"vlan_mode\":\"trunk\",\"mtu\":1500,\"trunks\":[]")),
			STATE(BR, PORT(DPDK))),
		"");
	assert_string_equal(
		steps(WANT(BR, PORT(DPDK)), STATE(BR, PORT(DPDK ",\"tx_steering\":\"thread\""))),
		"");
	assert_string_equal(steps(WANT(BR, PORT(DPDK ",\"vlan_mode\":\"access\",\"tag\":3")),
				    STATE(BR, PORT(DPDK ",\"tag\":3,\"trunks\":[1]"))),
		"");
	assert_string_equal(
		steps(WANT("{\"name\":\"br0\",\"config\":{\"name\":\"br0\",\"mac_aging\":300}}",
			      ""),
			STATE(BR, "")),
		"");
}

static void test_plan(void **state)
{
	static const char plan[] =
		"{\"bridges\":[],\"ports\":[],\"plan\":{\"threads\":[{\"core\":1,"
		"\"queues\":[{\"port\":\"p0\",\"queue\":0}]}]}}";

	assert_string_equal(steps(plan, STATE("", "")), "plan.set");
	assert_string_equal(steps(plan, plan), "");
	assert_string_equal(steps(WANT("", ""), plan), ""); // not asked for
	assert_string_equal(steps(STATE("", ""), plan), "plan.set");
}

static json_t *random_state(unsigned *seed, bool with_plan)
{
	static const char *const modes[] = {"access", "trunk", "native-tagged", "native-untagged"};
	json_t *state = reconcile_empty_state();
	int n_bridges = rand_r(seed) % 4;

	for (int b = 0; b < n_bridges; b++) {
		char name[16];
		json_t *config = json_object();

		snprintf(name, sizeof(name), "br%d", rand_r(seed) % 2 + b * 2);
		if (rand_r(seed) % 2)
			json_object_set_new(
				config, "mac_aging", json_integer(60 * (rand_r(seed) % 6)));
		if (rand_r(seed) % 2)
			json_object_set_new(config, "controller_rate",
				json_integer(500 * (1 + rand_r(seed) % 3)));
		if (rand_r(seed) % 2)
			json_object_set_new(config, "controller_burst",
				json_integer(125 * (1 + rand_r(seed) % 3)));
		if (rand_r(seed) % 4 == 0)
			json_object_set_new(config, "mac_table_size",
				json_integer(rand_r(seed) % 2 ? 8192 : 16));
		json_array_append_new(json_object_get(state, "bridges"),
			json_pack("{s:s, s:o}", "name", name, "config", config));
	}
	for (int p = 0; p < 6 && n_bridges; p++) {
		json_t *bridge =
			json_array_get(json_object_get(state, "bridges"), rand_r(seed) % n_bridges);
		char name[16];
		json_t *config = json_pack("{s:s, s:i, s:{s:s}}", "type",
			rand_r(seed) % 2 ? "dpdk" : "vhostuser", "ofport", 1 + rand_r(seed) % 3,
			"options", "path", rand_r(seed) % 2 ? "/a" : "/b");

		if (rand_r(seed) % 3 == 0) {
			json_decref(config);
			continue;
		}
		snprintf(name, sizeof(name), "p%d", p);
		if (rand_r(seed) % 2)
			json_object_set_new(
				config, "vlan_mode", json_string(modes[rand_r(seed) % 4]));
		if (rand_r(seed) % 2)
			json_object_set_new(config, "tag", json_integer(rand_r(seed) % 3));
		if (rand_r(seed) % 2)
			json_object_set_new(config, "trunks", json_pack("[i]", rand_r(seed) % 3));
		if (rand_r(seed) % 2)
			json_object_set_new(
				config, "mtu", json_integer(rand_r(seed) % 2 ? 1500 : 9000));
		if (rand_r(seed) % 2)
			json_object_set_new(json_object_get(config, "options"), "n_rxq",
				json_string(rand_r(seed) % 2 ? "1" : "4"));
		if (rand_r(seed) % 2)
			json_object_set_new(config, "tx_steering",
				json_string(rand_r(seed) % 2 ? "thread" : "hash"));
		json_array_append_new(json_object_get(state, "ports"),
			json_pack("{s:s, s:O, s:o}", "name", name, "bridge",
				json_object_get(bridge, "name"), "config", config));
	}
	if (with_plan)
		json_array_append_new(json_object_get(json_object_get(state, "plan"), "threads"),
			json_pack("{s:i, s:[]}", "core", rand_r(seed) % 4, "queues"));
	return state;
}

// Does the step make sense where it stands? Adding needs absence and a bridge, the rest presence.
static void check_step(const json_t *state, const json_t *step)
{
	const char *method = json_string_value(json_object_get(step, "method"));
	const json_t *params = json_object_get(step, "params");
	const char *name = json_string_value(json_object_get(params, "name"));
	bool of_bridge = strncmp(method, "bridge.", 7) == 0;
	const json_t *list = json_object_get(state, of_bridge ? "bridges" : "ports");
	bool present = false;
	bool bridge_present = false;
	size_t i;
	json_t *item;

	if (strcmp(method, "plan.set") == 0)
		return;
	json_array_foreach ((json_t *)list, i, item)
		present |= strcmp(json_string_value(json_object_get(item, "name")), name) == 0;
	json_array_foreach (json_object_get(state, "bridges"), i, item) {
		const char *wanted = json_string_value(json_object_get(params, "bridge"));

		bridge_present |= wanted && strcmp(json_string_value(json_object_get(item, "name")),
						    wanted) == 0;
	}
	assert_int_equal(present, strstr(method, ".add") == NULL);
	if (strcmp(method, "port.add") == 0)
		assert_true(bridge_present);
}

// The property that everything rests on: doing the steps leads from any state to any other, every
// step is possible where it stands, and afterwards there is nothing left to do.
static void test_steps_lead_there(void **state)
{
	unsigned seed = 3;
	size_t total = 0;

	for (int round = 0; round < 5000; round++) {
		json_t *actual = random_state(&seed, rand_r(&seed) % 2);
		json_t *desired = random_state(&seed, rand_r(&seed) % 2);
		json_t *list = reconcile_steps(desired, actual);
		json_t *rest;
		size_t i;
		json_t *step;

		total += json_array_size(list);
		json_array_foreach (list, i, step) {
			check_step(actual, step);
			assert_int_equal(reconcile_apply(actual, step), 0);
		}
		rest = reconcile_steps(desired, actual);
		if (json_array_size(rest)) {
			char *text = json_dumps(rest, 0);

			fail_msg("round %d leaves %s", round, text);
		}
		assert_int_equal(json_array_size(json_object_get(actual, "ports")),
			json_array_size(json_object_get(desired, "ports")));
		assert_int_equal(json_array_size(json_object_get(actual, "bridges")),
			json_array_size(json_object_get(desired, "bridges")));
		json_decref(rest);
		json_decref(list);
		json_decref(actual);
		json_decref(desired);
	}
	assert_true(total > 5000);
}

static void test_unknown_step(void **state)
{
	json_t *current = reconcile_empty_state();
	json_t *step = load("{\"method\":\"port.paint\",\"params\":{\"name\":\"p0\"}}");

	assert_int_not_equal(reconcile_apply(current, step), 0);
	json_decref(step);
	json_decref(current);
}

// --- Flows ---

static void assert_operations(const struct flow_record *desired, size_t n_desired,
	const struct flow_record *actual, size_t n_actual, const char *operations,
	const char *conflicts)
{
	json_t *before;
	json_t *result = reconcile_flows(desired, n_desired, actual, n_actual, &before);
	char *text = json_dumps(result, JSON_COMPACT);
	char *first = before ? json_dumps(before, JSON_COMPACT) : strdup("");

	assert_string_equal(text, operations);
	assert_string_equal(first, conflicts);
	free(text);
	free(first);
	json_decref(result);
	json_decref(before);
}

static void test_flows(void **state)
{
	static const struct flow_record wanted[] = {{1, "table=0,priority=1,actions=drop"},
		{2, "table=0,priority=2,cookie=0x5,actions=output:1"},
		{4, "table=0,priority=4,ip,actions=drop"}};
	static const struct flow_record there[] = {{1, "table=0,priority=1,actions=drop"},
		{2, "table=0,priority=2,actions=output:2"}, {3, "table=0,priority=3,actions=drop"},
		{4, "table=0,priority=4,arp,actions=drop"}};

	assert_operations(wanted, 3, wanted, 3, "[]", "");
	assert_operations(
		wanted, 1, NULL, 0, "[[\"add\",1,\"table=0,priority=1,actions=drop\"]]", "");
	assert_operations(NULL, 0, there, 2, "[[\"del\",1],[\"del\",2]]", "");
	// Another match under an identifier is another flow; another cookie is the same flow.
	assert_operations(wanted, 3, there, 4,
		"[[\"del\",3],[\"mod\",2,\"table=0,priority=2,cookie=0x5,actions=output:1\"],"
		"[\"add\",4,\"table=0,priority=4,ip,actions=drop\"]]",
		"[[\"del\",4]]");
}

static char *flow_texts[64];

static size_t random_flows(unsigned *seed, struct flow_record *records)
{
	size_t count = 0;

	for (uint64_t id = 1; id <= 20; id++) {
		if (rand_r(seed) % 2)
			records[count++] = (struct flow_record){id, flow_texts[rand_r(seed) % 8]};
	}
	return count;
}

// The same property for flows, with an interpreter of flow.apply that allows no nonsense.
static void apply_flows(const char **table, const json_t *operations)
{
	size_t i;
	json_t *operation;

	json_array_foreach ((json_t *)operations, i, operation) {
		const char *verb = json_string_value(json_array_get(operation, 0));
		size_t id = (size_t)json_integer_value(json_array_get(operation, 1));
		const char *text = json_string_value(json_array_get(operation, 2));

		assert_int_equal(table[id] != NULL, *verb != 'a');
		for (size_t k = 0; text && k < 8; k++) {
			if (strcmp(flow_texts[k], text) == 0)
				text = flow_texts[k];
		}
		// Whoever modifies keeps counters, so it must be the same flow.
		if (*verb == 'm')
			assert_int_equal(strncmp(table[id], text, 18), 0);
		table[id] = *verb == 'd' ? NULL : text;
	}
}

static void test_flow_operations_lead_there(void **state)
{
	unsigned seed = 11;

	for (int i = 0; i < 8; i++) {
		flow_texts[i] = malloc(64);
		snprintf(flow_texts[i], 64, "table=0,priority=%d,actions=output:%d", i / 4 + 1, i);
	}
	for (int round = 0; round < 3000; round++) {
		struct flow_record desired[20];
		struct flow_record actual[20];
		size_t n_desired = random_flows(&seed, desired);
		size_t n_actual = random_flows(&seed, actual);
		const char *table[21] = {0};
		json_t *before;
		json_t *operations = reconcile_flows(desired, n_desired, actual, n_actual, &before);
		size_t count = 0;

		for (size_t i = 0; i < n_actual; i++)
			table[actual[i].id] = actual[i].text;
		apply_flows(table, before);
		apply_flows(table, operations);
		for (size_t i = 0; i < n_desired; i++)
			assert_string_equal(table[desired[i].id], desired[i].text);
		for (size_t id = 0; id <= 20; id++)
			count += table[id] != NULL;
		assert_int_equal(count, n_desired);
		json_decref(before);
		json_decref(operations);
	}
	for (int i = 0; i < 8; i++)
		free(flow_texts[i]);
}

// --- Groups and meters ---

static void assert_object_operations(const struct object_record *desired, size_t n_desired,
	const struct object_record *actual, size_t n_actual, const char *expected)
{
	json_t *operations = json_pack("[[s, i]]", "del", 1); // what is there stays
	char *text;

	reconcile_objects(operations, "meter", "meter_del", desired, n_desired, actual, n_actual);
	json_array_remove(operations, 0);
	text = json_dumps(operations, JSON_COMPACT);
	assert_string_equal(text, expected);
	free(text);
	json_decref(operations);
}

static void test_objects(void **state)
{
	const struct object_record wanted[] = {{1, "one"}, {3, "three"}, {4294967040u, "last"}};
	const struct object_record there[] = {{1, "one"}, {2, "two"}, {3, "other"}};

	assert_object_operations(wanted, 3, wanted, 3, "[]");
	assert_object_operations(NULL, 0, there, 2, "[[\"meter_del\",1],[\"meter_del\",2]]");
	assert_object_operations(
		wanted, 2, NULL, 0, "[[\"meter\",1,\"one\"],[\"meter\",3,\"three\"]]");
	// Equal ones are not touched, others are put as a whole.
	assert_object_operations(wanted, 3, there, 3,
		"[[\"meter_del\",2],[\"meter\",3,\"three\"],[\"meter\",4294967040,\"last\"]]");
	assert_object_operations(there, 3, wanted, 3,
		"[[\"meter\",2,\"two\"],[\"meter\",3,\"other\"],[\"meter_del\",4294967040]]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_nothing),
		cmocka_unit_test(test_to_nothing),
		cmocka_unit_test(test_settings_in_place),
		cmocka_unit_test(test_bridge_settings),
		cmocka_unit_test(test_made_anew),
		cmocka_unit_test(test_defaults_are_equal),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_steps_lead_there),
		cmocka_unit_test(test_unknown_step),
		cmocka_unit_test(test_flows),
		cmocka_unit_test(test_flow_operations_lead_there),
		cmocka_unit_test(test_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
