// SPDX-License-Identifier: Apache-2.0
#include "lint_test.h"

// Flows of one text, a line each, with the ports of flow_test.h or without knowing any.
static struct linted *lint_text(const char *text, const struct port_names *ports)
{
	struct linted *linted = linted_new();
	char *lines = strdup(text), *rest = lines, *line;

	while ((line = strsep(&rest, "\n"))) {
		struct flow_request request;

		must_parse(&request, line, FLOW_ADD, NULL);
		linted->flows[linted->count++] = request.flow;
	}
	free(lines);
	linted_run(linted, ports);
	return linted;
}

// The findings as "kind flow other kind flow ...", flows counted from 0, - for none.
static void assert_findings(const char *text, const struct port_names *ports, const char *expected)
{
	struct linted *linted = lint_text(text, ports);
	char found[512] = "";

	for (size_t i = 0; i < linted->lint.count; i++) {
		const struct flow_finding *finding = &linted->lint.findings[i];
		size_t used = strlen(found);

		assert_true(strlen(finding->message) > 20);
		used += snprintf(found + used, sizeof(found) - used, "%s%s %zu ", i ? " " : "",
			flow_lint_row(finding->kind)->name, finding->flow);
		if (finding->other == FLOW_LINT_NONE)
			snprintf(found + used, sizeof(found) - used, "-");
		else
			snprintf(found + used, sizeof(found) - used, "%zu", finding->other);
	}
	if (strcmp(found, expected) != 0)
		fail_msg("%s\n  found    \"%s\"\n  expected \"%s\"", text, found, expected);
	assert_true(linted->lint.complete);
	linted_free(linted);
}

static void test_nothing(void **state)
{
	assert_findings("actions=NORMAL", &test_ports, "");
	assert_findings("in_port=1,actions=2\nin_port=2,actions=1", &test_ports, "");
	assert_findings(
		"in_port=1,actions=2\nin_port=2,actions=1\npriority=0,actions=drop", NULL, "");
	assert_findings("table=0,actions=resubmit(,3),resubmit(,4)\n"
			"table=3,actions=load:1->NXM_NX_REG0[]\ntable=4,reg0=1,actions=NORMAL",
		&test_ports, "");

	struct flow_lint lint;

	assert_int_equal(flow_lint_run(&lint, NULL, 0, &test_ports), 0);
	assert_int_equal(lint.count, 0);
	flow_lint_destroy(&lint);
	flow_lint_destroy(NULL);
}

static void test_shadowed(void **state)
{
	assert_findings(
		"priority=2,actions=NORMAL\npriority=1,tcp,actions=drop", NULL, "shadowed 1 0");
	// Other tables, the lower priority, and what is only nearly covered.
	assert_findings("actions=NORMAL,goto_table:1\ntable=1,tcp,actions=drop", NULL, "");
	assert_findings("priority=1,actions=NORMAL\npriority=2,tcp,actions=drop", NULL, "");
	assert_findings("priority=1,actions=NORMAL\n"
			"priority=3,tcp,tp_dst=100-200,actions=1\npriority=2,tcp,tp_dst=100-201,"
			"actions=2",
		NULL, "");
	assert_findings(
		"priority=1,actions=NORMAL\n"
		"priority=3,tcp,tp_dst=100-200,actions=1\npriority=2,tcp,tp_dst=0x80/0xfff0,"
		"actions=2",
		NULL, "shadowed 2 1");
	assert_findings(
		"priority=1,actions=NORMAL\n"
		"priority=3,tcp,tp_dst=0x80/0xff80,actions=1\npriority=2,tcp,tp_dst=128-255,"
		"actions=2",
		NULL, "shadowed 2 1");
	// What will be gone shadows nothing for good.
	assert_findings(
		"priority=2,hard_timeout=9,actions=NORMAL\npriority=1,tcp,actions=drop", NULL, "");
}

static void test_duplicate(void **state)
{
	assert_findings(
		"priority=1,actions=NORMAL\npriority=5,tcp,actions=1\npriority=4,tcp,actions=1",
		NULL, "duplicate 2 1");
	// It is named even where another flow covers it too; other actions are not the same.
	assert_findings("priority=9,ip,actions=NORMAL\npriority=8,arp,actions=NORMAL\n"
			"priority=7,rarp,actions=1\npriority=5,rarp,actions=1\n"
			"priority=4,rarp,actions=2",
		NULL, "duplicate 3 2 shadowed 4 2");
}

static void test_overlap(void **state)
{
	assert_findings("in_port=1,actions=NORMAL\ndl_dst=00:00:00:00:00:01,actions=2\n"
			"priority=0,actions=NORMAL",
		&test_ports, "overlap 0 1");
	// The same actions, other priorities, and no packet in common.
	assert_findings("in_port=1,actions=NORMAL\ndl_dst=00:00:00:00:00:01,actions=NORMAL\n"
			"priority=0,actions=NORMAL",
		NULL, "");
	assert_findings(
		"in_port=1,arp,actions=3\nin_port=1,ip,actions=2\npriority=1,actions=NORMAL", NULL,
		"");
	assert_findings("udp,tp_dst=10-20,actions=1\nudp,tp_dst=20-30,actions=2\n"
			"udp,tp_dst=31-40,actions=3\npriority=1,actions=NORMAL",
		NULL, "overlap 1 0");
	// What never matches is told of once.
	assert_findings("priority=40000,actions=NORMAL\nin_port=1,actions=2\n"
			"dl_dst=00:00:00:00:00:01,actions=3",
		NULL, "shadowed 1 0 shadowed 2 0");
}

static void test_tables(void **state)
{
	assert_findings("actions=NORMAL,goto_table:7\npriority=5,ip,actions=goto_table:7\n"
			"table=9,actions=NORMAL\ntable=9,tcp,actions=NORMAL",
		NULL, "missing_table 0 - shadowed 1 0 unreachable 3 -");
	assert_findings("actions=resubmit(,9),NORMAL\ntable=9,actions=NORMAL", NULL, "");
	// A flow that never matches leads nowhere, nor does a table that is not looked up itself.
	assert_findings("actions=NORMAL\npriority=1,ip,actions=goto_table:2\n"
			"table=2,actions=goto_table:3\ntable=3,actions=NORMAL",
		NULL, "shadowed 1 0 unreachable 2 - unreachable 3 -");
	// What the buckets of a group lead to is not known here.
	assert_findings("actions=group:1\ntable=7,actions=NORMAL", NULL, "");
	// resubmit goes backwards too.
	assert_findings(
		"actions=goto_table:5\ntable=5,actions=resubmit(,3)\ntable=3,actions=NORMAL", NULL,
		"");
	// Many flows, one finding.
	assert_findings("arp,actions=resubmit(,8),NORMAL\nrarp,actions=NORMAL,resubmit(,8)\n"
			"ip,actions=resubmit(,8),resubmit(,8),NORMAL",
		NULL, "missing_table 0 -");
}

static void test_ports_missing(void **state)
{
	assert_findings("in_port=1,actions=2,7\nin_port=2,actions=7,3", &test_ports, "no_port 0 -");
	assert_findings("in_port=1,actions=2,7", NULL, "");
	assert_findings("in_port=1,actions=in_port\nin_port=2,actions=FLOOD", &test_ports, "");
}

static void test_broadcasts(void **state)
{
	// A miss, a drop, and a way for both.
	assert_findings("ip,in_port=1,actions=2", NULL, "drops_arp 0 - drops_rarp 0 -");
	assert_findings("priority=9,arp,actions=NORMAL\nip,in_port=1,actions=2\npriority=1,rarp,"
			"actions=drop",
		NULL, "drops_rarp 1 2");
	assert_findings("ip,in_port=1,actions=2\narp,actions=NORMAL\nrarp,actions=FLOOD", NULL, "");
	// To a MAC address only: no broadcast gets there. Nor does one that goes back.
	assert_findings("in_port=1,dl_dst=00:00:00:00:00:02,actions=2", NULL,
		"drops_arp 0 - drops_rarp 0 -");
	assert_findings("priority=9,ip,in_port=1,actions=2\npriority=1,in_port=1,actions=1", NULL,
		"drops_arp 0 1 drops_rarp 0 1");
	// Nothing is forwarded from there anyhow.
	assert_findings("in_port=1,actions=drop", &test_ports, "");
	// Any port, where none is named, and each of the bridge's.
	assert_findings("ip,actions=NORMAL", NULL, "drops_arp 0 - drops_rarp 0 -");
	assert_findings("ip,actions=NORMAL", &test_ports, "drops_arp 0 - drops_rarp 0 -");
	// An output to a port that is not there is none.
	assert_findings("priority=9,ip,in_port=1,actions=2\npriority=1,in_port=1,actions=9",
		&test_ports, "drops_arp 0 1 drops_rarp 0 1 no_port 1 -");
}

static void test_broadcasts_in_tables(void **state)
{
	assert_findings("actions=goto_table:1\ntable=1,ip,actions=NORMAL", &test_ports,
		"drops_arp 0 0 drops_rarp 0 0");
	// Registers are followed.
	assert_findings("priority=9,ip,actions=load:1->NXM_NX_REG0[],goto_table:1\n"
			"priority=1,actions=load:2->NXM_NX_REG0[],goto_table:1\n"
			"table=1,reg0=1,actions=NORMAL",
		&test_ports, "drops_arp 0 1 drops_rarp 0 1");
	assert_findings("priority=9,ip,actions=load:1->NXM_NX_REG0[],goto_table:1\n"
			"priority=1,actions=load:0->NXM_NX_REG0[0],goto_table:1\n"
			"table=1,reg0=0,actions=NORMAL\ntable=1,reg0=1,actions=NORMAL",
		&test_ports, "");
	// What is not known may be open: after a move, after a resubmit.
	assert_findings(
		"priority=9,ip,actions=NORMAL\n"
		"priority=1,actions=move:NXM_OF_ETH_SRC[0..7]->NXM_NX_REG0[0..7],goto_table:1\n"
		"table=1,reg0=1,actions=NORMAL",
		&test_ports, "");
	assert_findings(
		"priority=9,ip,actions=NORMAL\npriority=1,actions=resubmit(,1),resubmit(,2)\n"
		"table=1,actions=load:5->NXM_NX_REG0[]\ntable=2,reg0=5,actions=NORMAL",
		&test_ports, "");
	// A tag that comes or goes.
	assert_findings("priority=9,ip,actions=NORMAL\n"
			"priority=1,vlan_tci=0,actions=push_vlan:0x8100,goto_table:1\n"
			"table=1,dl_vlan=0,actions=NORMAL",
		&test_ports, "");
	assert_findings("priority=9,ip,actions=NORMAL\n"
			"priority=1,dl_vlan=5,actions=goto_table:1\n"
			"table=1,vlan_tci=0,actions=NORMAL",
		&test_ports, "drops_arp 0 - drops_rarp 0 -");
	// A resubmit as from another port.
	assert_findings(
		"priority=9,ip,actions=NORMAL\npriority=1,in_port=1,actions=resubmit(3,1)\n"
		"priority=1,in_port=2,actions=resubmit(1,1)\npriority=1,in_port=3,actions=NORMAL\n"
		"table=1,in_port=3,actions=2",
		&test_ports, "drops_arp 0 2 drops_rarp 0 2");
	// Without end, but bounded.
	assert_findings(
		"priority=9,ip,actions=NORMAL\npriority=1,actions=resubmit(,0),resubmit(,0)",
		&test_ports, "drops_arp 0 1 drops_rarp 0 1");
}

static void test_rows(void **state)
{
	for (int i = 0; i < FLOW_LINT_KIND_COUNT; i++) {
		assert_true(strlen(flow_lint_row(i)->name) > 0);
		assert_true(strlen(flow_lint_row(i)->help) > 20);
	}
	struct linted *linted = lint_text("actions=goto_table:3\npriority=1,ip,actions=1", NULL);

	assert_int_equal(flow_lint_count(&linted->lint, FLOW_LINT_ERROR), 1);
	assert_int_equal(flow_lint_count(&linted->lint, FLOW_LINT_WARNING), 1);
	char *message = flow_lint_replaced(&linted->flows[1], NULL);

	assert_non_null(strstr(message, "priority=1,ip"));
	free(message);
	linted_free(linted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_shadowed),
		cmocka_unit_test(test_duplicate),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_ports_missing),
		cmocka_unit_test(test_broadcasts),
		cmocka_unit_test(test_broadcasts_in_tables),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
