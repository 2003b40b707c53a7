// SPDX-License-Identifier: Apache-2.0
//
// What lint says of random programs, held against the oracle: flows that never match and tables
// that are never looked up must not be hit by any packet, and broadcasts that go nowhere must not
// get out. Usage: test_lint_model [SEED [PROGRAMS]]

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/flow_lint.h"
#include "tests/model/model_program.h"
#include "tests/unit/packet/frame.h"

#define DEFAULT_SEED 20260401
#define DEFAULT_PROGRAMS 1500
#define PACKETS 150    // random ones, per program
#define BROADCASTS 100 // per finding

struct totals {
	unsigned long findings[FLOW_LINT_KIND_COUNT];
	unsigned long outputs;
};

static size_t packet_run(struct program *program, const uint8_t *bytes, size_t length,
	size_t linear, unsigned headroom, uint16_t in_port)
{
	struct oracle_outcome outcome = {0};
	size_t count;

	oracle_run(&program->oracle, bytes, length, linear, headroom, in_port, &outcome);
	count = outcome.count;
	oracle_outcome_free(&outcome);
	return count;
}

// An ARP request or a RARP "request reverse" from the port, to all.
static size_t broadcast_run(struct program *program, bool arp, uint16_t in_port)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct model_packet model;
	struct frame frame;

	// Addresses that the program's flows are about.
	model_packet(&program->random, &model);
	frame_start(&frame, all, model.bytes + 6);
	if (model_once_in(&program->random, 2))
		frame_vlan(&frame, 0x8100, (uint16_t)(model_bits(&program->random) & 0xe007));
	frame_arp(&frame, arp ? 0x0806 : 0x8035, arp ? 1 : 3, model.bytes + 6,
		0x0a000000u + model_below(&program->random, 4), all,
		0x0a000000u + model_below(&program->random, 4));
	frame_finish(&frame);
	return packet_run(program, frame.bytes, frame.length, frame.length, 128, in_port);
}

static bool broadcasts_end(struct program *program, const struct flow_finding *finding)
{
	bool arp = finding->kind == FLOW_LINT_DROPS_ARP;
	const char *port = strstr(finding->message, "from port p");

	for (unsigned i = 0; port && i < BROADCASTS; i++) {
		if (broadcast_run(program, arp, (uint16_t)atoi(port + strlen("from port p"))) == 0)
			continue;
		printf("a broadcast got out in spite of: %s\n", finding->message);
		return false;
	}
	return port != NULL;
}

static bool finding_holds(struct program *program, const struct flow_finding *finding)
{
	const struct flow *flow = &program->now.flows[finding->flow]->flow;

	switch (finding->kind) {
	case FLOW_LINT_DROPS_ARP:
	case FLOW_LINT_DROPS_RARP:
		return broadcasts_end(program, finding);
	case FLOW_LINT_SHADOWED:
	case FLOW_LINT_DUPLICATE:
		return program->oracle_flows[finding->flow].hits->packets == 0;
	case FLOW_LINT_UNREACHABLE:
		for (size_t i = 0; i < program->now.flow_count; i++) {
			if (program->now.flows[i]->flow.table == flow->table &&
				program->oracle_flows[i].hits->packets > 0)
				return false;
		}
		return true;
	default:
		return true;
	}
}

static bool program_lint(struct program *program, struct totals *totals)
{
	static const struct port_name items[MODEL_PORTS] = {
		{"p1", 1}, {"p2", 2}, {"p3", 3}, {"p4", 4}, {"p5", 5}};
	static const struct port_names ports = {"br0", MODEL_PORTS, items};
	const struct flow *flows[PROGRAM_FLOWS];
	struct flow_lint lint;
	bool good = true;

	for (size_t i = 0; i < program->now.flow_count; i++)
		flows[i] = &program->now.flows[i]->flow;
	if (flow_lint_run(&lint, flows, program->now.flow_count, &ports) != 0)
		return false;
	for (size_t i = 0; i < lint.count && good; i++) {
		totals->findings[lint.findings[i].kind]++;
		good = finding_holds(program, &lint.findings[i]);
		if (!good)
			printf("FAILED: %s: %s\n", flow_lint_row(lint.findings[i].kind)->name,
				lint.findings[i].message);
	}
	flow_lint_destroy(&lint);
	return good;
}

static bool run_program(uint64_t seed, struct totals *totals)
{
	static struct program program;
	static struct model_packet packet;
	bool good;

	program_open(&program, seed, true);
	for (unsigned i = 0; i < PACKETS; i++) {
		model_packet(&program.random, &packet);
		totals->outputs += packet_run(&program, packet.bytes, packet.length, packet.linear,
			packet.headroom, packet.in_port);
	}
	good = program_lint(&program, totals);
	if (!good) {
		program_print(&program);
		printf("again with: test_lint_model %llu 1\n", (unsigned long long)seed);
	}
	program_close(&program);
	return good;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : DEFAULT_SEED;
	unsigned programs = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : DEFAULT_PROGRAMS;
	struct totals totals = {0};

	for (unsigned i = 0; i < programs; i++) {
		if (!run_program(seed + i, &totals))
			return 1;
	}
	printf("%u programs, %lu outputs", programs, totals.outputs);
	for (int kind = 0; kind < FLOW_LINT_KIND_COUNT; kind++)
		printf(", %s %lu", flow_lint_row(kind)->name, totals.findings[kind]);
	printf("\n");
	// A test in which little is found shows little.
	if (programs >= DEFAULT_PROGRAMS && (totals.findings[FLOW_LINT_SHADOWED] < 100 ||
						    totals.findings[FLOW_LINT_UNREACHABLE] < 20 ||
						    totals.findings[FLOW_LINT_DROPS_ARP] < 20)) {
		printf("FAILED: too few findings\n");
		return 1;
	}
	return 0;
}
