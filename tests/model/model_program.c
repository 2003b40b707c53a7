// SPDX-License-Identifier: Apache-2.0
#include "tests/model/model_program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void program_die(const char *what)
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

static bool is_there(const struct program_state *state, const struct flow *flow)
{
	for (size_t i = 0; i < state->flow_count; i++) {
		const struct flow *other = &state->flows[i]->flow;

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

void program_note_text(struct program *program, const char *actions)
{
	if (strstr(actions, "NORMAL") || strstr(actions, "output:reg") || strstr(actions, "meter:"))
		program->ordered = true;
}

// The text of flow `flow` with new actions, parsed into *parsed. Tries until one is accepted.
static void random_text(struct program *program, struct program_flow *flow, struct flow *parsed)
{
	char actions[MODEL_TEXT];

	for (unsigned attempt = 0; attempt < 1000; attempt++) {
		model_actions(&program->random, &flow->match, &program->scope, actions);
		if (snprintf(flow->text, sizeof(flow->text),
			    "priority=%u,cookie=0x%x,%s,actions=%s", flow->priority,
			    model_below(&program->random, 1000), flow->match.text,
			    actions) >= (int)sizeof(flow->text))
			program_die("a flow is longer than its buffer");
		if (parse(flow->text, parsed)) {
			program->accepted++;
			program_note_text(program, actions);
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
	program_die("the flow parser refuses everything");
}

static struct program_flow *flow_new(struct program *program)
{
	struct program_flow *flow = calloc(1, sizeof(*flow));

	if (!flow)
		program_die("out of memory");
	flow->next = program->all_flows;
	program->all_flows = flow;
	flow->hits = &flow->own_hits;
	return flow;
}

static void program_add(struct program *program)
{
	struct program_flow *flow = flow_new(program);
	unsigned table = program->next_id - 1;
	struct flow parsed;

	model_match(&program->random, &flow->match);
	// What no other flow matches goes on too, in most tables of most programs.
	if (table < MODEL_TABLES && !model_once_in(&program->random, 4))
		model_match_all(table, &flow->match);
	flow->priority = random_priority(program, &flow->match);
	random_text(program, flow, &parsed);
	if (is_there(&program->next, &parsed)) {
		flow_destroy(&parsed);
		return;
	}
	flow->id = program->next_id++;
	if (!parse(flow->text, &flow->flow))
		program_die("a text is accepted only once");
	if (pipeline_flow_add(program->pipeline, flow->id, &parsed))
		program_die("pipeline_flow_add failed");
	program->next.flows[program->next.flow_count++] = flow;
}

static void program_remove(struct program *program, size_t index)
{
	struct program_state *state = &program->next;

	if (pipeline_flow_remove(program->pipeline, state->flows[index]->id))
		program_die("pipeline_flow_remove failed");
	state->flows[index] = state->flows[--state->flow_count];
}

static void program_modify(struct program *program, size_t index)
{
	const struct program_flow *flow = program->next.flows[index];
	struct program_flow *changed = flow_new(program);
	struct flow parsed;

	changed->match = flow->match;
	changed->priority = flow->priority;
	changed->id = flow->id;
	changed->hits = flow->hits;
	random_text(program, changed, &parsed);
	// The match is to stay.
	if (strcmp(changed->match.text, flow->match.text) != 0) {
		flow_destroy(&parsed);
		return;
	}
	if (pipeline_flow_modify(program->pipeline, flow->id, &parsed))
		program_die("pipeline_flow_modify failed");
	if (!parse(changed->text, &changed->flow))
		program_die("a text is accepted only once");
	program->next.flows[index] = changed;
}

// --- Programs ---

static void tell_oracle(struct program *program)
{
	struct oracle *oracle = &program->oracle;

	oracle->flow_count = program->now.flow_count;
	for (size_t i = 0; i < oracle->flow_count; i++)
		program->oracle_flows[i] = (struct oracle_flow){
			&program->now.flows[i]->flow, program->now.flows[i]->hits};
	program_objects_tell_oracle(program);
}

static void oracle_open(struct program *program)
{
	program->oracle.flows = program->oracle_flows;
	program->oracle.ports = program->ports;
	program->oracle.port_count = MODEL_PORTS;
	program->oracle.dead = program->dead;
	program->oracle.groups = program->oracle_groups;
	program->oracle.meters = program->oracle_meters;
	program->oracle.charge = program_metering.charge;
	program->oracle.takes_event = program_takes_event;
}

void program_open(struct program *program, uint64_t seed, bool with_objects)
{
	struct pipeline_config config = {
		.retirement = {.retire = retire_at_once}, .metering = &program_metering};
	unsigned flows;

	memset(program, 0, sizeof(*program));
	program->seed = seed;
	program->next_id = 1;
	model_seed(&program->random, seed);
	program->scope.groups = with_objects && !model_once_in(&program->random, 3);
	program->scope.meters = with_objects && model_once_in(&program->random, 3);
	program->scope.bucket_of = -1;
	program->pipeline = pipeline_create(&config);
	if (!program->pipeline || pipeline_reader_add(program->pipeline, 0))
		program_die("out of memory");
	for (unsigned i = 0; i < MODEL_PORTS; i++) {
		program->ports[i].number = i + 1;
		random_port(&program->random, &program->ports[i]);
		if (pipeline_port_set(program->pipeline, &program->ports[i]))
			program_die("pipeline_port_set failed");
	}
	oracle_open(program);
	flows = 2 + model_below(&program->random, PROGRAM_FLOWS - 4);
	pipeline_begin(program->pipeline);
	program_objects_change(program, true);
	for (unsigned i = 0; i < flows; i++)
		program_add(program);
	program_end(program, true);
}

void program_begin(struct program *program)
{
	struct model_random *random = &program->random;
	struct pipeline_port *port = &program->ports[model_below(random, MODEL_PORTS)];
	struct program_state *next = &program->next;

	// What was learned in its old VLANs stays.
	random_port(random, port);
	if (pipeline_port_set(program->pipeline, port))
		program_die("pipeline_port_set failed");
	for (unsigned i = 1; i <= MODEL_PORTS; i++)
		program->dead[i] = model_once_in(random, 3);
	pipeline_begin(program->pipeline);
	program->changing = true;
	*next = program->now;
	program_objects_change(program, false);
	for (size_t i = 0; i < next->flow_count; i++) {
		if (model_once_in(random, 5))
			program_modify(program, i);
		else if (model_once_in(random, 5) && next->flow_count > 1)
			program_remove(program, i);
	}
	while (next->flow_count < PROGRAM_FLOWS && !model_once_in(random, 4))
		program_add(program);
}

void program_end(struct program *program, bool commit)
{
	program->changing = false;
	if (!commit) {
		pipeline_abort(program->pipeline);
		return;
	}
	pipeline_commit(program->pipeline);
	program->now = program->next;
	tell_oracle(program);
}

void program_close(struct program *program)
{
	while (program->all_flows) {
		struct program_flow *flow = program->all_flows;

		program->all_flows = flow->next;
		flow_destroy(&flow->flow);
		free(flow);
	}
	pipeline_destroy(program->pipeline);
	program_objects_free(program);
}

bool program_counts_agree(const struct program *program)
{
	bool agree = program_objects_agree(program);

	for (size_t i = 0; i < program->now.flow_count; i++) {
		const struct program_flow *flow = program->now.flows[i];
		struct pipeline_flow_stats stats;

		if (pipeline_flow_stats(program->pipeline, flow->id, &stats))
			program_die("a flow has no statistics");
		if (stats.packets == flow->hits->packets && stats.bytes == flow->hits->bytes)
			continue;
		printf("%llu packets, %llu bytes counted instead of %llu, %llu: %s\n",
			(unsigned long long)stats.packets, (unsigned long long)stats.bytes,
			(unsigned long long)flow->hits->packets,
			(unsigned long long)flow->hits->bytes, flow->text);
		agree = false;
	}
	return agree;
}

void program_print(const struct program *program)
{
	static const char *const modes[] = {"trunk", "access", "native-tagged", "native-untagged"};

	for (unsigned i = 0; i < MODEL_PORTS; i++) {
		const struct pipeline_port *port = &program->ports[i];

		printf("port %u: %s tag=%u%s%s trunks=", port->number, modes[port->vlan_mode],
			port->tag, port->no_flood ? " no_flood" : "",
			program->dead[port->number] ? " dead" : "");
		for (unsigned vlan = 0; vlan < 4096; vlan++)
			if (port->trunks[vlan / 64] & 1ull << vlan % 64)
				printf("%u,", vlan);
		printf("\n");
	}
	for (size_t i = 0; i < program->now.flow_count; i++)
		printf("flow: %s\n", program->now.flows[i]->text);
	program_objects_print(program);
	for (size_t i = 0; i < program->oracle.mac_count; i++) {
		const uint8_t *mac = program->oracle.macs[i].mac;

		printf("learned: vlan %u %02x:%02x:%02x:%02x:%02x:%02x port %u\n",
			program->oracle.macs[i].vlan, mac[0], mac[1], mac[2], mac[3], mac[4],
			mac[5], program->oracle.macs[i].port);
	}
}
