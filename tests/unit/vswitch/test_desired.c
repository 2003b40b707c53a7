// SPDX-License-Identifier: Apache-2.0
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswitch/desired.h"
#include "vswitch/interface_types.h"
#include "vswitch/model_edit.h"

struct fixture {
	struct model *model;
	struct rpc_error error;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->model = model_create();
	model_begin(f->model);
	edit_root(f->model);
	edit_bridge_add(f->model, "br0", &f->error);
	edit_port_add(f->model, "br0", "p0", &f->error);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	model_destroy(f->model);
	rpc_error_clear(&f->error);
	free(f);
	return 0;
}

static void set(struct fixture *f, enum schema_table_id table, const char *name, const char *column,
	const char *value)
{
	json_t *json = json_loads(value, JSON_DECODE_ANY, NULL);
	const json_t *row = model_record(f->model, table, name, &f->error);

	if (!edit_set(f->model, table, row_uuid(row), column, json, &f->error))
		fail_msg("%s", f->error.message);
	json_decref(json);
}

static void assert_port(struct fixture *f, const char *expected_text)
{
	const json_t *port = model_named(f->model, TABLE_PORT, "p0");
	json_t *config = desired_port_config(f->model, model_bridge_of(f->model, port), port);
	json_t *expected = json_loads(expected_text, 0, NULL);

	assert_non_null(expected);
	if (!json_equal(config, expected))
		fail_msg("%s", json_dumps(config, JSON_COMPACT));
	json_decref(config);
	json_decref(expected);
}

static void test_port(void **state)
{
	struct fixture *f = *state;

	set(f, TABLE_INTERFACE, "p0", "type", "\"dpdk\"");
	set(f, TABLE_INTERFACE, "p0", "options", "{\"dpdk-devargs\": \"net_null0\", \"n_rxq\": 2}");
	assert_port(f, "{\"bridge\":\"br0\",\"name\":\"p0\",\"type\":\"dpdk\",\"ofport\":1,"
		       "\"options\":{\"devargs\":\"net_null0\",\"n_rxq\":\"2\"},"
		       "\"vlan_mode\":\"trunk\"}");
	set(f, TABLE_PORT, "p0", "tag", "5");
	set(f, TABLE_INTERFACE, "p0", "mtu_request", "9000");
	assert_port(f, "{\"bridge\":\"br0\",\"name\":\"p0\",\"type\":\"dpdk\",\"ofport\":1,"
		       "\"options\":{\"devargs\":\"net_null0\",\"n_rxq\":\"2\"},"
		       "\"vlan_mode\":\"access\",\"tag\":5,\"mtu\":9000}");
	set(f, TABLE_INTERFACE, "p0", "other_config", "{\"tx-steering\": \"hash\"}");
	assert_port(f, "{\"bridge\":\"br0\",\"name\":\"p0\",\"type\":\"dpdk\",\"ofport\":1,"
		       "\"options\":{\"devargs\":\"net_null0\",\"n_rxq\":\"2\"},"
		       "\"vlan_mode\":\"access\",\"tag\":5,\"mtu\":9000,"
		       "\"tx_steering\":\"hash\"}");
}

static void test_bridge(void **state)
{
	struct fixture *f = *state;
	json_t *expected = json_loads("{\"name\":\"br0\", \"mac_aging\":60, \"mac_table_size\":16, "
				      "\"controller_rate\":7, \"controller_burst\":3, "
				      "\"mac_learning_rate\":5, \"mac_learning_burst\":6}",
		0, NULL);
	json_t *desired;
	json_t *bridge;

	set(f, TABLE_BRIDGE, "br0", "other_config",
		"{\"mac-aging-time\": \"60\", \"mac-table-size\": 16, \"flow-table-limit\": 9, "
		"\"controller-rate-limit\": 7, \"controller-burst-limit\": \"3\", "
		"\"mac-learning-rate-limit\": 5, \"mac-learning-burst-limit\": \"6\"}");
	desired = desired_state(f->model, NULL);
	bridge = json_array_get(json_object_get(desired, "bridges"), 0);
	assert_true(json_equal(json_object_get(bridge, "config"), expected));
	json_decref(desired);
	json_decref(expected);
}

static void test_aliases(void **state)
{
	struct fixture *f = *state;

	set(f, TABLE_INTERFACE, "p0", "type", "\"dpdkvhostuserclient\"");
	set(f, TABLE_INTERFACE, "p0", "options", "{\"vhost-server-path\": \"/x\"}");
	assert_port(f, "{\"bridge\":\"br0\",\"name\":\"p0\",\"type\":\"vhostuser\",\"ofport\":1,"
		       "\"options\":{\"path\":\"/x\",\"mode\":\"client\"},"
		       "\"vlan_mode\":\"trunk\"}");
	set(f, TABLE_INTERFACE, "p0", "type", "\"dpdkvhostuser\"");
	assert_port(f, "{\"bridge\":\"br0\",\"name\":\"p0\",\"type\":\"vhostuser\",\"ofport\":1,"
		       "\"options\":{\"path\":\"/x\",\"mode\":\"server\"},"
		       "\"vlan_mode\":\"trunk\"}");
}

static void test_failures_are_left_out(void **state)
{
	struct fixture *f = *state;
	const json_t *port = model_named(f->model, TABLE_PORT, "p0");
	json_t *failures = json_pack("{s:{s:s, s:o}}", "p0", "error", "gone", "config",
		desired_port_config(f->model, model_bridge_of(f->model, port), port));
	json_t *desired = desired_state(f->model, failures);

	assert_int_equal(json_array_size(json_object_get(desired, "bridges")), 1);
	assert_int_equal(json_array_size(json_object_get(desired, "ports")), 0);
	json_decref(desired);
	// Wanted otherwise than what was refused, it is tried again.
	set(f, TABLE_PORT, "p0", "tag", "5");
	desired = desired_state(f->model, failures);
	assert_int_equal(json_array_size(json_object_get(desired, "ports")), 1);
	json_decref(desired);
	json_decref(failures);
}

// --- Plans ---

// Plan with the given mask and policy; `problem` gets what is said of p0.
static char *plan_of(
	struct fixture *f, const char *cpus, const char *status, bool lenient, char problem[256])
{
	json_t *cpus_json = json_loads(cpus, 0, NULL);
	json_t *status_json = json_loads(status, 0, NULL);
	struct plan_input input = {
		.cpus = cpus_json, .status = status_json, .mask = "", .lenient = lenient};
	struct plan_extra extra = {0};
	json_t *plan = desired_plan(f->model, &input, &extra, &f->error);
	const char *text = json_string_value(json_object_get(extra.problems, "p0"));
	char *result = plan ? json_dumps(plan, JSON_COMPACT) : strdup("refused");

	snprintf(problem, 256, "%s", text ? text : "");
	json_decref(plan);
	json_decref(extra.problems);
	json_decref(cpus_json);
	json_decref(status_json);
	return result;
}

static void assert_plan(struct fixture *f, const char *cpus, const char *status, bool lenient,
	const char *expected, const char *expected_problem)
{
	char problem[256];
	char *plan = plan_of(f, cpus, status, lenient, problem);

	assert_string_equal(plan, expected);
	if (!strstr(problem, expected_problem) || (!*expected_problem && *problem))
		fail_msg("\"%s\"", problem);
	free(plan);
}

#define CPUS "[{\"id\":0,\"numa\":0},{\"id\":1,\"numa\":0}]"
#define STATUS(N) "[{\"name\":\"p0\",\"n_rxq\":" #N ",\"numa\":0}]"
#define CORE(C, QUEUES) "{\"core\":" #C ",\"queues\":[" QUEUES "]}"
#define QUEUE(N) "{\"port\":\"p0\",\"queue\":" #N ",\"mode\":\"adaptive\"}"
#define PLAN(CORES)            \
	"{\"threads\":[" CORES \
	"],\"idle_us\":1000,\"sleep_max_us\":100,\"perf\":false,\"perf_log_us\":0}"

static void test_plan(void **state)
{
	struct fixture *f = *state;

	assert_plan(f, CPUS, STATUS(2), false, PLAN(CORE(1, QUEUE(0) "," QUEUE(1))), "");
	// A guest that is not there yet has a queue waiting for it.
	assert_plan(f, CPUS, STATUS(0), false, PLAN(CORE(1, QUEUE(0))), "");
	assert_plan(f, CPUS, "[]", false, PLAN(CORE(1, "")), "");
	set(f, TABLE_OPEN_VSWITCH, ".", "other_config", "{\"pmd-cpu-mask\": \"0x3\"}");
	assert_plan(f, CPUS, STATUS(2), false, PLAN(CORE(0, QUEUE(0)) "," CORE(1, QUEUE(1))), "");
}

static void test_plan_pins(void **state)
{
	struct fixture *f = *state;

	set(f, TABLE_OPEN_VSWITCH, ".", "other_config", "{\"pmd-cpu-mask\": \"0x3\"}");
	set(f, TABLE_INTERFACE, "p0", "other_config", "{\"pmd-rxq-affinity\": \"1:0\"}");
	assert_plan(f, CPUS, STATUS(2), false, PLAN(CORE(0, QUEUE(1)) "," CORE(1, QUEUE(0))), "");
	set(f, TABLE_INTERFACE, "p0", "other_config", "{\"pmd-rxq-affinity\": \"1:7\"}");
	assert_plan(f, CPUS, STATUS(2), false, PLAN(CORE(0, QUEUE(0)) "," CORE(1, "")),
		"pins it to core 7, which is not in pmd-cpu-mask");
	set(f, TABLE_INTERFACE, "p0", "other_config", "{\"pmd-rxq-affinity\": \"1:0,2:1\"}");
	assert_plan(f, CPUS, STATUS(3), false, PLAN(CORE(0, QUEUE(1)) "," CORE(1, QUEUE(2))),
		"set pmd-rxq-isolate=false");
	set(f, TABLE_OPEN_VSWITCH, ".", "other_config", "{\"pmd-rxq-isolate\": \"false\"}");
	assert_plan(f, CPUS, STATUS(3), false,
		PLAN(CORE(0, QUEUE(0) "," QUEUE(1)) "," CORE(1, QUEUE(2))), "");
}

// A mask of another machine: refused from a user, made the best of after a move.
static void test_plan_other_cores(void **state)
{
	struct fixture *f = *state;

	set(f, TABLE_OPEN_VSWITCH, ".", "other_config", "{\"pmd-cpu-mask\": \"0-3\"}");
	assert_plan(f, CPUS, STATUS(1), false, "refused", "");
	assert_non_null(strstr(f->error.message, "cannot use core 2"));
	assert_plan(f, CPUS, STATUS(1), true, PLAN(CORE(0, QUEUE(0)) "," CORE(1, "")), "");
	set(f, TABLE_OPEN_VSWITCH, ".", "other_config", "{\"pmd-cpu-mask\": \"6,7\"}");
	assert_plan(f, CPUS, STATUS(1), true, PLAN(CORE(1, QUEUE(0))), "");
}

static void test_type_refusals(void **state)
{
	char reason[256];

	assert_true(interface_type_check("dpdk", reason, sizeof(reason)));
	assert_true(interface_type_check("of-a-later-version", reason, sizeof(reason)));
	assert_false(interface_type_check("vxlan", reason, sizeof(reason)));
	assert_non_null(strstr(reason, "tunnels"));
}

static void assert_types(const char *described, const char *expected_text)
{
	json_t *description = json_loads(described, 0, NULL);
	json_t *expected = json_loads(expected_text, 0, NULL);
	json_t *list = interface_types_list(description);

	assert_true(json_equal(list, expected));
	json_decref(list);
	json_decref(expected);
	json_decref(description);
}

// What the datapath has, in order, with Open vSwitch's names of these types only.
static void test_type_list(void **state)
{
	assert_types("[{\"type\":\"zip\",\"aliases\":[\"b\"]},{\"type\":\"dpdk\",\"aliases\":[]}]",
		"[\"b\",\"dpdk\",\"zip\"]");
	assert_types("[{\"type\":\"vhostuser\",\"aliases\":[\"dpdkvhostuserclient\"]}]",
		"[\"dpdkvhostuser\",\"dpdkvhostuserclient\",\"vhostuser\"]");
	assert_types("[]", "[]");
}

int main(void)
{
#define TEST(FN) cmocka_unit_test_setup_teardown(FN, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_port),
		TEST(test_bridge),
		TEST(test_aliases),
		TEST(test_failures_are_left_out),
		TEST(test_plan),
		TEST(test_plan_pins),
		TEST(test_plan_other_cores),
		cmocka_unit_test(test_type_refusals),
		cmocka_unit_test(test_type_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
