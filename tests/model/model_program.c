// SPDX-License-Identifier: Apache-2.0
#include "tests/model/model_program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what)
{
	fprintf(stderr, "model: %s\n", what);
	exit(2);
}

static void retire_at_once(void *context, void (*free_fn)(void *), void *memory)
{
	free_fn(memory);
}

// --- Ports ---

static void random_port(struct model_random *random, struct pipeline_port *port)
{
	static const uint16_t tags[] = {0, 10, 20, 30};

	memset(&port->trunks, 0, sizeof(port->trunks));
	port->vlan_mode = model_once_in(random, 2) ? VLAN_TRUNK : model_below(random, 4);
	port->tag = tags[model_below(random, 4)];
	port->no_flood = model_once_in(random, 8);
	if (model_once_in(random, 3))
		for (unsigned i = 0; i < 3; i++) {
			uint16_t vlan = tags[model_below(random, 4)];

			port->trunks[vlan / 64] |= 1ull << vlan % 64;
		}
}

// --- Flows ---

static bool parse(const char *text, struct flow *flow)
{
	struct flow_request request;
	struct flow_warnings warnings = {0};
	struct flow_error error;

	if (flow_request_parse(&request, text, FLOW_ADD, NULL, &warnings, &error))
		return false;
	*flow = request.flow;
	return true;
}

static bool is_there(const struct program *program, const struct flow *flow)
{
	for (size_t i = 0; i < program->flow_count; i++) {
		const struct flow *other = &program->flows[i].flow;

		if (other->table == flow->table && other->priority == flow->priority &&
			memcmp(&other->match, &flow->match, sizeof(flow->match)) == 0)
			return true;
	}
	return false;
}

// Overlapping flows of one priority are wanted, but ranges are pieces of their own in the fixed
// order of such flows; they get priorities of their own.
static unsigned random_priority(struct program *program, const struct model_match *match)
{
	if (match->ranges)
		return 2 * (uint16_t)program->next_id + 1;
	return 2 * model_below(&program->random, model_once_in(&program->random, 2) ? 3 : 200);
}

// The text of flow `flow` with new actions, parsed into *parsed. Tries until one is accepted.
static void random_text(struct program *program, struct program_flow *flow, struct flow *parsed)
{
	char actions[MODEL_TEXT];

	for (unsigned attempt = 0; attempt < 1000; attempt++) {
		model_actions(&program->random, &flow->match, actions);
		if (snprintf(flow->text, sizeof(flow->text), "priority=%u,%s,actions=%s",
			    flow->priority, flow->match.text, actions) >= (int)sizeof(flow->text))
			die("a flow is longer than its buffer");
		if (parse(flow->text, parsed)) {
			program->accepted++;
			if (strstr(actions, "NORMAL") || strstr(actions, "output:reg"))
				program->has_normal = true;
			return;
		}
		program->refused++;
		// It may be the match that is refused.
		if (attempt % 10 == 9) {
			model_match(&program->random, &flow->match);
			flow->priority = random_priority(program, &flow->match);
		}
	}
	fprintf(stderr, "model: for example: %s\n", flow->text);
	die("the flow parser refuses everything");
}

static void program_add(struct program *program)
{
	struct program_flow *flow = &program->flows[program->flow_count];
	unsigned table = program->next_id - 1;
	struct flow parsed;

	model_match(&program->random, &flow->match);
	// What no other flow matches goes on too, in most tables of most programs.
	if (table < MODEL_TABLES && !model_once_in(&program->random, 4))
		model_match_all(table, &flow->match);
	flow->priority = random_priority(program, &flow->match);
	random_text(program, flow, &parsed);
	if (is_there(program, &parsed)) {
		flow_destroy(&parsed);
		return;
	}
	flow->id = program->next_id++;
	if (!parse(flow->text, &flow->flow))
		die("a text is accepted only once");
	if (pipeline_flow_add(program->pipeline, flow->id, &parsed))
		die("pipeline_flow_add failed");
	program->oracle_flows[program->flow_count++] = (struct oracle_flow){&flow->flow, 0};
}

static void program_remove(struct program *program, size_t index)
{
	struct program_flow *flow = &program->flows[index];
	size_t last = --program->flow_count;

	if (pipeline_flow_remove(program->pipeline, flow->id))
		die("pipeline_flow_remove failed");
	flow_destroy(&flow->flow);
	if (index != last) {
		*flow = program->flows[last];
		program->oracle_flows[index].hits = program->oracle_flows[last].hits;
	}
}

static void program_modify(struct program *program, size_t index)
{
	struct program_flow *flow = &program->flows[index];
	struct program_flow changed = *flow;
	struct flow parsed;

	random_text(program, &changed, &parsed);
	// The match is to stay.
	if (strcmp(changed.match.text, flow->match.text) != 0) {
		flow_destroy(&parsed);
		return;
	}
	if (pipeline_flow_modify(program->pipeline, flow->id, &parsed))
		die("pipeline_flow_modify failed");
	flow_destroy(&flow->flow);
	*flow = changed;
	if (!parse(flow->text, &flow->flow))
		die("a text is accepted only once");
}

// --- Programs ---

void program_open(struct program *program, uint64_t seed)
{
	struct pipeline_config config = {.retirement = {.retire = retire_at_once}};
	unsigned flows;

	memset(program, 0, sizeof(*program));
	program->seed = seed;
	program->next_id = 1;
	model_seed(&program->random, seed);
	program->pipeline = pipeline_create(&config);
	if (!program->pipeline || pipeline_reader_add(program->pipeline, 0))
		die("out of memory");
	for (unsigned i = 0; i < MODEL_PORTS; i++) {
		program->ports[i].number = i + 1;
		random_port(&program->random, &program->ports[i]);
		if (pipeline_port_set(program->pipeline, &program->ports[i]))
			die("pipeline_port_set failed");
	}
	program->oracle.flows = program->oracle_flows;
	program->oracle.ports = program->ports;
	program->oracle.port_count = MODEL_PORTS;
	flows = 2 + model_below(&program->random, PROGRAM_FLOWS - 4);
	pipeline_begin(program->pipeline);
	for (unsigned i = 0; i < flows; i++)
		program_add(program);
	pipeline_commit(program->pipeline);
	program->oracle.flow_count = program->flow_count;
}

void program_change(struct program *program)
{
	struct model_random *random = &program->random;
	struct pipeline_port *port = &program->ports[model_below(random, MODEL_PORTS)];

	// What was learned in its old VLANs stays.
	random_port(random, port);
	if (pipeline_port_set(program->pipeline, port))
		die("pipeline_port_set failed");
	pipeline_begin(program->pipeline);
	for (size_t i = 0; i < program->flow_count; i++) {
		if (model_once_in(random, 5))
			program_modify(program, i);
		else if (model_once_in(random, 5) && program->flow_count > 1)
			program_remove(program, i);
	}
	while (program->flow_count < PROGRAM_FLOWS && !model_once_in(random, 4))
		program_add(program);
	pipeline_commit(program->pipeline);
	program->oracle.flow_count = program->flow_count;
}

void program_close(struct program *program)
{
	for (size_t i = 0; i < program->flow_count; i++)
		flow_destroy(&program->flows[i].flow);
	pipeline_destroy(program->pipeline);
}

bool program_hits_agree(const struct program *program)
{
	bool agree = true;

	for (size_t i = 0; i < program->flow_count; i++) {
		struct pipeline_flow_stats stats;

		if (pipeline_flow_stats(program->pipeline, program->flows[i].id, &stats))
			die("a flow has no statistics");
		if (stats.packets == program->oracle_flows[i].hits)
			continue;
		printf("%llu packets counted instead of %llu: %s\n",
			(unsigned long long)stats.packets,
			(unsigned long long)program->oracle_flows[i].hits, program->flows[i].text);
		agree = false;
	}
	return agree;
}

void program_print(const struct program *program)
{
	static const char *const modes[] = {"trunk", "access", "native-tagged", "native-untagged"};

	for (unsigned i = 0; i < MODEL_PORTS; i++) {
		const struct pipeline_port *port = &program->ports[i];

		printf("port %u: %s tag=%u%s trunks=", port->number, modes[port->vlan_mode],
			port->tag, port->no_flood ? " no_flood" : "");
		for (unsigned vlan = 0; vlan < 4096; vlan++)
			if (port->trunks[vlan / 64] & 1ull << vlan % 64)
				printf("%u,", vlan);
		printf("\n");
	}
	for (size_t i = 0; i < program->flow_count; i++)
		printf("flow: %s\n", program->flows[i].text);
	for (size_t i = 0; i < program->oracle.mac_count; i++) {
		const uint8_t *mac = program->oracle.macs[i].mac;

		printf("learned: vlan %u %02x:%02x:%02x:%02x:%02x:%02x port %u\n",
			program->oracle.macs[i].vlan, mac[0], mac[1], mac[2], mac[3], mac[4],
			mac[5], program->oracle.macs[i].port);
	}
}
